"""Taking back less than everything: one purpose of a service, or single data of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from consent import models, records, rules
from consent.canonical import names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from consent.executor import Executor

_PURPOSE = models.table(models.Purpose)
_FACTS = select(_PURPOSE.c.id, _PURPOSE.c.key, _PURPOSE.c.basis, _PURPOSE.c.required_claims).where(
    _PURPOSE.c.id.in_(bindparam("purpose_ids", expanding=True))
)
#: Those bases to whose processing a person may object (GDPR Art. 21(1)).
OBJECTIONABLE = frozenset({"public_task", "legitimate_interests"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change about a purpose. `key` is the partner's own short name for it."""

    key: str
    basis: str
    required_claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expressed:
    """Whose choice it is and how it was expressed; `authentication` holds acr, amr and auth_time."""

    resident_id: str
    log_key: bytes
    control: str
    language: str
    authentication: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What ended: purposes by their keys, and claims. `partial`: something else of the service is still in force."""

    purposes: tuple[str, ...]
    claims: tuple[str, ...]
    partial: bool

    @property
    def details(self) -> dict[str, Any]:
        """What the partner is told of it: names, no values; permissions for single matters by their type."""
        return {"purposes": list(self.purposes), "claims": list(self.claims), "partial": self.partial}


def facts_of(connection: Executor, purpose_ids: Iterable[str]) -> dict[str, Facts]:
    """Keys, bases and needed claims of purposes, ended ones too."""
    rows = connection.execute(_FACTS, {"purpose_ids": list(purpose_ids)})
    return {row.id: Facts(row.key, row.basis, names(row.required_claims)) for row in rows}


def removable(facts: Facts, choice: rules.Choice) -> tuple[str, ...]:
    """The data that can be taken back by themselves: agreed to, and not needed for the purpose."""
    if not rules.withdrawable(facts.basis, choice):
        return ()
    return tuple(one for one in choice.claims_chosen if one not in facts.required_claims)


def may_object(facts: Facts, choice: rules.Choice) -> bool:
    """Whether the person may object to it (GDPR Art. 21(1))."""
    return facts.basis in OBJECTIONABLE and choice.in_force


def withdraw_all(connection: Executor, client_id: str, by: Expressed, *, now: int) -> TakenBack | None:
    """End every consent for a service; None if none was in force."""
    ended = records.withdraw(
        connection,
        log_key=by.log_key,
        resident_id=by.resident_id,
        client_id=client_id,
        control=by.control,
        language=by.language,
        authentication=by.authentication,
        now=now,
    )
    if not ended:
        return None
    facts = facts_of(connection, [one.purpose_id for one in ended])
    claims = dict.fromkeys(claim for one in ended for claim in one.claims)
    return TakenBack(tuple(facts[one.purpose_id].key for one in ended), tuple(claims), partial=False)


def withdraw_one(
    connection: Executor, client_id: str, purpose_id: str, by: Expressed, *, now: int
) -> TakenBack | None:
    """End the consent to one purpose; None if it was not in force, or rests on another basis."""
    return _take_back(connection, client_id, purpose_id, by, keep=None, now=now)


def narrow(
    connection: Executor,
    client_id: str,
    purpose_id: str,
    keep: Collection[str],
    by: Expressed,
    *,
    now: int,
) -> TakenBack | None:
    """Keep only some of the data that can be taken back; None if that changes nothing.

    What was not agreed to before is not agreed to by this: `keep` adds nothing. A purpose of which nothing is left has
    ended.
    """
    return _take_back(connection, client_id, purpose_id, by, keep=keep, now=now)


def _take_back(
    connection: Executor,
    client_id: str,
    purpose_id: str,
    by: Expressed,
    *,
    keep: Collection[str] | None,
    now: int,
) -> TakenBack | None:
    choices = records.current_choices(connection, by.resident_id, client_id, now)
    choice, facts = choices.get(purpose_id), facts_of(connection, [purpose_id]).get(purpose_id)
    if choice is None or facts is None or not rules.withdrawable(facts.basis, choice):
        return None
    free = removable(facts, choice)
    gone = choice.claims_chosen if keep is None else tuple(one for one in free if one not in keep)
    if keep is not None and not gone:
        return None
    left = tuple(one for one in choice.claims_chosen if one not in gone)
    _append(connection, client_id, choice, left, by, now=now)
    others = any(one.in_force for key, one in choices.items() if key != purpose_id)
    return TakenBack((facts.key,), gone, partial=bool(left) or others)


def _append(
    connection: Executor,
    client_id: str,
    choice: rules.Choice,
    left: tuple[str, ...],
    by: Expressed,
    *,
    now: int,
) -> None:
    """A narrowing offers what had been offered, a withdrawal what had been chosen."""
    records.append_event(
        connection,
        log_key=by.log_key,
        resident_id=by.resident_id,
        client_id=client_id,
        purpose_id=choice.purpose_id,
        event="narrowed" if left else "withdrawn",
        claims_offered=choice.claims_offered if left else choice.claims_chosen,
        claims_chosen=left,
        notice_hash=choice.notice_hash,
        language=by.language,
        control=by.control,
        authentication=by.authentication,
        valid_until=choice.valid_until if left else None,
        now=now,
    )
