"""What every part of an app is given: settings, database, keys to open things, and the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import current_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from idp.db import Database
    from idp.settings import Settings
    from keys.envelope import Vault


@dataclass(frozen=True, slots=True)
class Context:
    """Wired once by `create_app`; `clock()` gives Unix seconds."""

    settings: Settings
    database: Database
    vault: Vault
    clock: Callable[[], float]

    def now(self) -> int:
        """The present instant in whole Unix seconds."""
        return int(self.clock())


def context() -> Context:
    """The context of the app that answers the current request."""
    found: Context = current_app.extensions["denizen"]
    return found
