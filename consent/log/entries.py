"""Writing an entry beside the thing it commits to, and how the commitment is made."""

import hmac
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, insert

from consent.canonical import canonical
from consent.executor import Executor
from consent.models import LogEntry, table

HOUR: Final = 3600
#: Columns that came after rows that are committed to without them: where such a row has none, its record has none.
#: Nothing can pass for something else by that: a value put in or taken away changes the record.
CAME_LATER: Final = frozenset({"purpose_type", "valid_for", "terms", "processing", "changes", "valid_until"})
LOG_KEY_LENGTH: Final = 32
_KIND = re.compile(r"[a-z][a-z_]{0,39}")

# Built once: this statement runs in every request that releases data.
INSERT_ENTRY = (
    insert(table(LogEntry))
    .values({name: bindparam(name) for name in ("uid", "kind", "hour", "commitment", "ref_table", "at")})
    .inline()
    .execution_options(denizen_quiet=True)
)


def new_uid(now: int) -> bytes:
    """A 16-byte name for a row: five bytes of time, so that indexes grow at one end, and 88 random bits."""
    return now.to_bytes(5, "big") + os.urandom(11)


def opening(subject_key: bytes, uid: bytes) -> bytes:
    """The 32-byte key that opens one commitment; gone when the resident's key is destroyed."""
    return hmac.digest(subject_key, uid, "sha256")


def commitment(subject_key: bytes, ref_table: str, uid: bytes, record: Mapping[str, Any]) -> bytes:
    """What the log keeps of a row: :func:`commitment_under`, under the opening that belongs to it."""
    return commitment_under(opening(subject_key, uid), ref_table, uid.hex(), record)


def commitment_under(opened_by: bytes, ref_table: str, uid: str, record: Mapping[str, Any]) -> bytes:
    """HMAC-SHA256 over the canonical JSON of a record, its table and its uid in hex, under its opening.

    ``uid`` is text, so that who checks what others say passes it on as it was said.
    """
    return hmac.digest(opened_by, canonical({"record": record, "table": ref_table, "uid": uid}), "sha256")


def leaf_bytes(kind: str, hour: int, committed: bytes) -> bytes:
    """What a leaf says to the world: canonical JSON of schema version, kind, hour and commitment."""
    return b'{"at_hour":%d,"commitment":"%s","kind":"%s","v":1}' % (
        hour,
        committed.hex().encode(),
        kind.encode(),
    )


def row_record(values: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """What is committed to of a row: the named columns, digests as hex; of those that came later, what is there."""
    record = {
        name: values[name] for name in columns if name not in CAME_LATER or values.get(name) is not None
    }
    for name, value in record.items():
        if isinstance(value, bytes):
            record[name] = value.hex()
    return record


def entry_values(
    *, kind: str, subject_key: bytes, record: Mapping[str, Any], ref: tuple[str, bytes], now: int
) -> dict[str, Any]:
    """The parameters of :data:`INSERT_ENTRY`."""
    ref_table, uid = ref
    return {
        "uid": uid,
        "kind": kind,
        "hour": now - now % HOUR,
        "commitment": commitment(subject_key, ref_table, uid, record),
        "ref_table": ref_table,
        "at": now,
    }


def append(
    connection: Executor,
    *,
    kind: str,
    subject_key: bytes,
    record: Mapping[str, Any],
    ref: tuple[str, bytes],
    now: int,
) -> None:
    """Put an entry in the queue of the log, in the transaction of the thing itself.

    ``record`` is plain JSON; ``ref`` is the table and the 16-byte :func:`new_uid` of the row; ``subject_key``
    is the resident's log key, or the service's where no resident is concerned. If this fails the caller's
    transaction fails with it: nothing happens that the log does not know.
    """
    if not _KIND.fullmatch(kind):
        raise ValueError(f"{kind!r} is no kind of entry: lower-case letters and underscores, at most 40")
    if len(subject_key) != LOG_KEY_LENGTH:
        raise ValueError("a log key has 32 bytes")
    connection.execute(
        INSERT_ENTRY, entry_values(kind=kind, subject_key=subject_key, record=record, ref=ref, now=now)
    )
