"""Signing in with a card and PIN, and with codes of the paper list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from idp.accounts.models import Resident
from idp.login.admission import Busy
from idp.login.budgets.models import FailureStreak
from idp.login.cards import service
from idp.login.cards.models import Card, PaperCode
from idp.login.cards.printing import scanned
from idp.login.cards.rules import LIST_LENGTH, grouped
from idp.login.models import BrowserSession
from tests.idp.login.cards.conftest import Holder, issue
from tests.support.nodes import NODES, THREADS, Request, two_nodes
from tests.support.town import ISSUER, Proof, answer_parameters, hidden_fields

if TYPE_CHECKING:
    from tests.support.town import Browser, Town


def session_of(town: Town) -> BrowserSession:
    (found,) = town.rows(BrowserSession)
    assert isinstance(found, BrowserSession)
    return found


def wanting_strong(town: Town) -> Browser:
    """A browser whose next page needs the level strong."""
    browser = town.browser()
    browser.get("/login/card?wanted=strong&next=/account")
    return browser


def test_card_and_pin_open_the_account_at_the_lowest_level(holder: Holder) -> None:
    """identity.md: a card can be copied, so with its PIN it is one factor; acr and amr say that and no more."""
    browser = holder.town.browser()
    asked = holder.number(browser)
    assert "Enter your PIN" in asked.text
    answer = holder.pin(browser)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    found = session_of(holder.town)
    assert (found.resident_id, found.acr, found.amr) == (holder.resident_id, "basic", "pin")
    assert browser.get("/account").status_code == 200


def test_whoever_is_sent_away_for_want_of_a_place_has_not_guessed(
    holder: Holder,
) -> None:
    """A storm at the sign-in page must not use up the tries of those who hold cards."""
    browser, busy = holder.town.browser(), pytest.MonkeyPatch()
    admission = holder.town.app.extensions["denizen.login"].passwords.admission
    page = holder.number(browser)
    busy.setattr(admission, "is_full", lambda: Busy(3))
    for _ in range(6):
        browser.last = page
        assert holder.pin(browser).status_code == 503
    busy.undo()
    assert holder.town.rows(FailureStreak) == []
    browser.last = page
    assert holder.pin(browser).status_code == 303


def test_a_partner_gets_its_code_after_a_sign_in_by_card(holder: Holder) -> None:
    """The waiting request is continued, and the ID token says by what it was proved."""
    town, browser, proof = holder.town, holder.town.browser(), Proof()
    browser.follow(browser.authorize(town.library, "openid", proof))
    flow = hidden_fields(browser.last.text if browser.last else "", "/login")["flow"]
    browser.get(f"/login/card?flow={flow}")
    browser.follow(holder.sign_in(browser))
    code = answer_parameters(browser.allow())["code"]
    tokens = town.redeem(town.library, code, proof).json
    assert tokens["id_token"]


def test_a_scanner_types_the_whole_address_and_presses_enter(holder: Holder) -> None:
    """A scanner is a keyboard: it types what the code holds into the field, and the PIN is asked for."""
    typed = scanned(ISSUER, holder.printed.number)
    browser = holder.town.browser()
    assert "Enter your PIN" in holder.number(browser, typed).text
    assert holder.pin(browser).status_code == 303


@pytest.mark.parametrize(
    "spell", [str.lower, grouped, lambda text: f" {text[:4]} {text[4:]} ".replace("0", "O")]
)
def test_a_number_may_be_typed_as_people_read_it(holder: Holder, spell: object) -> None:
    """Small letters, blanks, dashes, and O for 0 are all right."""
    assert callable(spell)
    assert "Enter your PIN" in holder.number(holder.town.browser(), spell(holder.printed.number)).text


def test_a_typing_mistake_is_told_before_the_pin_is_asked(holder: Holder) -> None:
    """The last letter checks the others, so a mistake costs no guess; the message says nothing about cards."""
    wrong = (
        holder.printed.number[:3]
        + ("A" if holder.printed.number[3] != "A" else "B")
        + holder.printed.number[4:]
    )
    browser = holder.town.browser()
    answer = holder.number(browser, wrong)
    assert answer.status_code == 422
    assert "typing mistake" in answer.text
    browser.get("/login/card")
    assert "Enter the number" in browser.submit("/login/card", card_number=" ").text
    assert not holder.town.rows(FailureStreak)


def test_a_wrong_pin_and_an_unknown_card_look_the_same(holder: Holder) -> None:
    """K23: whether a card exists is told by nothing on the page."""
    pages = []
    for number in (holder.printed.number, _unissued()):
        browser = holder.town.browser()
        browser.get("/login/card")
        browser.http.environ_base["REMOTE_ADDR"] = "192.0.2.7"
        holder.number(browser, number)
        answer = holder.pin(browser, "000001")
        pages.append((answer.status_code, answer.text.replace(grouped(number), "").partition("<main")[2]))
    (status, page), (other_status, other_page) = pages
    assert status == other_status == 422
    assert _without_tokens(page) == _without_tokens(other_page)
    assert not holder.town.rows(BrowserSession)


@pytest.mark.parametrize("pin", ["", "12345", "1234567", "12345x", "１２３４５６"])
def test_what_is_no_pin_is_no_guess(holder: Holder, pin: str) -> None:
    """A slip of the finger is told at once and costs nothing."""
    browser = holder.town.browser()
    holder.number(browser)
    answer = browser.submit("/login/card", pin=pin)
    assert answer.status_code == 422
    assert "6 digits" in answer.text
    assert not holder.town.rows(FailureStreak)


def test_a_card_is_guessed_at_five_times_from_one_place(holder: Holder) -> None:
    """NIST SP 800-63B-4 §3.2.2: a PIN of six digits needs a tight budget; the right one costs nothing."""
    town = holder.town
    for _ in range(5):
        browser = town.browser()
        holder.number(browser)
        assert holder.pin(browser, "000001").status_code == 422
    browser = town.browser()
    holder.number(browser)
    answer = holder.pin(browser)
    assert answer.status_code == 429
    assert "too many attempts" in answer.text
    town.clock.advance(3600)
    assert holder.sign_in(town.browser()).status_code == 303


def test_a_revoked_card_opens_nothing(holder: Holder) -> None:
    """Neither by its PIN, nor by a code asked for before it was revoked."""
    town = holder.town
    browser = wanting_strong(town)
    holder.sign_in(browser)
    browser.follow()
    with town.context.database.transaction() as session:
        assert service.revoke(session, holder.resident_id, now=int(town.clock()))
    holder.code(browser, 1)
    assert not town.rows(BrowserSession)
    assert not [code for code in town.rows(PaperCode) if code.spent_at is not None]
    other = town.browser()
    holder.number(other)
    assert holder.pin(other).status_code == 422


def test_a_frozen_account_is_opened_by_no_card(holder: Holder) -> None:
    """The state of the account counts, and the page says nothing about it."""
    town = holder.town
    with town.context.database.transaction() as session:
        session.execute(update(Resident).where(Resident.id == holder.resident_id).values(state="frozen"))
    browser = town.browser()
    holder.number(browser)
    assert holder.pin(browser).status_code == 422
    assert not town.rows(BrowserSession)


def test_turning_back_tells_the_partner(holder: Holder) -> None:
    """OIDC Core §3.1.2.6: access_denied, from the card's pages, too."""
    town, browser = holder.town, holder.town.browser()
    browser.follow(browser.authorize(town.library, "openid", Proof()))
    flow = hidden_fields(browser.last.text if browser.last else "", "/login")["flow"]
    browser.get(f"/login/card?flow={flow}")
    holder.number(browser)
    assert answer_parameters(browser.submit("/login/card", cancel="1"))["error"] == "access_denied"


# --- the paper list ---


def test_a_code_of_the_list_raises_card_and_pin_to_two_factors(holder: Holder) -> None:
    """identity.md: asked by its number, spent once, strong afterwards."""
    browser = wanting_strong(holder.town)
    asked = browser.follow(holder.sign_in(browser))
    assert "Enter code number 1" in asked.text
    assert not holder.town.rows(BrowserSession), "nothing is open before the code is given"
    answer = holder.code(browser, 1)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    found = session_of(holder.town)
    assert (found.acr, found.amr) == ("strong", "pin otp mfa")


def test_codes_are_asked_in_order_and_each_works_once(holder: Holder) -> None:
    """A code that was used is asked for never again; a wrong one leaves its number asked for."""
    for place in (1, 2, 3):
        browser = wanting_strong(holder.town)
        asked = browser.follow(holder.sign_in(browser))
        assert f"Enter code number {place}" in asked.text
        wrong = holder.code(browser, place + 1)
        assert wrong.status_code == 422
        assert f"number {place}" in wrong.text
        if place > 1:
            assert holder.code(browser, place - 1).status_code == 422, "spent"
        typed = f"{holder.printed.codes[place - 1][:4]} {holder.printed.codes[place - 1][4:]}"
        assert browser.submit("/login/paper-code", code=typed).status_code == 303
    spent = [code.place for code in holder.town.rows(PaperCode) if code.spent_at is not None]
    assert sorted(spent) == [1, 2, 3]


def test_two_tabs_do_not_spend_two_codes_by_mistake(holder: Holder) -> None:
    """The number that a page showed is compared with what is asked for now; the reader learns the new number."""
    browser = wanting_strong(holder.town)
    browser.follow(holder.sign_in(browser))
    first_tab = browser.last
    other = wanting_strong(holder.town)
    other.follow(holder.sign_in(other))
    assert holder.code(other, 1).status_code == 303
    browser.last = first_tab
    answer = holder.code(browser, 1)
    assert answer.status_code == 409
    assert "Enter code number 2" in answer.text
    assert holder.code(browser, 2).status_code == 303


def test_a_list_that_runs_out_says_so_in_time(holder: Holder) -> None:
    """From five codes on the page warns; with none the resident is led to what else they have."""
    _spend_all_but(holder, 5)
    browser = wanting_strong(holder.town)
    assert "5 codes of your list are left" in browser.follow(holder.sign_in(browser)).text
    _spend_all_but(holder, 1)
    browser = wanting_strong(holder.town)
    asked = browser.follow(holder.sign_in(browser)).text
    assert "the last code" in asked
    assert f"Enter code number {LIST_LENGTH}" in asked
    _spend_all_but(holder, 0)
    browser = wanting_strong(holder.town)
    left = browser.follow(holder.sign_in(browser))
    assert left.status_code == 200
    assert left.request.path != "/login/paper-code"
    assert not holder.town.rows(BrowserSession)


def test_the_page_for_codes_is_for_who_has_shown_the_card(holder: Holder) -> None:
    """Without a first proof nobody's list is asked for."""
    browser = holder.town.browser()
    other = browser.follow(browser.get("/login/other"))
    handle = hidden_fields(other.text, "/login/other")["attempt"]
    assert browser.get(f"/login/paper-code?attempt={handle}").headers["Location"].startswith("/login?")
    assert browser.get("/login/paper-code?attempt=made-up").status_code == 400


def test_one_code_in_ten_sign_ins_in_two_processes_opens_one(holder: Holder) -> None:
    """Ten browsers were asked for the same code and send it at once: the row decides, on both engines."""
    town, requests = holder.town, []
    for _ in range(NODES * THREADS):
        browser = wanting_strong(town)
        page = browser.follow(holder.sign_in(browser))
        fields = {**hidden_fields(page.text, "/login/paper-code"), "code": holder.printed.codes[0]}
        cookie = browser.http.get_cookie("__Host-denizen-browser", "id.riverton.example")
        assert cookie is not None
        requests.append(Request("/login/paper-code", fields, {"Cookie": f"{cookie.key}={cookie.value}"}))
    with two_nodes(town) as nodes:
        replies = nodes.each_at_once(requests, int(town.clock()))
    assert len(town.rows(BrowserSession)) == 1
    assert [reply.status for reply in replies].count(303) == 1
    assert [code.place for code in town.rows(PaperCode) if code.spent_at is not None] == [1]


def test_two_codes_at_once_in_two_attempts_spend_one_each(holder: Holder) -> None:
    """Two browsers that were asked for the same code: one gets in, the other is asked for the next."""
    pages = []
    for _ in range(2):
        browser = wanting_strong(holder.town)
        browser.follow(holder.sign_in(browser))
        pages.append(browser)
    statuses = sorted(holder.code(browser, 1).status_code for browser in pages)
    assert statuses == [303, 409]


def test_cards_of_two_residents_do_not_mix(holder: Holder) -> None:
    """A code of another's list is worth nothing, and a second card in one sign-in is refused."""
    marias = issue(holder.town, holder.town.maria.resident_id)
    browser = wanting_strong(holder.town)
    browser.follow(holder.sign_in(browser))
    assert marias.code(browser, 1).status_code == 422
    used = {card.resident_id: card.used_at for card in holder.town.rows(Card)}
    assert used[marias.resident_id] is None
    assert used[holder.resident_id] is not None


# --- at a shared computer ---


def test_a_shared_computer_is_remembered_from_the_pin_to_the_code(holder: Holder) -> None:
    """The choice is made with the PIN; the session that a code begins later is as short and leaves as little."""
    browser = holder.town.browser()
    other = browser.follow(browser.get("/login/other?wanted=strong&next=/account"))
    handle = hidden_fields(other.text, "/login/other")["attempt"]
    browser.get(f"/login/card?attempt={handle}")
    holder.number(browser)
    browser.follow(browser.submit("/login/card", pin=holder.printed.pin, shared="1"))
    assert holder.code(browser, 1).status_code == 303
    assert session_of(holder.town).is_shared is True


def test_a_session_at_a_shared_computer_stays_one_when_its_level_rises(holder: Holder) -> None:
    """A service that wants more does not turn a visit to the library into a session at home."""
    town, browser = holder.town, holder.town.browser()
    holder.number(browser)
    browser.submit("/login/card", pin=holder.printed.pin, shared="1")
    proof = Proof()
    asked = browser.follow(browser.authorize(town.library, "openid", proof, acr_values="strong"))
    if 'action="/authorize/as"' in asked.text:
        asked = browser.follow(browser.submit("/authorize/as", who="me"))
    asked = browser.follow(browser.submit("/authorize/level", level="raise"))
    assert "Enter code number 1" in asked.text
    browser.follow(holder.code(browser, 1))
    live = [one for one in town.rows(BrowserSession) if one.ended_at is None]
    assert [(one.acr, one.is_shared) for one in live] == [("strong", True)]


def _spend_all_but(holder: Holder, left: int) -> None:
    with holder.town.context.database.transaction() as session:
        session.execute(update(PaperCode).where(PaperCode.place <= LIST_LENGTH - left).values(spent_at=1))


def _unissued() -> str:
    return service._new_number()


def _without_tokens(page: str) -> str:
    from re import sub

    return sub(r'value="[^"]*"', "", page)
