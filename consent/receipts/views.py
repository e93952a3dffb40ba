"""A resident's receipts, to read, to keep and to print; and the page on which anybody checks one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, abort, g, render_template
from werkzeug.wrappers import Response

from consent.ports import get_ports
from consent.receipts import rules, service
from consent.receipts.paper import pdf_data
from consent.receipts.ports import NoPaper, receipt_ports
from consent.receipts.words import claim_labels, words_of
from consent.visit import service_names, signed_in

if TYPE_CHECKING:
    from consent.ports import CurrentResident
    from consent.receipts.service import Receipt

bp = Blueprint("receipts", __name__, template_folder="templates")

_DIGITS: Final = 32
_TYPES: Final = {
    "jwt": "application/consent-receipt+jwt",
    "json": "application/json",
    "pdf": "application/pdf",
}


@bp.get("/privacy/receipts/<name>")
@signed_in
def receipt(resident: CurrentResident, name: str) -> str | Response:
    """One receipt as a page; with ``.jwt``, ``.json`` or ``.pdf`` behind its number, as a file to keep."""
    uid, _, kind = name.partition(".")
    if kind not in ("", *_TYPES) or len(uid) != _DIGITS or set(uid) - set("0123456789abcdef"):
        abort(404)
    return _file(resident, uid, kind) if kind else _page(resident, uid)


@bp.get("/receipts/verify")
def verify() -> str:
    """Check a receipt in the browser; nothing of it leaves the machine."""
    g.runs_script = True
    return render_template("receipts/verify.html", claim_labels=claim_labels())


def _page(resident: CurrentResident, uid: str) -> str:
    with get_ports().reading() as connection:
        found = _made(connection, resident, uid)
    return render_template("receipts/receipt.html", uid=uid, words=words_of(found))


def _file(resident: CurrentResident, uid: str, kind: str) -> Response:
    ports = receipt_ports()
    with get_ports().reading() as connection:
        found = _made(connection, resident, uid)
        on_paper = kind == "pdf"

        def sign(claims: Any, typ: str) -> str:
            return ports.sign(connection, claims, typ)

        jws = found.signed_for_paper(sign) if on_paper else found.signed(sign)
    if on_paper:
        return _pdf(found, jws)
    content = service.file_of(found.claims, jws) if kind == "json" else f"{jws}\n".encode()
    return _download(content, uid, kind)


def _pdf(found: Receipt, jws: str) -> Response:
    """Typeset while no connection is held; a town that prints too much at once says so."""
    language = get_ports().language()
    try:
        content = receipt_ports().pdf(pdf_data(found, jws), language)
    except NoPaper:
        page = render_template("receipts/no_paper.html", uid=found.uid)
        return Response(page, 503, {"Retry-After": "10"}, content_type="text/html; charset=utf-8")
    return _download(content, found.uid, "pdf")


def _download(content: bytes, uid: str, kind: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="receipt-{uid[:12]}.{kind}"'}
    return Response(content, content_type=_TYPES[kind], headers=headers)


def _made(connection: Any, resident: CurrentResident, uid: str) -> Receipt:
    """The receipt; the same 404 for one that is unknown and one that is another resident's."""
    ports, more = get_ports(), receipt_ports()

    def names_of(client_id: str) -> rules.Names:
        known = service_names([client_id])[client_id]
        return rules.Names(more.issuer, more.town, known.name, known.partner or known.name)

    try:
        log_key = ports.log_key_for(connection, resident.resident_id)
    except LookupError:
        abort(404)
    found = service.make(
        connection,
        bytes.fromhex(uid),
        resident_id=resident.resident_id,
        log_key=log_key,
        service_key=more.service_key,
        names_of=names_of,
        now=ports.now(),
    )
    if found is None:
        abort(404)
    return found
