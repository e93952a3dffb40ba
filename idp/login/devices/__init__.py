"""Known devices: browsers in which a resident signed in before.

Owns: the cookie `__Host-denizen-device` and the row per device and resident. Routes: none.
Leaves to others: what being known is good for (`idp.login.budgets`: guesses of its own; sessions: the notice about
a new device), and the page on which a resident removes one.
Others import: `known`, `known_by_hash`, `known_to`, `anybody`, `asked_of`, `remember`, `Remembered`, `listed`, `forget`, `forget_all`, `device_cookie`.

A device is no factor: it proves nothing, it only keeps strangers from locking its owner out (K28).
"""

from idp.login.devices.cookie import device_cookie
from idp.login.devices.service import (
    Remembered,
    anybody,
    asked_of,
    forget,
    forget_all,
    known,
    known_by_hash,
    known_to,
    listed,
    remember,
)

__all__ = [
    "Remembered",
    "anybody",
    "asked_of",
    "device_cookie",
    "forget",
    "forget_all",
    "known",
    "known_by_hash",
    "known_to",
    "listed",
    "remember",
]
