"""The outbox: written with what causes a message, sent over real SMTP, tried again, and emptied."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, update

from idp.messaging.delivery import PAUSES, Courier
from idp.messaging.models import Message
from idp.messaging.service import enqueue
from tests.support.loopback import free_port
from tests.support.smtp import Mailbox
from tests.support.town import START, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.town import Town

VALUES = {
    "town": "Riverton",
    "contact": "help@riverton.example",
    "link": "https://id.riverton.example/x?token=sEcReT",
}


@pytest.fixture
def town(database_url: str, tmp_path: Path, smtp: Mailbox) -> Iterator[Town]:
    """A town whose mail goes to `smtp`."""
    mail = {
        "host": smtp.host,
        "port": smtp.port,
        "security": "none",
        "sender": "Riverton <no-reply@riverton.example>",
    }
    made = make_town(database_url, tmp_path, mail=mail)
    yield made
    made.context.database.close()


def write(
    town: Town, to: str = "noor@example.org", name: str = "confirm_sign_up", language: str = "en"
) -> None:
    """Put one message into the outbox; it is worth an hour."""
    now = int(town.clock())
    with town.context.database.transaction() as session:
        enqueue(
            session,
            town.context.vault,
            name,
            to=to,
            language=language,
            values=VALUES,
            expires_at=now + 3600,
            now=now,
        )


def deliver(town: Town) -> int:
    return Courier(town.context).deliver_due(int(town.clock()))


def states(town: Town) -> list[tuple[str, int, bool]]:
    """State, tries, and whether there is still content, of each message."""
    return [(row.state, row.attempts, row.content is not None) for row in town.rows(Message)]


class Moody(Mailbox):
    """A server that answers some recipients or contents with an error."""

    def __init__(self, refuse: dict[str, str], **options: Any) -> None:
        super().__init__(**options)
        self.refuse = refuse

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        answer = self.refuse.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        for address in envelope.rcpt_tos:
            if f"data {address}" in self.refuse:
                return self.refuse[f"data {address}"]
        return await super().handle_DATA(server, session, envelope)


@pytest.fixture
def moody(request: pytest.FixtureRequest, town: Town, smtp: Mailbox) -> Iterator[Any]:
    """Replace the server by one with moods; call it with what it refuses."""
    running: list[Moody] = []

    def start(refuse: dict[str, str]) -> Moody:
        server = Moody(refuse)
        running.append(server.__enter__())
        settings = town.settings.mail.model_copy(update={"port": server.port})
        changed = town.settings.model_copy(update={"mail": settings})
        object.__setattr__(town.context, "settings", changed)
        return server

    yield start
    for server in running:
        server.__exit__()


def test_a_message_arrives_with_what_a_mail_needs(town: Town, smtp: Mailbox) -> None:
    """RFC 5322 §3.6, RFC 3834 §5: sender, one recipient, date, id, plain text; and it says that a machine wrote it."""
    write(town)
    assert deliver(town) == 1
    (mail,) = smtp.wait_for(1)
    assert mail["From"] == "Riverton <no-reply@riverton.example>"
    assert mail["To"] == "noor@example.org"
    assert mail["Subject"] == "Confirm your e-mail address for Riverton"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "@riverton.example" in mail["Message-ID"]
    assert mail["Date"].datetime.utcoffset() is not None
    assert mail.get_content_type() == "text/plain"
    assert VALUES["link"] in mail.get_content().splitlines()
    assert not [name for name in mail if name.lower() in ("bcc", "cc", "x-mailer")]


def test_a_message_is_in_the_readers_language(town: Town, smtp: Mailbox) -> None:
    """The text is made when the message is caused, in the language of then."""
    for language in ("en", "fr"):
        write(town, language=language)
    deliver(town)
    english, french = (
        mail.get_content() for mail in sorted(smtp.wait_for(2), key=lambda one: one["Subject"])
    )
    assert english != french


def test_a_sent_message_is_emptied(town: Town, smtp: Mailbox) -> None:
    """Nothing is kept but that it existed; sending again does nothing."""
    write(town)
    deliver(town)
    assert states(town) == [("sent", 1, False)]
    assert town.rows(Message)[0].finished_at == int(town.clock())
    town.clock.advance(10_000)
    assert deliver(town) == 0
    assert len(smtp.wait_for(1)) == 1


def test_a_message_is_written_with_what_causes_it_or_not_at_all(town: Town) -> None:
    """An outbox, not a call: what is rolled back was never sent."""

    def cause_and_fail() -> None:
        with town.context.database.transaction() as session:
            enqueue(
                session,
                town.context.vault,
                "welcome",
                to="x@example.org",
                language="en",
                values=VALUES,
                expires_at=START + 9,
                now=START,
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cause_and_fail()
    assert town.rows(Message) == []


def test_what_waits_is_sealed(town: Town) -> None:
    """A copy of the database tells neither who is written to nor what."""
    write(town)
    (row,) = town.rows(Message)
    assert not any(word in bytes(row.content) for word in (b"noor", b"example.org", b"sEcReT", b"Riverton"))


def test_a_server_that_is_down_is_tried_again_with_growing_pauses(town: Town, moody: Any) -> None:
    """F13: nothing is lost while mail is down; when it is up again everything leaves, once."""
    settings = town.settings.mail.model_copy(update={"port": free_port()})
    object.__setattr__(town.context, "settings", town.settings.model_copy(update={"mail": settings}))
    write(town)
    write(town, to="jun@example.org")
    for number, pause in enumerate(PAUSES[:4], start=1):
        assert deliver(town) == 0
        assert states(town) == [("waiting", number, True)] * 2
        town.clock.advance(pause - 1)
        deliver(town)
        assert states(town) == [("waiting", number, True)] * 2, "tried too early"
        town.clock.advance(1)
    server = moody({})
    assert deliver(town) == 2
    assert {mail["To"] for mail in server.wait_for(2)} == {"noor@example.org", "jun@example.org"}
    assert [state for state, *_ in states(town)] == ["sent", "sent"]


def test_after_the_last_pause_a_message_is_given_up_in_sight(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator sees a dead letter by id and name; its content is gone."""
    settings = town.settings.mail.model_copy(update={"port": free_port()})
    object.__setattr__(town.context, "settings", town.settings.model_copy(update={"mail": settings}))
    write(town)
    with town.context.database.transaction() as session:
        session.execute(update(Message).values(expires_at=START + 10**6))
    with caplog.at_level(logging.DEBUG):
        for pause in (*PAUSES, 0):
            deliver(town)
            town.clock.advance(pause)
    assert states(town) == [("dead", len(PAUSES) + 1, False)]
    assert f"mail given up id={town.rows(Message)[0].id} name=confirm_sign_up" in caplog.text


def test_an_expired_message_is_not_sent(town: Town, smtp: Mailbox) -> None:
    """F13: a link that works no more is not worth a mail."""
    write(town)
    town.clock.advance(3600)
    write(town, to="later@example.org")
    assert deliver(town) == 1
    assert [mail["To"] for mail in smtp.wait_for(1)] == ["later@example.org"]
    assert sorted(states(town)) == [("expired", 0, False), ("sent", 1, False)]


def test_a_refused_recipient_holds_up_nobody_else(town: Town, moody: Any) -> None:
    """RFC 5321 §4.2.1: 5yz is final, 4yz (greylisting) is tried again, and both concern one message alone."""
    server = moody(
        {
            "gone@example.org": "550 5.1.1 no such user",
            "grey@example.org": "451 4.7.1 greylisted",
            "data spam@example.org": "554 5.7.1 we think this is spam",
            "data full@example.org": "452 4.2.2 mailbox full",
        }
    )
    for to in ("gone", "grey", "spam", "full", "noor", "jun"):
        write(town, to=f"{to}@example.org")
    assert deliver(town) == 2
    assert {mail["To"] for mail in server.wait_for(2)} == {"noor@example.org", "jun@example.org"}
    assert [state for state, *_ in sorted(states(town))] == [
        "dead",
        "dead",
        "sent",
        "sent",
        "waiting",
        "waiting",
    ]
    server.refuse.clear()
    town.clock.advance(PAUSES[0])
    assert deliver(town) == 2
    assert {mail["To"] for mail in server.wait_for(4)} >= {"grey@example.org", "full@example.org"}


def test_a_message_that_cannot_be_opened_holds_up_nobody_else(town: Town, smtp: Mailbox) -> None:
    """A row that was tampered with is dead, and the next one leaves."""
    write(town, to="first@example.org")
    (row,) = town.rows(Message)
    write(town)
    with town.context.database.transaction() as session:
        other = next(one for one in town.rows(Message) if one.id != row.id)
        session.execute(update(Message).where(Message.id == row.id).values(content=other.content))
    assert deliver(town) == 1
    assert [mail["To"] for mail in smtp.wait_for(1)] == ["noor@example.org"]
    assert sorted(state for state, *_ in states(town)) == ["dead", "sent"]


def test_two_couriers_never_send_one_message_twice(town: Town, smtp: Mailbox) -> None:
    """A courier whose lease ran out while it worked meets another: each message belongs to who claimed it."""
    for number in range(5):
        write(town, to=f"resident{number}@example.org")
    second = Courier(town.context)
    meanwhile: list[int] = []
    lock = threading.local()

    def interfere(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        # The second courier works between the first one's look into the outbox and its first claim.
        if (
            statement.startswith("SELECT")
            and "messaging_outbox" in statement
            and not getattr(lock, "busy", False)
        ):
            lock.busy = True
            meanwhile.append(second.deliver_due(int(town.clock())))

    event.listen(town.context.database.engine, "after_cursor_execute", interfere)
    try:
        sent = deliver(town)
    finally:
        event.remove(town.context.database.engine, "after_cursor_execute", interfere)
    assert sent + sum(meanwhile) == 5
    assert len({mail["To"] for mail in smtp.wait_for(5)}) == len(smtp.messages) == 5


def test_a_crash_after_claiming_is_tried_again(
    town: Town, smtp: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F02: a message that was claimed but not sent is not lost."""
    write(town)
    with monkeypatch.context() as patch:
        patch.setattr(Courier, "_deliver", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            deliver(town)
    assert states(town) == [("waiting", 1, True)]
    town.clock.advance(PAUSES[0])
    assert deliver(town) == 1
    assert len(smtp.wait_for(1)) == 1


def test_the_log_names_nobody(town: Town, moody: Any, caplog: pytest.LogCaptureFixture) -> None:
    """No address, no subject and no link, whether a mail was sent, refused, postponed or given up."""
    moody(
        {
            "gone@example.org": "550 no such user gone@example.org",
            "grey@example.org": "451 grey@example.org later",
        }
    )
    with caplog.at_level(logging.DEBUG):
        for to in ("gone", "grey", "noor"):
            write(town, to=f"{to}@example.org")
        deliver(town)
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail."))
    assert "mail refused id=" in ours
    assert not any(word in ours for word in ("example.org", "sEcReT", "Confirm", "noor", "gone", "grey"))


def test_a_name_or_line_break_in_settings_cannot_add_headers(town: Town, smtp: Mailbox) -> None:
    """The subject is one line, whatever the town is called."""
    with town.context.database.transaction() as session:
        enqueue(
            session,
            town.context.vault,
            "confirm_sign_up",
            to="noor@example.org",
            language="en",
            values={**VALUES, "town": "River\r\nBcc: evil@evil.example\r\nton"},
            expires_at=START + 60,
            now=START,
        )
    deliver(town)
    (mail,) = smtp.wait_for(1)
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]
