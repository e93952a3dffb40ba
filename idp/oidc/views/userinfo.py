"""`GET` and `POST /userinfo` (OIDC Core §5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from consent import releases
from idp.oidc import service
from idp.oidc.answers import signed_for
from idp.oidc.binding import check_presented, jkt_of
from idp.oidc.claims_request import read_kept
from idp.oidc.dpop import ALGORITHMS, next_nonce
from idp.oidc.errors import Refusal
from idp.oidc.lasting import left
from idp.oidc.released import lacking_for, opened
from idp.oidc.resources import METADATA, USERINFO
from idp.oidc.rules import released
from idp.web.answers import Answer, json_answer, text_answer

if TYPE_CHECKING:
    from idp.clients.registry import Client
    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming


class Handed(NamedTuple):
    """What is handed over for a token, and for which purposes."""

    unverified_token: str
    claims: list[str]
    purposes: list[str]


def answer(provider: Provider, incoming: Incoming) -> Answer:
    """The claims that the grant allows now: a withdrawal bites at once."""
    presented = _presented(incoming)
    if presented is None:
        return _unauthenticated(provider, incoming)
    scheme, unverified_token = presented
    if not unverified_token:
        return _challenge(scheme, 400, "invalid_request", "The token is sent in two ways at once")
    return _answer_to(provider, incoming, scheme, unverified_token)


def _answer_to(provider: Provider, incoming: Incoming, scheme: str, unverified_token: str) -> Answer:
    ctx = provider.context
    now = ctx.now()
    connection = ctx.database.fast
    rows = service.find_token_with_attributes(connection, unverified_token, now=now)
    client = provider.clients.find(rows[0].client_id) if rows else None
    if client is None or rows[0].data_key is None or rows[0].resource is not None:
        return _dead(scheme)
    token = rows[0]
    if scheme != "bearer" or token.confirmation is not None:
        refusal = _binding_refusal(provider, incoming, scheme, unverified_token, token.confirmation)
        if refusal is not None:
            return refusal
    scopes = client.get_allowed_scope(token.scope).split()
    if "openid" not in scopes:
        return _challenge(scheme, 403, "insufficient_scope", "The access token lacks the scope openid")
    standing = left(provider, connection, client.client_id, token, now=now)
    if standing is None:
        return _dead(scheme)
    by_name = () if token.asked_claims is None else read_kept(token.asked_claims).userinfo
    allowed = released(scopes, by_name, standing.claims)
    lacking = lacking_for(provider, client, allowed, acr=token.acr)
    if lacking:
        return _step_up(scheme, lacking)
    data_key = ctx.vault.open_data_key(token.data_key)
    values = opened(data_key, token.resident_id, rows, allowed, now=now)
    if token.released_at is None:
        about = Handed(unverified_token, sorted(values), standing.purposes)
        _record(provider, about, token, data_key.log_key(), now=now)
    return _told(provider, incoming, client, {"sub": token.subject, **values})


def _dead(scheme: str) -> Answer:
    return _challenge(scheme, 401, "invalid_token", "The access token is not valid here, or not any more")


def _told(provider: Provider, incoming: Incoming, client: Client, claims: dict[str, Any]) -> Answer:
    """The claims as JSON, or signed for a client that registered for it (OIDC Core §5.3.2)."""
    alg = client.details.userinfo_signed_response_alg
    if not alg:
        return json_answer(200, claims, *next_nonce(incoming))
    whole = {"iss": provider.issuer, "aud": client.client_id, **claims}
    try:
        text = signed_for(provider, client, whole, what="userinfo", alg=alg)
    except Refusal as refusal:
        return json_answer(refusal.status, {"error": refusal.error, "error_description": refusal.public})
    return text_answer(200, "application/jwt", text, *next_nonce(incoming))


def _binding_refusal(
    provider: Provider, incoming: Incoming, scheme: str, unverified_token: str, bound_to: str | None
) -> Answer | None:
    """Why the caller may not use this token; None when it proved to hold the key to which the token is bound."""
    try:
        check_presented(
            provider, incoming, USERINFO, scheme=scheme, access_token=unverified_token, binding=bound_to
        )
    except Refusal as refusal:
        used = "dpop" if jkt_of(bound_to) else scheme
        found = _challenge(used, refusal.status, refusal.error, refusal.public)
        return found._replace(headers=[*found.headers, *refusal.headers])
    return None


def _step_up(scheme: str, acr: str) -> Answer:
    """RFC 9470 §3: the sign-in was not strong enough, and what would be."""
    description = "A stronger sign-in is required"
    return _challenge(scheme, 401, "insufficient_user_authentication", description, f', acr_values="{acr}"')


def _presented(incoming: Incoming) -> tuple[str, str] | None:
    """Scheme and unverified token from the header or the form, never from the address (RFC 6750 §2); "" for both."""
    in_header = incoming.presented()
    in_form = None
    if incoming.method == "POST" and incoming.header("CONTENT_TYPE"):
        in_form = incoming.form.get("access_token")
        if "access_token" in incoming.form.repeated:
            return "bearer", ""
    if in_header is not None and in_form is not None:
        return in_header[0], ""
    return in_header if in_form is None else ("bearer", in_form)


def _record(provider: Provider, handed: Handed, token: Any, log_key: bytes, *, now: int) -> None:
    """The first use of a token hands the data over; that is one release, however often it is read again."""
    with provider.context.database.fast.transaction() as connection:
        if service.is_first_release(connection, handed.unverified_token, now=now):
            releases.record(
                connection,
                log_key=log_key,
                resident_id=token.resident_id,
                client_id=token.client_id,
                kind="userinfo",
                claims=handed.claims,
                purpose_ids=handed.purposes,
                authorization_id=str(token.authorization_id),
                now=now,
            )


def _unauthenticated(provider: Provider, incoming: Incoming) -> Answer:
    """How to authenticate, and where more about it is said (RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1).

    Not at the address for certificates: what is said there is of another resource to whoever compares (RFC 9728 §3.3).
    """
    where = f', resource_metadata="{provider.issuer}{METADATA}{USERINFO}"'
    at, server = incoming.header("HTTP_HOST").lower(), provider.context.settings.server
    if at == server.mtls_url.partition("//")[2] != server.issuer.partition("//")[2]:
        where = ""
    challenge = f'Bearer realm="denizen"{where}, DPoP algs="{" ".join(ALGORITHMS)}"'
    return json_answer(401, {}, ("WWW-Authenticate", challenge))


def _challenge(scheme: str, status: int, error: str, description: str, more: str = "") -> Answer:
    """What was wrong (RFC 6750 §3), in the scheme in which the token came (RFC 9449 §7.1)."""
    name = "DPoP" if scheme == "dpop" else "Bearer"
    if name == "DPoP":
        more += f', algs="{" ".join(ALGORITHMS)}"'
    challenge = f'{name} realm="denizen", error="{error}", error_description="{description}"{more}'
    return json_answer(
        status, {"error": error, "error_description": description}, ("WWW-Authenticate", challenge)
    )
