"""Figures that reveal nobody, comparisons that give their reasons, and the register of processing."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import pytest

from admin.reports.rules import chart
from consent.audit import rules
from consent.audit.rules import Asking
from consent.purposes import NoticeText, publish_notice, purposes_for_client
from idp.clients.service import NewClient

if TYPE_CHECKING:
    from tests.admin.office import Office


@pytest.mark.parametrize(("number", "shown"), [(0, 0), (1, None), (4, None), (5, 5), (500, 500)])
def test_a_small_figure_is_not_shown(number: int, shown: int | None) -> None:
    """Fewer than five may be somebody; nobody is nobody."""
    assert rules.shown_count(number) == shown


def test_every_month_between_two_days_is_there() -> None:
    """Also those in which nothing happened, over the turn of a year."""
    november, february = 1_793_491_200, 1_801_440_000
    assert rules.months(november, february) == ["2026-11", "2026-12", "2027-01"]
    folded = rules.by_month(
        [("given", 20_759, 3), ("renewed", 20_760, 4), ("informed", 20_759, 9)], ["2026-11"]
    )
    assert folded == {"2026-11": {"agreed": 7, "refused": 0, "withdrawn": 0}}


def test_a_figure_that_is_left_out_draws_no_bar() -> None:
    """The height of a bar would say what the table does not."""
    drawn = chart([("2026-11", {"agreed": 40, "refused": None, "withdrawn": 0})])
    assert [bar.height > 0 for bar in drawn.bars] == [True, False, False]
    assert drawn.lines[-1].text == "40"


def test_figures_stand_in_a_chart_and_in_a_table(office: Office) -> None:
    """One service by month, all side by side; small ones as such."""
    town = office.town
    town.tokens(town.library, town.maria)
    desk = office.signed_in("officer")
    page = desk.get("/officer/figures").text
    assert "<title id=" in page
    assert "<desc id=" in page
    assert "fewer than 5" in page
    assert "2027-01" in desk.get("/officer/figures?client=library").text
    assert "Nobody made a choice" in desk.get("/officer/figures?until=2020-01-01").text
    assert desk.get("/officer/figures?since=x").status_code == 422


def test_who_asks_for_more_than_the_others_is_named_with_the_reason() -> None:
    """More than the median of at least three peers on the same basis, and something hardly any of them asks for."""
    peers = [Asking(f"p{n}", f"c{n}", "consent", ("name", "email")) for n in range(4)]
    greedy = Asking("g", "greedy", "consent", ("name", "email", "birthdate"))
    (found,) = rules.over_asking([*peers, greedy])
    assert (found.asking, found.usual, found.unusual, found.peers) == (greedy, 2.0, ("birthdate",), 4)
    assert rules.over_asking([*peers[:2], greedy]) == []
    other = Asking("t", "greedy", "public_task", greedy.claims)
    assert rules.over_asking([*peers, other]) == [], "another basis is no peer"
    many = [Asking(f"g{n}", "greedy", "consent", greedy.claims) for n in range(9)]
    assert {one.peers for one in rules.over_asking([*peers, *many])} == {4}, "its own purposes are no peers"


def test_the_page_of_comparisons_says_which_data(office: Office) -> None:
    """In words: how many, how many are usual, and what is unusual."""
    town = office.town
    for number in range(3):
        new = NewClient(f"Club {number}", (f"https://club{number}.example/cb",), client_id=f"club{number}")
        town.add_client(new, partner=f"Club {number}", required=("name",))
    greedy = NewClient("Curious", ("https://curious.example/cb",), client_id="curious")
    town.add_client(greedy, partner="Curious", required=("name", "birthdate", "gender"))
    page = office.signed_in("officer").get("/officer/over-asking").text
    assert "Curious" in page
    assert "Date of birth, Gender" in page
    assert "Club 1" not in page


def test_the_register_is_made_from_purposes_and_notices(office: Office) -> None:
    """GDPR Art. 30: a new notice opens a new row; the former one stays, with its end."""
    town = office.town
    desk = office.signed_in("officer")
    rows = list(csv.DictReader(io.StringIO(desk.get("/officer/register.csv").data.decode(), newline="")))
    assert {one["service"] for one in rows} == {"Riverton Public Library", "Tax portal", "Street reports"}
    town.clock.advance(60)
    with town.context.database.transaction() as session:
        (library,) = purposes_for_client(session, "library")
        text = NoticeText("What the library needs now", "To lend books.", "Two years.", "Nobody else.")
        publish_notice(
            session,
            log_key=town.context.vault.subkey("log"),
            purpose_id=library.id,
            texts={"en": text},
            material=True,
            now=int(town.clock()),
        )
    rows = list(csv.DictReader(io.StringIO(desk.get("/officer/register.csv").data.decode(), newline="")))
    former, present = [one for one in rows if one["service"] == "Riverton Public Library"]
    assert (former["version"], present["version"]) == ("1", "2")
    assert former["until"] == present["from"]
    assert present["until"] == ""
    assert present["data"] == "name email"
    page = desk.get("/officer/register").text
    assert "Two years." in page
    assert "What Riverton Public Library needs" not in page
    assert "What Riverton Public Library needs" in desk.get("/officer/register?past=1").text
    links = re.findall(r'href="(/officer/records\?notice=[0-9a-f]{64})"', page)
    assert desk.get(links[0]).status_code == 200
