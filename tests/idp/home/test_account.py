"""The account page: who one is, where one is signed in, and how to end that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from idp.login.models import BrowserSession
from idp.oidc.models import Authorization
from tests.support.town import ISSUER, Proof

if TYPE_CHECKING:
    from tests.support.town import Browser, Town


def ends(browser: Browser) -> list[str]:
    """The paths of the buttons that sign a device out, on the account page."""
    return re.findall(r'action="(/account/sessions/[^"]+/end)"', browser.get("/account").text)


def test_the_page_shows_ones_own_data_and_devices(town: Town) -> None:
    """Name, address, every live session with this one marked; nothing of anybody else."""
    phone, laptop = town.browser(), town.browser()
    phone.sign_in(town.maria)
    town.clock.advance(60)
    laptop.sign_in(town.maria)
    town.browser().sign_in(town.jun)
    page = laptop.get("/account").text
    assert "Maria Okafor" in page
    assert town.maria.email in page
    assert page.count("This device") == 1
    assert len(ends(laptop)) == 2
    assert "Jun" not in page


def test_another_device_is_signed_out_with_its_tokens(town: Town) -> None:
    """The tokens that live by that session end; this device stays signed in."""
    phone, proof = town.browser(), Proof()
    code = phone.code(town.library, town.maria, "openid profile", proof)
    token = town.redeem(town.library, code, proof).json["access_token"]
    laptop = town.browser()
    town.clock.advance(60)
    laptop.sign_in(town.maria)
    own = next(row.sid for row in town.rows(BrowserSession) if row.created_at == int(town.clock()))
    (other,) = (path for path in ends(laptop) if own not in path)
    answer = laptop.submit(other)
    assert answer.headers["Location"].startswith("/account")
    assert phone.get("/account").status_code == 303
    assert town.userinfo(token).status_code == 401
    assert len(ends(laptop)) == 1
    assert laptop.follow(answer).status_code == 200


def test_what_was_granted_beyond_the_session_lives_on(town: Town) -> None:
    """offline_access was agreed to by name; signing a device out does not end it, withdrawing does."""
    phone, proof = town.browser(), Proof()
    code = phone.code(town.library, town.maria, "openid profile offline_access", proof)
    tokens = town.redeem(town.library, code, proof).json
    (own,) = ends(phone)
    phone.submit(own)
    assert [row.revoked_at for row in town.rows(Authorization)] == [None]
    assert town.refresh(town.library, tokens["refresh_token"]).status_code == 200


def test_signing_out_this_device_ends_here(town: Town) -> None:
    """The browser loses its cookie, and the page says so."""
    browser = town.browser()
    browser.sign_in(town.maria)
    (own,) = ends(browser)
    answer = browser.submit(own)
    assert answer.headers["Location"] == "/logged-out"
    assert browser.http.get_cookie("__Host-denizen-session", domain="id.riverton.example") is None
    assert browser.get("/account").status_code == 303


def test_after_signing_a_device_out_the_page_says_so(town: Town) -> None:
    """A button that does something tells that it did."""
    browser = town.browser()
    browser.sign_in(town.maria)
    plain, after = browser.get("/account").text, browser.get("/account?done=ended").text
    assert 'role="status"' not in plain
    assert 'role="status"' in after


def test_an_erased_resident_has_no_name_left(town: Town) -> None:
    """Without its data key nothing can be read, and no page breaks over it."""
    from sqlalchemy import update

    from idp.accounts.models import Resident

    browser = town.browser()
    browser.sign_in(town.maria)
    with town.context.database.transaction() as session:
        session.execute(update(Resident).where(Resident.id == town.maria.resident_id).values(data_key=None))
    for path in ("/", "/account"):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert "Okafor" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/help",
        "/help/sign-in",
        "/accessibility",
        "/privacy-statement",
        "/logged-out",
        "/login",
        "/signup",
    ],
)
def test_pages_for_everybody_need_no_sign_in_and_link_to_what_is_there(town: Town, path: str) -> None:
    """Every link on them leads to a page."""
    client = town.app.test_client()
    page = client.get(path, base_url=ISSUER)
    assert page.status_code == 200
    for target in set(re.findall(r'href="(/[^"#]*)', page.text)):
        assert client.get(target.replace("&amp;", "&"), base_url=ISSUER).status_code in (200, 303), target
