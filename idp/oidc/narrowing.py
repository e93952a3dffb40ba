"""A grant after its resident has taken something back: narrower in the same transaction, or ended.

Userinfo, introspection and refresh read the grant each time, so tokens that are out already give less at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from consent import records
from consent.labels import PERMISSION
from idp.oidc.models import Grant
from idp.oidc.service import revoke_grants

if TYPE_CHECKING:
    from consent.rules import Choice


def narrow(connection: Any, resident_id: str, client_id: str, *, now: int) -> bool:
    """Bring the live grant of a client in line with what its resident still agrees to; whether anything is left.

    A permission for a single matter stands in the tokens themselves, so when one is taken back they all end. What was
    decided stays decided: nobody is asked at once about what they have just refused.
    """
    grant = connection.execute(
        select(Grant.id, Grant.claims, Grant.purposes)
        .where(Grant.resident_id == resident_id, Grant.client_id == client_id, Grant.revoked_at.is_(None))
        .with_for_update()
    ).first()
    if grant is None:
        return False
    choices = records.current_choices(connection, resident_id, client_id, now)
    purposes = [one for one in grant.purposes.split() if _holds(choices.get(one))]
    allowed = {claim for one in purposes for claim in choices[one].claims_chosen}
    gone = set(grant.claims.split()) - allowed
    if not purposes or any(claim.startswith(PERMISSION) for claim in gone):
        revoke_grants(connection, resident_id, client_id=client_id, now=now)
        return False
    kept = [claim for claim in grant.claims.split() if claim in allowed]
    connection.execute(
        update(Grant).where(Grant.id == grant.id).values(claims=" ".join(kept), purposes=" ".join(purposes)),
        execution_options={"synchronize_session": False},
    )
    return True


def _holds(choice: Choice | None) -> bool:
    return choice is not None and choice.in_force
