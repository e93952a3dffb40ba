"""Running a client for Node.js: it says where the resident is to go, and in the end what it was granted and refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HERE = Path(__file__).parent

#: What an order of the client, such as `open`, is answered with.
Orders = dict[str, "Callable[[str], dict[str, Any]]"]


def need(*packages: str) -> None:
    """Skip the test where Node.js or packages of npm are missing."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    missing = [name for name in packages if not (HERE / "node_modules" / name).is_dir()]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed: run tests/support/npm.sh tests/interop")


def converse(
    script: str,
    setup: Mapping[str, Any],
    orders: Orders,
    complaints: Path,
    *,
    authority: Path | None = None,
) -> dict[str, Any]:
    """Run a client that trusts `authority`, and carry its orders out; what it says in the end."""
    pipe = subprocess.PIPE
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        if authority is not None:
            patch.setenv("NODE_EXTRA_CA_CERTS", str(authority))
        stderr = stack.enter_context(complaints.open("w"))
        process = stack.enter_context(
            subprocess.Popen(
                ["node", script],
                cwd=HERE,
                stdin=pipe,
                stdout=pipe,
                stderr=stderr,
                text=True,
                bufsize=1,
            )
        )
        stack.callback(process.kill)  # runs first, and does nothing to one that has ended
        _say(process.stdin, setup)
        assert process.stdout is not None
        for line in process.stdout:
            said: dict[str, Any] = json.loads(line)
            order = next((one for one in orders if one in said), None)
            if order is None:
                return said
            _say(process.stdin, orders[order](said[order]))
    raise AssertionError(complaints.read_text())


def _say(pipe: IO[str] | None, message: Mapping[str, Any]) -> None:
    assert pipe is not None
    pipe.write(json.dumps(message) + "\n")
