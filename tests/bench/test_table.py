"""Figures, ratios and verdicts of the table."""

from dataclasses import replace

import pytest

from tests.bench.budgets import BUDGETS
from tests.bench.figures import Repeat, percentile, summarise
from tests.bench.results import Results
from tests.bench.table import OURS, PEER, table

ONE = Repeat(
    server=OURS,
    database="sqlite",
    workload="sso",
    flows=1000,
    errors=0,
    seconds=2.0,
    server_cpu=900.0,
    database_cpu=100.0,
    load_cpu=500.0,
    p50=10.0,
    p99=20.0,
    others_percent=1.0,
    calibration=33.0,
    pss_mb=80.0,
    rss_mb=90.0,
)


def cells(results: Results, figure: str) -> list[str]:
    """The table's row that begins with this figure, after the columns of database and figure."""
    line = next(line for line in table(results).splitlines() if f"| {figure}" in line)
    return [cell.strip() for cell in line.strip("|").split("|")][2:]


def results_of(*repeats: Repeat) -> Results:
    results = Results()
    for repeat in repeats:
        results.notes[repeat.database, repeat.server] = {"ID token": "ES256"}
        results.repeats.append(repeat)
    return results


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_percentile_of_a_hundred_values(share, expected):
    assert percentile(range(1, 101), share) == expected


def test_percentile_of_nothing_is_zero():
    assert percentile([], 0.99) == 0.0


def test_cpu_counts_server_and_database_and_the_median_is_of_repeats():
    spans = [replace(ONE, server_cpu=cpu) for cpu in (900.0, 1900.0, 4900.0)]
    summary = summarise(spans)
    assert (summary.cpu, summary.cheapest, summary.flows_per_second) == (2.0, 1.0, 500.0)


def test_the_ratio_limits_are_those_of_the_design():
    """SSO at most 0.60 of the peer on SQLite, 0.47 on PostgreSQL; by FAPI 2.0 twice the peer on both."""
    assert BUDGETS["sqlite", "sso"].ratio_limit == pytest.approx(0.60, abs=0.005)
    assert BUDGETS["postgresql", "sso"].ratio_limit == pytest.approx(0.47, abs=0.005)
    assert {BUDGETS[database, "fapi"].ratio_limit for database in ("sqlite", "postgresql")} == {2.0}


def test_a_row_within_ratio_and_budget_says_yes_twice():
    row = cells(results_of(ONE, replace(ONE, server=PEER, server_cpu=3900.0)), "SSO flow")
    assert row[:8] == ["2.00", "1.00", "1.00 (1.00)", "4.00 (4.00)", "0.25", "0.60", "yes", "yes"]


def test_a_row_over_both_limits_says_no_twice():
    row = cells(
        results_of(replace(ONE, server_cpu=2900.0), replace(ONE, server=PEER, server_cpu=3900.0)), "SSO flow"
    )
    assert row[4:8] == ["0.75", "0.60", "NO", "NO"]


def test_without_the_peer_there_is_no_ratio():
    assert cells(results_of(ONE), "SSO flow")[3:8] == ["–", "–", "0.60", "–", "yes"]


def test_a_sign_in_is_held_against_argon2_of_the_same_run():
    """A whole password sign-in costs at most 1.15 of the verification alone."""
    results = results_of(replace(ONE, workload="password", flows=25, hashing_cpu=880.0))
    results.argon2["sqlite"] = [36.0]
    assert cells(results, "Argon2id within these sign-ins")[2] == "35.2 (35.2)"
    assert cells(results, "password sign-in")[:3] == ["41.4", "37.8", "40.0 (40.0)"]
    assert cells(results, "password sign-in")[7] == "yes"


def test_a_workload_without_any_right_answer_never_passes():
    row = cells(results_of(replace(ONE, flows=0, errors=51)), "SSO flow")
    assert (row[2], row[7], row[10]) == ("– (–)", "NO", "51, –")


def test_start_memory_and_failures_are_shown():
    results = results_of(ONE)
    results.startups["sqlite", OURS] = [1.0, 1.4, 9.0]
    results.memory["sqlite", OURS] = (120.0, 130.0)
    results.fail("denizen, sqlite, refresh: no token")
    assert cells(results, "start to first answer")[0:3] == ["1.50", "–", "1.40"]
    assert cells(results, "memory after it all")[7] == "NO"
    assert "- denizen, sqlite, refresh: no token" in table(results)
