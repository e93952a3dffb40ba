"""What can be said about a client, by a manifest and by registration over HTTP alike, and what of it is acceptable.

Names are those of RFC 7591, OpenID Connect Registration, the logout specifications and RFC 8705, 9101, 9126, 9396,
9449, 9701; what is ours is said to be.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from idp.clients.details_types import DetailsType
from idp.clients.profiles import (
    ALL_METHODS,
    PROFILES,
    SECRET_ALGORITHMS,
    TLS_METHODS,
    USUAL_ALGORITHMS,
    Profile,
)
from idp.clients.rules import (
    SIGN_IN_LEVELS,
    address_of,
    fetchable_problem,
    is_distinguished_name,
    is_in_the_clear,
    is_on_this_machine,
    link_problem,
    origin_of,
    redirect_problem,
)
from idp.jose.keys import jwks_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
GRANT_TYPES = (
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "implicit",
    DEVICE_GRANT,
)
APPLICATION_TYPES = ("web", "native")
ENCRYPTION_ALGORITHMS = ("RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
ENCRYPTION_METHODS = ("A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM")
DEFAULT_ENCRYPTION_METHOD = "A128CBC-HS256"
#: What may be given per language, as `client_name#fr` (RFC 7591 §2.2).
LOCALIZED = ("client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri")
#: What we send to a client that registered for it, encrypted if it likes.
ENCRYPTED = ("id_token", "userinfo", "authorization", "introspection")
NAME_LIMIT = 120
CERTIFICATE_NAMES = (
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
)
_SCOPE = re.compile(r"[!#-\[\]-~]+")  # scope-token of RFC 6749 §3.3
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")

#: An address, at the length that we keep.
Address = str


class ClientRefused(Exception):
    """The metadata cannot be registered; the text says what to change, `code` is the error of RFC 7591 §3.2.2."""

    def __init__(self, text: str, code: str = "invalid_client_metadata") -> None:
        super().__init__(text)
        self.code = code


class Details(BaseModel):
    """Metadata that no query looks for: one JSON column. `resource` and what follows it is ours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    response_types: tuple[str, ...] = ("code",)
    token_endpoint_auth_signing_alg: str = ""
    jwks: dict[str, Any] | None = None
    jwks_uri: Address = Field("", max_length=2000)
    sector_identifier_uri: Address = Field("", max_length=2000)

    id_token_encrypted_response_alg: str = ""
    id_token_encrypted_response_enc: str = ""
    userinfo_signed_response_alg: str = ""
    userinfo_encrypted_response_alg: str = ""
    userinfo_encrypted_response_enc: str = ""
    introspection_signed_response_alg: str = ""
    introspection_encrypted_response_alg: str = ""
    introspection_encrypted_response_enc: str = ""
    authorization_signed_response_alg: str = ""
    authorization_encrypted_response_alg: str = ""
    authorization_encrypted_response_enc: str = ""
    request_object_signing_alg: str = ""

    require_auth_time: bool = False
    initiate_login_uri: Address = Field("", max_length=2000)
    request_uris: tuple[Address, ...] = Field((), max_length=20)
    frontchannel_logout_uri: Address = Field("", max_length=2000)
    frontchannel_logout_session_required: bool = False
    backchannel_logout_uri: Address = Field("", max_length=2000)
    backchannel_logout_session_required: bool = False
    #: Where security events are pushed to (RFC 8935); ours.
    events_uri: Address = Field("", max_length=2000)

    tls_client_auth_subject_dn: str = Field("", max_length=1000)
    tls_client_auth_san_dns: str = Field("", max_length=255)
    tls_client_auth_san_uri: str = Field("", max_length=1000)
    tls_client_auth_san_ip: str = Field("", max_length=45)
    tls_client_auth_san_email: str = Field("", max_length=255)
    tls_client_certificate_bound_access_tokens: bool = False
    dpop_bound_access_tokens: bool = False

    require_pushed_authorization_requests: bool = False
    require_signed_request_object: bool = False
    authorization_details_types: tuple[str, ...] = Field((), max_length=50)

    contacts: tuple[str, ...] = Field((), max_length=20)
    logo_uri: Address = Field("", max_length=2000)
    policy_uri: Address = Field("", max_length=2000)
    tos_uri: Address = Field("", max_length=2000)
    #: By `name#language`, such as `client_name#fr`.
    localized: dict[str, str] = Field(default_factory=dict)
    software_id: str = Field("", max_length=200)
    software_version: str = Field("", max_length=200)
    #: As it was verified, and told back unchanged (RFC 7591 §3.2.1).
    software_statement: str = Field("", max_length=32 * 1024)

    #: The identifier of its API, if it protects scopes (RFC 8707 §2), and in which form tokens for it come.
    resource: Address = Field("", max_length=2000)
    access_token_format: str = Field("opaque", pattern=r"^(opaque|jwt)$")
    #: Types of permission that its API understands, with their words for residents.
    authorization_details_type: tuple[DetailsType, ...] = Field((), max_length=50)

    def text(self, name: str, language: str) -> str:
        """A text or address in a language; in the one without a language otherwise; "" when there is none."""
        found = self.localized.get(f"{name}#{language}") or self.localized.get(f"{name}#{language[:2]}")
        return found or getattr(self, name, "") or ""

    @property
    def has_jwt_tokens(self) -> bool:
        """Whether access tokens for it are JWTs (RFC 9068) instead of texts that say nothing."""
        return self.access_token_format == "jwt"

    def kept(self) -> dict[str, Any]:
        """What differs from the defaults, as it is kept."""
        return self.model_dump(mode="json", exclude_defaults=True)


@dataclass(frozen=True, slots=True)
class NewClient:
    """Metadata of a client to be.

    `minimum_acr` is ours: the level of sign-in below which nobody gets there, whatever a request says;
    `purpose_acr` demands one where a purpose, by its key, is asked for. `profile` is one of `PROFILES`.
    """

    name: str
    redirect_uris: Sequence[str] = ()
    client_id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    application_type: str = "web"
    token_endpoint_auth_method: str = "client_secret_basic"
    post_logout_redirect_uris: Sequence[str] = ()
    grant_types: Sequence[str] = ("authorization_code",)
    scopes: Sequence[str] = ("openid",)
    protects_scopes: Sequence[str] = ()
    id_token_signed_response_alg: str = "ES256"
    home_url: str = ""
    is_pairwise: bool = True
    sector: str = ""
    minimum_acr: str = "basic"
    purpose_acr: Mapping[str, str] = field(default_factory=dict)
    default_acr_values: Sequence[str] = ()
    default_max_age: int | None = None
    profile: str = "standard"
    details: Details = field(default_factory=Details)


def check(
    new: NewClient, *, allow_loopback: bool = False, algorithms: Sequence[str] = USUAL_ALGORITHMS
) -> None:
    """See that a client can be registered as it is described.

    `allow_loopback` lets addresses that we would fetch, or send tokens to, be on this machine (`[testing]`). `algorithms` are those of
    which we have a key (`[keys]`).

    Raises:
        ClientRefused: for the first thing that is not acceptable.
    """
    profile = PROFILES.get(new.profile)
    if profile is None:
        raise ClientRefused(f"profile must be one of {', '.join(PROFILES)}")
    _check_redirects(new, profile, allow_loopback=allow_loopback)
    _check_addresses(new, allow_loopback=allow_loopback)
    for problem in (
        *_problems_of_use(new, profile),
        *_problems_of_signing(new, profile, algorithms),
        *_problems_of_algorithms(new, profile),
        *_problems_of_keys(new),
        *_problems_of_levels(new),
    ):
        raise ClientRefused(problem)


def _check_redirects(new: NewClient, profile: Profile, *, allow_loopback: bool) -> None:
    native = new.application_type == "native"
    for uri in (*new.redirect_uris, *new.post_logout_redirect_uris):
        problem = redirect_problem(uri, native=native)
        if problem is None and uri in new.redirect_uris:
            problem = _problem_of_answers(new, profile, uri, allow_loopback=allow_loopback)
        if problem:
            raise ClientRefused(f"redirect URI {uri!r} {problem}", "invalid_redirect_uri")


def _problem_of_answers(new: NewClient, profile: Profile, uri: str, *, allow_loopback: bool) -> str | None:
    """Why what this client is answered must not go there (FAPI 2.0 §5.3.2.2, OIDC Registration §2 application_type)."""
    native = new.application_type == "native"
    if profile.https_redirects and is_in_the_clear(uri, native=native):
        return "must begin with https://, or be the loopback IP address of a native client"
    if "implicit" in new.grant_types and not native and is_on_this_machine(uri) and not allow_loopback:
        return "must not be on localhost, as tokens go there through the browser"
    return None


def _check_addresses(new: NewClient, *, allow_loopback: bool) -> None:
    details = new.details
    names = ("jwks_uri", "sector_identifier_uri", "backchannel_logout_uri", "events_uri")
    fetched: dict[str, tuple[str, ...]] = {name: (getattr(details, name),) for name in names}
    fetched |= {"request_uris": tuple(uri.partition("#")[0] for uri in details.request_uris)}
    for name, uris in fetched.items():
        for uri in filter(None, uris):
            problem = fetchable_problem(uri, allow_loopback=allow_loopback)
            if problem:
                raise ClientRefused(f"{name} {problem}")
    _check_links(new, allow_loopback=allow_loopback)
    for problem in _problems_of_language(details, allow_loopback=allow_loopback):
        raise ClientRefused(problem)


def _check_links(new: NewClient, *, allow_loopback: bool) -> None:
    """Addresses that only browsers go to. A frame at the end of a session is for pages of the client alone (Front-Channel Logout 1.0 §2)."""
    details = new.details
    names = ("logo_uri", "policy_uri", "tos_uri", "initiate_login_uri", "frontchannel_logout_uri")
    for name in names:
        problem = link_problem(getattr(details, name), allow_loopback=allow_loopback)
        if problem:
            raise ClientRefused(f"{name} {problem}")
    front = origin_of(details.frontchannel_logout_uri)
    if front and front not in map(origin_of, new.redirect_uris):
        raise ClientRefused("frontchannel_logout_uri must be at the scheme, host and port of a redirect URI")
    problem = link_problem(new.home_url, allow_loopback=True)
    if problem:
        raise ClientRefused(f"client_uri {problem}")
    if details.resource and (":" not in details.resource or set(' "\\#') & set(details.resource)):
        raise ClientRefused("resource must be an absolute URI without a fragment")


def _problems_of_language(details: Details, *, allow_loopback: bool) -> Iterator[str]:
    for key, value in details.localized.items():
        name, _, language = key.partition("#")
        if name not in LOCALIZED or not _LANGUAGE.fullmatch(language):
            yield f"{key[:60]} is not known"
        elif name == "client_name" and not (0 < len(value) <= NAME_LIMIT and value.isprintable()):
            yield f"{key} must have 1 to {NAME_LIMIT} characters that can be seen"
        elif name != "client_name" and link_problem(value, allow_loopback=allow_loopback):
            yield f"{key} {link_problem(value, allow_loopback=allow_loopback)}"


def _problems_of_use(new: NewClient, profile: Profile) -> Iterator[str]:
    """How it signs in, what for, and under which names."""
    if not new.name.strip() or len(new.name) > NAME_LIMIT or not new.name.isprintable():
        yield f"the name must have 1 to {NAME_LIMIT} characters that can be seen"
    if new.token_endpoint_auth_method not in ALL_METHODS & profile.auth_methods:
        yield f"token_endpoint_auth_method must be one of {', '.join(sorted(profile.auth_methods))}"
    if set(new.grant_types) - set(GRANT_TYPES) or not new.grant_types:
        yield f"grant_types must be among {', '.join(GRANT_TYPES)}"
    if new.token_endpoint_auth_method == "none" and "client_credentials" in new.grant_types:
        yield "a public client cannot use client_credentials"
    if DEVICE_GRANT in new.grant_types and not profile.device_grant:
        yield f"{DEVICE_GRANT} is not for clients of this profile"
    if {"authorization_code", "implicit"} & set(new.grant_types) and not new.redirect_uris:
        yield "redirect_uris is missing"
    if not all(_SCOPE.fullmatch(scope) for scope in (*new.scopes, *new.protects_scopes)):
        yield "scopes must not be empty or contain spaces, quotes or backslashes"
    if new.application_type not in APPLICATION_TYPES:
        yield f"application_type must be one of {', '.join(APPLICATION_TYPES)}"
    yield from _problems_of_response_types(new, profile)


def _problems_of_response_types(new: NewClient, profile: Profile) -> Iterator[str]:
    """RFC 7591 §2.1: response types and grants must speak of the same thing."""
    grants = set(new.grant_types)
    if "implicit" in grants and profile.response_types == {"code"}:
        yield "implicit is not for clients of this profile"
    if not {"authorization_code", "implicit"} & grants:
        return
    for response_type in new.details.response_types:
        values = set(response_type.split())
        if " ".join(sorted(values)) not in profile.response_types:
            yield f"response_types must be among {', '.join(sorted(profile.response_types))}"
        if "code" in values and "authorization_code" not in grants:
            yield "response_types has code, so grant_types must have authorization_code"
        if values - {"code"} and "implicit" not in grants:
            yield "response_types has more than code, so grant_types must have implicit"


def _problems_of_signing(new: NewClient, profile: Profile, algorithms: Sequence[str]) -> Iterator[str]:
    """What we are to sign with."""
    details = new.details
    ours = {"id_token_signed_response_alg": new.id_token_signed_response_alg} | {
        name: getattr(details, name)
        for name in (
            "userinfo_signed_response_alg",
            "introspection_signed_response_alg",
            "authorization_signed_response_alg",
        )
    }
    allowed = [alg for alg in profile.own_algs if alg in algorithms]
    for name, alg in ours.items():
        if alg and alg not in allowed:
            yield f"{name} must be one of {', '.join(allowed)}"


#: Answers that are plain JSON unless their client registered how they are signed.
_SIGNED_IF_SAID = ("userinfo", "introspection")


def _problems_of_algorithms(new: NewClient, profile: Profile) -> Iterator[str]:
    """What it signs with, and what we encrypt to it with."""
    details = new.details
    is_secret = new.token_endpoint_auth_method == "client_secret_jwt"
    allowed = SECRET_ALGORITHMS if is_secret else profile.signing_algs
    if details.token_endpoint_auth_signing_alg not in ("", *allowed):
        yield f"token_endpoint_auth_signing_alg must be one of {', '.join(allowed)}"
    if details.request_object_signing_alg not in ("", *profile.signing_algs):
        yield f"request_object_signing_alg must be one of {', '.join(profile.signing_algs)}"
    for what in ENCRYPTED:
        alg, enc = encryption_of(details, what)
        if alg not in ("", *ENCRYPTION_ALGORITHMS):
            yield f"{what}_encrypted_response_alg must be one of {', '.join(ENCRYPTION_ALGORITHMS)}"
        if alg and what in _SIGNED_IF_SAID and not getattr(details, f"{what}_signed_response_alg"):
            yield f"{what}_encrypted_response_alg needs {what}_signed_response_alg"
        if enc and (not alg or enc not in ENCRYPTION_METHODS):
            yield f"{what}_encrypted_response_enc must be one of {', '.join(ENCRYPTION_METHODS)}, with an alg"


def encryption_of(details: Details, what: str) -> tuple[str, str]:
    """The algorithm and method with which something is encrypted to a client; two empty texts for not at all."""
    alg = getattr(details, f"{what}_encrypted_response_alg")
    enc = getattr(details, f"{what}_encrypted_response_enc")
    return alg, enc or (DEFAULT_ENCRYPTION_METHOD if alg else "")


def _problems_of_keys(new: NewClient) -> Iterator[str]:
    details = new.details
    if details.tls_client_certificate_bound_access_tokens and details.dpop_bound_access_tokens:
        yield "tokens are bound to a certificate or by DPoP, not in both ways"
    if details.jwks is not None and details.jwks_uri:
        yield "jwks and jwks_uri must not both be given"
    if details.jwks is not None and (problem := jwks_problem(details.jwks)):
        yield f"jwks {problem}"
    method = new.token_endpoint_auth_method
    needs_keys = (
        method in ("private_key_jwt", "self_signed_tls_client_auth")
        or details.require_signed_request_object
        or PROFILES[new.profile].signed_request_required
        or any(encryption_of(details, what)[0] for what in ENCRYPTED)
    )
    if needs_keys and details.jwks is None and not details.jwks_uri:
        yield "jwks or jwks_uri is missing"
    named = [name for name in CERTIFICATE_NAMES if getattr(details, name)]
    if method == "tls_client_auth" and len(named) != 1:
        yield f"exactly one of {', '.join(CERTIFICATE_NAMES)} must be given"
    if named and method not in TLS_METHODS:
        yield f"{named[0]} is for tls_client_auth only"
    if details.tls_client_auth_subject_dn and not is_distinguished_name(details.tls_client_auth_subject_dn):
        yield "tls_client_auth_subject_dn is no distinguished name (RFC 4514)"
    if details.tls_client_auth_san_ip and address_of(details.tls_client_auth_san_ip) is None:
        yield "tls_client_auth_san_ip is no IP address"


def _problems_of_levels(new: NewClient) -> Iterator[str]:
    if not {new.minimum_acr, *new.purpose_acr.values(), *new.default_acr_values}.issubset(SIGN_IN_LEVELS):
        yield f"levels of sign-in are {', '.join(SIGN_IN_LEVELS)}"
    if new.default_max_age is not None and new.default_max_age < 0:
        yield "default_max_age must not be negative"
