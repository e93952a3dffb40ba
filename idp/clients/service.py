"""Registering partners and clients."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select

from idp.clients.models import ClientRow, Partner
from idp.clients.rules import redirect_problem, sector_of
from idp.jobs.stamps import CLIENTS, bump
from idp.web.cookies import digest, new_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post")
ALGORITHMS = ("ES256", "RS256")
APPLICATION_TYPES = ("web", "native")
_SCOPE = re.compile(r"[!#-\[\]-~]+")  # scope-token of RFC 6749 §3.3


class ClientRefused(Exception):
    """The metadata cannot be registered; the text says what to change."""


@dataclass(frozen=True, slots=True)
class NewClient:
    """Metadata of a client to be (RFC 7591 names)."""

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


def add_partner(session: Session, name: str, *, now: int) -> str:
    """The id of the partner of this name, made when there is none."""
    found = session.execute(select(Partner).where(Partner.name == name)).scalar_one_or_none()
    if found is None:
        found = Partner(id=secrets.token_urlsafe(16), name=name, created_at=now)
        session.add(found)
        session.flush()
    return found.id


def register_client(session: Session, partner_id: str, new: NewClient, *, now: int) -> str | None:
    """Register a client and return its secret, which is never shown again; None for a public one.

    Raises:
        ClientRefused: when the metadata is not acceptable.
    """
    _check(new)
    secret = None if new.token_endpoint_auth_method == "none" else new_secret()
    session.add(
        ClientRow(
            client_id=new.client_id,
            partner_id=partner_id,
            name=new.name,
            application_type=new.application_type,
            token_endpoint_auth_method=new.token_endpoint_auth_method,
            secret_hash=digest(secret) if secret else None,
            redirect_uris=list(new.redirect_uris),
            post_logout_redirect_uris=list(new.post_logout_redirect_uris),
            grant_types=list(new.grant_types),
            scopes=list(new.scopes),
            protects_scopes=list(new.protects_scopes),
            id_token_signed_response_alg=new.id_token_signed_response_alg,
            home_url=new.home_url,
            is_pairwise=new.is_pairwise,
            sector=new.sector or sector_of(new.redirect_uris) or new.client_id,
            created_at=now,
            disabled_at=None,
        )
    )
    session.flush()
    bump(session, CLIENTS)
    return secret


def disable_client(session: Session, client_id: str, *, now: int) -> bool:
    """Switch a client off; its tokens die with the next look at them. False when there is none."""
    row = session.get(ClientRow, client_id)
    if row is None:
        return False
    row.disabled_at = now
    bump(session, CLIENTS)
    return True


def _check(new: NewClient) -> None:
    if new.token_endpoint_auth_method not in AUTH_METHODS:
        raise ClientRefused(f"token_endpoint_auth_method must be one of {', '.join(AUTH_METHODS)}")
    if new.id_token_signed_response_alg not in ALGORITHMS:
        raise ClientRefused(f"id_token_signed_response_alg must be one of {', '.join(ALGORITHMS)}")
    unknown = set(new.grant_types) - set(GRANT_TYPES)
    if unknown or not new.grant_types:
        raise ClientRefused(f"grant_types must be among {', '.join(GRANT_TYPES)}")
    if new.token_endpoint_auth_method == "none" and "client_credentials" in new.grant_types:
        raise ClientRefused("a public client cannot use client_credentials")
    if "authorization_code" in new.grant_types and not new.redirect_uris:
        raise ClientRefused("redirect_uris is missing")
    if not all(_SCOPE.fullmatch(scope) for scope in (*new.scopes, *new.protects_scopes)):
        raise ClientRefused("scopes must not be empty or contain spaces, quotes or backslashes")
    if new.application_type not in APPLICATION_TYPES:
        raise ClientRefused(f"application_type must be one of {', '.join(APPLICATION_TYPES)}")
    for uri in (*new.redirect_uris, *new.post_logout_redirect_uris):
        problem = redirect_problem(uri, native=new.application_type == "native")
        if problem:
            raise ClientRefused(f"redirect URI {uri!r} {problem}")
