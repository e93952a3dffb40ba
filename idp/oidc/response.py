"""The one place that answers a partner through the browser, in the response mode that it asked for.

Query and fragment are redirects. A form post is a page with a form (OAuth 2.0 Form Post Response Mode §2). JARM puts
the answer into one signed parameter, `response`, which travels in any of the three.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlencode

from flask import g, render_template
from flask_babel import gettext

from idp.oidc import session_state
from idp.oidc.answers import default_alg, signed_for
from idp.oidc.device.answers import tell_device
from idp.oidc.errors import Refusal
from idp.oidc.request import AuthorizationRequest
from idp.web.answers import NO_STORE, Answer, redirect_answer
from idp.web.languages import prefer
from idp.web.pages import error_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from idp.clients.registry import Client
    from idp.oidc.provider import Provider

#: Before which delimiter of the address the parameters stand.
_IN_ADDRESS = {"query": "?", "fragment": "#"}
#: How long a signed answer is good, in seconds; at most ten minutes (JARM §2.1).
JARM_FOR = 300
_HTML = "text/html; charset=utf-8"


class Answerable(Protocol):
    """A request whose client and redirect URI are proven: frozen, or still a draft when it is refused."""

    @property
    def redirect_uri(self) -> str | None:
        """Where the answer goes."""

    @property
    def response_mode(self) -> str:
        """How it goes there: `query`, `fragment` or `form_post`, with `.jwt` for JARM."""

    @property
    def state(self) -> str | None:
        """What goes back byte by byte."""

    @property
    def scope(self) -> tuple[str, ...]:
        """What it asks for."""

    @property
    def device(self) -> tuple[str, ...]:
        """The device that asks, if one does: it is told at its next poll."""

    @property
    def ui_locales(self) -> str | None:
        """The languages that the client would like."""


def respond(
    provider: Provider, client: Client, to: Answerable, parameters: Mapping[str, str], *, sid: str = ""
) -> Answer:
    """The answer to an authorization request, with `state` as it was sent and `iss` (RFC 9207 §2, JARM §2.1).

    `sid` names the session that answers, where one does: the client gets its `session_state`, the browser the cookie.
    What `needs_page` must be called within Flask's dispatch, and outside a transaction: encrypting may fetch keys.
    """
    if to.device:
        assert isinstance(to, AuthorizationRequest)
        return tell_device(provider, to, parameters)
    assert to.redirect_uri is not None
    carrier, _, is_signed = to.response_mode.partition(".")
    of_session, cookies = session_state.told(provider, client.client_id, to, sid)
    values = {
        **parameters,
        **of_session,
        **({} if to.state is None else {"state": to.state}),
        "iss": provider.issuer,
    }
    if is_signed:
        try:
            values = {"response": _signed(provider, client, values)}
        except Refusal as refusal:
            return _untold(refusal)
    if carrier == "form_post":
        answer = _form(client, to, values)
    else:
        answer = redirect_answer(_address(to.redirect_uri, carrier, values))
    return answer._replace(headers=[*answer.headers, *cookies]) if cookies else answer


def refuse(provider: Provider, client: Client, to: Answerable, refusal: Refusal) -> Answer:
    """An error (RFC 6749 §4.1.2.1, §4.2.2.1)."""
    return respond(provider, client, to, {"error": refusal.error, "error_description": refusal.public})


def needs_page(response_mode: str) -> bool:
    """Whether an answer in this mode is a page, or may end in one."""
    return response_mode not in _IN_ADDRESS


def _address(redirect_uri: str, carrier: str, values: Mapping[str, str]) -> str:
    delimiter = _IN_ADDRESS[carrier]
    if delimiter == "?" and "?" in redirect_uri:
        delimiter = "&"
    return f"{redirect_uri}{delimiter}{urlencode(values, quote_via=quote)}"


def _signed(provider: Provider, client: Client, values: Mapping[str, str]) -> str:
    claims = {**values, "aud": client.client_id, "exp": provider.context.now() + JARM_FOR}
    alg = client.details.authorization_signed_response_alg or default_alg(client)
    return signed_for(provider, client, claims, what="authorization", alg=alg)


def _form(client: Client, to: Answerable, values: Mapping[str, str]) -> Answer:
    """A form that a script of ours sends at once, and the resident where none runs."""
    prefer(to.ui_locales)
    g.form_targets, g.runs_script = client.form_targets, True
    html = render_template(
        "ui/form_post.html", client_name=client.name, action=to.redirect_uri, values=values, languages=[]
    )
    return Answer(200, [("Content-Type", _HTML), *NO_STORE], html.encode())


def _untold(refusal: Refusal) -> Answer:
    """The answer must be encrypted and cannot be: the resident is told, and nobody else."""
    page = error_page(
        400,
        gettext("You cannot go back to the service"),
        gettext("Our answer must be encrypted for the service, and its key could not be read."),
        gettext("Go back to the service and tell its helpdesk what is written below."),
        oauth_error=f"{refusal.error}: {refusal.public}",
    )
    return Answer(page.status_code, list(page.headers), page.get_data())
