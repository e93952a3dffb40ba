"""Ports on this machine; a server that has just been started is asked until it answers."""

from __future__ import annotations

import secrets
import socket
import time

#: Below the ports that outgoing connections are given (Linux: from 32768 on).
_LOWEST, _HIGHEST = 20_000, 32_000


def free_port() -> int:
    """A loopback port that nobody listens on now, and that the system gives to no connection meanwhile."""
    while True:
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def wait_for_port(port: int, timeout: float = 20) -> None:
    """Return as soon as somebody listens on the port.

    Raises:
        TimeoutError: when nobody does within `timeout` seconds.
    """
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on port {port}")
