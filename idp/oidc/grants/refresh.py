"""Rotate a refresh token (RFC 6749 §6, RFC 9700 §4.14.2). Using one twice kills its family."""

from __future__ import annotations

import logging
from typing import Any

from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidScopeError

from idp.oidc import service
from idp.oidc.grants.server import TokenGrant
from idp.oidc.issue import Issued, issue

log = logging.getLogger("denizen.oidc")


class RefreshGrant(TokenGrant):
    """grant_type=refresh_token."""

    GRANT_TYPE = "refresh_token"

    def create_token_response(self) -> Any:
        """Spend the token, then mint its successor, in one transaction; sign after it."""
        provider, client = self.server.provider, self.client
        token = self.required("refresh_token")
        now = provider.context.now()
        with provider.context.database.fast.transaction() as connection:
            issued = self._rotate(connection, token, now)
        if issued is None:
            raise InvalidGrantError("The refresh token is not valid or was used before")
        return 200, issued.signed(provider, client, now=now), []

    def _rotate(self, connection: Any, token: str, now: int) -> Issued | None:
        provider, client = self.server.provider, self.client
        row = service.find_refresh(connection, token, client_id=client.client_id)
        if row is None:
            return None
        refused = service.spend_refresh(connection, token, row, now=now)
        if refused is not None:
            log.warning(
                "refused path=/token error=invalid_grant client=%s reason=refresh_token_%s",
                client.client_id,
                refused.value,
            )
            return None
        scope = self._narrowed(row.token_scope)
        return issue(
            provider, connection, client, row, scope=scope, refresh=(row.token_scope, row.expires_at), now=now
        )

    def _narrowed(self, granted: str) -> str:
        """The scope asked for, never wider than before (RFC 6749 §6); a refusal takes back the spending."""
        asked = self.request.form.get("scope")
        if asked is None:
            return granted
        wanted = set(asked.split())
        if not wanted or not wanted.issubset(granted.split()):
            raise InvalidScopeError("scope is wider than what was granted")
        return " ".join(sorted(wanted))
