"""How ways to sign in are called on pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_babel import gettext

from idp.login.levels import Method

if TYPE_CHECKING:
    from collections.abc import Collection


def too_many() -> str:
    """What somebody reads who tried too often."""
    text: str = gettext("There were too many attempts. Wait 15 minutes, then try again.")
    return text


def names_of(methods: Collection[Method]) -> str:
    """What a page calls the ways in that share an address."""
    if {Method.PASSKEY, Method.PASSWORD} <= set(methods):
        both: str = gettext("Passkey or password")
        return both
    return way_name(next(iter(methods)))


def way_name(method: Method) -> str:
    """What a page calls a way to sign in."""
    names: dict[Method, str] = {
        Method.PASSKEY: gettext("Passkey"),
        Method.PASSWORD: gettext("Password"),
        Method.TOTP: gettext("Code from an app"),
        Method.EMAIL_CODE: gettext("Code by e-mail"),
        Method.SMS_CODE: gettext("Code by text message"),
        Method.RECOVERY_CODE: gettext("Recovery code"),
        Method.CARD: gettext("Card of the town"),
        Method.PAPER_CODE: gettext("Code from your paper list"),
        Method.UPSTREAM: gettext("Another digital identity"),
    }
    return names[method]
