"""A client acting for itself (RFC 6749 §4.4)."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749.errors import InvalidScopeError

from idp.oidc import service
from idp.oidc.grants.server import TokenGrant
from idp.oidc.rules import SCOPES


class ClientCredentialsGrant(TokenGrant):
    """grant_type=client_credentials; never a scope that speaks of residents, never a refresh token."""

    GRANT_TYPE = "client_credentials"

    def create_token_response(self) -> Any:
        """One token of the client's own."""
        provider, client = self.server.provider, self.client
        scope = self._scope(client.scopes - set(SCOPES))
        now = provider.context.now()
        minted = service.mint(
            provider.context.database.fast,
            client_id=client.client_id,
            scope=scope,
            authorization_id=None,
            refresh=None,
            settings=provider.context.settings.tokens,
            now=now,
        )
        body = {"access_token": minted.access_token, "token_type": "Bearer", "expires_in": minted.expires_for}
        return 200, {**body, "scope": scope} if scope else body, []

    def _scope(self, allowed: frozenset[str]) -> str:
        asked = self.request.form.get("scope")
        if asked is None:
            return " ".join(sorted(allowed))
        wanted = set(asked.split())
        if not wanted.issubset(allowed):
            raise InvalidScopeError("scope has a value that this client may not ask for")
        return " ".join(sorted(wanted))
