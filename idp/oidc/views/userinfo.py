"""`GET` and `POST /userinfo` (OIDC Core §5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from consent import releases
from idp.accounts.service import seal_context
from idp.oidc import service
from idp.oidc.rules import claim_values, claims_of, sources_of
from idp.web.answers import Answer, json_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming
    from keys.envelope import DataKey


def answer(provider: Provider, incoming: Incoming) -> Answer:
    """The claims that the grant allows now: a withdrawal bites at once."""
    unverified_token = _token(incoming)
    if unverified_token is None:
        return _challenge(401, None, "")
    if not unverified_token:
        return _challenge(400, "invalid_request", "The token is sent in two ways at once")
    ctx = provider.context
    now = ctx.now()
    connection = ctx.database.fast
    rows = service.find_token_with_attributes(connection, unverified_token, now=now)
    if not rows or rows[0].data_key is None or provider.clients.find(rows[0].client_id) is None:
        return _challenge(401, "invalid_token", "The access token is not valid any more")
    token = rows[0]
    scopes = token.scope.split()
    if "openid" not in scopes:
        return _challenge(403, "insufficient_scope", "The access token lacks the scope openid")
    data_key = ctx.vault.open_data_key(token.data_key)
    allowed = claims_of(scopes).intersection(token.claims.split())
    values = _values(data_key, rows, allowed, now=now)
    if token.released_at is None:
        _record(provider, unverified_token, token, data_key.log_key(), sorted(values), now=now)
    return json_answer(200, {"sub": token.subject, **values})


def _token(incoming: Incoming) -> str | None:
    """The unverified token from the header or the form, never from the address (RFC 6750 §2); "" for both."""
    in_header = incoming.bearer()
    in_form = None
    if incoming.method == "POST" and incoming.header("CONTENT_TYPE"):
        in_form = incoming.form.get("access_token")
        if "access_token" in incoming.form.repeated:
            return ""
    if in_header is not None and in_form is not None:
        return ""
    return in_header if in_header is not None else in_form


def _values(data_key: DataKey, rows: Sequence[Any], allowed: frozenset[str], *, now: int) -> dict[str, Any]:
    wanted = {source for claim in allowed for source in sources_of(claim)}
    attributes = {
        row.name: orjson.loads(data_key.open(row.value, seal_context(row.resident_id, row.name)))
        for row in rows
        if row.name in wanted
    }
    verified = frozenset(row.name for row in rows if row.name is not None and row.verified_at is not None)
    return claim_values(allowed, attributes, verified, changed_at=rows[0].changed_at, now=now)


def _record(
    provider: Provider, unverified_token: str, token: Any, log_key: bytes, claims: list[str], *, now: int
) -> None:
    """The first use of a token hands the data over; that is one release, however often it is read again."""
    with provider.context.database.fast.transaction() as connection:
        if service.is_first_release(connection, unverified_token, now=now):
            releases.record(
                connection,
                log_key=log_key,
                resident_id=token.resident_id,
                client_id=token.client_id,
                kind="userinfo",
                claims=claims,
                purpose_ids=token.purposes.split(),
                authorization_id=str(token.authorization_id),
                now=now,
            )


def _challenge(status: int, error: str | None, description: str) -> Answer:
    """RFC 6750 §3: what was wrong, or only how to authenticate when nothing was sent."""
    challenge = 'Bearer realm="denizen"'
    if error is None:
        return json_answer(status, {}, ("WWW-Authenticate", challenge))
    challenge += f', error="{error}", error_description="{description}"'
    return json_answer(
        status, {"error": error, "error_description": description}, ("WWW-Authenticate", challenge)
    )
