"""What the tests of recovery do again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.accounts.models import Resident
from idp.accounts.service import set_attribute
from idp.login.otp import service as otp
from idp.login.otp.rules import STEP, code_at
from idp.recovery.answering import answer_asked
from tests.support.told import forms, told

if TYPE_CHECKING:
    from tests.support.town import Browser, Person, Town

FRESH = "eleven grey herons waiting"


def ask(town: Town, name: str, wish: str = "message", browser: Browser | None = None) -> Browser:
    """Ask to get back in, and have the job answer; the browser shows the page of the recovery."""
    browser = browser or town.browser()
    browser.get("/recover")
    answer = browser.submit("/recover", name=name, wish=wish)
    assert answer.status_code == 303, answer.text
    answer_asked(town.context, now=int(town.clock()))
    browser.follow(answer)
    return browser


def type_code(town: Town, browser: Browser, code: str | None = None) -> str:
    """Type the digits that were sent, or others; where the browser is led."""
    page = case_page(browser)
    browser.get(page)
    right = told(town, "recover")[-1].values["code"] if code is None else code
    browser.submit(f"{page}/code", code=right)
    return path_of(browser)


def case_page(browser: Browser) -> str:
    """The address of the recovery in this browser."""
    assert browser.last is not None
    return "/".join(browser.last.request.path.split("/")[:4])


def path_of(browser: Browser) -> str:
    """Where the browser ends after redirects."""
    answer = browser.follow()
    return str(answer.request.path)


def choose_password(browser: Browser, password: str = FRESH, keep: tuple[str, ...] = ()) -> str:
    """Choose a password on the page shown; where that leads."""
    page = case_page(browser)
    browser.submit(f"{page}/password", password=password, keep=list(keep))
    return path_of(browser)


def signs_in(town: Town, person: Person, password: str, name: str = "") -> bool:
    """Whether this password opens the account."""
    browser = town.browser()
    browser.get("/login")
    answer = browser.submit("/login", username=name or person.username, password=password)
    return answer.status_code == 303


def give_address(town: Town, person: Person, *, verified: bool = True) -> None:
    """Put a postal address on file."""
    value = {"street_address": "12 Bridge Street", "postal_code": "40110", "locality": "Riverton"}
    _set(town, person, "address", value, verified=verified)


def protect(town: Town, person: Person) -> None:
    """Protect the address."""
    _set(town, person, "address_protected", True, verified=True)


def _set(town: Town, person: Person, name: str, value: object, *, verified: bool) -> None:
    now = int(town.clock())
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, person.resident_id)
        data_key = town.context.vault.open_data_key(resident.data_key)
        verified_at = now if verified else None
        set_attribute(
            session, data_key, resident, name, value, source="register", verified_at=verified_at, now=now
        )


def give_app(town: Town, person: Person) -> str:
    """Enrol an app that shows codes; its secret."""
    now = int(town.clock())
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, person.resident_id)
        data_key = town.context.vault.open_data_key(resident.data_key)
        app_id = otp.begin(session, data_key, person.resident_id, "Phone", now=now)
        assert app_id is not None
        waiting = otp.pending(session, data_key, person.resident_id, app_id, now=now)
        assert waiting is not None
        assert otp.confirm(session, waiting, code_at(waiting.secret, now // STEP), now=now)
    town.clock.advance(2 * STEP)
    return waiting.secret


def app_code(town: Town, secret: str) -> str:
    """What the app shows now."""
    return code_at(secret, int(town.clock()) // STEP)


def trust(town: Town, owner: Person, helper: Person) -> None:
    """One names the other, who agrees."""
    mine, theirs = town.browser(), town.browser()
    mine.sign_in(owner)
    mine.get("/account/helpers/new")
    assert mine.submit("/account/helpers/new", name=helper.username).status_code == 303
    theirs.sign_in(helper)
    page = theirs.get("/account/helpers").text
    (path,) = [one for one in forms(page) if one.endswith("/accept")]
    theirs.submit(path)
