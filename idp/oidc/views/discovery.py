"""Discovery and keys: bytes prepared once, with an ETag (OIDC Discovery §3, RFC 8414 §2, RFC 7517 §5)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from idp.clients.metadata import ENCRYPTION_ALGORITHMS, ENCRYPTION_METHODS
from idp.clients.profiles import SECRET_ALGORITHMS, SIGNING_ALGORITHMS, STRONG_ALGORITHMS
from idp.clients.rules import SIGN_IN_LEVELS
from idp.login.levels import PHR
from idp.oidc.rules import CLAIMS, SCOPES
from idp.settings import JWKS_CACHE_FOR
from idp.web.answers import NO_CONTENT_POLICY, SECURITY_HEADERS, Answer, Header

if TYPE_CHECKING:
    from idp.oidc.provider import Provider
    from idp.settings import Settings
    from idp.web.incoming import Incoming

_PUBLIC: tuple[Header, ...] = (
    ("Cache-Control", f"public, max-age={JWKS_CACHE_FOR}"),
    ("Access-Control-Allow-Origin", "*"),
    NO_CONTENT_POLICY,
    *((name, value) for name, value in SECURITY_HEADERS if name != "Cross-Origin-Resource-Policy"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
)
_SHORT = 300  # discovery may change with an upgrade
_ENDPOINTS = {
    "authorization_endpoint": "/authorize",
    "token_endpoint": "/token",
    "userinfo_endpoint": "/userinfo",
    "introspection_endpoint": "/introspect",
    "revocation_endpoint": "/revoke",
    "end_session_endpoint": "/logout",
    "jwks_uri": "/jwks",
}
#: Endpoints to which clients bring certificates (RFC 8705 §5).
_WITH_CERTIFICATE = ("token_endpoint", "userinfo_endpoint", "introspection_endpoint", "revocation_endpoint")
_METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt")


def metadata(settings: Settings) -> dict[str, Any]:
    """What this provider can do, and nothing that it cannot."""
    issuer = settings.server.issuer
    return {
        "issuer": issuer,
        **{name: f"{issuer}{path}" for name, path in _ENDPOINTS.items()},
        **_more_endpoints(settings),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "subject_types_supported": ["pairwise", "public"],
        **_client_authentication(settings),
        **_algorithms(),
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": list(SCOPES),
        "claims_supported": [
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "nonce",
            "acr",
            "amr",
            "sid",
            *CLAIMS,
        ],
        "acr_values_supported": [
            level for level in SIGN_IN_LEVELS if level != PHR or settings.passkey_domain
        ],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "ui_locales_supported": list(settings.town.languages),
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


def _more_endpoints(settings: Settings) -> dict[str, Any]:
    """Registration where it is open to anybody; the same endpoints at the host that asks for certificates."""
    found: dict[str, Any] = {}
    if settings.registration.mode != "closed":
        found["registration_endpoint"] = f"{settings.server.issuer}/register"
    if settings.server.mtls_url not in ("", settings.server.issuer):
        names = [name for name in _ENDPOINTS if name in _WITH_CERTIFICATE]
        found["mtls_endpoint_aliases"] = {
            name: f"{settings.server.mtls_url}{_ENDPOINTS[name]}" for name in names
        }
    return found


def _client_authentication(settings: Settings) -> dict[str, Any]:
    """How clients prove themselves (RFC 8414 §2, RFC 8705 §3.3): by certificate only where a proxy asks for one."""
    server = settings.server
    tls = ["self_signed_tls_client_auth"] if server.mtls_url else []
    tls += ["tls_client_auth"] if server.mtls_url and server.client_ca else []
    confidential = [*_METHODS, *tls]
    algorithms = [*SIGNING_ALGORITHMS, *SECRET_ALGORITHMS]
    found: dict[str, Any] = {}
    for endpoint in ("token", "revocation", "introspection"):
        found[f"{endpoint}_endpoint_auth_methods_supported"] = (
            confidential if endpoint == "introspection" else [*confidential, "none"]
        )
        found[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = algorithms
    found["tls_client_certificate_bound_access_tokens"] = bool(server.mtls_url)
    return found


def _algorithms() -> dict[str, Any]:
    """What we sign with, what we encrypt to, what proofs may be signed with."""
    found: dict[str, Any] = {"id_token_signing_alg_values_supported": ["RS256", "ES256"]}
    for what in ("userinfo", "introspection"):
        found[f"{what}_signing_alg_values_supported"] = ["RS256", "ES256"]
    for what in ("id_token", "userinfo", "introspection"):
        found[f"{what}_encryption_alg_values_supported"] = list(ENCRYPTION_ALGORITHMS)
        found[f"{what}_encryption_enc_values_supported"] = list(ENCRYPTION_METHODS)
    found["dpop_signing_alg_values_supported"] = list(STRONG_ALGORITHMS)
    return found


def resource_metadata(settings: Settings) -> dict[str, Any]:
    """What whoever brings a token to our own resource, userinfo, must know (RFC 9728 §2)."""
    issuer = settings.server.issuer
    return {
        "resource": issuer,
        "authorization_servers": [issuer],
        "jwks_uri": f"{issuer}/jwks",
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": ["header", "body"],
        "resource_name": settings.town.name,
        "dpop_signing_alg_values_supported": list(STRONG_ALGORITHMS),
        "dpop_bound_access_tokens_required": False,
        "tls_client_certificate_bound_access_tokens": bool(settings.server.mtls_url),
    }


def protected_resource(provider: Provider, incoming: Incoming) -> Answer:
    """`/.well-known/oauth-protected-resource` (RFC 9728 §3)."""
    return _cached(_resource(provider), incoming)


def configuration(provider: Provider, incoming: Incoming) -> Answer:
    """The metadata document."""
    return _cached(_configuration(provider), incoming)


def jwks(provider: Provider, incoming: Incoming) -> Answer:
    """The public signing keys."""
    return _cached(_prepare(provider.keys.jwks), incoming)


@lru_cache(maxsize=4)
def _configuration(provider: Provider) -> Answer:
    return _for_minutes(metadata(provider.context.settings))


@lru_cache(maxsize=4)
def _resource(provider: Provider) -> Answer:
    return _for_minutes(resource_metadata(provider.context.settings))


def _for_minutes(document: dict[str, Any]) -> Answer:
    body = orjson.dumps(document)
    found = _prepare(body)
    headers = [(n, f"public, max-age={_SHORT}" if n == "Cache-Control" else v) for n, v in found.headers]
    return Answer(200, headers, body)


@lru_cache(maxsize=4)
def _prepare(body: bytes) -> Answer:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("ETag", etag),
        *_PUBLIC,
    ]
    return Answer(200, headers, body)


def _cached(prepared: Answer, incoming: Incoming) -> Answer:
    """304 for a caller that has these very bytes (RFC 9110 §13.1.2)."""
    wanted = incoming.header("HTTP_IF_NONE_MATCH")
    if wanted:
        etag = dict(prepared.headers)["ETag"]
        if wanted == "*" or etag in [tag.strip().removeprefix("W/") for tag in wanted.split(",")]:
            return Answer(
                304, [(n, v) for n, v in prepared.headers if n not in ("Content-Type", "Content-Length")]
            )
    if incoming.method == "HEAD":
        return Answer(200, prepared.headers)
    return prepared
