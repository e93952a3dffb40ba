"""Who and what is in Riverton, on both engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyotp
import pytest

from admin.sandbox.partners import sample_clients
from admin.sandbox.ports import Ports
from admin.sandbox.residents import RESIDENTS
from admin.sandbox.seed import MadeUp, seed
from admin.staff.service import find_staff
from consent.purposes import notices_for, purposes_for_client
from idp.accounts.rules import normal_phone
from idp.accounts.service import find_resident, read_attributes
from idp.app import open_context
from idp.login.cards import service as cards
from idp.login.cards.rules import LIST_LENGTH
from idp.login.codes import service as codes
from idp.login.factors import WAYS
from idp.login.models import Password
from idp.login.passwords import Passwords
from idp.login.rules import password_problem
from idp.login.ways import Ways
from idp.oidc.rules import claim_values, claims_of
from idp.settings import Settings
from idp.upkeep import turn_keys
from keys.envelope import create_key_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from sqlalchemy.orm import Session

    from idp.web.context import Context

NOW = 1_800_000_000


@dataclass(frozen=True)
class Seeded:
    """A seeded town."""

    context: Context
    made_up: MadeUp

    def attributes(self, username: str) -> dict[str, Any]:
        """What is known about a resident."""
        with self.context.database.reading() as session:
            found = find_resident(session, self.context.vault, username)
            assert found is not None
            return read_attributes(session, self.context.vault, found)


@pytest.fixture
def town(database_url: str, tmp_path: Path) -> Iterator[Seeded]:
    """Riverton on a database of its own."""
    create_key_file(tmp_path / "denizen.key")
    settings = Settings(
        server={"issuer": "http://localhost:8400", "staff_url": "http://localhost:8401"},
        town={"name": "Riverton", "contact_email": "help@riverton.example"},
        database={"url": database_url},
        keys={"file": tmp_path / "denizen.key"},
    )
    context = open_context(settings)
    turn_keys(context, now=NOW)
    with context.database.transaction() as session:
        made_up = seed(session, context, Ports(), now=NOW)
    yield Seeded(context, made_up)
    context.database.close()


def test_residents_and_staff_sign_in_with_what_was_made_up(town: Seeded) -> None:
    """The passwords that the demo prints are the ones that work, and would be accepted from a resident."""
    context = town.context
    passwords = Passwords(context.settings.passwords, context.vault.subkey("password-pepper"))
    with context.database.reading() as session:
        for one in town.made_up.residents:
            resident = find_resident(session, context.vault, one["username"])
            assert resident is not None
            assert passwords.is_right(session.get_one(Password, resident.id).hash, one["password"])
            words = ["Riverton", one["username"]]
            assert password_problem(one["password"], minimum=15, context_words=words) is None
        for member in town.made_up.staff:
            account = find_staff(session, member["username"])
            assert account is not None
            assert account.role == member["role"]
            assert passwords.is_right(account.password_hash, member["password"])
            assert pyotp.TOTP(member["totp_secret"]).now().isdigit()
    everyone = [*town.made_up.residents, *town.made_up.staff]
    assert len({one["password"] for one in everyone}) == len(everyone)


def test_every_way_to_sign_in_can_be_tried(town: Seeded) -> None:
    """Issue 3, item 6: what each of them needs is told, and it is what the town would take."""
    told = {one["username"]: one for one in town.made_up.residents}
    (alone,) = town.made_up.card_only
    assert "password" not in alone
    context, ways = town.context, Ways((*WAYS.all, *codes.ways(has_sms=True)))
    with context.database.reading() as session:
        for one in (told["samuel.reyes"], alone):
            card = cards.find(session, context.vault, one["card_number"])
            assert card is not None
            assert len(one["paper_codes"]) == cards.codes_left(session, card.id) == LIST_LENGTH
        owed = {
            name: {method.value for method in ways.of(session, _id(session, context, name)).owed}
            for name in ("tomas.novak", "grace.mwangi", "omar.benali", "maria.okafor")
        }
    assert owed == {
        "tomas.novak": {"totp"},
        "grace.mwangi": {"totp"},
        "omar.benali": {"sms-code"},
        "maria.okafor": set(),
    }
    assert "totp_secret" in told["tomas.novak"]
    assert "totp_secret" not in told["grace.mwangi"]
    assert len(told["grace.mwangi"]["recovery_codes"]) == 10
    assert told["omar.benali"]["phone"].startswith("+")
    numbers = [one.phone for one in RESIDENTS if one.phone]
    assert len(set(numbers)) == len(numbers)
    assert all(normal_phone(one) == one for one in numbers), "whoever tries the demo can type them, too"
    assert not any("phone_number" in one.said for one in RESIDENTS), (
        "what is passed on stands under “How we reach you”"
    )


def _id(session: Session, context: Context, username: str) -> str:
    found = find_resident(session, context.vault, username)
    assert found is not None
    return found.id


def test_nobody_is_forgotten(town: Seeded) -> None:
    """design/experience.md, the sample town: the people whom towns forget live here."""
    assert town.made_up.residents[0]["name"] == "Maria Okafor"
    assert "family_name" not in town.attributes("kartika")
    assert any("\u0600" <= letter <= "\u06ff" for letter in town.attributes("layla.haddad")["given_name"])
    twins = [town.attributes(name) for name in ("ana.duarte", "ana.rita.duarte")]
    for fact in ("given_name", "family_name", "birthdate", "address"):
        assert twins[0][fact] == twins[1][fact]
    assert town.attributes("jean.lefevre")["resident"] is False
    child, parent = town.attributes("noah.kim"), town.attributes("jiwon.kim")
    assert child["address"] == parent["address"]
    assert claim_values(["age_over_16"], child, frozenset(), changed_at=0, now=NOW) == {"age_over_16": False}
    shelter = town.attributes("samuel.reyes")
    assert shelter["resident"] is True
    assert not {"address", "phone_number", "email"} & shelter.keys()
    hidden = town.attributes("elena.petrova")
    assert hidden["resident"] is True
    assert not {"address", "district"} & hidden.keys()


def test_purposes_cover_what_clients_ask_for(town: Seeded) -> None:
    """Name and e-mail can be given to everyone who may ask for them; what may be left out rests on consent."""
    with town.context.database.reading() as session:
        for client in sample_clients(Ports()):
            purposes = purposes_for_client(session, client.new.client_id)
            assert [one.key for one in purposes] == [one.key for one in client.purposes], "oldest first"
            given = {claim for one in purposes for claim in (*one.required_claims, *one.optional_claims)}
            assert given <= claims_of(client.new.scopes)
            assert "email" not in client.new.scopes or {"name", "email"} <= given
            assert all(one.basis == "consent" for one in purposes if one.optional_claims)


def test_notices_are_in_both_languages(town: Seeded) -> None:
    """English and French are complete."""
    with town.context.database.reading() as session:
        for client in sample_clients(Ports()):
            ids = [one.id for one in purposes_for_client(session, client.new.client_id)]
            for language in ("en", "fr"):
                notices = notices_for(session, ids, language, "none")
                assert [notices[one].language for one in ids] == [language] * len(ids)
