"""Making receipts: the rows behind an event, what opens their leaves, the proofs, and the signature over it all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select

from consent import log
from consent.canonical import canonical
from consent.log import proofs
from consent.log.entries import HOUR
from consent.receipts import rules
from consent.receipts.signed import PAPER, RECEIPT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from consent.executor import Executor

_SOURCES: Final = {
    source.table.name: source
    for source in log.SOURCES
    if source.table.name in (rules.RECORD, rules.NOTICE, rules.PURPOSE) and source.uid == "uid"
}
_COLUMN: Final = {rules.RECORD: "uid", rules.NOTICE: "body_hash", rules.PURPOSE: "id"}
_ROWS: Final = {
    name: select(source.table).where(source.table.c[_COLUMN[name]] == bindparam("key"))
    for name, source in _SOURCES.items()
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt, ready to be signed: ``claims`` are the whole of it, ``paper`` what fits into a code on paper."""

    uid: str
    evidence: rules.Evidence
    names: rules.Names
    claims: Mapping[str, Any]
    paper: Mapping[str, Any]
    place: int | None
    """Where its entry stands in the log; None while it waits to be taken in."""

    def signed(self, sign: Callable[[Mapping[str, Any], str], str]) -> str:
        """The receipt as a compact JWS."""
        return sign(self.claims, RECEIPT)

    def signed_for_paper(self, sign: Callable[[Mapping[str, Any], str], str]) -> str:
        """What fits into a code, as a compact JWS."""
        return sign(self.paper, PAPER)


def file_of(claims: Mapping[str, Any], jws: str) -> bytes:
    """The receipt for programs that read JSON: the document, and beside it the signed text that says the same."""
    return canonical({"jws": jws, "receipt": claims}) + b"\n"


def make(
    connection: Executor,
    uid: bytes,
    *,
    resident_id: str,
    log_key: bytes,
    service_key: bytes,
    names_of: Callable[[str], rules.Names],
    now: int,
) -> Receipt | None:
    """The receipt of the event ``uid``; None unless it is this resident's.

    ``log_key`` is the resident's, ``service_key`` opens the leaves of the notice and the purpose, which are no secret;
    ``names_of`` gives the names that belong to a client.
    """
    row = _row(connection, rules.RECORD, uid)
    if row is None or row["resident_id"] != resident_id:
        return None
    notice = _row(connection, rules.NOTICE, row["notice_hash"])
    purpose = _row(connection, rules.PURPOSE, row["purpose_id"])
    if notice is None or purpose is None:
        return None
    entries = [
        _entry(connection, name, found, key)
        for name, found, key in (
            (rules.RECORD, row, log_key),
            (rules.NOTICE, notice, service_key),
            (rules.PURPOSE, purpose, service_key),
        )
    ]
    evidence = rules.Evidence(*(entry["record"] for entry in entries))
    names = names_of(row["client_id"])
    claims = {**rules.document(evidence, uid.hex(), names, now), "evidence": entries}
    paper = rules.paper_claims(evidence, uid.hex(), names, opening=entries[0]["opening"], created=now)
    proof = entries[0].get("proof")
    return Receipt(uid.hex(), evidence, names, claims, paper, proofs.parse(proof).index if proof else None)


def _row(connection: Executor, name: str, key: bytes | str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = connection.execute(_ROWS[name], {"key": key}).mappings().first()
    return found


def _entry(connection: Executor, name: str, row: Mapping[str, Any], key: bytes) -> dict[str, Any]:
    """A row as the log committed to it, with what opens its leaf and, once it stands in the tree, the proof."""
    source, uid = _SOURCES[name], bytes(row["uid"])
    at = row[source.at]
    proof = proofs.proof_for(connection, uid)
    return {
        "table": name,
        "uid": uid.hex(),
        "kind": source.kind_of(row),
        "hour": at - at % HOUR,
        "opening": log.opening(key, uid).hex(),
        "record": log.row_record(row, source.columns),
        **({"proof": proof} if proof else {}),
    }
