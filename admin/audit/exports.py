"""Signed files: made whole, put on record with their digest and signature, then sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask_babel import gettext
from werkzeug.wrappers import Response

from admin.audit import files, opened, papers, rows, signing
from admin.audit.rules import kept
from admin.officer import words
from consent import acts
from consent.audit import search, standing, timeline
from consent.canonical import moment
from consent.log import opening
from consent.log.proofs import proof_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from admin.audit.asking import Asked, Options
    from admin.audit.files import Written
    from admin.audit.forms import ExportForm
    from admin.audit.opened import OpenFile
    from admin.staff.sessions import StaffMember
    from consent.acts import Act
    from idp.web.context import Context

RECORDS_EXPORTED, FILE_EXPORTED = "records_exported", "file_exported"
KINDS = (RECORDS_EXPORTED, FILE_EXPORTED)


@dataclass(frozen=True, slots=True)
class Export:
    """A file ready to be sent, its name and its kind."""

    written: Written
    name: str
    content_type: str


def records_export(ctx: Context, staff: StaffMember, asked: Asked, typed: ExportForm, *, now: int) -> Export:
    """Everything that a search finds."""
    about = {"what": "consent records", "filter": asked.filters, "town": ctx.settings.server.issuer}
    with ctx.database.reading() as session:
        found = (rows.record_row(ctx.vault, one) for one in search.every(session, asked.query))
        written = files.write(typed.format, {**about, "made_at": moment(now)}, found, papers.records_pdf)
    facts = {"filter": asked.filters}
    return _on_record(ctx, staff, written, typed, RECORDS_EXPORTED, facts=facts, now=now)


def person_export(
    ctx: Context, staff: StaffMember, file: OpenFile, typed: ExportForm, about: timeline.About, *, now: int
) -> Export:
    """A person's timeline, in JSON with what proves every choice; the person sees that it was exported."""
    said = kept({"client": about.client_id or "", "purpose": about.purpose_id or ""})
    head = {"what": "timeline", "filter": said, "town": ctx.settings.server.issuer, "reason": typed.reason}
    with ctx.database.reading() as session:
        log_key = opened.log_key_of(session, file.resident_id)
        lines = _lines(session, file, about, log_key if typed.format in (files.JSON, files.JSON_LD) else None)
        head |= {"made_at": moment(now)}
        written = files.write(typed.format, head, lines, papers.timeline_pdf)
    return _on_record(
        ctx, staff, written, typed, FILE_EXPORTED, facts={"filter": said}, now=now, log_key=log_key, file=file
    )


def send(export: Export) -> Response:
    """The file as an answer, in blocks; the signature lies at `/officer/exports`."""
    answer = Response(export.written.blocks(), content_type=export.content_type, direct_passthrough=True)
    answer.headers["Content-Disposition"] = f'attachment; filename="{export.name}"'
    answer.headers["Content-Length"] = str(export.written.length)
    answer.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    return answer


def listed(connection: Any, before: int, limit: int) -> list[Act]:
    """Exports of either kind, newest first."""
    found = [one for kind in KINDS for one in acts.of_kind(connection, kind, before, limit)]
    return sorted(found, key=lambda one: -one.id)[:limit]


def find(connection: Any, number: int) -> Act | None:
    """One export by the number of its act."""
    return next((one for one in listed(connection, number + 1, 1) if one.id == number), None)


def sidecar(act: Act) -> Response:
    """The signature of an export, under the file's name with `.jws` behind it."""
    answer = Response(act.details["signature"] + "\n", content_type="text/plain; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{act.details["file"]}.jws"'
    return answer


def in_words(act: Act) -> dict[str, Any]:
    """One export for the list of them."""
    details = act.details
    return {
        "id": act.id,
        "when": act.at,
        "what": words.act_text(act.kind),
        "file": details["file"],
        "rows": details["rows"],
        "reason": details["reason"],
        "sha256": details["sha256"],
    }


def filter_words(asked: Asked, options: Mapping[str, Options]) -> list[tuple[str, str]]:
    """What was searched for, in words."""
    names: dict[str, str] = {
        "client": gettext("Service"),
        "purpose": gettext("Purpose"),
        "notice": gettext("Notice"),
        "event": gettext("Event"),
        "level": gettext("Level"),
        "since": gettext("From"),
        "until": gettext("Until"),
        "standing": gettext("Only what stands today"),
    }
    said = {
        **asked.filters,
        **{name: dict(known).get(asked.filters.get(name, ""), "") for name, known in options.items()},
    }
    if "event" in asked.filters and asked.query.event:
        said["event"] = words.event_text(asked.query.event)
    if "standing" in said:
        said["standing"] = gettext("Yes")
    return [(names[name], value) for name, value in said.items() if value]


def _lines(
    session: Any, file: OpenFile, about: timeline.About, log_key: bytes | None
) -> Iterator[dict[str, Any]]:
    for line in timeline.every(session, about):
        row: dict[str, Any] = rows.line_row(file.pseudonym, line)
        if log_key is not None and line.source == timeline.EVENT:
            row["evidence"] = evidence(session, log_key, line.values["uid"])
        yield row


def evidence(session: Any, log_key: bytes, uid: bytes) -> dict[str, str | None]:
    """What a stranger needs to find one record in the published log, and what opens its commitment."""
    leaf = standing.leaf_of(session, uid)
    return {
        "leaf": None if leaf is None else leaf.decode(),
        "opening": opening(log_key, uid).hex(),
        "proof": proof_for(session, uid),
    }


def _on_record(
    ctx: Context,
    staff: StaffMember,
    written: Written,
    typed: ExportForm,
    kind: str,
    *,
    facts: dict[str, Any],
    now: int,
    log_key: bytes | None = None,
    file: OpenFile | None = None,
) -> Export:
    """Sign the file and record it; when that fails, nothing is sent."""
    name = f"{kind.replace('_', '-')}-{moment(now)[:19].replace(':', '')}.{typed.format}"
    try:
        with ctx.database.transaction() as session:
            details = {
                **facts,
                "format": typed.format,
                "file": name,
                "reason": typed.reason,
                "rows": written.rows,
                "sha256": written.sha256.hex(),
                "signature": signing.detached(session, ctx, written.sha256),
            }
            acts.record(
                session,
                log_key=log_key or ctx.vault.subkey("log"),
                kind=kind,
                actor=acts.staff(staff.staff_id),
                resident_id=file.resident_id if file and log_key else None,
                details=details,
                now=now,
            )
    except BaseException:
        written.file.close()
        raise
    return Export(written, name, files.FORMATS[typed.format])
