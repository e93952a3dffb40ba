"""What services ask outside a sign-in, and what ends by itself: `/privacy/questions`."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _

from consent import expiry, labels
from consent.ports import get_ports
from consent.questions import service
from consent.visit import languages, service_names, signed_in

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from consent import purposes
    from consent.executor import Executor
    from consent.ports import CurrentResident
    from consent.questions.service import Said

bp = Blueprint("questions", __name__, url_prefix="/privacy", template_folder="../templates")

_SAID: Final[dict[str, Said]] = {"yes": "given", "no": "refused", "later": "deferred"}


@bp.get("/questions")
@signed_in
def questions(resident: CurrentResident) -> str:
    """Every question that waits, and every agreement that may be renewed."""
    ports = get_ports()
    with ports.reading() as connection:
        waiting = service.waiting(connection, resident.resident_id, *languages())
        ending = expiry.renewable(connection, resident.resident_id, *languages(), now=ports.now())
    names = service_names([*(one.client_id for one in waiting), *(one.purpose.client_id for one in ending)])
    return render_template(
        "consent/questions.html",
        questions=[
            {
                **_words(one.notice),
                "id": one.id,
                "service": names[one.client_id].name,
                "when": one.asked_at,
                "is_deferred": one.is_deferred,
                "valid_text": labels.lasts_text(one.purpose.valid_for),
            }
            for one in waiting
        ],
        ending=[
            {
                **_words(one.notice),
                "id": one.purpose.id,
                "service": names[one.purpose.client_id].name,
                "ends_at": one.ends_at,
                "claims": labels.claim_list(one.choice.claims_chosen),
                "valid_text": labels.lasts_text(one.purpose.valid_for),
            }
            for one in ending
        ],
        done=_done(request.args.get("done", "")),
    )


@bp.post("/questions/<question_id>")
@signed_in
def answer(resident: CurrentResident, question_id: str) -> Response:
    """Record an answer to exactly the words that were shown."""
    ports = get_ports()
    said, now = request.form.get("answer", ""), ports.now()
    if said not in _SAID:
        abort(400)
    done = ""
    with ports.transaction() as connection:
        is_still_here = ports.take_turn(connection)
        waiting = service.waiting(connection, resident.resident_id, *languages()) if is_still_here else []
        question = next((one for one in waiting if one.id == question_id), None)
        if question is not None and _was_shown(question.notice):
            recorded = service.answer(
                connection,
                question,
                _SAID[said],
                log_key=ports.log_key_for(connection, resident.resident_id),
                resident_id=resident.resident_id,
                authentication=resident.authentication,
                now=now,
            )
            done = said if recorded else ""
    return redirect(url_for(".questions", done=done or "again"), 303)


@bp.post("/renewals/<purpose_id>")
@signed_in
def renew(resident: CurrentResident, purpose_id: str) -> Response:
    """Agree once more to exactly the words that were shown."""
    ports = get_ports()
    now, done = ports.now(), "again"
    with ports.transaction() as connection:
        is_still_here = ports.take_turn(connection)
        mine = (connection, resident.resident_id, *languages())
        ending = expiry.renewable(*mine, now=now) if is_still_here else []
        found = next((one for one in ending if one.purpose.id == purpose_id), None)
        if found is not None and _was_shown(found.notice):
            _renew(connection, found, resident, now=now)
            done = "renewed"
    return redirect(url_for(".questions", done=done), 303)


def _renew(connection: Executor, found: expiry.Renewable, resident: CurrentResident, *, now: int) -> None:
    ports = get_ports()
    expiry.renew(
        connection,
        found,
        log_key=ports.log_key_for(connection, resident.resident_id),
        resident_id=resident.resident_id,
        language=found.notice.language,
        authentication=resident.authentication,
        now=now,
    )
    ports.look_again(connection, resident_id=resident.resident_id, client_id=found.purpose.client_id, now=now)


def _was_shown(notice: purposes.Notice) -> bool:
    """Whether the page that was sent back had this very notice on it."""
    return hmac.compare_digest(request.form.get("notice", ""), notice.body_hash.hex())


def _words(notice: purposes.Notice) -> dict[str, Any]:
    return {
        "title": notice.text.title,
        "why": notice.text.why,
        "retention_text": notice.text.retention_text,
        "recipients": notice.text.recipients,
        "language": notice.language,
        "notice": notice.body_hash.hex(),
    }


def _done(said: str) -> str:
    texts = {
        "yes": _("You agreed. You can change your mind at any time, under “Who sees my data?”."),
        "no": _("You refused. The service will not ask you again soon."),
        "later": _("We keep the question for you here."),
        "renewed": _("You agreed again."),
        "again": _("Something has changed since you opened this page. Please look again."),
    }
    return str(texts.get(said, ""))
