"""The town asks its witnesses, and keeps what they signed (C2SP tlog-witness, the log's side)."""

from __future__ import annotations

import http.server
import json
import logging
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from consent import acts
from consent.log import open_checkpoint
from consent.log.cosignatures import cosigned_by, with_lines
from consent.log.policy import parse, policy_text
from consent.models import LogCheckpoint, LogCosignature
from consent.witness import keys
from consent.witness.memory import Memory
from consent.witness.server import WitnessServer
from consent.witness.service import Witness
from idp.settings import Settings
from idp.settings.log import LogSettings
from idp.upkeep import integrate_log, jobs, note_signers
from idp.web.fetcher import Fetcher
from idp.witnessing import RETRIES, Rounds
from tests.support.commands import commands_on
from tests.support.loopback import free_port
from tests.support.town import make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.town import Town

NAMES = ("library", "lakeside")


class Spy:
    """A witness between whose ears a test can look, and that a test can make ill."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness
        self.heard: list[bytes] = []
        self.instead: Any = None

    def shown(self, path: str) -> Any:
        return self.witness.shown(path)

    def posted(self, path: str, body: bytes) -> Any:
        self.heard.append(body)
        return self.instead(body) if self.instead else self.witness.posted(path, body)


@dataclass
class Watched:
    """A town and its witnesses, each with its server."""

    town: Town
    rounds: Rounds
    spies: dict[str, Spy] = field(default_factory=dict)
    memories: dict[str, Memory] = field(default_factory=dict)

    def grow(self, count: int = 1) -> int:
        """Do something, and give it its place; the size of the log."""
        context = self.town.context
        for number in range(count):
            with context.database.transaction() as session:
                acts.record(
                    session,
                    log_key=context.vault.subkey("log"),
                    kind="key_created",
                    actor=acts.TOWN,
                    details={"kid": str(number)},
                    now=context.now(),
                )
        integrate_log(context, now=context.now())
        with context.database.reading() as session:
            return max(session.execute(select(LogCheckpoint.tree_size)).scalars())

    def go(self, seconds: int = 0) -> None:
        self.town.clock.advance(seconds)
        self.rounds.run(int(self.town.clock()))

    def cosignatures(self) -> list[tuple[str, int]]:
        with self.town.context.database.reading() as session:
            rows = session.execute(select(LogCosignature).order_by(LogCosignature.id)).scalars()
            return [(row.name.partition(".")[0], row.tree_size) for row in rows]

    def note(self, size: int) -> str:
        """A checkpoint with all that was said of it."""
        with self.town.context.database.reading() as session:
            note = session.execute(
                select(LogCheckpoint.note).where(LogCheckpoint.tree_size == size)
            ).scalar_one()
            lines = session.execute(
                select(LogCosignature.line).where(LogCosignature.tree_size == size)
            ).scalars()
            return with_lines(note, *lines)


@contextmanager
def serving(handler: Any) -> Iterator[int]:
    server = WitnessServer(handler, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def watched(database_url: str, tmp_path: Path) -> Iterator[Watched]:
    """A town with two witnesses on loopback, of which one is enough."""
    spies, memories, settings = {}, {}, []
    with contextmanager(_all_serving)(tmp_path, spies, memories, settings):
        town = make_town(database_url, tmp_path, log={"witnesses": settings, "quorum": 1})
        with town.context.database.reading() as session:
            signer, _ = note_signers(session, town.context)
        for memory in memories.values():
            memory.add_log(signer.vkey)
        yield Watched(town, Rounds(town.context), spies, memories)
        town.context.database.close()


def _all_serving(folder: Path, spies: dict, memories: dict, settings: list) -> Iterator[None]:
    from contextlib import ExitStack

    with ExitStack() as stack:
        for name in NAMES:
            memories[name] = Memory(folder / name)
            memories[name].create()
            vkey = keys.create(folder / f"{name}.key", name=f"{name}.example/w", algorithm="ed25519")
            cosigners = keys.load(folder / f"{name}.key")
            spies[name] = Spy(Witness(memories[name], cosigners, lambda: 1_800_000_000.0))
            port = stack.enter_context(serving(spies[name]))
            settings.append({"name": name, "url": f"http://127.0.0.1:{port}", "vkey": vkey})
        yield


def test_checkpoints_are_cosigned_as_the_log_grows(watched: Watched) -> None:
    """Each witness signs the newest one, with a proof from what it signed before; nobody is asked twice."""
    first = watched.grow()
    watched.go()
    watched.go()
    later = watched.grow(300)
    watched.go()
    assert watched.cosignatures() == [(name, size) for size in (first, later) for name in NAMES]
    assert [len(spy.heard) for spy in watched.spies.values()] == [2, 2]
    assert watched.spies["library"].heard[1].startswith(b"old %d\n" % first)
    vkeys = [one.vkey for one in watched.town.settings.log.witnesses]
    assert [len(cosigned_by(watched.note(size), *vkeys)) for size in (first, later)] == [2, 2]


def test_what_is_published_meets_the_published_policy(watched: Watched) -> None:
    """An auditor with nothing but the policy and the checkpoint."""
    settings = watched.town.settings.log
    with watched.town.context.database.reading() as session:
        signer, _ = note_signers(session, watched.town.context)
    said = [(one.name, one.vkey, one.url) for one in settings.witnesses]
    policy = parse(policy_text(logs=[(signer.vkey, "")], witnesses=said, quorum=settings.quorum))
    size = watched.grow()
    assert not policy.judge(watched.note(size)).is_met
    watched.spies["lakeside"].instead = lambda _: _answer(500)
    watched.go()
    judged = policy.judge(watched.note(size))
    assert judged.is_met
    assert judged.witnessed == {"library": 1_800_000_000}


def _answer(status: int, body: str = "", content_type: str = "text/plain") -> Any:
    from consent.witness.rules import Answer

    return Answer(status, body, content_type)


def test_a_witness_that_knows_more_than_we_do_says_so_and_is_followed(watched: Watched) -> None:
    """An answer was lost on its way: 409 tells the size, and the next try leads from there."""
    first = watched.grow()
    spy = watched.spies["library"]
    spy.instead = lambda body: (spy.witness.posted("/add-checkpoint", body), _answer(502))[1]
    watched.go()
    assert ("library", first) not in watched.cosignatures()
    spy.instead = None
    later = watched.grow(7)
    watched.go(RETRIES.pauses[0] * 2)
    assert ("library", later) in watched.cosignatures()
    assert [body.split(b"\n")[0] for body in spy.heard] == [b"old 0", b"old 0", b"old %d" % first]
    spy.instead = lambda body: (spy.witness.posted("/add-checkpoint", body), _answer(502))[1]
    last = watched.grow()
    watched.go()
    spy.instead = None
    watched.go(RETRIES.pauses[0] * 2)
    assert ("library", last) in watched.cosignatures(), "also when nothing was added since"


def test_a_witness_that_does_not_answer_rests_and_holds_up_nobody(watched: Watched) -> None:
    size = watched.grow()
    ill = watched.spies["library"]
    ill.instead = lambda _: _answer(500)
    for _ in range(5):
        watched.go()
    assert len(ill.heard) == 1
    assert watched.cosignatures() == [("lakeside", size)]
    watched.go(RETRIES.pauses[0] * 2)
    assert len(ill.heard) == 2
    watched.go(RETRIES.pauses[0] * 2 - 5)
    assert len(ill.heard) == 2, "the longer it fails, the longer it rests"
    ill.instead = None
    watched.town.clock.advance(-(10**6))
    watched.go()
    assert watched.cosignatures()[-1] == ("library", size), "a clock that is set back prolongs no rest"


@pytest.mark.parametrize(
    ("instead", "cause", "level"),
    [
        (lambda _: _answer(403), "does not know the key", logging.WARNING),
        (lambda _: _answer(404), "does not know this log", logging.WARNING),
        (lambda _: _answer(400), "could not read", logging.WARNING),
        (lambda _: _answer(422), "did not convince", logging.ERROR),
        (lambda _: _answer(409, "another tree"), "another tree of the same size", logging.ERROR),
        (lambda _: _answer(409, "0\n", "text/x.tlog.size"), "another tree of the same size", logging.ERROR),
        (lambda _: _answer(409, "99999\n", "text/x.tlog.size"), "an older database", logging.ERROR),
        (lambda _: _answer(409, "x\n", "text/x.tlog.size"), "another tree of the same size", logging.ERROR),
        (lambda body: _answer(409, f"{1 if body.startswith(b'old 0') else 2}\n", "text/x.tlog.size"), "changes its mind", logging.WARNING),
        (lambda _: _answer(200), "another key", logging.WARNING),
        (lambda _: _answer(200, "— library.example/w AAAA\n"), "another key", logging.WARNING),
        (lambda _: _answer(200, "hello\n"), "no cosignature", logging.WARNING),
        (lambda _: _answer(302), "status 302", logging.WARNING),
        (lambda _: _answer(200, "x" * 100_000), "too large", logging.WARNING),
    ],
)  # fmt: skip
def test_whatever_a_witness_answers_nothing_false_is_kept(
    watched: Watched, caplog: pytest.LogCaptureFixture, instead: Any, cause: str, level: int
) -> None:
    """Only a cosignature that was checked against the key in the settings is kept; what is grave is an error."""
    watched.grow(5)
    watched.spies["library"].instead = instead
    watched.go()
    assert {name for name, _ in watched.cosignatures()} == {"lakeside"}
    said = [
        one for one in caplog.records if one.name == "denizen.witnesses" and one.levelno >= logging.WARNING
    ]
    assert [(cause in one.getMessage(), one.levelno) for one in said] == [(True, level)]


def test_a_cosignature_of_something_else_is_not_kept(watched: Watched) -> None:
    """A line that the witness made for another checkpoint does not fit ours."""
    watched.grow()
    watched.go()
    old = watched.note(watched.cosignatures()[0][1]).splitlines()[-2]
    watched.grow()
    watched.spies["library"].instead = lambda _: _answer(200, old + "\n")
    watched.go()
    assert [name for name, _ in watched.cosignatures()].count("library") == 1


def test_a_town_that_was_put_back_is_found_out(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    """From a backup it grows another tree: no witness that has seen the first one signs the second."""
    watched.grow(3)
    watched.go()
    before = watched.cosignatures()
    with watched.town.context.database.transaction() as session:
        for table in ("log_leaf", "log_checkpoint", "log_cosignature", "act", "log_entry"):
            for statement in _unguarded(session.get_bind().dialect.name, f"consent_{table}"):
                session.execute(text(statement))
    known, grown = before[-1][1], watched.grow(3)
    watched.go()
    assert "an older database" in caplog.text
    assert watched.grow(known - grown) == known, "of the same size, so that only the root differs"
    watched.go(RETRIES.pauses[0] * 2)
    assert "another tree of the same size" in caplog.text
    watched.grow(4)
    watched.go(RETRIES.pauses[1] * 2)
    assert "did not convince it" in caplog.text
    assert watched.cosignatures() == []


def _unguarded(dialect: str, table: str) -> list[str]:
    if dialect == "sqlite":
        return [f"DROP TRIGGER {table}_no_delete", f"DELETE FROM {table}"]
    return [f"ALTER TABLE {table} DISABLE TRIGGER USER", f"DELETE FROM {table}"]


def test_nothing_is_asked_while_the_log_is_empty(watched: Watched) -> None:
    with watched.town.context.database.transaction() as session:
        for table in ("log_leaf", "log_checkpoint"):
            for statement in _unguarded(session.get_bind().dialect.name, f"consent_{table}"):
                session.execute(text(statement))
    watched.go()
    assert not watched.spies["library"].heard


def test_it_is_a_job_of_its_own_where_there_are_witnesses(watched: Watched) -> None:
    """Sign-ins never wait for it: a thread of its own, and no transaction is open while a witness is asked."""
    job = next(one for one in jobs(watched.town.context) if one.name == "witnesses")
    assert job.lane == "witnesses"
    size = watched.grow()
    database = watched.town.context.database

    def write(body: bytes) -> Any:
        with database.transaction() as session:
            session.execute(text("UPDATE jobs_lease SET until_at = until_at"))
        return watched.spies["library"].witness.posted("/add-checkpoint", body)

    watched.spies["library"].instead = write
    job.run(int(watched.town.clock()))
    assert ("library", size) in watched.cosignatures()
    alone = watched.town.settings.model_copy(update={"log": LogSettings()})
    assert not [one for one in jobs(replace(watched.town.context, settings=alone)) if one.name == "witnesses"]


def test_only_the_address_in_the_settings_may_be_inside(watched: Watched) -> None:
    """The operator named it; a port beside it, or another name for it, stays closed (K17)."""
    url = watched.town.settings.log.witnesses[0].url
    fetcher = watched.rounds._fetcher
    assert fetcher.get(url + "/").status == 200
    port = int(url.rpartition(":")[2])
    for other in (
        f"http://127.0.0.1:{free_port()}/",
        f"http://localhost:{port}/",
        f"https://127.0.0.1:{port}/",
    ):
        with pytest.raises(Exception, match=r"not by https|not a public address"):
            fetcher.get(other)
    with pytest.raises(Exception, match="not by https"):
        Fetcher(watched.town.settings.testing).get(url + "/")


def test_a_witness_that_never_ends_its_answer_costs_seconds(watched: Watched) -> None:
    """The fetcher ends it; the others are asked all the same."""

    class Endless(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            stop.wait(20)

        def log_message(self, *_: object) -> None:
            pass

    stop = threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        settings = watched.town.settings
        first = settings.log.witnesses[0].model_copy(update={"url": f"http://127.0.0.1:{server.server_port}"})
        changed = settings.log.model_copy(update={"witnesses": (first, settings.log.witnesses[1])})
        object.__setattr__(watched.town.context, "settings", settings.model_copy(update={"log": changed}))
        rounds = Rounds(watched.town.context)
        object.__setattr__(rounds._fetcher, "total_for", 0.5)
        size = watched.grow()
        rounds.run(int(watched.town.clock()))
        assert watched.cosignatures() == [("lakeside", size)]
    finally:
        stop.set()
        server.shutdown()
        server.server_close()


def test_an_operator_sees_how_far_each_has_signed(
    watched: Watched, database_url: str, tmp_path: Path
) -> None:
    """`denizen witness status`: exit 1 when too few have signed the newest checkpoint."""
    run = commands_on(database_url, tmp_path)
    code, output = run("witness", "status")
    assert (code, "Nobody watches" in output) == (0, True)
    with (tmp_path / "denizen.toml").open("a") as file:
        file.write("[log]\nquorum = 2\n")
        for one in watched.town.settings.log.witnesses:
            file.write(f'[[log.witnesses]]\nname = "{one.name}"\nurl = "{one.url}"\nvkey = "{one.vkey}"\n')
    size = watched.grow()
    watched.spies["library"].instead = lambda _: _answer(500)
    watched.go()
    code, output = run("witness", "status")
    assert code == 1
    assert f"library  0 of {size} entries  never" in output
    assert f"lakeside  {size} of {size} entries" in output
    assert "Too few" in output
    watched.spies["library"].instead = None
    watched.go(60)
    code, output = run("witness", "status", "--json")
    told = json.loads(output)
    assert (code, told["is_met"], told["size"], told["quorum"]) == (0, True, size, 2)
    assert [one["size"] for one in told["witnesses"]] == [size, size]


def test_the_log_still_opens_with_what_witnesses_added(watched: Watched) -> None:
    size = watched.grow()
    watched.go()
    with watched.town.context.database.reading() as session:
        signer, _ = note_signers(session, watched.town.context)
    assert open_checkpoint(watched.note(size), signer.vkey).size == size


VKEY = "witness.example.com/w1+ef5164d3+BAu8NGpXZnw4ASC9nH/X5R0sX9/qN80vW/QFssa/by14"
LOG_VKEY = "example.com/log+d455c521+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"


@pytest.mark.parametrize(
    ("witnesses", "quorum", "why"),
    [
        ([{"name": "a", "url": "http://w.example", "vkey": VKEY}], 1, "https"),
        ([{"name": "a", "url": "https://u@w.example", "vkey": VKEY}], 1, "https"),
        ([{"name": "a", "url": "https://w.example/?x", "vkey": VKEY}], 1, "https"),
        ([{"name": "a b", "url": "https://w.example", "vkey": VKEY}], 1, "without spaces"),
        ([{"name": "none", "url": "https://w.example", "vkey": VKEY}], 1, "not the word none"),
        ([{"name": "a", "url": "https://w.example", "vkey": LOG_VKEY}], 1, "of a log"),
        ([{"name": "a", "url": "https://w.example", "vkey": VKEY[:-1]}], 1, "base64"),
        ([{"name": "a", "url": "https://w.example", "vkey": VKEY}], 2, "only 1 witnesses"),
        ([{"name": "a", "url": "https://w.example", "vkey": VKEY}] * 2, 1, "same name"),
        ([{"name": n, "url": "https://w.example", "vkey": VKEY} for n in "ab"], 1, "same key"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    witnesses: list[dict[str, str]], quorum: int, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        Settings(
            server={"issuer": "https://id.riverton.example", "staff_url": "https://staff.riverton.example"},
            town={"name": "Riverton", "contact_email": "help@riverton.example"},
            log={"witnesses": witnesses, "quorum": quorum},
        )
