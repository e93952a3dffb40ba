"""K30: a passkey opens its owner's account and no other, and only its owner adds, names or removes it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from idp.login.models import BrowserSession, Passkey
from tests.support.authenticator import Authenticator, b64, lying
from tests.support.passkeys import (
    ADD,
    SIGN_IN,
    add_passkey,
    enrol,
    hand_over,
    new_page,
    open_sign_in,
    options,
)
from tests.support.passkeys import sign_in as sign_in_with
from tests.support.town import hidden_fields

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.town import Town

ABSENT = "A" * 22
WORDS = "Signing in with a passkey did not work"


def live(town: Town) -> list[str]:
    """Who is signed in somewhere."""
    return sorted(row.resident_id for row in town.rows(BrowserSession) if row.ended_at is None)


@pytest.fixture
def devices(town: Town) -> tuple[Authenticator, Authenticator]:
    """Maria's and Jun's, each with a passkey."""
    found = Authenticator(), Authenticator()
    for device, person in zip(found, (town.maria, town.jun), strict=True):
        enrol(town.browser(), person, device)
    return found


def test_a_passkey_does_not_answer_for_the_resident_who_was_named(
    town: Town, devices: tuple[Authenticator, Authenticator]
) -> None:
    """CVE-2026-82466: Maria is asked to prove herself again, Jun's passkey answers."""
    maria, jun = devices
    browser = town.browser()
    browser.sign_in(town.maria)
    town.clock.advance(301)
    path = browser.get(f"{ADD}/new").headers["Location"]
    before = live(town)
    for lie in (lying(), lying(user_handle=maria.credentials[0].user_handle), lying(no_user_handle=True)):
        fields = open_sign_in(browser, path)
        answer = hand_over(browser, SIGN_IN, fields, jun.get(options(browser, SIGN_IN, fields), lie))
        assert (answer.status_code, WORDS in answer.text) == (422, True)
    assert live(town) == before
    fields = open_sign_in(browser, path)
    right = maria.get(options(browser, SIGN_IN, fields), lying(no_user_handle=True))
    assert hand_over(browser, SIGN_IN, fields, right).status_code == 303, "who was named needs no handle"


def test_whom_the_form_names_counts_for_nothing(
    town: Town, devices: tuple[Authenticator, Authenticator]
) -> None:
    """The account that opens is the passkey's, whatever else is sent."""
    _, jun = devices
    browser = town.browser()
    fields = open_sign_in(browser)
    signed = jun.get(options(browser, SIGN_IN, fields))
    names = {"username": "maria", "user_id": town.maria.resident_id, "resident_id": town.maria.resident_id}
    hand_over(browser, SIGN_IN, fields, {**signed, **names}, **names)
    assert live(town) == [town.jun.resident_id]


@pytest.mark.parametrize("named", ["another's", "unknown", "none"])
def test_the_user_handle_must_be_the_owners(
    town: Town, devices: tuple[Authenticator, Authenticator], named: str
) -> None:
    """CVE-2026-37982, WebAuthn L3 §7.2 step 6; the handle is not signed, so it is never believed alone."""
    maria, jun = devices
    lie = {
        "another's": lying(user_handle=jun.credentials[0].user_handle),
        "unknown": lying(user_handle=b"z" * 32),
        "none": lying(no_user_handle=True),
    }[named]
    answer = sign_in_with(town.browser(), maria, lie=lie)
    assert (answer.status_code, WORDS in answer.text) == (422, True)
    assert live(town) == []


def test_the_id_of_anothers_passkey_needs_anothers_key(
    town: Town, devices: tuple[Authenticator, Authenticator]
) -> None:
    """Jun's device signs and says it is Maria's passkey."""
    maria, jun = devices
    lie = lying(raw_id=maria.credentials[0].id, user_handle=maria.credentials[0].user_handle)
    assert sign_in_with(town.browser(), jun, lie=lie).status_code == 422
    assert live(town) == []


def test_a_new_passkey_goes_to_whoever_is_signed_in(town: Town) -> None:
    """CVE-2026-105209: `user_id` in the body names nobody."""
    browser, device = town.browser(), Authenticator()
    browser.sign_in(town.jun)
    names = {"user_id": town.maria.resident_id, "resident_id": town.maria.resident_id, "username": "maria"}
    fields = {**new_page(browser), **names}
    found = options(browser, ADD, fields)
    made = device.create(found)
    made["user_id"] = town.maria.resident_id
    assert hand_over(browser, ADD, fields, made, name="Key").status_code == 303
    assert [row.resident_id for row in town.rows(Passkey)] == [town.jun.resident_id]
    sign_in_with(town.browser(), device)
    assert town.maria.resident_id not in live(town)


def test_what_one_resident_began_no_other_finishes(town: Town) -> None:
    """Maria asks for a passkey; in the same browser Jun signs in and sends the answer."""
    browser, device = town.browser(), Authenticator()
    browser.sign_in(town.maria)
    fields = new_page(browser)
    made = device.create(options(browser, ADD, fields))
    browser.get("/login")
    browser.sign_in(town.jun)
    assert hand_over(browser, ADD, fields, made, name="Key").status_code == 422
    assert town.rows(Passkey) == []


def test_one_credential_belongs_to_one_resident(
    town: Town, devices: tuple[Authenticator, Authenticator]
) -> None:
    """§7.1 step 26: registering the id of another's passkey takes nothing over and adds nothing."""
    maria, jun = devices
    before = {row.credential_hash: (row.resident_id, bytes(row.public_key)) for row in town.rows(Passkey)}
    for device in (jun, maria):
        browser = town.browser()
        sign_in_with(browser, device)
        fields = new_page(browser)
        copy = Authenticator().create(options(browser, ADD, fields), lying(raw_id=maria.credentials[0].id))
        answer = hand_over(browser, ADD, fields, copy, name="Key")
        assert (answer.status_code, "could not be added" in answer.text) == (422, True)
    assert {
        row.credential_hash: (row.resident_id, bytes(row.public_key)) for row in town.rows(Passkey)
    } == before
    browser = town.browser()
    assert sign_in_with(browser, maria).status_code == 303
    assert "Maria Okafor" in browser.get("/account").text


def seen(answer: TestResponse) -> tuple[int, str]:
    """Status and text, but for the reference."""
    return answer.status_code, re.sub(r"Reference: [0-9a-f]{8}", "", answer.text)


def test_anothers_passkey_is_absent(town: Town, devices: tuple[Authenticator, Authenticator]) -> None:
    """K34: looking at it, naming it and removing it are 404, as for one that never was."""
    hers = next(row.id for row in town.rows(Passkey) if row.resident_id == town.maria.resident_id)
    browser = town.browser()
    sign_in_with(browser, devices[1])
    token = new_page(browser)
    looked = [seen(browser.get(f"{ADD}/{one}")) for one in (hers, ABSENT)]
    named = [seen(browser.post(f"{ADD}/{one}", {**token, "name": "Mine"})) for one in (hers, ABSENT)]
    removed = [seen(browser.post(f"{ADD}/{one}/remove", token)) for one in (hers, ABSENT)]
    for first, second in (looked, named, removed):
        assert first == second
        assert first[0] == 404
    assert hers not in browser.get("/account/sign-in").text
    assert len(town.rows(Passkey)) == 2
    owner = town.browser()
    owner.sign_in(town.maria)
    assert "My telephone" in owner.get("/account/sign-in").text


def test_odd_names_in_addresses_are_absent(town: Town) -> None:
    """Whatever stands in the address, never an error of ours, on both databases."""
    browser = town.browser()
    browser.sign_in(town.jun)
    token: dict[str, Any] = hidden_fields(browser.get("/login").text, "/login")
    for odd in ("%00", "%ff%fe", "'%20OR%201=1--", "a" * 3000, "%F0%9F%98%80", "..%2f.."):
        assert browser.get(f"{ADD}/{odd}").status_code in (308, 404), odd
        for action in ("", "/remove"):
            answer = browser.post(f"{ADD}/{odd}{action}", {**token, "name": "x"})
            assert answer.status_code in (308, 404), odd


def test_a_null_byte_in_an_answer_is_no_error(
    town: Town, devices: tuple[Authenticator, Authenticator]
) -> None:
    """PostgreSQL takes no NUL in text; nothing of an answer is stored as text but what we know."""
    browser = town.browser()
    sign_in_with(browser, devices[1])
    fields = new_page(browser)
    made = Authenticator().create(options(browser, ADD, fields))
    made["response"]["transports"] = ["\x00", "internal", 7, "x" * 500]
    assert hand_over(browser, ADD, fields, json.dumps(made), name="Key\u00e9").status_code == 303
    assert b64(devices[1].credentials[0].id)


def test_a_passkey_added_in_one_account_shows_in_no_other(town: Town) -> None:
    browser = town.browser()
    browser.sign_in(town.jun)
    add_passkey(browser, Authenticator(), "Juns key")
    other = town.browser()
    other.sign_in(town.maria)
    assert "Juns key" not in other.get("/account/sign-in").text
