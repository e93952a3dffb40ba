"""Telling a resident that somebody signed in as them where nobody of that name did before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.accounts.models import Resident
from idp.login.limits import block_of
from idp.messaging.service import tell

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.login.sessions import Place
    from idp.web.context import Context


def tell_of_new_device(
    session: Session, ctx: Context, resident_id: str, *, device: str, place: Place, now: int
) -> None:
    """Tell a resident on every channel, in the transaction that begins the session; not at their sign-up itself.

    A shared computer is never known, so every sign-in there is told.
    """
    resident = session.get(Resident, resident_id)
    if resident is None or resident.created_at == now:
        return
    facts = {
        "at": now,
        "device": device,
        "network": block_of(place.address),
        "is_shared": place.is_shared,
        "link": f"{ctx.settings.server.issuer}/account/devices",
    }
    tell(session, ctx.vault, resident, "new_device", facts, now=now)
