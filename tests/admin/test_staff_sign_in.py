"""Staff sign in with password and code, each code once, in sessions that end when they should."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyotp
import pytest
from sqlalchemy import select

from admin.models import StaffSession
from admin.staff.rules import matching_step, tidy_code
from admin.staff.service import disable_staff, reset_staff
from idp.login.budgets.rules import STRANGERS
from idp.login.passwords import Passwords
from keys.envelope import SealBroken
from tests.admin.office import RESIDENT_SESSION, SESSION
from tests.support.town import START

if TYPE_CHECKING:
    from tests.admin.office import Desk, Office

WRONG = "The user name, the password or the code is not right"


def is_in(desk: Desk) -> bool:
    """Whether this browser is signed in."""
    answer = desk.get("/")
    assert answer.status_code in (200, 303)
    return answer.status_code == 200


def test_password_and_code_open_the_overview(office: Office) -> None:
    """product.md: staff sign in with password and TOTP; the cookie is host-only, secure, unreadable to scripts."""
    desk = office.desk()
    answer = desk.sign_in(office.officer)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = next(one for one in answer.headers.getlist("Set-Cookie") if one.startswith(SESSION))
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    page = desk.get("/").text
    assert "officer" in page
    assert "Find a person" in page


@pytest.mark.parametrize(
    "typed",
    [
        {"username": "nobody"},
        {"username": "off\0icer"},
        {"username": "Ω" * 300},
        {"password": "another password altogether"},
        {"password": "x" * 10_000},
        {"code": "000000"},
        {"code": "12345"},
        {"code": "abcdef"},
        {"code": "１２３４５６"},
    ],
    ids=lambda typed: next(iter(typed)),
)
def test_every_failure_looks_the_same(office: Office, typed: dict[str, str]) -> None:
    """K23: nobody learns whether it was the name, the password or the code."""
    expected = office.desk().sign_in(office.officer, password="not the password")
    answer = office.desk().sign_in(office.officer, **typed)
    assert answer.status_code == expected.status_code == 422
    assert WRONG in answer.text
    assert _same_for_all(answer.text) == _same_for_all(expected.text)
    assert sorted(dict(answer.headers)) == sorted(dict(expected.headers))


def _same_for_all(page: str) -> str:
    """The page without what differs by request: the browser's own token and the name typed."""
    return re.sub(r'value="[^"]*"', "", page)


def test_a_disabled_account_fails_like_an_absent_one(office: Office) -> None:
    """The right password and code of somebody who left say nothing more than a guess."""
    office.change("officer", disabled_at=START)
    answer = office.desk().sign_in(office.officer)
    assert answer.status_code == 422
    assert WRONG in answer.text


def test_what_is_missing_is_named(office: Office) -> None:
    """Empty fields are a slip, not a guess."""
    answer = office.desk().sign_in(office.officer, username=" ", password="", code="")
    assert answer.status_code == 422
    for problem in (
        "Enter your user name",
        "Enter your password",
        "Enter the code of your authenticator app",
    ):
        assert problem in answer.text


def test_nothing_typed_but_the_name_comes_back(office: Office) -> None:
    """A password or code never stands in a page."""
    answer = office.desk().sign_in(office.officer, code="271828")
    assert 'value="officer"' in answer.text
    assert "271828" not in answer.text
    assert office.officer.password not in answer.text


# --- codes ---


def test_a_code_works_once(office: Office) -> None:
    """K25: the same code again, from the same or another browser, is refused."""
    code = office.officer.code(START)
    desk = office.desk()
    assert desk.sign_in(office.officer, code=code).status_code == 303
    assert office.desk("192.0.2.8").sign_in(office.officer, code=code).status_code == 422
    assert desk.sign_in(office.officer, code=code).status_code == 422


def test_an_earlier_code_is_dead_after_a_later_one(office: Office) -> None:
    """K25: the code of the step before, still within the window, is refused once a newer one was used."""
    assert office.desk().sign_in(office.officer).status_code == 303
    assert office.desk().sign_in(office.officer, code=office.officer.code(START - 30)).status_code == 422
    assert office.desk().sign_in(office.officer, code=office.officer.code(START + 30)).status_code == 303


@pytest.mark.parametrize(("offset", "status"), [(-60, 422), (-30, 303), (0, 303), (30, 303), (60, 422)])
def test_a_clock_may_differ_by_one_step(office: Office, offset: int, status: int) -> None:
    """RFC 6238 §5.2: one step to either side."""
    code = office.officer.code(START + offset)
    assert office.desk().sign_in(office.officer, code=code).status_code == status


def test_a_code_may_be_typed_with_spaces(office: Office) -> None:
    """Authenticator apps show two groups of three."""
    code = office.officer.code(START)
    assert office.desk().sign_in(office.officer, code=f" {code[:3]} {code[3:]}").status_code == 303


def test_one_code_sent_ten_times_at_once_opens_one_session(office: Office) -> None:
    """K25: parallel use is decided by one write."""
    code = office.officer.code(START)
    desks = [office.desk(f"192.0.2.{number}") for number in range(8)]
    for desk in desks:
        desk.get("/login")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda desk: desk.sign_in(office.officer, code=code).status_code, desks))
    assert sorted(answers) == [303, *[422] * 7]
    assert len(office.town.rows(StaffSession)) == 1


def test_codes_follow_the_standard() -> None:
    """RFC 6238 appendix B, SHA-1, six digits; only ASCII digits count."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert matching_step(secret, "287082", now=59) == 1
    assert matching_step(secret, "081804", now=1_111_111_109) == 37_037_036
    assert matching_step(secret, "081804", now=1_111_111_109 + 30) == 37_037_036
    assert matching_step(secret, "081804", now=1_111_111_109 + 60) is None
    assert tidy_code("１２３４５６") is None
    assert tidy_code("123 456\n") == "123456"


def test_the_secret_is_sealed_to_its_account(office: Office) -> None:
    """160 random bits, unreadable in the database and useless in another row."""
    row, other = office.row("officer"), office.row("clerk")
    secret = office.officer.secret
    assert len(pyotp.TOTP(secret).byte_secret()) == 20
    assert secret.encode() not in row.totp_secret
    key = office.town.context.vault.service_data_key("staff-totp")
    assert key.open(row.totp_secret, f"admin_staff|totp_secret|{row.id}") == secret
    with pytest.raises(SealBroken):
        key.open(row.totp_secret, f"admin_staff|totp_secret|{other.id}")


# --- guessing ---


def test_guesses_from_one_source_run_out(office: Office) -> None:
    """K26: ten guesses in a quarter of an hour, then even the right answer must wait; others are not locked out (K28)."""
    guesser = office.desk("198.51.100.9")
    for _ in range(10):
        assert guesser.sign_in(office.officer, password="guess").status_code == 422
    assert guesser.sign_in(office.officer).status_code == 429
    assert office.desk().sign_in(office.officer).status_code == 303
    office.town.clock.advance(900)
    assert guesser.sign_in(office.officer).status_code == 303


def test_right_answers_use_up_nothing(office: Office) -> None:
    """Staff who sign in often within a quarter of an hour are not taken for guessers."""
    office.town.clock.at = START - START % 900
    for _ in range(12):
        office.signed_in("officer")


def test_a_source_cannot_try_many_names(office: Office) -> None:
    """K26: fifty guesses a quarter of an hour, over all names."""
    guesser = office.desk("198.51.100.9")
    answers = [guesser.sign_in(office.officer, username=f"guess{number}").status_code for number in range(51)]
    assert answers == [*[422] * 50, 429]


def test_codes_cannot_be_guessed_from_many_sources(office: Office) -> None:
    """K26: whoever knows the password has thirty codes at once, wherever they come from, and then ever longer pauses."""
    for number in range(STRANGERS.free):
        desk = office.desk(f"198.51.100.{number}")
        assert desk.sign_in(office.officer, code="000000").status_code == 422
    assert office.desk().sign_in(office.officer).status_code == 429
    office.town.clock.advance(STRANGERS.first_for)
    assert office.desk().sign_in(office.officer).status_code == 303


def test_strangers_cannot_lock_staff_out(office: Office) -> None:
    """K28: on a device on which they signed in before, staff have guesses of their own."""
    mine = office.desk()
    assert mine.sign_in(office.officer).status_code == 303
    for number in range(STRANGERS.cap):
        office.town.clock.advance(7200)
        desk = office.desk(f"198.51.100.{number}")
        assert desk.sign_in(office.officer, password="guess").status_code == 422
    office.town.clock.advance(7200)
    assert office.desk().sign_in(office.officer).status_code == 429
    assert mine.sign_in(office.officer).status_code == 303
    office.town.clock.advance(30)
    assert office.desk().sign_in(office.officer).status_code == 303


def test_a_hundred_wrong_codes_in_a_row_end_it_until_a_reset(office: Office) -> None:
    """NIST SP 800-63B-4 §3.2.2: at most a hundred failures in a row; an operator's reset begins anew."""
    office.change("officer", code_failures=99)
    assert office.desk().sign_in(office.officer, code="000000").status_code == 422
    assert office.desk().sign_in(office.officer).status_code == 422
    context = office.town.context
    passwords = Passwords(context.settings.passwords, context.vault.subkey("password-pepper"))
    with context.database.transaction() as session:
        secret = reset_staff(
            session,
            context.vault,
            passwords,
            username="officer",
            password=office.officer.password,
            now=START,
        )
    assert secret not in (None, office.officer.secret)
    office.town.clock.advance(30)
    assert office.desk().sign_in(office.officer).status_code == 422, "the former secret still works"
    code = pyotp.TOTP(secret or "").at(int(office.town.clock()))
    assert office.desk().sign_in(office.officer, code=code).status_code == 303


@pytest.mark.parametrize("is_outdated", [False, True])
def test_whoever_is_reset_while_they_sign_in_stays_out(
    office: Office, monkeypatch: pytest.MonkeyPatch, *, is_outdated: bool
) -> None:
    """The reset ended every session; none begins by the former password beside it, nor does that one come back."""
    context, check, secrets = office.town.context, Passwords.is_right, []
    fresh = "a stove, a lantern and a map"

    def reset_after(self: Passwords, kept: str | None, unverified: str) -> bool:
        is_right = check(self, kept, unverified)
        if not secrets:
            with context.database.transaction() as session:
                named = {"username": "officer", "password": fresh}
                secrets.append(reset_staff(session, context.vault, self, **named, now=START))
        return is_right

    monkeypatch.setattr(Passwords, "is_right", reset_after)
    monkeypatch.setattr(Passwords, "is_outdated", lambda _self, _kept: is_outdated)
    desk = office.desk()
    assert desk.sign_in(office.officer).status_code == 422
    assert not is_in(desk)
    code = pyotp.TOTP(secrets[0] or "").at(int(office.town.clock()))
    assert office.desk().sign_in(office.officer, password=fresh, code=code).status_code == 303


def test_only_codes_after_the_right_password_count(office: Office) -> None:
    """K28: nobody locks an account whose password they do not know; a right code forgets the wrong ones."""
    office.desk().sign_in(office.officer, password="guess", code="000000")
    assert office.row("officer").code_failures == 0
    office.desk().sign_in(office.officer, code="000000")
    assert office.row("officer").code_failures == 1
    office.desk().sign_in(office.officer)
    assert office.row("officer").code_failures == 0


# --- sessions ---


def test_a_cookie_from_before_is_never_adopted(office: Office) -> None:
    """K18: a planted cookie stays unknown; signing in makes a new one."""
    desk = office.desk()
    planted = "A" * 43
    desk.take_cookie(planted)
    assert not is_in(desk)
    desk.sign_in(office.officer)
    assert desk.cookie() != planted
    thief = office.desk()
    thief.take_cookie(planted)
    assert not is_in(thief)


def test_a_new_sign_in_ends_the_former_session(office: Office) -> None:
    """K18: each sign-in has a cookie of its own, and the one it replaces is dead."""
    desk = office.signed_in("officer")
    former = desk.cookie()
    assert former is not None
    office.town.clock.advance(30)
    desk.sign_in(office.officer)
    assert desk.cookie() not in (None, former)
    thief = office.desk()
    thief.take_cookie(former)
    assert not is_in(thief)
    assert is_in(desk)


def test_only_the_hash_of_the_cookie_is_kept(office: Office) -> None:
    """Whoever reads the database cannot become staff."""
    desk = office.signed_in("officer")
    (row,) = office.town.rows(StaffSession)
    assert len(row.id_hash) == 32
    assert (desk.cookie() or "").encode() not in row.id_hash


def test_signing_out_ends_the_session_itself(office: Office) -> None:
    """K18: the cookie of before is dead, not merely removed from the browser."""
    desk = office.signed_in("officer")
    former = desk.cookie() or ""
    answer = desk.submit("/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert desk.cookie() is None
    desk.take_cookie(former)
    assert not is_in(desk)


def test_nobody_else_can_sign_staff_out(office: Office) -> None:
    """K20: signing out is a POST with the page's own token; a link or a foreign form does nothing."""
    desk = office.signed_in("officer")
    assert desk.get("/logout").status_code == 405
    assert desk.post("/logout", {}).status_code == 403
    assert desk.post("/logout", {"csrf_token": "0" * 64}).status_code == 403
    assert is_in(desk)


def test_a_session_ends_when_it_is_not_used(office: Office) -> None:
    """[sessions] staff_idle_for."""
    desk = office.signed_in("officer")
    for _ in range(3):
        office.town.clock.advance(1740)
        assert is_in(desk)
    office.town.clock.advance(1800)
    assert not is_in(desk)


def test_a_session_ends_however_much_it_is_used(office: Office) -> None:
    """[sessions] staff_absolute_for."""
    desk = office.signed_in("officer")
    begun = office.town.clock()
    while office.town.clock() + 1700 < begun + 12 * 3600:
        office.town.clock.advance(1700)
        assert is_in(desk)
    office.town.clock.at = begun + 12 * 3600
    assert not is_in(desk)


def test_rows_of_sessions_long_over_are_cleared_away(office: Office) -> None:
    """A week after its end a session's row is gone with the next sign-in."""
    office.signed_in("officer")
    office.town.clock.advance(12 * 3600 + 8 * 86_400)
    office.signed_in("clerk")
    with office.town.context.database.reading() as session:
        assert len(session.execute(select(StaffSession)).all()) == 1


def test_whoever_is_disabled_is_out_at_once(office: Office) -> None:
    """K35: the very next request is refused, in every browser, and the log knows of it."""
    desk = office.signed_in("officer")
    context = office.town.context
    with context.database.transaction() as session:
        assert disable_staff(session, context.vault, "officer", now=START)
        assert not disable_staff(session, context.vault, "officer", now=START)
    assert not is_in(desk)


def test_an_account_disabled_behind_our_back_is_out_at_once(office: Office) -> None:
    """The account is read again with every request, not only its sessions."""
    desk = office.signed_in("officer")
    office.change("officer", disabled_at=START)
    assert not is_in(desk)


# --- two apps ---


def test_a_residents_session_opens_no_staff_page(office: Office) -> None:
    """house.md: a stolen resident cookie can never reach a staff page, under whichever name it is sent."""
    resident = office.town.browser()
    resident.sign_in(office.town.maria)
    cookie = resident.http.get_cookie(RESIDENT_SESSION, "id.riverton.example")
    assert cookie is not None
    assert resident.get("/account").status_code == 200
    for name in (SESSION, RESIDENT_SESSION):
        desk = office.desk()
        desk.take_cookie(cookie.value, name)
        assert not is_in(desk)
        assert desk.get("/officer").headers["Location"] == "/login"


def test_a_staff_session_opens_no_residents_page(office: Office) -> None:
    """Staff never use their staff account as residents."""
    value = office.signed_in("officer").cookie() or ""
    for name in (SESSION, RESIDENT_SESSION):
        resident = office.town.browser()
        resident.http.set_cookie(name, value, domain="id.riverton.example", secure=True)
        answer = resident.get("/account")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=/account")


def test_residents_and_staff_sign_in_apart(office: Office) -> None:
    """A resident's name and password mean nothing here, and staff's mean nothing there."""
    maria = office.town.maria
    assert (
        office.desk().sign_in(office.officer, username=maria.username, password=maria.password).status_code
        == 422
    )
    resident = office.town.browser()
    resident.get("/login")
    answer = resident.submit(
        "/login", username=office.officer.username, password=office.officer.password, next="", flow=""
    )
    assert answer.status_code == 422


def test_a_form_token_of_one_app_is_no_use_in_the_other(office: Office) -> None:
    """The two apps never share what proves that a form is theirs."""
    resident = office.town.browser()
    page = resident.get("/login").text
    token = re.findall(r'name="csrf_token" value="([^"]*)"', page)[0]
    browser = resident.http.get_cookie("__Host-denizen-browser", "id.riverton.example")
    assert browser is not None
    desk = office.desk()
    desk.take_cookie(browser.value, "__Host-denizen-staff-browser")
    member = office.officer
    typed = {"username": member.username, "password": member.password, "code": member.code(START)}
    assert desk.post("/login", {**typed, "csrf_token": token}).status_code == 403
