"""Fills an empty town with Riverton, through the same services as any town."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from admin.sandbox.factors import enrol
from admin.sandbox.partners import (
    LIBRARY_ACCOUNT,
    LIBRARY_KEEPS_LONGER,
    LIBRARY_LATER,
    SampleClient,
    SamplePurpose,
    sample_clients,
)
from admin.sandbox.passphrases import new_passphrase
from admin.sandbox.residents import RESIDENTS, Sample
from admin.staff.service import add_staff
from consent import drafts
from consent.facts import NOTHING_SAID
from consent.purposes import declare_purpose, publish_notice
from idp.accounts.rules import display_name
from idp.accounts.service import NewResident, create_resident, set_attribute
from idp.clients.service import add_partner, register_client
from idp.jobs.stamps import PURPOSES, bump
from idp.login.passwords import Passwords, set_password

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from admin.sandbox.ports import Ports
    from idp.web.context import Context
    from keys.envelope import Vault

STAFF_ROLES: Final = ("officer", "clerk", "operator")


@dataclass(frozen=True, slots=True)
class MadeUp:
    """Accounts and clients with the passwords and secrets that were made up: they are nowhere else to be had.

    `residents` sign in with a user name, `card_only` with nothing but a card.
    """

    residents: tuple[dict[str, Any], ...]
    card_only: tuple[dict[str, Any], ...]
    staff: tuple[dict[str, str], ...]
    clients: tuple[dict[str, Any], ...]


def seed(session: Session, context: Context, ports: Ports, *, now: int) -> MadeUp:
    """Add residents, staff, partners and clients."""
    vault = context.vault
    passwords = Passwords(context.settings.passwords, vault.subkey("password-pepper"))
    everybody = [_add_resident(session, vault, passwords, one, now=now) for one in RESIDENTS]
    return MadeUp(
        residents=tuple(one for one in everybody if "username" in one),
        card_only=tuple(one for one in everybody if "username" not in one),
        staff=tuple(_add_staff(session, vault, passwords, role, now=now) for role in STAFF_ROLES),
        clients=tuple(_add_client(session, vault, one, now=now) for one in sample_clients(ports)),
    )


def _add_resident(
    session: Session, vault: Vault, passwords: Passwords, sample: Sample, *, now: int
) -> dict[str, Any]:
    new = NewResident(sample.language, sample.said, sample.email, sample.username)
    resident = create_resident(session, vault, new, now=now)
    assert resident.data_key is not None
    data_key = vault.open_data_key(resident.data_key)
    year = datetime.fromtimestamp(now, UTC).year
    for name, value in {"birthdate": sample.birthdate(year), **sample.on_register}.items():
        set_attribute(session, data_key, resident, name, value, source="register", verified_at=now, now=now)
    told = (
        {}
        if sample.username is None
        else _with_password(session, passwords, resident.id, sample.username, now)
    )
    return {
        **told,
        "name": display_name(sample.said["given_name"], sample.said.get("family_name")),
        "story": sample.story,
        **enrol(session, vault, passwords, resident, sample, now=now),
    }


def _with_password(
    session: Session, passwords: Passwords, resident_id: str, username: str, now: int
) -> dict[str, str]:
    password = new_passphrase()
    set_password(session, passwords, resident_id, password, now=now)
    return {"username": username, "password": password}


def _add_staff(
    session: Session, vault: Vault, passwords: Passwords, role: str, *, now: int
) -> dict[str, str]:
    password = new_passphrase()
    secret = add_staff(session, vault, passwords, username=role, role=role, password=password, now=now)
    return {"role": role, "username": role, "password": password, "totp_secret": secret}


def _add_client(session: Session, vault: Vault, sample: SampleClient, *, now: int) -> dict[str, Any]:
    new = sample.new
    partner_id = add_partner(session, sample.partner, now=now)
    secret = register_client(session, partner_id, new, now=now, allow_loopback=True)
    for later, purpose in enumerate(reversed(sample.purposes)):
        # Residents read the oldest first, so each is a second older than the next.
        _add_purpose(session, vault.subkey("log"), new.client_id, purpose, now=now - later)
    return {
        "name": new.name,
        "partner": sample.partner,
        "client_id": new.client_id,
        "client_secret": secret,
        "token_endpoint_auth_method": new.token_endpoint_auth_method,
        "redirect_uris": list(new.redirect_uris),
        "post_logout_redirect_uris": list(new.post_logout_redirect_uris),
        "grant_types": list(new.grant_types),
        "scopes": list(new.scopes),
        "protects_scopes": list(new.protects_scopes),
        "application_type": new.application_type,
    }


def _add_purpose(
    session: Session, log_key: bytes, client_id: str, purpose: SamplePurpose, *, now: int
) -> None:
    purpose_id = declare_purpose(
        session,
        log_key=log_key,
        client_id=client_id,
        key=purpose.key,
        basis=purpose.basis,
        required_claims=purpose.required,
        optional_claims=purpose.optional,
        retention_for=purpose.retention_for,
        purpose_type=purpose.purpose_type,
        valid_for=purpose.valid_for,
        now=now,
    )
    publish_notice(
        session,
        log_key=log_key,
        purpose_id=purpose_id,
        texts=purpose.texts,
        material=True,
        processing=purpose.processing,
        asked=purpose.asked,
        now=now,
    )
    if purpose.key == LIBRARY_ACCOUNT.key:
        _draft(session, purpose_id, purpose, now=now)
    bump(session, PURPOSES)


def _draft(session: Session, purpose_id: str, purpose: SamplePurpose, *, now: int) -> None:
    """The library would like to keep accounts for a year longer: a draft that waits for the privacy officer."""
    longer = replace(purpose.asked, retention_for=(purpose.retention_for or 0) + LIBRARY_KEEPS_LONGER)
    texts = {
        language: replace(words, retention_text=LIBRARY_LATER[language])
        for language, words in purpose.texts.items()
    }
    contents = drafts.Contents(texts, longer, purpose.processing or NOTHING_SAID)
    drafts.begin(session, purpose_id, contents, state="review", now=now)
