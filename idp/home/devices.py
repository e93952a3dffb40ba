"""`/account/devices`: where a resident is signed in, what was used there, which devices are known; ending it all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, redirect, render_template, request
from flask_babel import gettext

from idp.accounts.models import Resident
from idp.home.words import how_signed_in, level_name, place_name
from idp.login import devices, sessions
from idp.login.changes import locked
from idp.login.current import drop_session, for_residents
from idp.login.levels import carried
from idp.oidc import families
from idp.oidc.farewell import farewell, frames_of
from idp.oidc.wiring import provider
from idp.web.context import context

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from idp.login.models import BrowserSession
    from idp.login.sessions import SignedIn

bp = Blueprint("devices", __name__)

PAGE = "/account/devices"


@bp.get(PAGE)
@for_residents
def show(session: SignedIn) -> str:
    """Every live session with the services used in it, and every device that is known."""
    ctx = context()
    now = ctx.now()
    with ctx.database.reading() as reading:
        live = sessions.list_live(reading, session.resident_id, settings=ctx.settings.sessions, now=now)
        used = families.used_in_sessions(reading, session.resident_id, [one.sid for one in live])
        resident = reading.get(Resident, session.resident_id)
        data_key = resident.data_key if resident else None
        known = devices.listed(reading, session.resident_id, now=now)
    return render_template(
        "ui/devices.html",
        sessions=[_told(one, used.get(one.sid, []), data_key, session) for one in live],
        devices=[{"id": one.id, "name": one.label, "seen_at": one.seen_at} for one in known],
        has_others=len(live) > 1,
        done=_done(request.args.get("done", "")),
    )


def _told(
    one: BrowserSession, used: list[families.Used], data_key: bytes | None, session: SignedIn
) -> dict[str, Any]:
    """One session as its resident reads it."""
    block = sessions.place_of(context().vault, data_key, one)
    name_of = provider().clients.name_of
    return {
        "id": one.sid,
        "device": one.device,
        "place": place_name(one, block),
        "how": how_signed_in(carried(one.acr, one.amr, one.proofs)),
        "level": level_name(one.acr),
        "started": one.created_at,
        "last_seen": one.seen_at,
        "current": one.sid == session.sid,
        "services": [{"name": name_of(use.client_id)[0], "at": use.last_at} for use in used],
    }


def _done(unverified_done: str) -> str:
    texts: dict[str, str] = {
        "ended": gettext("That device is signed out, and the services used there as well."),
        "others": gettext("Every other device is signed out. You are signed in here alone."),
        "forgotten": gettext("The device is forgotten. A sign-in there counts as new."),
    }
    return texts.get(unverified_done, "")


@bp.post(f"{PAGE}/<sid>/end")
@for_residents
def end_one(session: SignedIn, sid: str) -> Response:
    """Sign out one device, with every token that came of its session."""
    ctx = context()
    with ctx.database.transaction() as writing:
        locked(writing, session)
        if sessions.find_by_sid(writing, session.resident_id, sid) is None:
            abort(404)
        frames = frames_of(provider(), writing, session) if sid == session.sid else []
        _end(writing, session, sid)
    return _signed_out(frames) if sid == session.sid else redirect(f"{PAGE}?done=ended", 303)


@bp.post(f"{PAGE}/end-others")
@for_residents
def end_others(session: SignedIn) -> Response:
    """Sign out everywhere but here; nothing outlives it, whatever was agreed to."""
    ctx = context()
    now = ctx.now()
    with ctx.database.transaction() as writing:
        locked(writing, session)
        sessions.end_all(writing, session.resident_id, but=session.sid, now=now)
        families.end_all_families(writing, session.resident_id, but=session.sid, now=now)
    return redirect(f"{PAGE}?done=others", 303)


@bp.post(f"{PAGE}/end-all")
@for_residents
def end_all(session: SignedIn) -> Response:
    """Sign out everywhere, here as well."""
    ctx = context()
    now = ctx.now()
    with ctx.database.transaction() as writing:
        locked(writing, session)
        frames = frames_of(provider(), writing, session)
        sessions.end_all(writing, session.resident_id, now=now)
        families.end_all_families(writing, session.resident_id, now=now)
    return _signed_out(frames)


@bp.post(f"{PAGE}/known/<device_id>/forget")
@for_residents
def forget(session: SignedIn, device_id: str) -> Response:
    """Forget a known device: it has no guesses of its own any more, and a sign-in there is told."""
    with context().database.transaction() as writing:
        locked(writing, session)
        if not devices.forget(writing, session.resident_id, device_id):
            abort(404)
    return redirect(f"{PAGE}?done=forgotten", 303)


def _end(writing: Session, session: SignedIn, sid: str) -> None:
    now = context().now()
    sessions.end(writing, sid, now=now)
    families.end_families_of_session(writing, session.resident_id, sid, offline=True, now=now)


def _signed_out(frames: list[str]) -> Response:
    """Partners that were used in this browser are told in it, where they have a page for that."""
    response = farewell(frames, None) if frames else redirect("/logged-out", 303)
    drop_session(response)
    return response
