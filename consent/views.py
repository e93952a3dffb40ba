"""The resident's privacy pages: who received what, when and why, and the way to stop it."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Concatenate, Final, TypeVar

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from consent import labels, lookups, pages, records, releases
from consent.ports import CurrentResident, ServiceName, get_ports

bp = Blueprint("consent", __name__, url_prefix="/privacy", template_folder="templates")

PAGE: Final = 50
_MAX_CURSOR_DIGITS = 19

Found = TypeVar("Found")
View = Callable[Concatenate[CurrentResident, ...], str | Response]


def _signed_in(view: View) -> Callable[..., str | Response]:
    """Hand the resident to ``view``, or answer as the host says when nobody is signed in."""

    @wraps(view)
    def guarded(**values: str) -> str | Response:
        resident = get_ports().resident()
        return view(resident, **values) if isinstance(resident, CurrentResident) else resident

    return guarded


@bp.get("")
@_signed_in
def privacy(resident: CurrentResident) -> str:
    """Every service connected to the account, and every member of staff who looked at it."""
    ports = get_ports()
    before = _before()
    with ports.reading() as connection:
        services = pages.all_services(connection, resident.resident_id, *_languages())
        looked = lookups.list_for(connection, resident.resident_id, before, PAGE)
    known = _service_names(one["client_id"] for one in services)
    return render_template(
        "consent/privacy.html",
        services=[_named(one, known) for one in services],
        lookups=[
            {"when": one.at, "role": labels.role_text(one.staff_role), "reason": one.reason} for one in looked
        ],
        **_paging(looked, ".privacy"),
    )


@bp.get("/history")
@_signed_in
def history(resident: CurrentResident) -> str:
    """Every choice the resident ever made."""
    with get_ports().reading() as connection:
        entries = records.history(connection, resident.resident_id, None, _before(), PAGE)
    known = _service_names({one.client_id for one in entries})
    choices = [{**pages.choice_line(one), "service": known[one.client_id].name} for one in entries]
    return render_template("consent/history.html", choices=choices, **_paging(entries, ".history"))


@bp.get("/services/<client_id>")
@_signed_in
def service(resident: CurrentResident, client_id: str) -> str:
    """What one service received and when, under which purposes, and the button that stops it."""
    with get_ports().reading() as connection:
        shown = _found(pages.one_service(connection, resident.resident_id, client_id, *_languages()))
        handed = releases.list_for(connection, resident.resident_id, client_id, _before(), PAGE)
        entries = records.history(connection, resident.resident_id, client_id, limit=PAGE)
    return render_template(
        "consent/service.html",
        service=_named(shown, _service_names([client_id])),
        purposes=shown["purposes"],
        releases=[
            {
                "when": one.at,
                "kind_text": labels.release_text(one.kind),
                "claims": labels.released_text(one.claims),
            }
            for one in handed
        ],
        choices=[pages.choice_line(one) for one in entries],
        **_paging(handed, ".service", client_id=client_id),
    )


@bp.post("/services/<client_id>/withdraw")
@_signed_in
def withdraw(resident: CurrentResident, client_id: str) -> Response:
    """End every consent for a service, and its grants and tokens with it, in one transaction."""
    ports = get_ports()
    now = ports.now()
    with ports.transaction() as connection:
        if not pages.known(connection, resident.resident_id, client_id):
            abort(404)
        ended = records.withdraw(
            connection,
            log_key=ports.log_key_for(connection, resident.resident_id),
            resident_id=resident.resident_id,
            client_id=client_id,
            control="withdraw-button",
            language=ports.language(),
            authentication=resident.authentication,
            now=now,
        )
        if ended:
            ports.revoke_grants(connection, resident_id=resident.resident_id, client_id=client_id, now=now)
    target = ".withdrawn" if ended else ".service"
    return redirect(url_for(target, client_id=client_id), 303)


@bp.get("/services/<client_id>/withdrawn")
@_signed_in
def withdrawn(resident: CurrentResident, client_id: str) -> str:
    """What the withdrawal did; only while it stands."""
    with get_ports().reading() as connection:
        done = _found(pages.withdrawal(connection, resident.resident_id, client_id))
    return render_template(
        "consent/withdraw_done.html",
        service=_named({"client_id": client_id}, _service_names([client_id])),
        when=done.at,
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


def _languages() -> tuple[str, str]:
    ports = get_ports()
    return ports.language(), ports.default_language


def _service_names(client_ids: Iterable[str]) -> dict[str, ServiceName]:
    wanted = list(client_ids)
    found = get_ports().client_names(wanted)
    gone = ServiceName(str(labels.UNKNOWN_SERVICE), "")
    return {client_id: found.get(client_id, gone) for client_id in wanted}


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
