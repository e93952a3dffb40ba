"""By what clients know residents and sessions: names that no two of them share, and that outlast what they are made from."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from idp.jose.encoding import base64url
from idp.oidc.models import Grant
from idp.statements import prepared

if TYPE_CHECKING:
    from idp.clients.registry import Client
    from keys.envelope import Vault

_TOLD = (
    update(Grant)
    .where(Grant.id == bindparam("grant_id_"), Grant.told_at.is_(None))
    .values(told_at=bindparam("at"))
)

_LAST_TOLD = prepared(
    select(Grant.subject)
    .where(
        Grant.resident_id == bindparam("resident_id_"),
        Grant.client_id == bindparam("client_id_"),
        Grant.told_at.is_not(None),
    )
    .order_by(Grant.told_at.desc())
    .limit(1)
)


def subject_for(vault: Vault, client: Client, resident_id: str) -> str:
    """The `sub` that a client is to know a resident by: keyed, the same after recovery, different per sector.

    Not reversible without the key (OIDC Core §8.1).
    """
    sector = f"sector|{client.sector}" if client.is_pairwise else "public"
    mac = hmac.new(vault.subkey("pairwise-sub"), f"{sector}|{resident_id}".encode(), hashlib.sha256)
    return base64url(mac.digest())


def sid_for(vault: Vault, client_id: str, sid: str) -> str:
    """By what a client knows a session (Back-Channel Logout 1.0 §2.1): another one for each, or they could compare residents."""
    mac = hmac.digest(vault.subkey("sid"), f"{client_id}|{sid}".encode(), "sha256")
    return base64url(mac[:16])


def told_subject(connection: Any, client_id: str, resident_id: str) -> str | None:
    """The `sub` that a client was told of a resident last, whatever became of the grant; None when there is none."""
    row = connection.execute(_LAST_TOLD, {"resident_id_": resident_id, "client_id_": client_id}).first()
    return None if row is None else row.subject


def known_subject(connection: Any, vault: Vault, client: Client, resident_id: str) -> str:
    """The `sub` by which a client knows a resident: what it was told outlasts a change of its sector."""
    told = told_subject(connection, client.client_id, resident_id)
    return told or subject_for(vault, client, resident_id)


def note_told(connection: Any, grant_id: str, *, now: int) -> None:
    """Note that a client has the subject of a grant: a code under it reached the client where it was sent."""
    connection.execute(_TOLD, {"grant_id_": grant_id, "at": now})


def end_untold(connection: Any, client_id: str, *, now: int) -> None:
    """End the grants of a client that moves to another sector, but for those whose subject it knows already.

    Nobody has shown to have the host for which the others were made: whoever wrote down another partner's address,
    waited, and then its own, would learn the subjects of that partner.
    """
    connection.execute(
        update(Grant)
        .where(Grant.client_id == client_id, Grant.revoked_at.is_(None), Grant.told_at.is_(None))
        .values(revoked_at=now),
        execution_options={"synchronize_session": False},
    )
