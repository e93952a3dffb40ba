"""One person's timeline, what they had agreed to on a day, the page they saw, and the proof that none of it changed.

Every page of a person stands below the address of their open file and ends with it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from admin.audit import asking, exports, rows, seen
from admin.audit.files import FORMATS
from admin.audit.forms import ExportForm
from admin.audit.opened import log_key_of, opened, record_of
from admin.audit.rules import day_of, ends_at, kept, number_of
from admin.officer import words
from admin.officer.service import pseudonym
from admin.officer.views import over
from admin.services import service_name
from admin.staff.current import for_roles
from consent import acts, lookups
from consent.audit import replay, standing, timeline
from consent.log import opening
from consent.log.proofs import proof_for
from idp.upkeep import note_signers
from idp.web.context import context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admin.audit.opened import OpenFile
    from admin.officer.forms import Errors
    from admin.staff.sessions import StaffMember

bp = Blueprint("evidence", __name__, url_prefix="/officer")

PAGE = 50
#: Characters of a checkpoint that somebody pastes; one with many cosignatures has a few thousand.
_NOTE_LIMIT = 60_000


@bp.get("/people/<reference>/timeline")
@for_roles("officer")
def person_timeline(staff: StaffMember, reference: str) -> str | Response:
    """Choices, releases, look-ups and acts in one list, for one service or purpose if wanted."""
    before = _cursors()
    with context().database.reading() as session:
        file = opened(session, staff, reference)
        if file is None:
            return over()
        about = _about(file)
        shown, goes_on = timeline.page(session, about, before, PAGE)
        register = asking.entries(session)
        met = {one.client_id for one in replay.as_of(session, file.resident_id, 2**62)}
    onward: dict[str, Any] | None = goes_on and {**goes_on}
    chosen: dict[str, Any] = kept({"client": about.client_id or "", "purpose": about.purpose_id or ""})
    here = url_for(".person_timeline", reference=reference, **chosen)
    return render_template(
        "admin/timeline.html",
        **_file(file, reference),
        chosen=chosen,
        services=[one for one in asking.service_options(register) if one[0] in met],
        purposes=asking.purpose_options([each for each in register if each.client_id in met]),
        lines=[rows.line_words(one) for one in shown],
        next_url=url_for(".person_timeline", reference=reference, **chosen, **onward) if onward else None,
        first_url=here if set(request.args) & set(timeline.SOURCES) else "",
        page_url=url_for(".page", reference=reference) + "?entry=",
        export_url=url_for(".person_export", reference=reference, **chosen),
    )


@bp.post("/people/<reference>/export")
@for_roles("officer")
def person_export(staff: StaffMember, reference: str) -> Response | tuple[str, int]:
    """The timeline as a signed file; the reason is the one for which the file was opened."""
    ctx = context()
    with ctx.database.reading() as session:
        file = opened(session, staff, reference)
    if file is None:
        return over()
    typed = ExportForm(request.form.get("format", ""), file.reason)
    if typed.format not in FORMATS:
        abort(404)
    return exports.send(exports.person_export(ctx, staff, file, typed, _about(file), now=ctx.now()))


@bp.get("/people/<reference>/as-of")
@for_roles("officer")
def as_of(staff: StaffMember, reference: str) -> str | Response | tuple[str, int]:
    """What the person had agreed to at the end of a day."""
    ctx = context()
    typed = request.args.get("on", "")
    day = day_of(typed) if typed else datetime.fromtimestamp(ctx.now(), UTC).date()
    with ctx.database.reading() as session:
        file = opened(session, staff, reference)
        if file is None:
            return over()
        until = None if day is None else ends_at(day, ctx.settings.town.time_zone)
        stood = [] if until is None else replay.as_of(session, file.resident_id, until)
        titles = {one.purpose_id: one.title for one in asking.entries(session)}
    errors: Errors = [] if day else [("on", gettext("Enter a day such as 2026-11-22"))]
    page = render_template(
        "admin/as_of.html",
        **_file(file, reference),
        on=typed or str(day),
        errors=errors,
        stood=[
            {
                "service": service_name(one.client_id),
                "purpose": titles.get(one.choice.purpose_id, one.choice.purpose_id),
                "state": words.state_of(one.choice.state),
                "claims": words.claims_text(one.choice.claims_chosen),
                "since": one.choice.at,
                "url": url_for(".page", reference=reference, entry=one.record_id),
            }
            for one in stood
        ],
    )
    return page if day else (page, 422)


@bp.get("/people/<reference>/page")
@for_roles("officer")
def page(staff: StaffMember, reference: str) -> str | Response:
    """The exact page on which a choice was made, rebuilt from the stored notice, and whether its hash fits."""
    with context().database.reading() as session:
        file = opened(session, staff, reference)
        if file is None:
            return over()
        record = record_of(session, file, number_of(request.args.get("entry", "")))
        sections = replay.page_of(session, record)
        relied = replay.relied_on(session, record)
        log_key = log_key_of(session, file.resident_id)
        leaf = standing.leaf_of(session, record.uid)
        is_integrated = proof_for(session, record.uid) is not None
    facts = rows.record_row(context().vault, record)
    return render_template(
        "admin/seen.html",
        **_file(file, reference),
        record={**facts, "when": record.at, "event": words.event_text(record.event), "id": record.id},
        authentication=words.level_text(facts["level"]),
        checks=[
            {
                "title": one.notice.text.title if one.notice else one.record.purpose_id,
                "stored": one.record.notice_hash.hex(),
                "recomputed": one.recomputed_hash.hex(),
                "matches": one.matches,
            }
            for one in sections
        ],
        seen=seen.rebuilt(record, sections) if all(one.matches for one in sections) else None,
        relied=[{**_relied(one), "service": service_name(one.client_id)} for one in relied],
        leaf=leaf.decode() if leaf else "",
        opening=opening(log_key, record.uid).hex() if log_key else "",
        proof_url=url_for(".proof", entry=record.uid.hex()) if is_integrated else "",
    )


@bp.get("/proof")
@for_roles("officer")
def proof(_staff: StaffMember) -> Response:
    """The proof that one entry is in the log (C2SP tlog-proof); 404 where it has no place yet, or never was."""
    try:
        uid = bytes.fromhex(request.args.get("entry", ""))
    except ValueError:
        abort(404)
    with context().database.reading() as session:
        found = proof_for(session, uid)
    if found is None:
        abort(404)
    answer = Response(found, content_type="text/plain; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{uid.hex()}.tlog-proof"'
    return answer


@bp.get("/integrity")
@for_roles("officer")
def integrity(_staff: StaffMember) -> str:
    """Where the log stands: its head, its witnesses, what waits, and when it was verified."""
    return _integrity_page("", None)


@bp.post("/integrity")
@for_roles("officer")
def compare(_staff: StaffMember) -> tuple[str, int]:
    """Whether the log still begins with what a checkpoint kept elsewhere stood for."""
    typed = request.form.get("checkpoint", "")[:_NOTE_LIMIT].replace("\r\n", "\n").strip("\n")
    with context().database.reading() as session:
        signer, earlier = note_signers(session, context())
        found = standing.compare(session, f"{typed}\n", signer.vkey, *earlier)
    return _integrity_page(typed, found), 422 if found.trouble == "unreadable" else 200


def _integrity_page(typed: str, compared: standing.Compared | None) -> str:
    ctx = context()
    with ctx.database.reading() as session:
        now_stands = standing.standing(session)
        signer, _ = note_signers(session, ctx)
    unreadable = compared is not None and compared.trouble == "unreadable"
    text = gettext("This is no checkpoint that this log has signed. Paste all of it, to the last line.")
    return render_template(
        "admin/integrity.html",
        standing=now_stands,
        vkey=signer.vkey,
        waited_for=max(0, ctx.now() - now_stands.waiting_since) if now_stands.waiting_since else 0,
        compared=None if unreadable else compared,
        checkpoint=typed,
        errors=[("checkpoint", text)] if unreadable else [],
    )


@bp.get("/mine")
@for_roles("officer")
def mine(staff: StaffMember) -> str:
    """Whom the officer looked up and why, and what else they did: what stands on record about themselves."""
    ctx = context()
    before = {name: number_of(request.args.get(name, str(acts.NEWEST))) for name in ("lookups", "acts")}
    if None in before.values():
        abort(404)
    with ctx.database.reading() as session:
        looked = lookups.by_staff(session, staff.staff_id, before["lookups"] or 0, PAGE)
        done = acts.by_actor(session, acts.staff(staff.staff_id), before["acts"] or 0, PAGE)
    onward: dict[str, Any] = {"lookups": looked[-1].id if looked else 0, "acts": done[-1].id if done else 0}
    further = len(looked) == PAGE or len(done) == PAGE
    return render_template(
        "admin/mine.html",
        looked=[
            {"when": one.at, "person": pseudonym(ctx.vault, one.resident_id), "reason": one.reason}
            for one in looked
        ],
        done=[
            {"when": one.at, "what": words.act_text(one.kind), "about": words.details_text(one.details)}
            for one in done
        ],
        next_url=url_for(".mine", **onward) if further else None,
        first_url=url_for(".mine") if request.args else "",
    )


def _about(file: OpenFile) -> timeline.About:
    client, purpose = (request.args.get(name) or None for name in ("client", "purpose"))
    return timeline.About(file.resident_id, client, purpose)


def _cursors() -> Mapping[str, int]:
    found = {source: number_of(request.args.get(source, str(timeline.NEWEST))) for source in timeline.SOURCES}
    if None in found.values():
        abort(404)
    return {source: at for source, at in found.items() if at is not None}


def _file(file: OpenFile, reference: str) -> dict[str, Any]:
    return {
        "person": file.pseudonym,
        "reason": file.reason,
        "file_url": url_for("officer.person", reference=reference),
        "timeline_url": url_for(".person_timeline", reference=reference),
        "as_of_url": url_for(".as_of", reference=reference),
    }


def _relied(one: replay.Relied) -> dict[str, Any]:
    return {"number": one.number, "first": one.first_at, "last": one.last_at}
