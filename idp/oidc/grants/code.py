"""Redeem an authorization code once (RFC 6749 §4.1.3, RFC 7636 §4.6, OIDC Core §3.1.3)."""

from __future__ import annotations

import logging
import re
from typing import Any

from authlib.oauth2.rfc6749.errors import InvalidGrantError

from idp.jose.encoding import s256
from idp.oidc import service
from idp.oidc.errors import Refusal
from idp.oidc.grants.server import TokenGrant
from idp.oidc.issue import issue
from idp.oidc.resources import narrowed

log = logging.getLogger("denizen.oidc")

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class CodeGrant(TokenGrant):
    """grant_type=authorization_code."""

    GRANT_TYPE = "authorization_code"

    def create_token_response(self) -> Any:
        """Spend, then mint, in one transaction; sign after it."""
        provider, client = self.server.provider, self.client
        code, redirect_uri = self.required("code"), self.required("redirect_uri")
        challenge = self._challenge()
        (bound_to, jkt), asked = self.proven(), self.request.form.get("resource")
        now = provider.context.now()
        with provider.context.database.fast.transaction() as connection:
            unverified_grant = service.grant_of_code(connection, code, now=now)
            family = service.spend_code(
                connection,
                code,
                client_id=client.client_id,
                redirect_uri=redirect_uri,
                code_challenge=challenge,
                jkt=jkt,
                now=now,
            )
            issued = None
            if not isinstance(family, service.CodeRefused):
                issued = issue(
                    provider,
                    connection,
                    client,
                    family,
                    grant=unverified_grant.first(),
                    scope=family.scope,
                    resource=narrowed(provider, asked, family.resource),
                    asked_details=self.request.form.get("authorization_details"),
                    bound_to=bound_to,
                    now=now,
                )
        if issued is None:
            reason = family.value if isinstance(family, service.CodeRefused) else "without_grant"
            log.warning(
                "refused path=/token error=invalid_grant client=%s reason=code_%s", client.client_id, reason
            )
            raise InvalidGrantError("The code is not valid, was used before, or belongs to another request")
        return 200, issued.signed(provider, client, now=now), []

    def _challenge(self) -> str:
        """The challenge to which the code must be bound; "" for one that must have none."""
        needs_proof = self.client.profile.pkce_required or self.client.is_public
        unverified_verifier = self.request.form.get("code_verifier", "")
        if not needs_proof and not unverified_verifier:
            return ""
        return _challenge_of(unverified_verifier)


def _challenge_of(unverified_verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636 §4.2); none is as wrong as another one (§4.6)."""
    if not _VERIFIER.fullmatch(unverified_verifier):
        raise Refusal("invalid_grant", "code_verifier must be 43 to 128 unreserved characters")
    return s256(unverified_verifier)
