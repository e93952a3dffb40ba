"""The resident's privacy pages: who received what, when and why, and the way to stop it."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from consent import labels, lookups, pages, records, releases
from consent.executor import Executor
from consent.ports import CurrentResident, ServiceName, get_ports
from consent.visit import languages, service_names, signed_in
from consent.withdrawals import choices as taking_back
from consent.withdrawals.choices import Expressed, TakenBack

bp = Blueprint("consent", __name__, url_prefix="/privacy", template_folder="templates")

PAGE: Final = 50
_MAX_CURSOR_DIGITS = 19
_GROUNDS_LIMIT = 1000

Found = TypeVar("Found")
TakeBack = Callable[[Executor, Expressed, int], TakenBack | None]


@bp.get("")
@signed_in
def privacy(resident: CurrentResident) -> str:
    """Every service connected to the account, and every member of staff who looked at it."""
    ports = get_ports()
    before = _before()
    with ports.reading() as connection:
        services = pages.all_services(connection, resident.resident_id, *languages(), now=ports.now())
        looked = lookups.list_for(connection, resident.resident_id, before, PAGE)
    known = service_names(one["client_id"] for one in services)
    return render_template(
        "consent/privacy.html",
        services=[_named(one, known) for one in services],
        lookups=[
            {"when": one.at, "role": labels.role_text(one.staff_role), "reason": one.reason} for one in looked
        ],
        **_paging(looked, ".privacy"),
    )


@bp.get("/history")
@signed_in
def history(resident: CurrentResident) -> str:
    """Every choice the resident ever made."""
    with get_ports().reading() as connection:
        entries = records.history(connection, resident.resident_id, None, _before(), PAGE)
    known = service_names({one.client_id for one in entries})
    choices = [{**pages.choice_line(one), "service": known[one.client_id].name} for one in entries]
    return render_template("consent/history.html", choices=choices, **_paging(entries, ".history"))


@bp.get("/releases")
@signed_in
def all_releases(resident: CurrentResident) -> str:
    """Who received what, when and why, over all services."""
    with get_ports().reading() as connection:
        handed = releases.list_for(connection, resident.resident_id, None, _before(), PAGE)
        shown = pages.release_lines(connection, handed, *languages())
    known = service_names({one.client_id for one in handed})
    lines = [{**line, "service": known[line["client_id"]].name} for line in shown]
    return render_template("consent/releases.html", releases=lines, **_paging(handed, ".all_releases"))


@bp.get("/services/<client_id>")
@signed_in
def service(resident: CurrentResident, client_id: str) -> str:
    """What one service received and when, under which purposes, what it was told, and the ways to stop it."""
    ports = get_ports()
    with ports.reading() as connection:
        shown = _found(
            pages.one_service(connection, resident.resident_id, client_id, *languages(), now=ports.now())
        )
        handed = releases.list_for(connection, resident.resident_id, client_id, _before(), PAGE)
        entries = records.history(connection, resident.resident_id, client_id, limit=PAGE)
        lines = pages.release_lines(connection, handed, *languages())
    return render_template(
        "consent/service.html",
        service=_named(shown, service_names([client_id])),
        purposes=shown["purposes"],
        effects=shown["effects"],
        releases=lines,
        choices=[pages.choice_line(one) for one in entries],
        grounds_limit=_GROUNDS_LIMIT,
        **_paging(handed, ".service", client_id=client_id),
    )


@bp.post("/services/<client_id>/withdraw")
@signed_in
def withdraw(resident: CurrentResident, client_id: str) -> Response:
    """End every consent for a service, and its grants and tokens with it, in one transaction."""

    def everything(connection: Executor, by: Expressed, now: int) -> TakenBack | None:
        return taking_back.withdraw_all(connection, client_id, by, now=now)

    return _take_back(resident, client_id, "withdraw-button", everything)


@bp.post("/services/<client_id>/purposes/<purpose_id>/withdraw")
@signed_in
def withdraw_one(resident: CurrentResident, client_id: str, purpose_id: str) -> Response:
    """End the consent to one purpose; the service keeps what rests on others."""

    def one(connection: Executor, by: Expressed, now: int) -> TakenBack | None:
        return taking_back.withdraw_one(connection, client_id, purpose_id, by, now=now)

    return _take_back(resident, client_id, "withdraw-one-button", one)


@bp.post("/services/<client_id>/purposes/<purpose_id>/narrow")
@signed_in
def narrow(resident: CurrentResident, client_id: str, purpose_id: str) -> Response:
    """Take back single data of one purpose: whatever is not ticked any more."""
    keep = frozenset(request.form.getlist("share"))

    def less(connection: Executor, by: Expressed, now: int) -> TakenBack | None:
        return taking_back.narrow(connection, client_id, purpose_id, keep, by, now=now)

    return _take_back(resident, client_id, "share-less-button", less)


def _take_back(resident: CurrentResident, client_id: str, control: str, take: TakeBack) -> Response:
    """One transaction: the events, the end of what rested on them, and the order to tell the partner."""
    ports = get_ports()
    now = ports.now()
    with ports.transaction() as connection:
        if not ports.take_turn(connection):
            return redirect(url_for(".service", client_id=client_id), 303)
        if not pages.known(connection, resident.resident_id, client_id):
            abort(404)
        by = Expressed(
            resident.resident_id,
            ports.log_key_for(connection, resident.resident_id),
            control,
            ports.language(),
            resident.authentication,
        )
        taken = take(connection, by, now)
        if taken is not None:
            whose: dict[str, Any] = {"resident_id": resident.resident_id, "client_id": client_id}
            ports.tell(
                connection,
                event="consent-withdrawn",
                details=taken.details,
                signs_out=not taken.partial,
                now=now,
                **whose,
            )
            end = ports.narrow_grants if taken.partial else ports.revoke_grants
            end(connection, now=now, **whose)
    if taken is None or taken.partial:
        return redirect(url_for(".service", client_id=client_id, _anchor="told" if taken else None), 303)
    return redirect(url_for(".withdrawn", client_id=client_id), 303)


@bp.post("/services/<client_id>/object")
@signed_in
def object_to(resident: CurrentResident, client_id: str) -> Response:
    """Object to what the service does without asking, where its basis allows that (GDPR Art. 21(1))."""
    ports = get_ports()
    grounds = request.form.get("grounds", "").strip()[:_GROUNDS_LIMIT]
    with ports.transaction() as connection:
        if not ports.take_turn(connection):
            return redirect(url_for(".service", client_id=client_id), 303)
        if not pages.objectionable(connection, resident.resident_id, client_id):
            abort(404)
        path = ports.object_to(
            connection,
            resident_id=resident.resident_id,
            client_id=client_id,
            grounds=grounds,
            now=ports.now(),
        )
    return redirect(path, 303)


@bp.get("/services/<client_id>/withdrawn")
@signed_in
def withdrawn(resident: CurrentResident, client_id: str) -> str:
    """What the withdrawal did; only while it stands."""
    ports = get_ports()
    with ports.reading() as connection:
        done = _found(pages.withdrawal(connection, resident.resident_id, client_id))
        told = pages.effects(connection, resident.resident_id, client_id, now=ports.now())
    return render_template(
        "consent/withdraw_done.html",
        service=_named({"client_id": client_id}, service_names([client_id])),
        when=done.at,
        told=told[:1],
        effects=[
            *(_("No longer passed on: %(claims)s", claims=claims) for claims in done.claims),
            *(_("No longer allowed: %(permissions)s", permissions=one) for one in done.permissions),
            _("The service’s access to your data has ended."),
        ],
    )


def _found(value: Found | None) -> Found:
    """The value; else the same 404 for a service that is unknown, absent, or another resident's."""
    if value is None:
        abort(404)
    return value


def _named(shown: dict[str, Any], known: dict[str, ServiceName]) -> dict[str, Any]:
    name = known[shown["client_id"]]
    return {**shown, "name": name.name, "partner": name.partner or name.name}


def _before() -> int:
    """The cursor of this page; 400 if it is no cursor of ours."""
    text = request.args.get("before", str(records.NEWEST))
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_CURSOR_DIGITS):
        abort(400)
    return min(int(text), records.NEWEST)


def _paging(shown: list[Any], endpoint: str, **values: Any) -> dict[str, Any]:
    further = len(shown) == PAGE
    return {
        "next_url": url_for(endpoint, **values, before=shown[-1].id) if further else None,
        "first_url": url_for(endpoint, **values) if "before" in request.args else "",
    }
