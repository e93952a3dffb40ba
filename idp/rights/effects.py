"""What a decision does: data corrected, an account erased, partners told (GDPR Art. 19)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from consent import records, releases
from idp.accounts.service import read_attributes, set_attribute
from idp.closing import service as closing
from idp.oidc import holds
from idp.signals import events

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from idp.accounts.models import Resident
    from idp.rights.cases import Case
    from idp.web.context import Context

#: What a resident may have corrected here; addresses and numbers for messages have pages of their own.
CORRECTABLE: Final = (
    "given_name",
    "middle_name",
    "family_name",
    "nickname",
    "birthdate",
    "gender",
    "address",
    "district",
)
_NAMES = frozenset({"given_name", "middle_name", "family_name"})
_AGES = ("age_over_14", "age_over_16", "age_over_18", "age_over_65")


def tell_partner(  # noqa: PLR0917
    session: Session,
    ctx: Context,
    event: str,
    client_id: str,
    resident_id: str,
    details: Mapping[str, Any],
    *,
    now: int,
) -> None:
    """Tell one partner, by the outbox."""
    events.tell(
        session,
        event=event,
        client_id=client_id,
        resident_id=resident_id,
        details=details,
        confirm_within=ctx.settings.consent.confirm_within,
        now=now,
    )


def known_to(session: Session, resident_id: str) -> list[str]:
    """The clients that ever had to do with a resident: something was chosen there, or passed on."""
    chosen, received = (
        records.choices_by_client(session, resident_id),
        releases.last_by_client(session, resident_id),
    )
    return sorted({*chosen, *received})


def current_values(session: Session, ctx: Context, resident: Resident) -> dict[str, str]:
    """What stands on file of what may be corrected, as people read it."""
    known = read_attributes(session, ctx.vault, resident)
    return {name: as_text(known[name]) for name in CORRECTABLE if name in known}


def as_text(value: Any) -> str:
    """A value of an attribute as people read it."""
    return str(value.get("formatted", "")) if isinstance(value, dict) else str(value)


def rectify(session: Session, ctx: Context, resident: Resident, case: Case, *, now: int) -> None:
    """Put the corrected value in place and tell whoever received the former one (Art. 16, 19)."""
    value = case.wish["value"]
    assert resident.data_key is not None
    set_attribute(
        session,
        ctx.vault.open_data_key(resident.data_key),
        resident,
        case.about,
        {"formatted": value} if case.about == "address" else value,
        source="desk",
        verified_at=now,
        now=now,
    )
    concerned = {case.about, *(("name",) if case.about in _NAMES else ())}
    concerned |= set(_AGES if case.about == "birthdate" else ())
    for client_id in releases.last_by_client(session, resident.id):
        received = concerned & releases.last_by_claim(session, resident.id, client_id).keys()
        if received:
            details = {"reference": case.reference, "claims": sorted(received)}
            tell_partner(session, ctx, "data-rectified", client_id, resident.id, details, now=now)


def erase(session: Session, ctx: Context, resident: Resident, case: Case, *, now: int) -> None:
    """Tell every partner that had to do with the resident, then end the account for good (Art. 17, 19)."""
    for client_id in known_to(session, resident.id):
        details = {"reference": case.reference}
        tell_partner(session, ctx, "erasure-requested", client_id, resident.id, details, now=now)
    closing.close(session, ctx, resident, "erasure", now=now)


def let_go_on(session: Session, case: Case) -> None:
    """An objection is not upheld: the service may ask again."""
    holds.lift(session, case.resident_id, case.about, holds.OBJECTION)
