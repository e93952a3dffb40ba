"""Forgetting a resident's ways in: one kind of them after it was lost, or all when an account ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete

from idp.db import Base
from idp.login.levels import Method

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.orm import Session

#: Where each way in keeps what belongs to a resident. What hangs on those rows goes with them (ON DELETE CASCADE).
_TABLES = {
    Method.PASSKEY: ("login_passkey",),
    Method.TOTP: ("login_totp",),
    Method.RECOVERY_CODE: ("login_recovery_code",),
    Method.CARD: ("login_card",),
    Method.UPSTREAM: ("login_upstream_identity",),
}


def tables_of(method: Method) -> tuple[Table, ...]:
    """The tables of one way in that this town has."""
    return tuple(Base.metadata.tables[name] for name in _TABLES[method] if name in Base.metadata.tables)


def forget(session: Session, resident_id: str) -> None:
    """Remove every row of sign-in, recovery and contact of a resident: found by name, so that no new table is missed."""
    for table in reversed(Base.metadata.sorted_tables):
        if table.name.startswith(("login_", "recovery_", "contacts_", "accounts_")):
            for column in ("resident_id", "helper_id"):
                if column in table.c and table.name != "accounts_resident":
                    session.execute(delete(table).where(table.c[column] == resident_id))
