"""The pages of a device without a keyboard: its code is entered, confirmed, and what became of it is told (RFC 8628 §3.3).

Between them is what every authorization request has: sign-in, step-up, release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, g, redirect, render_template, request
from flask_babel import gettext

from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.accounts.rules import display_name
from idp.login.budgets import Guess, refund, spend
from idp.login.current import signed_in
from idp.login.rules import network_of
from idp.oidc import interactions
from idp.oidc.device import rules, service
from idp.oidc.device.answers import DONE
from idp.oidc.device.service import State
from idp.oidc.views.interaction import Ready, cancel, signed_in_for
from idp.oidc.wiring import provider as current_provider
from idp.web.csrf import browser_id
from idp.web.pages import error_page, incoming

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from idp.login.sessions import SignedIn
    from idp.oidc.device.service import Asked

    Errors = list[tuple[str, str]]

bp = Blueprint("device", __name__)

PAGE = "/device"
FIELD = "user_code"


@bp.get(PAGE)
def show() -> str:
    """Ask for the code; the address of `verification_uri_complete` fills it in, and nothing more."""
    code = rules.typed(request.args.get(FIELD, ""))
    return _page(rules.shown(code) if code else "", [])


@bp.post(PAGE)
def submit() -> Response | str | tuple[str, int]:
    """Find the request of a code, once the guess is counted; it waits for this browser from now on."""
    unverified_text = request.form.get(FIELD, "")
    code = rules.typed(unverified_text)
    if code is None:
        return _page(unverified_text[:40], [(FIELD, _not_a_code(unverified_text))]), 422
    ctx = current_provider().context
    now, session = ctx.now(), signed_in()
    guess = _guess(session)
    if not spend(ctx, guess, now=now):
        return _page(rules.shown(code), [(FIELD, _too_many(session))], can_sign_in=session is None), 429
    asked = service.find_typed(ctx.database.fast, ctx.vault, code, now=now)
    if asked is None or asked.state is State.EXPIRED:
        return _page(rules.shown(code), [(FIELD, _unknown())]), 422
    refund(ctx, guess, now=now)
    if asked.state is not State.OPEN or _is_anothers(asked, session):
        return _taken()
    return redirect(f"/authorize/continue?flow={_begin(asked, now=now)}", 303)


def _begin(asked: Asked, *, now: int) -> str:
    """From here on it is an authorization request like any other."""
    ctx = current_provider().context
    with ctx.database.transaction() as writing:
        return interactions.begin(
            writing, ctx.vault, service.for_pages(asked), browser=browser_id(), login_hint="", now=now
        )


def _guess(session: SignedIn | None) -> Guess:
    """Whoever is signed in has guesses of their own, so that no stranger can use up everybody's."""
    own = f"resident {session.resident_id}" if session else None
    return Guess("device-code", None, "", network_of(incoming().remote_address), own)


def _is_anothers(asked: Asked, session: SignedIn | None) -> bool:
    """Whether somebody said that it is their device, who is not known to be in front of us."""
    if asked.resident_id is None:
        return False
    return session is None or session.resident_id != asked.resident_id


@bp.get(f"{PAGE}/confirm")
def ask() -> str | Response:
    """Which service, which code, whose account; and a warning of codes that somebody else sent (RFC 8628 §5.4)."""
    handle = request.args.get("flow", "")
    found = _waiting(handle)
    if not isinstance(found, Ready):
        return found
    provider, (request_id, _) = current_provider(), found.waiting.request.device
    g.form_targets = found.client.form_targets
    return render_template(
        "ui/device_confirm.html",
        client_name=found.client.name,
        partner_name=found.client.partner_name,
        resident_name=_name_of(found.session),
        code=rules.shown(service.user_code_of(provider.context.vault, request_id)),
        flow=handle,
    )


@bp.post(f"{PAGE}/confirm")
def answer() -> Response:
    """On, and from then on the code is this resident's; or back, and the device is told."""
    handle = request.form.get("flow", "")
    if request.form.get("decision") == "cancel":
        return cancel(handle)
    found = _waiting(handle)
    if not isinstance(found, Ready):
        return found
    if request.form.get("decision") != "go":
        return redirect(f"{PAGE}/confirm?flow={handle}#main", 303)
    ctx, resident_id = current_provider().context, found.session.resident_id
    with ctx.database.transaction() as writing:
        is_theirs = service.claim(writing, found.waiting.request, resident_id, now=ctx.now())
    return redirect(f"/authorize/continue?flow={handle}#main", 303) if is_theirs else _taken()


def _waiting(handle: str) -> Ready | Response:
    """What the question is about; or where to go, when a sign-in is owed, or there is nothing to ask any more."""
    found = signed_in_for(handle)
    if not isinstance(found, Ready):
        return found
    if not found.waiting.request.device:
        return redirect(f"/authorize/continue?flow={handle}", 303)
    ctx, request_id = current_provider().context, found.waiting.request.device[0]
    asked = service.find(ctx.database.fast, request_id, now=ctx.now())
    if asked is None or asked.state is State.EXPIRED:
        return _too_late()
    if asked.state is not State.OPEN or _is_anothers(asked, found.session):
        return _taken()
    return found


@bp.get(DONE)
def done() -> str | Response:
    """What became of it, as the rows say."""
    provider = current_provider()
    ctx = provider.context
    asked = service.find(ctx.database.fast, request.args.get("request", ""), now=ctx.now())
    client = provider.clients.find(asked.request.client_id) if asked else None
    if asked is None or client is None or asked.state is State.EXPIRED:
        return _too_late()
    is_here = asked.run in (None, request.args.get("run"))
    return render_template(
        "ui/device_done.html",
        client_name=client.name,
        is_allowed=asked.state in (State.ALLOWED, State.OVER) and is_here,
        is_elsewhere=not is_here,
        is_signed_in=signed_in() is not None,
        kept_query={name: request.args[name] for name in ("request", "run") if name in request.args},
    )


def _page(typed: str, errors: Errors, *, can_sign_in: bool = False) -> str:
    return render_template("ui/device.html", typed=typed, errors=errors, can_sign_in=can_sign_in)


def _name_of(session: SignedIn) -> str:
    ctx = current_provider().context
    with ctx.database.reading() as reading:
        resident = reading.get(Resident, session.resident_id)
        known = accounts.read_attributes(reading, ctx.vault, resident) if resident else {}
    return display_name(known.get("given_name", ""), known.get("family_name"))


def _not_a_code(text: str) -> str:
    if not text.strip():
        return str(gettext("Enter the code that the device shows"))
    return str(gettext("A code has eight letters, such as WDJB-MJHT, and no digits"))


def _unknown() -> str:
    return str(gettext("This code is not right, or it is too old. Look at the device again"))


def _too_many(session: SignedIn | None) -> str:
    if session is None:
        return str(gettext("There were too many wrong codes. Sign in first, or try again in 15 minutes"))
    return str(gettext("There were too many wrong codes. Try again in 15 minutes"))


def _taken() -> Response:
    return error_page(
        409,
        gettext("This code is used already"),
        gettext("It was entered before, perhaps in another browser or by another person."),
        gettext("If that was you, go on there. If not, ask the device for a new code and enter that one."),
    )


def _too_late() -> Response:
    return error_page(
        410,
        gettext("This code is no longer good"),
        gettext("A code is good for some minutes only, so nothing was passed on."),
        gettext("Ask the device for a new code and enter that one."),
    )
