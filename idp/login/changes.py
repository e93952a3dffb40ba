"""What follows when a resident changes how they sign in: they are told, and whoever else had got in is out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import abort, request

from idp.login import sessions
from idp.login.ports import ports
from idp.login.rules import device_name
from idp.messaging.service import tell
from idp.web.context import context

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.accounts.models import Resident
    from idp.login.sessions import SignedIn
    from keys.envelope import DataKey


def locked(writing: Session, owner: SignedIn) -> tuple[Resident, DataKey]:
    """The resident, locked, so that two changes of their ways in come one after the other; and what opens their data.

    409 when the session was ended, or the account frozen or closed, in this very moment.
    """
    resident = sessions.hold(writing, owner)
    if resident is None or resident.state != "active" or resident.data_key is None:
        abort(409)
    return resident, context().vault.open_data_key(resident.data_key)


def follow(writing: Session, owner: SignedIn, resident: Resident, message: str, **values: Any) -> None:
    """End every other session and family of tokens, and tell the owner on all channels; part of the change itself."""
    ctx = context()
    now = ctx.now()
    ports().end_others(writing, resident.id, owner.sid, now)
    told_of(writing, resident, message, **values)


def told_of(writing: Session, resident: Resident, message: str, **values: Any) -> None:
    """Tell a resident on all channels, with when and with which device."""
    ctx = context()
    facts = {
        "at": ctx.now(),
        "device": device_name(request.user_agent.string),
        "link": f"{ctx.settings.server.issuer}/account/sign-in",
        **values,
    }
    tell(writing, ctx.vault, resident, message, facts, now=ctx.now())
