"""Authorization requests that wait for a person: rows of ours, bound to one browser (K09)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from idp.oidc.models import Interaction
from idp.oidc.request import AuthorizationRequest
from idp.web.cookies import VALUE_LENGTH, digest, new_secret

if TYPE_CHECKING:
    from keys.envelope import Vault

WAIT_FOR = 3600
_HINT = "interaction|login_hint"
_HINT_LIMIT = 254


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits, and whether its resident signed in for it."""

    id_hash: bytes
    request: AuthorizationRequest
    login_hint: str
    signed_in_at: int | None


def begin(
    connection: Any, vault: Vault, request: AuthorizationRequest, *, browser: str, login_hint: str, now: int
) -> str:
    """Keep a request and return the handle under which this browser finds it again."""
    handle = new_secret()
    hint = login_hint[:_HINT_LIMIT]
    connection.execute(
        insert(Interaction).values(
            id_hash=digest(handle),
            browser_hash=digest(browser),
            client_id=request.client_id,
            request=request.to_json(),
            login_hint=vault.service_data_key("interaction").seal(hint, _HINT) if hint else None,
            signed_in_at=None,
            created_at=now,
            expires_at=now + WAIT_FOR,
            finished_at=None,
        )
    )
    return handle


def find(connection: Any, vault: Vault, unverified_handle: str, *, browser: str, now: int) -> Waiting | None:
    """The request behind a handle, if it waits still and began in this very browser."""
    if len(unverified_handle) != VALUE_LENGTH:
        return None
    row = connection.execute(
        select(
            Interaction.id_hash, Interaction.request, Interaction.login_hint, Interaction.signed_in_at
        ).where(
            Interaction.id_hash == digest(unverified_handle),
            Interaction.browser_hash == digest(browser),
            Interaction.finished_at.is_(None),
            Interaction.expires_at > now,
        )
    ).first()
    if row is None:
        return None
    hint = vault.service_data_key("interaction").open(row.login_hint, _HINT) if row.login_hint else ""
    return Waiting(row.id_hash, AuthorizationRequest.from_json(row.request), hint, row.signed_in_at)


def mark_signed_in(connection: Any, id_hash: bytes, *, now: int) -> None:
    """Note that the resident signed in for this request."""
    connection.execute(update(Interaction).where(Interaction.id_hash == id_hash).values(signed_in_at=now))


def finish(connection: Any, id_hash: bytes, *, now: int) -> bool:
    """End a waiting request; true for exactly one of parallel callers."""
    ended = connection.execute(
        update(Interaction)
        .where(Interaction.id_hash == id_hash, Interaction.finished_at.is_(None))
        .values(finished_at=now)
        .returning(Interaction.id_hash)
    ).first()
    return ended is not None
