"""A client acting for itself (RFC 6749 §4.4)."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749.errors import InvalidScopeError

from idp.oidc import service
from idp.oidc.authorization_details import refusal
from idp.oidc.binding import token_type
from idp.oidc.grants.server import TokenGrant
from idp.oidc.resources import narrowed, signed_token, target_of
from idp.oidc.rules import SCOPES


class ClientCredentialsGrant(TokenGrant):
    """grant_type=client_credentials; never a scope that speaks of residents, never a refresh token."""

    GRANT_TYPE = "client_credentials"

    def create_token_response(self) -> Any:
        """One token of the client's own."""
        provider, client = self.server.provider, self.client
        if "authorization_details" in self.request.form:
            raise refusal("A permission is a resident's to give")
        scope = self._scope(client.scopes - set(SCOPES))
        bound_to = self.proven().bound_to
        now = provider.context.now()
        target = target_of(provider, client, narrowed(provider, self.request.form.get("resource")), scope)
        token = None
        if target.is_jwt:
            subject = client.client_id
            token = signed_token(
                provider, target, client=client, subject=subject, family=None, bound_to=bound_to, now=now
            )
        minted = service.mint(
            # Nobody's data is released yet, and a client whose token the power took asks for another.
            provider.context.database.fast.unhurried,
            client_id=client.client_id,
            scope=target.scope,
            authorization_id=None,
            refresh=None,
            access_token=token,
            resource=target.resource,
            binding=bound_to,
            settings=provider.context.settings.tokens,
            now=now,
        )
        body = {
            "access_token": minted.access_token,
            "token_type": token_type(bound_to),
            "expires_in": minted.expires_for,
        }
        return 200, {**body, "scope": target.scope} if target.scope else body, []

    def _scope(self, allowed: frozenset[str]) -> str:
        asked = self.request.form.get("scope")
        if asked is None:
            return " ".join(sorted(allowed))
        wanted = set(asked.split())
        if not wanted.issubset(allowed):
            raise InvalidScopeError("scope has a value that this client may not ask for")
        return " ".join(sorted(wanted))
