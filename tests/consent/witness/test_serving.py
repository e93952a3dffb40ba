"""`denizen witness`: a real process on loopback, honest logs and all kinds of attackers (C2SP tlog-witness)."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest

from consent.log.cosignatures import with_lines
from consent.log.verifiers import NoteError, parse_verifier
from consent.witness import keys, memory, rules
from consent.witness.memory import Memory, MemoryProblem
from consent.witness.rules import LONGEST_REQUEST, Answer, request_body
from consent.witness.server import MOST_CONNECTIONS, WitnessServer
from consent.witness.service import Witness
from tests.consent.witness.watched import (
    NAME,
    ORIGIN,
    Log,
    Running,
    denizen,
    found,
    key_option,
    serving,
    state_option,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIAR = Log(word="false")


def new_log(name: str) -> Log:
    """A log of this test's own: the witness is shared by the module, what it remembers is per log."""
    return Log(origin=f"{name}.example/log", seed=name.encode()[:32].ljust(32, b"-"))


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("witness")
    with serving(folder, found(folder)) as running:
        yield running


@pytest.fixture
def log(witness: Running, request: pytest.FixtureRequest) -> Log:
    """A log that the running witness has just been told to watch."""
    made = new_log(request.node.name.replace("test_", "").split("[")[0][:40])
    Memory(witness.folder).add_log(made.signer.vkey)
    return made


def liar_of(log: Log) -> Log:
    """The same key over another tree."""
    return Log(word="false", origin=log.origin, seed=log.seed)


def test_a_log_is_cosigned_as_it_grows(witness: Running, log: Log) -> None:
    """200, one line, the witness's cosignature on this very checkpoint, as of now."""
    before = int(time.time())
    for old, size in ((0, 1), (1, 5), (5, 5), (5, 64), (64, 1000)):
        reply = witness.post(log.request(old, size))
        assert (reply.status, reply.body.count("\n")) == (200, 1)
        assert reply.body.startswith(f"— {NAME} ")
        (at,) = reply.cosigned(log.note(size), witness.vkey)
        assert before <= at <= time.time()


def test_a_rollback_is_not_signed(witness: Running, log: Log) -> None:
    """An older tree, true as it is, is answered with the size that was signed."""
    assert witness.post(log.request(0, 20)).status == 200
    for old, size in ((0, 10), (10, 15), (0, 20), (10, 20), (0, 0)):
        reply = witness.post(log.request(old, size))
        assert (reply.status, reply.content_type, reply.body) == (409, "text/x.tlog.size", "20\n")
    assert witness.post(log.request(20, 10)).status == 400


def test_a_split_view_is_not_signed(witness: Running, log: Log) -> None:
    """Two trees under one key: the first one seen stays the only one, at this size and at every later one."""
    assert witness.post(log.request(0, 20)).status == 200
    liar = liar_of(log)
    same = witness.post(request_body(20, [], liar.note(20)).encode())
    assert (same.status, same.content_type) == (409, "text/plain; charset=utf-8")
    assert "—" not in same.body
    for proof in (liar.proof(20, 30), log.proof(20, 30), []):
        assert witness.post(request_body(20, proof, liar.note(30)).encode()).status == 422
    assert witness.post(liar.request(0, 30)).status == 409
    assert witness.post(log.request(20, 30)).status == 200


def test_a_wrong_proof_changes_nothing(witness: Running, log: Log) -> None:
    assert witness.post(log.request(0, 20)).status == 200
    assert witness.post(request_body(20, [bytes(32)] * 5, log.note(30)).encode()).status == 422
    assert witness.post(request_body(0, [bytes(32)], new_log("other").note(30)).encode()).status == 404
    assert witness.post(log.request(20, 30)).status == 200


def test_only_a_known_log_with_its_own_key_is_heard(witness: Running, log: Log) -> None:
    """404 for an unknown origin, 403 where no trusted key signed; signatures of strangers are ignored."""
    assert witness.post(new_log("unknown").request(0, 5)).status == 404
    impostor = Log(origin=log.origin, seed=b"i" * 32)
    assert witness.post(impostor.request(0, 5)).status == 403
    stolen = log.note(5).replace("\n5\n", "\n6\n")
    assert witness.post(request_body(0, [], stolen).encode()).status == 403
    other = new_log("somebody")
    Memory(witness.folder).add_log(other.signer.vkey)
    # Signed by a log that is known, for the origin of another.
    assert witness.post(request_body(0, [], other.signer.sign(log.text(5))).encode()).status == 403
    both = with_lines(
        log.note(5), impostor.note(5).splitlines()[-1], other.signer.sign(log.text(5)).splitlines()[-1]
    )
    assert witness.post(request_body(0, [], both).encode()).status == 200


def test_a_replay_is_signed_anew_and_moves_nothing(witness: Running, log: Log) -> None:
    """The same request again has the wrong old size; the same checkpoint from its own size is signed again."""
    first = log.request(0, 7)
    assert witness.post(first).status == 200
    assert witness.post(first).status == 409
    assert witness.post(log.request(7, 7)).status == 200
    assert witness.post(log.request(7, 8)).status == 200
    assert witness.post(log.request(7, 8)).body == "8\n"


def test_a_second_key_of_a_log_counts_too(witness: Running, log: Log) -> None:
    """A log whose key turns goes on under the same memory."""
    turned = Log(origin=log.origin, seed=b"t" * 32)
    assert witness.post(log.request(0, 7)).status == 200
    assert witness.post(turned.request(7, 9)).status == 403
    assert Memory(witness.folder).add_log(turned.signer.vkey)
    assert witness.post(turned.request(7, 9)).status == 200
    assert witness.post(turned.request(0, 3)).status == 409


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n\n",
        b"old 0\n\nx\n",
        "old 0\n\nx\n1\nAAAA\n\n— x AAAAAAAA\n".encode(),
        "old 0\n\nx\n-1\n\n\n— x AAAAAAAA\n".encode(),
        b"\x00" * 1000,
        b"\xff" * 1000,
    ],
)
def test_nonsense_is_a_bad_request(witness: Running, body: bytes) -> None:
    assert witness.post(body).status == 400


def test_there_is_nothing_else(witness: Running, log: Log) -> None:
    assert witness.post(b"", "/", "GET").body.strip() == witness.vkey
    assert witness.post(b"", "/", "HEAD").status == 200
    assert witness.post(b"", "/add-checkpoint", "GET").status == 405
    assert witness.post(log.request(0, 1), "/").status == 405
    assert witness.post(log.request(0, 1), "/add-checkpoint/").status == 404
    assert witness.post(b"", "/../etc/passwd", "GET").status == 404
    assert witness.post(log.request(0, 1), method="PUT").status == 501


def test_a_request_may_not_be_too_long(witness: Running, log: Log) -> None:
    """Refused by its length, before it is read."""
    assert witness.post(log.request(0, 1) + b" " * LONGEST_REQUEST).status == 413
    head = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n"
    for lengths, status in (
        (b"Content-Length: 999999999999999999999\r\n", b"413"),
        (b"Content-Length: -1\r\n", b"400"),
        (b"Content-Length: 1\r\nContent-Length: 2\r\n", b"400"),
        (b"Content-Length: \xd9\xa3\r\n", b"400"),
        (b"Transfer-Encoding: chunked\r\n", b"411"),
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"411"),
        (b"", b"411"),
    ):
        with witness.raw(head + lengths + b"\r\n") as connection, connection.makefile("rb") as answer:
            assert answer.readline().split(b" ")[1] == status
            assert answer.read().endswith(b"\n"), (
                "and the connection ends, for nobody knows where the next begins"
            )


def test_a_connection_is_kept(witness: Running, log: Log) -> None:
    """Witnesses SHOULD support HTTP keep-alive."""
    with closing(http.client.HTTPConnection("127.0.0.1", witness.port, timeout=30)) as connection:
        for old, size in ((0, 3), (3, 4), (9, 9), (4, 5)):
            connection.request("POST", "/add-checkpoint", body=log.request(old, size))
            answer = connection.getresponse()
            answer.read()
            assert answer.status == (409 if old == 9 else 200)
            assert connection.sock is not None


def test_of_two_requests_at_once_one_is_signed(witness: Running, log: Log) -> None:
    """Check and store is one thing: of many steps from one size exactly one leads on."""
    assert witness.post(log.request(0, 10)).status == 200
    gate = threading.Barrier(8)

    def ask(number: int) -> tuple[int, str]:
        body = log.request(10, 11 + number)
        gate.wait(30)
        reply = witness.post(body)
        return reply.status, reply.body

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(ask, range(8)))
    statuses = [status for status, _ in replies]
    assert sorted(statuses) == [200] + [409] * 7
    size = 11 + statuses.index(200)
    assert {body for status, body in replies if status == 409} == {f"{size}\n"}


def test_nobody_decides_while_somebody_else_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held up between the check and the store, a request holds up the others with it."""
    log, busy, most = Log(), threading.Semaphore(0), []
    found(tmp_path, log)
    decide = rules.decide

    def slowly(*given: Any) -> Answer:
        busy.release()
        time.sleep(0.1)
        most.append(busy._value)
        answer = decide(*given)
        busy.acquire()
        return answer

    monkeypatch.setattr(rules, "decide", slowly)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(here(tmp_path), [log.request(0, size) for size in (3, 4, 5, 6)]))
    assert sorted(one.status for one in answers) == [200, 409, 409, 409]
    assert most == [1, 1, 1, 1]


def wait_until_let_go(connection: socket.socket) -> bool:
    """Send one octet now and then until the other side has enough; whether it had."""
    for _ in range(200):
        try:
            connection.sendall(b"x")
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_slow_clients_keep_nobody_waiting(tmp_path: Path) -> None:
    """Who sends nothing, half a head, half a body, or one octet now and then is let go; others are answered meanwhile."""
    log = Log()
    found(tmp_path, log)
    witness = Witness(Memory(tmp_path), keys.load(tmp_path / "witness.key"), time.time)
    server = WitnessServer(witness, "127.0.0.1", 0, request_for=1.0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    begun = [b"", b"POST /add-chec", b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 100\r\n\r\nold"]
    try:
        with ExitStack() as stack:
            running = Running(None, server.server_address[1], tmp_path, "")  # type: ignore[arg-type]
            slow = [
                stack.enter_context(running.raw(begun[number % 3])) for number in range(MOST_CONNECTIONS - 1)
            ]
            assert running.post(log.request(0, 3)).status == 200, "there is a place left"
            more = [stack.enter_context(running.raw(begun[2])) for _ in range(20)]
            trickling = stack.enter_context(
                running.raw(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 100\r\n\r\n")
            )
            assert running.post(log.request(3, 5)).status == 200, "and again when those were let go"
            for connection in [*slow, *more]:
                assert connection.recv(10) == b""
            assert wait_until_let_go(trickling)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_a_witness_ends_when_asked_and_goes_on_where_it_was(tmp_path: Path) -> None:
    log = Log()
    vkey = found(tmp_path, log)
    with serving(tmp_path, vkey) as running:
        assert running.post(log.request(0, 5)).status == 200
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
    with serving(tmp_path, vkey) as running:
        assert running.post(LIAR.request(0, 5)).body == "5\n"
        assert running.post(log.request(5, 6)).status == 200
    told = json.loads(denizen("logs", "--state", str(tmp_path), "--json"))
    assert [(one["origin"], one["size"]) for one in told] == [(ORIGIN, 6)]
    assert told[0]["checkpoint"] == log.note(6)


def test_several_keys_sign_side_by_side(tmp_path: Path) -> None:
    """One line each; who does not know a kind of key passes its line over."""
    log = Log()
    vkey = found(tmp_path, log)
    other = keys.create(tmp_path / "second", name=NAME, algorithm="ml-dsa-44")
    with (tmp_path / "witness.key").open("a") as file:
        file.write((tmp_path / "second").read_text())
    assert parse_verifier(other).type == 6
    with serving(tmp_path, vkey) as running:
        reply = running.post(log.request(0, 5))
        assert reply.body.count("\n") == 2
        assert reply.cosigned(log.note(5), vkey)
        assert reply.cosigned(log.note(5), other)
        extended = log.signer.sign(log.text(6) + "an extension\n")
        assert running.post(request_body(5, log.proof(5, 6), extended).encode()).status == 400
        assert running.post(log.request(5, 6)).status == 200


def here(folder: Path) -> Callable[[bytes], Answer]:
    """The witness of a folder, asked in this process."""
    return Witness(Memory(folder), keys.load(folder / "witness.key"), time.time).add_checkpoint


#: A witness whose memory stops the process for good at a named moment of `add-checkpoint`.
KILLED = """
import os, signal, sys
from consent.witness import memory, service
moment = {moment!r}
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
remember, transaction, posted = memory.Transaction.remember, memory.Memory.transaction, service.Witness.posted
if moment == "before it is remembered":
    memory.Transaction.remember = kill
if moment == "before it is committed":
    memory.Transaction.remember = lambda self, kept: (remember(self, kept), kill())
if moment == "before it is answered":
    service.Witness.posted = lambda self, *rest: (posted(self, *rest), kill())
from tests.consent.witness.watched import main
main()
"""


@pytest.mark.parametrize(
    ("moment", "remembers"),
    [("before it is remembered", False), ("before it is committed", False), ("before it is answered", True)],
)
def test_a_killed_witness_never_signs_two_trees(tmp_path: Path, moment: str, remembers: bool) -> None:
    """SIGKILL in the middle of add-checkpoint: no signature left without its memory, and the log gets on after it."""
    log = Log()
    vkey = found(tmp_path, log)
    before = here(tmp_path)
    assert before(log.request(0, 5)).status == 200
    with serving(tmp_path, vkey, program=KILLED.format(moment=moment)) as running:
        with pytest.raises((OSError, http.client.HTTPException)):
            running.post(log.request(5, 9))
        assert running.process.wait(30) == -signal.SIGKILL
    after, known = here(tmp_path), 9 if remembers else 5
    assert after(LIAR.request(0, 9)).body == f"{known}\n"
    assert after(request_body(9, [], LIAR.note(9)).encode()).status == 409
    assert after(log.request(known, 9)).status == 200


def test_killed_at_random_instants_it_has_signed_one_tree(tmp_path: Path) -> None:
    """What any answer ever signed is a beginning of what the witness stands for afterwards."""
    log, vkey, size = Log(), found(tmp_path, Log()), 0
    signed: list[int] = []
    for round_ in range(int(os.getenv("DENIZEN_KILLS", "5"))):
        with serving(tmp_path, vkey) as running:
            timer = threading.Timer(0.05 + 0.03 * (round_ % 7), running.process.kill)
            timer.start()
            try:
                while True:
                    reply = running.post(log.request(size, size + 3))
                    if reply.status == 409:
                        size = int(reply.body)
                        continue
                    assert reply.status == 200
                    size += 3
                    signed.append(size)
            except (OSError, http.client.HTTPException):
                pass
            finally:
                timer.cancel()
    with closing(sqlite3.connect(tmp_path / "witness.sqlite")) as connection:
        kept = connection.execute("SELECT size, note FROM seen").fetchone()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert signed
    assert kept[0] >= max(signed)
    assert kept[1] == log.note(kept[0])


def test_a_witness_is_made_without_a_town(tmp_path: Path) -> None:
    """`init`, `add-log`, `logs`: no settings, no database, one line of output to hand on."""
    own, log = (*state_option(tmp_path / "new"), *key_option(tmp_path)), Log()
    vkey = denizen("init", "--name", NAME, *own)
    assert parse_verifier(vkey.rstrip("\n")).name == NAME
    watched = denizen("add-log", *own[:2], log.signer.vkey)
    assert watched == f"{ORIGIN} is watched.\n"
    assert denizen("add-log", *own[:2], log.signer.vkey) == f"{ORIGIN} is watched already.\n"
    assert denizen("logs", *own[:2]) == f"{ORIGIN}  0 entries  never\n"
    assert keys.load(tmp_path / "witness.key")[0].key.vkey == vkey.rstrip("\n")


def test_a_witness_without_its_memory_does_not_begin_anew(tmp_path: Path) -> None:
    """A lost file is no reason to sign everything once more."""
    vkey = found(tmp_path, Log())
    (tmp_path / "witness.sqlite").unlink()
    again = ["init", "--name", NAME, "--state", str(tmp_path), "--key", str(tmp_path / "witness.key")]
    serve = ["serve", "--state", str(tmp_path), "--key", str(tmp_path / "witness.key")]
    for arguments, why in ((serve, b"is missing"), (again, b"never overwritten")):
        command = [sys.executable, "-m", "tests.consent.witness.watched", "witness", *arguments]
        done = subprocess.run(command, check=False, capture_output=True)
        assert (done.returncode, why in done.stderr) == (1, True)
        assert b"Traceback" not in done.stderr
    assert vkey
    with pytest.raises(MemoryProblem, match="is missing"), Memory(tmp_path).transaction():
        pass


def test_a_running_witness_whose_memory_goes_signs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, and no signature: the file is gone, or somebody else writes it and does not end."""
    log = Log()
    found(tmp_path, log)
    ask = here(tmp_path)
    assert ask(log.request(0, 5)).status == 200
    (tmp_path / "witness.sqlite").rename(tmp_path / "aside")
    assert ask(LIAR.request(0, 5)).status == 503
    (tmp_path / "aside").rename(tmp_path / "witness.sqlite")
    monkeypatch.setattr(memory, "_WAIT_FOR", 0.1)
    with closing(sqlite3.connect(tmp_path / "witness.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert ask(log.request(5, 6)).status == 503
        other.execute("ROLLBACK")
    assert ask(log.request(5, 6)).status == 200


def test_a_key_file_is_its_owners_alone_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "key"
    vkey = keys.create(path, name=NAME, algorithm="ed25519")
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    with pytest.raises(keys.WitnessKeyError, match="never overwritten"):
        keys.create(path, name=NAME, algorithm="ed25519")
    assert path.read_bytes() == before
    assert keys.load(path)[0].key.vkey == vkey


@pytest.mark.parametrize(
    "content",
    [
        "",
        "x",
        "PRIVATE+KEY+",
        "PRIVATE+KEY+a+00000000+AAAA",
        f"PRIVATE+KEY+a+00000000+{'A' * 43}=",
        "\x00",
        "é",
    ],
)
def test_what_is_no_key_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.write_text(content)
    with pytest.raises(keys.WitnessKeyError):
        keys.load(path)
    with pytest.raises(keys.WitnessKeyError, match="no such file"):
        keys.load(tmp_path / "none")


def test_a_key_that_go_tools_made_serves(tmp_path: Path) -> None:
    """`note.GenerateKey` marks it as a log's; as a witness it cosigns (transparency-dev/formats does the same)."""
    from tests.consent.test_cosignatures import VECTORS

    for vector in VECTORS:
        path = tmp_path / "key"
        path.write_text(vector["signer_key"] + "\n")
        assert keys.load(path)[0].key.vkey == vector["vkey"]


@pytest.mark.parametrize("bad", ["x", "a+b+c", "riverton.example/log+00000000+AAAA"])
def test_only_a_logs_key_can_be_watched(tmp_path: Path, bad: str) -> None:
    watching = Memory(tmp_path)
    watching.create()
    own = keys.create(tmp_path / "key", name=NAME, algorithm="ed25519")
    for vkey in (bad, own):
        with pytest.raises(NoteError):
            watching.add_log(vkey)
    assert watching.logs() == {}
    assert watching.add_log(Log().signer.vkey)
    assert not watching.add_log(Log().signer.vkey)
