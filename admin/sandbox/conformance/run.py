"""One run: the town founded in a folder of its own, served by `denizen serve`, and ended together with everything."""

from __future__ import annotations

import ssl
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from admin.sandbox.child import PROGRAM
from admin.sandbox.conformance.door import Door
from admin.sandbox.conformance.suite import printed
from admin.sandbox.conformance.town import found_town
from admin.sandbox.demo import ending_with_signals, in_peace
from admin.sandbox.processes import Child, check_alive, stop_children, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from admin.sandbox.conformance.plan import Plan
    from admin.sandbox.conformance.town import Founded, Places

_LOOK_EVERY: Final = 0.5


def run_conformance(folder: Path, places: Places, plan: Plan, *, announce: Callable[[str], None]) -> None:
    """Serve until a signal comes; `announce` is given everything as JSON, once the town answers.

    Raises:
        PlanProblem, ClientRefused, SettingsError: before anything is served.
        ChildEnded: when the town ended by itself.
        OSError: when the port for certificates is taken.
    """
    children: list[Child] = []
    with ending_with_signals(), ExitStack() as running:
        running.callback(in_peace, lambda: stop_children(children))
        town = found_town(folder, places, plan)
        children.append(_start(town, places))
        children[0].begin()
        wait_until_ready(children)
        if places.mtls_port is not None:
            door = _door(town, places)
            running.callback(door.stop)
            door.start()
        announce(printed(town.told, places, plan.alias))
        while True:
            check_alive(children)
            time.sleep(_LOOK_EVERY)


def _start(town: Founded, places: Places) -> Child:
    command = [sys.executable, "-P", "-c", PROGRAM, "--config", str(town.settings)]
    command += ["serve", "--only", "residents"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sys.stderr.fileno())  # noqa: S603
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # our own child, found by its port
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    return Child("residents", places.port, "/health", process, places.near, unverified)


def _door(town: Founded, places: Places) -> Door:
    assert places.mtls_port is not None
    shown = [client.certificate for client in town.clients if client.certificate]
    return Door(
        (places.bind, places.mtls_port),
        (places.near, places.port),
        certificate=str(town.certificate),
        key=str(town.key),
        trusted=[town.authority, *shown],
        secret=places.door_secret,
    )
