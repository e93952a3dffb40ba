"""The mailbox page: every mail of the town, newest first, and the one-time codes of its staff."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyotp
from flask import abort, jsonify, render_template

from admin.sandbox.sites import new_site

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flask import Flask
    from werkzeug.wrappers import Response

    from admin.sandbox.mailbox import MailStore


def create_mailbox(store: MailStore, staff: Sequence[Mapping[str, str]], *, staff_url: str) -> Flask:
    """The mailbox; `staff` have `role`, `username` and `totp_secret`, as on the phone of each of them."""
    app = new_site("riverton-mailbox")
    app.add_template_filter(_in_words, "in_words")

    @app.get("/")
    def mails() -> str:
        return render_template("sandbox/mailbox/mails.html", mails=store.newest_first())

    @app.get("/messages/<mail_id>")
    def mail(mail_id: str) -> str:
        found = store.find(mail_id)
        if found is None:
            abort(404)
        return render_template("sandbox/mailbox/mail.html", mail=found)

    @app.get("/messages.json")
    def as_json() -> Response:
        return jsonify([{**asdict(one), "links": one.links} for one in store.newest_first()])

    @app.get("/codes")
    def codes() -> str:
        return render_template(
            "sandbox/mailbox/codes.html",
            codes=[_code(one) for one in staff],
            seconds=30 - int(time.time()) % 30,
            staff_url=staff_url,
        )

    @app.errorhandler(404)
    def unknown(_: Exception) -> tuple[str, int]:
        return render_template("sandbox/mailbox/unknown.html"), 404

    return app


def _code(one: Mapping[str, str]) -> dict[str, Any]:
    return {**one, "code": pyotp.TOTP(one["totp_secret"]).now()}


def _in_words(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%d %B %Y, %H:%M:%S")
