"""`POST /introspect` (RFC 7662)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from idp.oidc import service
from idp.oidc.answers import default_alg, signed_for
from idp.oidc.authenticate import authenticate_client
from idp.oidc.authorization_details import for_resource, read_kept
from idp.oidc.binding import confirmation, token_type
from idp.oidc.errors import Refusal
from idp.oidc.lasting import left
from idp.oidc.refresh_tokens import find_refresh
from idp.oidc.subjects import known_subject, subject_for
from idp.oidc.views.token import refused
from idp.web.answers import Answer, json_answer, text_answer

if TYPE_CHECKING:
    from idp.clients.registry import Client
    from idp.oidc.authorization_details import Detail
    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming

#: The whole answer about a token that is dead, or none of the asker's business (RFC 7662 §2.2).
INACTIVE = {"active": False}
_QUALITY = re.compile(r"[01](\.\d{0,3})?")
JWT = "application/token-introspection+jwt"


def answer(provider: Provider, incoming: Incoming) -> Answer:
    """Whether a token is alive, told to its own client and to the resource servers it is meant for."""
    try:
        client = authenticate_client(provider, incoming, path="/introspect")
        if client.is_public:
            raise Refusal("invalid_client", "Public clients cannot introspect", status=401)
        unverified_token = incoming.form.get("token")
        if unverified_token is None:
            raise Refusal("invalid_request", "token is missing")
    except Refusal as refusal:
        return refused(refusal, incoming)
    return _told(provider, incoming, client, _describe(provider, client, unverified_token))


def _told(provider: Provider, incoming: Incoming, client: Client, found: dict[str, Any]) -> Answer:
    """As JSON, or signed for whoever registered for that or asks for it (RFC 9701 §5)."""
    alg = client.details.introspection_signed_response_alg
    if not alg and not _wants_jwt(incoming):
        return json_answer(200, found)
    claims = {
        "iss": provider.issuer,
        "aud": client.client_id,
        "iat": provider.context.now(),
        "token_introspection": found,
    }
    try:
        text = signed_for(
            provider,
            client,
            claims,
            what="introspection",
            alg=alg or default_alg(client),
            typ="token-introspection+jwt",
        )
    except Refusal as refusal:
        return refused(refusal, incoming)
    return text_answer(200, JWT, text)


def _wants_jwt(incoming: Incoming) -> bool:
    """Whether it is accepted by name, and liked no less than JSON (RFC 9701 §4, RFC 9110 §12.4.2)."""
    accepted = incoming.header("HTTP_ACCEPT").lower()
    liking = _quality(accepted, JWT)
    return liking > 0 and liking >= _quality(accepted, "application/json")


def _quality(accepted: str, kind: str) -> float:
    for one in accepted.split(","):
        name, *parameters = (part.strip() for part in one.split(";"))
        if name == kind:
            said = next((value[2:] for value in parameters if value.startswith("q=")), "1")
            return float(said) if _QUALITY.fullmatch(said) else 0
    return 0


def _describe(provider: Provider, client: Client, unverified_token: str) -> dict[str, Any]:
    now = provider.context.now()
    connection = provider.context.database.fast
    token = service.find_token(connection, unverified_token, now=now)
    if token is not None and left(provider, connection, token.client_id, token, now=now) is None:
        return INACTIVE
    token = token or service.find_own_token(connection, unverified_token, now=now)
    if token is not None:
        holder = provider.clients.find(token.client_id)
        scopes = holder.get_allowed_scope(token.scope).split() if holder else []
        is_own = client.client_id == token.client_id
        is_audience = is_own or _is_for(client, token.resource, scopes, _details(token))
        # What the holder may not have any more its tokens are not for either.
        is_for_something = bool(scopes or _details(token) or not token.scope)
        if holder is not None and is_audience and is_for_something:
            return _active(
                provider, client, token, scopes, aud=_audience(provider, client, token, unverified_token)
            )
    return _refresh(provider, client, unverified_token, now=now)


def _details(token: Any) -> list[Detail]:
    """The permissions of a token; a client's own has none."""
    return read_kept(getattr(token, "authorization_details", None))


def _is_for(client: Client, resource: str | None, scopes: list[str], details: list[Detail]) -> bool:
    """Whether a token is meant for this resource server: for its API by name; or for none, and with its scopes or types."""
    if resource is not None:
        return client.details.resource == resource
    return not client.protects_scopes.isdisjoint(scopes) or bool(for_resource(details, client))


def _audience(provider: Provider, client: Client, token: Any, text: str) -> str:
    """For whom a token of ours is: as it says itself where it is a JWT (RFC 9068 §2.2); one for no API is for the asker."""
    return token.resource or (provider.issuer if "." in text else client.client_id)


def _active(provider: Provider, client: Client, token: Any, scopes: list[str], *, aud: str) -> dict[str, Any]:
    is_own = client.client_id == token.client_id
    body: dict[str, Any] = {
        "active": True,
        "iss": provider.issuer,
        "client_id": token.client_id,
        "token_type": token_type(token.confirmation),
        "iat": token.issued_at,
        "exp": token.expires_at,
        "aud": aud,
    }
    scope = " ".join(s for s in scopes if is_own or s in client.protects_scopes)
    if scope:
        body["scope"] = scope
    details = _details(token)
    told = details if is_own else for_resource(details, client)
    if told:
        body["authorization_details"] = told
    if token.confirmation is not None:
        body["cnf"] = confirmation(token.confirmation)
    resident_id = getattr(token, "resident_id", None)
    if resident_id is None:
        return {**body, "sub": token.client_id}
    # Each asker knows a resident by its own pseudonym only.
    subject = token.subject if is_own else _subject(provider, client, resident_id)
    return {**body, "sub": subject, "auth_time": token.auth_time, "acr": token.acr}


def _subject(provider: Provider, client: Client, resident_id: str) -> str:
    """By what an asker knows a resident; an API that signs nobody in was told nothing yet."""
    vault = provider.context.vault
    if client.grant_types == {"client_credentials"}:
        return subject_for(vault, client, resident_id)
    return known_subject(provider.context.database.fast, vault, client, resident_id)


def _refresh(provider: Provider, client: Client, unverified_token: str, *, now: int) -> dict[str, Any]:
    """A refresh token concerns its own client alone."""
    connection = provider.context.database.fast
    row = find_refresh(connection, unverified_token, client_id=client.client_id)
    if (
        "offline_access" not in client.scopes
        or row is None
        or row.spent_at is not None
        or row.revoked_at is not None
        or row.token_expires_at <= now
    ):
        return INACTIVE
    grant = service.read_grant(connection, row.grant_id, now=now)
    if grant is None or left(provider, connection, client.client_id, grant, now=now) is None:
        return INACTIVE
    return {
        "active": True,
        "iss": provider.issuer,
        "client_id": client.client_id,
        "aud": client.client_id,
        "exp": row.token_expires_at,
        **({"cnf": confirmation(row.confirmation)} if row.confirmation else {}),
        "scope": client.get_allowed_scope(row.token_scope),
        "sub": grant.subject,
        "auth_time": row.auth_time,
        "acr": row.acr,
    }
