"""Registering partners and clients."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from idp.clients.metadata import ClientRefused, Details, NewClient, check
from idp.clients.models import ClientRow, Partner
from idp.clients.pairwise import check_list, sector
from idp.clients.profiles import USUAL_ALGORITHMS
from idp.clients.rules import SIGN_IN_LEVELS
from idp.jobs.stamps import CLIENTS, bump
from idp.web.cookies import digest, new_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from keys.envelope import SealedBytes, Vault

__all__ = [
    "ClientRefused",
    "Details",
    "NewClient",
    "add_partner",
    "approve_client",
    "demand_level",
    "disable_client",
    "open_secret",
    "register_client",
    "replace_client",
]

_SEALED_FOR = "client-secrets"


def add_partner(session: Session, name: str, *, now: int) -> str:
    """The id of the partner of this name, made when there is none."""
    found = session.execute(select(Partner).where(Partner.name == name)).scalar_one_or_none()
    if found is None:
        found = Partner(id=secrets.token_urlsafe(16), name=name, created_at=now)
        session.add(found)
        session.flush()
    return found.id


def register_client(
    session: Session,
    partner_id: str,
    new: NewClient,
    *,
    now: int,
    vault: Vault | None = None,
    allow_loopback: bool = False,
    algorithms: Sequence[str] = USUAL_ALGORITHMS,
    registration_token: str | None = None,
    is_pending: bool = False,
) -> str | None:
    """Register a client and return its secret, which is never shown again; None for one without.

    `vault` seals the secret of a client that signs with it (client_secret_jwt); `allow_loopback` and `algorithms` as in
    `check`. `registration_token` lets the client
    change its own registration (RFC 7592). A client that `is_pending` gets no personal data until it is approved.

    Raises:
        ClientRefused: when the metadata is not acceptable.
    """
    check(new, allow_loopback=allow_loopback, algorithms=algorithms)
    check_list(new)
    _check_types(session, new)
    row = ClientRow(
        client_id=new.client_id,
        partner_id=partner_id,
        registration_hash=digest(registration_token) if registration_token else None,
        created_at=now,
        approved_at=None if is_pending else now,
        disabled_at=None,
        **_columns(new),
    )
    secret = _new_secret(row, new, vault)
    session.add(row)
    session.flush()
    bump(session, CLIENTS)
    return secret


def replace_client(
    session: Session,
    row: ClientRow,
    new: NewClient,
    *,
    vault: Vault | None = None,
    allow_loopback: bool = False,
    algorithms: Sequence[str] = USUAL_ALGORITHMS,
) -> str | None:
    """Put new metadata in the place of all that a client had; its secret if it needs a new one (RFC 7592 §2.2).

    Raises:
        ClientRefused: when the metadata is not acceptable.
    """
    check(new, allow_loopback=allow_loopback, algorithms=algorithms)
    check_list(new)
    _check_types(session, new)
    secret = None
    if new.token_endpoint_auth_method != row.token_endpoint_auth_method:
        secret = _new_secret(row, new, vault)
    for name, value in _columns(new).items():
        setattr(row, name, value)
    session.flush()
    bump(session, CLIENTS)
    return secret


def _check_types(session: Session, new: NewClient) -> None:
    """A type of permission has one meaning, so one resource server that is switched on (RFC 9396 §2)."""
    types = [one.type for one in new.details.authorization_details_type]
    if not types:
        return
    others = session.execute(
        select(ClientRow.details).where(ClientRow.client_id != new.client_id, ClientRow.disabled_at.is_(None))
    ).scalars()
    taken = {one["type"] for details in others for one in details.get("authorization_details_type", ())}
    if len(set(types)) < len(types) or taken.intersection(types):
        raise ClientRefused("authorization_details_type: a type is registered already")


def _columns(new: NewClient) -> dict[str, Any]:
    return {
        "name": new.name,
        "application_type": new.application_type,
        "token_endpoint_auth_method": new.token_endpoint_auth_method,
        "redirect_uris": list(new.redirect_uris),
        "post_logout_redirect_uris": list(new.post_logout_redirect_uris),
        "grant_types": list(new.grant_types),
        "scopes": list(new.scopes),
        "protects_scopes": list(new.protects_scopes),
        "id_token_signed_response_alg": new.id_token_signed_response_alg,
        "home_url": new.home_url,
        "is_pairwise": new.is_pairwise,
        "sector": sector(new),
        "minimum_acr": new.minimum_acr,
        "purpose_acr": dict(new.purpose_acr),
        "default_acr_values": list(new.default_acr_values),
        "default_max_age": new.default_max_age,
        "profile": new.profile,
        "details": new.details.kept(),
    }


def _new_secret(row: ClientRow, new: NewClient, vault: Vault | None) -> str | None:
    """A secret of 256 bits where the method needs one: as a hash, or sealed where signatures are made with it."""
    row.secret_hash, row.secret_sealed = None, None
    secret = new_secret()
    if new.token_endpoint_auth_method in ("client_secret_basic", "client_secret_post"):
        row.secret_hash = digest(secret)
        return secret
    if new.token_endpoint_auth_method == "client_secret_jwt":
        if vault is None:
            raise ClientRefused("client_secret_jwt needs the key file")
        row.secret_sealed = vault.service_data_key(_SEALED_FOR).seal(secret, new.client_id)
        return secret
    return None


def open_secret(vault: Vault, client_id: str, sealed: SealedBytes) -> str:
    """The secret of a client that signs with it."""
    return vault.service_data_key(_SEALED_FOR).open(sealed, client_id)


def approve_client(session: Session, client_id: str, *, now: int) -> bool:
    """Let a client that registered itself have personal data, as its purposes say; False when there is no such client."""
    row = session.get(ClientRow, client_id, with_for_update=True)  # it may be describing itself anew
    if row is None:
        return False
    row.approved_at = row.approved_at or now
    bump(session, CLIENTS)
    return True


def demand_level(session: Session, client_id: str, minimum_acr: str, *, purpose: str = "") -> bool:
    """Change the level of sign-in below which nobody gets to a client, or where one purpose is asked for, by its key.

    Tokens of weaker sign-ins are refused from now on (RFC 9470). False when there is no such client; whether it has the
    purpose is the caller's to know.

    Raises:
        ClientRefused: for a level that there is not.
    """
    if minimum_acr not in SIGN_IN_LEVELS:
        raise ClientRefused(f"levels of sign-in are {', '.join(SIGN_IN_LEVELS)}")
    # As it is now, though the session may have read it before: levels of other purposes stay.
    row = session.get(ClientRow, client_id, with_for_update=True, populate_existing=True)
    if row is None:
        return False
    if purpose:
        row.purpose_acr = {**row.purpose_acr, purpose: minimum_acr}
    else:
        row.minimum_acr = minimum_acr
    bump(session, CLIENTS)
    return True


def disable_client(session: Session, client_id: str, *, now: int) -> bool:
    """Switch a client off; its tokens die with the next look at them. False when there is none."""
    row = session.get(ClientRow, client_id)
    if row is None:
        return False
    row.disabled_at, row.registration_hash = now, None
    bump(session, CLIENTS)
    return True
