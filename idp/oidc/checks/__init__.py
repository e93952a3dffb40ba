"""The checks of the authorization endpoint, in security order.

Owns: what makes an authorization request acceptable. Until `check_redirect_uri` has passed no error can
carry a redirect (RFC 9700 §4.11.2). Leaves to others: who the resident is, what they agreed to.
Each file holds one check: a function of a `Draft` that raises `Refusal` or sets what it vouches for.

| check | sets | refuses with |
|---|---|---|
| client | client | invalid_request (page) |
| request_object | unverified, is_signed; or everything, of a pushed request | invalid_request_object, invalid_request_uri |
| redirect_uri | redirect_uri, state | invalid_request (page) |
| response_mode | response_mode | invalid_request |
| repeated | | invalid_request, invalid_target |
| sizes | state | invalid_request |
| way | | invalid_request, registration_not_supported |
| response_type | response_type | unsupported_response_type, unauthorized_client |
| nonce | nonce | invalid_request |
| scope | scope | invalid_scope |
| pkce | code_challenge | invalid_request |
| prompt | prompt | invalid_request |
| max_age | max_age | invalid_request |
| claims | claims, sub_values | invalid_request |
| acr | acr_values, essential_acr | invalid_request, unmet_authentication_requirements |
| dpop_jkt | dpop_jkt | invalid_request |
| resource | resource | invalid_target |
| id_token_hint | subject | invalid_request |
| authorization_details | authorization_details | invalid_authorization_details |
"""

from idp.oidc.checks.acr import check_acr
from idp.oidc.checks.authorization_details import check_authorization_details
from idp.oidc.checks.claims import check_claims
from idp.oidc.checks.client import check_client
from idp.oidc.checks.dpop_jkt import check_dpop_jkt
from idp.oidc.checks.id_token_hint import check_id_token_hint
from idp.oidc.checks.max_age import check_max_age
from idp.oidc.checks.nonce import check_nonce
from idp.oidc.checks.pkce import check_pkce
from idp.oidc.checks.prompt import check_prompt
from idp.oidc.checks.redirect_uri import check_redirect_uri
from idp.oidc.checks.repeated import check_repeated
from idp.oidc.checks.request_object import check_request_object
from idp.oidc.checks.resource import check_resource
from idp.oidc.checks.response_mode import check_response_mode
from idp.oidc.checks.response_type import check_response_type
from idp.oidc.checks.scope import check_scope
from idp.oidc.checks.sizes import check_sizes
from idp.oidc.checks.way import check_way
from idp.oidc.errors import Refusal
from idp.oidc.request import Draft

CHECKS = (
    check_client,
    check_request_object,
    check_redirect_uri,
    check_response_mode,
    check_repeated,
    check_sizes,
    check_way,
    check_response_type,
    check_nonce,
    check_scope,
    check_pkce,
    check_prompt,
    check_max_age,
    check_claims,
    check_acr,
    check_dpop_jkt,
    check_resource,
    check_id_token_hint,
    check_authorization_details,
)


def run_checks(draft: Draft) -> None:
    """Run every check in order; the first that refuses ends it. A draft is checked once, however often it is asked for."""
    if draft.is_checked:
        return
    if draft.refusal is not None:
        raise draft.refusal
    try:
        _run(draft)
    except Refusal as refusal:
        draft.refusal = refusal
        raise
    draft.is_checked = True


def _run(draft: Draft) -> None:
    for check in CHECKS:
        check(draft)
        if draft.pushed is not None:  # all others were passed when it was pushed
            return
