"""Client metadata as it travels: from JSON to what we register, and back (RFC 7591 §2, OIDC Registration §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson
from pydantic import ValidationError

from idp.clients.metadata import LOCALIZED, NAME_LIMIT, ClientRefused, Details, NewClient
from idp.clients.profiles import PROFILES
from idp.clients.rules import SIGN_IN_LEVELS
from idp.oidc.rules import SCOPES

if TYPE_CHECKING:
    from collections.abc import Collection

    from idp.clients.models import ClientRow

#: What only an operator decides; sent by a client it is as unknown as anything else (RFC 7591 §2).
_OURS = frozenset({"localized", "resource", "access_token_format", "authorization_details_type"})
_PLAIN = frozenset(Details.model_fields) - _OURS
#: A client that nobody vouches for acts for residents, never for itself.
OPEN_GRANTS = frozenset({"authorization_code", "refresh_token", "implicit"})


def read_metadata(body: bytes, content_type: str) -> dict[str, Any]:
    """The members of a registration request; those that are null count as left out.

    Raises:
        ClientRefused: when it is no JSON object.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise ClientRefused("the body must be application/json")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ClientRefused("the body is not JSON") from None
    if not isinstance(found, dict):
        raise ClientRefused("the body is no JSON object")
    return {name: value for name, value in found.items() if value is not None}


def described(values: dict[str, Any], *, profile: str, grants: Collection[str]) -> NewClient:
    """The client that a request describes; what is unknown or not its own to decide is passed over.

    `grants` are those that it may have: `OPEN_GRANTS`, more where somebody vouches for it.

    Raises:
        ClientRefused: for values of another kind than the specifications say.
    """
    redirect_uris = _texts(values, "redirect_uris")
    default_method = "client_secret_basic" if profile in ("standard", "legacy") else "private_key_jwt"
    grant_types = _texts(values, "grant_types") or ("authorization_code",)
    if not set(grants).issuperset(grant_types):
        raise ClientRefused(f"grant_types must be among {', '.join(sorted(grants))}")
    if _text(values, "subject_type", "pairwise") != "pairwise":
        raise ClientRefused("subject_type must be pairwise")
    return NewClient(
        name=_text(values, "client_name") or _host_of(redirect_uris) or "?",
        redirect_uris=redirect_uris,
        application_type=_text(values, "application_type", "web"),
        token_endpoint_auth_method=_text(values, "token_endpoint_auth_method", default_method),
        post_logout_redirect_uris=_texts(values, "post_logout_redirect_uris"),
        grant_types=grant_types,
        scopes=_scopes(values, grant_types),
        id_token_signed_response_alg=_text(
            values, "id_token_signed_response_alg", _default_algorithm(profile)
        ),
        home_url=_text(values, "client_uri"),
        default_acr_values=tuple(
            one for one in _texts(values, "default_acr_values") if one in SIGN_IN_LEVELS
        ),
        default_max_age=_seconds(values, "default_max_age"),
        profile=profile,
        details=_details(values),
    )


def _details(values: dict[str, Any]) -> Details:
    localized = {
        name: value for name, value in values.items() if "#" in name and name.partition("#")[0] in LOCALIZED
    }
    plain = {name: value for name, value in values.items() if name in _PLAIN}
    try:
        if b"\\u0000" in orjson.dumps([plain, localized]):
            raise ClientRefused("a text has a character that cannot be kept")
        return Details(**plain, localized=localized)
    except orjson.JSONEncodeError:
        raise ClientRefused("what is nested so deeply cannot be kept") from None
    except ValidationError as error:
        names = sorted({str(one["loc"][0]) for one in error.errors(include_url=False, include_input=False)})
        raise ClientRefused(f"{', '.join(names)} cannot be read") from None


def _default_algorithm(profile: str) -> str:
    """RS256 (OIDC Registration §2), where the profile has it."""
    algs = PROFILES[profile].own_algs
    return "RS256" if "RS256" in algs else algs[0]


def _scopes(values: dict[str, Any], grant_types: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes that exist, of those asked for; all when none is named (RFC 7591 §2). Purposes limit the claims."""
    asked = _text(values, "scope").split()
    known = [name for name in SCOPES if name in asked] if asked else list(SCOPES)
    if "refresh_token" not in grant_types:
        known = [name for name in known if name != "offline_access"]
    return tuple(known) or ("openid",)


def _text(values: dict[str, Any], name: str, default: str = "") -> str:
    value = values.get(name, default)
    if not isinstance(value, str) or "\0" in value:
        raise ClientRefused(f"{name} must be a text")
    return value


def _texts(values: dict[str, Any], name: str) -> tuple[str, ...]:
    value = values.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) and "\0" not in one for one in value):
        raise ClientRefused(f"{name} must be an array of texts", _code_of(name))
    if len(value) > 50:  # noqa: PLR2004 - more than any service has
        raise ClientRefused(f"{name} has too many values", _code_of(name))
    return tuple(value)


def _code_of(name: str) -> str:
    return "invalid_redirect_uri" if name == "redirect_uris" else "invalid_client_metadata"


def _seconds(values: dict[str, Any], name: str) -> int | None:
    value = values.get(name)
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31
    ):
        raise ClientRefused(f"{name} must be a number of seconds")
    return value


def _host_of(redirect_uris: tuple[str, ...]) -> str:
    """What a client without a name is called: the host it is answered at, or the scheme of its own, whatever follows that."""
    try:
        parts = urlsplit(redirect_uris[0] if redirect_uris else "")
    except ValueError:
        return ""
    return ((parts.hostname or "") if parts.scheme in ("https", "http") else parts.scheme)[:NAME_LIMIT]


def as_json(row: ClientRow, registration_uri: str) -> dict[str, Any]:
    """What is registered, as it is told to the client itself (RFC 7592 §3); its secret is never told again."""
    details = Details(**row.details)
    told = {name: value for name, value in details.model_dump(mode="json").items() if name not in _OURS}
    told = {name: value for name, value in told.items() if value not in (None, "", [], {})}
    return {
        "client_id": row.client_id,
        "client_id_issued_at": row.created_at,
        "registration_client_uri": registration_uri,
        "client_name": row.name,
        **({"client_uri": row.home_url} if row.home_url else {}),
        "redirect_uris": row.redirect_uris,
        "post_logout_redirect_uris": row.post_logout_redirect_uris,
        "application_type": row.application_type,
        "token_endpoint_auth_method": row.token_endpoint_auth_method,
        "grant_types": row.grant_types,
        "scope": " ".join(row.scopes),
        "subject_type": "pairwise" if row.is_pairwise else "public",
        "id_token_signed_response_alg": row.id_token_signed_response_alg,
        **({"default_acr_values": row.default_acr_values} if row.default_acr_values else {}),
        **({"default_max_age": row.default_max_age} if row.default_max_age is not None else {}),
        **told,
        **details.localized,
    }
