"""Sign-ins and changes of credentials in one moment: the later one sees the earlier, whatever began first.

A password that is taken away while somebody signs in with it opens nothing, and is never put back; whoever is signed out
while they change something has changed nothing; and what was sent or begun before a change is worth nothing after it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, update

from consent.models import Record
from idp.accounts import contacts
from idp.accounts.models import ContactPoint, Resident
from idp.accounts.not_me import not_me_links
from idp.closing import service as closing
from idp.closing import suspicion
from idp.closing.models import Closure
from idp.login import ceremony, sessions
from idp.login.codes import service as codes
from idp.login.codes.models import CodeChoice
from idp.login.codes.rules import Channel
from idp.login.models import BrowserSession, Passkey, Password
from idp.login.passwords import keep_hash
from idp.messaging.models import Message
from idp.oidc.models import Grant
from idp.oidc.views import authorize
from idp.recovery import ending
from idp.recovery.ending import credentials_changed
from idp.recovery.models import Helper
from tests.support.authenticator import Authenticator
from tests.support.factors import ask_for_code, sent_code, sent_link
from tests.support.front import TYPES, front
from tests.support.passkeys import ADD, hand_over, new_page, options
from tests.support.riverton import until
from tests.support.settled import WAYS
from tests.support.statements import is_one_waiting, side_by_side
from tests.support.told import told
from tests.support.town import Person, Proof

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from idp.login.passwords import Passwords
    from tests.support.front import Front
    from tests.support.town import Browser, Town

__all__ = ["front"]

NEW = "another house at the river"


@pytest.fixture
def passwords(town: Town) -> Passwords:
    found: Passwords = town.app.extensions["denizen.login"].passwords
    return found


def change(session: Session, town: Town, encoded: str) -> None:
    """What `idp.login.password_change` and a recovery do, in their order."""
    maria = town.maria.resident_id
    session.execute(select(Resident).where(Resident.id == maria).with_for_update())
    keep_hash(session, maria, encoded, is_short=False, now=int(town.clock()))
    credentials_changed(session, maria, keep_session=None, now=int(town.clock()))


def meanwhile(monkeypatch: pytest.MonkeyPatch, passwords: Passwords, act: Callable[[], None]) -> None:
    """Right after the first check of a password something happens."""
    check, acts = passwords.is_right, [act]

    def checked(*values: Any) -> bool:
        is_right = check(*values)
        if acts:
            acts.pop()()
        return is_right

    monkeypatch.setattr(passwords, "is_right", checked)


def live_sessions(town: Town) -> int:
    with town.context.database.reading() as session:
        found: int = session.execute(
            select(func.count()).select_from(BrowserSession).where(BrowserSession.ended_at.is_(None))
        ).scalar_one()
    return found


@pytest.mark.parametrize("is_outdated", [False, True])
def test_a_password_that_is_changed_while_it_is_checked_opens_nothing(
    town: Town, passwords: Passwords, monkeypatch: pytest.MonkeyPatch, *, is_outdated: bool
) -> None:
    """ASVS 7.4.3: the change ended every session, so none may begin by the old one; nor is that one hashed anew and kept."""
    encoded = passwords.hash(NEW)

    def act() -> None:
        with town.context.database.transaction() as session:
            change(session, town, encoded)

    meanwhile(monkeypatch, passwords, act)
    monkeypatch.setattr(passwords, "is_outdated", lambda _kept: is_outdated)
    assert town.browser().sign_in(town.maria).status_code == 422
    assert live_sessions(town) == 0
    renewed = Person(town.maria.resident_id, town.maria.username, town.maria.email, NEW)
    assert town.browser().sign_in(renewed).status_code == 303
    assert town.browser().sign_in(town.maria).status_code == 422


def test_a_password_that_is_removed_while_it_is_checked_opens_nothing(
    town: Town, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is not as good as the one that was checked."""

    def act() -> None:
        with town.context.database.transaction() as session:
            session.delete(session.get_one(Password, town.maria.resident_id))

    meanwhile(monkeypatch, passwords, act)
    assert town.browser().sign_in(town.maria).status_code == 422
    assert live_sessions(town) == 0


def test_one_that_another_sign_in_hashes_anew_meanwhile_is_the_same_password(
    town: Town, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the button is pressed twice on the first day with a higher cost: both enter."""
    encoded = passwords.hash(town.maria.password)

    def act() -> None:
        with town.context.database.transaction() as session:
            keep_hash(session, town.maria.resident_id, encoded, is_short=False, now=int(town.clock()))

    meanwhile(monkeypatch, passwords, act)
    assert town.browser().sign_in(town.maria).status_code == 303
    assert live_sessions(town) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_change_that_has_not_ended_yet_is_waited_for(town: Town, passwords: Passwords) -> None:
    """It has ended every session that it saw; one that began beside it would stay. SQLite has one writer."""
    encoded = passwords.hash(NEW)

    def is_met() -> bool:
        return signing_in.done() or is_one_waiting(town.context.database)

    with ThreadPoolExecutor(1) as pool:
        with town.context.database.transaction() as session:
            change(session, town, encoded)
            session.flush()
            signing_in = pool.submit(lambda: town.browser().sign_in(town.maria).status_code)
            until(is_met, "the sign-in waits, or is through")
        assert signing_in.result(20) == 422
    assert live_sessions(town) == 0


# --- whoever is signed out meanwhile ---


def sent_away(town: Town) -> None:
    """The owner changes the password elsewhere: every session ends."""
    encoded = town.app.extensions["denizen.login"].passwords.hash(NEW)
    with town.context.database.transaction() as session:
        change(session, town, encoded)


def signed_out(town: Town) -> None:
    """As `sent_away`, with the password that it was: the town is there for many tests."""
    maria = town.maria.resident_id
    with town.context.database.transaction() as session:
        session.execute(select(Resident).where(Resident.id == maria).with_for_update())
        credentials_changed(session, maria, keep_session=None, now=int(town.clock()))


def signed_in(town: Town) -> Browser:
    browser = town.browser()
    browser.sign_in(town.maria)
    return browser


def once_before(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, act: Callable[[], None]) -> None:
    """Right before the first call of a function something happens."""
    real, acts = getattr(owner, name), [act]

    def acting(*values: Any, **named: Any) -> Any:
        if acts:
            acts.pop()()
        return real(*values, **named)

    monkeypatch.setattr(owner, name, acting)


def once_after(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, act: Callable[[], None]) -> None:
    """Right after the first call of a function something happens."""
    real, acts = getattr(owner, name), [act]

    def acting(*values: Any, **named: Any) -> Any:
        found = real(*values, **named)
        if acts:
            acts.pop()()
        return found

    monkeypatch.setattr(owner, name, acting)


def test_whoever_is_signed_out_while_they_choose_a_password_has_not_changed_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thief's new password, hashed while the owner changed theirs, must not end the owner's way in."""
    thief = signed_in(town)
    thief.get("/account/password")
    once_before(monkeypatch, town.context.database, "transaction", lambda: sent_away(town))
    answer = thief.submit("/account/password", password="the thief has a river boat")
    assert answer.status_code == 409
    assert "Nothing was saved" in answer.text
    renewed = Person(town.maria.resident_id, town.maria.username, town.maria.email, NEW)
    assert town.browser().sign_in(renewed).status_code == 303


def test_whoever_is_signed_out_while_they_make_a_passkey_has_none(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    thief = signed_in(town)
    fields = new_page(thief)
    made = Authenticator().create(options(thief, ADD, fields))
    once_before(monkeypatch, ceremony, "check_creation", lambda: sent_away(town))
    assert hand_over(thief, ADD, fields, made, name="Mine").status_code == 422
    assert town.rows(Passkey) == []


@pytest.mark.parametrize(
    ("path", "fields"), [("/account/close", {"sure": "1"}), ("/account/helpers/new", {"name": "jun"})]
)
def test_whoever_is_signed_out_meanwhile_closes_nothing_and_names_nobody(
    town: Town, monkeypatch: pytest.MonkeyPatch, path: str, fields: dict[str, str]
) -> None:
    thief = signed_in(town)
    thief.get(path)
    once_before(monkeypatch, town.context.database, "transaction", lambda: sent_away(town))
    assert thief.submit(path, **fields).status_code == 409
    assert town.rows(Closure) == town.rows(Helper) == []


def test_whoever_is_signed_out_meanwhile_agrees_to_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page was open; what is sent is asked once more of whoever signs in."""
    browser = town.browser()
    browser.follow(browser.authorize(town.library, "openid profile", Proof()))
    browser.follow(browser.sign_in(town.maria))
    once_before(monkeypatch, town.context.database, "transaction", lambda: sent_away(town))
    answer = browser.allow()
    assert answer.headers["Location"].startswith("/authorize/continue?flow=")
    assert town.rows(Record) == town.rows(Grant) == []
    assert "/login" in browser.follow(answer).request.path


def test_a_code_of_a_session_that_has_ended_is_worth_nothing(town: Town) -> None:
    """A change of credentials cannot see a code that is being made beside it; whoever redeems it sees the change."""
    browser, proof = town.browser(), Proof()
    code = browser.code(town.library, town.maria, "openid offline_access", proof)
    with town.context.database.transaction() as session:
        sessions.end_all(session, town.maria.resident_id, now=int(town.clock()))
    assert town.redeem(town.library, code, proof).json["error"] == "invalid_grant"


@pytest.mark.parametrize("kinds", [one for one in TYPES if one != "code"])
@pytest.mark.parametrize("prompt", [None, "none"])
def test_nothing_passes_the_browser_of_whoever_is_signed_out_meanwhile(
    front: Front, monkeypatch: pytest.MonkeyPatch, kinds: str, prompt: str | None
) -> None:
    """K16, ASVS 7.4.3: at once, as by way of a page. What has passed the browser is never checked again as a code is."""
    town, browser = front.town, signed_in(front.town)
    once_after(monkeypatch, authorize, "_known", lambda: signed_out(town))
    answer = front.ask("old", browser, response_type=kinds, prompt=prompt, nonce="n")
    if prompt == "none":
        assert front.read(answer, front.clients["old"]).values["error"] == "login_required"
    else:
        assert answer.headers["Location"].startswith("/authorize/continue?flow=")


@pytest.mark.parametrize("front", [way for way in WAYS if way.startswith("postgresql")], indirect=True)
def test_a_change_waits_for_what_is_about_to_pass_the_browser(front: Front) -> None:
    """It ends what it sees, so it must not look before that is there. SQLite has one writer."""
    town, browser, client = front.town, signed_in(front.town), front.clients["old"]
    answer, _ = side_by_side(
        town.context.database,
        lambda: front.ask("old", browser, response_type="code id_token token", nonce="n"),
        lambda: signed_out(town),
        meets_at=(authorize, "grant_request"),
    )
    token = front.read(answer, client).values["access_token"]
    assert town.userinfo(token).status_code == 401


# --- what was sent or begun before ---


def chosen(town: Town, choice: str) -> None:
    """What `idp.login.codes.own_views` does when its resident says what codes by mail are good for."""
    maria, now = town.maria.resident_id, int(town.clock())
    with town.context.database.transaction() as session:
        codes.choose(session, maria, Channel.EMAIL, choice, now=now)
        credentials_changed(session, maria, keep_session=None, now=now)


@pytest.mark.parametrize("choice", ["always", "after"])
@pytest.mark.parametrize("by", ["code", "link"])
def test_a_code_that_was_sent_before_a_change_opens_nothing(town: Town, choice: str, by: str) -> None:
    """Somebody reads the mailbox, and so its owner has a code follow the password from now on."""
    thief = town.browser()
    chosen(town, "alone")
    ask_for_code(thief, town.maria.email)
    code, link = sent_code(town), sent_link(town)
    chosen(town, choice)
    if by == "code":
        assert thief.submit("/login/email-code", code=code).status_code == 422
    else:
        assert thief.get(link).status_code == 410
    assert live_sessions(town) == 0


def test_a_code_opens_no_account_that_wants_something_else_first(town: Town) -> None:
    """Whether a code may stand alone is asked when it is typed, not when it was sent."""
    thief = town.browser()
    chosen(town, "alone")
    ask_for_code(thief, town.maria.email)
    with town.context.database.transaction() as session:
        session.execute(update(CodeChoice).values(alone=False, always=True))
    assert thief.submit("/login/email-code", code=sent_code(town)).status_code == 422
    assert live_sessions(town) == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_link_of_a_mail_waits_for_a_change_that_has_not_ended(town: Town) -> None:
    """As every other proof does: SQLite has one writer."""
    thief = town.browser()
    chosen(town, "alone")
    ask_for_code(thief, town.maria.email)
    thief.get(sent_link(town))
    _, answer = side_by_side(
        town.context.database,
        lambda: sent_away(town),
        lambda: thief.submit("/login/link").status_code,
        meets_at=(ending, "end_all_families"),
    )
    assert answer == 410
    assert live_sessions(town) == 0


# --- no two wait for each other ---


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_not_me_and_a_new_contact_point_take_turns(town: Town) -> None:
    thief, owner = signed_in(town), town.browser()
    thief.get("/account/contacts/new/email")
    page = thief.submit("/account/contacts/new/email", value="thief@example.org").headers["Location"]
    thief.get(page)
    code = told(town, "contact_confirm")[-1].values["code"]
    with town.context.database.transaction() as session:
        (link,) = not_me_links(session, town.settings, town.maria.resident_id, [None], now=int(town.clock()))
    path = "/not-me/" + link.rpartition("/")[2]
    owner.get(path)
    frozen, confirmed = side_by_side(
        town.context.database,
        lambda: owner.submit(path).status_code,
        lambda: thief.submit(page, code=code).status_code,
        meets_at=(suspicion, "stop_everything"),
    )
    assert (frozen, confirmed) == (200, 409)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_former_address_and_the_owner_take_turns(town: Town) -> None:
    """It agrees to its removal, while the owner makes another one the main one."""
    owner, former = signed_in(town), town.browser()
    owner.get("/account/contacts/new/email")
    page = owner.submit("/account/contacts/new/email", value="second@example.org").headers["Location"]
    owner.get(page)
    owner.submit(page, code=told(town, "contact_confirm")[-1].values["code"])
    ids = {
        one.is_main: one.id for one in town.rows(ContactPoint) if one.resident_id == town.maria.resident_id
    }
    owner.get(f"/account/contacts/{ids[True]}")
    owner.submit(f"/account/contacts/{ids[True]}/remove")
    link = told(town, "contact_change_waits")[-1].link
    former.get(link)
    owner.get(f"/account/contacts/{ids[False]}")
    agreed, made_main = side_by_side(
        town.context.database,
        lambda: former.submit(link, answer="agree").status_code,
        lambda: owner.submit(f"/account/contacts/{ids[False]}/main").status_code,
        meets_at=(contacts, "_promote"),
    )
    assert (agreed, made_main) == (200, 409)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_end_of_a_dormant_account_and_a_sign_in_take_turns(town: Town) -> None:
    context, limits = town.context, town.settings.accounts
    town.clock.advance(limits.dormant_after + 1)
    town.browser().sign_in(town.jun)
    closing.find_dormant(context, now=int(town.clock()))
    town.clock.advance(limits.dormant_notice_for)
    closing.advance(context, now=int(town.clock()))  # the second warning
    with context.database.transaction() as session:
        left = {"state": "sent", "content": None, "finished_at": int(town.clock())}
        session.execute(update(Message).where(Message.name == "dormant_soon").values(**left))
    closing.advance(context, now=int(town.clock()))
    town.clock.advance(limits.dormant_notice_for)
    browser = town.browser()
    moved, answer = side_by_side(
        context.database,
        lambda: closing.advance(context, now=int(town.clock())),
        lambda: browser.sign_in(town.maria).status_code,
        meets_at=(closing, "end"),
    )
    assert (moved, answer) == (1, 422)
