"""What the pages of recovery say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_babel import gettext

from idp.login.levels import Method

if TYPE_CHECKING:
    from collections.abc import Iterable


def keepable_names(methods: Iterable[Method]) -> list[tuple[str, str]]:
    """Value and words of each way in that a resident may say they still have."""
    names: dict[Method, str] = {
        Method.PASSKEY: gettext("My passkeys"),
        Method.TOTP: gettext("The app that shows codes"),
        Method.RECOVERY_CODE: gettext("My recovery codes"),
        Method.CARD: gettext("My card of the town and its paper list"),
        Method.UPSTREAM: gettext("My other digital identity"),
    }
    return [(method.value, names[method]) for method in methods if method in names]
