"""Reminders wait for the morning; nobody's mailbox or phone is flooded with codes."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from idp.accounts import contacts
from idp.accounts.service import NewResident, create_resident
from idp.messaging.models import Allowance, Message
from idp.messaging.rules import leaves_at
from idp.upkeep import KEEP_ENDED_FOR, purge
from tests.idp.messaging.outbox import deliver, row, town_with, write_mail, write_sms
from tests.idp.recovery.steps import ask
from tests.support.sms import SmsPort

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.smtp import Mailbox
    from tests.support.town import Town

PARIS = "Europe/Paris"


def at(text: str, zone: str = PARIS) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


@pytest.mark.parametrize(
    ("now", "leaves"),
    [
        ("2027-01-10 20:59:59", "2027-01-10 20:59:59"),
        ("2027-01-10 21:00", "2027-01-11 08:00"),
        ("2027-01-11 03:00", "2027-01-11 08:00"),
        ("2027-01-11 07:59:59", "2027-01-11 08:00"),
        ("2027-01-11 08:00", "2027-01-11 08:00"),
        ("2027-03-27 23:00", "2027-03-28 08:00"),  # summer time begins in that night: an hour less
        ("2027-10-30 23:00", "2027-10-31 08:00"),  # and ends: an hour more
        ("2027-12-31 23:30", "2028-01-01 08:00"),
    ],
)
def test_reminders_leave_by_day(now: str, leaves: str) -> None:
    """By the town's clock, on the days when the clock changes, too."""
    assert leaves_at(at(now), quiet_from=21, quiet_until=8, time_zone=PARIS) == at(leaves)


def test_quiet_hours_may_lie_within_a_day_or_not_be_at_all() -> None:
    """13 to 15 is a siesta; the same hour twice is none."""
    noon = at("2027-01-10 13:30")
    assert leaves_at(noon, quiet_from=13, quiet_until=15, time_zone=PARIS) == at("2027-01-10 15:00")
    assert leaves_at(noon, quiet_from=9, quiet_until=9, time_zone=PARIS) == noon


def test_by_night_codes_and_notices_leave_and_reminders_wait(
    database_url: str, tmp_path: Path, smtp: Mailbox
) -> None:
    """What somebody waits for, or must know, comes at once."""
    mail = {"host": smtp.host, "port": smtp.port, "security": "none"}
    town_settings = {"name": "Riverton", "contact_email": "help@riverton.example", "time_zone": PARIS}
    with town_with(database_url, tmp_path, mail=mail, town=town_settings) as town:
        town.clock.at = at("2027-01-10 23:00")
        for kind in ("code", "notice", "reminder"):
            write_mail(town, f"{kind}@example.org", kind=kind, expires_at=int(town.clock()) + 86_400)
        assert deliver(town, "mail") == 2
        assert {mail["To"] for mail in smtp.wait_for(2)} == {"code@example.org", "notice@example.org"}
        (waiting,) = (one for one in town.rows(Message) if one.state == "waiting")
        assert (waiting.due_at, waiting.attempts) == (at("2027-01-11 08:00"), 0)
        town.clock.at = at("2027-01-11 08:00")
        assert deliver(town, "mail") == 1


@pytest.fixture
def town(database_url: str, founding: Founding, tmp_path: Path, smtp: Mailbox) -> object:
    mail = {"host": smtp.host, "port": smtp.port, "security": "none"}
    with (
        SmsPort() as gateway,
        town_with(database_url, tmp_path, founding=founding, mail=mail, sms=gateway.settings) as made,
    ):
        yield made


def code(town: Town, to: str = "noor@example.org") -> str:
    """Write a code and send what is due; what became of it."""
    how = write_sms if to.startswith("+") else write_mail
    message_id = how(town, to, kind="code")
    deliver(town, "sms" if to.startswith("+") else "mail")
    return str(row(town, message_id).state)


@pytest.mark.parametrize("to", ["noor@example.org", "+33612345678"])
def test_an_address_gets_three_codes_in_ten_minutes(town: Town, to: str) -> None:
    """The fourth is written like the others, so that who asks learns nothing, and is not sent."""
    assert [code(town, to) for _ in range(4)] == ["sent", "sent", "sent", "withheld"]
    (held,) = (one for one in town.rows(Message) if one.state == "withheld")
    assert (held.trouble, held.content) == ("limit", None)
    town.clock.advance(599)
    assert code(town, to) == "withheld"
    town.clock.advance(1)
    assert code(town, to) == "sent"


def test_an_address_gets_ten_codes_a_day(town: Town) -> None:
    """Slowly does not help."""
    said = []
    for _ in range(12):
        said.append(code(town))
        town.clock.advance(1200)
    assert said == ["sent"] * 10 + ["withheld"] * 2
    town.clock.advance(86_400)
    assert code(town) == "sent"


def test_limits_are_each_addresss_own(town: Town) -> None:
    """However it is spelt, an address has one budget; another one is not touched, nor are notices."""
    said = [code(town, spelling) for spelling in ("Noor@Example.org", "noor@example.org", "NOOR@EXAMPLE.ORG")]
    assert said == ["sent"] * 3
    assert code(town) == "withheld"
    assert code(town, "jun@example.org") == "sent"
    notice = write_mail(town)
    deliver(town, "mail")
    assert row(town, notice).state == "sent"


def test_people_who_share_an_address_do_not_share_its_limit(town: Town) -> None:
    """A family of five asks three times, and all links arrive; a fourth one is too many for each of them."""
    now = int(town.clock())
    with town.context.database.transaction() as session:
        for number in range(5):
            new = NewResident("en", {"given_name": f"Child {number}"}, username=f"child{number}")
            resident = create_resident(session, town.context.vault, new, now=now)
            contacts.add_confirmed(
                session, town.context.vault, resident, "email", "family@home.example", now=now
            )
    for _ in range(3):
        ask(town, "family@home.example")
    deliver(town, "mail")
    ask(town, "child3")
    deliver(town, "mail")
    assert Counter(one.state for one in town.rows(Message)) == {"sent": 15}


def test_a_code_that_is_tried_again_counts_once(town: Town, smtp: Mailbox) -> None:
    """A server that was down for a while costs nobody their codes."""
    mail = town.settings.mail
    down = mail.model_copy(update={"host": "127.0.0.1", "port": 1})
    object.__setattr__(town.context, "settings", town.settings.model_copy(update={"mail": down}))
    message_id = write_mail(town, kind="code")
    for _ in range(5):
        deliver(town, "mail")
        town.clock.advance(100)
    object.__setattr__(town.context, "settings", town.settings.model_copy(update={"mail": mail}))
    town.clock.advance(400)
    deliver(town, "mail")
    assert row(town, message_id).state == "sent"
    assert {one.used for one in town.rows(Allowance)} == {1}


def test_a_clock_set_back_opens_no_new_budget(town: Town) -> None:
    """Nor does it shut somebody out for ever."""
    assert [code(town) for _ in range(4)][-1] == "withheld"
    town.clock.advance(-300)
    assert code(town) == "withheld"
    town.clock.advance(-10 * 86_400)
    assert code(town) == "sent"


def test_allowances_name_nobody_and_are_cleared_away(town: Town) -> None:
    """The bucket is a digest of a keyed index."""
    code(town)
    assert {len(one.bucket_hash) for one in town.rows(Allowance)} == {32}
    town.clock.advance(KEEP_ENDED_FOR + 1)
    purge(town.context, now=int(town.clock()))
    assert town.rows(Allowance) == []
