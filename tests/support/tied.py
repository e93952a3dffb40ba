"""`python -m tests.support.tied COMMAND …` runs a command that ends, by its own handle, when its starter is gone.

The starter holds our standard input open. Once that ends, even because the starter was killed, the command gets
SIGTERM, and SIGKILL when it does not end within `PATIENCE` seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: A served town lets requests at hand finish, which takes seconds at most.
PATIENCE = 30.0


class Tied:
    """A command that runs until `stop`; what it prints goes to `output`, what it complains about to `log`."""

    def __init__(self, command: Sequence[str | Path], *, log: Path, cwd: Path) -> None:
        self._log = log
        with log.open("ab") as complaints:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.tied", *map(str, command)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                cwd=cwd,
                text=True,
            )
        assert self._process.stdout is not None
        self.output: IO[str] = self._process.stdout

    def check(self) -> None:
        """Raise AssertionError with its last words when it has ended by itself."""
        code = self._process.poll()
        assert code is None, f"the command ended with {code}: {self.last_words()}"

    def last_words(self) -> str:
        """The end of what it complained about."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def stop(self) -> None:
        """End it, and wait until it has."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self.output.close()


def _run(command: list[str]) -> None:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_the_starter, args=[process], daemon=True).start()
    os._exit(process.wait())


def _end_with_the_starter(process: subprocess.Popen[bytes]) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    _run(sys.argv[1:])
