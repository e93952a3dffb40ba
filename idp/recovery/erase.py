"""Forgetting a resident's ways in: one kind of them after it was lost, what a thief may have added, or all at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete

from idp.db import Base
from idp.login.levels import Method

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.orm import Session

#: Where each way in that can be lost keeps what belongs to a resident. What hangs on those rows goes with them (ON DELETE
#: CASCADE), as the paper list does with its card.
TABLES = {
    Method.PASSKEY: ("login_passkey",),
    Method.TOTP: ("login_totp",),
    Method.RECOVERY_CODE: ("login_recovery_code",),
    Method.CARD: ("login_card",),
    Method.UPSTREAM: ("login_upstream_identity",),
}
#: When each way in was added that people add by themselves; cards come from the desk.
_ADDED_AT = {
    "login_passkey": "created_at",
    "login_totp": "created_at",
    "login_recovery_code": "created_at",
    "login_upstream_identity": "linked_at",
}


def tables_of(method: Method) -> tuple[Table, ...]:
    """The tables of one way in."""
    return tuple(Base.metadata.tables[name] for name in TABLES[method])


def forget_since(session: Session, resident_id: str, *, since: int) -> None:
    """Remove what was added since an instant to sign in with."""
    for name, added_at in _ADDED_AT.items():
        table = Base.metadata.tables.get(name)
        if table is not None:
            mine = (table.c.resident_id == resident_id, table.c[added_at] >= since)
            session.execute(delete(table).where(*mine))


def forget(session: Session, resident_id: str) -> None:
    """Remove every row of sign-in, recovery and contact of a resident: found by name, so that no new table is missed."""
    for table in reversed(Base.metadata.sorted_tables):
        if table.name.startswith(("login_", "recovery_", "contacts_", "accounts_")):
            for column in ("resident_id", "helper_id"):
                if column in table.c and table.name != "accounts_resident":
                    session.execute(delete(table).where(table.c[column] == resident_id))
