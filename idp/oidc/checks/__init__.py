"""The checks of the authorization endpoint, in security order.

Owns: what makes an authorization request acceptable. Until `check_redirect_uri` has passed no error can
carry a redirect (RFC 9700 §4.11.2). Leaves to others: who the resident is, what they agreed to.
Each file holds one check: a function of a `Draft` that raises `Refusal` or sets what it vouches for.

| check | sets | refuses with |
|---|---|---|
| client | client | invalid_request (page) |
| redirect_uri | redirect_uri, state | invalid_request (page) |
| repeated | | invalid_request |
| sizes | state, nonce | invalid_request |
| request_object | | request_not_supported, request_uri_not_supported, registration_not_supported |
| response_type | | unsupported_response_type, unauthorized_client |
| response_mode | | invalid_request |
| scope | scope | invalid_scope |
| pkce | code_challenge | invalid_request |
| prompt | prompt | invalid_request |
| max_age | max_age | invalid_request |
| acr | acr_values, essential_acr | invalid_request, unmet_authentication_requirements |
| dpop_jkt | dpop_jkt | invalid_request |
| resource | resource | invalid_target |
| id_token_hint | subject | invalid_request |
"""

from idp.oidc.checks.acr import check_acr
from idp.oidc.checks.client import check_client
from idp.oidc.checks.dpop_jkt import check_dpop_jkt
from idp.oidc.checks.id_token_hint import check_id_token_hint
from idp.oidc.checks.max_age import check_max_age
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
from idp.oidc.request import Draft

CHECKS = (
    check_client,
    check_redirect_uri,
    check_repeated,
    check_sizes,
    check_request_object,
    check_response_type,
    check_response_mode,
    check_scope,
    check_pkce,
    check_prompt,
    check_max_age,
    check_acr,
    check_dpop_jkt,
    check_resource,
    check_id_token_hint,
)


def run_checks(draft: Draft) -> None:
    """Run every check in order; the first that refuses ends it."""
    for check in CHECKS:
        check(draft)
