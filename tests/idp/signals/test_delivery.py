"""Delivery of signals: at least once, each partner by itself, for a bounded time, and then an operator sees it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from idp.clients.models import ClientRow
from idp.clients.service import disable_client
from idp.jobs.rules import JITTER
from idp.jobs.stamps import CLIENTS, bump
from idp.login.models import BrowserSession
from idp.signals import delivery
from idp.signals.rules import RETRIES, wish
from idp.upkeep import KEEP_ENDED_FOR, purge
from tests.idp.signals.telling import Telling, messenger_for
from tests.idp.signals.test_back_channel import sign_out, visit
from tests.support.commands import commands_on

if TYPE_CHECKING:
    from pathlib import Path

    from idp.signals.models import Delivery

LONG = RETRIES.pauses[-1] * (1 + JITTER)


def end_one(telling: Telling, *names: str) -> None:
    """Maria signs in at these partners and out again."""
    browser = telling.town.browser()
    for name in names or ("pool",):
        visit(telling, name, browser=browser)
    sign_out(browser)


def only(telling: Telling) -> Delivery:
    (row,) = telling.rows()
    return row


def test_a_partner_that_is_away_is_told_later_with_a_fresh_token(telling: Telling) -> None:
    """Each try has an iat and a jti of its own, so that a token is never too old and never looks like a replay."""
    telling.answers["pool.example"] = [503, 200]
    end_one(telling)
    (first,) = telling.deliver()
    row = only(telling)
    assert (row.state, row.trouble, row.refusals) == ("waiting", "status 503", 1)
    assert RETRIES.pauses[0] <= row.due_at - telling.town.clock() <= RETRIES.pauses[0] * (1 + JITTER)
    assert telling.deliver() == []
    (second,) = telling.deliver(RETRIES.pauses[0])
    one, other = telling.claims(first), telling.claims(second)
    assert one["jti"] != other["jti"]
    assert other["iat"] == int(telling.town.clock()) > one["iat"]
    assert only(telling).state == "sent"


@pytest.mark.parametrize(
    ("status", "state"), [(200, "sent"), (204, "sent"), (400, "dead"), (302, "waiting"), (404, "waiting")]
)
def test_what_an_answer_means(telling: Telling, status: int, state: str) -> None:
    """§2.8: taken, refused for good, or the trouble of a machine; a redirect is not followed."""
    telling.answers["pool.example"] = [status]
    end_one(telling)
    assert len(telling.deliver()) == 1
    assert only(telling).state == state


def test_a_partner_that_never_answers_becomes_a_dead_letter(
    telling: Telling, caplog: pytest.LogCaptureFixture
) -> None:
    """For a bounded time and with growing pauses; then it is logged as an error, without naming anybody."""
    telling.answers["pool.example"] = [500] * 100
    end_one(telling)
    with caplog.at_level(logging.INFO, "denizen.signals"):
        began = telling.town.clock()
        telling.deliver()
        while only(telling).state == "waiting":
            assert len(telling.heard) < 50
            telling.deliver(max(only(telling).due_at - telling.town.clock(), 1))
    assert only(telling).state == "dead"
    assert len(telling.heard) == len(RETRIES.pauses) + 1
    assert telling.town.clock() - began <= sum(RETRIES.pauses) * (1 + JITTER) + 60
    assert telling.deliver(LONG) == []
    told = [record.getMessage() for record in caplog.records]
    assert any(one.startswith("signal given up kind=logout client=pool") for one in told)
    secrets = (telling.claims(telling.heard[0])["sub"], only(telling).sid, telling.heard[0].token)
    assert not [one for one in told for secret in secrets if secret in one]


def test_a_wish_to_be_left_alone_is_granted_within_reason(telling: Telling) -> None:
    """Retry-After (RFC 9110 §10.2.3), an hour at most."""
    for wished, least in (("120", 120), ("999999", 3600)):
        telling.server.respond = lambda *_, wished=wished: (429, {"Retry-After": wished}, b"")
        end_one(telling)
        telling.deliver(60)
        row = max(telling.rows(), key=lambda one: one.created_at)
        assert row.due_at - int(telling.town.clock()) == least


def test_one_partner_that_hangs_holds_up_nobody(telling: Telling) -> None:
    """F12: it holds one place; the others, and the next session's, are told meanwhile; then it is told as well."""
    messenger = messenger_for(telling.town, telling.server, total_for=60)  # longer than this test
    telling.silent["pool.example"] = threading.Event()
    end_one(telling, "pool", "gym")
    telling.town.clock.advance(1)
    messenger.run(int(telling.town.clock()))
    end_one(telling, "gym")
    telling.town.clock.advance(1)
    began = time.monotonic()
    while len(telling.heard) < 2:
        messenger.run(int(telling.town.clock()))
        assert time.monotonic() - began < 10
        time.sleep(0.02)
    assert [one.host for one in telling.heard] == ["gym.example"] * 2
    telling.silent["pool.example"].set()
    messenger.finish()
    messenger._pool.shutdown()
    assert [one.host for one in telling.heard].count("pool.example") == 1


def test_a_partner_that_fails_rests_and_its_queue_waits(telling: Telling) -> None:
    """A thousand signals for a server that is down are not a thousand attempts in a row."""
    telling.answers["pool.example"] = [500] * 3
    for _ in range(5):
        end_one(telling)
    assert len(telling.deliver()) == 1
    assert len(telling.deliver()) == 0
    assert len(telling.deliver(RETRIES.pauses[0])) == 1
    telling.answers.clear()
    telling.deliver(60)
    assert {row.state for row in telling.rows()} == {"sent"}
    assert len(telling.heard) == 2 + 5


def test_a_batch_does_not_hide_other_partners(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each client has a place of its own in every run."""
    monkeypatch.setattr(delivery, "BATCH", 2)
    for _ in range(5):
        end_one(telling)
    end_one(telling, "gym")
    assert [one.host for one in telling.deliver()].count("gym.example") == 1


def test_two_messengers_tell_each_partner_once(telling: Telling) -> None:
    """Even without the lease between them, the claim decides."""
    for _ in range(6):
        end_one(telling, "pool", "gym")
    other = messenger_for(telling.town, telling.server)
    telling.town.clock.advance(1)
    now, gate = int(telling.town.clock()), threading.Barrier(2)

    def run(messenger: delivery.Messenger) -> None:
        gate.wait(10)
        for _ in range(3):
            messenger.run(now)
            messenger.finish()

    threads = [threading.Thread(target=run, args=(one,)) for one in (telling.messenger, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    other._pool.shutdown()
    assert len(telling.heard) == 12
    assert {row.state for row in telling.rows()} == {"sent"}


def test_a_client_that_is_gone_is_told_nothing(telling: Telling) -> None:
    """Neither one that is switched off before its signal is written, nor after; that is no operator's trouble."""
    telling.answers["pool.example"] = [500]
    end_one(telling)
    telling.deliver()
    with telling.town.context.database.transaction() as session:
        assert session.get(ClientRow, "pool")
        disable_client(session, "pool", now=int(telling.town.clock()))
    telling.messenger._provider.forget()
    assert telling.deliver(60) == []
    assert only(telling).state == "dropped"


#: A process that follows up what has ended and is killed at the moment that is named.
KILLED = """
import json, os, signal, sys
from idp.app import open_context
from idp.settings import Settings
from idp.signals import delivery
from tests.idp.signals.telling import messenger_for
told = json.load(sys.stdin)
context = open_context(Settings(**told["settings"]), clock=lambda: told["now"], checkpoints=False)

class Authority: ca = told["ca"]
class Server: authority = Authority
class Town: pass
Town.context = context
messenger = messenger_for(Town, Server)
kill = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
if told["moment"] == "before it is sent":
    delivery.Messenger._send = kill
if told["moment"] == "after it was taken":
    delivery.Messenger._taken = kill
if told["moment"] == "before anybody is claimed":
    delivery.Messenger._clients_due = kill
messenger.run(told["now"])
messenger.finish()
"""


@pytest.mark.parametrize(
    ("moment", "times"),
    [("before anybody is claimed", 1), ("before it is sent", 1), ("after it was taken", 2)],
)
def test_a_process_that_is_killed_loses_nothing(telling: Telling, moment: str, times: int) -> None:
    """Killed (SIGKILL) between the commit of the end and the delivery; a second try is harmless, it has a jti of its own."""
    end_one(telling)
    telling.town.clock.advance(1)
    told = {
        "settings": telling.town.settings.model_dump(mode="json"),
        "now": int(telling.town.clock()),
        "ca": str(telling.server.authority.ca),
        "moment": moment,
    }
    killed = subprocess.run([sys.executable, "-c", KILLED], input=json.dumps(told), text=True, check=False)
    assert killed.returncode == -9
    assert all(row.told_at for row in telling.town.rows(BrowserSession))
    assert only(telling).state == "waiting"
    telling.deliver(0 if moment == "before anybody is claimed" else delivery.HOLD_FOR)
    assert only(telling).state == "sent"
    assert len(telling.heard) == times
    assert len({telling.claims(one)["jti"] for one in telling.heard}) == times
    assert len({telling.claims(one)["sid"] for one in telling.heard}) == 1


def test_what_is_done_is_forgotten_after_a_week(telling: Telling) -> None:
    """As mail is."""
    end_one(telling)
    telling.deliver()
    telling.town.clock.advance(KEEP_ENDED_FOR + 1)
    purge(telling.town.context, now=int(telling.town.clock()))
    assert telling.rows() == []


@pytest.fixture
def run(telling: Telling, database_url: str, tmp_path: Path) -> Any:
    """Run a command on the town's database; exit code and output."""
    return commands_on(database_url, tmp_path)


def test_an_operator_sees_what_is_dead_and_tries_again_or_gives_up(telling: Telling, run: Any) -> None:
    """`denizen signals`: by client and cause; whom it is about is never shown."""
    telling.answers = {"pool.example": [400, 400], "gym.example": [400]}
    end_one(telling, "pool", "gym")
    telling.deliver()
    pool = next(row for row in telling.rows() if row.client_id == "pool")
    code, output = run("signals", "list")
    assert code == 0
    assert all(word in output for word in (pool.id, "pool", "gym", "dead", "status 400", "logout"))
    assert not [one for one in (pool.resident_id, pool.sid) if one in output]
    code, output = run("signals", "list", "--json", "--client", "gym")
    told = json.loads(output)
    assert [one["client_id"] for one in told["signals"]] == ["gym"]
    assert {"client_id": "pool", "state": "dead", "count": 1} in told["counts"]
    assert run("signals", "retry")[0] == 2
    assert run("signals", "retry", "--all", "--client", "pool") == (0, "1 will be tried again.\n")
    telling.town.clock.at = time.time()
    telling.deliver()
    assert len(telling.heard) == 3
    assert run("signals", "retry", pool.id)[0] == 0
    telling.deliver(60)
    assert {row.client_id: row.state for row in telling.rows()} == {"pool": "sent", "gym": "dead"}
    assert run("signals", "drop", "--all") == (0, "1 dropped.\n")
    assert {row.state for row in telling.rows()} == {"sent", "dropped"}
    assert run("signals", "drop", pool.id)[0] == 1


def test_what_cannot_be_signed_any_more_becomes_a_dead_letter(telling: Telling) -> None:
    """The town has taken the algorithm away: the operator sees it, instead of tries without end."""
    end_one(telling)
    with telling.town.context.database.transaction() as session:
        session.get_one(ClientRow, "pool").id_token_signed_response_alg = "PS256"
        bump(session, CLIENTS)
    telling.messenger._provider.forget()
    for _ in range(40):
        telling.deliver(3600)
    assert [row.state for row in telling.rows()] == ["dead"]


def test_a_wish_of_thousands_of_digits_is_none() -> None:
    """Python refuses to read such a number."""
    assert wish("9" * 5000) == 0
    assert wish("120") == 120
