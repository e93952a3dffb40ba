"""What the pages of recovery say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_babel import gettext

from idp.login.levels import Method

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def keepable_names(methods: Iterable[Method]) -> list[tuple[str, str]]:
    """Value and words of each way in that a resident may say they still have."""
    names: dict[Method, str] = {
        Method.PASSKEY: gettext("My passkeys"),
        Method.TOTP: gettext("The app that shows codes"),
        Method.RECOVERY_CODE: gettext("My recovery codes"),
        Method.CARD: gettext("My card of the town and its paper list"),
        Method.UPSTREAM: gettext("My other digital identity"),
    }
    return [(method.value, names[method]) for method in methods]


def second_label(enrolled: Collection[Method]) -> str:
    """What the field for the second factor is called: what this resident can type there; "" when that is nothing."""
    has_app, has_codes = Method.TOTP in enrolled, Method.RECOVERY_CODE in enrolled
    text: str = ""
    if has_app and has_codes:
        text = gettext("Code from your app, or one of your recovery codes")
    elif has_app:
        text = gettext("Code from your app")
    elif has_codes:
        text = gettext("One of your recovery codes")
    return text
