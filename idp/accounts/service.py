"""Residents: making them, finding them, reading what is known of them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import and_, bindparam, func, or_, select

from consent import acts
from idp.accounts.models import Attribute, ContactPoint, Resident
from idp.accounts.rules import normal_email, normal_phone, normal_username

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from keys.envelope import DataKey, Vault


@dataclass(frozen=True, slots=True)
class NewResident:
    """What a new account begins with. `attributes` maps claim names to JSON values."""

    language: str
    attributes: Mapping[str, Any]
    email: str | None = None
    username: str | None = None
    source: str = "self"


def seal_context(resident_id: str, name: str) -> str:
    """What a sealed attribute is bound to, so that it opens nowhere else."""
    return f"attribute|{resident_id}|{name}"


def create_resident(session: Session, vault: Vault, new: NewResident, *, now: int) -> Resident:
    """Add a resident under a data key of their own. A given `email` counts as confirmed.

    Raises:
        sqlalchemy.exc.IntegrityError: when the address or user name is taken.
    """
    data_key, wrapped = vault.new_data_key()
    resident = Resident(
        id=secrets.token_urlsafe(16),
        state="active",
        data_key=wrapped,
        username_index=username_index(vault, new.username) if new.username else None,
        language=new.language,
        created_at=now,
        changed_at=now,
        signed_in_at=None,
    )
    session.add(resident)
    session.flush()
    for name, value in new.attributes.items():
        set_attribute(session, data_key, resident, name, value, source=new.source, verified_at=None, now=now)
    if new.email:
        _add_email(session, vault, data_key, resident, new.email, now=now)
    session.flush()
    return resident


def _add_email(
    session: Session, vault: Vault, data_key: DataKey, resident: Resident, email: str, *, now: int
) -> None:
    contact_id = secrets.token_urlsafe(16)
    session.add(
        ContactPoint(
            id=contact_id,
            resident_id=resident.id,
            kind="email",
            value=data_key.seal(email, f"contact|{contact_id}"),
            value_index=email_index(vault, email),
            signs_in=True,
            is_main=True,
            verified_at=now,
            created_at=now,
        )
    )
    set_attribute(session, data_key, resident, "email", email, source="mail", verified_at=now, now=now)


def set_attribute(
    session: Session,
    data_key: DataKey,
    resident: Resident,
    name: str,
    value: Any,
    *,
    source: str,
    verified_at: int | None,
    now: int,
) -> None:
    """Keep one fact, sealed; the former value is replaced."""
    sealed = data_key.seal(orjson.dumps(value).decode(), seal_context(resident.id, name))
    session.merge(
        Attribute(
            resident_id=resident.id,
            name=name,
            value=sealed,
            source=source,
            verified_at=verified_at,
            changed_at=now,
        )
    )
    resident.changed_at = now


def read_attributes(session: Session, vault: Vault, resident: Resident) -> dict[str, Any]:
    """Every fact about a resident, opened; empty once the data key is destroyed."""
    if resident.data_key is None:
        return {}
    data_key = vault.open_data_key(resident.data_key)
    rows = session.execute(select(Attribute).where(Attribute.resident_id == resident.id)).scalars()
    return {
        row.name: orjson.loads(data_key.open(row.value, seal_context(resident.id, row.name))) for row in rows
    }


def email_index(vault: Vault, email: str) -> bytes:
    """Blind index of an address in its normal form."""
    return vault.blind_index("email", normal_email(email) or email)


def phone_index(vault: Vault, phone: str) -> bytes:
    """Blind index of a phone number in E.164."""
    return vault.blind_index("phone", phone)


def username_index(vault: Vault, username: str) -> bytes:
    """Blind index of a user name in its normal form."""
    return vault.blind_index("username", normal_username(username) or username)


_SIGNS_IN_WITH = and_(
    or_(
        and_(ContactPoint.kind == "email", ContactPoint.value_index == bindparam("email")),
        and_(ContactPoint.kind == "phone", ContactPoint.value_index == bindparam("phone")),
    ),
    ContactPoint.signs_in,
)
#: The `id` of who signs in with a name, as a value inside a statement that is given what `asked_by_name` says.
NAMED: ColumnElement[str | None] = func.coalesce(
    select(ContactPoint.resident_id).where(_SIGNS_IN_WITH).correlate(None).scalar_subquery(),
    select(Resident.id)
    .where(Resident.username_index == bindparam("username"))
    .correlate(None)
    .scalar_subquery(),
)
_BY_NAME = select(Resident).where(Resident.id == NAMED)


def find_resident(
    session: Session, vault: Vault, unverified_name: str, *, country: str = ""
) -> Resident | None:
    """The resident who signs in with this address, phone number or user name.

    `country` is where phone numbers without + are dialled from.
    """
    asked = asked_by_name(vault, unverified_name, country=country)
    found: Resident | None = session.execute(_BY_NAME, asked).scalar_one_or_none()
    return found


def asked_by_name(vault: Vault, unverified_name: str, *, country: str = "") -> dict[str, Any]:
    """The values for `NAMED`; a name that cannot be one of a kind asks for the empty one."""
    return {
        "email": email_index(vault, normal_email(unverified_name) or ""),
        "phone": phone_index(vault, normal_phone(unverified_name, country) or ""),
        "username": username_index(vault, normal_username(unverified_name) or ""),
    }


def log_key(vault: Vault, resident: Resident) -> bytes | None:
    """The key that opens this resident's log entries; None once destroyed."""
    return vault.open_data_key(resident.data_key).log_key() if resident.data_key is not None else None


def log_event(
    session: Session,
    vault: Vault,
    resident: Resident,
    kind: str,
    *,
    now: int,
    actor: str = acts.TOWN,
    **more: Any,
) -> None:
    """Write to the log that the state of an account changed, under the resident's own key.

    `kind` is a word of the log, such as account_frozen; `actor` as in `consent.acts`; `more` is plain JSON without
    personal data.

    Raises:
        LookupError: when the data key is destroyed, so that nothing can be said any more.
    """
    key = log_key(vault, resident)
    if key is None:
        raise LookupError("the resident's data key is destroyed")
    acts.record(session, log_key=key, kind=kind, actor=actor, resident_id=resident.id, details=more, now=now)
