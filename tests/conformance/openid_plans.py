"""The suite's plans of OpenID Connect: which of its modules run, for which response types (version 5.2.4).

A plan is a tuple of (response type, modules). Where a module needs a client that registers itself, one does also in the
plans of static clients.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.client import Way

Plan = tuple[tuple[str, tuple[str, ...]], ...]

_SCOPES = (
    "oidcc-scope-profile",
    "oidcc-scope-email",
    "oidcc-scope-address",
    "oidcc-scope-phone",
    "oidcc-scope-all",
)
_USERINFO = ("oidcc-userinfo-get", "oidcc-userinfo-post-header", "oidcc-userinfo-post-body")
_NONCE_IS_OPTIONAL = "oidcc-ensure-request-without-nonce-succeeds-for-code-flow"
_NONCE_IS_NEEDED = "oidcc-ensure-request-without-nonce-fails"
_OTHER_ORDER = "oidcc-ensure-other-scope-order-succeeds"
#: In the plans of every response type.
_ALWAYS = (
    "oidcc-server",
    "oidcc-idtoken-signature",
    *_SCOPES,
    "oidcc-display-page",
    "oidcc-display-popup",
    "oidcc-prompt-login",
    "oidcc-prompt-none-not-logged-in",
    "oidcc-prompt-none-logged-in",
    "oidcc-max-age-1",
    "oidcc-max-age-10000",
    "oidcc-ensure-request-with-unknown-parameter-succeeds",
    "oidcc-id-token-hint",
    "oidcc-login-hint",
    "oidcc-ui-locales",
    "oidcc-claims-locales",
    "oidcc-ensure-request-with-acr-values-succeeds",
    "oidcc-ensure-registered-redirect-uri",
    "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported",
    "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported",
    "oidcc-ensure-request-object-with-redirect-uri",
    "oidcc-claims-essential",
)
#: In the plans of every response type with a code.
_WITH_CODE = (
    *_ALWAYS,
    *_USERINFO,
    "oidcc-codereuse",
    "oidcc-codereuse-30seconds",
    "oidcc-server-client-secret-post",
    "oidcc-refresh-token",
)

CONFIG: Plan = (("code", ("oidcc-discovery-endpoint-verification",)),)
BASIC: Plan = (
    (
        "code",
        (
            *_WITH_CODE,
            "oidcc-response-type-missing",
            "oidcc-idtoken-unsigned",
            _NONCE_IS_OPTIONAL,
            _OTHER_ORDER,
            "oidcc-ensure-post-request-succeeds",
            "oidcc-ensure-request-with-valid-pkce-succeeds",
        ),
    ),
)
IMPLICIT: Plan = (
    ("id_token", (*_ALWAYS, _NONCE_IS_NEEDED, _OTHER_ORDER)),
    (
        "id_token token",
        (*_ALWAYS, _NONCE_IS_NEEDED, _OTHER_ORDER, *_USERINFO, "oidcc-response-type-missing"),
    ),
)
HYBRID: Plan = (
    (
        "code id_token",
        (
            *_WITH_CODE,
            "oidcc-response-type-missing",
            _NONCE_IS_NEEDED,
            _OTHER_ORDER,
            "oidcc-ensure-request-with-valid-pkce-succeeds",
        ),
    ),
    ("code token", (*_WITH_CODE, _NONCE_IS_OPTIONAL)),
    ("code id_token token", (*_WITH_CODE, _NONCE_IS_NEEDED)),
)
#: For one response type, which the user of the suite picks; clients register themselves.
_DYNAMIC = (
    "oidcc-idtoken-rs256",
    "oidcc-userinfo-rs256",
    "oidcc-ensure-redirect-uri-in-authorization-request",
    "oidcc-redirect-uri-query-ok",
    "oidcc-redirect-uri-query-mismatch",
    "oidcc-redirect-uri-query-added",
    "oidcc-redirect-uri-regfrag",
    "oidcc-discovery-endpoint-verification",
    "oidcc-server",
    "oidcc-registration-logo-uri",
    "oidcc-registration-policy-uri",
    "oidcc-registration-tos-uri",
    "oidcc-registration-jwks-uri",
    "oidcc-registration-sector-uri",
    "oidcc-registration-sector-bad",
    "oidcc-server-rotate-keys",
    "oidcc-refresh-token-rp-key-rotation",
    "oidcc-request-uri-unsigned",
    "oidcc-request-uri-signed-rs256",
    "oidcc-ensure-request-object-with-redirect-uri",
    "oidcc-refresh-token",
    "oidcc-ensure-client-assertion-with-iss-aud-succeeds",
)
DYNAMIC: Plan = (("code", (*_DYNAMIC, "oidcc-idtoken-unsigned")),)
DYNAMIC_HYBRID: Plan = tuple(
    (one, _DYNAMIC) for one in ("code id_token", "code token", "code id_token token")
)
#: Without a code a client never comes to an endpoint where it would have to prove itself, nor by a refresh token.
_WITHOUT_CODE = tuple(
    one
    for one in _DYNAMIC
    if one
    not in (
        "oidcc-refresh-token-rp-key-rotation",
        "oidcc-refresh-token",
        "oidcc-ensure-client-assertion-with-iss-aud-succeeds",
    )
)
DYNAMIC_IMPLICIT: Plan = (
    ("id_token", tuple(one for one in _WITHOUT_CODE if one != "oidcc-userinfo-rs256")),
    ("id_token token", _WITHOUT_CODE),
)
THIRD_PARTY: Plan = (("code", ("oidcc-3rd_party-init-login", "oidcc-3rd_party-init-login-nohttps")),)


def cases(plan: Plan, response_mode: str = "") -> list[Any]:
    """Every module of a plan with its way, for `pytest.mark.parametrize(("way", "module"), …)`."""
    return [
        pytest.param(way, module, id=module if len(plan) == 1 else f"{way.response_type}: {module}")
        for response_type, modules in plan
        for way in (Way(response_type, response_mode),)
        for module in modules
    ]


def size(plan: Plan) -> int:
    """How many modules it runs."""
    return sum(len(modules) for _, modules in plan)
