"""Several processes on one outbox: each message leaves once, whoever sends it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import requests

from idp.jobs.models import Lease
from idp.messaging.models import Message
from tests.idp.messaging.outbox import town_with, write_mail, write_sms
from tests.support.loopback import free_port
from tests.support.sms import SmsPort
from tests.support.tied import Tied
from tests.support.town import START

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.smtp import Mailbox

#: A process that is told to begin, then sends what is due on both channels until nothing is, and says how much.
COURIER = f"""
import sys, json
from pathlib import Path
from idp.app import open_context
from idp.messaging.delivery import Courier
from idp.settings import load
context = open_context(load(Path(sys.argv[1])), clock=lambda: {START}, checkpoints=False)
couriers = [Courier(context, channel) for channel in ("mail", "sms")]
print("ready", flush=True)
sys.stdin.read(1)
sent, idle = 0, 0
while idle < 3:
    now = sum(courier.deliver_due({START}) for courier in couriers)
    sent, idle = sent + now, 0 if now else idle + 1
print(json.dumps(sent), flush=True)
"""
MAILS, TEXTS = 60, 20


def settings_file(folder: Path, database_url: str, smtp: Mailbox, gateway: SmsPort, **server: str) -> Path:
    """The settings of a town, as a process of its own reads them."""
    path = folder / "denizen.toml"
    sms = gateway.settings
    lines = [
        "[server]",
        'issuer = "https://id.riverton.example"',
        'staff_url = "https://staff.riverton.example"',
        *(f'{name} = "{value}"' for name, value in server.items()),
        '[town]\nname = "Riverton"\ncontact_email = "help@riverton.example"',
        f'[database]\nurl = "{database_url}"',
        f'[keys]\nfile = "{folder / "denizen.key"}"',
        f'[mail]\nhost = "{smtp.host}"\nport = {smtp.port}\nsecurity = "none"',
        f'[sms]\nprovider = "http"\nurl = "{sms["url"]}"\nfields = {{ to = "{{to}}", text = "{{text}}" }}',
        f'headers = {{ Authorization = "Bearer {gateway.secret}" }}',
    ]
    path.write_text("\n".join(lines))
    return path


def test_three_processes_send_each_message_once(database_url: str, tmp_path: Path, smtp: Mailbox) -> None:
    """Without any lease between them, the claim alone decides; nothing is lost and nothing is sent twice."""
    with SmsPort() as gateway, town_with(database_url, tmp_path) as town:
        for number in range(MAILS):
            write_mail(town, f"resident{number}@example.org")
        for number in range(TEXTS):
            write_sms(town, f"+336123456{number:02}")
        config = settings_file(tmp_path, database_url, smtp, gateway)
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", COURIER, str(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        assert [_line(process) for process in processes] == ["ready"] * 3
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("b")
            process.stdin.flush()
        said = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
        assert [process.returncode for process in processes] == [0, 0, 0]
        assert sum(said) == MAILS + TEXTS
        assert sum(count > 0 for count in said) > 1, "one process did everything: this shows nothing"
        assert set(Counter(mail["To"] for mail in smtp.messages).values()) == {1}
        assert len(smtp.messages) == MAILS
        assert set(Counter(text.to for text in gateway.texts).values()) == {1}
        assert len(gateway.texts) == TEXTS
        assert {(one.state, one.attempts) for one in town.rows(Message)} == {("sent", 1)}


def _line(process: Any) -> str:
    return str(process.stdout.readline()).strip()


@pytest.mark.parametrize("worker", ["own", "inside"])
def test_mail_leaves_by_a_process_of_its_own_where_the_town_wants_that(
    worker: str, database_url: str, tmp_path: Path, smtp: Mailbox
) -> None:
    """`[server] worker = "own"`: `denizen worker` sends, and `denizen serve` does not."""
    bind = f"127.0.0.1:{free_port()}"
    with SmsPort() as gateway, town_with(database_url, tmp_path) as town:
        town.clock.at = int(time.time())
        write_mail(town)
        write_sms(town)
        config = settings_file(tmp_path, database_url, smtp, gateway, worker=worker, bind=bind)
        denizen = [sys.executable, "-c", "from admin.cli import main; main()", "--config", config]
        serve = Tied([*denizen, "serve", "--only", "residents"], log=tmp_path / "serve.log", cwd=tmp_path)
        try:
            _wait_for_health(bind)
            if worker == "own":
                # A worker inside would have begun before the first answer, by taking its leases.
                assert town.rows(Lease) == []
                assert smtp.messages == []
                own = Tied([*denizen, "worker"], log=tmp_path / "worker.log", cwd=tmp_path)
                try:
                    assert len(smtp.wait_for(1, timeout=60)) == 1
                    assert len(gateway.wait_for(1, timeout=60)) == 1
                finally:
                    own.stop()
            else:
                assert len(smtp.wait_for(1, timeout=60)) == 1
                assert len(gateway.wait_for(1, timeout=60)) == 1
        finally:
            serve.stop()


def _wait_for_health(bind: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if requests.get(f"http://{bind}/health", timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError("the town does not answer")
