"""docs/specifications.md and docs/conformance.md promise nothing that no test shows."""

from __future__ import annotations

import re

import pytest

from tests.conformance import openid_plans
from tests.conformance.modules import MODULES
from tests.conformance.plans import SIGNED
from tests.conformance.test_fapi2_message_signing import COUNTED
from tests.house.repository import ROOT

PAGE = (ROOT / "docs" / "specifications.md").read_text(encoding="utf-8")
CONFORMANCE = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
STATES = ("done", "part: ", "not yet", "not: ", "never")
NAMED = re.compile(r"`(tests/[\w./-]+)`")
CASE = re.compile(r"\bK(\d\d)\b")


def rows() -> list[list[str]]:
    """The rows of every table that has a state and what shows it."""
    found = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if line.startswith("|") and not line.startswith("|---")
    ]
    return [row for row in found if row[-2:] != ["State", "Shown by"]]


def shown_by(cell: str) -> list[str]:
    """The tests that a cell names, K01 to K40 among them, as paths or patterns."""
    return [*NAMED.findall(cell), *(f"tests/security/test_k{number}_*.py" for number in CASE.findall(cell))]


def test_every_named_test_is_there() -> None:
    """A file has tests, a folder has such files."""
    for row in rows():
        for name in shown_by(row[-1]):
            found = list(ROOT.glob(name.rstrip("/")))
            assert found, name
            files = [one for path in found for one in (path.glob("test_*.py") if path.is_dir() else [path])]
            assert files or name == "tests/vectors/", name
            assert all("\ndef test_" in one.read_text(encoding="utf-8") for one in files), name


def test_every_file_named_beside_the_tables_is_there() -> None:
    """In both documents, in whatever sentence."""
    for text in (PAGE, CONFORMANCE):
        for name in NAMED.findall(text):
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("number", [f"{one:02}" for one in range(1, 41)])
def test_every_attack_case_has_its_tests_where_the_page_says(number: str) -> None:
    """By its number in `tests/security`, or in the files that the page names for it, which speak of it."""
    (elsewhere,) = (line for line in PAGE.splitlines() if line.startswith("K01 to K40 are the files"))
    named = re.search(rf"K{number} ((?:`tests/[^`]+`(?:, | and )?)+)", elsewhere)
    in_security = list((ROOT / "tests" / "security").glob(f"test_k{number}_*.py"))
    assert bool(named) != bool(in_security)
    for name in NAMED.findall(named[1]) if named else ():
        assert f"K{number}" in (ROOT / name).read_text(encoding="utf-8"), name


@pytest.mark.parametrize(("auth", "bound"), COUNTED)
def test_modules_of_message_signing_are_counted_as_they_are_run(auth: str, bound: str) -> None:
    """docs/conformance.md names every variant of signed requests that runs."""
    run = any((one.auth, one.bound) == (auth, bound) for one in SIGNED)
    row = re.search(
        rf"^\| FAPI 2.0 Message Signing Final, {auth}, signed_non.*\|$", CONFORMANCE, re.MULTILINE
    )
    count = COUNTED[auth, bound][2]
    assert row
    assert (f"{bound} {count} of {count}" in row[0]) == run


def test_every_row_says_how_it_stands_and_what_shows_it() -> None:
    """Done or in part: by a test. Not done: why, or not yet."""
    assert len(rows()) > 80
    for row in rows():
        assert len(row) == 4, row
        state, shown = row[-2:]
        assert state.startswith(STATES), row
        if state == "done" or state.startswith("part: "):
            assert shown_by(shown), row


#: The plans whose modules stand in one table, by how docs/conformance.md calls them.
PLANS = {
    "Config OP": openid_plans.CONFIG,
    "Basic OP": openid_plans.BASIC,
    "Implicit OP": openid_plans.IMPLICIT,
    "Hybrid OP": openid_plans.HYBRID,
    "Form Post OP, basic": openid_plans.BASIC,
    "Form Post OP, implicit": openid_plans.IMPLICIT,
    "Form Post OP, hybrid": openid_plans.HYBRID,
    "Dynamic OP, code": openid_plans.DYNAMIC,
    "Dynamic OP, hybrid": openid_plans.DYNAMIC_HYBRID,
    "Dynamic OP, implicit": openid_plans.DYNAMIC_IMPLICIT,
    "3rd Party-Init OP, code": openid_plans.THIRD_PARTY,
}


@pytest.mark.parametrize("label", PLANS)
def test_modules_counted_as_tested_are_run(label: str) -> None:
    """docs/conformance.md counts the modules of each plan that its table runs, each once, and each is there."""
    counted = re.search(rf"^\| {label} \| (\d+) of (\d+) \|", CONFORMANCE, re.MULTILINE)
    assert counted, label
    assert counted[1] == counted[2] == str(openid_plans.size(PLANS[label]))
    for _, modules in PLANS[label]:
        assert len(set(modules)) == len(modules)
        assert set(modules) <= MODULES.keys()
