"""What residents wait for their own privacy pages in a town with a long log.

`python -m tests.bench privacy --entries 1000000`. The pages are called in this process, so the time is the app's and
the database's; the resident has signed in to services every day for a year.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from tests.bench import town
from tests.bench.arguments import between
from tests.bench.figures import percentile
from tests.bench.inprocess import PORT, WsgiAgent, app_of
from tests.bench.log import fill
from tests.bench.postgres import each_database
from tests.bench.results import say
from tests.bench.target import LIBRARY, TAX_PORTAL, Target, Visitor, residents
from tests.bench.workloads import FlowError, Refresh, Sso

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGES = (
    "/privacy",
    "/privacy/history",
    "/privacy/releases",
    f"/privacy/services/{LIBRARY.client_id}",
    f"/privacy/services/{TAX_PORTAL.client_id}",
)
SIGN_INS, ROUNDS = 365, 100


async def lived_for_a_year(target: Target, visitor: Visitor) -> None:
    """Consent to two services, then use one of them every day."""
    await Refresh().setup(target, visitor)
    daily = Sso()
    await daily.setup(target, visitor)
    for _ in range(SIGN_INS):
        await daily.flow(target, visitor)


async def read_pages(target: Target, visitor: Visitor) -> dict[str, list[float]]:
    """Milliseconds that each page took, again and again."""
    spent: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for page in PAGES:
            begun = time.perf_counter()
            answer = await visitor.agent.get(urljoin(target.issuer, page))
            spent[page].append((time.perf_counter() - begun) * 1000)
            if answer.status != 200:
                raise FlowError(f"{page}: HTTP {answer.status} {answer.location}")
    return spent


def measure(folder: Path, database_url: str, entries: int) -> None:
    """A town on this database with so many entries of others, and the pages of one resident in it."""
    settings, secrets = town.make_town(folder, port=PORT, database_url=database_url, workers=1)
    app, context = app_of(settings)
    say(f"{context.database.engine.dialect.name}, {entries} entries of others")
    fill(context.database, 0, entries)
    target = Target(f"http://localhost:{PORT}", secrets=secrets)
    visitor = Visitor(WsgiAgent(app), residents()[0])
    asyncio.run(_live_and_read(target, visitor))
    context.database.close()


async def _live_and_read(target: Target, visitor: Visitor) -> None:
    await target.discover(visitor.agent)
    await lived_for_a_year(target, visitor)
    for page, spent in (await read_pages(target, visitor)).items():
        spent.sort()
        say(f"{page}: median {median(spent):.1f} ms, of twenty the slowest {percentile(spent, 0.95):.1f} ms")


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench privacy", description=__doc__)
    parser.add_argument(
        "--entries", type=between(1, 50_000_000, int), default=100_000, help="in the log, of other residents"
    )
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="denizen-bench-privacy-") as name:
        for kind, url in each_database(options.database, Path(name)):
            folder = Path(name) / kind
            folder.mkdir()
            measure(folder, url, options.entries)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
