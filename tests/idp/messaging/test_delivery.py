"""The outbox: written with what causes a message, sent over real SMTP, tried again, and emptied."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, update
from sqlalchemy.exc import OperationalError

from idp.jobs import outgoing
from idp.jobs.rules import JITTER
from idp.messaging import outbox
from idp.messaging.delivery import HOLD_FOR, Courier
from idp.messaging.models import Message
from idp.messaging.rules import PAUSES
from idp.messaging.service import enqueue
from tests.support.loopback import free_port
from tests.support.smtp import Mailbox, html_of, text_of
from tests.support.town import START, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.town import Town

VALUES = {"link": "https://id.riverton.example/x?token=sEcReT"}
#: A pause at its longest.
STRETCHED = 1 + JITTER


@pytest.fixture
def town(database_url: str, founding: Founding, tmp_path: Path, smtp: Mailbox) -> Iterator[Town]:
    """A town whose mail goes to `smtp`."""
    mail = {
        "host": smtp.host,
        "port": smtp.port,
        "security": "none",
        "sender": "Riverton <no-reply@riverton.example>",
    }
    made = make_town(database_url, tmp_path, founding=founding, mail=mail)
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
    """One run of a process that has just begun: no gateway rests yet."""
    return Courier(town.context).deliver_due(int(town.clock()))


def out_of_reach(town: Town) -> None:
    """Nobody listens where mail should go."""
    settings = town.settings.mail.model_copy(update={"port": free_port()})
    object.__setattr__(town.context, "settings", town.settings.model_copy(update={"mail": settings}))


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
    assert mail["Content-Language"] == "en"
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert VALUES["link"] in text_of(mail).splitlines()
    assert f'href="{VALUES["link"]}"' in html_of(mail)
    assert not [name for name in mail if name.lower() in ("bcc", "cc", "x-mailer")]


def test_a_message_is_in_the_readers_language(town: Town, smtp: Mailbox) -> None:
    """The text is made when the message is caused, in the language of then."""
    for language in ("en", "fr"):
        write(town, language=language)
    deliver(town)
    english, french = (text_of(mail) for mail in sorted(smtp.wait_for(2), key=lambda one: one["Subject"]))
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


def test_a_server_that_is_down_loses_nothing(town: Town, moody: Any) -> None:
    """F13: while mail is down for an hour, everything waits with growing pauses; then it leaves, once."""
    out_of_reach(town)
    write(town)
    write(town, to="jun@example.org")
    for _ in range(60):
        assert deliver(town) == 0
        town.clock.advance(59)
    assert {state for state, *_ in states(town)} == {"waiting"}
    assert max(attempts for _, attempts, _ in states(town)) < 10, "the pauses do not grow"
    assert all(row.trouble == "ConnectionRefusedError" for row in town.rows(Message))
    with town.context.database.transaction() as session:
        session.execute(update(Message).values(expires_at=START + 10**6))
    server = moody({})
    town.clock.advance(900 * STRETCHED)
    assert deliver(town) == 2
    assert {mail["To"] for mail in server.wait_for(2)} == {"noor@example.org", "jun@example.org"}
    assert [state for state, *_ in states(town)] == ["sent", "sent"]


def test_a_server_that_is_down_never_makes_a_dead_letter(town: Town) -> None:
    """It is nobody's fault: only time ends a message then."""
    out_of_reach(town)
    write(town)
    with town.context.database.transaction() as session:
        session.execute(update(Message).values(expires_at=START + 86_400))
    for _ in range(90):
        deliver(town)
        town.clock.advance(900 * STRETCHED)
    assert [state for state, *_ in states(town)] == ["expired"]


def test_codes_that_ran_out_meanwhile_are_not_sent(town: Town, moody: Any) -> None:
    """F13: after the outage the notice arrives, and the code that is worth nothing any more does not."""
    out_of_reach(town)
    write(town, to="code@example.org")
    write(town, to="notice@example.org")
    with town.context.database.transaction() as session:
        first = town.rows(Message)[0].id
        session.execute(
            update(Message).where(Message.id == first).values(kind="code", expires_at=START + 600)
        )
        session.execute(update(Message).where(Message.id != first).values(expires_at=START + 86_400))
    deliver(town)
    server = moody({})
    town.clock.advance(3600)
    deliver(town)
    assert len(server.wait_for(1)) == len(server.messages) == 1
    assert sorted((row.state, row.content) for row in town.rows(Message)) == [
        ("expired", None),
        ("sent", None),
    ]


def test_one_courier_leaves_a_server_that_is_down_alone_for_a_while(town: Town) -> None:
    """A thousand waiting mails do not mean a thousand attempts to connect."""
    out_of_reach(town)
    courier = Courier(town.context)
    tries: list[int] = []
    for _ in range(120):
        before = sum(row.attempts for row in town.rows(Message))
        write(town)
        courier.deliver_due(int(town.clock()))
        tries.append(sum(row.attempts for row in town.rows(Message)) - before)
        town.clock.advance(1)
    assert tries[0] == 1
    assert sum(tries) < 10


def test_after_the_last_pause_a_message_is_given_up_in_sight(
    town: Town, moody: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator sees a dead letter by id, name and cause, and may send it again."""
    server = moody({"noor@example.org": "451 4.7.1 not now"})
    write(town)
    with town.context.database.transaction() as session:
        session.execute(update(Message).values(expires_at=START + 10**6))
    with caplog.at_level(logging.DEBUG):
        for number, pause in enumerate((*PAUSES, 0), start=1):
            deliver(town)
            assert states(town) == [("waiting" if pause else "dead", number, True)]
            town.clock.advance(pause - 1)
            deliver(town)
            assert town.rows(Message)[0].attempts == number, "tried too early"
            town.clock.advance(1 + pause * JITTER)
    (row,) = town.rows(Message)
    assert f"message given up channel=mail name=confirm_sign_up id={row.id} cause=smtp 451" in caplog.text
    server.refuse.clear()
    with town.context.database.transaction() as session:
        assert outbox.retry(session, None, now=int(town.clock())) == [row.id]
    assert deliver(town) == 1
    assert len(server.wait_for(1)) == 1


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
    town.clock.advance(PAUSES[0] * STRETCHED)
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
    """F02: a message that was claimed but not sent is not lost; until its hold has ended it belongs to who claimed it."""
    write(town)
    with monkeypatch.context() as patch:
        patch.setattr(
            "idp.messaging.smtp.Postman.send", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            deliver(town)
    assert states(town) == [("waiting", 1, True)]
    town.clock.advance(HOLD_FOR - 1)
    assert deliver(town) == 0
    town.clock.advance(1)
    assert deliver(town) == 1
    assert len(smtp.wait_for(1)) == 1


def test_a_mail_that_is_sent_twice_is_recognised(
    town: Town, smtp: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F02: a crash between sending and writing that down sends it again, under the same Message-ID."""
    write(town)
    with monkeypatch.context() as patch:
        patch.setattr(Courier, "_finish", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            deliver(town)
    town.clock.advance(HOLD_FOR)
    assert deliver(town) == 1
    first, second = smtp.wait_for(2)
    assert first["Message-ID"] == second["Message-ID"]


@pytest.mark.parametrize("away_for", [100, HOLD_FOR + 60])
def test_a_message_that_left_while_the_database_was_away_leaves_once(
    town: Town, smtp: Mailbox, monkeypatch: pytest.MonkeyPatch, *, away_for: int
) -> None:
    """F05: PostgreSQL restarts just then. Beyond the hold nothing is known any more, and the message leaves again."""
    write(town)
    back_at = int(town.clock()) + away_for
    settle = outgoing.settle

    def not_now(*arguments: Any, **options: Any) -> bool:
        if town.clock() < back_at:
            raise OperationalError("UPDATE", {}, Exception("the server closed the connection"))
        return settle(*arguments, **options)

    monkeypatch.setattr(outgoing, "settle", not_now)
    monkeypatch.setattr("idp.messaging.delivery.sleep", town.clock.advance)
    if away_for < HOLD_FOR:
        assert deliver(town) == 1
        assert town.clock() < back_at + 30
    else:
        with pytest.raises(OperationalError):
            deliver(town)
        assert START + HOLD_FOR - 30 < town.clock() < START + HOLD_FOR
    town.clock.at = START + 2 * HOLD_FOR
    deliver(town)
    assert len(smtp.wait_for(1)) == len(smtp.messages) == (1 if away_for < HOLD_FOR else 2)
    assert states(town) == [("sent", 1 if away_for < HOLD_FOR else 2, False)]


def test_a_courier_that_was_too_slow_changes_nothing(town: Town, moody: Any) -> None:
    """Once another one has taken a message over, the first one's outcome no longer counts."""
    server = moody({"noor@example.org": "451 4.7.1 not now"})
    write(town)
    courier = Courier(town.context)
    (slow,) = courier._due(START)
    assert courier._claim(slow, now=START)
    town.clock.advance(HOLD_FOR)
    assert deliver(town) == 0
    courier._give_up(slow, "too late", now=START)
    courier._finish(slow, "sent", "", now=START)
    assert [(row.state, row.trouble) for row in town.rows(Message)] == [("waiting", "smtp 451")]
    server.refuse.clear()
    town.clock.advance(PAUSES[0] * STRETCHED)
    assert deliver(town) == 1
    assert len(server.wait_for(1)) == 1


def test_a_run_ends_before_its_holds_do(town: Town, smtp: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow server: what was not begun within half a minute is left to the next run, unclaimed."""
    for number in range(4):
        write(town, to=f"resident{number}@example.org")
    handle = Courier._handle

    def slowly(self: Courier, *arguments: Any, **options: Any) -> bool:
        town.clock.advance(16)
        return handle(self, *arguments, **options)

    monkeypatch.setattr(Courier, "_handle", slowly)
    assert deliver(town) == 2
    assert sorted(states(town)) == [("sent", 1, False)] * 2 + [("waiting", 0, True)] * 2
    assert len(smtp.wait_for(2)) == 2


def test_a_text_that_cannot_be_written_is_a_dead_letter(
    town: Town, smtp: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A message of a name that this version no longer knows, say: it holds up nobody, and stays to be looked at."""
    write(town, to="first@example.org")
    (row,) = town.rows(Message)
    write(town)
    with town.context.database.transaction() as session:
        session.execute(update(Message).where(Message.id == row.id).values(name="gone"))
    assert deliver(town) == 1
    assert sorted((one.state, one.trouble) for one in town.rows(Message)) == [
        ("dead", "TemplateNotFound"),
        ("sent", ""),
    ]
    assert "first@" not in caplog.text


def test_a_message_that_could_not_be_written_is_refused_at_once(town: Town) -> None:
    """A caller's mistake shows in the caller's test, not in the night's log."""
    with town.context.database.transaction() as session:
        for name, values in (("confirm_sign_up", {}), ("no_such", VALUES), ("layouts", VALUES), ("", VALUES)):
            with pytest.raises(LookupError):
                enqueue(
                    session, town.context.vault, name,
                    to="x@example.org", language="en", values=values, expires_at=START + 9, now=START,
                )  # fmt: skip
    assert town.rows(Message) == []


def test_what_an_older_version_wrote_is_sent_as_it_stands(town: Town, smtp: Mailbox) -> None:
    """A message that waited during the upgrade has its finished text in it, and no HTML."""
    write(town)
    (row,) = town.rows(Message)
    old = '{"to": "noor@example.org", "subject": "Confirm", "text": "Here: https://x"}'
    content = town.context.vault.service_data_key("outbox").seal(old, f"messaging_outbox.content {row.id}")
    with town.context.database.transaction() as session:
        session.execute(update(Message).values(content=content))
    assert deliver(town) == 1
    (mail,) = smtp.wait_for(1)
    assert (mail["Subject"], mail.get_content_type(), mail.get_content().strip()) == (
        "Confirm",
        "text/plain",
        "Here: https://x",
    )


def test_an_address_that_is_no_address_is_a_dead_letter(town: Town, smtp: Mailbox) -> None:
    """It cannot add headers, and stops nobody."""
    write(town, to="noor@example.org\nBcc: evil@evil.example")
    write(town, to="jun@example.org")
    assert deliver(town) == 1
    assert sorted(state for state, *_ in states(town)) == ["dead", "sent"]
    assert [mail["To"] for mail in smtp.wait_for(1)] == ["jun@example.org"]


def test_the_log_names_nobody(town: Town, moody: Any, caplog: pytest.LogCaptureFixture) -> None:
    """ASVS 16.2.5: no address, no subject and no link, whether a mail was sent, refused, postponed or given up."""
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
    assert "message given up channel=mail" in ours
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
