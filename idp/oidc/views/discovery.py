"""Discovery and keys: bytes prepared once, with an ETag (OIDC Discovery §3, RFC 8414 §2, RFC 7517 §5)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

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


def metadata(settings: Settings) -> dict[str, Any]:
    """What this provider can do, and nothing that it cannot."""
    issuer = settings.server.issuer
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "end_session_endpoint": f"{issuer}/logout",
        "jwks_uri": f"{issuer}/jwks",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "subject_types_supported": ["pairwise", "public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
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
        "acr_values_supported": ["basic", *(["strong"] if settings.passkey_domain else [])],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "ui_locales_supported": list(settings.town.languages),
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


def configuration(provider: Provider, incoming: Incoming) -> Answer:
    """The metadata document."""
    return _cached(_configuration(provider), incoming)


def jwks(provider: Provider, incoming: Incoming) -> Answer:
    """The public signing keys."""
    return _cached(_prepare(provider.keys.jwks), incoming)


@lru_cache(maxsize=4)
def _configuration(provider: Provider) -> Answer:
    body = orjson.dumps(metadata(provider.context.settings))
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
