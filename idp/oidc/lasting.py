"""How long a grant lasts: consents that end by themselves end in it at their very second, whether or not a job has run.

`lapses` of a grant lists what ends when; whoever reads claims or purposes of a grant reads them through `left`. A grant
on which nothing is left has ended: its `ends_at` stands in the conditions of every statement that looks for a live one.

A purpose that the town ends has ended in all grants at once, without a write to any of them: what its client may ask for
today is held against what stands in the grant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import or_, select, update

from consent import records
from consent.labels import PERMISSION
from idp.oidc.models import Grant

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import BindParameter, ColumnElement

    from consent.rules import Choice
    from idp.oidc.provider import Provider


class Left(NamedTuple):
    """What is left of a grant."""

    claims: list[str]
    purposes: list[str]


def is_not_over(at: BindParameter[Any] | int) -> ColumnElement[bool]:
    """The condition that a grant has not ended by itself."""
    return or_(Grant.ends_at.is_(None), Grant.ends_at > at)


def left(provider: Provider, connection: Any, client_id: str, row: Any, *, now: int) -> Left | None:
    """What a live grant still gives; for nearly every one that is what stands in it. None: nothing, the grant is over.

    `row` has its `resident_id`, `claims`, `purposes` and `lapses`.
    """
    found = _not_lapsed(row, now=now)
    ended = set(found.purposes) - provider.purposes_of(client_id).ids
    if not ended:
        return found
    choices = records.current_choices(connection, row.resident_id, client_id, now)
    purposes = [one for one in found.purposes if one not in ended]
    allowed = {claim for one in purposes if one in choices for claim in choices[one].claims_chosen}
    lost = set(found.claims) - allowed
    # A permission for a single matter stands in the tokens themselves: they all end with it, as when it is taken back.
    if not purposes or any(claim.startswith(PERMISSION) for claim in lost):
        return None
    return Left([one for one in found.claims if one in allowed], purposes)


def _not_lapsed(row: Any, *, now: int) -> Left:
    claims, purposes = row.claims.split(), row.purposes.split()
    if row.lapses is None:
        return Left(claims, purposes)
    lost: set[str] = set()
    for until, *names in orjson.loads(row.lapses):
        if until <= now:
            lost.update(*names)
    return Left([one for one in claims if one not in lost], [one for one in purposes if one not in lost])


def is_over(provider: Provider, connection: Any, client_id: str, row: Any, *, now: int) -> bool:
    """Whether nothing is left of a grant; `row` has its `ends_at` besides."""
    has_ended = row.ends_at is not None and row.ends_at <= now
    return has_ended or left(provider, connection, client_id, row, now=now) is None


def has_lapsed(row: Any, *, now: int) -> bool:
    """Whether anything of a grant has ended by itself, so that its resident is asked again."""
    return (row.ends_at is not None and row.ends_at <= now) or (
        row.lapses is not None and any(until <= now for until, *_ in orjson.loads(row.lapses))
    )


def columns(
    purposes: Collection[str], claims: Collection[str], choices: Mapping[str, Choice]
) -> dict[str, Any]:
    """`ends_at` and `lapses` of a grant that stands on these purposes."""
    until = {one: choices[one].valid_until for one in purposes if one in choices}
    times = sorted({at for at in until.values() if at is not None})
    entries, before = [], set(claims)
    for at in times:
        standing = [one for one, end in until.items() if end is None or end > at]
        if not standing:
            break
        kept = {claim for one in standing for claim in choices[one].claims_chosen} & before
        entries.append([at, sorted(before - kept), [one for one, end in until.items() if end == at]])
        before = kept
    everything_ends = bool(until) and None not in until.values()
    return {
        "ends_at": times[-1] if everything_ends else None,
        "lapses": orjson.dumps(entries).decode() if entries else None,
    }


def look_again(connection: Any, resident_id: str, client_id: str, *, now: int) -> None:
    """Work out anew how long the live grant of a client lasts, and have the next visit decide by the records.

    For whoever wrote an event outside a visit: what it adds to a grant is added at that visit.
    """
    found = select(Grant.id, Grant.claims, Grant.purposes).where(
        Grant.resident_id == resident_id, Grant.client_id == client_id, Grant.revoked_at.is_(None)
    )
    grant = connection.execute(found.with_for_update()).first()
    if grant is None:
        return
    choices = records.current_choices(connection, resident_id, client_id, now)
    values = columns(grant.purposes.split(), grant.claims.split(), choices)
    connection.execute(
        update(Grant).where(Grant.id == grant.id).values(notices_hash=b"", **values),
        execution_options={"synchronize_session": False},
    )
