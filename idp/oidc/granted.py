"""A request that is granted: its authorization, what is minted with it, and the parameters of its answer.

A code is one insert and nothing else. What passes the front channel besides belongs to the same family, so that a
withdrawal, the end of the session or the replay of the code ends it, too.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from idp.oidc.checks.response_type import see_that_it_may
from idp.oidc.issue import Issued, issue_in_front
from idp.oidc.models import Authorization
from idp.oidc.service import FAMILY
from idp.statements import insert_of
from idp.web.cookies import digest, new_secret

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from idp.clients.registry import Client
    from idp.login.sessions import SignedIn
    from idp.oidc.provider import Provider
    from idp.oidc.request import AuthorizationRequest
    from idp.settings import TokenSettings

_INSERT = insert_of(
    Authorization,
    "code_hash",
    "grant_id",
    "client_id",
    "session_hash",
    "sid",
    "redirect_uri",
    "scope",
    "nonce",
    "code_challenge",
    "dpop_jkt",
    "resource",
    "asked_claims",
    "authorization_details",
    "auth_time",
    "acr",
    "amr",
    "created_at",
    "code_expires_at",
    "expires_at",
)
_INSERT_FAMILY = _INSERT.returning(*FAMILY)


@dataclass(frozen=True, slots=True)
class Granted:
    """What was written for a request; `parameters` makes the answer once the write is durable."""

    code: str | None
    issued: Issued | None

    def parameters(
        self, provider: Provider, client: Client, request: AuthorizationRequest, *, now: int
    ) -> dict[str, str]:
        """The parameters of the answer (RFC 6749 §4.1.2, §4.2.2; OIDC Core §3.2.2.5, §3.3.2.5).

        Never call it inside a transaction: an ID token may have to be encrypted.

        Raises:
            Refusal: when it must be and the client publishes no key for it.
        """
        found = {} if self.code is None else {"code": self.code}
        if self.issued is None:
            return found
        return found | self.issued.in_front(provider, client, request, code=self.code, now=now)


def grant_request(
    provider: Provider,
    connection: Any,
    client: Client,
    request: AuthorizationRequest,
    *,
    grant_id: str,
    signed_in: SignedIn,
    acr: str,
    now: int,
) -> Granted:
    """Write the authorization of a request, and whatever its response type asks for now.

    `acr` is what its ID tokens will state, at most what `signed_in` proved. Unless the response type is `code`,
    `connection` must be in a transaction.

    Raises:
        Refusal: when the grant has ended, the token's API is not known or the client may not have this response type any
            more; what was written must not stand.
    """
    wanted = request.response_type.split(" ")
    code = new_secret()
    row = _row(request, code, grant_id, signed_in, acr, provider.context.settings.tokens, now)
    if wanted == ["code"]:
        connection.execute(_INSERT, row)
        return Granted(code, None)
    see_that_it_may(client, request.response_type)
    has_code = "code" in wanted
    if not has_code:  # nobody is ever told it, and it is over already
        row["new_code_expires_at"] = now
    family = connection.execute(_INSERT_FAMILY, row).first()
    issued = issue_in_front(provider, connection, client, family, wanted, now=now)
    return Granted(code if has_code else None, issued)


def writing(provider: Provider, request: AuthorizationRequest) -> AbstractContextManager[Any]:
    """Where to write what was granted: a transaction, unless the insert of a code is all that is written.

    That need not wait for the disk. What is made of the code waits, and takes the code along; one that is lost before,
    with the power, is refused like one that came too late.
    """
    fast = provider.context.database.fast
    is_one_write = request.response_type == "code" and request.pushed is None
    return nullcontext(fast.unhurried) if is_one_write else fast.transaction()


def _row(  # noqa: PLR0917
    request: AuthorizationRequest,
    code: str,
    grant_id: str,
    signed_in: SignedIn,
    acr: str,
    settings: TokenSettings,
    now: int,
) -> dict[str, Any]:
    """A code is good once, for a minute at most (RFC 6749 §4.1.2)."""
    is_offline = "offline_access" in request.scope
    lives_for = settings.refresh_for if is_offline else settings.access_for + settings.code_for
    return {
        "new_code_hash": digest(code),
        "new_grant_id": grant_id,
        "new_client_id": request.client_id,
        "new_session_hash": signed_in.id_hash,
        "new_sid": signed_in.sid,
        "new_redirect_uri": request.redirect_uri,
        "new_scope": " ".join(request.scope),
        "new_nonce": request.nonce,
        "new_code_challenge": request.code_challenge,
        "new_dpop_jkt": request.dpop_jkt,
        "new_resource": request.resource,
        "new_asked_claims": request.claims,
        "new_authorization_details": request.authorization_details,
        "new_auth_time": signed_in.authenticated_at,
        "new_acr": acr,
        "new_amr": signed_in.amr,
        "new_created_at": now,
        "new_code_expires_at": now + settings.code_for,
        "new_expires_at": now + lives_for,
    }
