"""The further ways to sign in of residents: enrolled through the services of the town, and told to the demo alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyotp

from idp.accounts import contacts
from idp.login.cards import service as cards
from idp.login.cards.rules import grouped
from idp.login.codes import service as codes
from idp.login.codes.rules import Channel
from idp.login.otp import service as apps
from idp.login.recovery_codes import service as recovery_codes

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from admin.sandbox.residents import Sample
    from idp.accounts.models import Resident
    from idp.login.passwords import Passwords
    from keys.envelope import Vault

_STEP = 30


def enrol(
    session: Session, vault: Vault, passwords: Passwords, resident: Resident, sample: Sample, *, now: int
) -> dict[str, Any]:
    """Give a resident what their sample says; what only they would know, by the names that `--json` has."""
    told: dict[str, Any] = {}
    if sample.phone:
        contacts.add_confirmed(session, vault, resident, "phone", sample.phone, now=now)
    if "app" in sample.factors:
        told["totp_secret"] = _add_app(session, vault, resident, now=now)
    if "lost-app" in sample.factors:
        _add_app(session, vault, resident, now=now)
    if "recovery-codes" in sample.factors:
        made = recovery_codes.make(session, vault, resident.id, now=now)
        told["recovery_codes"] = [grouped(code) for code in made]
    if "sms" in sample.factors:
        codes.choose(session, resident.id, Channel.SMS, "always", now=now)
        told["phone"] = sample.phone
    if "card" in sample.factors:
        told |= _add_card(session, vault, passwords, resident.id, now=now)
    return told


def _add_app(session: Session, vault: Vault, resident: Resident, *, now: int) -> str:
    """An app in use, as if its first code had been typed half a minute ago, so that the present one is still good."""
    assert resident.data_key is not None
    data_key = vault.open_data_key(resident.data_key)
    app_id = apps.begin(session, data_key, resident.id, "Phone", now=now)
    assert app_id is not None
    waiting = apps.pending(session, data_key, resident.id, app_id, now=now)
    assert waiting is not None
    is_confirmed = apps.confirm(session, waiting, pyotp.TOTP(waiting.secret).at(now - _STEP), now=now)
    assert is_confirmed
    return waiting.secret


def _add_card(
    session: Session, vault: Vault, passwords: Passwords, resident_id: str, *, now: int
) -> dict[str, Any]:
    made = cards.make(passwords)
    cards.issue(session, vault, resident_id, made, now=now)
    printed = made.printed
    return {
        "card_number": grouped(printed.number),
        "pin": printed.pin,
        "paper_codes": [grouped(code) for code in printed.codes],
    }
