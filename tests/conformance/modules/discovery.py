"""Discovery and keys (§3.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from joserfc.jwk import KeySet

if TYPE_CHECKING:
    from tests.conformance.run import Run
    from tests.conformance.suite import Suite

#: Members that the suite's schema knows (RFC 8414 §7.1.2 and the registry that followed); others are a warning.
KNOWN = frozenset(
    [
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "registration_endpoint",
        "scopes_supported",
        "userinfo_endpoint",
        "response_types_supported",
        "response_modes_supported",
        "grant_types_supported",
        "acr_values_supported",
        "subject_types_supported",
        "claims_supported",
        "claim_types_supported",
        "claims_locales_supported",
        "ui_locales_supported",
        "display_values_supported",
        "service_documentation",
        "op_policy_uri",
        "op_tos_uri",
        "claims_parameter_supported",
        "request_parameter_supported",
        "request_uri_parameter_supported",
        "require_request_uri_registration",
        "code_challenge_methods_supported",
        "end_session_endpoint",
        "check_session_iframe",
        "prompt_values_supported",
        "introspection_endpoint",
        "revocation_endpoint",
        "device_authorization_endpoint",
        "pushed_authorization_request_endpoint",
        "require_pushed_authorization_requests",
        "require_signed_request_object",
        "authorization_response_iss_parameter_supported",
        "tls_client_certificate_bound_access_tokens",
        "mtls_endpoint_aliases",
        "dpop_signing_alg_values_supported",
        "authorization_details_types_supported",
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
        "frontchannel_logout_supported",
        "frontchannel_logout_session_supported",
        "signed_metadata",
    ]
).union(
    (
        f"{what}_{kind}_values_supported"
        for what in ("id_token", "userinfo", "request_object", "introspection", "authorization")
        for kind in ("signing_alg", "encryption_alg", "encryption_enc")
    ),
    (
        f"{endpoint}_endpoint_{kind}_supported"
        for endpoint in ("token", "introspection", "revocation")
        for kind in ("auth_methods", "auth_signing_alg_values")
    ),
)


def oidcc_discovery_endpoint_verification(run: Run) -> None:
    """What must be there is there with the right type, nothing unknown is, and what is listed is by https."""
    suite, metadata = run.suite, run.suite.metadata
    assert metadata["issuer"] == suite.issuer
    assert suite.printed["discovery_url"] == f"{suite.issuer}/.well-known/openid-configuration"
    assert {"code", "id_token", "id_token token"} <= set(metadata["response_types_supported"])
    assert {"authorization_code", "implicit"} <= set(metadata["grant_types_supported"])
    assert set(metadata["subject_types_supported"]) <= {"public", "pairwise"}
    assert "RS256" in metadata["id_token_signing_alg_values_supported"]
    assert "RS256" in metadata["userinfo_signing_alg_values_supported"]
    assert "none" not in metadata["id_token_signing_alg_values_supported"]
    assert "openid" in metadata["scopes_supported"]
    assert metadata["claims_supported"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert {"client_secret_basic", "client_secret_post", "private_key_jwt"} <= set(
        metadata["token_endpoint_auth_methods_supported"]
    )
    assert set(metadata) <= KNOWN, set(metadata) - KNOWN
    for name, value in metadata.items():
        if name.endswith(("_endpoint", "_uri", "_iframe")):
            assert value.startswith("https://"), name
        if name.endswith("_supported") and name not in _YES_OR_NO and not isinstance(value, bool):
            assert value, name
            assert all(isinstance(one, str) for one in value), name
    for locale in metadata["ui_locales_supported"]:
        assert re.fullmatch(r"[a-z]{2,3}(-[A-Z]{2})?", locale), locale
    _check_keys(suite)


_YES_OR_NO = {"claims_parameter_supported", "request_parameter_supported"}


def _check_keys(suite: Suite) -> None:
    """Public keys alone, each readable and with a kid of its own, and one for each algorithm that is listed."""
    found = suite.keys()["keys"]
    assert len({key["kid"] for key in found}) == len(found)
    assert not any(set(key) & {"d", "p", "q", "dp", "dq", "qi", "k"} for key in found)
    assert KeySet.import_key_set({"keys": found}).keys
    assert {key["alg"] for key in found} == set(suite.metadata["id_token_signing_alg_values_supported"])


MODULES = {"oidcc-discovery-endpoint-verification": oidcc_discovery_endpoint_verification}
