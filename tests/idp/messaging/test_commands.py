"""`denizen messages`: what is stuck is seen, tried again or dropped, without a word of it being shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from idp.messaging import outbox
from idp.messaging.models import Message
from tests.idp.messaging.outbox import row, write_letter, write_mail, write_sms
from tests.support.commands import commands_on
from tests.support.town import START

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.town import Town


@pytest.fixture
def run(town: Town, database_url: str, tmp_path: Path) -> Any:
    """Run a command on the town's database; exit code and output."""
    return commands_on(database_url, tmp_path)


def kill(town: Town, message_id: str, **values: Any) -> None:
    with town.context.database.transaction() as session:
        changed = {"state": "dead", "trouble": "smtp 550", "finished_at": START, **values}
        session.execute(update(Message).where(Message.id == message_id).values(**changed))


LATER = 4_000_000_000  # the commands go by the real clock


def test_what_waits_and_what_is_dead_is_listed(town: Town, run: Any) -> None:
    """By id, channel, state, name and cause; never an address or a word of it."""
    mail, sms, letter = write_mail(town), write_sms(town), write_letter(town)
    kill(town, mail)
    code, output = run("messages", "list")
    assert code == 0
    assert all(one in output for one in (mail, sms, letter, "smtp 550", "passkey_added"))
    assert not any(
        word in output for word in ("noor", "example.org", "612345678", "Okafor", "sEcReT", "Mill Street")
    )
    code, output = run("messages", "list", "--json", "--state", "dead", "--channel", "mail")
    said = json.loads(output)
    assert [one["id"] for one in said["messages"]] == [mail]
    assert {"channel": "sms", "state": "waiting", "count": 1} in said["counts"]


def test_a_dead_message_is_tried_again(town: Town, run: Any) -> None:
    """It keeps what it says for that."""
    one, other = (write_mail(town, expires_at=LATER) for _ in range(2))
    kill(town, one)
    kill(town, other)
    assert run("messages", "retry", one)[0] == 0
    assert (row(town, one).state, row(town, other).state) == ("waiting", "dead")
    assert row(town, one).content is not None
    assert json.loads(run("messages", "retry", "--all", "--json")[1]) == {"ids": [other]}


def test_what_is_out_of_date_or_was_sent_is_not_tried_again(town: Town, run: Any) -> None:
    """An old code helps nobody."""
    old, sent = write_mail(town, expires_at=1), write_mail(town, expires_at=LATER)
    kill(town, old)
    kill(town, sent, state="sent", content=None)
    for message_id in (old, sent, "unknown"):
        assert run("messages", "retry", message_id)[0] == 1
    assert {one.state for one in town.rows(Message)} == {"dead", "sent"}


def test_a_dropped_message_is_emptied(town: Town, run: Any) -> None:
    """Dead ones, or one that waits; the others stay."""
    dead, waiting, other = (write_mail(town) for _ in range(3))
    kill(town, dead)
    assert run("messages", "drop", waiting)[0] == 0
    assert run("messages", "drop", "--all")[0] == 0
    assert [(row(town, one).state, row(town, one).content is None) for one in (dead, waiting, other)] == [
        ("dropped", True),
        ("dropped", True),
        ("waiting", False),
    ]


def test_one_message_or_all_must_be_said(run: Any) -> None:
    """Nothing happens by mistake."""
    for arguments in (("retry",), ("drop",), ("retry", "x", "--all")):
        assert run("messages", *arguments)[0] == 2


def test_dead_messages_keep_no_stale_content(town: Town) -> None:
    """What is out of date is erased, though the row stays to be seen; unprinted letters expire, too."""
    dead, letter = write_mail(town, expires_at=START + 60), write_letter(town, expires_at=START + 60)
    kill(town, dead)
    outbox.tidy(town.context, now=START + 59)
    assert row(town, dead).content is not None
    outbox.tidy(town.context, now=START + 60)
    assert (row(town, dead).state, row(town, dead).content) == ("dead", None)
    assert (row(town, letter).state, row(town, letter).content) == ("expired", None)


def test_the_worker_refuses_where_serve_does_its_work(run: Any) -> None:
    """Two of them on one SQLite file would get into each other's way."""
    code, output = run("worker")
    assert code == 2
    assert 'worker = "own"' in output
