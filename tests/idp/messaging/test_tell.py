"""Telling a resident on every channel, in their language, with a way to say "this wasn't me"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from idp.accounts import contacts
from idp.accounts.models import Resident
from idp.messaging.models import Message
from idp.messaging.ports import Reach, Reached
from idp.messaging.service import open_message, tell
from tests.idp.messaging.outbox import MARIA, VALUES, deliver, reached, town_with
from tests.support.sms import SmsPort
from tests.support.smtp import html_of, text_of
from tests.support.town import START

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.smtp import Mailbox
    from tests.support.town import Town

WHERE = Reach(
    (Reached("maria@example.org", "first", START), Reached("m@work.example", "second", START)),
    (Reached("+33612345678", "third", START),),
    MARIA,
)


def link_of(reader: Reached | None) -> str:
    """The "This wasn't me" link of whoever reads there."""
    return "https://id.riverton.example/not-me/" + (reader.contact_id if reader else "post").ljust(43, "x")


@pytest.fixture
def gateway() -> Iterator[SmsPort]:
    with SmsPort() as running:
        yield running


@pytest.fixture
def town(
    database_url: str, founding: Founding, tmp_path: Path, smtp: Mailbox, gateway: SmsPort
) -> Iterator[Town]:
    """A town where Maria has two addresses, a number and a home."""
    mail = {"host": smtp.host, "port": smtp.port, "security": "none"}
    with town_with(database_url, tmp_path, founding=founding, mail=mail, sms=gateway.settings) as made:
        reached(
            made,
            reach=lambda *_: WHERE,
            not_me_links=lambda _1, _2, readers, _3: [link_of(one) for one in readers],
        )
        yield made


def told(town: Town, name: str = "passkey_added", **options: Any) -> list[tuple[str, Any]]:
    """Tell Maria; channel and recipient of each message."""
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        ids = tell(session, town.context.vault, resident, name, VALUES, now=START, **options)
    rows = {one.id: one for one in town.rows(Message)}
    return [(rows[one].channel, open_message(town.context.vault, rows[one]).to) for one in ids]


def test_a_notice_goes_to_every_mailbox_and_phone(town: Town, smtp: Mailbox, gateway: SmsPort) -> None:
    """identity.md: every change is told on all channels, each time with a "This wasn't me" link of one's own."""
    assert told(town) == [("mail", "maria@example.org"), ("mail", "m@work.example"), ("sms", "+33612345678")]
    assert deliver(town, "mail") == 2
    assert deliver(town, "sms") == 1
    links = {one.to: link_of(one) for one in (*WHERE.emails, *WHERE.phones)}
    for mail in smtp.wait_for(2):
        link = links.pop(mail["To"])
        assert link in text_of(mail).splitlines()
        assert f'href="{link}"' in html_of(mail)
    assert gateway.wait_for(1)[0].text.endswith(links["+33612345678"])
    assert all(one.resident_id == town.maria.resident_id for one in town.rows(Message))


def test_an_address_can_be_left_out(town: Town) -> None:
    """The one that was just removed, say."""
    assert told(town, except_=["maria@example.org", "+33612345678"]) == [("mail", "m@work.example")]


def test_a_message_without_a_text_message_sends_none(town: Town) -> None:
    """No phone rings for a welcome."""
    assert [channel for channel, _ in told(town, "welcome")] == ["mail", "mail"]


def test_a_letter_goes_besides_where_it_is_asked_for(town: Town) -> None:
    """And waits longer than a mail: the printer comes once a day."""
    assert [channel for channel, _ in told(town, kind="letter")] == ["mail", "mail", "sms", "letter"]
    by_channel = {one.channel: one for one in town.rows(Message)}
    assert by_channel["letter"].expires_at > by_channel["mail"].expires_at
    assert {one.kind for one in by_channel.values()} == {"notice"}


def test_a_code_carries_no_such_link_and_ends_soon(town: Town, smtp: Mailbox) -> None:
    """It is asked for by whoever sits there; a link in it would be one more thing to phish with."""
    told(town, kind="code")
    assert {one.expires_at for one in town.rows(Message)} == {START + 600}
    deliver(town, "mail")
    assert not any("/not-me/" in text_of(mail) for mail in smtp.wait_for(2))


def test_it_is_written_in_the_residents_language(town: Town, smtp: Mailbox) -> None:
    """Not in that of the page that caused it."""
    with town.context.database.transaction() as session:
        session.get_one(Resident, town.maria.resident_id).language = "fr"
    told(town)
    deliver(town, "mail")
    assert {mail["Content-Language"] for mail in smtp.wait_for(2)} == {"fr"}
    assert 'lang="fr" dir="ltr"' in html_of(smtp.messages[0])


def test_whoever_is_reached_nowhere_is_told_nothing(town: Town) -> None:
    """No phone, no e-mail, no fixed address: not an error."""
    reached(town)
    assert told(town, kind="letter") == []


@pytest.mark.parametrize("has_sms", [False, True])
def test_the_apps_own_ports_know_confirmed_contact_points(
    database_url: str, tmp_path: Path, gateway: SmsPort, *, has_sms: bool
) -> None:
    """What `idp.app` registers: mail, a link of their own, and a phone where the town sends text messages at all."""
    sections = {"sms": gateway.settings} if has_sms else {}
    with town_with(database_url, tmp_path, **sections) as town:
        with town.context.database.transaction() as session:
            resident = session.get_one(Resident, town.maria.resident_id)
            contacts.add_confirmed(session, town.context.vault, resident, "phone", "+33612345678", now=START)
        phones = [("sms", "+33612345678")] if has_sms else []
        assert told(town) == [("mail", "maria@example.org"), *phones]
        content = open_message(town.context.vault, town.rows(Message)[0])
        assert content.values["not_me_url"].startswith("https://id.riverton.example/not-me/")
