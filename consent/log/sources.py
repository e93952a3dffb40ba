"""Where the rows behind the log live: how verification reads them back and what each must say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import BindParameter, Select, Table, bindparam, select, true

from consent.models import EVENTS, Act, LogEntry, Lookup, Notice, Purpose, Record, Release, table

_ENTRY = table(LogEntry)


@dataclass(frozen=True)
class Source:
    """One table whose rows stand in the log; a further package adds its own.

    ``columns`` are what is committed to, ``kinds`` every kind its entries may have, ``kind_of`` the kind of
    one row, ``subject`` the column with the resident whose key opens it: the service's own does where there is no
    such column, or nobody in it. No ``kinds`` means that every kind may stand there.
    """

    table: Table
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    kind_of: Callable[[Mapping[str, Any]], str]
    subject: str | None = None
    uid: str = "uid"
    at: str = "at"

    @cached_property
    def rows(self) -> Select[Any]:
        """Rows in the order of their uid with their entry, if any: parameters ``after`` and ``limit``."""
        uid = self.table.c[self.uid]
        entry = [_ENTRY.c[name].label(f"entry_{name}") for name in ("id", "kind", "hour", "commitment", "at")]
        after: BindParameter[Any] = bindparam("after")
        # The bound is said of both: a merge of the two indexes would else begin at the log's first entry each time.
        mine = (_ENTRY.c.uid == uid) & (_ENTRY.c.uid > after) & (_ENTRY.c.ref_table == self.table.name)
        return (
            select(self.table, *entry)
            .join_from(self.table, _ENTRY, mine, isouter=True)
            .where(uid > after)
            .order_by(uid)
            .limit(bindparam("limit"))
        )

    @cached_property
    def orphans(self) -> Select[Any]:
        """Entries whose row is gone, in id order: parameters ``after`` and ``limit``."""
        uid = self.table.c[self.uid]
        return (
            select(_ENTRY.c.id, _ENTRY.c.uid)
            .join_from(_ENTRY, self.table, uid == _ENTRY.c.uid, isouter=True)
            .where(
                _ENTRY.c.ref_table == self.table.name,
                _ENTRY.c.kind.in_(self.kinds) if self.kinds else true(),
                uid.is_(None),
                _ENTRY.c.id > bindparam("after"),
            )
            .order_by(_ENTRY.c.id)
            .limit(bindparam("limit"))
        )


def _committed(core: Table, *left_out: str) -> tuple[str, ...]:
    numbers = {"uid", *left_out}
    return tuple(column.name for column in core.columns if column.name not in numbers)


def _always(kind: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda _row: kind


def event_kind(event: str) -> str:
    """The kind of entry that a consent event makes."""
    return f"consent_{event}"


PURPOSE_DECLARED, PURPOSE_ENDED, NOTICE_PUBLISHED = "purpose_declared", "purpose_ended", "notice_published"
RELEASE, STAFF_LOOKUP = "release", "staff_lookup"
PURPOSE_END_COLUMNS = ("id", "client_id", "key", "ended_at")

_PURPOSE, _NOTICE, _RECORD = table(Purpose), table(Notice), table(Record)
_RELEASE, _LOOKUP, _ACT = table(Release), table(Lookup), table(Act)

SOURCES: tuple[Source, ...] = (
    Source(
        _PURPOSE,
        _committed(_PURPOSE, "ended_at", "ended_uid"),
        (PURPOSE_DECLARED,),
        _always(PURPOSE_DECLARED),
        at="created_at",
    ),
    Source(
        _PURPOSE,
        PURPOSE_END_COLUMNS,
        (PURPOSE_ENDED,),
        _always(PURPOSE_ENDED),
        uid="ended_uid",
        at="ended_at",
    ),
    Source(
        _NOTICE,
        _committed(_NOTICE, "id"),
        (NOTICE_PUBLISHED,),
        _always(NOTICE_PUBLISHED),
        at="published_at",
    ),
    Source(
        _RECORD,
        _committed(_RECORD, "id"),
        tuple(event_kind(event) for event in EVENTS),
        lambda row: event_kind(row["event"]),
        subject="resident_id",
    ),
    Source(_RELEASE, _committed(_RELEASE, "id"), (RELEASE,), _always(RELEASE), subject="resident_id"),
    Source(_LOOKUP, _committed(_LOOKUP, "id"), (STAFF_LOOKUP,), _always(STAFF_LOOKUP), subject="resident_id"),
    Source(_ACT, _committed(_ACT, "id"), (), lambda row: str(row["kind"]), subject="resident_id"),
)
