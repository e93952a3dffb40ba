"""The frozen account: nobody signs in, nothing is released, until its owner has recovered it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy import update

from idp.accounts.models import Resident
from idp.accounts.service import log_event
from idp.login.devices import forget_all
from idp.messaging.service import tell
from idp.recovery.ending import credentials_changed
from idp.recovery.helping import take_back

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.web.context import Context

log = logging.getLogger("denizen.recovery")


def freeze(session: Session, ctx: Context, resident_id: str, *, now: int) -> bool:
    """Freeze an account and sign it out everywhere; False when it was not active. Its owner is told on every channel.

    Recoveries under way stop, because a thief may have begun them, and so do those of others that were confirmed
    from here. What waits to change stops with the caller.
    """
    frozen = session.execute(
        update(Resident)
        .where(Resident.id == resident_id, Resident.state == "active")
        .values(state="frozen")
        .returning(Resident.id)
    ).first()
    credentials_changed(session, resident_id, keep_session=None, now=now)
    forget_all(session, resident_id)
    take_back(session, ctx, resident_id, now=now)
    if frozen is None:
        return False
    resident = session.get_one(Resident, resident_id)
    log_event(session, ctx.vault, resident, "account_frozen", now=now)
    link = f"{ctx.settings.server.issuer}/recover"
    tell(session, ctx.vault, resident, "account_frozen", {"link": link, "not_me_url": ""}, now=now)
    log.info("account frozen")
    return True
