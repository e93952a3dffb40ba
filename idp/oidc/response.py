"""The one place that answers a partner through the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from idp.web.answers import Answer, redirect_answer

if TYPE_CHECKING:
    from idp.oidc.errors import Refusal


def authorization_url(redirect_uri: str, issuer: str, state: str | None, **parameters: str) -> str:
    """The redirect URI with an answer in its query, `iss` always among it (RFC 9207 §2); state byte by byte."""
    values = {**parameters, **({} if state is None else {"state": state}), "iss": issuer}
    separator = "&" if "?" in redirect_uri else "?"
    return f"{redirect_uri}{separator}{urlencode(values, quote_via=quote)}"


def error_url(redirect_uri: str, issuer: str, state: str | None, refusal: Refusal) -> str:
    """The redirect URI with an error (RFC 6749 §4.1.2.1)."""
    return authorization_url(
        redirect_uri, issuer, state, error=refusal.error, error_description=refusal.public
    )


def code_answer(redirect_uri: str, issuer: str, state: str | None, code: str) -> Answer:
    """A redirect that carries a code."""
    return redirect_answer(authorization_url(redirect_uri, issuer, state, code=code))
