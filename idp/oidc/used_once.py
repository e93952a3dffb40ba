"""What others made to be used once: each `jti` counts for one caller, on whichever node (K12)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from idp.web.cookies import digest

# The primary key decides; the clause reads the same on both engines.
_USE = text(
    "INSERT INTO oidc_used_once (id_hash, expires_at) VALUES (:id_hash, :until) ON CONFLICT DO NOTHING"
)


def use_once(connection: Any, kind: str, who: str, jti: str, *, expires_at: int) -> bool:
    """Whether this is the first use; true for exactly one of parallel callers.

    Call it outside a transaction, before anything is minted: a use stands, whatever comes of it. `expires_at` is when
    the thing would be too old anyway.
    """
    used = connection.execute(_USE, {"id_hash": digest(f"{kind}\0{who}\0{jti}"), "until": expires_at})
    return bool(used.rowcount == 1)
