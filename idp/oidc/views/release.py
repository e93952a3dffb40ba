"""`/consent`: the page on which a resident sees what a service would get, and decides."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Blueprint, g, redirect, render_template, request

from consent import rules
from consent.purposes import changes_since, notices_for
from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.accounts.rules import display_name
from idp.oidc import decisions, holds, narrowing, sections
from idp.oidc.errors import Refusal
from idp.oidc.rules import claim_values
from idp.oidc.views import permissions
from idp.oidc.views.interaction import Ready, answered_with, granted_with, ready
from idp.oidc.wiring import provider as current_provider
from idp.web.languages import current_language

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from consent.purposes import Change, Notice
    from idp.login.sessions import SignedIn
    from idp.oidc.interactions import Waiting

bp = Blueprint("release", __name__)


@bp.get("/consent")
def show() -> str | Response:
    """Which service, why, under which basis, what it gets with the actual values, what stays optional."""
    handle = request.args.get("flow", "")
    found = ready(handle)
    if not isinstance(found, Ready):
        return found
    waiting, session, client, _ = found
    ctx = current_provider().context
    is_late = "late" in request.args
    g.form_targets = client.form_targets
    with ctx.database.reading() as reading:
        held = holds.cause_of(reading, session.resident_id, client.client_id)
        if held is not None:
            return render_template("ui/held.html", client_name=client.name, cause=held, flow=handle)
        decision = _asked(reading, found, is_late=is_late)
        if decision is None:
            return redirect(f"/authorize/continue?flow={handle}#main", 303)
        notices = _notices(reading, decision)
        changes = _changes(reading, decision)
        resident = reading.get(Resident, session.resident_id)
        assert resident is not None
        attributes = accounts.read_attributes(reading, ctx.vault, resident)
    values = claim_values(
        (claim for section in decision.sections for claim in section.offered),
        attributes,
        frozenset(),
        changed_at=resident.changed_at,
        now=ctx.now(),
    )
    return render_template(
        "ui/release.html",
        client_name=client.name,
        partner_name=client.partner_name,
        policy_uri=client.shown_link("policy_uri", current_language()),
        tos_uri=client.shown_link("tos_uri", current_language()),
        resident_name=display_name(attributes.get("given_name", ""), attributes.get("family_name")),
        sections=_shown(waiting, decision, notices, changes, values),
        seen=_seen(notices, decision),
        information_only=not any(section.gives_choice for section in decision.sections),
        flow=handle,
        is_late=is_late,
        errors=[],
    )


def _asked(reading: Session, found: Ready, *, is_late: bool) -> decisions.Decision | None:
    """What the page asks; None when there is nothing to ask. After an answer that came too late, what is on file again."""
    decision = _decide(reading, found.waiting, found.session)
    if decision.sections or not _is_answered(reading, found):
        return decision
    return _decide(reading, found.waiting, found.session, again=True) if is_late else None


def _shown(
    waiting: Waiting,
    decision: decisions.Decision,
    notices: Mapping[str, Notice],
    changes: Mapping[str, tuple[Change, ...]],
    values: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Every purpose as the template takes it."""
    asked = waiting.request
    purposes = {one.id: one for one in current_provider().purposes_of(asked.client_id).purposes}
    return [
        {
            **sections.shown(
                section,
                purposes[section.purpose_id].basis,
                notices[section.purpose_id].text,
                values,
                valid_for=decision.valid_for.get(section.purpose_id),
                changes=changes.get(section.purpose_id, ()),
            ),
            "permissions": permissions.shown(asked.authorization_details, section.required_claims),
        }
        for section in decision.sections
    ]


def _is_answered(reading: Session, found: Ready) -> bool:
    """Whether there is no question because what the service receives is agreed already, not because it is nothing."""
    asked = found.waiting.request
    grant = decisions.live_grant(reading, found.session.resident_id, asked.client_id)
    return grant is not None and "consent" not in asked.prompt


@bp.post("/consent")
def submit() -> Response:
    """Record the answer, settle the grant, and send the resident back, all in one transaction."""
    provider = current_provider()
    handle = request.form.get("flow", "")
    found = ready(handle)
    if not isinstance(found, Ready):
        return found
    if request.form.get("decision") not in ("allow", "deny"):
        return redirect(f"/consent?flow={handle}#main", 303)
    waiting, session = found.waiting, found.session
    if request.form["decision"] == "deny" and _is_held(found):
        return answered_with(handle, Refusal("access_denied", "The resident has stopped this service"))
    expressed = decisions.Expressed(
        agreed=request.form["decision"] == "allow",
        ticked=frozenset(request.form.getlist("share")),
        language=current_language(),
    )
    now = provider.context.now()
    answer = _Answer(expressed, request.form.get("seen", ""), "late" in request.form)

    def settle(writing: Session) -> str | Refusal:
        _record(writing, waiting, session, answer, now=now)
        if not expressed.agreed:
            # The last word counts: where something was agreed to before, its tokens give no more than that.
            narrowing.narrow(writing, session.resident_id, found.client.client_id, now=now)
            return Refusal("access_denied", "The resident did not agree")
        return decisions.settle_grant(
            provider, writing, found.client, waiting.request, session.resident_id, now=now
        )

    try:
        return granted_with(handle, found, settle)
    except _Stale:  # nothing of it stands
        return redirect(f"/consent?flow={handle}&late=1#main", 303)


class _Stale(Exception):
    """The page that was sent back says something else by now: nobody agrees to words they have not read."""


class _Answer(NamedTuple):
    """What came back with the form: the answer, what stood on the page, and whether it said what happened meanwhile."""

    expressed: decisions.Expressed
    unverified_seen: str
    is_late: bool


def _is_held(found: Ready) -> bool:
    with current_provider().context.database.reading() as reading:
        return holds.cause_of(reading, found.session.resident_id, found.client.client_id) is not None


def _decide(
    reading: Session, waiting: Waiting, session: SignedIn, *, again: bool = False
) -> decisions.Decision:
    return decisions.decide(current_provider(), reading, waiting.request, session.resident_id, again=again)


def _notices(reading: Session, decision: decisions.Decision) -> Mapping[str, Notice]:
    fallback = current_provider().context.settings.town.languages[0]
    return notices_for(reading, [one.purpose_id for one in decision.sections], current_language(), fallback)


def _changes(reading: Session, decision: decisions.Decision) -> dict[str, tuple[Change, ...]]:
    """What is not as it was when the resident agreed, by purpose."""
    fallback = current_provider().context.settings.town.languages[0]
    return {
        one.purpose_id: changes_since(
            reading,
            one.purpose_id,
            decision.choices[one.purpose_id].notice_version,
            current_language(),
            fallback,
        )
        for one in decision.sections
        if one.reason == "changed" and one.purpose_id in decision.choices
    }


def _seen(notices: Mapping[str, Notice], decision: decisions.Decision) -> str:
    """What stands on the page, as a digest that the form carries: notices, and the data they are about."""
    said = hashlib.sha256()
    for one in decision.sections:
        said.update(notices[one.purpose_id].body_hash + " ".join(one.offered).encode() + b"\n")
    return said.hexdigest()


def _record(writing: Session, waiting: Waiting, session: SignedIn, answer: _Answer, *, now: int) -> None:
    ctx = current_provider().context
    resident = writing.get(Resident, session.resident_id)
    log_key = accounts.log_key(ctx.vault, resident) if resident else None
    if log_key is None:
        raise LookupError("the resident's data key is destroyed")
    decision, notices = _answered(writing, waiting, session, answer)
    decisions.record_answers(
        writing, log_key, waiting.request, session, decision, notices, answer.expressed, now=now
    )


def _answered(
    writing: Session, waiting: Waiting, session: SignedIn, answer: _Answer
) -> tuple[decisions.Decision, Mapping[str, Notice]]:
    """The questions that the page asked, of which some may be answered by now, as in another tab.

    What was ticked there as well is added to that; taking something back, on a page that did not show it as ticked,
    needs a look at how things stand. A no concerns this request alone.

    Raises:
        _Stale: the page said something else, or did not show what would be taken back.
    """
    for again in (False, True):
        decision = _decide(writing, waiting, session, again=again)
        notices = _notices(writing, decision)
        if not hmac.compare_digest(answer.unverified_seen.encode(), _seen(notices, decision).encode()):
            continue
        if not again or "consent" in waiting.request.prompt:
            return decision, notices
        if not answer.expressed.agreed:
            return replace(decision, outcome=rules.Covered()), notices
        kept = {claim for section in decision.sections for claim in section.ticked}
        if answer.is_late or kept <= answer.expressed.ticked:
            return decision, notices
    raise _Stale
