"""The folder that all workers of one test run share, and the lock that lets one of them prepare it.

The process that was called (with xdist: the controller) makes the folder before any worker starts and removes
it after the last has gone, so that what stands in it ends with the run, however a worker ended.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = pytest.StashKey[Path]()
MEMORY = Path("/dev/shm")
ROOM = 2 * 1024**3


def open_folder(config: pytest.Config) -> None:
    """Make the run's folder, or in an xdist worker take over the controller's."""
    handed_over = getattr(config, "workerinput", {}).get("denizen_folder")
    if handed_over:
        config.stash[FOLDER] = Path(handed_over)
        return
    folder = Path(tempfile.mkdtemp(prefix="denizen-tests-", dir=_in_memory()))
    folder.chmod(0o711)  # PostgreSQL's user must pass through; nobody else may list it
    config.stash[FOLDER] = folder


def _in_memory() -> Path | None:
    """Where files need no disk, if there is room: thousands of databases are copied in this folder, and removed again."""
    try:
        free = shutil.disk_usage(MEMORY).free
    except FileNotFoundError:
        return None
    return MEMORY if os.access(MEMORY, os.W_OK) and free > ROOM else None


def close_folder(config: pytest.Config) -> None:
    """End what runs in the folder and remove it; a worker leaves that to the controller."""
    folder = config.stash.get(FOLDER, None)
    if folder is None or hasattr(config, "workerinput"):
        return
    postgres.stop(folder / "postgresql")
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Hold the run-wide lock of that name; other workers wait."""
    with (folder / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
