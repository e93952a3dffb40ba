"""K29: a passkey's answer counts only for our origin, our challenge, this browser, this purpose, once."""

from __future__ import annotations

import logging
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from idp.login.models import BrowserSession, Challenge, Passkey
from idp.messaging.models import Message
from tests.support.authenticator import BE, BS, UP, UV, Authenticator, Lie, b64, lying, unb64
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
from tests.support.town import Proof

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.town import Browser, Town

HOST = "id.riverton.example"
OURS = f"https://{HOST}"

#: What both ceremonies must refuse.
LIES: dict[str, Lie] = {
    "wrong origin": lying(origin="https://evil.example"),
    "our name before another domain": lying(origin=f"{OURS}.evil.example"),
    "another name of our domain": lying(origin="https://staff.riverton.example"),
    "a name below ours": lying(origin=f"https://x.{HOST}"),
    "our domain": lying(origin="https://riverton.example"),
    "plain http": lying(origin=f"http://{HOST}"),
    "another port": lying(origin=f"{OURS}:8443"),
    "with a path": lying(origin=f"{OURS}/"),
    "other case": lying(origin=OURS.upper()),
    "null": lying(origin="null"),
    "no origin": lying(client={"origin": None}),
    "origins": lying(client={"origin": [OURS]}),
    "cross origin": lying(client={"crossOrigin": True}),
    "cross origin in another type": lying(client={"crossOrigin": "true"}),
    "top origin": lying(client={"topOrigin": "https://evil.example"}),
    "rp of another domain": lying(rp_id="evil.example"),
    "rp of the domain above": lying(rp_id="riverton.example"),
    "rp is the origin": lying(rp_id=OURS),
    "challenge chosen by the client": lying(challenge=secrets.token_bytes(32)),
    "empty challenge": lying(challenge=b""),
    "no challenge": lying(client={"challenge": None}),
    "person not present": lying(flags=UV),
    "person not verified": lying(flags=UP),
    "neither": lying(flags=0),
    "backed up but not eligible": lying(flags=UP | UV | BS),
    "other ceremony": lying(type="payment.get"),
}


def live(town: Town) -> list[BrowserSession]:
    return [row for row in town.rows(BrowserSession) if row.ended_at is None]


def assert_refused(town: Town, answer: TestResponse) -> None:
    """A page says so; nobody is signed in."""
    assert answer.status_code == 422, answer.headers.get("Location")
    assert live(town) == []
    assert not [cookie for cookie in answer.headers.getlist("Set-Cookie") if "-session" in cookie]


@pytest.fixture
def device(town: Town) -> Authenticator:
    """Maria's, with its passkey."""
    made = Authenticator()
    enrol(town.browser(), town.maria, made)
    return made


# --- get ---


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_no_lie_signs_in(town: Town, device: Authenticator, lie: Lie) -> None:
    """WebAuthn L3 §7.2; the answer is signed by the right key, so only the one step stands against it."""
    assert_refused(town, sign_in_with(town.browser(), device, lie=lie))
    assert sign_in_with(town.browser(), device).status_code == 303, "and without the lie it works"


def test_an_answer_for_making_a_passkey_signs_nobody_in(town: Town, device: Authenticator) -> None:
    """The two types swapped, and the two challenges."""
    assert_refused(town, sign_in_with(town.browser(), device, lie=lying(type="webauthn.create")))
    browser = town.browser()
    sign_in_with(browser, device)
    before = [row.sid for row in live(town)]
    found = options(browser, ADD, new_page(browser))
    signing = device.get({**found, "rpId": HOST})
    answer = hand_over(browser, SIGN_IN, open_sign_in(browser), signing)
    assert answer.status_code == 422
    assert [row.sid for row in live(town)] == before


@pytest.mark.parametrize("where", ["another browser", "another request", "no request"])
def test_a_challenge_counts_where_it_was_given_out(town: Town, device: Authenticator, where: str) -> None:
    """CVE-2026-8830: bound to the browser, and to the partner's request in which it was asked for."""
    browser = town.browser()
    asked = browser.follow(browser.authorize(town.tax, "openid", Proof()))
    fields = open_sign_in(browser, asked.request.full_path)
    signed = device.get(options(browser, SIGN_IN, fields))
    if where == "another browser":
        browser = town.browser()
        fields = open_sign_in(browser)
    elif where == "another request":
        other = browser.follow(browser.authorize(town.library, "openid", Proof()))
        fields = open_sign_in(browser, other.request.full_path)
    else:
        fields = open_sign_in(browser)
    assert_refused(town, hand_over(browser, SIGN_IN, fields, signed))


def test_a_challenge_counts_in_the_browser_that_asked_for_it(town: Town, device: Authenticator) -> None:
    """Two browsers on the same plain sign-in page: nothing but the browser differs."""
    asking, answering = town.browser(), town.browser()
    signed = device.get(options(asking, SIGN_IN, open_sign_in(asking)))
    assert_refused(town, hand_over(answering, SIGN_IN, open_sign_in(answering), signed))


@pytest.mark.parametrize("outcome", ["success", "failure"])
def test_a_challenge_is_spent_on_every_outcome(town: Town, device: Authenticator, outcome: str) -> None:
    """CVE-2026-28787: the same answer a second time, and a right one after a wrong one."""
    browser = town.browser()
    fields = open_sign_in(browser)
    found = options(browser, SIGN_IN, fields)
    first = device.get(found, lying(flags=UP) if outcome == "failure" else Lie())
    assert hand_over(browser, SIGN_IN, fields, first).status_code == (422 if outcome == "failure" else 303)
    browser.get("/logout")
    browser.submit("/logout") if outcome == "success" else None
    (spent,) = [row for row in town.rows(Challenge) if row.purpose == "get"]
    assert spent.spent_at is not None
    for again in (first, device.get(found)):
        assert_refused(town, hand_over(browser, SIGN_IN, fields, again))


def test_of_parallel_answers_one_signs_in(town: Town, device: Authenticator) -> None:
    """CVE-2026-76214: the challenge is spent by one conditional write before anything is verified."""
    device.synced = True  # so that no counter stands against a second use, but the challenge alone
    with town.context.database.transaction() as session:
        from sqlalchemy import update

        session.execute(update(Passkey).values(may_sync=True, is_synced=True, sign_count=0))
    device.credentials[0].count = 0
    browser = town.browser()
    fields = open_sign_in(browser)
    signed = device.get(options(browser, SIGN_IN, fields))
    cookies = browser.http.get_cookie("__Host-denizen-browser", domain=HOST)
    assert cookies is not None
    together = threading.Barrier(4)

    def send(_: int) -> int:
        one = town.browser()
        one.http.set_cookie("__Host-denizen-browser", cookies.value, domain=HOST, secure=True)
        together.wait(30)
        status = hand_over(one, SIGN_IN, fields, signed).status_code
        town.context.database.fast.close()
        return status

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(send, range(4)))
    assert sorted(statuses) == [303, 422, 422, 422]
    assert len(live(town)) == 1


@pytest.mark.parametrize(("age", "status"), [(299, 303), (300, 422), (3600, 422)])
def test_a_challenge_lives_for_five_minutes(town: Town, device: Authenticator, age: int, status: int) -> None:
    browser = town.browser()
    fields = open_sign_in(browser)
    signed = device.get(options(browser, SIGN_IN, fields))
    town.clock.advance(age)
    assert hand_over(browser, SIGN_IN, fields, signed).status_code == status


def test_the_id_is_written_once_and_one_way(town: Town, device: Authenticator) -> None:
    """The id differs from rawId, padding, another alphabet, bits that no byte has: each is another text for the same."""
    browser = town.browser()
    for change in (
        {"id": b64(b"another")},
        {"rawId": b64(b"another")},
        {"id": ""},
        {"type": "password"},
        {"id": b64(device.credentials[0].id) + "=", "rawId": b64(device.credentials[0].id) + "="},
    ):
        fields = open_sign_in(browser)
        signed = device.get(options(browser, SIGN_IN, fields))
        assert_refused(town, hand_over(browser, SIGN_IN, fields, {**signed, **change}))


def test_a_counter_that_does_not_go_on_is_refused_and_reported(
    town: Town, device: Authenticator, caplog: pytest.LogCaptureFixture
) -> None:
    """§7.2 step 22: two devices have one key. The operator reads it; nobody is named."""
    for _ in range(3):
        assert sign_in_with(town.browser(), device).status_code == 303
    (kept,) = town.rows(Passkey)
    assert kept.sign_count == 3
    before = len(live(town))
    for count in (0, 2, 3):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "denizen.login"):
            assert sign_in_with(town.browser(), device, lie=lying(count=count)).status_code == 422
        assert f"passkey sign count not greater passkey={kept.id} received={count}" in caplog.text
    assert (len(live(town)), town.rows(Passkey)[0].sign_count) == (before, 3)
    assert sign_in_with(town.browser(), device, lie=lying(count=4)).status_code == 303


def test_a_wrong_signature_with_a_wrong_counter_is_no_event(
    town: Town, device: Authenticator, caplog: pytest.LogCaptureFixture
) -> None:
    """Strangers cannot raise the alarm: the counter is looked at after the signature."""
    sign_in_with(town.browser(), device)
    with caplog.at_level(logging.WARNING, "denizen.login"):
        answer = sign_in_with(
            town.browser(), device, lie=lying(count=0, signature=b"\x30\x06\x02\x01\x01\x02\x01\x01")
        )
    assert answer.status_code == 422
    assert caplog.text == ""


def test_a_passkey_that_changes_its_nature_is_refused(town: Town, device: Authenticator) -> None:
    """§7.2 step 19: a key of one device never becomes one that is shared, so its level is never overstated."""
    answer = sign_in_with(town.browser(), device, lie=lying(flags=UP | UV | BE))
    assert_refused(town, answer)


def test_a_signature_by_another_key_is_refused(town: Town, device: Authenticator) -> None:
    stranger = Authenticator()
    stranger.create({"rp": {"id": HOST}, "user": {"id": b64(b"u" * 32)}, "challenge": b64(b"c" * 32)})
    stranger.credentials[0].id = device.credentials[0].id
    stranger.credentials[0].user_handle = device.credentials[0].user_handle
    assert_refused(town, sign_in_with(town.browser(), stranger))


def test_what_an_answer_says_starts_no_line_of_the_log(
    town: Town, device: Authenticator, caplog: pytest.LogCaptureFixture
) -> None:
    """The reason of a refusal quotes the answer; it stays on its line, and short."""
    with caplog.at_level(logging.INFO, "denizen.login"):
        sign_in_with(town.browser(), device, lie=lying(origin="https://x\npasskey added " + "y" * 5000))
    (line,) = [record.getMessage() for record in caplog.records if "purpose=get" in record.getMessage()]
    assert "\n" not in line
    assert len(line) < 300


# --- create ---


def begin_adding(browser: Browser) -> tuple[dict[str, str], dict[str, Any]]:
    """The form for a new passkey and its options."""
    fields = new_page(browser)
    return fields, options(browser, ADD, fields)


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_no_lie_adds_a_passkey(town: Town, lie: Lie) -> None:
    """WebAuthn L3 §7.1; and nobody is told of a passkey that was not added."""
    browser = town.browser()
    browser.sign_in(town.maria)
    fields, found = begin_adding(browser)
    answer = hand_over(browser, ADD, fields, Authenticator().create(found, lie), name="Key")
    assert answer.status_code == 422
    assert "could not be added" in answer.text
    assert (town.rows(Passkey), town.rows(Message)) == ([], [])


def test_an_answer_for_signing_in_adds_no_passkey(town: Town, device: Authenticator) -> None:
    """Types and challenges swapped the other way."""
    browser = town.browser()
    sign_in_with(browser, device)
    fields, found = begin_adding(browser)
    answer = hand_over(
        browser, ADD, fields, Authenticator().create(found, lying(type="webauthn.get")), name="Key"
    )
    assert answer.status_code == 422
    signing = options(browser, SIGN_IN, open_sign_in(browser))
    made = Authenticator().create({**found, "challenge": signing["challenge"]})
    assert hand_over(browser, ADD, fields, made, name="Key").status_code == 422
    assert len(town.rows(Passkey)) == 1


@pytest.mark.parametrize("lie", [lying(raw_id=b"i" * 1024), lying(fmt="android-safetynet"), lying(fmt="x")])
def test_odd_passkeys_are_not_kept(town: Town, lie: Lie, caplog: pytest.LogCaptureFixture) -> None:
    """§7.1 steps 22 and 25: ids of more than 1023 bytes, attestation that was not asked for."""
    browser = town.browser()
    browser.sign_in(town.maria)
    fields, found = begin_adding(browser)
    with caplog.at_level(logging.INFO, "denizen.login"):
        answer = hand_over(browser, ADD, fields, Authenticator().create(found, lie), name="Key")
    assert answer.status_code == 422
    assert town.rows(Passkey) == []
    if lie.fmt != "none":
        assert "attestation of an unknown format" in caplog.text, "no other parser has met it"


def test_the_id_of_the_answer_is_the_id_on_the_device(town: Town) -> None:
    browser, device = town.browser(), Authenticator()
    browser.sign_in(town.maria)
    fields, found = begin_adding(browser)
    made = device.create(found)
    other = b64(secrets.token_bytes(32))
    for change in ({"id": other}, {"rawId": other}, {"id": other, "rawId": other}):
        assert hand_over(browser, ADD, fields, {**made, **change}, name="Key").status_code == 422
    assert town.rows(Passkey) == []


def test_a_new_passkey_is_added_once_in_time_and_in_its_browser(town: Town) -> None:
    """The challenge of `create` is bound and spent like that of `get`."""
    browser, device = town.browser(), Authenticator()
    browser.sign_in(town.maria)
    fields, found = begin_adding(browser)
    made = device.create(found)
    other = town.browser()
    other.sign_in(town.maria)
    assert hand_over(other, ADD, new_page(other), made, name="Key").status_code == 422
    assert hand_over(browser, ADD, fields, made, name="Key").status_code == 422, "spent by the other browser"
    fields, found = begin_adding(browser)
    town.clock.advance(300)
    assert hand_over(browser, ADD, fields, device.create(found), name="Key").status_code == 422
    assert town.rows(Passkey) == []
    browser.get("/login")
    browser.sign_in(town.maria)
    add_passkey(browser, device)
    (spent, *_) = [row for row in town.rows(Challenge) if row.spent_at == int(town.clock())]
    assert spent.resident_id == town.maria.resident_id


def test_the_challenge_is_32_random_bytes_and_never_the_same(town: Town) -> None:
    browser = town.browser()
    fields = open_sign_in(browser)
    found = [unb64(options(browser, SIGN_IN, fields)["challenge"]) for _ in range(5)]
    assert {len(one) for one in found} == {32}
    assert len(set(found)) == 5
