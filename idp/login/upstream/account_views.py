"""A resident connects their account with a provider, and takes a connection apart: `/account/connect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, redirect, render_template, request
from flask_babel import gettext

from idp.accounts.models import Resident
from idp.accounts.rules import display_name
from idp.accounts.service import read_attributes
from idp.login import attempts, changes, steps
from idp.login.current import for_fresh_residents
from idp.login.levels import Method
from idp.login.ports import ports
from idp.login.upstream import arrivals, identities, service
from idp.login.upstream.provider import ProviderSilent
from idp.login.upstream.service import Problem
from idp.login.upstream.states import Place
from idp.login.upstream.views import CONNECT, connecting_is_over, named, upstreams
from idp.web.context import context
from idp.web.csrf import browser_id
from idp.web.languages import current_language
from idp.web.pages import error_page

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from idp.login.sessions import SignedIn
    from idp.login.upstream.arrivals import Arrival

bp = Blueprint("connect", __name__)

SIGN_IN_PAGE = "/account/sign-in"


def connected(session: Session, resident_id: str) -> list[dict[str, Any]]:
    """Every provider of the town for the page of one's ways in: id, name, and the connection, if there is one.

    A connection is {id, linked_at, used_at}; `/account/connect/with/<id>` makes one, a POST of `connection` to
    `/account/connect/remove` takes it apart.
    """
    found = {one.provider: one for one in identities.of_resident(session, resident_id)}
    return [
        {
            "id": one.settings.id,
            "name": one.settings.name_in(current_language()),
            "connection": found.get(one.settings.id),
        }
        for one in upstreams().values()
    ]


@bp.get(f"{CONNECT}/with/<provider>")
@for_fresh_residents
def begin(session: SignedIn, provider: str) -> Response:
    """Send a resident to a provider, to connect who they are there."""
    upstream = named(provider)
    ctx = context()
    place = Place(browser_id(), provider)
    try:
        target = service.send(
            ctx,
            upstream,
            place,
            resident_id=session.resident_id,
            language=current_language(),
            now=ctx.now(),
        )
    except ProviderSilent as silent:
        service.log_silence(provider, silent)
        return redirect(f"{SIGN_IN_PAGE}?provider={provider}&problem={Problem.SILENT}#main", 303)
    return redirect(target, 303)


@bp.get(f"{CONNECT}/<handle>")
@for_fresh_residents
def show(session: SignedIn, handle: str) -> str | Response:
    """With which account a provider is about to be connected."""
    arrival = _find(handle)
    return connecting_is_over() if arrival is None else _page(arrival, session, [])


@bp.post(f"{CONNECT}/<handle>")
@for_fresh_residents
def connect(session: SignedIn, handle: str) -> str | Response | tuple[str, int]:
    """Connect, or not; then go on with what waits."""
    arrival = _find(handle)
    if arrival is None:
        return connecting_is_over()
    if "cancel" in request.form:
        return _go_on(arrival, session)
    ctx = context()
    now = ctx.now()
    try:
        with ctx.database.transaction() as writing:
            resident, _ = changes.locked(writing, session)
            if not service.link(writing, ctx, arrival, resident.id, browser=browser_id(), now=now):
                raise _NotConnected
            ports().end_others(writing, resident.id, session.sid, now)
    except _NotConnected:
        text = gettext(
            "This account is connected with another identity there already, or that identity with another account."
        )
        return _page(arrival, session, [("", text)]), 409
    return _go_on(arrival, session)


class _NotConnected(Exception):
    """Nothing is to stay of it: what the provider said still waits, and the way on to the partner with it."""


def _find(handle: str) -> Arrival | None:
    ctx = context()
    with ctx.database.reading() as reading:
        arrival = arrivals.find(reading, ctx.vault, handle, browser=browser_id(), now=ctx.now())
    return arrival if arrival is not None and arrival.provider in upstreams() else None


def _page(arrival: Arrival, session: SignedIn, errors: list[tuple[str, str]]) -> str:
    ctx = context()
    with ctx.database.reading() as reading:
        resident = reading.get(Resident, session.resident_id)
        known = read_attributes(reading, ctx.vault, resident) if resident else {}
        attempt = attempts.find(reading, arrival.attempt, browser=browser_id(), now=ctx.now())
    flow = ports().describe(attempt.flow_handle) if attempt and attempt.flow_handle else None
    g.form_targets = flow.form_targets if flow else ""
    return render_template(
        "ui/upstream_connect.html",
        provider=named(arrival.provider).settings.name_in(current_language()),
        name=display_name(known.get("given_name", ""), known.get("family_name")),
        action=f"{CONNECT}/{arrival.handle}",
        errors=errors,
    )


def _go_on(arrival: Arrival, session: SignedIn) -> Response:
    """On with the sign-in that waited: its resident has signed in meanwhile, by the account's own ways."""
    if not arrival.attempt:
        return redirect(f"{SIGN_IN_PAGE}#main", 303)
    ctx = context()
    now = ctx.now()
    with ctx.database.transaction() as writing:
        attempt = attempts.find(writing, arrival.attempt, browser=browser_id(), now=now)
        if attempt is not None:
            attempts.end(writing, attempt.id_hash, now=now)
            if attempt.flow_handle and session.authenticated_at >= arrival.created_at:
                ports().signed_in(writing, attempt.flow_handle, now)
    return steps.attempt_is_over(arrival.attempt)


@bp.post(f"{CONNECT}/remove")
@for_fresh_residents
def remove(session: SignedIn) -> Response:
    """Take a connection apart, and end every other session; not the last way in."""
    ctx = context()
    unverified_id = request.form.get("connection", "")
    with ctx.database.transaction() as writing:
        resident, _ = changes.locked(writing, session)
        left = ports().ways.of(writing, resident.id).left_without(Method.UPSTREAM)
        known = {one.id: one for one in identities.of_resident(writing, resident.id)}
        gone = known.pop(unverified_id, None)
        is_last = not left and not any(one.provider in upstreams() for one in known.values())
        provider = None
        if gone is not None and not is_last:
            provider = identities.remove(writing, gone.id, resident_id=resident.id)
        if provider is not None:
            name = service.provider_name(ctx.settings, provider, resident.language)
            changes.follow(writing, session, resident, "upstream_removed", provider=name)
    if is_last:
        return error_page(
            409,
            gettext("This is your only way to sign in"),
            gettext("Without it you could not sign in any more. Nothing was changed."),
            gettext("Add another way to sign in first."),
        )
    return redirect(f"{SIGN_IN_PAGE}#main", 303)
