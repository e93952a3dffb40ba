"""The village and the city, started on this machine from the very settings files that the containers mount."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.house.repository import ROOT
from tests.support.loopback import free_port, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator

DENIZEN = Path(sys.executable).with_name("denizen")
ARRANGEMENTS = {"sqlite": "village", "postgresql": "city"}
#: Seconds, as in the compose files (`stop_grace_period`).
GRACE = 35
RESIDENTS, STAFF = "id.riverton.example", "staff.riverton.example"


@dataclass(frozen=True)
class Town:
    """A served town: the ports of its two apps, and its processes with what they logged."""

    port: int
    staff_port: int
    processes: list[subprocess.Popen[bytes]]
    log: Path


@pytest.fixture
def town(empty_database_url: str, tmp_path: Path) -> Iterator[Town]:
    """A town made by `init` and `migrate`, then served as its compose file serves it."""
    arrangement = ARRANGEMENTS[re.split(r"\W", empty_database_url)[0]]
    environment = _environment(arrangement, empty_database_url, tmp_path)
    for command in ("init", "migrate"):
        subprocess.run([DENIZEN, command], env=environment, cwd=tmp_path, check=True, capture_output=True)
    log = tmp_path / "log"
    with ExitStack() as stack:
        file = stack.enter_context(log.open("wb"))
        processes = []
        for command in _commands(arrangement):
            server = subprocess.Popen(
                [DENIZEN, *command], env=environment, cwd=tmp_path, stdout=file, stderr=file
            )
            stack.callback(server.wait, GRACE)
            stack.callback(server.terminate)
            processes.append(server)
        port, staff_port = (_port(environment[f"DENIZEN_SERVER__{name}"]) for name in ("BIND", "STAFF_BIND"))
        wait_for_port(port)
        wait_for_port(staff_port := staff_port if arrangement == "city" else port)
        yield Town(port, staff_port, processes, log)


def test_town_answers_by_name_and_is_found_healthy(town: Town) -> None:
    """Residents and staff reach their own app, and the image's health check agrees that it works."""
    status, body = _ask(town.port, RESIDENTS, "/.well-known/openid-configuration")
    assert (status, json.loads(body)["issuer"]) == (200, f"https://{RESIDENTS}")
    assert _ask(town.staff_port, STAFF, "/.well-known/openid-configuration")[0] == 404
    assert _ask(town.staff_port, STAFF, "/")[0] in {200, 302, 303}
    for port in (town.port, town.staff_port):
        subprocess.run(_health_check(port), check=True, timeout=10)


def test_town_ends_when_it_is_told_to(town: Town) -> None:
    """`docker stop` sends SIGTERM and waits for the grace period: what is under way ends, and so does the service."""
    for process in town.processes:
        process.terminate()
    assert [process.wait(GRACE) for process in town.processes] == [0] * len(town.processes), (
        town.log.read_text()
    )


def _environment(arrangement: str, database_url: str, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "DENIZEN_CONFIG": str(ROOT / "docker" / f"{arrangement}.toml"),
        "DENIZEN_SERVER__BIND": f"127.0.0.1:{free_port()}",
        "DENIZEN_SERVER__STAFF_BIND": f"127.0.0.1:{free_port()}",
        "DENIZEN_DATABASE__URL": database_url,
        "DENIZEN_KEYS__FILE": str(folder / "denizen.key"),
        **({"DENIZEN_SERVER__PROXY_SECRET": "5e" * 16} if arrangement == "city" else {}),
    }


def _commands(arrangement: str) -> list[list[str]]:
    """What the containers run, each command once; a service without a command runs the image's own."""
    content = yaml.safe_load((ROOT / "docker" / f"compose.{arrangement}.yaml").read_text(encoding="utf-8"))
    ours = [service for service in content["services"].values() if "build" in service]
    return [
        list(command)
        for command in dict.fromkeys(tuple(service.get("command", ["serve"])) for service in ours)
    ]


def _port(bind: str) -> int:
    return int(bind.rpartition(":")[2])


def _ask(port: int, name: str, path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": name, "X-Forwarded-Proto": "https"})
    answer = connection.getresponse()
    try:
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def _health_check(port: int) -> list[str]:
    """The health check as the Dockerfile has it, but for the port."""
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    code = re.search(r'CMD \["python", "-c", "(.+)"\]', dockerfile)
    assert code
    return [sys.executable, "-c", code[1].replace(":8400/", f":{port}/")]
