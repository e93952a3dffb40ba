"""`/logout` (OpenID Connect RP-Initiated Logout 1.0): a session ends when its resident says so.

Only a hint that is signed by us, not expired, and of this very session ends it without asking. Everything
else shows a page; the session lives until the page is confirmed (K20).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Blueprint, g, redirect, render_template
from flask_babel import gettext

from idp.login import sessions
from idp.login.current import drop_session, signed_in
from idp.oidc import families
from idp.oidc.hints import read_hint
from idp.oidc.wiring import provider as current_provider
from idp.web.csrf import is_forged
from idp.web.pages import error_page, incoming

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from idp.clients.registry import Client
    from idp.login.sessions import SignedIn
    from idp.oidc.hints import Hint
    from idp.web.incoming import Parameters

bp = Blueprint("logout", __name__)

_FIELDS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales")


@bp.route("/logout", methods=["GET", "POST"])
def logout() -> str | Response:
    """Ask, or end the session at once where the hint proves that the resident's own client asks."""
    found = incoming()
    values = found.form if found.method == "POST" else found.query
    if values.repeated:
        return _mistake("invalid_request: A parameter is given more than once")
    hint = read_hint(current_provider(), values.get("id_token_hint"))
    client = _client(values, hint)
    if values.get("client_id") and hint and values["client_id"] != hint.client_id:
        return _mistake("invalid_request: client_id differs from the one in id_token_hint")
    session = signed_in()
    confirmed = found.method == "POST" and values.get("confirm") == "yes"
    if confirmed and is_forged():
        return _confirm_page(values, client)
    if found.method == "POST" and session is None and not confirmed:
        # A partner's form comes without our Lax cookie; the GET that follows has it, and a page asks (K20).
        kept = {name: values[name] for name in _FIELDS if name in values}
        return redirect(f"/logout?{urlencode(kept)}", 303)
    proven = hint is not None and hint.is_fresh and session is not None and hint.sid == session.sid
    if session is not None and not (confirmed or proven):
        return _confirm_page(values, client)
    return _finished(session, values, client)


logout.is_protocol = True  # type: ignore[attr-defined] # partners may POST here; `confirm` carries our own token


def _client(values: Parameters, hint: Hint | None) -> Client | None:
    unverified_id = hint.client_id if hint else values.get("client_id", "")
    return current_provider().clients.find(unverified_id)


def _confirm_page(values: Parameters, client: Client | None) -> str:
    g.form_targets = client.form_targets if client else ""
    return render_template(
        "ui/logout.html",
        client_name=client.name if client else None,
        hidden=[("confirm", "yes"), *((name, values[name]) for name in _FIELDS if name in values)],
    )


def _finished(session: SignedIn | None, values: Parameters, client: Client | None) -> Response:
    """End the session with the tokens that live by it; go back only to a registered address."""
    ctx = current_provider().context
    if session is not None:
        now = ctx.now()
        with ctx.database.transaction() as writing:
            sessions.end(writing, session.id_hash, now=now)
            families.end_families_of_session(writing, session.resident_id, session.id_hash, now=now)
    target = values.get("post_logout_redirect_uri")
    is_known = client is not None and target is not None and target in client.post_logout_redirect_uris
    if is_known and target is not None:
        state = values.get("state")
        separator = "&" if "?" in target else "?"
        response = redirect(target + (separator + urlencode({"state": state}) if state else ""), 303)
    else:
        response = redirect("/logged-out", 303)
    if session is not None:
        drop_session(response)
    return response


@bp.get("/logged-out")
def logged_out() -> str:
    """Nobody is signed in here any more."""
    return render_template("ui/logged_out.html", client_name=None, return_url=None)


def _mistake(oauth_error: str) -> Response:
    return error_page(
        400,
        gettext("This could not be read"),
        gettext("The service that sent you here made a mistake in its request. You are still signed in."),
        gettext("You can sign out on your account page."),
        oauth_error=oauth_error,
    )
