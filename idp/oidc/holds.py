"""Services that a resident has stopped: no grant is made for them until the resident, or the town's decision, lifts it.

Whoever stops one revokes its grants in the same transaction, so nothing has to be asked where a grant is live: tokens
and the quick answer of the authorization endpoint know nothing of holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from idp.accounts.models import Resident
from idp.oidc.models import Hold
from idp.oidc.service import revoke_grants

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERY = ""
RESTRICTION, OBJECTION = "restriction", "objection"
#: Everything at once, until the resident says otherwise after a fresh sign-in.
PAUSE = "pause"


def place(connection: Any, resident_id: str, client_id: str, cause: str, *, now: int) -> bool:
    """Stop a client, or :data:`EVERY` one, and end what it holds; False when it was stopped for that cause before."""
    in_turn(connection, resident_id)
    key = {"resident_id": resident_id, "client_id": client_id, "cause": cause}
    if connection.execute(select(Hold.since_at).filter_by(**key)).first() is not None:
        return False
    connection.execute(insert(Hold).values(**key, since_at=now))
    revoke_grants(connection, resident_id, client_id=client_id or None, now=now)
    return True


def lift(connection: Any, resident_id: str, client_id: str, cause: str) -> bool:
    """Let a client ask again; False when it was not stopped for that cause."""
    gone = connection.execute(
        delete(Hold).where(Hold.resident_id == resident_id, Hold.client_id == client_id, Hold.cause == cause),
        execution_options={"synchronize_session": False},
    )
    return bool(gone.rowcount)


def cause_of(connection: Any, resident_id: str, client_id: str) -> str | None:
    """Why a client gets nothing now, a pause of everything first, then the resident's own restriction; None when it may ask."""
    found = select(Hold.cause).where(Hold.resident_id == resident_id, Hold.client_id.in_((EVERY, client_id)))
    causes = set(connection.execute(found).scalars())
    return next((one for one in (PAUSE, RESTRICTION) if one in causes), next(iter(causes), None))


def is_held(connection: Any, resident_id: str, client_id: str) -> bool:
    """Whether a client gets no grant; for whoever is about to make one, in that very transaction.

    It takes its turn with `place`: neither sees the other half done.
    """
    in_turn(connection, resident_id)
    return cause_of(connection, resident_id, client_id) is not None


def of_resident(connection: Any, resident_id: str) -> Sequence[Any]:
    """Everything a resident has stopped: rows of client, cause and since when."""
    found = select(Hold.client_id, Hold.cause, Hold.since_at).where(Hold.resident_id == resident_id)
    rows: Sequence[Any] = connection.execute(found.order_by(Hold.since_at, Hold.client_id)).all()
    return rows


def in_turn(connection: Any, resident_id: str) -> None:
    """Whatever a resident agrees to or takes back comes one after the other: the later one sees the earlier."""
    connection.execute(select(Resident.id).where(Resident.id == resident_id).with_for_update())
