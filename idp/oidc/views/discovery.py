"""Discovery and keys: bytes prepared once, with an ETag (OIDC Discovery §3, RFC 8414 §2, RFC 7517 §5)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from idp.clients.metadata import DEVICE_GRANT, ENCRYPTION_ALGORITHMS, ENCRYPTION_METHODS
from idp.clients.profiles import RESPONSE_TYPES, SECRET_ALGORITHMS, SIGNING_ALGORITHMS, STRONG_ALGORITHMS
from idp.clients.rules import SIGN_IN_LEVELS
from idp.login.levels import PHR
from idp.oidc.checks.response_mode import RESPONSE_MODES
from idp.oidc.rules import CLAIMS, SCOPES
from idp.oidc.views import check_session
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
    "pushed_authorization_request_endpoint": "/par",
    "device_authorization_endpoint": "/device_authorization",
    "token_endpoint": "/token",
    "userinfo_endpoint": "/userinfo",
    "introspection_endpoint": "/introspect",
    "revocation_endpoint": "/revoke",
    "end_session_endpoint": "/logout",
    "jwks_uri": "/jwks",
}
#: What is Denizen's own stands in a document of its own: no standard knows these names.
CONSENT: Final = "/.well-known/denizen-consent"
_CONSENT = {
    "request_endpoint": "/consent/requests",
    "decision_endpoint": "/consent/decisions",
    "confirmation_endpoint": "/consent/confirmations",
    "receipts_jwks_uri": "/receipts/jwks",
    "log_vkey_uri": "/log/vkey",
}
#: Endpoints to which clients bring certificates (RFC 8705 §5).
_WITH_CERTIFICATE = (
    "pushed_authorization_request_endpoint",
    "device_authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
    "request_endpoint",
    "decision_endpoint",
    "confirmation_endpoint",
)
#: How requests may come; single clients must push or sign theirs (RFC 9126 §5, RFC 9101 §10.5, OIDC Discovery §3).
_REQUESTS = {
    "require_pushed_authorization_requests": False,
    "require_signed_request_object": False,
    "request_parameter_supported": True,
    "request_uri_parameter_supported": True,
    "require_request_uri_registration": True,
    "request_object_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
}
_METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt")


def metadata(settings: Settings, types: tuple[str, ...] = ()) -> dict[str, Any]:
    """What this provider can do, and nothing that it cannot. `types` are those of permissions for single matters."""
    issuer = settings.server.issuer
    return {
        "issuer": issuer,
        **{name: f"{issuer}{path}" for name, path in _ENDPOINTS.items()},
        **_more_endpoints(settings),
        "response_types_supported": sorted(RESPONSE_TYPES),
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": [
            "authorization_code",
            "implicit",
            "refresh_token",
            "client_credentials",
            DEVICE_GRANT,
        ],
        "subject_types_supported": ["pairwise", "public"],
        **_client_authentication(settings),
        **_algorithms(settings),
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
        **_signing_out(settings),
        "ui_locales_supported": list(settings.town.languages),
        "authorization_response_iss_parameter_supported": True,
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": True,
        # The same pages for all: they need little room and no script.
        "display_values_supported": ["page", "popup", "touch", "wap"],
        **_details_types(types),
        **_REQUESTS,
    }


def _details_types(types: tuple[str, ...]) -> dict[str, Any]:
    """The types of permission for single matters, where there are any (RFC 9396 §10, RFC 9728 §2)."""
    return {"authorization_details_types_supported": list(types)} if types else {}


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


def _signing_out(settings: Settings) -> dict[str, Any]:
    """How clients learn that a session has ended (Back-Channel, Front-Channel Logout, Session Management 1.0)."""
    found: dict[str, Any] = {
        f"{channel}_logout_{what}supported": True
        for channel in ("backchannel", "frontchannel")
        for what in ("", "session_")
    }
    if settings.sessions.browser_check:
        found["check_session_iframe"] = f"{settings.server.issuer}{check_session.PATH}"
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


def _algorithms(settings: Settings) -> dict[str, Any]:
    """What we sign with, what we encrypt to, what proofs may be signed with."""
    found: dict[str, Any] = {}
    for what in ("id_token", "userinfo", "introspection", "authorization"):
        found[f"{what}_signing_alg_values_supported"] = list(settings.keys.algorithms)
    for what in ("id_token", "userinfo", "introspection", "authorization"):
        found[f"{what}_encryption_alg_values_supported"] = list(ENCRYPTION_ALGORITHMS)
        found[f"{what}_encryption_enc_values_supported"] = list(ENCRYPTION_METHODS)
    found["dpop_signing_alg_values_supported"] = list(STRONG_ALGORITHMS)
    return found


def resource_metadata(settings: Settings, path: str = "", types: tuple[str, ...] = ()) -> dict[str, Any]:
    """What whoever brings a token to a resource of ours must know (RFC 9728 §2): userinfo by its path, "" for all of us.

    Who comes from a challenge of userinfo must find the very address that they asked (§3.3).
    """
    issuer = settings.server.issuer
    return {
        "resource": f"{issuer}{path}",
        "authorization_servers": [issuer],
        "jwks_uri": f"{issuer}/jwks",
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": ["header", "body"],
        "resource_name": settings.town.name,
        "dpop_signing_alg_values_supported": list(STRONG_ALGORITHMS),
        "dpop_bound_access_tokens_required": False,
        "tls_client_certificate_bound_access_tokens": bool(settings.server.mtls_url),
        **_details_types(types),
    }


def protected_resource(provider: Provider, incoming: Incoming, *, path: str = "") -> Answer:
    """`/.well-known/oauth-protected-resource`, and behind it the path of a resource of ours (RFC 9728 §3)."""
    return _cached(_resource(provider, path, provider.clients.details_types), incoming)


def consent_services(provider: Provider, incoming: Incoming) -> Answer:
    """Where partners ask outside a sign-in, check answers and confirm; where receipts and the log can be checked."""
    return _cached(_consent(provider.issuer, provider.context.settings.server.mtls_url), incoming)


def configuration(provider: Provider, incoming: Incoming) -> Answer:
    """The metadata document."""
    return _cached(_configuration(provider, provider.clients.details_types), incoming)


def jwks(provider: Provider, incoming: Incoming) -> Answer:
    """The public signing keys."""
    return _cached(_prepare(provider.keys.jwks), incoming)


@lru_cache(maxsize=4)
def _configuration(provider: Provider, types: tuple[str, ...]) -> Answer:
    return _for_minutes(metadata(provider.context.settings, types))


@lru_cache(maxsize=4)
def _consent(issuer: str, mtls_url: str) -> Answer:
    found: dict[str, Any] = {"issuer": issuer, **{name: f"{issuer}{path}" for name, path in _CONSENT.items()}}
    if mtls_url not in ("", issuer):
        found["mtls_endpoint_aliases"] = {
            name: f"{mtls_url}{_CONSENT[name]}" for name in _CONSENT if name in _WITH_CERTIFICATE
        }
    return _for_minutes(found)


@lru_cache(maxsize=4)
def _resource(provider: Provider, path: str, types: tuple[str, ...]) -> Answer:
    return _for_minutes(resource_metadata(provider.context.settings, path, types))


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
