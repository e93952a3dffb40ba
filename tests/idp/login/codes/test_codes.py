"""Codes by e-mail and text message: sent to confirmed contact points alone, short-lived, once, bound to their browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, update

from idp.accounts.contacts import add_confirmed
from idp.accounts.models import Resident
from idp.login.codes import links
from idp.login.codes.models import CodeChoice, SentCode
from idp.login.models import BrowserSession, LoginAttempt, Password
from idp.messaging.models import Message
from idp.recovery.ending import credentials_changed
from idp.upkeep import end_expired_sign_ins, purge
from tests.idp.oidc.test_step_up import demand
from tests.support.factors import (
    after_password,
    ask_for_code,
    attempt_of,
    sent_code,
    sent_link,
    with_app,
)
from tests.support.told import told
from tests.support.town import Proof, answer_parameters, code_of, hidden_fields, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.town import Browser, Town

SMS = {"provider": "http", "url": "https://sms.example/send", "sender": "Riverton"}


def live(town: Town) -> list[BrowserSession]:
    return [row for row in town.rows(BrowserSession) if row.ended_at is None]


def without_password(town: Town) -> None:
    """Maria as somebody who never chose one."""
    with town.context.database.transaction() as session:
        session.execute(delete(Password).where(Password.resident_id == town.maria.resident_id))


def choose(browser: Browser, channel: str, choice: str) -> int:
    browser.get(f"/account/sign-in/codes/{channel}")
    return browser.submit(f"/account/sign-in/codes/{channel}", choice=choice).status_code


@pytest.fixture
def texting(database_url: str, founding: Founding, tmp_path: Path) -> Iterator[Town]:
    """A town that sends text messages, and Maria's telephone."""
    town = make_town(database_url, tmp_path, founding=founding, sms=SMS)
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        add_confirmed(session, town.context.vault, resident, "phone", "+33612345678", now=int(town.clock()))
    yield town
    town.context.database.close()


# --- instead of the password ---


def test_whoever_has_no_password_signs_in_with_a_code(town: Town) -> None:
    """identity.md: passwordless, at the level of one factor; the partner's request is continued."""
    without_password(town)
    browser, proof = town.browser(), Proof()
    start = browser.follow(browser.authorize(town.tax, "openid profile", proof))
    page = ask_for_code(browser, "maria", query=f"?{start.request.query_string.decode()}")
    assert "Enter the code" in page.text
    assert "Tax portal" in page.text
    answer = browser.follow(browser.submit("/login/email-code", code=sent_code(town)))
    if 'action="/consent"' in answer.text:
        answer = browser.follow(browser.allow())
    assert town.redeem(town.tax, code_of(answer), proof).status_code == 200
    (row,) = live(town)
    assert (row.acr, row.amr) == ("basic", "otp")


def test_whoever_has_a_password_must_have_allowed_it(town: Town) -> None:
    """Else whoever reads the mailbox would need no password; and the page says nothing about it."""
    browser = town.browser()
    page = ask_for_code(browser, "maria")
    assert "If this account uses codes by e-mail, we have sent one" in page.text
    assert told(town, "sign_in_code") == []
    owner = town.browser()
    owner.get("/login")
    owner.sign_in(town.maria)
    assert choose(owner, "email", "alone") == 303
    assert [one.to for one in told(town, "codes_changed")] == [town.maria.email]
    ask_for_code(browser, town.maria.email)
    assert browser.submit("/login/email-code", code=sent_code(town)).headers["Location"] == "/account"


def test_the_code_goes_to_a_confirmed_address_of_the_account_and_no_other(town: Town) -> None:
    """K22, K24: what was typed is looked up, never written to."""
    without_password(town)
    for typed in ("maria", "MARIA@Example.ORG", " maria@example.org "):
        ask_for_code(town.browser(), typed)
    for typed in ("maria@example.org, evil@example.net", "maria@evil.example", "nobody"):
        ask_for_code(town.browser(), typed)
    assert {one.to for one in told(town, "sign_in_code")} == {town.maria.email}
    assert len(told(town, "sign_in_code")) == 3


def test_an_unknown_name_leads_to_the_same_page(town: Town) -> None:
    """K23: same status, same bytes, same headers, whatever is typed next; no message."""
    without_password(town)
    seen = []
    for name in ("maria", "nobody", "jun"):  # jun has a password and did not allow it
        browser = town.browser()
        pages = [ask_for_code(browser, name)]
        pages += [browser.submit("/login/email-code", code=code) for code in ("", "00000000", "12345678")]
        handle = attempt_of(pages[0])
        csrf = [page.text.partition('name="csrf_token" value="')[2].partition('"')[0] for page in pages]
        seen.append(
            [
                (
                    page.status_code,
                    page.text.replace(handle, "").replace(token, ""),
                    sorted(page.headers.keys()),
                )
                for page, token in zip(pages, csrf, strict=True)
            ]
        )
    assert seen[0] == seen[1] == seen[2]
    assert len(told(town, "sign_in_code")) == 1


def test_an_account_that_is_not_active_gets_no_code(town: Town) -> None:
    without_password(town)
    browser = town.browser()
    ask_for_code(browser, "maria")
    code = sent_code(town)
    with town.context.database.transaction() as session:
        session.execute(update(Resident).where(Resident.id == town.maria.resident_id).values(state="frozen"))
    assert browser.submit("/login/email-code", code=code).status_code == 422
    ask_for_code(town.browser(), "maria")
    assert len(told(town, "sign_in_code")) == 1
    assert live(town) == []


def test_a_second_factor_is_still_owed_after_a_code(town: Town) -> None:
    """K27: reading the mailbox does not pass by the app."""
    with_app(town, town.maria)
    without_password(town)
    browser = town.browser()
    ask_for_code(browser, "maria")
    answer = browser.submit("/login/email-code", code=sent_code(town))
    assert answer.headers["Location"].startswith("/login/totp?attempt=")
    assert live(town) == []


# --- after the password ---


def test_a_code_follows_the_password_where_the_resident_wants_it(town: Town) -> None:
    owner = town.browser()
    owner.sign_in(town.maria)
    assert choose(owner, "email", "always") == 303
    browser = town.browser()
    page = after_password(browser, town.maria)
    assert "We send a code to <bdi>m•••@example.org</bdi>" in page.text
    assert not told(town, "sign_in_code"), "nothing is sent before it is asked for"
    browser.follow(browser.submit("/login/email-code", send="1"))
    answer = browser.submit("/login/email-code", code=sent_code(town))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    assert ("strong", "pwd otp mfa") in [(row.acr, row.amr) for row in live(town)]


def test_a_code_by_text_message_is_a_second_factor(texting: Town) -> None:
    """RFC 8176 `sms`; the number is shown by its last digits alone, the message has no link to be phished with."""
    owner = texting.browser()
    owner.sign_in(texting.maria)
    assert choose(owner, "sms", "always") == 303
    browser = texting.browser()
    page = after_password(browser, texting.maria)
    assert page.request.path == "/login/sms-code"
    assert "•••678" in page.text
    assert "+33612345678" not in page.text
    browser.follow(browser.submit("/login/sms-code", send="1"))
    (message,) = told(texting, "sign_in_code")
    assert (message.channel, message.to) == ("sms", "+33612345678")
    answer = browser.submit("/login/sms-code", code=sent_code(texting))
    assert answer.headers["Location"] == "/account"
    assert ("strong", "pwd sms mfa") in [(row.acr, row.amr) for row in live(texting)]


def test_a_code_by_text_message_alone(texting: Town) -> None:
    without_password(texting)
    browser = texting.browser()
    ask_for_code(browser, "maria", "sms")
    assert browser.submit("/login/sms-code", code=sent_code(texting)).status_code == 303
    assert [(row.acr, row.amr) for row in live(texting)] == [("basic", "sms")]


def test_a_town_without_text_messages_has_no_such_page(town: Town) -> None:
    browser = town.browser()
    page = browser.follow(browser.get("/login/other"))
    assert "Code by text message" not in page.text
    assert browser.get(f"/login/sms-code?attempt={attempt_of(page)}").headers["Location"] == "/login/other"


# --- once, in time, in its browser ---


def test_a_code_works_once_and_only_the_latest(town: Town) -> None:
    """K25; a new one ends the one before."""
    without_password(town)
    browser = town.browser()
    ask_for_code(browser, "maria")
    first = sent_code(town)
    page = browser.get(f"/login/email-code?fresh=1&attempt={attempt_of(browser.last)}")  # type: ignore[arg-type]
    assert page.status_code == 200
    town.clock.advance(1)
    browser.follow(browser.submit("/login/email-code", username="maria", send="1"))
    second = sent_code(town)
    if first != second:
        assert browser.submit("/login/email-code", code=first).status_code == 422
    assert browser.submit("/login/email-code", code=second).status_code == 303
    (row,) = town.rows(SentCode)
    assert row.spent_at is not None


def test_five_wrong_codes_end_a_code(town: Town) -> None:
    """K26: counted and committed before the code is looked at."""
    without_password(town)
    browser = town.browser()
    ask_for_code(browser, "maria")
    right = sent_code(town)
    wrong = "00000000" if right != "00000000" else "00000001"
    assert ["no longer valid" in browser.submit("/login/email-code", code=wrong).text for _ in range(5)] == [
        False
    ] * 5
    answer = browser.submit("/login/email-code", code=right)
    assert answer.status_code == 422
    assert "The code is no longer valid" in answer.text


@pytest.mark.parametrize(("age", "status"), [(599, 303), (600, 422), (3599, 422)])
def test_a_code_lives_for_ten_minutes(town: Town, age: int, status: int) -> None:
    """ASVS 6.5.5; the message is not sent any later, either."""
    without_password(town)
    browser = town.browser()
    ask_for_code(browser, "maria")
    (message,) = [row for row in town.rows(Message) if row.name == "sign_in_code"]
    assert message.expires_at == int(town.clock()) + 600
    code = sent_code(town)
    town.clock.advance(age)
    assert browser.submit("/login/email-code", code=code).status_code == status


def test_a_clock_set_back_revives_no_code_and_no_attempt(town: Town) -> None:
    """K40: neither one that was refused as too old, nor one that nobody tried, nor one of the future."""
    without_password(town)
    browser, idle = town.browser(), town.browser()
    handles = [attempt_of(ask_for_code(one, "maria")) for one in (browser, idle)]
    code = sent_code(town)
    town.clock.advance(601)
    assert browser.submit("/login/email-code", code=code).status_code == 422
    town.clock.advance(-600)
    assert idle.submit("/login/email-code", code=code).status_code == 422
    town.clock.advance(-3600)
    assert idle.get(f"/login/email-code?attempt={handles[1]}").status_code == 400
    assert live(town) == []


def test_what_expires_is_marked_by_the_worker_before_a_clock_can_be_set_back(town: Town) -> None:
    without_password(town)
    browser = town.browser()
    ask_for_code(browser, "maria")
    code = sent_code(town)
    town.clock.advance(3700)
    end_expired_sign_ins(town.context, now=int(town.clock()))
    town.clock.advance(-3600)
    assert browser.submit("/login/email-code", code=code).status_code in (400, 422)
    assert all(row.ended_at for row in town.rows(LoginAttempt))
    purge(town.context, now=int(town.clock()) + 8 * 86_400)
    assert (town.rows(LoginAttempt), town.rows(SentCode)) == ([], [])


def test_a_code_is_good_in_its_own_sign_in_alone(town: Town) -> None:
    """K09, ASVS 6.6.2: in another browser, and in another attempt of the same one, it opens nothing."""
    without_password(town)
    asking, other = town.browser(), town.browser()
    ask_for_code(asking, "maria")
    code = sent_code(town)
    handle = attempt_of(asking.last)  # type: ignore[arg-type]
    assert other.get(f"/login/email-code?attempt={handle}").status_code == 400
    ask_for_code(other, "nobody")
    assert other.submit("/login/email-code", code=code).status_code == 422
    second = asking.follow(asking.get("/login/other"))
    asking.get(f"/login/email-code?attempt={attempt_of(second)}")
    asking.follow(asking.submit("/login/email-code", username="nobody", send="1"))
    assert asking.submit("/login/email-code", code=code).status_code == 422


def test_nobodys_mailbox_is_flooded(town: Town) -> None:
    """K26: limited by the name and by the source, for names without an account as well."""
    without_password(town)
    for name in ("maria", "nobody"):
        browser = town.browser()
        answers = []
        for _ in range(6):
            browser.follow(browser.get("/login/other"))
            page = browser.get(f"/login/email-code?attempt={attempt_of(browser.last)}")  # type: ignore[arg-type]
            assert page.status_code == 200
            answers.append(browser.submit("/login/email-code", username=name, send="1").status_code)
        assert answers == [303] * 5 + [429]
    assert len(told(town, "sign_in_code")) == 5


# --- the link ---


def test_opening_the_link_changes_nothing(town: Town) -> None:
    """Mail scanners open links: only the button acts."""
    without_password(town)
    browser = town.browser()
    ask_for_code(browser, "maria")
    link = sent_link(town)
    for _ in range(3):
        page = town.browser().get(link)
        assert page.status_code == 200
        assert "Sign in here?" in page.text
    assert browser.submit("/login/email-code", code=sent_code(town)).status_code == 303
    assert town.browser().get(link).status_code == 410


def test_the_link_proves_the_same_in_the_same_browser(town: Town) -> None:
    without_password(town)
    browser = town.browser()
    ask_for_code(browser, "maria", query="?next=/privacy")
    page = browser.get(sent_link(town))
    assert "go on with the sign-in that you began" in page.text
    assert "whoever reads the mail of <bdi>m•••@example.org</bdi>" in page.text
    answer = browser.submit("/login/link")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/privacy")
    browser.last = page
    assert browser.submit("/login/link").status_code == 410


@pytest.mark.parametrize("has_agreed", [False, True])
def test_in_another_browser_the_sign_in_and_the_request_move_there(town: Town, *, has_agreed: bool) -> None:
    """A resident who reads mail on the telephone goes on there; the computer has lost it, and nobody is signed in there."""
    if has_agreed:
        town.tokens(town.library, town.maria, "openid")
        with town.context.database.transaction() as session:
            credentials_changed(session, town.maria.resident_id, keep_session=None, now=int(town.clock()))
    without_password(town)
    computer, telephone, proof = town.browser(), town.browser(), Proof()
    start = computer.follow(computer.authorize(town.library, "openid", proof))
    flow = start.request.args["flow"]
    ask_for_code(computer, "maria", query=f"?flow={flow}")
    code, asked = sent_code(town), computer.last
    page = telephone.get(sent_link(town))
    assert "began in another browser" in page.text
    answer = telephone.follow(telephone.submit("/login/link"))
    answer = telephone.follow(telephone.allow()) if 'action="/consent"' in answer.text else answer
    assert town.redeem(town.library, code_of(answer), proof).status_code == 200
    computer.last = asked
    assert computer.submit("/login/email-code", code=code).status_code in (303, 400)
    assert computer.get("/account").status_code == 303, "nobody is signed in there"
    assert computer.get(f"/authorize/continue?flow={flow}").status_code == 400
    assert len(live(town)) == 1


def test_a_link_that_was_forced_on_somebody_signs_in_nobody_else(town: Town) -> None:
    """Whoever asked for the code in their own browser gets nothing by the owner's click: it is the owner's browser."""
    without_password(town)
    thief, owner = town.browser(), town.browser()
    ask_for_code(thief, "maria")
    handle = attempt_of(thief.last)  # type: ignore[arg-type]
    owner.get(sent_link(town))
    assert owner.submit("/login/link").headers["Location"] == "/account"
    assert "Maria" in owner.get("/account").text
    assert thief.get(f"/login/email-code?attempt={handle}").status_code == 400
    assert thief.get("/account").status_code == 303


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "%00", "A" * 5000])
def test_odd_links_are_over(town: Town, token: str) -> None:
    browser = town.browser()
    assert browser.get(f"/login/link?token={token}").status_code == 410


def raising(town: Town) -> Browser:
    """A browser in which Maria is signed in by password, and was sent a code because the library now wants more."""
    browser = town.browser()
    browser.code(town.library, town.maria, "openid", Proof())
    demand(town, town.library, minimum_acr="strong")
    town.clock.advance(60)
    browser.follow(browser.authorize(town.library, "openid", Proof()))
    browser.follow(browser.submit("/login/email-code", send="1"))
    return browser


def test_the_link_raises_the_session_of_its_own_browser(town: Town) -> None:
    """It counts together with what the session proved, as the code would."""
    browser = raising(town)
    browser.get(sent_link(town))
    answer = browser.submit("/login/link")
    assert code_of(browser.follow(answer))
    assert [row.acr for row in live(town)] == ["strong"]


def test_the_link_of_a_rise_is_good_in_its_own_browser_alone(town: Town) -> None:
    """The session that is raised is there. Elsewhere nothing is spent, and the request stays where it is."""
    browser, telephone = raising(town), town.browser()
    asked = browser.last
    page = telephone.get(sent_link(town))
    assert page.status_code == 403
    assert "Go back to where you were signing in" in page.text
    fields = hidden_fields(telephone.get("/login").text, "/login")
    answer = telephone.post("/login/link", {**fields, "token": sent_link(town).partition("token=")[2]})
    assert answer.status_code == 403
    browser.last = asked
    assert code_of(browser.follow(browser.submit("/login/email-code", code=sent_code(town))))
    assert [row.acr for row in live(town)] == ["strong"]


def test_a_link_moves_no_rise_to_another_browser(town: Town) -> None:
    """Whoever calls the function itself is refused, too, and the link stays good."""
    raising(town)
    now, token = int(town.clock()), sent_link(town).partition("token=")[2]
    with town.context.database.transaction() as session:
        elsewhere = links.take(session, token, browser="b" * 43, move=lambda *_: "f" * 43, now=now)
        assert elsewhere is None
        assert links.find(session, token, browser="b" * 43, now=now) is not None


# --- what a resident wants of codes ---


def test_a_choice_must_leave_a_way_in(town: Town) -> None:
    """The last way in is never removed."""
    owner = town.browser()
    owner.sign_in(town.maria)
    without_password(town)
    page = owner.get("/account/sign-in/codes/email").text
    assert 'value="alone" checked' in page
    for choice in ("after", "always", "", "all"):
        assert choose(owner, "email", choice) == 422
    assert town.rows(CodeChoice) == []
    assert choose(owner, "email", "alone") == 303


def test_there_is_nothing_to_choose_for_a_channel_that_reaches_nobody(town: Town) -> None:
    owner = town.browser()
    owner.sign_in(town.maria)
    for channel in ("sms", "pigeon", "%00"):
        assert owner.get(f"/account/sign-in/codes/{channel}").status_code == 404


def test_cancelling_tells_the_partner(town: Town) -> None:
    browser = town.browser()
    start = browser.follow(browser.authorize(town.library, "openid", Proof()))
    ask_for_code(browser, "maria", query=f"?flow={start.request.args['flow']}")
    answer = browser.submit("/login/email-code", cancel="1")
    assert answer_parameters(answer)["error"] == "access_denied"
