"""A device asks whether its resident has answered (RFC 8628 §3.4, §3.5)."""

from __future__ import annotations

from typing import Any

from idp.clients.metadata import DEVICE_GRANT
from idp.oidc.device import rules, service
from idp.oidc.device.service import State
from idp.oidc.errors import Refusal
from idp.oidc.grants.server import TokenGrant
from idp.oidc.issue import Issued, issue
from idp.oidc.resources import narrowed

_EXPIRED = "The device code has expired. Ask for a new one"
_NOT_VALID = "The device code is not valid or was used before"
_REFUSED = "The resident refused, or signed out meanwhile"


class DeviceGrant(TokenGrant):
    """grant_type=urn:ietf:params:oauth:grant-type:device_code."""

    GRANT_TYPE = DEVICE_GRANT

    def create_token_response(self) -> Any:
        """Wait, or spend, then mint, in one transaction; sign after it."""
        provider, client = self.server.provider, self.client
        device_code, bound_to = self.required("device_code"), self.proven().bound_to
        now = provider.context.now()
        fast = provider.context.database.fast
        asked = service.find_polled(fast, device_code, client_id=client.client_id, now=now)
        if asked is None or asked.state is State.OVER:
            raise Refusal("invalid_grant", _NOT_VALID)
        if asked.state is State.EXPIRED:
            raise Refusal("expired_token", _EXPIRED)
        if asked.state is State.REFUSED:
            raise Refusal("access_denied", _REFUSED)
        if asked.state is State.OPEN:
            raise self._wait(asked.id, now=now)
        issued = self._redeemed(asked.id, bound_to, now=now)
        return 200, issued.signed(provider, client, now=now), []

    def _wait(self, request_id: str, *, now: int) -> Refusal:
        unhurried = self.server.provider.context.database.fast.unhurried
        if service.is_on_time(unhurried, request_id, now=now):
            return Refusal("authorization_pending", "The resident has not answered yet")
        return Refusal("slow_down", f"Wait {rules.SLOWER_BY} seconds longer between two polls")

    def _redeemed(self, request_id: str, bound_to: str | None, *, now: int) -> Issued:
        provider, client = self.server.provider, self.client
        with provider.context.database.fast.transaction() as connection:
            spent = service.spend(connection, request_id, now=now)
            if spent is service.Spent.BEFORE:
                raise Refusal("invalid_grant", _NOT_VALID)
            issued = None
            if spent is not service.Spent.IN_VAIN:
                issued = issue(
                    provider,
                    connection,
                    client,
                    spent,
                    scope=spent.scope,
                    resource=narrowed(provider, self.request.form.get("resource"), spent.resource),
                    asked_details=self.request.form.get("authorization_details"),
                    bound_to=bound_to,
                    now=now,
                )
        if issued is None:
            raise Refusal("access_denied", _REFUSED)
        return issued
