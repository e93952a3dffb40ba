"""Checking a receipt without anybody's database: with the town's published keys, and nothing else. Pure.

Each question has an answer of its own, so that a person can be told what holds and what does not. A question that
cannot be answered, for want of keys or because the log had not taken the entry in yet, is told as such.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from consent.canonical import canonical, moment
from consent.log.entries import HOUR
from consent.log.sources import event_kind
from consent.receipts import rules
from consent.receipts.inputs import read_keys, read_vkeys, text_of
from consent.receipts.leaves import Check, Keys, in_log
from consent.receipts.signed import PAPER, NotReadable, by_kid, read
from consent.receipts.values import differences, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from consent.receipts.signed import Unverified

#: What of a notice is not hashed: it is about the notice, not in it.
NOT_HASHED: Final = frozenset({"body_hash", "material", "published_at"})


__all__ = ["Check", "Keys", "NotReadable", "Verdict", "notice_hash", "read_keys", "read_vkeys", "verify"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """All answers, and the facts that the receipt is about."""

    checks: tuple[Check, ...]
    facts: Mapping[str, Any]

    @property
    def is_good(self) -> bool:
        """Whether it can be believed: the town signed it, and nothing contradicts it."""
        signed = any(one.name == "signature" and one.state == "holds" for one in self.checks)
        return signed and all(one.state != "fails" for one in self.checks)


def verify(content: bytes, keys: Keys) -> Verdict:
    """Check a receipt in any of its forms: JWT, JSON, or the text of the code on paper.

    Raises:
        NotReadable: for what is no receipt at all.
    """
    jws, beside = text_of(content)
    unverified = read(jws)
    checks = [_signature(unverified, keys)]
    if beside is not None:
        checks.append(_beside(unverified.payload, beside))
    try:
        checks += _contents(unverified, keys)
        facts = _facts(unverified)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        checks.append(
            Check(
                "contents", "fails", f"It lacks what a receipt must say ({error!s:.80}).", (f"{error!s:.80}",)
            )
        )
        facts = {}
    return Verdict(tuple(checks), facts)


def _signature(unverified: Unverified, keys: Keys) -> Check:
    if not keys.receipts:
        return Check("signature", "unknown", "No keys of the town were given, so nobody knows who signed it.")
    issuer = unverified.payload.get("iss")
    if keys.issuer and issuer != keys.issuer:
        text = (
            f"The keys are those of {keys.issuer:.80}, and the receipt says that it is from {issuer!s:.80}."
        )
        return Check("signature", "fails", text, ("iss",))
    key = by_kid(keys.receipts, unverified.kid)
    if key is None:
        text = "No key of this set signed it: they may be another town’s, or older than the receipt."
        return Check("signature", "fails", text, ("kid",))
    if not unverified.is_signed_by(key):
        return Check(
            "signature", "fails", "The signature does not fit: something was changed after it was signed."
        )
    return _in_time(unverified.payload.get("iat"), key)


def _in_time(signed_at: Any, key: Mapping[str, Any]) -> Check:
    """A key signs for a while; what claims to be signed by it outside of that was not signed by the town."""
    first, last = key.get("iat"), key.get("exp")
    if not isinstance(signed_at, int) or isinstance(signed_at, bool) or not 0 <= signed_at <= _LAST_INSTANT:
        return Check("signature", "fails", "It does not say when it was signed.", ("iat",))
    if (isinstance(first, int) and signed_at < first - _LEEWAY) or (
        isinstance(last, int) and signed_at > last + _LEEWAY
    ):
        return Check(
            "signature", "fails", "The key did not sign at the time that the receipt gives.", ("iat",)
        )
    return Check("signature", "holds", f"The town signed it on {moment(signed_at)}.")


_LAST_INSTANT: Final = 253_402_300_799
#: Clocks of nodes differ, and a node may sign with what it has read a moment before, in seconds.
_LEEWAY: Final = 300


def _beside(payload: Mapping[str, Any], beside: Mapping[str, Any]) -> Check:
    found = differences(beside, payload)
    if found:
        return Check("document", "fails", "The text of the file is not what was signed.", tuple(found))
    return Check("document", "holds", "The text of the file is what was signed.")


def _contents(unverified: Unverified, keys: Keys) -> Iterator[Check]:
    payload = unverified.payload
    if unverified.typ == PAPER:
        yield from _paper(payload, keys)
        return
    if payload["schema"] != rules.SCHEMA:
        yield Check("contents", "fails", "It is of a newer kind than this program knows.", ("schema",))
        return
    entries = payload["evidence"]
    evidence = _evidence(entries)
    yield _same_words(payload, evidence)
    yield _belongs_together(payload, evidence, entries)
    yield _notice_hash(evidence)
    for entry in entries:
        yield from in_log(entry, payload["iss"], keys)


def _evidence(entries: Any) -> rules.Evidence:
    tables = [entry["table"] for entry in entries]
    if tables != [rules.RECORD, rules.NOTICE, rules.PURPOSE]:
        raise ValueError("evidence")
    return rules.Evidence(*(entry["record"] for entry in entries))


def _same_words(payload: Mapping[str, Any], evidence: rules.Evidence) -> Check:
    """Whether the receipt says what its evidence says, and no more: it is built again and compared."""
    names = _names(payload)
    again = rules.document(evidence, payload["jti"], names, payload["iat"])
    said = {name: value for name, value in payload.items() if name != "evidence"}
    found = differences(said, again)
    if found:
        return Check(
            "contents", "fails", "The receipt says something else than the record behind it.", tuple(found)
        )
    return Check("contents", "holds", "The receipt says what the record behind it says.")


def _names(payload: Mapping[str, Any]) -> rules.Names:
    service = payload["dpv:hasRecordOfActivity"]["dpv:hasService"]
    names = (
        payload["iss"],
        payload["dct:publisher"]["dpv:hasName"],
        service["dct:title"],
        service["dpv:hasProvider"],
    )
    if not all(isinstance(one, str) for one in names):
        raise TypeError("names")
    return rules.Names(*names)


def _belongs_together(
    payload: Mapping[str, Any], evidence: rules.Evidence, entries: Sequence[Mapping[str, Any]]
) -> Check:
    """Whether event, notice and purpose speak of one another."""
    record, notice, purpose = evidence.record, evidence.notice, evidence.purpose
    wrong = [
        name
        for name, one, other in (
            ("jti", payload["jti"], entries[0]["uid"]),
            ("notice_hash", record["notice_hash"], notice["body_hash"]),
            ("purpose_id", record["purpose_id"], purpose["id"]),
            ("purpose_id", notice["purpose_id"], purpose["id"]),
            ("client_id", record["client_id"], purpose["client_id"]),
        )
        if one != other
    ]
    if wrong:
        return Check("evidence", "fails", "Event, notice and purpose do not belong together.", tuple(wrong))
    return Check("evidence", "holds", "Event, notice and purpose belong together.")


def notice_hash(notice: Mapping[str, Any]) -> str:
    """The SHA-256 over the words of a notice, in hexadecimal."""
    words = {name: value for name, value in notice.items() if name not in NOT_HASHED}
    return hashlib.sha256(canonical(words)).hexdigest()


def _notice_hash(evidence: rules.Evidence) -> Check:
    if notice_hash(evidence.notice) != evidence.record["notice_hash"]:
        text = "The words of the notice are not those that the event was about."
        return Check("notice", "fails", text, ("evidence/1/record",))
    return Check("notice", "holds", "The words of the notice are exactly those that the event was about.")


def _paper(payload: Mapping[str, Any], keys: Keys) -> Iterator[Check]:
    """What stands in a code: the row and its opening, without proof; the leaf is named for whoever looks it up."""
    wrong = set(payload) ^ {"iss", "iat", "jti", "service", "title", "record", "opening"}
    if wrong:
        yield Check("contents", "fails", "It does not say what a code on paper says.", tuple(sorted(wrong)))
        return
    yield from in_log(_paper_entry(payload), payload["iss"], keys)


def _paper_entry(payload: Mapping[str, Any]) -> dict[str, Any]:
    record = payload["record"]
    return {
        "table": rules.RECORD,
        "uid": payload["jti"],
        "kind": event_kind(record["event"]),
        "hour": record["at"] - record["at"] % HOUR,
        "opening": payload["opening"],
        "record": record,
    }


def _facts(unverified: Unverified) -> dict[str, Any]:
    """What the receipt is about, from the rows and not from the text around them."""
    payload = unverified.payload
    if unverified.typ == PAPER:
        record, title, service, town = payload["record"], payload["title"], payload["service"], payload["iss"]
        notice: Mapping[str, Any] = {}
    else:
        evidence, names = _evidence(payload["evidence"]), _names(payload)
        record, notice, title = evidence.record, evidence.notice, evidence.notice["title"]
        service, town = names.service, names.town
    return {
        "town": town,
        "issuer": payload["iss"],
        "receipt": payload["jti"],
        "service": service,
        "event": record["event"],
        "at": moment(record["at"]),
        "notice": title,
        **({"version": notice["version"], "why": notice["why"]} if notice else {}),
        "language": record["language"],
        "offered": listed(record, "claims_offered"),
        "chosen": listed(record, "claims_chosen"),
        "control": record["control"],
        "actor": record["actor"],
        "resident": record["resident_id"],
        "notice_hash": record["notice_hash"],
    }
