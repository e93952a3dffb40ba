"""What can become of one try to send a message, on any channel."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sent:
    """The gateway took it; `reference` is its own name for the message, if it gave one."""

    reference: str = ""


class TurnedDown(Exception):
    """The gateway refuses this one message, and trying again is pointless (`is_final`) or not.

    `cause` is short and names nobody: a status, an error code, the kind of an exception.
    """

    def __init__(self, cause: str, *, is_final: bool) -> None:
        super().__init__(cause)
        self.cause = cause
        self.is_final = is_final


class GatewayAway(Exception):
    """The gateway cannot be used now, whoever is written to: not reached, no sign-in, overloaded."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause
