"""`/consent`: the page on which a resident sees what a service would get, and decides."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, redirect, render_template, request
from flask_babel import format_date, gettext

from consent import labels
from consent.purposes import notices_for
from consent.rules import CONSENT
from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.accounts.rules import display_name
from idp.oidc import decisions
from idp.oidc.errors import Refusal
from idp.oidc.rules import COMPANIONS, claim_values
from idp.oidc.views import permissions
from idp.oidc.views.interaction import Ready, granted_with, ready
from idp.oidc.wiring import provider as current_provider
from idp.web.languages import current_language

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from consent.purposes import Notice
    from consent.rules import Section
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
    g.form_targets = client.form_targets
    with ctx.database.reading() as reading:
        decision = _decide(reading, waiting, session)
        notices = _notices(reading, decision)
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
    bases = {one.id: one.basis for one in current_provider().purposes_of(client.client_id).purposes}
    sections = [
        {
            **_section(section, bases[section.purpose_id], notices[section.purpose_id], values),
            "permissions": permissions.shown(waiting.request.authorization_details, section.required_claims),
        }
        for section in decision.sections
    ]
    return render_template(
        "ui/release.html",
        client_name=client.name,
        partner_name=client.partner_name,
        policy_uri=client.shown_link("policy_uri", current_language()),
        tos_uri=client.shown_link("tos_uri", current_language()),
        resident_name=display_name(attributes.get("given_name", ""), attributes.get("family_name")),
        sections=sections,
        information_only=not any(section.gives_choice for section in decision.sections),
        flow=handle,
        errors=[],
    )


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
    expressed = decisions.Expressed(
        agreed=request.form["decision"] == "allow",
        ticked=frozenset(request.form.getlist("share")),
        language=current_language(),
    )
    now = provider.context.now()

    def settle(writing: Session) -> str | Refusal:
        _record(writing, waiting, session, expressed, now=now)
        if not expressed.agreed:
            return Refusal("access_denied", "The resident did not agree")
        return decisions.settle_grant(
            provider, writing, found.client, waiting.request, session.resident_id, now=now
        )

    return granted_with(handle, found, settle)


def _decide(reading: Session, waiting: Waiting, session: SignedIn) -> decisions.Decision:
    return decisions.decide(current_provider(), reading, waiting.request, session.resident_id)


def _notices(reading: Session, decision: decisions.Decision) -> Mapping[str, Notice]:
    fallback = current_provider().context.settings.town.languages[0]
    return notices_for(reading, [one.purpose_id for one in decision.sections], current_language(), fallback)


def _record(
    writing: Session, waiting: Waiting, session: SignedIn, expressed: decisions.Expressed, *, now: int
) -> None:
    ctx = current_provider().context
    resident = writing.get(Resident, session.resident_id)
    log_key = accounts.log_key(ctx.vault, resident) if resident else None
    if log_key is None:
        raise LookupError("the resident's data key is destroyed")
    decision = _decide(writing, waiting, session)
    notices = _notices(writing, decision)
    decisions.record_answers(
        writing, log_key, waiting.request, session, decision, notices, expressed, now=now
    )


def _section(section: Section, basis: str, notice: Notice, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "purpose_title": notice.text.title,
        "why": notice.text.why,
        "basis": basis,
        "basis_text": _basis_text(basis),
        "retention_text": notice.text.retention_text,
        "recipients": notice.text.recipients,
        "required": [_item(claim, values) for claim in _shown(section.required_claims)],
        "optional": [
            {**_item(claim, values), "hint": "", "checked": claim in section.ticked}
            for claim in _shown(section.optional_claims)
        ],
    }


def _basis_text(basis: str) -> str:
    """Nobody has agreed yet on this page, so consent is spoken of as a choice."""
    return (
        str(gettext("You decide. You can stop it at any time."))
        if basis == CONSENT
        else labels.basis_text(basis)
    )


def _shown(claims: Iterable[str]) -> list[str]:
    return [claim for claim in claims if claim not in COMPANIONS and not claim.startswith(labels.PERMISSION)]


def _item(claim: str, values: Mapping[str, Any]) -> dict[str, str]:
    return {"id": claim, "label": str(labels.claim_label(claim)), "value": _text(claim, values.get(claim))}


def _text(claim: str, value: Any) -> str:
    if claim == "birthdate" and value is not None:
        return str(format_date(date.fromisoformat(value), "long"))
    if value is None:
        return str(gettext("not known to us"))
    if isinstance(value, bool):
        return str(gettext("Yes") if value else gettext("No"))
    if isinstance(value, dict):
        return str(value.get("formatted", ""))
    return str(value)
