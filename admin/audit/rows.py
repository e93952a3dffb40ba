"""Records and timelines as rows of tables and of files: for a page in words, for a file in facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from admin.officer import words
from admin.officer.service import pseudonym
from admin.services import service_name
from consent.audit import timeline
from consent.canonical import moment
from consent.rules import UNDECIDED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consent.audit.search import Found
    from consent.audit.timeline import Line
    from keys.envelope import Vault

_WITHOUT_CHOICE = frozenset({*UNDECIDED, "refused", "withdrawn", "expired"})


def record_row(vault: Vault, record: Found) -> dict[str, Any]:
    """One record as a row of a file: the person by their pseudonym, claims by their names."""
    authentication = orjson.loads(record.authentication)
    return {
        "at": moment(record.at),
        "person": pseudonym(vault, record.resident_id),
        "client": record.client_id,
        "service": service_name(record.client_id),
        "purpose": record.purpose_id,
        "title": record.notice_title,
        "event": record.event,
        "offered": list(record.claims_offered),
        "chosen": list(record.claims_chosen),
        "notice": record.notice_hash.hex(),
        "version": record.notice_version,
        "language": record.language,
        "level": authentication.get("acr", ""),
        "control": record.control,
        "actor": record.actor,
        "uid": record.uid.hex(),
    }


def line_row(person: str, line: Line) -> dict[str, Any]:
    """One line of a timeline as a row of a file; every row has the same names."""
    values = line.values
    return {
        "at": moment(line.at),
        "person": person,
        "kind": line.source,
        "event": values.get("event") or (values.get("kind") if line.source == timeline.ACT else "") or "",
        "client": values.get("client_id") or "",
        "service": service_name(values["client_id"]) if values.get("client_id") else "",
        "purpose": values.get("purpose_id") or " ".join(values.get("purpose_ids", ())),
        "title": values.get("notice_title") or "",
        "offered": list(values.get("claims_offered", ())),
        "chosen": list(values.get("claims_chosen", values.get("claims", ()))),
        "notice": values["notice_hash"].hex() if "notice_hash" in values else "",
        "version": values.get("notice_version") or "",
        "language": values.get("language") or "",
        "level": values.get("authentication", {}).get("acr", ""),
        "occasion": values.get("kind", "") if line.source == timeline.RELEASE else "",
        "actor": _actor(line),
        "reason": values.get("reason") or "",
        "uid": values["uid"].hex(),
    }


def line_words(line: Line) -> dict[str, Any]:
    """One line of a timeline in words: what happened, at which service, about which data."""
    values = line.values
    service = service_name(values["client_id"]) if values.get("client_id") else ""
    found = {"when": line.at, "id": line.id, "source": line.source, "service": service, "about": ""}
    match line.source:
        case timeline.EVENT:
            claims = values["claims_offered" if values["event"] in _WITHOUT_CHOICE else "claims_chosen"]
            what = words.event_text(values["event"])
            return {
                **found,
                "what": what,
                "about": words.claims_text(claims),
                "title": values["notice_title"] or "",
            }
        case timeline.RELEASE:
            about = words.released_text(values["claims"])
            return {**found, "what": words.passed_on_text(values["kind"]), "about": about, "title": ""}
        case timeline.LOOKUP:
            return {
                **found,
                "what": words.lookup_text(values["staff_role"]),
                "about": values["reason"],
                "title": "",
            }
    about = words.actor_text(values["actor"])
    return {**found, "what": words.act_text(values["kind"]), "about": about, "title": ""}


def record_words(vault: Vault, record: Found) -> dict[str, Any]:
    """One record of a search in words; whose it is stays a pseudonym."""
    claims = record.claims_offered if record.event in _WITHOUT_CHOICE else record.claims_chosen
    return {
        "id": record.id,
        "when": record.at,
        "person": pseudonym(vault, record.resident_id),
        "event": words.event_text(record.event),
        "service": service_name(record.client_id),
        "purpose": record.notice_title or record.purpose_id,
        "claims": words.claims_text(claims),
        "level": words.level_text(orjson.loads(record.authentication).get("acr", "")),
        "notice": words.notice_text(record.notice_version, record.notice_hash),
    }


def _actor(line: Line) -> str:
    values: Mapping[str, Any] = line.values
    if line.source == timeline.LOOKUP:
        return str(values["staff_role"])
    actor = str(values.get("actor", ""))
    return "staff" if actor.startswith("staff:") else actor
