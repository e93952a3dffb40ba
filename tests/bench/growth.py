"""Whether a request costs more because others live in the town, too: a village and a city beside each other.

`python -m tests.bench growth --residents 100000`. Both are served, and loaded in turn. The city's crowd is one resident,
who has signed in and agreed, over and over under other names: everything that a request looks into is that much larger.
(The log is measured by itself, and grows by appending: `python -m tests.bench log`.)
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, get_args

from sqlalchemy import text

from idp.db import Database
from tests.bench.arguments import between, workload_list
from tests.bench.drivers.base import DatabaseKind
from tests.bench.drivers.denizen import Denizen
from tests.bench.inprocess import WsgiAgent, app_of
from tests.bench.results import Results, say
from tests.bench.runner import Pace, compare
from tests.bench.target import Target, Visitor, residents
from tests.bench.workloads import WORKLOADS, Refresh, Sso

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

#: A flow in the larger town costs at most so much of one in the smaller (performance.md).
GROWTH_MUST = 1.10
VILLAGE = 3800
ASKED = ("sso", "refresh", "userinfo", "introspect", "passkey", "login")
#: How the columns of a row tell its copies apart: by whose copy it is, by their own name with its number, by chance, by a
#: number below all others, by the database itself. All other columns are the same.
WHO, NAME, CHANCE, BEFORE, COUNTED = "resident", "name", "chance", "before", "counted"
#: What the crowd has. The names are those of the schema; a table comes after those it refers to.
COPIED: dict[str, dict[str, str]] = {
    "accounts_resident": {"id": WHO, "username_index": CHANCE},
    "accounts_contact_point": {"id": NAME, "resident_id": WHO, "value_index": CHANCE},
    "accounts_attribute": {"resident_id": WHO},
    "login_password": {"resident_id": WHO},
    "login_device": {"device_hash": CHANCE, "resident_id": WHO, "id": NAME},
    "login_session": {"id_hash": CHANCE, "sid": NAME, "resident_id": WHO},
    "oidc_grant": {"id": NAME, "resident_id": WHO, "subject": NAME},
    "oidc_authorization": {"id": BEFORE, "code_hash": CHANCE, "grant_id": NAME, "sid": NAME},
    "oidc_access_token": {"token_hash": CHANCE, "authorization_id": BEFORE},
    "oidc_refresh_token": {"token_hash": CHANCE, "authorization_id": BEFORE},
    "consent_record": {"id": COUNTED, "uid": CHANCE, "resident_id": WHO},
    "consent_release": {"id": COUNTED, "uid": CHANCE, "resident_id": WHO},
}
_FORMS = {
    WHO: "'r' || n",
    NAME: "substr({0}, 1, 8) || n",
    BEFORE: "-100 * n - {0}",
}
_CHANCE = {
    "sqlite": "randomblob(length({0}))",
    "postgresql": "substring(sha256(convert_to({0}::text || random() || n, 'UTF8')) FROM 1 FOR length({0}))",
}


class Town(Denizen):
    """Denizen in a town of so many residents."""

    def __init__(self, database: DatabaseKind, size: int) -> None:
        super().__init__(database)
        self.name = f"denizen {size}"
        self._size = size

    def prepare(self, database_url: str) -> None:
        super().prepare(database_url)
        asyncio.run(_live(self._settings, self.target))
        database = Database(database_url or f"sqlite:///{self.folder}/denizen.sqlite")
        try:
            with database.transaction() as session:
                crowd(session, self._size)
        finally:
            database.close()


async def _live(settings: Path, target: Target) -> None:
    """Have one resident agree and sign in, in this process: nothing is served yet."""
    app, context = app_of(settings)
    visitor = Visitor(WsgiAgent(app), residents()[-1])
    inside = Target(target.issuer, secrets=target.secrets)
    await inside.discover(visitor.agent)
    await Refresh().setup(inside, visitor)
    await (sso := Sso()).setup(inside, visitor)
    await sso.flow(inside, visitor)
    context.database.close()


def crowd(session: Session, size: int) -> None:
    """Copy whoever has agreed to something, with all that is theirs."""
    whose = session.execute(text("SELECT DISTINCT resident_id FROM oidc_grant")).scalar_one()
    engine = session.get_bind().dialect.name
    forms = {**_FORMS, CHANCE: _CHANCE[engine]}
    numbers = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :size)"
    for table, differs in COPIED.items():
        found = session.execute(text(f"SELECT * FROM {table} LIMIT 0")).keys()
        columns = [name for name in found if differs.get(name) != COUNTED]
        values = [forms[differs[name]].format(name) if name in differs else name for name in columns]
        of_one = "".join(f"WHERE {name} = :whose" for name in columns if differs.get(name) == WHO)
        made = session.execute(
            text(
                f"INSERT INTO {table} ({', '.join(columns)}) {numbers} SELECT {', '.join(values)} "
                f"FROM (SELECT * FROM {table} {of_one}) AS one, numbers"
            ),
            {"size": size, **({"whose": whose} if of_one else {})},
        )
        say(f"{table}: {made.rowcount} more rows")  # type: ignore[attr-defined]
    if engine == "postgresql":  # as it does by itself before long; nobody does it for SQLite
        session.execute(text("ANALYZE"))


def measure(database: DatabaseKind, sizes: Sequence[int], workloads: Sequence[str], pace: Pace) -> int:
    """Print what each workload costs in either town; how many cost too much more in the larger one."""
    results, too_much = Results(), 0
    with ExitStack() as stack:
        towns = [stack.enter_context(Town(database, size)) for size in sizes]
        for one in towns:
            one.start_server()
        for workload in workloads:
            asyncio.run(compare(towns, workload, pace, record=results.add, fail=results.fail_workload))
            cost = [
                median(
                    one.cpu_per_flow
                    for one in results.repeats
                    if (one.server, one.workload) == (town.name, workload)
                )
                for town in towns
            ]
            ratio = cost[-1] / cost[0]
            too_much += ratio > GROWTH_MUST
            verdict = "kept" if ratio <= GROWTH_MUST else "NOT KEPT"
            print(f"{database}, {workload}: {cost[0]:.3f} and {cost[-1]:.3f} ms, {ratio:.2f}: {verdict}")
    return too_much + len(results.failures)


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench growth", description=__doc__)
    parser.add_argument(
        "--residents", type=between(VILLAGE, 3_000_000, int), default=100_000, help="of the larger town"
    )
    parser.add_argument("--database", choices=(*get_args(DatabaseKind), "both"), default="both")
    parser.add_argument("--workloads", type=workload_list, default=list(ASKED), help=", ".join(WORKLOADS))
    parser.add_argument("--seconds", type=between(0.5, 120), default=4)
    parser.add_argument("--repeat", type=between(1, 20, int), default=3)
    options = parser.parse_args(arguments)
    kinds = get_args(DatabaseKind) if options.database == "both" else (options.database,)
    pace = Pace(seconds=options.seconds, repeat=options.repeat)
    sizes = (VILLAGE, options.residents)
    return sum(measure(kind, sizes, options.workloads, pace) for kind in kinds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
