"""`/logout` (OpenID Connect RP-Initiated Logout 1.0): a session ends when its resident says so.

Only a hint that is signed by us, not expired, and of this very session ends it without asking. Everything
else shows a page; the session lives until the page is confirmed (K20). A request with a mistake ends nothing and leads
nowhere: the page says what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Blueprint, g, redirect, render_template
from flask_babel import gettext

from idp.login import sessions
from idp.login.current import drop_session, signed_in
from idp.oidc import families
from idp.oidc.errors import Refusal
from idp.oidc.farewell import WayBack, farewell, frames_of
from idp.oidc.hints import read_hint
from idp.oidc.subjects import sid_for
from idp.oidc.wiring import provider as current_provider
from idp.web.csrf import is_forged
from idp.web.languages import prefer
from idp.web.pages import error_page, incoming

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from idp.clients.registry import Client
    from idp.login.sessions import SignedIn
    from idp.oidc.hints import Hint
    from idp.web.incoming import Parameters

bp = Blueprint("logout", __name__)

# `logout_hint` says who is to be signed out; in a browser of ours there is only one.
_FIELDS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales")


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a client asks for, checked: by what it proves it, who it is, and where the resident goes afterwards."""

    hint: Hint | None = None
    client: Client | None = None
    back: WayBack | None = None


@bp.route("/logout", methods=["GET", "POST"])
def logout() -> str | Response:
    """Ask, or end the session at once where the hint proves that the resident's own client asks."""
    found = incoming()
    values = found.form if found.method == "POST" else found.query
    prefer(values.get("ui_locales"))
    session = signed_in()
    try:
        wish = _read(values)
    except Refusal as refusal:
        return _mistake(f"{refusal.error}: {refusal.public}", session)
    confirmed = found.method == "POST" and values.get("confirm") == "yes"
    if confirmed and is_forged():
        return _confirm_page(values, wish.client)
    if found.method == "POST" and session is None and not confirmed:
        # A partner's form comes without our Lax cookie; the GET that follows has it, and a page asks (K20).
        kept = {name: values[name] for name in _FIELDS if name in values}
        return redirect(f"/logout?{urlencode(kept)}", 303)
    if session is not None and not (confirmed or _is_proven(wish.hint, session)):
        return _confirm_page(values, wish.client)
    return _finished(session, wish)


logout.is_protocol = True  # type: ignore[attr-defined] # partners may POST here; `confirm` carries our own token


def _read(values: Parameters) -> _Wish:
    """The wish, if nothing in it is wrong (§2, §3).

    An address is a wish of the client that the hint or `client_id` names; without either, and with a hint that is none
    of ours, nobody is sent anywhere.

    Raises:
        Refusal: invalid_request, with the name of the parameter that is wrong.
    """
    if values.repeated:
        raise Refusal("invalid_request", "A parameter is given more than once")
    unverified_hint, unverified_id = values.get("id_token_hint"), values.get("client_id")
    provider = current_provider()
    hint = read_hint(provider, unverified_hint)
    if unverified_hint and hint is None:
        return _Wish()
    if unverified_id and hint and unverified_id != hint.client_id:
        raise Refusal("invalid_request", "client_id differs from the one in id_token_hint")
    client = provider.clients.find(hint.client_id if hint else unverified_id or "")
    target = values.get("post_logout_redirect_uri")
    if client is None or not target:
        return _Wish(hint, client)
    if target not in client.post_logout_redirect_uris:
        raise Refusal("invalid_request", "post_logout_redirect_uri is not registered for this client")
    state = values.get("state")
    separator = "&" if "?" in target else "?"
    url = target + (separator + urlencode({"state": state}) if state else "")
    return _Wish(hint, client, WayBack(url, client.name))


def _is_proven(hint: Hint | None, session: SignedIn) -> bool:
    if hint is None or not hint.is_fresh:
        return False
    vault = current_provider().context.vault
    return hint.sid == sid_for(vault, hint.client_id, session.sid)


def _confirm_page(values: Parameters, client: Client | None) -> str:
    g.form_targets = client.form_targets if client else ""
    return render_template(
        "ui/logout.html",
        client_name=client.name if client else None,
        hidden=[("confirm", "yes"), *((name, values[name]) for name in _FIELDS if name in values)],
    )


def _finished(session: SignedIn | None, wish: _Wish) -> Response:
    """End the session with the tokens that live by it; tell partners in frames, and go back where the client asked."""
    provider = current_provider()
    now, frames = provider.context.now(), []
    if session is not None:
        with provider.context.database.transaction() as writing:
            sessions.is_held(writing, session)
            frames = frames_of(provider, writing, session)
            sessions.end(writing, session.sid, now=now)
            families.end_families_of_session(writing, session.resident_id, session.sid, now=now)
    if frames:
        response = farewell(frames, wish.back)
    else:
        response = redirect(wish.back.url if wish.back else "/logged-out", 303)
    if session is not None:
        drop_session(response)
    return response


@bp.get("/logged-out")
def logged_out() -> str:
    """Nobody is signed in here any more."""
    return render_template("ui/logged_out.html", client_name=None, return_url=None)


def _mistake(oauth_error: str, session: SignedIn | None) -> Response:
    """Nobody is sent anywhere, and nothing has ended."""
    message = gettext("The service that sent you here made a mistake in its request.")
    if session is None:
        return error_page(
            400,
            gettext("This could not be read"),
            message,
            gettext("You are not signed in here."),
            oauth_error=oauth_error,
        )
    return error_page(
        400,
        gettext("This could not be read"),
        gettext("The service that sent you here made a mistake in its request. You are still signed in."),
        gettext("You can sign out on your account page."),
        oauth_error=oauth_error,
    )
