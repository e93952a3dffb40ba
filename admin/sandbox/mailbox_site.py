"""The mailbox page: every mail, text message and letter of the town, newest first, and the codes of its staff.

It is also the town's SMS company: its gateway takes text messages at `/sms`, as the generic adapter sends them.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyotp
from flask import Response, abort, jsonify, render_template, request

from admin.sandbox.card_prints import file_name, holders
from admin.sandbox.sites import new_site

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flask import Flask
    from werkzeug.wrappers import Response as Answer

    from admin.sandbox.mailbox import Item, MailStore

#: A mail in HTML is shown without scripts, forms, pictures or anything remote; its links open beside it.
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)


def create_mailbox(
    store: MailStore,
    staff: Sequence[Mapping[str, str]],
    residents: Sequence[Mapping[str, Any]] = (),
    *,
    staff_url: str,
    gateway_secret: str,
) -> Flask:
    """The mailbox; `staff` have `role`, `username` and `totp_secret`, as on the phone of each of them.

    So have those of `residents` who use an app, without a role; of those who have a card, the print is shown.
    """
    app = new_site("riverton-mailbox", has_frames=True)
    app.add_template_filter(_in_words, "in_words")

    _messages(app, store, [one["name"] for one in holders(residents)])

    @app.post("/sms")
    def sms() -> tuple[Answer, int]:
        return _take(store, gateway_secret)

    @app.get("/codes")
    def codes() -> str:
        return render_template(
            "sandbox/mailbox/codes.html",
            codes=[_code(one) for one in staff],
            residents=[_code(one) for one in residents if "totp_secret" in one],
            seconds=30 - int(time.time()) % 30,
            staff_url=staff_url,
        )

    @app.errorhandler(404)
    def unknown(_: Exception) -> tuple[str, int]:
        return render_template("sandbox/mailbox/unknown.html"), 404

    return app


def _messages(app: Flask, store: MailStore, has_card: Sequence[str]) -> None:
    """The pages of messages, and their JSON; beside them the prints of those who have a card, by their names."""

    @app.get("/")
    def items() -> str:
        return render_template(
            "sandbox/mailbox/mails.html",
            items=store.newest_first(),
            holders=has_card,
        )

    @app.get("/prints/<int:number>.pdf")
    def card(number: int) -> Answer:
        return _as_pdf(store, file_name(number))

    @app.get("/messages/<item_id>")
    def item(item_id: str) -> str:
        return render_template("sandbox/mailbox/mail.html", item=_found(store, item_id))

    @app.get("/messages/<item_id>/html")
    def html(item_id: str) -> Response:
        return _as_html(_found(store, item_id))

    @app.get("/messages/<item_id>/letter.pdf")
    def pdf(item_id: str) -> Answer:
        return _as_pdf(store, _found(store, item_id).pdf)

    @app.get("/messages.json")
    def as_json() -> Answer:
        return jsonify([_told(one) for one in store.newest_first()])

    @app.get("/messages/<item_id>.json")
    def one_as_json(item_id: str) -> Answer:
        return jsonify(_told(_found(store, item_id)))


def _found(store: MailStore, item_id: str) -> Item:
    found = store.find(item_id)
    if found is None:
        abort(404)
    return found


def _as_html(found: Item) -> Response:
    """A mail as a mail program shows it, in a frame that can do nothing."""
    if not found.html:
        abort(404)
    page = found.html.replace("<head>", '<head><base target="_blank">', 1)
    response = Response(page, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _MAIL_POLICY
    return response


def _as_pdf(store: MailStore, name: str) -> Response:
    """A file of what was printed; the name is ours."""
    if not name or not (store.folder / name).is_file():
        abort(404)
    response = Response((store.folder / name).read_bytes(), content_type="application/pdf")
    # The browser's own viewer brings styles and scripts.
    response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    return response


def _take(store: MailStore, gateway_secret: str) -> tuple[Answer, int]:
    """A text message from the town's gateway: JSON with `to`, `from`, `text` and `id`."""
    expected = f"Bearer {gateway_secret}"
    if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected.encode()):
        return jsonify(status="refused"), 401
    said = request.get_json(silent=True)
    if not isinstance(said, dict) or not all(
        isinstance(said.get(name), str) for name in ("to", "from", "text")
    ):
        return jsonify(status="unreadable"), 400
    kept = store.add_other(
        "sms", now=time.time(), sender=said["from"], to=said["to"], subject="", text=said["text"]
    )
    return jsonify(status="ok", id=kept.id), 201


def _told(item: Item) -> dict[str, Any]:
    return {**asdict(item), "links": item.links, "codes": item.codes}


def _code(one: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, "code": pyotp.TOTP(one["totp_secret"]).now()}


def _in_words(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%d %B %Y, %H:%M:%S")
