"""What tests do to a town: declare, agree, release, integrate, verify."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from consent import log, purposes, records, releases
from consent.log.entries import INSERT_ENTRY
from consent.triggers import LATER, drop_append_only_ddl, drop_fix_purpose_ddl, drop_guard_ddl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

NOW = 1_790_000_000
SERVICE_KEY = hashlib.sha256(b"service").digest()
ORIGIN = "riverton.example/log"
HOUR = 3600
HOW = {"acr": "basic", "amr": ["pwd"], "auth_time": NOW}


def key_of(resident_id: str) -> bytes:
    """The log key of a resident; in these tests anybody has one."""
    return hashlib.sha256(resident_id.encode()).digest()


def words(title: str = "Street reports") -> purposes.NoticeText:
    """A notice."""
    return purposes.NoticeText(title, "To mend your street.", "Kept for a year.", "The roads office")


@dataclass
class Town:
    """What tests do to a town: declare, agree, release, integrate, verify."""

    connection: Connection
    signer: log.NoteSigner
    now: int = NOW

    def purpose(
        self,
        client_id: str = "reports",
        key: str = "reports",
        basis: str = "consent",
        required: Sequence[str] = ("district",),
        optional: Sequence[str] = (),
    ) -> str:
        """Declare a purpose with a notice in English; its id."""
        purpose_id = purposes.declare_purpose(
            self.connection,
            log_key=SERVICE_KEY,
            client_id=client_id,
            key=key,
            basis=basis,
            required_claims=required,
            optional_claims=optional,
            now=self.now,
        )
        self.publish(purpose_id, material=True)
        return purpose_id

    def publish(self, purpose_id: str, *, material: bool, **texts: purposes.NoticeText) -> None:
        """Publish the next version of a notice."""
        purposes.publish_notice(
            self.connection,
            log_key=SERVICE_KEY,
            purpose_id=purpose_id,
            texts=texts or {"en": words()},
            material=material,
            now=self.now,
        )

    def event(self, purpose_id: str, event: str = "given", **changed: Any) -> bytes:
        """Append an event of the resident r1 with the service reports; its uid."""
        notice = purposes.notices_for(self.connection, [purpose_id], "en", "en")[purpose_id]
        values: dict[str, Any] = {
            "resident_id": "r1",
            "client_id": "reports",
            "claims_offered": ["district"],
            "claims_chosen": ["district"],
            "notice_hash": notice.body_hash,
            "language": "en",
            "control": "allow-button",
            "authentication": HOW,
            "now": self.now,
        } | changed
        return records.append_event(
            self.connection,
            log_key=key_of(values["resident_id"]),
            purpose_id=purpose_id,
            event=event,
            **values,
        )

    def release(self, resident_id: str = "r1", client_id: str = "reports", **changed: Any) -> None:
        """Record a release."""
        values: dict[str, Any] = {
            "kind": "id_token",
            "claims": ["district"],
            "purpose_ids": [],
            "authorization_id": "a1",
            "now": self.now,
        } | changed
        releases.record(
            self.connection,
            log_key=key_of(resident_id),
            resident_id=resident_id,
            client_id=client_id,
            **values,
        )

    def fill(self, count: int, start: int = 0) -> None:
        """Put many entries into the queue."""
        self.connection.execute(INSERT_ENTRY, filler(start, count, self.now))

    def integrate(self, **changed: Any) -> log.Checkpoint | None:
        """Run the sequencer once."""
        done = log.integrate(self.connection, self.signer, **{"origin": ORIGIN, "now": self.now} | changed)
        return done and done.checkpoint

    def verify(self, kept: str | None = None, **changed: Any) -> list[log.Finding]:
        """Verify everything."""
        values: dict[str, Any] = {
            "key_for": key_of,
            "service_key": SERVICE_KEY,
            "kept_checkpoint": kept,
            "vkey": self.signer.vkey,
        } | changed
        return log.verify(self.connection, **values)


def filler(start: int, count: int, now: int = NOW) -> list[dict[str, Any]]:
    """The rows of so many entries that speak of no row, ``start`` being the number of the first."""
    return [
        {
            "uid": number.to_bytes(16, "big"),
            "kind": "release",
            "hour": now - now % HOUR,
            "commitment": hashlib.sha256(b"%d" % number).digest(),
            "ref_table": "t",
            "at": now,
        }
        for number in range(start, start + count)
    ]


class Attacker:
    """Owns the database, but no key."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        dialect = connection.dialect.name
        guards = [statement for table in LATER for statement in drop_guard_ddl(dialect, table)]
        for statement in [*guards, *drop_fix_purpose_ddl(dialect), *drop_append_only_ddl(dialect)]:
            connection.execute(text(statement))

    def run(self, statement: str, **values: object) -> None:
        result = self._connection.execute(text(statement), values)
        assert result.rowcount != 0, "the attack touched nothing"
