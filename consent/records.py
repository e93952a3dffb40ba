"""The history of what each resident agreed to: append-only, the present is a query over it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, bindparam, delete, func, insert, select

from consent import log, models, rules, working_models
from consent.canonical import names, to_text
from consent.executor import Executor
from consent.log.sources import event_kind

_RECORD, _NOTICE = models.table(models.Record), models.table(models.Notice)
_PURPOSE, _EXPIRING = models.table(models.Purpose), models.table(working_models.Expiring)
_COLUMNS = tuple(column.name for column in _RECORD.columns if column.name not in {"id", "uid"})
_INSERT = insert(_RECORD).values({name: bindparam(name) for name in ("uid", *_COLUMNS)}).inline()
#: Events for :func:`event_of`, each with the version of its notice and the end of its purpose. A notice that is gone was tampered with: its
#: version counts as older than all, so the resident is asked.
EVENTS: Final[Select[Any]] = (
    select(
        _RECORD,
        func.coalesce(_NOTICE.c.version, 0).label("notice_version"),
        _PURPOSE.c.ended_at.label("purpose_ended_at"),
    )
    .join_from(_RECORD, _NOTICE, _NOTICE.c.body_hash == _RECORD.c.notice_hash, isouter=True)
    .join(_PURPOSE, _PURPOSE.c.id == _RECORD.c.purpose_id, isouter=True)
)
_OF_RESIDENT = EVENTS.where(_RECORD.c.resident_id == bindparam("resident_id"))
_CURRENT = _OF_RESIDENT.where(_RECORD.c.client_id == bindparam("client_id")).order_by(_RECORD.c.id)
_ALL_CURRENT = _OF_RESIDENT.order_by(_RECORD.c.client_id, _RECORD.c.id)
_HISTORY = (
    _OF_RESIDENT.add_columns(func.coalesce(_NOTICE.c.title, "").label("notice_title"))
    .where(_RECORD.c.id < bindparam("before_id"))
    .order_by(_RECORD.c.id.desc())
    .limit(bindparam("limit"))
)
_HISTORY_OF_CLIENT = _HISTORY.where(_RECORD.c.client_id == bindparam("client_id"))
_OF_PURPOSE = _OF_RESIDENT.where(_RECORD.c.purpose_id == bindparam("purpose_id")).order_by(_RECORD.c.id)
_NO_LONGER_EXPIRING = delete(_EXPIRING).where(
    _EXPIRING.c.resident_id == bindparam("whose"), _EXPIRING.c.purpose_id == bindparam("which")
)
_BASES = select(_PURPOSE.c.id, _PURPOSE.c.basis).where(
    _PURPOSE.c.id.in_(bindparam("purpose_ids", expanding=True))
)
NEWEST = 2**63 - 1
"""A ``before_id`` that lies before nothing: the first page of a history."""
DAY = 86_400
REMIND_BEFORE = 30 * DAY
"""So long before a consent ends by itself its resident is reminded, in seconds; at half of its time if it is short."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One event as the resident and the officer read it."""

    id: int
    client_id: str
    purpose_id: str
    event: str
    claims_offered: tuple[str, ...]
    claims_chosen: tuple[str, ...]
    notice_version: int
    notice_title: str
    notice_hash: bytes
    language: str
    control: str
    actor: str
    at: int
    uid: bytes = b""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """One purpose whose consent has just ended, and the claims that ended with it."""

    purpose_id: str
    claims: tuple[str, ...]


def append_event(
    connection: Executor,
    *,
    log_key: bytes,
    resident_id: str,
    client_id: str,
    purpose_id: str,
    event: str,
    claims_offered: Sequence[str],
    claims_chosen: Sequence[str],
    notice_hash: bytes,
    language: str,
    control: str,
    authentication: Mapping[str, Any],
    actor: str = "self",
    valid_until: int | None = None,
    now: int,
) -> bytes:
    """Append one event and its log entry; the 16-byte uid of the event.

    ``event`` is one of :data:`consent.models.EVENTS`; ``control`` says which button, form or desk expressed
    it; ``authentication`` holds acr, amr, auth_time; ``log_key`` is the resident's; ``valid_until`` is when what is
    agreed to ends by itself (:func:`consent.rules.valid_until`). Raises ValueError if something was chosen that was not
    offered.
    """
    if event not in models.EVENTS:
        raise ValueError(f"{event!r} is no consent event")
    if not set(claims_chosen) <= set(claims_offered):
        raise ValueError("a claim was chosen that was not offered")
    uid = log.new_uid(now)
    values = {
        "resident_id": resident_id,
        "client_id": client_id,
        "purpose_id": purpose_id,
        "event": event,
        "claims_offered": to_text(list(claims_offered)),
        "claims_chosen": to_text(list(claims_chosen)),
        "notice_hash": notice_hash,
        "language": language,
        "control": control,
        "authentication": to_text(dict(authentication)),
        "actor": actor,
        "at": now,
        "valid_until": valid_until,
    }
    connection.execute(_INSERT, {"uid": uid, **values})
    log.append(
        connection,
        kind=event_kind(event),
        subject_key=log_key,
        record=log.row_record(values, _COLUMNS),
        ref=(_RECORD.name, uid),
        now=now,
    )
    if valid_until is not None:
        _will_expire(connection, values, now)
    return uid


def _will_expire(connection: Executor, values: Mapping[str, Any], now: int) -> None:
    """Let the job look at it in time. Whatever comes after shows in the history, so nothing need be undone here."""
    ends_at = values["valid_until"]
    before = min(REMIND_BEFORE, (ends_at - now) // 2)
    mine = {name: values[name] for name in ("resident_id", "client_id", "purpose_id")}
    connection.execute(_NO_LONGER_EXPIRING, {"whose": values["resident_id"], "which": values["purpose_id"]})
    connection.execute(insert(_EXPIRING), {**mine, "ends_at": ends_at, "looked_at_next": ends_at - before})


def current_choices(
    connection: Executor, resident_id: str, client_id: str, now: int | None = None
) -> dict[str, rules.Choice]:
    """Where the resident stands with each purpose of one client, by purpose; ``now`` as in :func:`rules.current_state`."""
    rows = connection.execute(_CURRENT, {"resident_id": resident_id, "client_id": client_id}).all()
    return rules.current_state(map(event_of, rows), now)


def current_choice(
    connection: Executor, resident_id: str, purpose_id: str, now: int | None = None
) -> rules.Choice | None:
    """Where the resident stands with one purpose; None if they never met it."""
    rows = connection.execute(_OF_PURPOSE, {"resident_id": resident_id, "purpose_id": purpose_id})
    return rules.current_state(map(event_of, rows), now).get(purpose_id)


def choices_by_client(connection: Executor, resident_id: str) -> dict[str, dict[str, rules.Choice]]:
    """Where the resident stands with every client they ever met, by client, then purpose."""
    events: dict[str, list[rules.Event]] = {}
    for row in connection.execute(_ALL_CURRENT, {"resident_id": resident_id}):
        events.setdefault(row.client_id, []).append(event_of(row))
    return {client_id: rules.current_state(history) for client_id, history in events.items()}


def history(
    connection: Executor,
    resident_id: str,
    client_id: str | None = None,
    before_id: int = NEWEST,
    limit: int = 50,
) -> list[HistoryEntry]:
    """A page of events, newest first, with one client or all; go on with the last ``id`` as ``before_id``."""
    page = {"resident_id": resident_id, "before_id": before_id, "limit": limit}
    if client_id is None:
        rows = connection.execute(_HISTORY, page)
    else:
        rows = connection.execute(_HISTORY_OF_CLIENT, {**page, "client_id": client_id})
    return [_history_entry(row) for row in rows]


def bases(connection: Executor, purpose_ids: Iterable[str]) -> dict[str, str]:
    """The lawful basis of each purpose, ended ones too."""
    return {row.id: row.basis for row in connection.execute(_BASES, {"purpose_ids": list(purpose_ids)})}


def withdraw(
    connection: Executor,
    *,
    log_key: bytes,
    resident_id: str,
    client_id: str,
    control: str,
    language: str,
    authentication: Mapping[str, Any],
    actor: str = "self",
    now: int,
) -> tuple[Withdrawn, ...]:
    """End every consent in force for one client (GDPR Art. 7(3)); what ended, empty if nothing was in force.

    The event offers what had been chosen, and nothing of it remains. Purposes on another basis stay. The caller kills grants and tokens in the same transaction.
    """
    choices = current_choices(connection, resident_id, client_id)
    basis_of = bases(connection, choices)
    ending = [one for one in choices.values() if rules.withdrawable(basis_of[one.purpose_id], one)]
    for choice in ending:
        append_event(
            connection,
            log_key=log_key,
            resident_id=resident_id,
            client_id=client_id,
            purpose_id=choice.purpose_id,
            event="withdrawn",
            claims_offered=choice.claims_chosen,
            claims_chosen=(),
            notice_hash=choice.notice_hash,
            language=language,
            control=control,
            authentication=authentication,
            actor=actor,
            now=now,
        )
    return tuple(Withdrawn(one.purpose_id, one.claims_chosen) for one in ending)


def event_of(row: Any) -> rules.Event:
    """A row of :data:`EVENTS` as :func:`consent.rules.current_state` folds it."""
    return rules.Event(
        row.purpose_id,
        row.event,
        names(row.claims_offered),
        names(row.claims_chosen),
        row.notice_version,
        row.notice_hash,
        row.at,
        row.valid_until,
        row.purpose_ended_at,
    )


def _history_entry(row: Any) -> HistoryEntry:
    return HistoryEntry(
        row.id,
        row.client_id,
        row.purpose_id,
        row.event,
        names(row.claims_offered),
        names(row.claims_chosen),
        row.notice_version,
        row.notice_title,
        row.notice_hash,
        row.language,
        row.control,
        row.actor,
        row.at,
        row.uid,
    )
