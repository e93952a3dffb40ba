"""Somebody trusted: when their word counts, and what becomes of it when they are trusted no longer."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from idp.accounts.models import Resident
from idp.accounts.service import NewResident, create_resident
from idp.closing.service import close
from idp.recovery import helper_views, helping
from idp.recovery.codes import TRIES, keyed_hash
from idp.recovery.ending import credentials_changed
from idp.recovery.freeze import freeze
from idp.recovery.models import Case, Helper
from tests.idp.login.test_changed_meanwhile import once_before
from tests.idp.recovery.steps import ask, case_page, choose_password, signs_in, trust
from tests.idp.recovery.test_recovery import DAY, WAIT, digits_of, help_maria
from tests.support.statements import side_by_side
from tests.support.told import forms, told
from tests.support.town import hidden_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Update

    from tests.support.town import Browser, Person, Town

TAKEN = "a phrase that the helper chose"


def confirmed(town: Town) -> Browser:
    """The browser in which Maria's recovery waits for the delay, after Jun has given his word."""
    browser = ask(town, "maria", "helper")
    assert help_maria(town, digits_of(browser)[0]) == 303
    browser.get(case_page(browser))
    return browser


def help_path(browser: Browser) -> str:
    """The page on which this browser's resident gives their word for the only one who waits for it."""
    (path,) = re.findall(r'href="(/account/helpers/help/[^"]+)"', browser.get("/account/helpers").text)
    return str(path)


def press_end(browser: Browser) -> None:
    """End the only trust on the page."""
    (path,) = [one for one in forms(browser.get("/account/helpers").text) if one.endswith("/end")]
    assert browser.submit(path).headers["Location"].endswith("?done=ended")


def owner_ends(town: Town, inside: Browser) -> None:
    press_end(inside)


def helper_withdraws(town: Town, inside: Browser) -> None:
    jun = town.browser()
    jun.sign_in(town.jun)
    press_end(jun)


def helper_is_frozen(town: Town, inside: Browser) -> None:
    with town.context.database.transaction() as session:
        assert freeze(session, town.context, town.jun.resident_id, now=int(town.clock()))


@pytest.mark.parametrize("act", [owner_ends, helper_withdraws, helper_is_frozen])
def test_who_is_trusted_no_longer_finishes_no_recovery(
    town: Town, act: Callable[[Town, Browser], None]
) -> None:
    """The owner, signed in elsewhere all the time, reads the notice; the delay is there for them to object."""
    trust(town, town.maria, town.jun)
    inside = town.browser()
    inside.sign_in(town.maria)
    town.clock.advance(60)
    browser = confirmed(town)
    page = case_page(browser)
    town.clock.advance(60)
    act(town, inside)
    changes = [one.values["change"] for one in told(town, "helper_changed") if one.to == town.maria.email]
    assert changes.count("stopped") == 1
    town.clock.advance(WAIT)
    assert browser.get(page).status_code == 410
    assert browser.get(f"{page}/password").status_code == 410
    assert [row.state for row in town.rows(Case)] == ["stopped"]
    assert signs_in(town, town.maria, town.maria.password)


def test_a_word_given_by_a_thief_counts_no_more_once_the_helper_is_back(town: Town) -> None:
    """Frozen, recovered, active again: what was confirmed meanwhile stays stopped."""
    trust(town, town.maria, town.jun)
    browser = confirmed(town)
    helper_is_frozen(town, browser)
    with town.context.database.transaction() as session:
        session.execute(update(Resident).values(state="active"))
    town.clock.advance(WAIT)
    assert browser.get(f"{case_page(browser)}/password").status_code == 410


@pytest.mark.parametrize(
    "change",
    [
        lambda _: update(Helper).values(state="ended"),
        lambda town: update(Resident).where(Resident.id == town.jun.resident_id).values(state="frozen"),
    ],
    ids=["ended", "frozen"],
)
def test_the_last_step_itself_asks_whether_the_helper_is_trusted(
    town: Town, change: Callable[[Town], Update]
) -> None:
    """However the trust came to its end, and although the page for the new password stood open."""
    trust(town, town.maria, town.jun)
    browser = confirmed(town)
    town.clock.advance(WAIT)
    page = case_page(browser)
    browser.get(f"{page}/password")
    form = hidden_fields(browser.last.text, f"{page}/password")
    with town.context.database.transaction() as session:
        session.execute(change(town))
    answer = browser.post(f"{page}/password", {**form, "password": TAKEN})
    assert answer.headers["Location"] == page
    assert [row.state for row in town.rows(Case)] == ["open"]
    assert not signs_in(town, town.maria, TAKEN)


def test_the_end_of_one_trust_leaves_what_another_confirmed(town: Town) -> None:
    """Of two who are trusted, Jun gave his word; the other one's name is removed."""
    trust(town, town.maria, town.jun)
    with town.context.database.transaction() as session:
        ada = create_resident(
            session, town.context.vault, NewResident("en", {}, username="ada"), now=int(town.clock())
        )
    town.clock.advance(1)
    inside = town.browser()
    inside.sign_in(town.maria)
    inside.get("/account/helpers/new")
    inside.submit("/account/helpers/new", name="ada")
    other = next(row.id for row in town.rows(Helper) if row.helper_id == ada.id)
    browser = confirmed(town)
    page = case_page(browser)
    inside.get("/account/helpers")
    inside.submit(f"/account/helpers/{other}/end")
    town.clock.advance(WAIT)
    browser.get(f"{page}/password")
    assert choose_password(browser) == "/recover/done"


def close_account_of(town: Town, person: Person) -> None:
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, person.resident_id)
        assert close(session, town.context, resident, "asked", now=int(town.clock()))


def test_who_trusted_somebody_whose_account_is_closed_is_told(town: Town) -> None:
    """What was confirmed is stopped, and nothing names the former helper; the attempt is still in the owner's copy."""
    trust(town, town.maria, town.jun)
    browser = confirmed(town)
    close_account_of(town, town.jun)
    changes = [one.values["change"] for one in told(town, "helper_changed") if one.to == town.maria.email]
    assert sorted(changes) == ["accepted", "ended", "named", "stopped"]
    assert town.rows(Helper) == []
    assert [(row.resident_id, row.state, row.helper_id) for row in town.rows(Case)] == [
        (town.maria.resident_id, "stopped", None)
    ]
    assert browser.get(case_page(browser)).status_code == 410


def test_the_end_of_an_account_does_not_show_in_a_question_it_never_answered(town: Town) -> None:
    """Whether a name is anybody's is not said when it is asked, nor later on (K23)."""
    inside = town.browser()
    inside.sign_in(town.maria)
    for name in ("jun", "nobody"):
        inside.get("/account/helpers/new")
        inside.submit("/account/helpers/new", name=name)
    page = inside.get("/account/helpers").text
    close_account_of(town, town.jun)
    assert inside.get("/account/helpers").text == page
    assert [one.values["change"] for one in told(town, "helper_changed")] == ["named", "named"]
    assert {row.helper_id for row in town.rows(Helper)} == {None}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_word_and_the_end_of_trust_take_turns(town: Town) -> None:
    """In the same moment: either there was no word any more, or what was confirmed is stopped."""
    trust(town, town.maria, town.jun)
    inside, jun = town.browser(), town.browser()
    inside.sign_in(town.maria)
    jun.sign_in(town.jun)
    town.clock.advance(60)
    browser = ask(town, "maria", "helper")
    compare, _ = digits_of(browser)
    path = help_path(jun)
    jun.get(path)
    (end,) = [one for one in forms(inside.get("/account/helpers").text) if one.endswith("/end")]
    side_by_side(
        town.context.database,
        lambda: inside.submit(end).status_code,
        lambda: jun.submit(path, digits=compare).status_code,
        meets_at=(helping, "take_back"),
    )
    assert [row.state for row in town.rows(Case) if row.ripe_at is not None] in ([], ["stopped"])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_who_trust_each_other_may_speak_in_the_same_moment(town: Town) -> None:
    """Each locks the other: in one order, so both are heard, and nobody is told to try again."""
    trust(town, town.maria, town.jun)
    trust(town, town.jun, town.maria)
    speak, here = [], {person: town.browser() for person in (town.maria, town.jun)}
    for person, inside in here.items():
        inside.sign_in(person)
    for owner, inside in ((town.maria, here[town.jun]), (town.jun, here[town.maria])):
        compare, _ = digits_of(ask(town, owner.username, "helper"))
        path = help_path(inside)
        inside.get(path)
        speak.append(partial(inside.submit, path, digits=compare))
    answers = side_by_side(town.context.database, *speak, meets_at=(helper_views, "locked"))
    assert [answer.status_code for answer in answers] == [303, 303]
    assert all(row.ripe_at for row in town.rows(Case))


@pytest.mark.parametrize("act", ["accept", "end"])
def test_whoever_is_signed_out_meanwhile_neither_agrees_to_help_nor_ends_it(
    town: Town, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """A thief who is sent away in this moment leaves who trusts whom as it is."""
    mine, thief = town.browser(), town.browser()
    mine.sign_in(town.maria)
    mine.get("/account/helpers/new")
    mine.submit("/account/helpers/new", name=town.jun.username)
    thief.sign_in(town.jun)
    (path,) = [one for one in forms(thief.get("/account/helpers").text) if one.endswith(f"/{act}")]

    def signed_out() -> None:
        with town.context.database.transaction() as session:
            credentials_changed(session, town.jun.resident_id, keep_session=None, now=int(town.clock()))

    once_before(monkeypatch, town.context.database, "transaction", signed_out)
    assert thief.submit(path).status_code == 409
    assert [row.state for row in town.rows(Helper)] == ["asked"]


# --- anybody can ask in somebody's name ---


def test_requests_of_strangers_hide_no_recovery_of_its_owner(town: Town) -> None:
    """However many there are, before hers and after: the digits on Maria's screen find hers, and no other."""
    trust(town, town.maria, town.jun)
    mine = None
    for hour in range(8):
        for name in ("maria", town.maria.email):
            for _ in range(3):
                asked = ask(town, name, "helper")
                if hour == 4 and mine is None:
                    mine, digits = asked, digits_of(asked)[0]
        town.clock.advance(3601)
    assert mine is not None
    jun = town.browser()
    jun.sign_in(town.jun)
    path = help_path(jun)
    jun.get(path)
    assert jun.submit(path, digits=digits).status_code == 303
    assert "It is confirmed." in mine.get(case_page(mine)).text
    assert [row.helper_id for row in town.rows(Case) if row.ripe_at is not None] == [town.jun.resident_id]


def test_digits_that_two_requests_have_confirm_neither(town: Town) -> None:
    """One of a million, and the helper cannot know whose is whose; Maria asks anew."""
    trust(town, town.maria, town.jun)
    first = ask(town, "maria", "helper")
    compare, _ = digits_of(first)
    ask(town, "maria", "helper")
    vault = town.context.vault
    with town.context.database.transaction() as session:
        for case in session.execute(select(Case)).scalars():
            case.compare_hash = keyed_hash(vault, "compare", case.id, compare)
    assert help_maria(town, compare) == 422
    again, _ = digits_of(ask(town, "maria", "helper"))
    assert help_maria(town, again) == 303
    assert len([row for row in town.rows(Case) if row.ripe_at is not None]) == 1


def test_digits_are_tried_five_times(town: Town) -> None:
    """Then only a new request can be confirmed (K26)."""
    trust(town, town.maria, town.jun)
    compare, _ = digits_of(ask(town, "maria", "helper"))
    jun = town.browser()
    jun.sign_in(town.jun)
    path = help_path(jun)
    for _ in range(TRIES):
        jun.get(path)
        wrong = f"{(int(compare) + 1) % 10**6:06}"
        assert jun.submit(path, digits=wrong).status_code == 422
    assert jun.submit(path, digits=compare).status_code == 422
    again, _ = digits_of(ask(town, "maria", "helper"))
    assert jun.submit(path, digits=again).status_code == 303


def test_whoever_is_trusted_is_called_once_a_day_and_three_times_a_week(town: Town) -> None:
    """The owner is told as often: neither is flooded by strangers, nor by one who knows all the names of the owner."""
    trust(town, town.maria, town.jun)
    now = int(town.clock())
    town.clock.advance(7 * DAY - now % (7 * DAY))
    called = []
    for _ in range(14):
        for name in ("maria", town.maria.email):
            ask(town, name, "helper")
        called.append(
            Counter(one.name for one in told(town) if one.name in ("help_wanted", "recovery_started"))
        )
        town.clock.advance(DAY)
    assert [one["help_wanted"] for one in called] == [1, 2, 3, 3, 3, 3, 3, 4, 5, 6, 6, 6, 6, 6]
    assert [one["recovery_started"] for one in called] == [one["help_wanted"] for one in called]
