"""What the officer's search and exports cost: `python -m tests.bench officer --records 300000`.

Makes a town's records in a database of its own on each engine, asks the questions of the search page, and writes a
file of 100,000 rows in a child process whose memory is measured.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, insert, text

from admin.audit import files
from consent import models
from consent.audit import search
from consent.audit.search import NEWEST, Query
from consent.purposes import NoticeText, declare_purpose, newest, publish_notice
from idp.schema import upgrade_database
from tests.bench.arguments import between
from tests.bench.figures import percentile
from tests.bench.postgres import each_database

if TYPE_CHECKING:
    from collections.abc import Sequence

START = 1_760_000_000
CLIENTS, PEOPLE = 40, 50_000
EVENTS = ("given", "given", "given", "refused", "renewed", "informed", "narrowed", "withdrawn")
LEVELS = ("basic",) * 8 + ("strong", "phr")
EXPORTED = 100_000
_BATCH = 20_000
#: So many records are made here; what is beyond is repeated of them. One comes every so many seconds.
_MADE, _EVERY = 250_000, 30


def fill(engine: Any, records: int) -> dict[str, Any]:
    """Purposes of every client, and that many records; something to ask for."""
    key, chance = bytes(32), random.Random(4)
    with engine.begin() as connection:
        purposes = []
        for number in range(CLIENTS):
            purpose_id = declare_purpose(
                connection,
                log_key=key,
                client_id=f"client-{number}",
                key="main",
                basis="consent",
                required_claims=("name",),
                optional_claims=("email",),
                now=START,
            )
            words = NoticeText(f"Purpose {number}", "Because.", "A year.", "Nobody.")
            publish_notice(
                connection, log_key=key, purpose_id=purpose_id, texts={"en": words}, material=True, now=START
            )
            purposes.append((f"client-{number}", purpose_id, newest(connection, purpose_id)["en"].body_hash))
    statement = insert(models.table(models.Record))
    made = min(records, _MADE)
    for first in range(0, made, _BATCH):
        rows = [_record(number, purposes, chance) for number in range(first, min(made, first + _BATCH))]
        with engine.begin() as connection:
            connection.execute(statement, rows)
    for first in range(made, records, made):
        with engine.begin() as connection:
            _repeat(connection, first, min(made, records - first))
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    client, purpose, notice = purposes[3]
    return {"client": client, "purpose": purpose, "notice": notice, "records": records}


def _repeat(connection: Any, first: int, count: int) -> None:
    """The first records once more, later and of other people: the database itself is faster at that than we are."""
    numbered = f"CAST(printf('%016d', id + {first}) AS BLOB)"
    if connection.dialect.name == "postgresql":
        numbered = f"convert_to(lpad((id + {first})::text, 16, '0'), 'UTF8')"
    told = {
        "uid": numbered,
        "resident_id": f"resident_id || '-{first // _MADE}'",
        "at": f"at + {first * _EVERY}",
    }
    names = [column.name for column in models.table(models.Record).columns if column.name != "id"]
    connection.execute(
        text(
            f"INSERT INTO consent_record ({', '.join(names)}) "
            f"SELECT {', '.join(told.get(name, name) for name in names)} FROM consent_record "
            "ORDER BY id LIMIT :count"
        ),
        {"count": count},
    )


def _record(number: int, purposes: list[Any], chance: random.Random) -> dict[str, Any]:
    # Few clients are asked for by most people, as in a town.
    client, purpose, notice = purposes[min(int(chance.expovariate(0.15)), CLIENTS - 1)]
    return {
        "uid": b"%016d" % number,
        "resident_id": f"resident-{chance.randrange(PEOPLE)}",
        "client_id": client,
        "purpose_id": purpose,
        "event": chance.choice(EVENTS),
        "claims_offered": '["name","email"]',
        "claims_chosen": '["name"]',
        "notice_hash": notice,
        "language": "en",
        "control": "release-page",
        "authentication": f'{{"acr":"{chance.choice(LEVELS)}","amr":["pwd"],"auth_time":{START}}}',
        "actor": "self",
        "at": START + number * _EVERY,
    }


def questions(known: dict[str, Any]) -> dict[str, Query]:
    """What an officer asks."""
    middle = START + known["records"] * _EVERY // 2
    return {
        "everything": Query(),
        "partner": Query(client_id=known["client"]),
        "partner, never happened": Query(client_id=known["client"], event="invalidated"),
        "purpose": Query(purpose_id=known["purpose"]),
        "notice and event": Query(notice_hash=known["notice"], event="withdrawn"),
        "event": Query(event="withdrawn"),
        "period": Query(since=middle, until=middle + 86_400),
        "person": Query(resident_id="resident-77"),
        "level": Query(level="phr"),
        "level, nobody": Query(client_id=known["client"], level="none"),
        "what stands": Query(client_id=known["client"], event="withdrawn", standing=True),
    }


def measure(engine: Any, known: dict[str, Any], rounds: int) -> None:
    """Say p50 and p95 of each question, first page and one from the middle."""
    middle = search.Position(START + known["records"] * _EVERY // 2, known["records"] // 2)
    everything: list[float] = []
    for name, query in questions(known).items():
        took = []
        for number in range(rounds):
            with engine.connect() as connection:
                begun = time.perf_counter()
                search.search(connection, query, middle if number % 2 else NEWEST, 50)
                took.append(time.perf_counter() - begun)
        everything += took
        print(
            f"  {name:26} p50 {statistics.median(took) * 1e3:8.1f} ms   p95 {percentile(sorted(took), 0.95) * 1e3:8.1f} ms"
        )
    print(
        f"  {'all questions':26} p50 {statistics.median(everything) * 1e3:8.1f} ms   p95 {percentile(sorted(everything), 0.95) * 1e3:8.1f} ms"
    )


def export(url: str, wanted: str, answer: Any) -> None:
    """In a child process: write a file, and say how long it took and how much memory the process had at most."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    engine, begun = create_engine(url), time.perf_counter()
    with engine.connect() as connection:
        found = search.every(connection, Query())
        rows = (_row(one) for _, one in zip(range(EXPORTED), found, strict=False))
        written = files.write(wanted, {"what": "bench"}, rows, lambda _rows, _cut: b"")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer.put((written.rows, written.length, time.perf_counter() - begun, before / 1024, peak / 1024))


def _row(one: search.Found) -> dict[str, Any]:
    return {
        "at": one.at,
        "person": one.resident_id,
        "client": one.client_id,
        "purpose": one.purpose_id,
        "event": one.event,
        "chosen": list(one.claims_chosen),
        "notice": one.notice_hash.hex(),
        "uid": one.uid.hex(),
        "language": one.language,
    }


def measured_export(url: str, wanted: str) -> tuple[int, int, float, float, float]:
    """Rows, bytes, seconds, and MB of memory at the start and at most, of an export in a process of its own."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    child = context.Process(target=export, args=(url, wanted, answer))
    child.start()
    found: tuple[int, int, float, float, float] = answer.get(timeout=600)
    child.join()
    return found


def run(url: str, options: argparse.Namespace) -> None:
    """All of it on one database."""
    upgrade_database(url)
    engine = create_engine(url)
    begun = time.perf_counter()
    known = fill(engine, options.records)
    print(f"{engine.dialect.name}: {options.records} records in {time.perf_counter() - begun:.0f} s")
    measure(engine, known, options.rounds)
    engine.dispose()
    for wanted in (files.CSV, files.JSON):
        rows, length, seconds, before, peak = measured_export(url, wanted)
        print(
            f"  {wanted}: {rows} rows, {length / 1e6:.1f} MB in {seconds:.1f} s, memory {before:.0f} MB at the start, {peak:.0f} MB at most"
        )


def main(arguments: Sequence[str]) -> int:
    """Read the options and run on every engine there is."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench officer", description=__doc__)
    parser.add_argument("--records", type=between(1, 10_000_000, int), default=300_000)
    parser.add_argument("--rounds", type=between(1, 1000, int), default=20)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="denizen-bench-") as folder:
        for _, url in each_database(options.database, Path(folder)):
            run(url, options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
