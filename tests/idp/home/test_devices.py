"""The page of devices: where one is signed in, what was used there, and how to end it (identity.md, ASVS 7.5.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from idp.accounts.models import Resident
from idp.login.devices.models import KnownDevice
from idp.login.models import BrowserSession
from idp.messaging.models import Message
from idp.messaging.service import open_message
from idp.oidc.models import Authorization
from tests.support.authenticator import Authenticator
from tests.support.passkeys import add_passkey, hand_over, options
from tests.support.town import ISSUER, Proof, hidden_fields, make_town

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.town import Browser, Town

PAGE = "/account/devices"
SCOPE = "openid profile email"
PHONE = "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"


def ends(browser: Browser) -> list[str]:
    """The paths of the buttons that sign a device out."""
    return re.findall(r'action="(/account/devices/[^"/]+/end)"', browser.get(PAGE).text)


def phone_of(town: Town, address: str = "198.51.100.77") -> Browser:
    """A telephone somewhere else."""
    phone = town.browser()
    phone.http.environ_base.update({"HTTP_USER_AGENT": PHONE, "REMOTE_ADDR": address})
    return phone


def is_in(browser: Browser) -> bool:
    """Whether somebody is signed in in a browser."""
    return browser.get("/account").status_code == 200


def notices(town: Town) -> list[Message]:
    """The mails about new devices that wait."""
    return [row for row in town.rows(Message) if row.name == "new_device"]


# --- what the page shows ---


def test_each_session_shows_device_place_level_times_and_services(town: Town) -> None:
    """Everything by which somebody knows whether it was they."""
    phone, laptop = phone_of(town), town.browser()
    phone.code(town.library, town.maria, SCOPE, Proof())
    town.clock.advance(60)
    phone.code(town.tax, town.maria, "openid email", Proof())
    laptop.sign_in(town.maria)
    page = laptop.get(PAGE).text
    assert page.count("This device") == 1
    assert "Firefox, Android" in page
    assert "network 198.51.100.*" in page
    assert "198.51.100.77" not in page
    assert "Signed in with: password" in page
    assert page.index("Tax portal") < page.index("Riverton Public Library")  # the latest first
    assert len(ends(laptop)) == 2


def test_the_page_shows_nothing_of_anybody_else(town: Town) -> None:
    """Neither sessions nor services nor devices."""
    phone_of(town).code(town.library, town.jun, SCOPE, Proof())
    browser = town.browser()
    browser.sign_in(town.maria)
    page = browser.get(PAGE).text
    assert len(ends(browser)) == 1
    assert "Riverton Public Library" not in page
    assert "Firefox" not in page


def test_the_place_is_kept_coarse_and_sealed_under_the_residents_key(town: Town) -> None:
    """A copy of the database tells nobody's place, and no erased resident has one."""
    phone = phone_of(town)
    phone.sign_in(town.maria)
    (row,) = town.rows(BrowserSession)
    assert row.place is not None
    assert b"198.51" not in row.place
    with town.context.database.transaction() as session:
        session.execute(update(Resident).where(Resident.id == town.maria.resident_id).values(data_key=None))
    answer = phone.get(PAGE)
    assert answer.status_code == 200
    assert "198.51" not in answer.text


@pytest.mark.parametrize(
    ("address", "shown"),
    [("2001:db8:7:8::9", "network 2001:db8:7:*"), ("::ffff:192.0.2.9", "network 192.0.2.*")],
)
def test_a_place_of_the_newer_internet_is_as_coarse(town: Town, address: str, shown: str) -> None:
    """IPv6 /48; an IPv4 address in disguise is one."""
    browser = phone_of(town, address)
    browser.sign_in(town.maria)
    assert shown in browser.get(PAGE).text


# --- ending ---


def test_another_device_is_signed_out_with_every_token_of_it(town: Town) -> None:
    """Who sends a lost telephone away does not leave it what services had been allowed to keep using."""
    phone, proof = phone_of(town), Proof()
    code = phone.code(town.library, town.maria, f"{SCOPE} offline_access", proof)
    tokens = town.redeem(town.library, code, proof).json
    laptop = town.browser()
    town.clock.advance(60)
    laptop.sign_in(town.maria)
    own = next(row.sid for row in town.rows(BrowserSession) if row.created_at == int(town.clock()))
    (other,) = (path for path in ends(laptop) if own not in path)
    answer = laptop.follow(laptop.submit(other))
    assert 'role="status"' in answer.text
    assert not is_in(phone)
    assert is_in(laptop)
    assert town.userinfo(tokens["access_token"]).status_code == 401
    assert town.refresh(town.library, tokens["refresh_token"]).status_code == 400
    assert len(ends(laptop)) == 1


def test_what_was_used_before_signing_in_again_is_shown_and_sent_away_with_the_device(town: Town) -> None:
    """Another session stands in the place of the first one there; whoever sends the telephone away means both."""
    phone, proof = phone_of(town), Proof()
    code = phone.code(town.library, town.maria, f"{SCOPE} offline_access", proof)
    tokens = town.redeem(town.library, code, proof).json
    for prompt in ("login", "none"):
        town.clock.advance(60)
        phone.code(town.tax, town.maria, "openid email", Proof(), prompt=prompt)
    page = phone.get(PAGE).text
    assert page.index("Tax portal") < page.index("Riverton Public Library")
    assert page.count("Tax portal") == 1
    (own,) = ends(phone)
    phone.submit(own)
    assert not is_in(phone)
    assert town.userinfo(tokens["access_token"]).status_code == 401
    assert town.refresh(town.library, tokens["refresh_token"]).status_code == 400


def test_plain_signing_out_leaves_what_was_granted_beyond_the_session(town: Town) -> None:
    """offline_access was agreed to by name: leaving the computer does not end it, sending the device away does."""
    browser, proof = town.browser(), Proof()
    code = browser.code(town.library, town.maria, f"{SCOPE} offline_access", proof)
    tokens = town.redeem(town.library, code, proof).json
    browser.get("/logout")
    browser.submit("/logout")
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
    assert not is_in(browser)


@pytest.mark.parametrize("here", [True, False], ids=["here as well", "all others"])
def test_every_device_is_signed_out_at_once(town: Town, here: bool) -> None:
    """One button for all others, one for all; another resident's sessions and tokens are none of it."""
    phone, laptop, stranger, proof = phone_of(town), town.browser(), town.browser(), Proof()
    code = phone.code(town.library, town.maria, f"{SCOPE} offline_access", proof)
    tokens = town.redeem(town.library, code, proof).json
    own_proof = Proof()
    own = town.redeem(town.tax, laptop.code(town.tax, town.maria, "openid email", own_proof), own_proof).json
    stranger.sign_in(town.jun)
    laptop.get(PAGE)
    laptop.submit(f"{PAGE}/end-all" if here else f"{PAGE}/end-others")
    assert (is_in(phone), is_in(laptop), is_in(stranger)) == (False, not here, True)
    assert town.refresh(town.library, tokens["refresh_token"]).status_code == 400
    assert (town.userinfo(own["access_token"]).status_code == 200) is not here


def test_a_session_of_another_resident_is_as_good_as_none(town: Town) -> None:
    """K34: the same answer as for a name that was never given."""
    stranger = town.browser()
    stranger.sign_in(town.jun)
    (path,) = ends(stranger)
    browser = town.browser()
    browser.sign_in(town.maria)
    browser.get(PAGE)
    token = hidden_fields(browser.get(PAGE).text, f"{PAGE}/end-all")
    found = [
        browser.post(p, token) for p in (path, f"{PAGE}/{'x' * 22}/end", f"{PAGE}/known/{'x' * 22}/forget")
    ]
    assert [answer.status_code for answer in found] == [404, 404, 404]
    assert is_in(stranger)


def test_a_raised_session_keeps_its_name_and_its_services(town: Town) -> None:
    """A step-up gives a new cookie, not a new session: its tokens are still listed and end with it."""
    browser, proof, device = town.browser(), Proof(), Authenticator()
    browser.sign_in(town.maria)
    add_passkey(browser, device)
    code = browser.code(town.library, town.maria, SCOPE, proof)
    token = town.redeem(town.library, code, proof).json["access_token"]
    (before,) = town.rows(BrowserSession)
    town.clock.advance(60)
    raised = '{"id_token": {"acr": {"essential": true, "value": "phr"}}}'
    browser.follow(browser.authorize(town.library, SCOPE, Proof(), claims=raised))
    assert browser.last is not None
    fields = hidden_fields(browser.last.text, "/login/passkey")
    hand_over(browser, "/login/passkey", fields, device.get(options(browser, "/login/passkey", fields)))
    (after,) = town.rows(BrowserSession)
    assert (after.sid, after.acr, after.created_at) == (before.sid, "phr", before.created_at)
    assert after.id_hash != before.id_hash
    page = browser.get(PAGE).text
    assert "Riverton Public Library" in page
    assert "Signed in with: password + passkey" in page
    (own,) = ends(browser)
    browser.submit(own)
    assert town.userinfo(token).status_code == 401


def test_a_provider_that_says_pin_is_no_card_of_the_town(town: Town) -> None:
    """RFC 8176's values are anybody's: how somebody signed in is told by what we noted ourselves."""
    browser = town.browser()
    browser.sign_in(town.maria)
    with town.context.database.transaction() as session:
        session.execute(update(BrowserSession).values(amr="pin hwk", proofs="upstream=basic"))
    assert "Signed in with: another digital identity" in browser.get(PAGE).text


# --- known devices and the notice about new ones ---


def test_a_sign_in_from_a_new_device_is_told_with_the_way_to_end_it(town: Town) -> None:
    """When, with what, from where; the second time the device is known."""
    town.clock.advance(60)
    phone = phone_of(town)
    phone.sign_in(town.maria)
    (message,) = notices(town)
    said = open_message(town.context.vault, message)
    assert said.to == town.maria.email
    assert said.values["at"] == int(town.clock())
    assert (said.values["device"], said.values["network"]) == ("Firefox, Android", "198.51.100.0/24")
    assert said.values["not_me_url"].startswith(f"{ISSUER}/")
    phone.get("/logout")
    phone.submit("/logout")
    phone.get("/login")
    phone.sign_in(town.maria)
    assert len(notices(town)) == 1


def test_a_device_known_for_one_resident_is_new_for_another(town: Town) -> None:
    """Families share computers; each is told of their own account."""
    town.clock.advance(60)
    browser = town.browser()
    for person in (town.maria, town.jun, town.maria):
        browser.get("/login")
        browser.sign_in(person)
    told = [open_message(town.context.vault, message).to for message in notices(town)]
    assert sorted(told) == sorted([town.maria.email, town.jun.email])


def test_signing_up_is_no_news(town: Town) -> None:
    """The very first sign-in is part of making the account."""
    browser = town.browser()
    browser.get("/signup")
    browser.submit("/signup", email="new@example.org")
    (message,) = (row for row in town.rows(Message) if row.name == "confirm_sign_up")
    browser.get(open_message(town.context.vault, message).values["link"].removeprefix(ISSUER))
    answer = browser.submit("/signup/confirm", given_name="Noor", password="eleven grey herons waiting")
    assert answer.status_code == 303, answer.text
    assert notices(town) == []
    assert len(town.rows(KnownDevice)) == 1
    town.clock.advance(60)
    phone = phone_of(town)
    phone.get("/login")
    phone.submit("/login", username="new@example.org", password="eleven grey herons waiting")
    assert len(notices(town)) == 1


def test_a_wrong_password_is_no_news(town: Town) -> None:
    """Otherwise anybody could flood a resident with mail."""
    phone = phone_of(town)
    phone.get("/login")
    phone.submit("/login", username=town.maria.username, password="not the password at all")
    assert notices(town) == []


def test_a_forgotten_device_counts_as_new(town: Town) -> None:
    """It is listed until then, with the last sign-in."""
    town.clock.advance(60)
    browser = town.browser()
    browser.sign_in(town.maria)
    page = browser.get(PAGE).text
    (path,) = re.findall(r'action="(/account/devices/known/[^"]+/forget)"', page)
    answer = browser.follow(browser.submit(path))
    assert "No device is known." in answer.text
    browser.get("/login")
    browser.sign_in(town.maria)
    assert len(notices(town)) == 2


def test_at_a_shared_computer_every_sign_in_is_news_and_none_is_remembered(
    database_url: str, tmp_path: Path
) -> None:
    """The person before must not count as a known device of the next."""
    town = make_town(database_url, tmp_path, kiosk={"networks": ["192.0.2.0/24"]})
    town.clock.advance(60)
    browser = town.browser()
    for _ in range(2):
        browser.get("/login")
        answer = browser.sign_in(town.maria)
        assert "device" not in " ".join(answer.headers.getlist("Set-Cookie"))
    assert town.rows(KnownDevice) == []
    assert [open_message(town.context.vault, one).values["is_shared"] for one in notices(town)] == [
        True,
        True,
    ]
    assert "a shared computer" in browser.get(PAGE).text
    town.context.database.close()
