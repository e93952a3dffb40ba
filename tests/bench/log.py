"""What the log costs at size: appending and integrating, a proof, verification in full and since a checkpoint.

`python -m tests.bench log --entries 1000000`. Seconds on this machine, beside nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import insert, text

from consent import log, models, releases
from consent.canonical import to_text
from consent.log import proofs
from consent.log.entries import INSERT_ENTRY, entry_values
from consent.log.sources import RELEASE
from idp.cli_log import snapshot, tree_half
from idp.db import Database
from idp.schema import upgrade_database
from tests.bench.arguments import between
from tests.bench.figures import percentile
from tests.bench.postgres import each_database
from tests.bench.results import say

if TYPE_CHECKING:
    from collections.abc import Sequence

ORIGIN, START, RESIDENTS = "bench.example/log", 1_790_000_000, 20_000
PAGE, BATCH, PROOFS, GROWTH = 10_000, 5000, 200, 1000
_RELEASE = models.table(models.Release)


def key_of(resident_id: str) -> bytes:
    return hashlib.sha256(resident_id.encode()).digest()


def events(first: int, count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of releases and of their entries."""
    rows, entries = [], []
    for number in range(first, first + count):
        now = START + number // 20
        values = {
            "resident_id": f"r{number % RESIDENTS}",
            "client_id": "library",
            "kind": "userinfo",
            "claims": to_text(["email", "name"]),
            "purpose_ids": to_text(["p1"]),
            "authorization_id": f"a{number}",
            "at": now,
        }
        uid = log.new_uid(now)
        rows.append({"uid": uid, **values})
        key = key_of(values["resident_id"])
        ref = (_RELEASE.name, uid)
        entries.append(entry_values(kind=RELEASE, subject_key=key, record=values, ref=ref, now=now))
    return rows, entries


def fill(database: Database, first: int, count: int) -> None:
    """Put so many events into the database, unintegrated."""
    for start in range(first, first + count, PAGE):
        rows, entries = events(start, min(PAGE, first + count - start))
        with database.transaction() as session:
            session.execute(insert(_RELEASE), rows)
            session.execute(INSERT_ENTRY, entries)


def write(url: str, seconds: float, behind: int) -> int:
    """One writer, whose clock is so many seconds behind: a transaction for each event, as in a request; how many were acknowledged."""
    database = Database(url, checkpoints=False)
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        with database.fast.transaction():
            releases.record(
                database.fast,
                log_key=key_of("r1"),
                resident_id="r1",
                client_id="library",
                kind="userinfo",
                claims=["email", "name"],
                purpose_ids=["p1"],
                authorization_id=f"w{count}",
                now=int(time.time()) - behind,
            )
        count += 1
    database.close()
    return count


def integrate(database: Database, signer: log.NoteSigner, now: int) -> int:
    """Everything that waits, batch by batch; how many transactions it took."""
    batches = 0
    while True:
        with database.transaction() as session:
            if log.integrate(session, signer, origin=ORIGIN, now=now, limit=BATCH) is None:
                return batches
        batches += 1


def live(url: str, database: Database, signer: log.NoteSigner, *, writers: int, seconds: float) -> float:
    """Events a second, acknowledged one by one and all integrated by the end."""
    started = time.monotonic()
    # What is filled in afterwards must not lie before what is written now.
    behind = int(time.time()) - START + 7200
    with ProcessPoolExecutor(writers, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(write, url, seconds, behind) for _ in range(writers)]
        while not all(one.done() for one in running):
            integrate(database, signer, int(time.time()) - behind)
            time.sleep(0.5)
        integrate(database, signer, int(time.time()) - behind)
        spent = time.monotonic() - started
        return sum(one.result() for one in running) / min(spent, seconds + 2)


def verify(url: str, database: Database, signer: log.NoteSigner, kept: str | None) -> log.Verification:
    """As `denizen log verify` does it on a large log: the tree in a process of its own."""
    size = log.open_checkpoint(kept, signer.vkey).size if kept else 0
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        tree = pool.submit(tree_half, url, kept, [signer.vkey], size > 0) if not size else None
        with snapshot(database) as session:
            rows = log.inspect_rows(session, key_for=key_of, service_key=key_of("town"), since=size)
        half = tree.result() if tree else tree_half(url, kept, [signer.vkey], since=True)
    found = log.together(half, rows)
    if found.findings:
        raise RuntimeError(f"the log does not verify: {found.findings[:3]}")
    return found


def timed(what: str, run: Any, *arguments: Any, **options: Any) -> Any:
    started = time.perf_counter()
    result = run(*arguments, **options)
    say(f"{what}: {time.perf_counter() - started:.2f} s")
    return result


def measure(url: str, entries: int, *, writers: int, seconds: float) -> None:
    """Everything on one database."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signer = log.NoteSigner(ORIGIN, public, key.sign)
    upgrade_database(url)
    database = Database(url)
    if seconds:
        rate = live(url, database, signer, writers=writers, seconds=seconds)
        say(f"appended one by one by {writers} writers, and integrated: {rate:.0f} events/s")
    timed(f"filled with {entries} events", fill, database, 0, entries)
    started = time.perf_counter()
    integrate(database, signer, START + entries)
    say(f"integrated at {entries / (time.perf_counter() - started):.0f} entries/s")
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    prove(database)
    with database.reading() as session:
        kept = log.latest_checkpoint(session)
    found = timed("verified in full", verify, url, database, signer, None)
    say(f"  {found.leaves} leaves, {found.rows} rows")
    fill(database, entries, GROWTH)
    integrate(database, signer, START + entries + GROWTH)
    found = timed(f"verified {GROWTH} new ones since a checkpoint", verify, url, database, signer, kept)
    database.close()


def prove(database: Database) -> None:
    """Proofs of entries all over the log."""
    with database.reading() as session:
        first, last = session.execute(text("SELECT min(id), max(id) FROM consent_log_entry")).one()
        step = max(1, (last - first) // PROOFS)
        spent = []
        for entry_id in range(first, last, step):
            found = text("SELECT uid FROM consent_log_entry WHERE id = :id")
            uid = bytes(session.execute(found, {"id": entry_id}).scalar_one())
            started = time.perf_counter()
            assert proofs.proof_for(session, uid)
            spent.append((time.perf_counter() - started) * 1000)
    spent.sort()
    slow = percentile(spent, 0.95)
    say(f"proof of an entry: {statistics.median(spent):.2f} ms, of twenty the slowest {slow:.2f} ms")


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench log")
    parser.add_argument("--entries", type=between(1, 50_000_000, int), default=100_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--writers", type=between(1, 64, int), default=4)
    parser.add_argument(
        "--seconds", type=between(0, 120), default=10, help="of appending one by one; 0 leaves it out"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="denizen-bench-log-") as folder:
        for kind, url in each_database(options.database, Path(folder)):
            say(f"{kind}, {options.entries} entries")
            # SQLite has one process, which writes as it answers: there is nothing to race.
            seconds = options.seconds if kind == "postgresql" else 0
            measure(url, options.entries, writers=options.writers, seconds=seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
