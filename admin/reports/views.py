"""Figures, comparisons and the register: `/officer/figures`, `/officer/over-asking`, `/officer/register`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template, request
from flask_babel import gettext
from werkzeug.wrappers import Response

from admin.audit import asking
from admin.audit.files import csv_blocks
from admin.audit.rules import DAY, begins_at, day_of, ends_at
from admin.officer import words
from admin.reports.rules import chart
from admin.services import partner_name, service_name
from admin.staff.current import for_roles
from consent import labels
from consent.audit import figures, rules
from consent.audit.register import askings
from consent.canonical import moment
from idp.oidc.rules import COMPANIONS
from idp.web.context import context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admin.staff.sessions import StaffMember
    from consent.audit.register import Entry

bp = Blueprint("reports", __name__, url_prefix="/officer")

_YEAR = 365 * DAY


@bp.get("/figures")
@for_roles("officer")
def over_time(_staff: StaffMember) -> str | tuple[str, int]:
    """How often people agreed, refused and withdrew: all services side by side, or one by month."""
    ctx = context()
    typed = {name: request.args.get(name, "") for name in ("client", "since", "until")}
    zone = ctx.settings.town.time_zone
    days = {name: day_of(typed[name]) for name in ("since", "until")}
    errors = [
        (name, gettext("Enter a day such as 2026-11-22"))
        for name, day in days.items()
        if typed[name] and not day
    ]
    until = ends_at(days["until"], zone) if days["until"] else ctx.now() + 1
    since = begins_at(days["since"], zone) if days["since"] else max(0, until - _YEAR)
    until = min(until, since + 10 * _YEAR)
    with ctx.database.reading() as session:
        options = asking.service_options(asking.entries(session))
        counted = _counted(session, typed["client"], since, until) if not errors else {}
    shown = {name: rules.shown_counts(of) for name, of in counted.items()}
    page = render_template(
        "admin/figures.html",
        typed=typed,
        errors=errors,
        options=options,
        service=dict(options).get(typed["client"], ""),
        kinds=_kinds(),
        chart=chart(list(shown.items())) if shown else None,
        rows=[(name, [_shown(figure) for figure in of.values()]) for name, of in shown.items()],
    )
    return (page, 422) if errors else page


@bp.get("/over-asking")
@for_roles("officer")
def over_asking(_staff: StaffMember) -> str:
    """Purposes that ask for more than the others on the same basis, and for what hardly any other asks."""
    with context().database.reading() as session:
        register = asking.entries(session)
    titles = {one.purpose_id: one.title for one in register}
    compared = [
        replace(one, claims=tuple(claim for claim in one.claims if claim not in COMPANIONS))
        for one in askings(register)
    ]
    found = rules.over_asking(compared)
    return render_template(
        "admin/over_asking.html",
        found=[
            {
                "service": service_name(one.asking.client_id),
                "purpose": titles[one.asking.purpose_id],
                "basis": labels.basis_name(one.asking.basis),
                "asked": len(one.asking.claims),
                "usual": f"{one.usual:g}",
                "peers": one.peers,
                "unusual": words.claims_text(one.unusual),
            }
            for one in found
        ],
    )


@bp.get("/register")
@for_roles("officer")
def register(_staff: StaffMember) -> str:
    """The register of processing: one row is one version of one purpose."""
    ctx = context()
    with ctx.database.reading() as session:
        found = asking.entries(session)
    with_past = request.args.get("past") == "1"
    shown = [one for one in found if with_past or one.until is None]
    return render_template("admin/register.html", rows=list(map(_row, shown)), with_past=with_past)


@bp.get("/register.csv")
@for_roles("officer")
def register_csv(_staff: StaffMember) -> Response:
    """The register with its history, as CSV."""
    with context().database.reading() as session:
        found = asking.entries(session)
    answer = Response(b"".join(csv_blocks(map(_cells, found))), content_type="text/csv; charset=utf-8")
    day = datetime.fromtimestamp(context().now(), UTC).date()
    answer.headers["Content-Disposition"] = f'attachment; filename="register-{day}.csv"'
    return answer


def _counted(session: Any, client_id: str, since: int, until: int) -> Mapping[str, Mapping[str, int]]:
    if client_id:
        counts = figures.of_client(session, client_id, since, until)
        return rules.by_month(counts, rules.months(since, until))
    totals = figures.by_client(session, since, until)
    named = {service_name(client_id): of for client_id, of in totals.items()}
    return dict(sorted(named.items(), key=lambda one: one[0].casefold()))


def _shown(figure: int | None) -> str:
    return gettext("fewer than %(number)s", number=rules.SMALL) if figure is None else str(figure)


def _kinds() -> list[tuple[str, str]]:
    return [
        (rules.AGREED, gettext("Agreed")),
        (rules.REFUSED, gettext("Refused")),
        (rules.WITHDRAWN, gettext("Withdrew")),
    ]


def _row(one: Entry) -> dict[str, Any]:
    """One row of the register in words."""
    cells = _facts(one)
    return {
        **cells,
        "basis": labels.basis_name(one.basis),
        "data": words.claims_text(one.claims) or gettext("none"),
        "since": one.since,
        "until": one.until,
        "notice": words.notice_text(one.version, one.notice_hash),
        "records_url": f"/officer/records?notice={one.notice_hash.hex()}",
    }


def _cells(one: Entry) -> dict[str, Any]:
    """One row of the register in facts."""
    return {
        **_facts(one),
        "basis": one.basis,
        "data": list(one.claims),
        "purpose_id": one.purpose_id,
        "version": one.version,
        "notice": one.notice_hash.hex(),
        "from": moment(one.since),
        "until": "" if one.until is None else moment(one.until),
    }


def _facts(one: Entry) -> dict[str, Any]:
    """What GDPR Art. 30(1) asks for, as far as it is the same in words and in facts."""
    known = one.processing
    parties = [*known.get("controllers", ())]
    return {
        "service": service_name(one.client_id),
        "controller": "; ".join(map(_party, parties)) or partner_name(one.client_id),
        "purpose": one.title,
        "why": one.why,
        "people": gettext("Residents who use the service"),
        "data": "",
        "recipients": "; ".join(known.get("recipients", ())) or one.recipients,
        "places": ", ".join(
            dict.fromkeys([*known.get("storage_locations", ()), *known.get("processing_locations", ())])
        ),
        "retention": one.retention_text,
        "security": gettext("Stored encrypted under each person’s own key; every release is on record."),
    }


def _party(party: Mapping[str, Any]) -> str:
    said = (party.get(name, "") for name in ("name", "address", "contact", "email", "phone"))
    return ", ".join(filter(None, said))
