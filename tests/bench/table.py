"""One Markdown table: budgets, our figures, the peer's, the ratio and the verdicts. Pure."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.budgets import (
    BUDGETS,
    LOGIN_AIM,
    LOGIN_MUST,
    MEMORY_MUST,
    PASSKEY_AIM,
    PASSKEY_MUST,
    STARTUP_MUST,
    STORM_LOST_MUST,
    STORM_REFRESH_MUST,
    STORM_SHED_MUST,
    Budget,
)
from tests.bench.figures import Summary, summarise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.bench.results import Results

OURS, PEER = "denizen", "node-oidc-provider"
LABELS = {
    "sso": "SSO flow",
    "fapi": "the same by FAPI 2.0",
    "cc": "client credentials",
    "userinfo": "userinfo",
    "introspect": "introspection",
    "refresh": "refresh with rotation",
    "discovery": "discovery + JWKS",
    "password": "password sign-in",
    "login": "the same at a partner, with the release page",
    "passkey": "passkey sign-in",
}
HEADS = (
    "database",
    "figure",
    "must",
    "aim",
    "ours: median (best)",
    "peer: median (best)",
    "ratio",
    "ratio limit",
    "ratio kept",
    "must kept",
    "flows/s: ours, peer",
    "p50 / p99 ms: ours, peer",
    "errors: ours, peer",
)
NONE = "–"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, in the order of HEADS; what does not apply is a dash."""

    database: str
    figure: str
    must: str = NONE
    aim: str = NONE
    ours: str = NONE
    peer: str = NONE
    ratio: str = NONE
    ratio_limit: str = NONE
    ratio_kept: str = NONE
    must_kept: str = NONE
    pace: str = NONE
    latency: str = NONE
    errors: str = NONE


def table(results: Results) -> str:
    """The whole report as Markdown."""
    parts = [markdown(_rows(results))]
    parts += [f"- {line}" for line in _notes(results)]
    if results.failures:
        parts += ["", "Failed:", ""] + [f"- {text}" for text in results.failures]
    return "\n".join(parts)


def markdown(rows: Iterable[Row]) -> str:
    """A Markdown table with its columns padded, so that it reads in a terminal too."""
    cells = [HEADS, *(astuple(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEADS))]
    lines = [
        "| " + " | ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)) + " |"
        for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def number(value: float | None) -> str:
    """Three significant digits, as far as they mean anything."""
    if value is None or value == float("inf"):
        return NONE
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def verdict(value: float | None, limit: float | None) -> str:
    """Whether a value stays within its limit; a dash when one of them is missing."""
    if value is None or limit is None:
        return NONE
    return "yes" if value <= limit else "NO"


def _rows(results: Results) -> Iterator[Row]:
    databases = list(dict.fromkeys(database for database, _ in results.notes))
    for database in databases:
        for workload in LABELS:
            ours, peer = (_summary(results, database, server, workload) for server in (OURS, PEER))
            if ours or peer:
                yield _workload_row(results, database, workload, ours, peer)
        yield from _argon2_rows(results, database)
        yield from _storm_rows(results, database)
        yield from _plain_row(
            database, "start to first answer, s", STARTUP_MUST, *_startups(results, database)
        )
        yield from _plain_row(
            database, "memory after it all, PSS MB", MEMORY_MUST[database], *_memory(results, database)
        )


def _summary(results: Results, database: str, server: str, workload: str) -> Summary | None:
    wanted = (database, server, workload)
    found = [
        repeat for repeat in results.repeats if (repeat.database, repeat.server, repeat.workload) == wanted
    ]
    return summarise(found) if found else None


def _budget(results: Results, database: str, workload: str) -> Budget | None:
    """The fixed budget; for a password sign-in it follows from this run's Argon2id, without a ratio to the peer."""
    if workload == "password" and (alone := results.argon2.get(database)):
        return Budget(LOGIN_MUST * median(alone), LOGIN_AIM * median(alone), float("inf"))
    if workload == "passkey" and (check := results.signature.get(database)):
        return Budget(PASSKEY_MUST + median(check), PASSKEY_AIM + median(check), float("inf"))
    return BUDGETS.get((database, workload))


def _workload_row(
    results: Results, database: str, workload: str, ours: Summary | None, peer: Summary | None
) -> Row:
    budget = _budget(results, database, workload)
    limit = budget.ratio_limit if budget and budget.ratio_limit else None
    ratio = _ratio(ours.cpu if ours else None, peer.cpu if peer else None)
    return Row(
        database,
        f"{LABELS[workload]}, CPU ms",
        number(budget.must if budget else None),
        number(budget.aim if budget else None),
        f"{number(ours.cpu)} ({number(ours.cheapest)})" if ours else NONE,
        f"{number(peer.cpu)} ({number(peer.cheapest)})" if peer else NONE,
        number(ratio),
        number(limit),
        verdict(ratio, limit),
        verdict(ours.cpu if ours else None, budget.must if budget else None),
        _both(f"{one.flows_per_second:.0f}" if one else NONE for one in (ours, peer)),
        _both(f"{number(one.p50)} / {number(one.p99)}" if one else NONE for one in (ours, peer)),
        _both(str(one.errors) if one else NONE for one in (ours, peer)),
    )


def _argon2_rows(results: Results, database: str) -> Iterator[Row]:
    for figure, values in (
        ("Argon2id within these sign-ins, CPU ms", _within(results, database)),
        ("Argon2id alone, CPU ms", results.argon2.get(database)),
        ("Argon2id on every core at once, CPU ms", results.argon2_crowded.get(database)),
        ("ES256 signature check alone, CPU ms", results.signature.get(database)),
    ):
        if values:
            yield Row(database, figure, ours=f"{number(median(values))} ({number(min(values))})")


def _within(results: Results, database: str) -> list[float]:
    """What the verification costs in the very sign-ins that were measured, beside all the others."""
    return [
        repeat.hashing_cpu / repeat.flows
        for repeat in results.repeats
        if (repeat.database, repeat.server, repeat.workload) == (database, OURS, "password") and repeat.flows
    ]


def _storm_rows(results: Results, database: str) -> Iterator[Row]:
    storm = results.storms.get(database)
    if storm is None:
        return
    for figure, must, ours in (
        ("login storm: capacity lost, %", STORM_LOST_MUST, storm.lost_percent),
        ("login storm: refresh p99, ms", STORM_REFRESH_MUST, storm.refresh_p99),
        ("login storm: shed answers p99, ms", STORM_SHED_MUST, storm.shed_p99),
    ):
        yield from _plain_row(database, figure, must, ours, None)


def _plain_row(
    database: str, figure: str, must: float, ours: float | None, peer: float | None
) -> Iterator[Row]:
    if ours is not None or peer is not None:
        yield Row(
            database,
            figure,
            number(must),
            ours=number(ours),
            peer=number(peer),
            ratio=number(_ratio(ours, peer)),
            must_kept=verdict(ours, must),
        )


def _startups(results: Results, database: str) -> list[float | None]:
    found = (results.startups.get((database, server)) for server in (OURS, PEER))
    return [median(seconds) if seconds else None for seconds in found]


def _memory(results: Results, database: str) -> list[float | None]:
    found = (results.memory.get((database, server)) for server in (OURS, PEER))
    return [pair[0] if pair else None for pair in found]


def _ratio(ours: float | None, peer: float | None) -> float | None:
    return ours / peer if ours is not None and peer else None


def _both(pair: Iterable[str]) -> str:
    return ", ".join(pair)


def _notes(results: Results) -> Iterator[str]:
    for (database, server), notes in results.notes.items():
        yield f"{server}, {database}: " + "; ".join(f"{name}: {text}" for name, text in notes.items())
    for (database, server), (pss, rss) in results.memory.items():
        yield f"{server}, {database}: PSS {pss:.0f} MB, RSS {rss:.0f} MB"
    for database, storm in results.storms.items():
        yield (
            f"login storm, {database}: {storm.capacity:.1f} sign-ins/s alone, {storm.goodput:.1f}/s of "
            f"{storm.asked:.0f}/s in the storm (p99 {storm.sign_in_p99:.0f} ms), {storm.shed} shed"
        )
    speeds = sorted(repeat.calibration for repeat in results.repeats)
    if speeds:
        yield (
            f"calibration {speeds[0]:.0f} to {speeds[-1]:.0f} ms "
            "(33 is the fast state of the machine behind the budgets; ratios hold in any state)"
        )
