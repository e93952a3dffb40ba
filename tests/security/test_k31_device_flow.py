"""K31: codes of devices are neither guessed nor phished nor redeemed twice, and nobody can lock others out with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from idp.login.budgets.rules import PLANS, TOWN_PARTS, WINDOW_FOR
from idp.oidc.device import rules
from idp.oidc.device.models import DeviceRequest
from idp.oidc.models import AccessToken, Authorization, RefreshToken
from idp.settings.throttle import ThrottleSettings
from idp.settings.tokens import TokenSettings
from tests.support import devices as support
from tests.support.devices import Device, allow, begin, confirm, enter, screen
from tests.support.nodes import NODES, THREADS, Request, two_nodes
from tests.support.town import Browser, hidden_fields, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.devices import Devices
    from tests.support.founding import Founding
    from tests.support.town import Town

devices = support.devices

WRONG = "BBBB-BBBB"
EACH = PLANS["device-code"].source or 0
ROUNDS = 5


@pytest.fixture
def small_town(database_url: str, founding: Founding, tmp_path: Path) -> Iterator[Town]:
    """A town with few guesses for all strangers together: ten for each of its parts."""
    made = make_town(database_url, tmp_path, founding=founding, throttle={"per_town": TOWN_PARTS * 10})
    yield made
    made.context.database.close()


def try_code(browser: Browser, code: str, source: str = "192.0.2.1") -> int:
    browser.http.environ_base["REMOTE_ADDR"] = source
    browser.get("/device")
    return browser.submit("/device", user_code=code).status_code


def test_a_code_has_twenty_bits_more_than_there_are_guesses_in_its_life() -> None:
    """RFC 8628 §5.1: one in a million for a whole town of attackers, with the settings at their worst."""
    longest = 1800
    assert TokenSettings().device_for <= longest
    windows = longest // WINDOW_FOR + 1
    guesses = ThrottleSettings().per_town * windows
    assert len(rules.ALPHABET) ** rules.LENGTH >= 2**20 * guesses


def test_a_source_soon_has_no_guesses_left(devices: Devices) -> None:
    """10,000 guesses from one address, in one session or in a hundred: twenty are looked at."""
    device, saved = devices.begin(), devices.town.browser()
    statuses = [
        try_code(saved if number % 2 else devices.town.browser(), WRONG, "198.51.100.7")
        for number in range(EACH + 5)
    ]
    assert statuses == [422] * EACH + [429] * 5
    assert (
        try_code(devices.town.browser(), device.user_code, "198.51.100.7") == 429
    )  # nor is a right one told
    assert try_code(devices.town.browser(), device.user_code, "198.51.100.8") == 303


def test_right_codes_and_what_cannot_be_one_use_up_nothing(devices: Devices) -> None:
    """A library with one address and many screens never locks itself out."""
    browser, code = devices.town.browser(), devices.begin().user_code
    for _ in range(EACH + 5):
        assert try_code(browser, code, "198.51.100.9") == 303
        assert try_code(browser, "1234", "198.51.100.9") == 422
    assert try_code(browser, WRONG, "198.51.100.9") == 422


def test_a_hundred_sources_use_up_nobodys_way_in(small_town: Town) -> None:
    """K28: when strangers have spent the town's guesses, whoever signs in has their own, and passwords are untouched."""
    town = small_town
    partner = screen(town)
    town.fresh()
    statuses = [
        try_code(town.browser(), WRONG, f"198.51.{source}.1") for source in range(40) for _ in range(12)
    ]
    assert statuses.count(422) <= TOWN_PARTS * 10
    assert statuses.count(429) >= 40 * 2
    device = begin(town, partner)
    blocked = next(f"198.51.{source}.1" for source in range(40) if statuses[source * 12 + 11] == 429)
    browser = town.browser()
    assert try_code(browser, device.user_code, blocked) == 429
    assert "Sign in first" in browser.last.text  # type: ignore[union-attr]
    page = browser.follow(browser.get("/login?next=/device"))
    page = browser.follow(browser.sign_in(town.maria))
    assert page.request.path == "/device"
    assert "You can go back to the device" in allow(browser, device).text
    assert device.tokens()["access_token"]


def test_who_is_signed_in_has_ten_guesses_wherever_they_are(devices: Devices) -> None:
    """An account is no way around the count."""
    browser = devices.town.browser()
    browser.sign_in(devices.town.jun)
    statuses = [try_code(browser, WRONG, f"203.0.113.{number}") for number in range(15)]
    assert statuses == [422] * 10 + [429] * 5
    assert try_code(devices.maria, devices.begin().user_code, "203.0.113.1") == 303


def test_strangers_cannot_begin_without_end(town: Town) -> None:
    """A public client proves nothing: one source may ask for a hundred codes in a quarter of an hour."""
    partner = screen(town)
    town.fresh()
    answers = [support.ask(town, partner, "openid") for _ in range(102)]
    assert [one.status_code for one in answers] == [200] * 100 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) > 0


# --- codes that somebody else sent ---


def test_a_link_with_a_code_does_nothing_by_itself(devices: Devices) -> None:
    """RFC 8628 §5.4, CVE-2023-2585: opening it, signed in and agreed before, decides nothing and keeps nothing."""
    device = devices.begin()
    before = len(devices.town.rows(Authorization))
    for method in ("get", "head"):
        answer = getattr(devices.maria.http, method)(device.address, base_url="https://id.riverton.example")
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
    assert (device.error(), len(devices.town.rows(Authorization))) == ("authorization_pending", before)
    page = devices.maria.get("/device")
    assert device.user_code not in page.text  # nor does the next visit know it


def test_every_page_before_the_yes_names_service_and_code_and_warns(devices: Devices) -> None:
    """The wave of 2026: codes on the phone, links in mails."""
    device = devices.begin()
    warning = "Only go on if you started this yourself on a device in front of you"
    assert warning in devices.maria.get(device.address).text
    page = enter(devices.maria, device.user_code)
    for shown in (
        device.user_code,
        "Riverton Screens",
        warning,
        "They want to get in as you",
        "Maria Okafor",
    ):
        assert shown in page.text


def test_a_yes_from_another_site_is_no_yes(devices: Devices) -> None:
    """No cross-site request enters or confirms a code."""
    device = devices.begin()
    enter(devices.maria, device.user_code)
    fields = hidden_fields(devices.maria.last.text, "/device/confirm")  # type: ignore[union-attr]
    forged = {"flow": fields["flow"], "decision": "go"}
    assert devices.maria.post("/device/confirm", forged).status_code == 403
    assert devices.maria.post("/device", {"user_code": device.user_code}).status_code == 403
    assert device.error() == "authorization_pending"
    assert devices.maria.get(f"/device/confirm?flow={fields['flow']}&decision=go").status_code == 200
    assert device.error() == "slow_down"


def test_the_run_of_one_browser_is_good_in_no_other(devices: Devices) -> None:
    """K09: a handle that was sent on, before or after the yes, leads to a fresh start without it."""
    device = devices.begin(devices.new_terminal())
    enter(devices.maria, device.user_code)
    handle = hidden_fields(devices.maria.last.text, "/device/confirm")["flow"]  # type: ignore[union-attr]
    confirm(devices.maria)
    thief = devices.town.browser()
    thief.sign_in(devices.town.jun)
    for path in ("/device/confirm", "/authorize/continue", "/consent"):
        assert thief.get(f"{path}?flow={handle}").status_code == 409
    page = thief.get(f"/device/confirm?flow={handle}")
    answer = thief.follow(thief.submit("/authorize/restart"))
    assert (answer.status_code, "This code is used already" in answer.text) == (409, True), page.text
    assert device.error() == "authorization_pending"


def test_what_was_refused_stays_refused(devices: Devices) -> None:
    """Neither a later yes nor a poll wakes it."""
    device = devices.begin()
    enter(devices.maria, device.user_code)
    fields = hidden_fields(devices.maria.last.text, "/device/confirm")  # type: ignore[union-attr]
    devices.maria.follow(devices.maria.submit("/device/confirm", decision="cancel"))
    assert devices.maria.post("/device/confirm", {**fields, "decision": "go"}).status_code == 400
    assert try_code(devices.maria, device.user_code) == 409
    assert [device.error() for _ in range(2)] == ["access_denied"] * 2


# --- two processes ---


def _polling(device: Device) -> Request:
    return Request("/token", *device.partner.authentication(device.poll_form()))


def test_of_parallel_polls_on_two_nodes_exactly_one_gets_tokens(town: Town) -> None:
    """RFC 8628 §3.5, on both engines: five rounds of ten callers in two processes, one set of tokens each."""
    partner = screen(town)
    town.fresh()
    browser = town.browser()
    with two_nodes(town) as nodes:
        for round_ in range(1, ROUNDS + 1):
            device = begin(town, partner)
            allow(browser, device)
            replies = nodes.all_at_once(_polling(device), int(town.clock()))
            assert sorted(reply.status for reply in replies) == [200] + [400] * (NODES * THREADS - 1)
            assert {one.body["error"] for one in replies if one.status == 400} == {"invalid_grant"}
            tokens = next(one.body for one in replies if one.status == 200)
            assert town.userinfo(tokens["access_token"]).status_code == 200
            assert len(town.rows(AccessToken)) == len(town.rows(RefreshToken)) == round_


def test_polls_that_come_at_once_count_each(town: Town) -> None:
    """Of ten at the same moment one is on time, and nine make the device slower: none is lost."""
    partner = screen(town)
    town.fresh()
    device = begin(town, partner)
    with two_nodes(town) as nodes:
        replies = nodes.all_at_once(_polling(device), int(town.clock()))
    errors = sorted(reply.body["error"] for reply in replies)
    assert errors == ["authorization_pending"] + ["slow_down"] * 9
    (row,) = town.rows(DeviceRequest)
    assert row.poll_every == rules.POLL_EVERY + 9 * rules.SLOWER_BY


def test_of_two_residents_at_the_same_moment_one_has_the_device(town: Town) -> None:
    """The yes is one conditional write: five of Maria's and five of Jun's, in two processes."""
    partner = screen(town)
    town.fresh()
    browsers = {person: town.browser() for person in (town.maria, town.jun)}
    for person, browser in browsers.items():
        browser.sign_in(person)
    with two_nodes(town) as nodes:
        for _ in range(ROUNDS):
            device = begin(town, partner)
            requests = []
            for browser in browsers.values():
                enter(browser, device.user_code)
                fields = hidden_fields(browser.last.text, "/device/confirm")  # type: ignore[union-attr]
                cookies = "; ".join(f"{one.key}={one.value}" for one in browser.http._cookies.values())
                one = Request("/device/confirm", {**fields, "decision": "go"}, {"Cookie": cookies})
                requests.append([one] * (NODES * THREADS // 2))
            mixed = [one for pair in zip(*requests, strict=True) for one in pair]
            replies = nodes.each_at_once(mixed, int(town.clock()))
            hers, his = ({one.status for one in replies[at::2]} for at in (0, 1))
            assert (hers, his) in (({303}, {409}), ({409}, {303}))
