"""What gets installed is exactly what was locked, and what was locked is what the project asks for."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from tests.house.repository import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ["requirements.txt", "requirements-dev.txt"]
ENTRY = re.compile(
    r"^([a-z0-9-]+)==(\S+)((?: ; [^\\]+)?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_hashed_pins_only(lock: str) -> None:
    """Not one line of a lock file is anything but a pinned version and its hashes."""
    assert not ENTRY.sub("", _text(lock)).strip()


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_covers_the_project(lock: str) -> None:
    """A dependency that was added without `make lock` shows here."""
    assert _asked_for(lock) <= set(_pins(lock))


def test_both_locks_agree() -> None:
    """What is tested is what runs."""
    runs, tested = _pins("requirements.txt"), _pins("requirements-dev.txt")
    assert {name: tested.get(name) for name in runs} == runs


@pytest.mark.parametrize("folder", ["tests/interop", "tests/bench/providers/node_oidc"])
def test_npm_lock_is_complete_and_names_no_source(folder: str) -> None:
    """The npm packages are pinned by digest, and come from whatever source the machine is set up for."""
    path = ROOT / folder / "package-lock.json"
    packages = {
        name: entry
        for name, entry in json.loads(path.read_text(encoding="utf-8"))["packages"].items()
        if name
    }
    assert packages
    assert not [name for name, entry in packages.items() if not entry.get("integrity") or "resolved" in entry]


def _text(lock: str) -> str:
    return (ROOT / lock).read_text(encoding="utf-8")


def _pins(lock: str) -> dict[str, str]:
    return {match[1]: match[2] for match in ENTRY.finditer(_text(lock))}


def _asked_for(lock: str) -> set[str]:
    groups, extras = PROJECT["dependency-groups"], PROJECT["project"]["optional-dependencies"]
    asked = [*PROJECT["project"]["dependencies"], *extras["sandbox"], *groups["build"]]
    if lock == "requirements-dev.txt":
        asked += groups["dev"]
    return {re.split(r"[^A-Za-z0-9_.-]", line)[0].lower().replace("_", "-") for line in asked}
