"""No dormant account ends before a warning has left the town: by mail, by text message, or else by letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from idp.accounts import contacts
from idp.accounts.models import Resident
from idp.closing import service
from idp.closing.models import Closure
from idp.messaging import outbox
from idp.messaging.letters import make_batch
from idp.messaging.models import Message
from idp.upkeep import KEEP_ENDED_FOR, purge
from tests.idp.closing.test_closing import DAY, DORMANT, NOTICE, state, tick
from tests.idp.messaging.outbox import deliver, town_with
from tests.idp.recovery.steps import give_address
from tests.support.smtp import Mailbox
from tests.support.told import told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.town import Town


class Post(Mailbox):
    """A mail server that may turn away everybody for good."""

    is_shut = False

    async def handle_RCPT(self, _server, _session, envelope, address, _options) -> str:  # type: ignore[no-untyped-def]  # noqa: N802
        if self.is_shut:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"


@pytest.fixture
def post() -> Iterator[Post]:
    with Post() as made:
        yield made


@pytest.fixture
def town(database_url: str, founding: Founding, tmp_path: Path, post: Post) -> Iterator[Town]:
    """A town with mail and without text messages, in which Maria is dormant and Jun is not."""
    mail = {"host": post.host, "port": post.port, "security": "none"}
    with town_with(database_url, tmp_path, founding=founding, mail=mail) as made:
        made.clock.advance(DORMANT)
        made.browser().sign_in(made.jun)
        yield made


def dormant(town: Town) -> int:
    """Look for dormant accounts and send what is to be sent; how many were warned."""
    found = service.find_dormant(town.context, now=int(town.clock()))
    _send(town)
    return found


def after(town: Town, seconds: int) -> int:
    """Let time pass, the job run and mail leave; how many closures moved on."""
    moved = tick(town, seconds)
    _send(town)
    return moved


def _send(town: Town) -> None:
    """What waits for mail or text messages either leaves or is dead."""
    deliver(town, "mail")
    deliver(town, "sms")


def phone_instead_of_mail(town: Town) -> None:
    """Maria is reached by phone alone."""
    now = int(town.clock())
    with town.context.database.transaction() as session:
        resident, vault = session.get_one(Resident, town.maria.resident_id), town.context.vault
        contacts.add_confirmed(session, vault, resident, "phone", "+33612345678", now=now)
        (mail,) = (one for one in contacts.of_resident(session, vault, resident) if one.kind == "email")
        contacts.remove(session, vault, resident, mail.id, now=now)


def closure(town: Town) -> Closure:
    return town.rows(Closure)[-1]


def test_a_dormant_account_is_warned_twice_and_then_closed(
    database_url: str, founding: Founding, tmp_path: Path, post: Post
) -> None:
    """Two years, then thirty days and thirty days more; who signed in meanwhile is not concerned."""
    mail = {"host": post.host, "port": post.port, "security": "none"}
    with town_with(database_url, tmp_path, founding=founding, mail=mail) as town:
        town.clock.advance(DORMANT - 1)
        town.browser().sign_in(town.jun)
        assert dormant(town) == 0
        town.clock.advance(1)
        assert (dormant(town), dormant(town)) == (1, 0)
        assert after(town, NOTICE) == 1
        assert after(town, 600) == 1
        warned = [one for one in post.wait_for(2) if one["To"] == town.maria.email]
        assert len(warned) == 2
        assert after(town, NOTICE - 601) == 0
        assert after(town, 1) == 1
        assert state(town) == "closed"


def test_the_end_waits_for_the_second_warning_to_leave(town: Town, post: Post) -> None:
    """While mail is down nothing has been said: its time begins when it leaves."""
    dormant(town)
    tick(town, NOTICE)
    assert [one.to for one in told(town, "dormant_soon")] == [town.maria.email]
    with town.context.database.transaction() as session:  # as long as mail waits, whatever the hour
        session.execute(
            update(Message)
            .where(Message.name == "dormant_soon")
            .values(expires_at=int(town.clock()) + 90 * DAY)
        )
    assert tick(town, NOTICE) == 0
    assert closure(town).reminded_at is None
    deliver(town, "mail")
    left_at = int(town.clock())
    tick(town, 600)
    assert closure(town).reminded_at == left_at
    assert tick(town, NOTICE - 601) == 0
    assert state(town) == "active"
    tick(town, 1)
    assert state(town) == "closed"


def test_what_mail_did_not_take_goes_by_letter(town: Town, post: Post, tmp_path: Path) -> None:
    """Maria's mailbox is gone: her verified address gets a letter, and the time runs from when it was printed."""
    give_address(town, town.maria)
    post.is_shut = True
    dormant(town)
    after(town, NOTICE)
    after(town, 600)
    (letter,) = (one for one in told(town, "dormant_soon") if one.channel == "letter")
    assert letter.values["closes_at"] == int(town.clock()) + NOTICE
    assert after(town, 2 * NOTICE - DAY) == 0
    assert state(town) == "active", "closed while the letter lay here"
    make_batch(town.context, tmp_path / "out", now=int(town.clock()))
    after(town, 600)
    assert after(town, NOTICE - 601) == 0
    after(town, 1)
    assert state(town) == "closed"


def test_whoever_no_warning_reached_keeps_the_account(town: Town, post: Post) -> None:
    """Mail is refused, and there is no address for a letter."""
    post.is_shut = True
    dormant(town)
    after(town, NOTICE)
    after(town, 600)
    assert closure(town).state == "kept"
    after(town, NOTICE)
    after(town, NOTICE)
    assert state(town) == "active"


def test_a_letter_that_was_never_printed_keeps_the_account(town: Town, post: Post) -> None:
    """Nobody runs the batches in this town."""
    give_address(town, town.maria)
    post.is_shut = True
    dormant(town)
    after(town, NOTICE)
    after(town, 600)
    town.clock.advance(61 * DAY)
    outbox.tidy(town.context, now=int(town.clock()))
    after(town, 600)
    assert (closure(town).state, state(town)) == ("kept", "active")


def test_a_phone_in_a_town_without_text_messages_warns_nobody(town: Town) -> None:
    """Maria has no mail: with a verified address she gets letters, without one she is left alone."""
    phone_instead_of_mail(town)
    assert dormant(town) == 0
    give_address(town, town.maria)
    assert dormant(town) == 1
    after(town, NOTICE)
    assert [one.channel for one in told(town)] == ["letter", "letter"]
    after(town, NOTICE)
    assert state(town) == "active"


def test_a_warning_of_which_nothing_is_known_any_more_is_said_again(town: Town) -> None:
    """The job stood still for so long that its outcome was cleared away."""
    dormant(town)
    after(town, NOTICE)
    town.clock.advance(KEEP_ENDED_FOR + 1)
    purge(town.context, now=int(town.clock()))
    after(town, NOTICE)
    assert closure(town).reminded_at is None
    after(town, 600)
    assert after(town, NOTICE - 601) == 0
    after(town, 1)
    assert state(town) == "closed"


def test_accounts_whose_letters_wait_hold_up_no_others(
    town: Town, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job looks through all that is due, a page at a time."""
    monkeypatch.setattr(service, "_BATCH", 1)
    phone_instead_of_mail(town)
    give_address(town, town.maria)
    dormant(town)
    after(town, NOTICE)
    browser = town.browser()
    browser.sign_in(town.jun)
    browser.get("/account/close")
    browser.submit("/account/close", sure="1")
    after(town, NOTICE - 3 * DAY)
    assert len([one for one in town.rows(Message) if one.name == "closing_soon"]) == 1
