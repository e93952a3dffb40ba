"""Request objects: authorization requests that their client signed (RFC 9101, OIDC Core §6, FAPI 2.0 Message Signing §5.3).

By value, or by an address that the client registered. What one says is all that counts; nothing is merged into it. They
are always signed: `none` is no algorithm here.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import orjson

from idp.jose import texts as jose
from idp.jose.texts import NotReadable
from idp.oidc.errors import Refusal
from idp.oidc.service import CLOCK_LEEWAY
from idp.web.fetcher import FetchFailed
from idp.web.incoming import FIELD_LIMIT, Parameters
from idp.web.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from idp.clients.registry import Client
    from idp.oidc.provider import Provider

log = logging.getLogger("denizen.oidc")

#: What a request object may call itself: a JWT of another kind is none (RFC 9101 §10.8, RFC 8725 §3.11).
_TYPES = frozenset({"", "jwt", "oauth-authz-req+jwt"})
#: Claims of the JWT itself; all others are parameters.
_OF_THE_JWT = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})
_NEVER_INSIDE = ("request", "request_uri")
#: Whoever asks in the name of one client takes one place: anybody's browser can ask.
_turns = Turns()
_OK = 200


def read_object(provider: Provider, client: Client, unverified_text: str) -> Parameters:
    """The parameters of a request object that this client signed for us.

    Never call it inside a transaction: it may fetch the client's key set.

    Raises:
        Refusal: invalid_request_object, for whatever is wrong.
    """
    now = provider.context.now()
    try:
        unverified = jose.read(unverified_text)
        if unverified.typ not in _TYPES:
            raise NotReadable("It is a token of another kind")
        algorithms = _algorithms(client)
        # Nothing is fetched for a text that is refused in any case.
        is_fit = unverified.alg in algorithms
        keys = provider.client_keys.of(client, kid=unverified.kid, now=now) if is_fit else ()
        signed = jose.verify(unverified, keys, algorithms=algorithms)
        # A parameter without a value counts as left out (RFC 6749 §3.1), and JSON says null of one.
        claims = {name: value for name, value in signed.items() if value is not None}
        check_claims(
            claims,
            client_id=client.client_id,
            issuer=provider.issuer,
            object_for=client.profile.object_for,
            now=now,
        )
        return parameters_of({"client_id": client.client_id, **claims})
    except NotReadable as error:
        raise Refusal("invalid_request_object", f"The request object is refused. {error}") from None


def _algorithms(client: Client) -> Collection[str]:
    """The one that it registered, otherwise those of its profile (OIDC Registration §2)."""
    own = client.details.request_object_signing_alg
    return (own,) if own else client.profile.signing_algs


def check_claims(
    claims: Mapping[str, Any], *, client_id: str, issuer: str, object_for: int, now: int
) -> None:
    """What a verified request object says of itself (RFC 9101 §4, §5, §10.8).

    `object_for` is the longest time from nbf to exp in seconds; with it `aud`, `client_id`, nbf and exp must be there
    and nbf no older than that (FAPI 2.0 Message Signing §5.3.1). With 0 they hold where they are given.

    Raises:
        NotReadable: when something does not hold.
    """
    if any(name in claims for name in _NEVER_INSIDE):
        raise NotReadable("request and request_uri cannot stand in it")
    if claims.get("sub") == client_id:
        raise NotReadable("sub is the client_id, as in a client assertion")
    if claims.get("iss", client_id) != client_id:
        raise NotReadable("iss is not the client_id")
    if claims.get("client_id", None if object_for else client_id) != client_id:
        raise NotReadable("client_id is not that of the client")
    audience = claims.get("aud", None if object_for else issuer)
    if issuer not in (audience if isinstance(audience, list) else [audience]):
        raise NotReadable("aud is not this server")
    _check_times(dict(claims), object_for=object_for, now=now)


def _check_times(claims: dict[str, Any], *, object_for: int, now: int) -> None:
    expires_at, begins_at = jose.instant(claims, "exp"), jose.instant(claims, "nbf")
    if expires_at is not None and expires_at <= now:
        raise NotReadable("It has expired")
    for name in ("iat", "nbf"):
        if (jose.instant(claims, name) or 0) > now + CLOCK_LEEWAY:
            raise NotReadable(f"{name} is in the future")
    if not object_for:
        return
    if expires_at is None or begins_at is None:
        raise NotReadable("exp or nbf is missing")
    if expires_at - begins_at > object_for:  # so one that has not expired began no longer ago, either
        raise NotReadable(f"It is good for more than {object_for} seconds")


def parameters_of(claims: Mapping[str, Any]) -> Parameters:
    """The claims as request parameters: texts as they are, everything else as JSON (RFC 9101 §4, OIDC Core §6.1).

    So a value of a wrong type stays one, for the check of that parameter to refuse. Empty ones are left out.

    Raises:
        NotReadable: for too many of them, or characters that no parameter has.
    """
    if len(claims) > FIELD_LIMIT:
        raise NotReadable("It has too many claims")
    found = Parameters()
    for name, value in claims.items():
        text = _as_text(name, value)
        if name not in _OF_THE_JWT and text:
            found[name] = text
    return found


def _as_text(name: str, value: Any) -> str:
    if name == "resource" and isinstance(value, list) and len(value) == 1:
        (value,) = value  # RFC 8707 §2 lets one stand alone or in a list
    try:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        (name + text).encode()  # JSON may have halves of characters
    except (ValueError, TypeError):
        raise NotReadable("It has a value that cannot be read") from None
    if "\0" in name + text:
        raise NotReadable("It has a character that it cannot have")
    return text


def fetch_object(provider: Provider, client: Client, unverified_uri: str) -> str:
    """The text at an address that the client registered for request objects (RFC 9101 §5.2, OIDC Core §6.2).

    The fragment tells versions of a text from each other for whoever keeps them; here each is fetched anew, so that it
    only has to be one that was registered, if any was. Never call it inside a transaction.

    Raises:
        Refusal: invalid_request_uri.
    """
    address = unverified_uri.partition("#")[0]
    if not {unverified_uri, address} & set(client.details.request_uris):
        raise Refusal("invalid_request_uri", "request_uri is not registered for this client")
    try:
        with _turns.of(client.client_id, client.owner) as is_its_turn:
            if not is_its_turn:
                raise Refusal("invalid_request_uri", "request_uri cannot be read now; try again")
            answer = provider.fetcher.get(
                address,
                headers={"Accept": "application/oauth-authz-req+jwt, application/jwt"},
                limit=jose.SIZE_LIMIT,
            )
        if answer.status != _OK:
            raise FetchFailed(f"status {answer.status}")
        return answer.body.decode("ascii").strip()
    except (FetchFailed, UnicodeDecodeError) as error:
        log.warning("request object not read %s", getattr(error, "private", "not ASCII"))
        raise Refusal("invalid_request_uri", "request_uri could not be read") from None
