"""`POST /device_authorization` (RFC 8628 §3.1): a device without a keyboard asks for its two codes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from idp.clients.metadata import DEVICE_GRANT
from idp.login.budgets import Limit, take
from idp.login.rules import network_of
from idp.oidc.authenticate import authenticate_client
from idp.oidc.checks.acr import check_acr
from idp.oidc.checks.authorization_details import check_authorization_details
from idp.oidc.checks.claims import check_claims
from idp.oidc.checks.max_age import check_max_age
from idp.oidc.checks.nonce import check_nonce
from idp.oidc.checks.resource import check_resource
from idp.oidc.checks.scope import check_scope
from idp.oidc.checks.sizes import check_sizes
from idp.oidc.checks.way import check_way
from idp.oidc.device import rules, service
from idp.oidc.drafts import new_draft
from idp.oidc.errors import Refusal
from idp.oidc.views.token import refused
from idp.web.answers import Answer, json_answer

if TYPE_CHECKING:
    from idp.clients.registry import Client
    from idp.oidc.provider import Provider
    from idp.oidc.request import AuthorizationRequest
    from idp.web.incoming import Incoming

PATH = "/device_authorization"
#: A public client proves nothing, so whoever names one may begin so often, in seconds.
PER_SOURCE = Limit("device-source", 100, 900)
#: What is meant for the authorization endpoint as it is here; nothing goes through a browser, so the rest is not.
CHECKS = (
    check_sizes,
    check_way,
    check_nonce,
    check_scope,
    check_max_age,
    check_claims,
    check_acr,
    check_resource,
    check_authorization_details,
)


def answer(provider: Provider, incoming: Incoming) -> Answer:
    """A device code, a user code, and where a resident enters it."""
    try:
        client = authenticate_client(provider, incoming, path=PATH)
        if not client.check_grant_type(DEVICE_GRANT):
            raise Refusal("unauthorized_client", "The client is not registered for this grant_type")
        asked = _checked(provider, client, incoming)
        _count(provider, client, incoming)
    except Refusal as refusal:
        return refused(refusal, incoming)
    ctx = provider.context
    lives_for = ctx.settings.tokens.device_for
    codes = service.begin(ctx.database.fast, ctx.vault, asked, lives_for=lives_for, now=ctx.now())
    page, user_code = f"{provider.issuer}/device", rules.shown(codes.user_code)
    body = {
        "device_code": codes.device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?{urlencode({'user_code': user_code})}",
        "expires_in": lives_for,
        "interval": rules.POLL_EVERY,
    }
    return json_answer(200, body)


def _checked(provider: Provider, client: Client, incoming: Incoming) -> AuthorizationRequest:
    """The request as it would stand at the authorization endpoint, but for where the answer goes."""
    form = incoming.form
    for name in ("request", "request_uri"):
        if name in form:
            raise Refusal("invalid_request", f"{name} is not for this endpoint")
    draft = new_draft(provider, form)
    draft.client, draft.redirect_uri = client, ""
    draft.is_pushed = True  # it came from the client itself, which has proved who it is
    for check in CHECKS:
        check(draft)
    return draft.frozen()


def _count(provider: Provider, client: Client, incoming: Incoming) -> None:
    if not client.is_public:
        return
    source = network_of(incoming.remote_address)
    verdict = take(provider.context, (PER_SOURCE, source), now=provider.context.now())
    if not verdict:
        raise Refusal(
            "temporarily_unavailable",
            "Too many devices ask from there. Try again later",
            status=429,
            headers=(("Retry-After", str(verdict.retry_after)),),
        )
