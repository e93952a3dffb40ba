"""Where a resident is reached: confirmed addresses and numbers, and the postal address on file. For messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from idp.accounts import contacts
from idp.accounts.models import Attribute, Resident
from idp.accounts.not_me import not_me_links
from idp.accounts.rules import display_name
from idp.accounts.service import read_attributes
from idp.messaging.ports import Ports, PostalAddress, Reach, Reached

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from idp.settings import Settings
    from keys.envelope import Vault

#: Set by the register or the desk: this address is never printed and never leaves.
PROTECTED = "address_protected"


def ports(settings: Settings, vault: Vault) -> Ports:
    """What messaging is told about the residents of this town."""

    def reach(session: Session, resident: Any) -> Reach:
        known = contacts.of_resident(session, vault, resident)
        emails, phones = (
            tuple(reached(one) for one in known if one.kind == kind) for kind in ("email", "phone")
        )
        if not settings.sms.enabled:
            phones = ()  # nobody is reached by what the town cannot send
        return Reach(emails, phones, postal_address(session, vault, resident))

    def links(session: Session, resident: Any, readers: Sequence[Reached | None], now: int) -> list[str]:
        return not_me_links(session, settings, resident.id, readers, now=now)

    def may_print(session: Session, resident_id: str) -> bool:
        resident = session.get(Resident, resident_id)
        return resident is not None and not read_attributes(session, vault, resident).get(PROTECTED)

    return Ports(reach, links, may_print)


def reached(contact: contacts.Contact) -> Reached:
    """A contact point as messaging knows it."""
    return Reached(contact.value, contact.id, contact.verified_at)


def greeting(session: Session, vault: Vault, resident: Resident) -> str:
    """How a message calls a resident."""
    known = read_attributes(session, vault, resident)
    return display_name(known.get("given_name", ""), known.get("family_name"))


def postal_address(session: Session, vault: Vault, resident: Resident) -> PostalAddress | None:
    """The address on file, if it is verified and may be printed; what a resident merely said does not count."""
    verified = select(Attribute.verified_at).where(
        Attribute.resident_id == resident.id, Attribute.name == "address"
    )
    if session.execute(verified).scalar_one_or_none() is None:
        return None
    known = read_attributes(session, vault, resident)
    address = known.get("address")
    if known.get(PROTECTED) or not isinstance(address, dict):
        return None
    lines = tuple(line for line in _lines(address) if line.strip())
    name = display_name(known.get("given_name", ""), known.get("family_name"))
    return PostalAddress(name, lines) if lines else None


def _lines(address: dict[str, Any]) -> list[str]:
    """The lines below the name (OIDC Core §5.1.1): as the register formats them, or put together from parts."""
    if address.get("formatted"):
        return str(address["formatted"]).splitlines()
    town = " ".join(str(address.get(part, "")) for part in ("postal_code", "locality")).strip()
    return [*str(address.get("street_address", "")).splitlines(), town, str(address.get("country", ""))]
