"""Security profiles: what a client of each may and must do; pure.

A client has one profile. Checks and grants read these values, and nothing else branches on a profile's name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

#: What proves something asymmetrically, by the algorithms that are fit for every profile (FAPI 2.0 §5.4.1).
STRONG_ALGORITHMS = ("ES256", "PS256", "EdDSA", "Ed25519")
#: Everything that a client may sign with; `none` and symmetric algorithms are never among it.
SIGNING_ALGORITHMS = (*STRONG_ALGORITHMS, "RS256")
#: What can sign for us. There is a key in our key set of each that `[keys] algorithms` names.
OWN_ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA")
#: Those of which there is always a key.
USUAL_ALGORITHMS = ("ES256", "RS256")
#: A JWS keyed with a client secret; such a secret is kept sealed, not hashed.
SECRET_ALGORITHMS = ("HS256",)

ASSERTION_METHODS = frozenset({"client_secret_jwt", "private_key_jwt"})
TLS_METHODS = frozenset({"tls_client_auth", "self_signed_tls_client_auth"})
SECRET_METHODS = frozenset({"client_secret_basic", "client_secret_post", "client_secret_jwt"})
ALL_METHODS = SECRET_METHODS | ASSERTION_METHODS | TLS_METHODS | {"none"}

_HYBRID = frozenset(
    {"id_token", "id_token token", "code id_token", "code token", "code id_token token", "code"}
)


@dataclass(frozen=True, slots=True)
class Profile:
    """What one security profile allows and demands. Durations are seconds."""

    name: str
    #: Response types, each with its values in alphabetical order.
    response_types: frozenset[str]
    par_required: bool
    #: The request must be a signed request object (RFC 9101).
    signed_request_required: bool
    auth_methods: frozenset[str]
    #: What a client may sign with: assertions, request objects, DPoP proofs.
    signing_algs: tuple[str, ...]
    #: What may sign for us: ID tokens, JARM, userinfo, introspection.
    own_algs: tuple[str, ...]
    #: "issuer": `aud` of an assertion is the issuer and nothing else, as a string; "endpoint": or an endpoint of ours.
    assertion_audience: Literal["issuer", "endpoint"]
    #: The longest life of a pushed request. That of a code is a setting, and a minute at most for everybody.
    request_for: int
    #: The longest time between nbf and exp of a request object, both of which it must then have; 0 demands neither.
    object_for: int
    #: Whether each use of a refresh token spends it; if not, it stays good and is bound to the client's proof.
    rotates_refresh: bool
    #: Access tokens must be bound to a key by DPoP or mutual TLS.
    sender_constrained: bool
    #: Whether a device without a keyboard may have its codes entered in a browser that it cannot see (RFC 8628).
    device_grant: bool
    #: DPoP proofs must carry a nonce of ours (RFC 9449 §8).
    dpop_nonce: bool
    #: Whether clients that can keep a secret must prove, too, that a code is for them (PKCE). Those that cannot always must.
    pkce_required: bool
    #: Redirect URIs begin with https://, but for the loopback IP address of a native client (FAPI 2.0 §5.3.2.2 no. 8).
    https_redirects: bool


STANDARD = Profile(
    name="standard",
    response_types=frozenset({"code"}),
    par_required=False,
    signed_request_required=False,
    auth_methods=ALL_METHODS,
    signing_algs=SIGNING_ALGORITHMS,
    own_algs=OWN_ALGORITHMS,
    assertion_audience="endpoint",
    request_for=600,
    object_for=0,
    rotates_refresh=True,
    sender_constrained=False,
    device_grant=True,
    dpop_nonce=False,
    pkce_required=True,
    https_redirects=False,
)
#: FAPI 2.0 Security Profile Final.
FAPI2 = Profile(
    name="fapi2",
    response_types=frozenset({"code"}),
    par_required=True,
    signed_request_required=False,
    auth_methods=frozenset({"private_key_jwt"}) | TLS_METHODS,
    signing_algs=STRONG_ALGORITHMS,
    own_algs=("ES256", "PS256", "EdDSA"),
    assertion_audience="issuer",
    request_for=90,
    object_for=3600,
    rotates_refresh=False,
    sender_constrained=True,
    device_grant=False,
    dpop_nonce=False,
    pkce_required=True,
    https_redirects=True,
)
#: FAPI 2.0 Message Signing Final: requests are signed besides.
FAPI2_SIGNED = replace(FAPI2, name="fapi2-signed", signed_request_required=True)
#: Old software and certification: whatever passes the front channel, too, and codes without PKCE.
LEGACY = replace(STANDARD, name="legacy", response_types=_HYBRID, pkce_required=False)

PROFILES = {one.name: one for one in (STANDARD, FAPI2, FAPI2_SIGNED, LEGACY)}
#: Every response type that some client may have.
RESPONSE_TYPES = frozenset[str]().union(*(one.response_types for one in PROFILES.values()))
