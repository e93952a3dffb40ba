"""Whether a row fits its leaf of the log, and whether that leaf is in the log. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from consent.log import leaf_hash, proofs
from consent.log.entries import HOUR, commitment_under, leaf_bytes
from consent.log.notes import parse_vkey
from consent.log.sources import NOTICE_PUBLISHED, PURPOSE_DECLARED, event_kind
from consent.receipts import rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from consent.log.policy import Policy

State = Literal["holds", "fails", "unknown"]
_HEX_16 = re.compile(r"[0-9a-f]{32}")
_HEX_32 = re.compile(r"[0-9a-f]{64}")
_KINDS: Final = {rules.NOTICE: NOTICE_PUBLISHED, rules.PURPOSE: PURPOSE_DECLARED}
_AT: Final = {rules.RECORD: "at", rules.NOTICE: "published_at", rules.PURPOSE: "created_at"}
_WHAT: Final = {rules.RECORD: "The event", rules.NOTICE: "The notice", rules.PURPOSE: "The purpose"}


@dataclass(frozen=True, slots=True)
class Check:
    """The answer to one question: in plain words, and which parts of the receipt are wrong."""

    name: str
    state: State
    text: str
    where: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keys:
    """What to check against: keys that sign receipts, keys of the log, and who must have witnessed it."""

    receipts: tuple[Mapping[str, Any], ...] = ()
    log: tuple[str, ...] = ()
    policy: Policy | None = None
    issuer: str = ""


def in_log(entry: Mapping[str, Any], issuer: str, keys: Keys) -> Iterator[Check]:
    """Whether the leaf of a row says what the row says, and whether that leaf is in the log."""
    name, what = f"leaf of {entry['table']}", _WHAT[entry["table"]]
    wrong = _wrong(entry)
    if wrong:
        yield Check(name, "fails", f"{what} does not fit its entry of the log.", tuple(wrong))
        return
    leaf = leaf_of(entry)
    if "proof" not in entry:
        state: State = "fails" if keys.policy else "unknown"
        hashed = leaf_hash(leaf).hex()
        yield Check(name, state, f"{what}: no proof that it is in the log came with it. Its leaf: {hashed}.")
        return
    yield _included(entry, leaf, issuer, keys)


def leaf_of(entry: Mapping[str, Any]) -> bytes:
    """The bytes of the leaf, recomputed: nobody can make them without the row and what opens it."""
    opened_by = bytes.fromhex(entry["opening"])
    fits = commitment_under(opened_by, entry["table"], entry["uid"], entry["record"])
    return leaf_bytes(entry["kind"], entry["hour"], fits)


def log_origin(issuer: str) -> str:
    """The name of a town's log: the issuer's host and ``/log``."""
    return issuer.partition("://")[2] + "/log"


def _wrong(entry: Mapping[str, Any]) -> list[str]:
    table, record = entry["table"], entry["record"]
    at = record[_AT[table]]
    kind = event_kind(record["event"]) if table == rules.RECORD else _KINDS[table]
    return [
        name
        for name, holds in (
            ("kind", entry["kind"] == kind),
            ("hour", type(entry["hour"]) is int and entry["hour"] == at - at % HOUR),
            ("opening", _HEX_32.fullmatch(entry["opening"])),
            ("uid", _HEX_16.fullmatch(entry["uid"])),
        )
        if not holds
    ]


def _included(entry: Mapping[str, Any], leaf: bytes, issuer: str, keys: Keys) -> Check:
    name, what = f"leaf of {entry['table']}", _WHAT[entry["table"]]
    origin = log_origin(issuer)
    log_keys = [vkey for vkey in keys.log if parse_vkey(vkey)[0] == origin]
    if not log_keys:
        state: State = "fails" if keys.log else "unknown"
        return Check(
            name, state, f"{what}: no key of the log {origin} was given, so its place was not checked."
        )
    try:
        proof = proofs.parse(entry["proof"])
        checkpoint = proof.verify(leaf, *log_keys)
    except ValueError as error:
        return Check(name, "fails", f"{what} is not proven to be in the log: {error}.", ("proof",))
    if checkpoint.origin != origin:
        return Check(
            name, "fails", f"{what}: the proof is of another log, {checkpoint.origin:.80}.", ("proof",)
        )
    place = f"entry {proof.index} of {checkpoint.size}"
    if keys.policy is None:
        return Check(name, "holds", f"{what} is in the log: {place}.")
    return _witnessed(name, f"{what} is in the log: {place}", checkpoint.note, keys.policy, log_keys)


def _witnessed(name: str, said: str, note: str, policy: Policy, log_keys: Sequence[str]) -> Check:
    try:
        judged = policy.judge(note, *log_keys)
    except ValueError as error:
        return Check(
            name, "fails", f"{said}; but its checkpoint does not fit the policy: {error}.", ("proof",)
        )
    seen = ", ".join(judged.witnessed) or "nobody"
    if not judged.is_met:
        return Check(name, "fails", f"{said}; but too few witnesses saw it ({seen}).", ("proof",))
    return Check(name, "holds", f"{said}, as witnessed by {seen}.")
