"""Use a refresh token (RFC 6749 §6, RFC 9700 §4.14.2).

By the client's profile it is spent, and using it twice kills its family, or it stays good: then the client proves
itself with a key each time (FAPI 2.0 §5.3.2.1). One of a public client is bound to the key of its tokens
(RFC 9449 §5, RFC 8705 §4).
"""

from __future__ import annotations

import logging
from typing import Any

from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidScopeError

from idp.oidc import refresh_tokens
from idp.oidc.grants.server import TokenGrant
from idp.oidc.issue import Issued, issue
from idp.oidc.resources import narrowed

log = logging.getLogger("denizen.oidc")


class RefreshGrant(TokenGrant):
    """grant_type=refresh_token."""

    GRANT_TYPE = "refresh_token"

    def create_token_response(self) -> Any:
        """Spend the token where its profile says so, then mint, in one transaction; sign after it."""
        provider, client = self.server.provider, self.client
        token = self.required("refresh_token")
        bound_to = self.proven().bound_to
        now = provider.context.now()
        with provider.context.database.fast.transaction() as connection:
            issued = self._use(connection, token, bound_to, now)
        if issued is None:
            raise InvalidGrantError("The refresh token is not valid or was used before")
        return 200, issued.signed(provider, client, now=now), []

    def _use(self, connection: Any, token: str, bound_to: str | None, now: int) -> Issued | None:
        provider, client = self.server.provider, self.client
        if "offline_access" not in client.scopes:
            return None
        use = refresh_tokens.spend_refresh if client.profile.rotates_refresh else refresh_tokens.find_good
        row = use(connection, token, client_id=client.client_id, bound_to=bound_to, now=now)
        if isinstance(row, refresh_tokens.RefreshRefused):
            log.warning(
                "refused path=/token error=invalid_grant client=%s reason=refresh_token_%s",
                client.client_id,
                row.value,
            )
            return None
        follows = (row.token_scope, row.expires_at) if client.profile.rotates_refresh else None
        return issue(
            provider,
            connection,
            client,
            row,
            grant=row,
            scope=self._narrowed(client.get_allowed_scope(row.token_scope)),
            resource=narrowed(provider, self.request.form.get("resource"), row.resource),
            asked_details=self.request.form.get("authorization_details"),
            refresh=follows,
            is_refresh=True,
            bound_to=bound_to,
            now=now,
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
