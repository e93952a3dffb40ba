"""Ports on this machine; a server that has just been started is asked until it answers."""

from __future__ import annotations

import socket
import time


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
