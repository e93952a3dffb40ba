"""What the host hands to the privacy pages: values and functions, so that consent needs nothing of the host."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Flask, current_app
from werkzeug.wrappers import Response

from consent.executor import Executor


@dataclass(frozen=True, slots=True)
class CurrentResident:
    """Who is signed in, and how: ``authentication`` holds acr, amr and auth_time."""

    resident_id: str
    authentication: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ServiceName:
    """A client in words: its own name and its partner's."""

    name: str
    partner: str


class RevokeGrants(Protocol):
    """Kill every grant and token between a resident and a client, in the caller's transaction."""

    def __call__(self, connection: Any, *, resident_id: str, client_id: str, now: int) -> None:
        """Revoke; raising leaves everything as it was."""


class NarrowGrants(Protocol):
    """Bring grants and tokens in line with the records, in the caller's transaction."""

    def __call__(self, connection: Any, *, resident_id: str, client_id: str, now: int) -> None:
        """Narrow what is live, or revoke it where nothing is left; raising leaves everything as it was."""


class TellPartner(Protocol):
    """Put a signed event for a client into the outbox, in the caller's transaction."""

    def __call__(
        self,
        connection: Any,
        *,
        event: str,
        resident_id: str,
        client_id: str,
        details: Mapping[str, Any],
        signs_out: bool,
        now: int,
    ) -> object:
        """Tell; ``details`` are names of purposes and data, ``signs_out`` says that the client's access has ended."""


class ObjectTo(Protocol):
    """Make an objection (GDPR Art. 21) a request that is decided, in the caller's transaction."""

    def __call__(self, connection: Any, *, resident_id: str, client_id: str, grounds: str, now: int) -> str:
        """Begin it; the path of the page on which the resident sees how it goes."""


class LookAgain(Protocol):
    """Have a client's grant last as long as the records say now, in the caller's transaction."""

    def __call__(self, connection: Any, *, resident_id: str, client_id: str, now: int) -> None:
        """Look; raising leaves everything as it was."""


def _no_grants(connection: Any, *, resident_id: str, client_id: str, now: int) -> None:
    """For a host that keeps none."""
    del connection, resident_id, client_id, now


def _alone(connection: Any) -> bool:
    """For a host with one writer."""
    del connection
    return True


@dataclass(frozen=True, slots=True)
class Ports:
    """The host's side. ``transaction`` commits when its block ends well and rolls back on any exception."""

    transaction: Callable[[], AbstractContextManager[Executor]]
    reading: Callable[[], AbstractContextManager[Executor]]
    now: Callable[[], int]
    resident: Callable[[], CurrentResident | Response]
    """The resident of this request, or the answer that asks them to sign in."""
    client_names: Callable[[Collection[str]], Mapping[str, ServiceName]]
    """Names by client id; an unknown client is left out."""
    language: Callable[[], str]
    log_key_for: Callable[[Any, str], bytes]
    """The 32-byte log key of a resident: connection and resident id."""
    revoke_grants: RevokeGrants
    narrow_grants: NarrowGrants
    tell: TellPartner
    object_to: ObjectTo
    default_language: str = "en"
    take_turn: Callable[[Any], bool] = _alone
    """Lets what the resident of this request decides come one after the other, in the transaction that is begun: call it
    before anything is read there. False when they have been signed out in this very moment, and decide nothing."""
    look_again: LookAgain = _no_grants


def init_app(app: Flask, ports: Ports) -> None:
    """Give ``app`` its ports; the blueprint is :data:`consent.views.bp`."""
    app.extensions["consent"] = ports


def get_ports() -> Ports:
    """The ports of the app at work."""
    ports = current_app.extensions["consent"]
    assert isinstance(ports, Ports)
    return ports
