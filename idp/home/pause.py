"""`/privacy/pause`: one button that stops everything, and the way back.

Signed out everywhere, every grant and token dead, nothing passed on to anybody until the resident says otherwise after
a fresh sign-in. It is lighter than a frozen account, which nobody can sign in to: whoever pauses is in doubt, not robbed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, redirect, render_template
from sqlalchemy import select

from consent import acts
from idp.accounts.models import Resident
from idp.accounts.service import log_event
from idp.login.changes import locked
from idp.login.current import drop_session, for_fresh_residents, for_residents
from idp.messaging.service import tell
from idp.oidc import holds
from idp.oidc.models import Grant
from idp.recovery.ending import credentials_changed
from idp.signals import events
from idp.web.context import context

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from idp.login.sessions import SignedIn
    from idp.web.context import Context

bp = Blueprint("pause", __name__)

PAGE = "/privacy/pause"
DONE = "/paused"


@bp.get(PAGE)
@for_residents
def show(session: SignedIn) -> str:
    """What the button does; or since when everything stands still, and the button that lets services ask again."""
    with context().database.reading() as reading:
        since = paused_since(reading, session.resident_id)
    return render_template("ui/pause.html", since=since)


@bp.post(PAGE)
@for_residents
def stop(session: SignedIn) -> Response:
    """Stop everything."""
    ctx = context()
    with ctx.database.transaction() as writing:
        pause(writing, ctx, locked(writing, session)[0].id, now=ctx.now())
    response = redirect(DONE, 303)
    drop_session(response)
    return response


@bp.get(DONE)
def stopped() -> str:
    """What was done; nobody is signed in any more."""
    return render_template("ui/paused.html")


@bp.get(f"{PAGE}/end")
@for_fresh_residents
def ask_to_resume(session: SignedIn) -> str | Response:
    """The button that lets services ask again, for whoever has just signed in."""
    with context().database.reading() as reading:
        since = paused_since(reading, session.resident_id)
    return redirect(PAGE, 303) if since is None else render_template("ui/pause_end.html", since=since)


@bp.post(f"{PAGE}/end")
@for_fresh_residents
def resume(session: SignedIn) -> Response:
    """Let services ask again; what was agreed to before does not come back by itself."""
    ctx = context()
    with ctx.database.transaction() as writing:
        end_pause(writing, ctx, locked(writing, session)[0].id, now=ctx.now())
    return redirect("/privacy", 303)


def paused_since(connection: Any, resident_id: str) -> int | None:
    """Since when nothing is passed on to anybody; None when that is not so."""
    rows = holds.of_resident(connection, resident_id)
    return next((one.since_at for one in rows if one.cause == holds.PAUSE), None)


def pause(session: Session, ctx: Context, resident_id: str, *, now: int) -> bool:
    """Stop everything, in one transaction, and tell the resident and every partner; False when it was so already."""
    holds.in_turn(session, resident_id)  # whoever is agreed to in this very moment is told, too
    clients = list(
        session.execute(
            select(Grant.client_id).where(Grant.resident_id == resident_id, Grant.revoked_at.is_(None))
        ).scalars()
    )
    if not holds.place(session, resident_id, holds.EVERY, holds.PAUSE, now=now):
        return False
    for client_id in sorted(clients):
        events.tell(
            session,
            event="processing-restricted",
            client_id=client_id,
            resident_id=resident_id,
            details={"purposes": [], "claims": [], "partial": False},
            signs_out=True,  # who also hears of the end of the session by itself, hears it twice
            confirm_within=ctx.settings.consent.confirm_within,
            now=now,
        )
    credentials_changed(session, resident_id, keep_session=None, now=now)
    resident = session.get_one(Resident, resident_id)
    log_event(session, ctx.vault, resident, "releases_paused", actor=acts.SELF, now=now)
    facts = {"link": f"{ctx.settings.server.issuer}{PAGE}"}
    tell(session, ctx.vault, resident, "releases_paused", facts, now=now)
    return True


def end_pause(session: Session, ctx: Context, resident_id: str, *, now: int) -> bool:
    """Let services ask again; False when nothing was paused. Grants that ended stay dead."""
    if not holds.lift(session, resident_id, holds.EVERY, holds.PAUSE):
        return False
    resident = session.get_one(Resident, resident_id)
    log_event(session, ctx.vault, resident, "releases_resumed", actor=acts.SELF, now=now)
    facts = {"link": f"{ctx.settings.server.issuer}{PAGE}"}
    tell(session, ctx.vault, resident, "releases_resumed", facts, now=now)
    return True
