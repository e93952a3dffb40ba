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
    default_language: str = "en"


def init_app(app: Flask, ports: Ports) -> None:
    """Give ``app`` its ports; the blueprint is :data:`consent.views.bp`."""
    app.extensions["consent"] = ports


def get_ports() -> Ports:
    """The ports of the app at work."""
    ports = current_app.extensions["consent"]
    assert isinstance(ports, Ports)
    return ports
