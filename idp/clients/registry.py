"""Clients as the protocol sees them: frozen values, kept in memory, read again within a second of a change."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import ClientMixin
from sqlalchemy import select

from idp.clients.metadata import Details
from idp.clients.models import ClientRow, Partner
from idp.clients.profiles import PROFILES, STANDARD, Profile
from idp.clients.rules import is_registered_redirect, origin_of
from idp.jobs.stamps import CLIENTS, Cached

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from idp.clients.details_types import DetailsType
    from idp.db import Database
    from keys.envelope import SealedBytes


@dataclass(frozen=True, slots=True)
class Client(ClientMixin):
    """One client; the methods are Authlib's `ClientMixin`."""

    client_id: str
    name: str
    partner_name: str
    application_type: str
    auth_method: str
    secret_hash: bytes | None
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    grant_types: frozenset[str]
    scopes: frozenset[str]
    protects_scopes: frozenset[str]
    id_token_alg: str
    home_url: str
    is_pairwise: bool
    sector: str
    minimum_acr: str
    purpose_acr: Mapping[str, str]
    default_acr_values: tuple[str, ...]
    default_max_age: int | None
    disabled: bool
    profile: Profile = STANDARD
    details: Details = field(default_factory=Details)
    #: Its own that its profile allows, each with its values in alphabetical order.
    response_types: frozenset[str] = frozenset({"code"})
    secret_sealed: SealedBytes | None = None
    #: Registered itself and not approved yet: no personal data.
    is_pending: bool = False
    #: Its access tokens must be bound to a key (RFC 8705 §3.4, RFC 9449 §5.2, FAPI 2.0).
    is_constrained: bool = False
    #: Where its pages are, if it has no secret and so works in the browser.
    page_origins: frozenset[str] = frozenset()

    @property
    def is_public(self) -> bool:
        """Whether it has no secret (RFC 6749 §2.1)."""
        return self.auth_method == "none"

    @property
    def owner(self) -> str:
        """Who answers for what it makes us do: its partner; those that the town has not approved share one, ""."""
        return "" if self.is_pending else self.partner_name

    @property
    def form_targets(self) -> str:
        """Origins to which a form of ours may lead on, for the page policy."""
        leads_to = (*self.redirect_uris, *self.post_logout_redirect_uris)
        return "".join(f" {target}" for target in sorted(set(map(self._form_target, leads_to))))

    def _form_target(self, uri: str) -> str:
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https") or parts.netloc.startswith("["):
            return f"{parts.scheme}:"  # a policy cannot name private schemes' hosts, nor IPv6 addresses
        if self.application_type == "native" and parts.hostname == "127.0.0.1":
            return "http://127.0.0.1:*"
        return f"{parts.scheme}://{parts.netloc}"

    def shown_link(self, name: str, language: str) -> str:
        """Its `policy_uri` or `tos_uri` for residents to open (RFC 7591 §2); "" while the town has not approved it."""
        return "" if self.is_pending else self.details.text(name, language)

    def get_client_id(self) -> str:
        """Its client_id."""
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """There is none: redirect_uri is always sent (OIDC Core §3.1.2.1)."""

    def get_allowed_scope(self, scope: str | None) -> str:
        """The part of a scope, asked for now or granted before, that it may have today."""
        return " ".join(name for name in (scope or "").split() if name in self.scopes)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Exact bytes, but for the port of a native client's loopback address (RFC 8252 §7.3)."""
        return is_registered_redirect(
            redirect_uri, self.redirect_uris, native=self.application_type == "native"
        )

    def check_client_secret(self, client_secret: str) -> bool:
        """Constant time; secrets are 256 random bits, so a plain digest is right."""
        expected_hash = self.secret_hash or b""
        return hmac.compare_digest(hashlib.sha256(client_secret.encode()).digest(), expected_hash)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002
        """It has exactly one method, at every endpoint."""
        return method == self.auth_method

    def check_response_type(self, response_type: str) -> bool:
        """Whether it was registered for this one; the order of its values is of no matter."""
        values = sorted(response_type.split(" "))
        return " ".join(values) in self.response_types and (
            "code" not in values or "authorization_code" in self.grant_types
        )

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether it was registered for this grant."""
        return grant_type in self.grant_types


@dataclass(frozen=True, slots=True)
class RegisteredType:
    """A type of permission, and the resource server that registered it."""

    type: DetailsType
    client_id: str


@dataclass(frozen=True, slots=True)
class _Registered:
    """All clients as they were read last: by client_id, those that are live, and where the pages of these are."""

    clients: Mapping[str, Client]
    live: tuple[Client, ...]
    page_origins: frozenset[str]


class ClientRegistry:
    """Every live client by its client_id."""

    def __init__(self, database: Database) -> None:
        self._cache = Cached(database, CLIENTS, _load)

    def find(self, client_id: str) -> Client | None:
        """A client that exists and is switched on."""
        found = self._cache.get().clients.get(client_id)
        return None if found is None or found.disabled else found

    def find_resource(self, resource: str) -> Client | None:
        """The resource server whose API has this identifier, if it is switched on (RFC 8707 §2)."""
        found = (one for one in self._cache.get().clients.values() if one.details.resource == resource)
        return next((one for one in found if not one.disabled), None)

    def find_details_type(self, name: str) -> RegisteredType | None:
        """A type of permission whose resource server is switched on (RFC 9396 §2)."""
        return next((one for one in self._details_types() if one.type.type == name), None)

    @property
    def details_types(self) -> tuple[str, ...]:
        """The names of all types of permission, in alphabetical order."""
        return tuple(sorted({one.type.type for one in self._details_types()}))

    def _details_types(self) -> Iterator[RegisteredType]:
        for client in self.live():
            for one in client.details.authorization_details_type:
                yield RegisteredType(one, client.client_id)

    def has_page_at(self, origin: str) -> bool:
        """Whether a client that works in the browser alone has its pages at this origin."""
        return origin in self._cache.get().page_origins

    def live(self) -> tuple[Client, ...]:
        """Every client that is switched on and approved."""
        return self._cache.get().live

    def name_of(self, client_id: str) -> tuple[str, str]:
        """Service and partner name of any client that ever was, for the privacy pages."""
        found = self._cache.get().clients.get(client_id)
        return (found.name, found.partner_name) if found else (client_id, "")

    def forget(self) -> None:
        """Read again at the next use."""
        self._cache.forget()


def _load(session: Any) -> _Registered:
    rows = session.execute(select(ClientRow, Partner.name).join(Partner, Partner.id == ClientRow.partner_id))
    clients = {row.client_id: _value(row, partner_name) for row, partner_name in rows}
    live = tuple(one for one in clients.values() if not one.disabled and not one.is_pending)
    return _Registered(clients, live, frozenset().union(*(one.page_origins for one in live)))


def _value(row: ClientRow, partner_name: str) -> Client:
    profile, details = PROFILES[row.profile], Details(**row.details)
    bound = (details.tls_client_certificate_bound_access_tokens, details.dpop_bound_access_tokens)
    return Client(
        client_id=row.client_id,
        name=row.name,
        partner_name=partner_name,
        application_type=row.application_type,
        auth_method=row.token_endpoint_auth_method,
        secret_hash=row.secret_hash,
        redirect_uris=tuple(row.redirect_uris),
        post_logout_redirect_uris=tuple(row.post_logout_redirect_uris),
        grant_types=frozenset(row.grant_types),
        scopes=frozenset(row.scopes),
        protects_scopes=frozenset(row.protects_scopes),
        id_token_alg=row.id_token_signed_response_alg,
        home_url=row.home_url,
        is_pairwise=row.is_pairwise,
        sector=row.sector,
        minimum_acr=row.minimum_acr,
        purpose_acr=row.purpose_acr,
        default_acr_values=tuple(row.default_acr_values),
        default_max_age=row.default_max_age,
        disabled=row.disabled_at is not None,
        profile=profile,
        details=details,
        response_types=profile.response_types
        & {" ".join(sorted(one.split())) for one in details.response_types},
        secret_sealed=row.secret_sealed,
        is_pending=row.approved_at is None,
        is_constrained=profile.sender_constrained or any(bound),
        page_origins=_page_origins(row),
    )


def _page_origins(row: ClientRow) -> frozenset[str]:
    """As a browser writes them in `Origin` (RFC 6454 §6.2)."""
    if row.token_endpoint_auth_method != "none" or row.application_type != "web":  # noqa: S105 - a method
        return frozenset()
    return frozenset(map(origin_of, row.redirect_uris))
