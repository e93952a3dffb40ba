"""Logs to be watched, true ones and liars; and a witness as a process of its own."""

from __future__ import annotations

import base64
import hashlib
import http.client
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.log import NoteSigner, consistency_path, root_hash
from consent.log.cosignatures import cosigned_by, with_lines
from consent.log.merkle import subtrees_of
from consent.witness import keys
from consent.witness.memory import Memory
from consent.witness.rules import request_body

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGIN = "riverton.example/log"
NAME = "library.example/witness"
_STARTS_WITHIN = 60


@dataclass
class Log:
    """A log in memory; `word` makes its leaves, so logs with other words are other trees under one key."""

    word: str = "true"
    origin: str = ORIGIN
    seed: bytes = b"l" * 32
    signer: NoteSigner = field(init=False)

    def __post_init__(self) -> None:
        key = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.signer = NoteSigner(self.origin, key.public_key().public_bytes_raw(), key.sign)

    def leaves(self, size: int) -> list[bytes]:
        return [hashlib.sha256(f"{self.word} {number}".encode()).digest() for number in range(size)]

    def text(self, size: int) -> str:
        return f"{self.origin}\n{size}\n{base64.b64encode(root_hash(self.leaves(size))).decode()}\n"

    def note(self, size: int) -> str:
        return self.signer.sign(self.text(size))

    def proof(self, old: int, size: int) -> list[bytes]:
        return consistency_path(subtrees_of(self.leaves(size)), old, size) if 0 < old < size else []

    def request(self, old: int, size: int) -> bytes:
        """What an honest log sends."""
        return request_body(old, self.proof(old, size), self.note(size)).encode()


@dataclass(frozen=True)
class Reply:
    status: int
    content_type: str
    body: str

    def cosigned(self, note: str, vkey: str) -> list[int]:
        """The instants at which this witness signed this very checkpoint."""
        return [one.at for one in cosigned_by(with_lines(note, *self.body.splitlines()), vkey)]


@dataclass(frozen=True)
class Running:
    """A witness that answers; `process` is what a test may kill."""

    process: subprocess.Popen[str]
    port: int
    folder: Path
    vkey: str

    def post(self, body: bytes, path: str = "/add-checkpoint", method: str = "POST") -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers["Content-Type"], answer.read().decode())
        finally:
            connection.close()

    def raw(self, data: bytes) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sendall(data)
        return connection


def denizen(*arguments: str) -> str:
    """Run a command of `denizen witness` in a process without settings; what it said."""
    command = [sys.executable, "-m", "tests.consent.witness.watched", "witness", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    return done.stdout


def found(folder: Path, *logs: Log, algorithm: str = "ed25519") -> str:
    """Make a witness in a folder that watches these logs; its verifier key."""
    memory = Memory(folder)
    memory.create()
    for log in logs:
        memory.add_log(log.signer.vkey)
    return keys.create(folder / "witness.key", name=NAME, algorithm=algorithm)


@contextmanager
def serving(folder: Path, vkey: str, *, program: str = "") -> Iterator[Running]:
    """`denizen witness serve`; `program` replaces what starts it."""
    start = ["-c", program] if program else ["-m", "tests.consent.witness.watched"]
    command = [
        sys.executable,
        *start,
        "witness",
        "serve",
        *state_option(folder),
        *key_option(folder),
        "--listen",
        "127.0.0.1:0",
    ]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "listens on" in line, "the witness did not start; its last words are above"
            yield Running(process, int(line.rstrip(".\n").rpartition(":")[2]), folder, vkey)
        finally:
            process.terminate()
            process.wait(_STARTS_WITHIN)


def state_option(folder: Path) -> tuple[str, str]:
    return "--state", str(folder)


def key_option(folder: Path) -> tuple[str, str]:
    return "--key", str(folder / "witness.key")


def main() -> None:
    """The `denizen` command, with nothing but what a witness needs."""
    from admin.cli import main as command

    command(prog_name="denizen")


if __name__ == "__main__":
    main()
