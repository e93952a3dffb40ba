"""What an account opens by after a recovery: what was kept, and never what was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import argon2
import pytest

from idp.accounts.contacts import add_confirmed
from idp.accounts.models import Resident
from idp.db import Base
from idp.login.cards.models import Card, PaperCode
from idp.login.codes import service as codes
from idp.login.codes.rules import Channel
from idp.login.levels import Method
from idp.login.models import BrowserSession, Password
from idp.login.passwords import Passwords
from idp.recovery import erase, finishing, words
from tests.idp.login.cards.conftest import issue
from tests.idp.oidc.test_step_up import claims, demand
from tests.idp.recovery.steps import (
    FRESH,
    app_code,
    ask,
    case_page,
    choose_password,
    give_address,
    give_app,
    path_of,
    signs_in,
    type_code,
)
from tests.support.factors import add_app, ask_for_code, attempt_of, sent_code, shown
from tests.support.told import told
from tests.support.town import Proof, code_of, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from werkzeug.test import TestResponse

    from tests.support.founding import Founding
    from tests.support.town import Browser, Town

SCOPE = "openid profile email"
PHONE = "+33612345678"


@pytest.fixture
def texting(database_url: str, founding: Founding, tmp_path: Path) -> Iterator[Town]:
    """A town that sends text messages, and Maria's telephone."""
    sms = {"provider": "http", "url": "https://sms.example/send", "sender": "Riverton"}
    town = make_town(database_url, tmp_path, founding=founding, sms=sms)
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        add_confirmed(session, town.context.vault, resident, "phone", PHONE, now=int(town.clock()))
    yield town
    town.context.database.close()


def test_every_way_in_that_can_be_lost_has_its_tables_and_its_words(town: Town) -> None:
    """A new factor is named here: a recovery ends it, or says in these words that it may be kept."""
    ended_otherwise = {Method.PASSWORD, Method.EMAIL_CODE, Method.SMS_CODE, Method.PAPER_CODE}
    assert set(Method) - ended_otherwise == set(finishing.KEEPABLE)
    for method in finishing.KEEPABLE:
        assert all("resident_id" in table.c for table in erase.tables_of(method))
        assert erase.tables_of(method)
    with town.app.test_request_context("/recover"):
        assert all(text for _, text in words.keepable_names(finishing.KEEPABLE))
    (hangs_on,) = Base.metadata.tables["login_paper_code"].c.card_id.foreign_keys
    assert (hangs_on.column.table.name, hangs_on.ondelete) == ("login_card", "CASCADE")


@pytest.mark.parametrize("kept", [True, False])
def test_a_card_goes_through_a_recovery_with_its_paper_list_or_dies_with_it(town: Town, kept: bool) -> None:
    """One tick for both, because they are one sheet of paper."""
    holder = issue(town, town.maria.resident_id)
    browser = ask(town, "maria")
    assert type_code(town, browser).endswith("/password")
    assert browser.last is not None
    assert 'value="card"' in browser.last.text
    assert 'value="paper-code"' not in browser.last.text
    assert choose_password(browser, keep=("card",) if kept else ()) == "/recover/done"
    assert signs_in(town, town.maria, FRESH)
    assert len(town.rows(Card)) == int(kept)
    assert len(town.rows(PaperCode)) == (len(holder.printed.codes) if kept else 0)
    assert (holder.sign_in(town.browser()).status_code == 303) is kept


# --- codes that go where nothing was proved ---


def test_a_lost_mailbox_is_not_asked_for_again_after_the_recovery(texting: Town) -> None:
    """Phone and letter proved it; else every recovery would lead to the same locked door."""
    town = texting
    give_address(town, town.maria)
    _choose(town, Channel.EMAIL, "always")
    _choose(town, Channel.SMS, "alone")
    browser = ask(town, PHONE)
    assert type_code(town, browser).endswith("/second")
    page = f"{case_page(browser)}/other"
    browser.get(page)
    browser.submit(page, wish="letter")
    browser = town.browser()
    browser.get("/recover/letter")
    browser.submit("/recover/letter", code=told(town, "recovery_letter")[-1].values["code"])
    assert path_of(browser).endswith("/password")
    assert choose_password(browser) == "/recover/done"
    browser = town.browser()
    browser.get("/login")
    answer = browser.submit("/login", username="maria", password=FRESH)
    assert answer.headers["Location"] == "/account"
    assert _choices(town) == {"sms": "alone"}


def test_a_lost_mailbox_lets_nobody_in_after_the_recovery(texting: Town) -> None:
    """Whoever reads it now must not open the account with nothing but a code."""
    town = texting
    _choose(town, Channel.EMAIL, "alone")
    recovered(town, PHONE)
    stranger = town.browser()
    before = len(told(town, "sign_in_code"))
    ask_for_code(stranger, "maria")
    if len(told(town, "sign_in_code")) > before:
        stranger.submit("/login/email-code", code=sent_code(town))
    assert stranger.get("/account").status_code == 303
    assert _choices(town) == {}


def test_a_channel_that_was_proved_keeps_what_was_chosen_for_it(texting: Town) -> None:
    """Nothing was lost there."""
    town = texting
    give_address(town, town.maria)
    _choose(town, Channel.SMS, "always")
    browser = ask(town, PHONE)
    assert type_code(town, browser).endswith("/second")
    browser.submit(f"{case_page(browser)}/other")
    browser.follow()
    browser.submit(f"{case_page(browser)}/code", code=told(town, "recover")[-1].values["code"])
    assert path_of(browser).endswith("/password")
    assert choose_password(browser) == "/recover/done"
    assert _choices(town) == {"sms": "always"}


def _choose(town: Town, channel: Channel, choice: str) -> None:
    with town.context.database.transaction() as session:
        codes.choose(session, town.maria.resident_id, channel, choice, now=int(town.clock()))


def _choices(town: Town) -> dict[str, str]:
    with town.context.database.reading() as session:
        return codes.choices(session, town.maria.resident_id)


# --- what the new password is worth ---


def recovered(town: Town, name: str = "maria") -> None:
    """Maria gets back in by a message to this name."""
    browser = ask(town, name)
    assert type_code(town, browser).endswith("/password")
    assert choose_password(browser) == "/recover/done"


def recovered_by_letter(town: Town) -> None:
    """Maria gets back in by a letter."""
    give_address(town, town.maria)
    ask(town, "maria", "letter")
    browser = town.browser()
    browser.get("/recover/letter")
    browser.submit("/recover/letter", code=told(town, "recovery_letter")[-1].values["code"])
    assert path_of(browser).endswith("/password")
    assert choose_password(browser) == "/recover/done"


def at_the_library(town: Town, proof: Proof, password: str = FRESH) -> tuple[Browser, TestResponse]:
    """A browser that signs in for the library by password; what comes next."""
    browser = town.browser()
    browser.follow(browser.authorize(town.library, SCOPE, proof))
    return browser, browser.follow(browser.submit("/login", username="maria", password=password))


def with_code(town: Town, browser: Browser, kind: str) -> TestResponse:
    """Prove a sent code on the sign-in under way."""
    page = f"/login/{kind}-code"
    assert browser.last is not None
    browser.get(f"{page}?attempt={attempt_of(browser.last)}")
    browser.follow(browser.submit(page, send="1"))
    return browser.submit(page, code=sent_code(town))


@pytest.mark.parametrize(("name", "same"), [("maria", "email"), (PHONE, "sms")])
def test_one_channel_alone_never_makes_two_factors(texting: Town, name: str, same: str) -> None:
    """Decision 0038: who reads the mail, or has the SIM, set the password and gets the code; nobody else has both."""
    town, proof = texting, Proof()
    town.tokens(town.library, town.maria, SCOPE)
    recovered(town, name)
    demand(town, town.library, minimum_acr="strong")
    browser, page = at_the_library(town, proof)
    other = "sms" if same == "email" else "email"
    assert page.request.path == f"/login/{other}-code"
    # The page of the same channel is not to be had either; it proved nothing where it was the way in.
    page = browser.follow(browser.get(f"/login/{same}-code?attempt={attempt_of(page)}"))
    assert page.request.path == f"/login/{other}-code"
    code = code_of(browser.follow(with_code(town, browser, other)))
    said = claims(town, town.library, code, proof)
    assert said["acr"] == "strong"
    assert "mfa" in said["amr"]


def test_who_has_nothing_else_is_told_why_and_what_would_help(town: Town) -> None:
    """Not the words for somebody who has no code at all; and an app does help."""
    town.tokens(town.library, town.maria, SCOPE)
    recovered(town)
    demand(town, town.library, minimum_acr="strong")
    browser, page = at_the_library(town, Proof())
    assert page.request.path == "/authorize/level"
    assert "a code that comes the same way adds nothing to it" in page.text
    secret = add_app(browser)
    town.clock.advance(60)
    proof = Proof()
    browser.follow(browser.authorize(town.library, SCOPE, proof))
    code = code_of(browser.follow(browser.submit("/login/totp", code=shown(town, secret))))
    assert claims(town, town.library, code, proof)["acr"] == "strong"


def test_a_new_password_is_worth_no_more_than_what_sets_it(town: Town) -> None:
    """Changed by whoever has the mailbox alone, it still rests on it; the page of the account stays open to them."""
    recovered(town)
    browser = town.browser()
    browser.get("/login")
    browser.submit("/login", username="maria", password=FRESH)
    browser.get("/account/sign-in/codes/email")
    assert browser.submit("/account/sign-in/codes/email", choice="always").status_code == 303
    town.clock.advance(301)
    browser.follow(browser.get("/account/password"))
    browser.follow(browser.submit("/login", username="maria", password=FRESH))
    page = browser.follow(with_code(town, browser, "email"))
    assert page.request.path == "/account/password"
    assert {one.acr for one in town.rows(BrowserSession)} == {"basic"}
    assert browser.submit("/account/password", password=f"{FRESH} again").status_code == 303
    assert password_of(town).rests_on == "email-code"


def test_a_password_that_a_sent_code_alone_chose_rests_on_it(town: Town) -> None:
    """The mailbox opened the session, so it set the password, as in a recovery."""
    browser = town.browser()
    browser.sign_in(town.maria)
    browser.get("/account/sign-in/codes/email")
    browser.submit("/account/sign-in/codes/email", choice="alone")
    with town.context.database.transaction() as session:
        session.delete(session.get_one(Password, town.maria.resident_id))
    thief = town.browser()
    ask_for_code(thief, "maria")
    thief.submit("/login/email-code", code=sent_code(town))
    thief.get("/account/password")
    assert thief.submit("/account/password", password=FRESH).status_code == 303
    assert password_of(town).rests_on == "email-code"


def test_what_proves_more_leaves_a_password_that_pairs_with_every_code(town: Town) -> None:
    """A letter takes days in which the owner can object; the second factor is one more thing."""
    recovered(town)
    assert password_of(town).rests_on == "email-code"
    recovered_by_letter(town)
    assert password_of(town).rests_on is None
    secret = give_app(town, town.maria)
    browser = ask(town, "maria")
    assert type_code(town, browser).endswith("/second")
    browser.submit(f"{case_page(browser)}/second", code=app_code(town, secret))
    assert path_of(browser).endswith("/password")
    assert choose_password(browser) == "/recover/done"
    assert password_of(town).rests_on is None


def test_a_password_hashed_anew_rests_on_what_it_did(town: Town) -> None:
    """The parameters rise; nothing more was proved."""
    recovered(town)
    with town.context.database.transaction() as session:
        kept = session.get_one(Password, town.maria.resident_id)
        cheap = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        pepper = town.context.vault.subkey("password-pepper")
        keyed = Passwords(town.settings.passwords, pepper)._keyed(FRESH)
        before = kept.hash = cheap.hash(keyed)
    assert signs_in(town, town.maria, FRESH)
    assert password_of(town).hash != before
    assert password_of(town).rests_on == "email-code"


def password_of(town: Town) -> Password:
    """Maria's password as it is kept."""
    (found,) = [one for one in town.rows(Password) if one.resident_id == town.maria.resident_id]
    return found
