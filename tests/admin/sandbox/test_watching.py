"""Lakeside watches the sample town's log."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from admin.sandbox.watching import NeighbourWitness
from consent.witness.memory import Memory
from consent.witness.rules import LONGEST_REQUEST
from tests.admin.sandbox.running import SECONDS, free_ports, start_demo
from tests.consent.witness.watched import Log

if TYPE_CHECKING:
    from pathlib import Path


def told(folder: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-c", "from admin.cli import main; main()"]
    config = ["--config", str(folder / "denizen.toml")]
    done = subprocess.run([*command, *config, *arguments], check=False, capture_output=True, text=True)
    return done.returncode, done.stdout


def until_cosigned(folder: Path) -> dict[str, Any]:
    end = time.monotonic() + SECONDS
    while True:
        code, output = told(folder, "witness", "status", "--json")
        found: dict[str, Any] = json.loads(output)
        if code == 0 and found["size"]:
            return found
        assert time.monotonic() < end, output


def test_the_sample_towns_checkpoints_are_witnessed_also_after_a_second_start(tmp_path: Path) -> None:
    """By the neighbouring town, under its own key; what it remembers outlives a start."""
    folder, ports = tmp_path / "riverton", free_ports()
    with start_demo(folder, ports):
        first = until_cosigned(folder)
        assert [one["name"] for one in first["witnesses"]] == ["lakeside"]
        vkey = NeighbourWitness(folder / "witness").vkey
    kept = Memory(folder / "witness").kept()
    assert [one.origin for one in kept] == [f"{ports.issuer.partition('://')[2]}/log"]
    assert kept[0].size >= first["size"]
    assert vkey in (folder / "denizen.toml").read_text()
    with start_demo(folder, ports):
        assert until_cosigned(folder)["size"] >= first["size"]
        assert NeighbourWitness(folder / "witness").vkey == vkey
    with start_demo(folder, ports, "--fresh"):
        assert until_cosigned(folder)["is_met"], (
            "a new town has a new log under the old name, so it gets a new witness"
        )


def test_the_neighbours_site_takes_checkpoints_of_the_town_alone(tmp_path: Path) -> None:
    from flask import Flask

    site = Flask("lakeside")
    NeighbourWitness(tmp_path).join(site)
    client = site.test_client()
    assert client.post("/witness/add-checkpoint", data=Log().request(0, 1)).status_code == 404
    assert client.post("/witness/add-checkpoint", data=b"x").status_code == 400
    assert client.post("/witness/add-checkpoint", data=b"x" * (LONGEST_REQUEST + 1)).status_code == 413
    assert client.get("/witness/add-checkpoint").status_code == 405
