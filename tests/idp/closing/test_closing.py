"""The end of accounts: announced, reminded of, stopped by a sign-in, and then for good."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from consent.models import LogEntry, Record
from idp.accounts.models import Attribute, ContactPoint, Resident
from idp.closing import service
from idp.closing.models import Closure
from idp.db import Base
from idp.login.models import Password
from idp.oidc.models import Grant
from tests.idp.recovery.steps import give_address, give_app, signs_in, trust
from tests.support.told import told
from tests.support.town import Proof, code_of

if TYPE_CHECKING:
    from tests.support.town import Browser, Town

DAY = 86_400
GRACE, REMINDER = 30 * DAY, 3 * DAY
DORMANT, NOTICE = 730 * DAY, 30 * DAY


def close(town: Town) -> Browser:
    """Maria closes her account; the browser in which she did."""
    browser = town.browser()
    browser.sign_in(town.maria)
    browser.get("/account/close")
    assert browser.submit("/account/close", sure="1").headers["Location"] == "/account/closing"
    return browser


def tick(town: Town, seconds: float) -> int:
    """Let time pass and the jobs run; how many closures moved on."""
    town.clock.advance(seconds)
    return service.advance(town.context, now=int(town.clock()))


def state(town: Town) -> str:
    with town.context.database.reading() as session:
        return session.get_one(Resident, town.maria.resident_id).state


# --- on request ---


def test_closing_signs_out_everywhere_and_tells(town: Town) -> None:
    """At once, tokens included; the account itself waits."""
    elsewhere = town.browser()
    elsewhere.sign_in(town.maria)
    tokens = town.tokens(town.library, town.maria, "openid offline_access")
    browser = close(town)
    assert elsewhere.get("/account").status_code == browser.get("/account").status_code == 303
    assert town.refresh(town.library, tokens["refresh_token"]).status_code == 400
    assert [(one.to, one.values["closes_at"]) for one in told(town, "closing_begun")] == [
        (town.maria.email, int(town.clock()) + GRACE)
    ]
    assert state(town) == "active"
    assert browser.get("/account/closing").status_code == 200


def test_closing_needs_a_tick_and_a_fresh_sign_in(town: Town) -> None:
    """Nobody closes an account by a slip, or in a browser that was left open."""
    browser = town.browser()
    browser.sign_in(town.maria)
    browser.get("/account/close")
    assert browser.submit("/account/close").status_code == 422
    browser.get("/account/close")
    town.clock.advance(301)
    assert browser.submit("/account/close", sure="1").headers["Location"].startswith("/login?again=1")
    assert town.rows(Closure) == []


def test_whoever_goes_on_during_the_grace_period_is_told_on_every_page_of_theirs(town: Town) -> None:
    """With the day, and with the way to keep the account; at a service's question, too, and back to it."""
    close(town)
    browser, proof = town.browser(), Proof()
    browser.authorize(town.library, "openid profile", proof)
    browser.follow()
    browser.sign_in(town.maria)
    for path in ("/", "/account"):
        page = browser.get(path).text
        assert "On 14 Feb 2027" in page, page
        assert 'href="/account/close"' in page.partition("gone for good")[2].partition("</div>")[0]
    page = browser.follow(browser.authorize(town.library, "openid profile", proof))
    found = re.search(r'gone for good\. <a href="(/account/close\?flow=[^"]+)"', page.text)
    assert found is not None, page.text
    browser.get(found[1])
    answer = browser.follow(browser.submit("/account/close/keep"))
    assert "gone for good" not in answer.text
    assert code_of(browser.allow())


def test_signing_in_during_the_grace_period_offers_to_keep_the_account(town: Town) -> None:
    """Whoever does not say so has not kept it; whoever does goes on as before."""
    close(town)
    browser = town.browser()
    browser.get("/login")
    answer = browser.submit("/login", username="maria", password=town.maria.password)
    page = browser.follow(answer)
    assert page.request.path == "/account/close"
    assert [row.state for row in town.rows(Closure)] == ["announced"]
    browser.submit("/account/close/keep")
    assert "stays open" in browser.follow().text
    assert "gone for good" not in browser.get("/").text
    assert [row.state for row in town.rows(Closure)] == ["kept"]
    assert len(told(town, "closing_kept")) == 1
    tick(town, GRACE)
    assert state(town) == "active"


@pytest.mark.parametrize("has_agreed", [False, True])
def test_keeping_leads_on_to_the_service_that_waits(town: Town, *, has_agreed: bool) -> None:
    """The request of the library is not lost on the way."""
    if has_agreed:
        town.tokens(town.library, town.maria, "openid")
    close(town)
    browser, proof = town.browser(), Proof()
    browser.follow(browser.authorize(town.library, "openid", proof))
    browser.follow(browser.sign_in(town.maria))
    answer = browser.follow(browser.submit("/account/close/keep"))
    if answer.status_code == 200:
        answer = browser.follow(browser.allow())
    assert town.redeem(town.library, code_of(answer), proof).status_code == 200


def test_the_account_ends_after_the_grace_period_with_a_reminder_before(town: Town) -> None:
    """Told at the start, three days before, and at the end; not a second early."""
    close(town)
    assert tick(town, GRACE - REMINDER - 1) == 0
    assert tick(town, 1) == 1
    assert len(told(town, "closing_soon")) == 1
    assert tick(town, REMINDER - 1) == 0
    assert tick(town, 1) == 1
    assert state(town) == "closed"
    assert [one.to for one in told(town, "account_closed")] == [town.maria.email]
    assert tick(town, DAY) == 0


def test_a_job_that_was_late_reminds_before_it_closes(town: Town) -> None:
    """The town was down for two months: nobody is closed without having had the reminder's time."""
    close(town)
    assert tick(town, 2 * GRACE) == 1
    assert state(town) == "active"
    assert tick(town, REMINDER - 1) == 0
    assert tick(town, 1) == 1
    assert state(town) == "closed"


def test_after_the_end_nothing_of_a_person_is_left_to_read(town: Town) -> None:
    """Erasure: every row that says something is gone or sealed under a key that is; the log keeps its commitments."""
    browser = town.browser()
    browser.code(town.library, town.maria, "openid profile email", Proof())
    trust(town, town.maria, town.jun)
    give_address(town, town.maria)
    close(town)
    give_app(town, town.maria)
    tick(town, GRACE - REMINDER)
    tick(town, REMINDER)
    with town.context.database.reading() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        assert (resident.data_key, resident.username_index) == (None, None)
        kinds = set(session.execute(select(LogEntry.kind)).scalars())
    assert {"account_closing", "account_closed"} <= kinds
    assert [row for row in town.rows(Record) if row.resident_id == town.maria.resident_id]
    assert all(row.revoked_at for row in town.rows(Grant) if row.resident_id == town.maria.resident_id)
    left = _rows_of(town, town.maria.resident_id)
    assert left <= {"accounts_resident", "closing_closure", "oidc_grant", "messaging_outbox"}, left
    assert not signs_in(town, town.maria, town.maria.password)
    assert not signs_in(town, town.maria, town.maria.password, town.maria.email)
    assert {row.resident_id for row in town.rows(Attribute)} == {town.jun.resident_id}
    assert {row.resident_id for row in town.rows(ContactPoint)} == {town.jun.resident_id}
    assert {row.resident_id for row in town.rows(Password)} == {town.jun.resident_id}


def _rows_of(town: Town, resident_id: str) -> set[str]:
    """The tables of idp in which any column still names a resident."""
    found = set()
    with town.context.database.reading() as session:
        for table in Base.metadata.sorted_tables:
            for column in table.columns:
                if column.type.python_type is str and (
                    session.execute(select(column).where(column == resident_id).limit(1)).first()
                ):
                    found.add(table.name)
    return found


def test_the_log_still_verifies_after_an_erasure(town: Town) -> None:
    """What was committed to cannot be opened any more, and nothing else is found wrong (journey 11)."""
    from consent import log as consent_log
    from idp.accounts.service import log_key
    from idp.upkeep import integrate_log, note_signers

    browser = town.browser()
    browser.code(town.library, town.maria, "openid profile email", Proof())
    close(town)
    tick(town, GRACE - REMINDER)
    tick(town, REMINDER)
    integrate_log(town.context, now=int(town.clock()))
    with town.context.database.reading() as session:

        def key_for(resident_id: str) -> bytes | None:
            return log_key(town.context.vault, session.get_one(Resident, resident_id))

        signer, earlier = note_signers(session, town.context)
        found = consent_log.inspect(
            session,
            key_for=key_for,
            service_key=town.context.vault.subkey("log"),
            kept_checkpoint=None,
            vkey=signer.vkey,
            earlier_vkeys=earlier,
        )
    assert list(found.findings) == []
    assert found.sealed > 0


def test_closing_again_changes_nothing(town: Town) -> None:
    """One end at a time: the second tab finds the account closing."""
    close(town)
    browser = town.browser()
    browser.sign_in(town.maria)
    browser.follow()
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        assert service.ask_to_close(session, town.context, resident, now=int(town.clock())) is None
    assert len(town.rows(Closure)) == 1


def test_a_closed_name_and_address_can_be_used_again(town: Town) -> None:
    """By somebody else, whom services know by another sub."""
    from idp.accounts.service import NewResident, create_resident

    close(town)
    tick(town, GRACE - REMINDER)
    tick(town, REMINDER)
    with town.context.database.transaction() as session:
        new = NewResident("en", {"given_name": "Maria"}, town.maria.email, "maria")
        again = create_resident(session, town.context.vault, new, now=int(town.clock()))
    assert again.id != town.maria.resident_id


# --- dormant ---


def age(town: Town, seconds: int, *, phone: bool = False) -> None:
    """Let Maria and Jun not have signed in for so long; Jun signs in now."""
    town.clock.advance(seconds)
    town.browser().sign_in(town.jun)


def test_signing_in_ends_the_warning_without_a_question(town: Town) -> None:
    """Whoever comes back goes straight on."""
    age(town, DORMANT)
    service.find_dormant(town.context, now=int(town.clock()))
    browser = town.browser()
    browser.get("/login")
    answer = browser.submit("/login", username="maria", password=town.maria.password)
    assert answer.headers["Location"] == "/account"
    tick(town, 2 * NOTICE)
    assert state(town) == "active"
    assert service.find_dormant(town.context, now=int(town.clock())) == 0


def test_who_comes_back_while_accounts_are_looked_through_is_not_warned(town: Town) -> None:
    """Between the list and the warning lies a sign-in: it is looked at again in the transaction that warns."""
    age(town, DORMANT)
    with town.context.database.transaction() as session:
        assert not service._warn_dormant(session, town.context, town.jun.resident_id, now=int(town.clock()))
        assert service._warn_dormant(session, town.context, town.maria.resident_id, now=int(town.clock()))


def test_who_cannot_be_warned_is_not_closed(town: Town) -> None:
    """No mail, no phone, no address: an account is no less theirs for that."""
    with town.context.database.transaction() as session:
        session.execute(
            update(ContactPoint)
            .where(ContactPoint.resident_id == town.maria.resident_id)
            .values(verified_at=None)
        )
    age(town, DORMANT)
    assert service.find_dormant(town.context, now=int(town.clock())) == 0
    give_address(town, town.maria)
    assert service.find_dormant(town.context, now=int(town.clock())) == 1
    assert [one.channel for one in told(town, "dormant_warning")] == ["letter"]


def test_whoever_cannot_be_warned_keeps_nobody_else_from_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accounts are looked through a page at a time; one without a confirmed address stands first for ever."""
    monkeypatch.setattr(service, "_BATCH", 1)
    with town.context.database.transaction() as session:
        of_maria = ContactPoint.resident_id == town.maria.resident_id
        session.execute(update(ContactPoint).where(of_maria).values(verified_at=None))
        session.execute(update(Resident).where(Resident.id == town.maria.resident_id).values(signed_in_at=1))
    town.clock.advance(DORMANT)
    assert service.find_dormant(town.context, now=int(town.clock())) == 1
    assert [one.to for one in told(town, "dormant_warning")] == [town.jun.email]


# --- "this wasn't me" ---


def notice(town: Town) -> str:
    """The path of the link in a notice of Maria's."""
    from tests.idp.contacts.test_contacts import add, signed_in

    town.clock.advance(60)
    add(town, signed_in(town))
    return told(town, "contact_changed")[-1].path("not_me_url")


def test_a_click_freezes_the_account_and_looking_does_not(town: Town) -> None:
    """Signed out everywhere, tokens dead, nobody in with the right password, everybody told; once."""
    link = notice(town)
    tokens = town.tokens(town.library, town.maria, "openid offline_access")
    inside = town.browser()
    inside.sign_in(town.maria)
    owner = town.browser()
    for _ in range(2):
        assert owner.get(link).status_code == 200
    assert state(town) == "active"
    assert "frozen" in owner.submit(link).text
    assert state(town) == "frozen"
    assert inside.get("/account").status_code == 303
    assert town.refresh(town.library, tokens["refresh_token"]).status_code == 400
    assert town.userinfo(tokens["access_token"]).status_code == 401
    assert not signs_in(town, town.maria, town.maria.password)
    assert [one.to for one in told(town, "account_frozen")] == [town.maria.email]
    assert owner.get(link).status_code == 410


def test_freezing_stops_what_waits(town: Town) -> None:
    """A change of the sign-in address, a recovery, a closure: whatever the thief began."""
    from idp.contacts.models import Change
    from idp.recovery.models import Case, Token
    from tests.idp.contacts.test_contacts import act, add, signed_in
    from tests.idp.recovery.steps import ask

    browser = signed_in(town)
    other = add(town, browser)
    act(browser, other, "sign-in")
    link = told(town, "contact_change_waits")[-1].path("not_me_url")
    ask(town, "maria")
    close(town)
    owner = town.browser()
    owner.get(link)
    owner.submit(link)
    assert {row.outcome for row in town.rows(Change) if row.what == "sign_in"} == {"stopped"}
    assert {row.resident_id for row in town.rows(Case)} == {
        None
    }  # it looks as it did (K23), and leads nowhere
    assert None not in {row.spent_at for row in town.rows(Token)}
    assert {row.state for row in town.rows(Closure)} == {"kept"}


def test_a_frozen_account_thaws_by_recovery(town: Town) -> None:
    """The same resident, with a new password."""
    from tests.idp.recovery.steps import FRESH, ask, choose_password, type_code

    link = notice(town)
    owner = town.browser()
    owner.get(link)
    owner.submit(link)
    browser = ask(town, "maria")
    type_code(town, browser)
    assert choose_password(browser) == "/recover/done"
    assert state(town) == "active"
    assert signs_in(town, town.maria, FRESH)


def test_the_link_ends_after_two_weeks(town: Town) -> None:
    """14 days; not a second more."""
    link = notice(town)
    town.clock.advance(14 * DAY - 1)
    assert town.browser().get(link).status_code == 200
    town.clock.advance(1)
    assert town.browser().get(link).status_code == 410


@pytest.mark.parametrize("link", ["x", "A" * 43, "%00", "A" * 5000])
def test_a_made_up_link_shows_the_same_page(town: Town, link: str) -> None:
    """Nothing tells whether a link ever existed."""
    answer = town.browser().get(f"/not-me/{link}")
    assert answer.status_code in (404, 410)
