"""What the sign-in page needs from the layer above it: the request that is being interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import current_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from idp.login.passwords import Passwords


@dataclass(frozen=True, slots=True)
class Flow:
    """A partner's request that waits for a sign-in."""

    client_name: str
    login_hint: str
    form_targets: str
    next_url: str


@dataclass(frozen=True, slots=True)
class Ports:
    """`describe` gives None for a flow that is unknown, over or of another browser; `cancel` answers the partner."""

    passwords: Passwords
    describe: Callable[[str], Flow | None]
    cancel: Callable[[str], Response]
    signed_in: Callable[[str, int], None]


def ports() -> Ports:
    """The ports of the current app."""
    found: Ports = current_app.extensions["denizen.login"]
    return found
