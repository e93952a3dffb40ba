"""One's own password: choosing one, another one, and doing without."""

from __future__ import annotations

import io
import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

import pyotp
import pytest
from sqlalchemy import delete

from idp.accounts.contacts import add_confirmed
from idp.accounts.models import ContactPoint, Resident
from idp.app import create_app
from idp.login import password_change
from idp.login.breached import BreachedFileProblem
from idp.login.breached_import import import_list
from idp.login.cards import service as cards
from idp.login.codes import service as codes
from idp.login.codes.rules import Channel
from idp.login.levels import Method
from idp.login.models import BrowserSession, Passkey, Password
from idp.login.otp import service as otp
from idp.login.passwords import Passwords, needs_second, set_password
from idp.login.sessions import SignedIn
from idp.login.ways import Found
from idp.messaging.models import Message
from idp.signup.forms import AccountForm
from tests.idp.login.cards.conftest import issue
from tests.idp.recovery.steps import ask, type_code
from tests.support.authenticator import Authenticator
from tests.support.factors import after_password, ask_for_code, new_recovery_codes, sent_code
from tests.support.passkeys import ADD, enrol, sign_in
from tests.support.town import ISSUER, Proof, hidden_fields, make_town

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.town import Browser, Town

SMS = {"provider": "http", "url": "https://sms.example/send", "sender": "Riverton"}
NEW = "nine lamps along the quay"


def signed_in(town: Town) -> Browser:
    browser = town.browser()
    browser.sign_in(town.maria)
    return browser


def change(browser: Browser, password: str) -> int:
    browser.get("/account/password")
    return browser.submit("/account/password", password=password).status_code


def can_sign_in(town: Town, password: str) -> bool:
    browser = town.browser()
    browser.get("/login")
    return browser.submit("/login", username="maria", password=password).status_code == 303


def messages(town: Town) -> list[str]:
    return [message.name for message in town.rows(Message)]


def test_a_new_password_replaces_the_former_one_and_its_owner_is_told(town: Town) -> None:
    """identity.md: every change of a credential is told on all channels."""
    browser = signed_in(town)
    assert change(browser, NEW) == 303
    assert can_sign_in(town, NEW)
    assert not can_sign_in(town, town.maria.password)
    assert messages(town).count("password_changed") == 1
    assert browser.get("/account").status_code == 200, "whoever changes it stays signed in"


def test_everything_else_is_signed_out(town: Town) -> None:
    """ASVS 5 §7.4.3: another session and a partner's refresh token end in the same transaction."""
    elsewhere = signed_in(town)
    tokens = town.tokens(town.library, town.maria, "openid offline_access", prompt="consent")
    assert town.introspect(town.library, tokens["access_token"]).json["active"] is True
    browser = signed_in(town)
    assert change(browser, NEW) == 303
    assert town.introspect(town.library, tokens["access_token"]).json["active"] is False
    assert elsewhere.get("/account").status_code == 303
    assert town.refresh(town.library, tokens["refresh_token"]).status_code == 400
    live = [one for one in town.rows(BrowserSession) if one.ended_at is None]
    assert len(live) == 1


def test_it_needs_a_fresh_sign_in(town: Town) -> None:
    """ASVS 5 §7.5.1: a forgotten open browser does not let others choose the password."""
    browser = signed_in(town)
    page = browser.get("/account/password")
    town.clock.advance(301)
    assert "again=1" in browser.get("/account/password").headers["Location"]
    browser.last = page
    answer = browser.submit("/account/password", password=NEW)
    assert "again=1" in answer.headers["Location"]
    removal = browser.post("/account/password/remove", hidden_fields(page.text, "/account/password"))
    assert "again=1" in removal.headers["Location"]
    assert can_sign_in(town, town.maria.password)
    assert town.browser().get("/account/password").status_code == 303


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("fourteen chars", "at least 15 characters"),
        ("x" + "ab c" * 64, "at most 256"),
        ("aaaaaaaaaaaaaaaaaaaa", "repeats the same letters"),
        ("qwertyuiopasdfghjkl", "repeats the same letters"),
        ("azertyuiopqsdfghjklm", "repeats the same letters"),
        ("Okafor Riverton Maria", "made of your name"),
        ("maria@example.org maria", "made of your name"),
        ("password password", "words that everybody thinks of first"),
        ("1qaz2wsx3edc4rfv", "stands on lists"),
        ("", "at least 15 characters"),
    ],
)
def test_a_poor_password_is_refused_with_the_reason(town: Town, password: str, said: str) -> None:
    """NIST SP 800-63B-4 §3.1.1.2: the reason is told in plain words, and nothing is changed."""
    browser = signed_in(town)
    browser.get("/account/password")
    answer = browser.submit("/account/password", password=password)
    assert answer.status_code == 422
    assert said in answer.text
    assert password not in answer.text or not password
    assert can_sign_in(town, town.maria.password)
    assert not messages(town)


@pytest.mark.parametrize(
    "password", ["ü" * 4 + "ber den fluss kommt wind", "x y" + "z9" * 126, "три синих лодки у моста"]
)
def test_long_ones_and_every_script_are_taken_as_typed(town: Town, password: str) -> None:
    """Up to 256 characters, spaces and all; letters composed or not are the same (NFC)."""
    assert change(signed_in(town), password) == 303
    assert can_sign_in(town, unicodedata.normalize("NFD", password))


def test_a_short_password_does_not_stand_alone(town: Town) -> None:
    """Eight characters are enough beside a second factor only; asked again in the transaction that keeps it."""
    assert change(signed_in(town), "9 lamps!") == 422
    with town.context.database.reading() as session:
        assert not needs_second(session, town.maria.resident_id)
    (kept,) = [row for row in town.rows(Password) if row.resident_id == town.maria.resident_id]
    assert kept.is_short is False


def test_beside_a_second_factor_eight_characters_are_enough(town: Town) -> None:
    """NIST SP 800-63B-4 §3.1.1.2: shorter because the app is always asked for, and known to be short."""
    now = int(town.clock())
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        assert resident.data_key is not None
        data_key = town.context.vault.open_data_key(resident.data_key)
        app_id = otp.begin(session, data_key, resident.id, "Phone", now=now)
        waiting = otp.pending(session, data_key, resident.id, app_id or "", now=now)
        assert waiting is not None
        assert otp.confirm(session, waiting, pyotp.TOTP(waiting.secret).at(now), now=now)
    browser = town.browser()
    browser.follow(browser.sign_in(town.maria))
    town.clock.advance(60)
    browser.submit("/login/totp", code=pyotp.TOTP(waiting.secret).at(now + 60))
    assert "At least 8 characters" in browser.get("/account/password").text
    assert browser.submit("/account/password", password="9 lamp!").status_code == 422
    assert browser.submit("/account/password", password="9 lamps!").status_code == 303
    with town.context.database.reading() as session:
        assert needs_second(session, town.maria.resident_id)


def test_a_short_password_does_not_stand_alone_when_the_town_stops_sending_text_messages(
    database_url: str, founding: Founding, tmp_path: Path
) -> None:
    """NIST SP 800-63B-4 §3.1.1.2: what stood beside it is gone, so the code goes by mail; the next one is long."""
    town = make_town(database_url, tmp_path, founding=founding, sms=SMS)
    hasher = Passwords(town.settings.passwords, town.context.vault.subkey("password-pepper"))
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        add_confirmed(session, town.context.vault, resident, "phone", "+33612345678", now=1)
        codes.choose(session, resident.id, Channel.SMS, "always", now=1)
        set_password(session, hasher, resident.id, "9 lamps!", now=1)
    assert _after("9 lamps!", town) == "/login/sms-code"
    settings = town.settings.model_copy(update={"sms": type(town.settings.sms)()})
    town.context = replace(town.context, settings=settings)
    town.app = create_app(town.context)
    assert _after("9 lamps!", town) == "/login/email-code"
    browser = town.browser()
    browser.get("/login")
    browser.follow(browser.submit("/login", username="maria", password="9 lamps!"))
    browser.follow(browser.submit("/login/email-code", send="1"))
    assert browser.submit("/login/email-code", code=sent_code(town)).status_code == 303
    assert "At least 15 characters" in browser.get("/account/password").text
    assert browser.submit("/account/password", password="9 cards!").status_code == 422
    assert browser.submit("/account/password", password=NEW).status_code == 303
    assert _after(NEW, town) == "/account"
    assert type_code(town, ask(town, "maria")).endswith("/password")
    town.context.database.close()


def without_messages(town: Town) -> None:
    """Maria has a short password that codes by text message stood beside, no address, and the town stops sending those."""
    hasher = Passwords(town.settings.passwords, town.context.vault.subkey("password-pepper"))
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        session.execute(delete(ContactPoint).where(ContactPoint.resident_id == resident.id))
        add_confirmed(session, town.context.vault, resident, "phone", "+33612345678", now=1)
        codes.choose(session, resident.id, Channel.SMS, "always", now=1)
        set_password(session, hasher, resident.id, "9 lamps!", now=1)


def test_a_short_password_with_nothing_beside_it_opens_nothing_and_the_page_says_what_to_do(
    town: Town,
) -> None:
    """NIST SP 800-63B-4 §3.1.1.2: whoever had a telephone alone gets back in by a recovery, or by another way."""
    without_messages(town)
    browser = town.browser()
    browser.authorize(town.library, "openid", Proof())
    browser.follow()
    page = browser.follow(browser.submit("/login", username="maria", password="9 lamps!"))
    assert page.request.path == "/login/other"
    assert "too short to open your account by itself" in page.text
    assert town.rows(BrowserSession) == []
    assert browser.get("/account").status_code == 303
    (way_out,) = re.findall(r'href="(/recover[?]flow=[^"]+)"', page.text)
    recovery = browser.get(way_out)
    assert recovery.status_code == 200
    assert "your card or another way to sign in" in recovery.text
    card = issue(town, town.maria.resident_id)
    assert card.sign_in(town.browser()).status_code == 303
    (session,) = town.rows(BrowserSession)
    assert session.acr == "basic"


def test_a_short_password_with_nothing_else_beside_it_goes_with_a_recovery_code(
    town: Town,
) -> None:
    """What stands in for a second factor is asked for as ever; then a longer password is chosen."""
    first = signed_in(town)
    printed = new_recovery_codes(first)
    without_messages(town)
    browser = town.browser()
    browser.get("/login")
    page = browser.follow(browser.submit("/login", username="maria", password="9 lamps!"))
    assert page.request.path == "/login/recovery-code"
    assert browser.submit("/login/recovery-code", code=printed[0]).status_code == 303
    assert change(browser, NEW) == 303
    assert _after(NEW, town) == "/account"


def test_a_short_password_with_nothing_beside_it_counts_as_no_way_in(town: Town) -> None:
    """It opens nothing, so the one passkey that does is kept until there is a password of its own length."""
    browser, device = town.browser(), Authenticator()
    enrol(browser, town.maria, device)
    without_messages(town)
    sign_in(browser, device)
    (row,) = town.rows(Passkey)
    browser.get(f"{ADD}/{row.id}")
    answer = browser.submit(f"{ADD}/{row.id}/remove")
    assert answer.status_code == 422
    assert "your only way to sign in" in answer.text
    assert change(browser, NEW) == 303
    browser.get(f"{ADD}/{row.id}")
    assert browser.submit(f"{ADD}/{row.id}/remove").status_code == 303
    assert _after(NEW, town) == "/account"


@pytest.mark.parametrize(
    ("beside", "asked", "left"),
    [
        ((), (), ()),
        ((Method.RECOVERY_CODE,), (), ()),
        ((Method.TOTP,), (Method.TOTP,), (Method.PASSWORD,)),
        ((Method.EMAIL_CODE,), (), (Method.PASSWORD,)),
    ],
    ids=str,
)
def test_what_is_left_without_a_passkey_is_a_short_password_with_something_beside_it(
    beside: tuple[Method, ...], asked: tuple[Method, ...], left: tuple[Method, ...]
) -> None:
    """A long one does by itself."""
    alone = frozenset({Method.PASSKEY, Method.PASSWORD})
    found = Found("active", None, alone | {*beside}, frozenset(asked), alone, is_short=True)
    assert found.left_without(Method.PASSKEY) == {*left}
    assert replace(found, is_short=False).left_without(Method.PASSKEY) == {Method.PASSWORD}


def _after(password: str, town: Town) -> str:
    """Where a password alone leads."""
    browser = town.browser()
    browser.get("/login")
    answer = browser.follow(browser.submit("/login", username="maria", password=password))
    return str(answer.request.path)


def test_a_second_factor_that_goes_meanwhile_lets_no_short_password_in(town: Town) -> None:
    """What the page was shown with is asked again in the transaction that keeps the password."""
    signed_in(town)
    (row,) = town.rows(BrowserSession)
    owner = SignedIn(row.id_hash, row.sid, row.resident_id, row.authenticated_at, row.acr, row.amr)
    with town.app.test_request_context(base_url=ISSUER), town.context.database.transaction() as writing:
        refusal = password_change.change(writing, owner, "an encoded hash", is_short=True, now=row.created_at)
    assert refusal is password_change.Refusal.TOO_SHORT
    assert can_sign_in(town, town.maria.password)


def test_a_password_on_the_towns_list_is_refused_wherever_one_is_chosen(
    database_url: str, tmp_path: Path
) -> None:
    """The imported list is asked, offline, for a changed password as for a first one."""
    path = tmp_path / "breached.bin"
    import_list(io.BytesIO(b"nine lamps along the quay\n"), path)
    town = make_town(database_url, tmp_path, passwords={"breached_file": str(path)})
    browser = signed_in(town)
    browser.get("/account/password")
    for typed in (NEW, NEW.title()):
        answer = browser.submit("/account/password", password=typed)
        assert answer.status_code == 422
        assert "stands on lists" in answer.text
    form = AccountForm("Ana", "", "", NEW)
    with town.app.test_request_context(base_url=ISSUER):
        ((field, said),) = form.errors(town.settings, "ana@example.org")
    assert field == "password"
    assert "stands on lists" in said
    town.context.database.close()


def test_a_town_whose_list_is_missing_says_so_at_start(town: Town, tmp_path: Path) -> None:
    """Rather than take passwords unchecked without a word."""
    passwords = town.settings.passwords.model_copy(update={"breached_file": str(tmp_path / "absent.bin")})
    settings = town.settings.model_copy(update={"passwords": passwords})
    with pytest.raises(BreachedFileProblem, match="denizen passwords import"):
        create_app(replace(town.context, settings=settings))


def test_the_only_way_in_cannot_be_removed(town: Town) -> None:
    """Nobody locks themselves out by mistake; the page does not even offer it."""
    browser = signed_in(town)
    page = browser.get("/account/password").text
    assert "/account/password/remove" not in page
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = browser.post("/account/password/remove", {"csrf_token": token})
    assert answer.status_code == 422
    assert "only way to sign in" in answer.text
    assert can_sign_in(town, town.maria.password)


def test_who_has_another_way_in_may_do_without(town: Town) -> None:
    """With a card the password can go; its owner is told, and the card still opens the account."""
    holder = issue(town, town.maria.resident_id)
    browser = signed_in(town)
    browser.get("/account/password")
    assert browser.submit("/account/password/remove").status_code == 303
    assert not can_sign_in(town, town.maria.password)
    assert messages(town).count("password_removed") == 1
    assert holder.sign_in(town.browser()).status_code == 303
    with town.context.database.transaction() as session:
        cards.revoke(session, town.maria.resident_id, now=int(town.clock()))


def test_without_the_password_a_code_alone_does_not_open_the_account(town: Town) -> None:
    """Codes were a second step, chosen or not: they stay one, and the page says what opens the account instead."""
    holder = issue(town, town.maria.resident_id)
    browser = signed_in(town)
    page = browser.get("/account/password").text
    listed = page.partition("Each of these then opens your account by itself")[2].partition("</ul>")[0]
    assert "Card of the town" in listed
    assert "Code by e-mail" not in listed
    browser.submit("/account/password/remove")
    assert "Only when a service asks for more than your password" in browser.get("/account/sign-in").text
    ask_for_code(town.browser(), "maria")
    assert "sign_in_code" not in messages(town)
    assert holder.sign_in(town.browser()).status_code == 303


def test_whoever_chose_codes_instead_of_the_password_reads_that_they_are_enough(town: Town) -> None:
    with town.context.database.transaction() as session:
        codes.choose(session, town.maria.resident_id, Channel.EMAIL, "alone", now=int(town.clock()))
    browser = town.browser()
    after_password(browser, town.maria, "/login?wanted=strong")
    browser.follow(browser.submit("/login/email-code", send="1"))
    browser.submit("/login/email-code", code=sent_code(town))
    before = messages(town).count("sign_in_code")
    page = browser.get("/account/password").text
    assert "Whoever can read your e-mail or your text messages can then sign in" in page
    browser.submit("/account/password/remove")
    ask_for_code(town.browser(), "maria")
    assert messages(town).count("sign_in_code") == before + 1


def test_a_first_password_is_chosen_on_the_same_page(town: Town) -> None:
    """Somebody who came with a card alone adds a password."""
    holder = issue(town, town.maria.resident_id)
    with town.context.database.transaction() as session:
        session.delete(session.get_one(Password, town.maria.resident_id))
    browser = town.browser()
    holder.sign_in(browser)
    assert "Choose a password" in browser.get("/account/password").text
    assert browser.submit("/account/password", password=NEW).status_code == 303
    assert can_sign_in(town, NEW)


def test_a_hash_of_other_parameters_is_renewed_at_the_next_sign_in(town: Town) -> None:
    """identity.md: rehash on sign-in when parameters rise, without a word to anybody."""
    settings = town.settings.passwords.model_copy(update={"iterations": 3})
    former = Passwords(settings, town.context.vault.subkey("password-pepper"))
    with town.context.database.transaction() as session:
        row = session.get_one(Password, town.maria.resident_id)
        row.hash = former.hash(town.maria.password)
    town.browser().sign_in(town.maria)
    (kept,) = [row for row in town.rows(Password) if row.resident_id == town.maria.resident_id]
    assert "t=2" in kept.hash
    assert not messages(town)


def test_a_partner_waiting_for_a_sign_in_is_not_disturbed(town: Town) -> None:
    """A change in one browser ends no request that waits in another."""
    other, proof = town.browser(), Proof()
    other.follow(other.authorize(town.library, "openid", proof))
    assert change(signed_in(town), NEW) == 303
    answer = other.follow(other.submit("/login", username="maria", password=NEW))
    assert 'action="/consent"' in answer.text
