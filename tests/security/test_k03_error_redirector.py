"""K03: an error is told to the person in front of us until the address to send it to is proven."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from sqlalchemy import update

from idp.clients.models import ClientRow
from idp.jobs.stamps import CLIENTS, bump
from idp.oidc.interactions import WAIT_FOR
from idp.oidc.models import Authorization
from tests.support.front import MODES, TYPES, read
from tests.support.settled import assert_refused_back, assert_refused_here, footprint, parameters
from tests.support.town import CALLBACK, Proof, hidden_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from tests.support.front import Front
    from tests.support.settled import Settled
    from tests.support.town import Browser, Town

EVIL = "https://evil.test"

MISTAKES: dict[str, dict[str, str | None]] = {
    "nothing else": {},
    "bad response_type": {"response_type": "fish"},
    "token response_type": {"response_type": "token"},
    "no response_type": {"response_type": None},
    "bad scope": {"scope": "fish"},
    "no scope": {"scope": None},
    "no challenge": {"code_challenge": None},
    "no method": {"code_challenge_method": None},
    "plain": {"code_challenge_method": "plain"},
    "bad prompt": {"prompt": "fish"},
    "silent": {"prompt": "none"},
    "bad max_age": {"max_age": "-1"},
    "bad response_mode": {"response_mode": "fish"},
    **{mode: {"response_mode": mode} for mode in (*MODES, "jwt")},
    **{f"{mode}, silent": {"response_mode": mode, "prompt": "none"} for mode in MODES},
    "request object": {"request": "e30.e30."},
    "request_uri": {"request_uri": "https://evil.test/request"},
    "registration": {"registration": "{}"},
    "long state": {"state": "s" * 3000},
    "unknown client": {"client_id": "nobody"},
    "client with a NUL": {"client_id": "library\0"},
    "no client": {"client_id": None},
    "empty client": {"client_id": ""},
}
REPEATED = ("response_type", "scope", "state", "client_id", "redirect_uri", "code_challenge", "prompt")


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_no_mistake_sends_anyone_to_an_address_that_is_not_registered(
    settled: Settled, mistake: dict[str, str | None]
) -> None:
    """RFC 9700 §4.11.2, CVE-2026-41479, CVE-2026-44681."""
    before = footprint(settled.town)
    for uri in (EVIL, f"{CALLBACK}@evil.test", None):
        assert_refused_here(settled.ask(parameters(settled.town.library, **{**mistake, "redirect_uri": uri})))
    assert footprint(settled.town) == before


@pytest.mark.parametrize("name", REPEATED)
def test_a_repeated_parameter_sends_nobody_there_either(settled: Settled, name: str) -> None:
    """The evil address first, last, or both; and any other parameter twice."""
    before = footprint(settled.town)
    asked = parameters(settled.town.library, redirect_uri=EVIL)
    again = {"redirect_uri": CALLBACK}.get(name, asked.get(name, "login"))
    assert_refused_here(settled.ask(f"{urlencode(asked)}&{urlencode({name: again})}"))
    assert_refused_here(settled.ask(f"{urlencode({name: again})}&{urlencode(asked)}"))
    assert footprint(settled.town) == before


def test_a_client_switched_off_is_as_good_as_unknown(settled: Settled) -> None:
    """RFC 6749 §4.1.2.1: an invalid client_id is never answered by a redirect, its registered address or not."""
    assert_refused_here(settled.ask(parameters(settled.town.library, client_id="nobody")))
    assert_refused_here(
        settled.ask(parameters(settled.town.library, client_id=settled.town.service.client_id))
    )


WAYS_TO_END: dict[str, Callable[[Town, Browser], TestResponse]] = {
    "signed in": lambda town, browser: browser.sign_in(town.maria),
    "cancelled": lambda _, browser: browser.submit("/login", cancel="1"),
    "allowed": lambda _, browser: browser.allow(),
    "refused": lambda _, browser: browser.deny(),
    "gone on": lambda _, browser: browser.get(f"/authorize/continue?flow={flow_of(browser)}"),
    "too late": lambda town, browser: late(town, browser, f"/authorize/continue?flow={flow_of(browser)}"),
}


def flow_of(browser: Browser) -> str:
    """The handle of the request on the page shown last."""
    assert browser.last is not None
    path = "/consent" if 'action="/consent"' in browser.last.text else "/login"
    return hidden_fields(browser.last.text, path)["flow"]


def late(town: Town, browser: Browser, path: str) -> TestResponse:
    """A page when the request has waited too long."""
    town.clock.advance(WAIT_FOR + 1)
    return browser.get(path)


@pytest.mark.parametrize("way", WAYS_TO_END)
def test_what_waits_is_not_answered_where_its_client_is_no_more(town: Town, way: str) -> None:
    """RFC 9700 §2.1: a redirect URI that was taken away, as after its host was lost, gets neither codes nor errors."""
    browser = town.browser()
    browser.follow(browser.authorize(town.library, "openid profile", Proof()))
    if way in ("allowed", "refused", "gone on"):
        browser.follow(browser.sign_in(town.maria))
    assert flow_of(browser)
    with town.context.database.transaction() as session:
        row = update(ClientRow).where(ClientRow.client_id == "library")
        session.execute(row.values(redirect_uris=["https://rp.example/new"]))
        bump(session, CLIENTS)
    town.fresh()
    answer = browser.follow(WAYS_TO_END[way](town, browser))
    assert (answer.status_code, "Location" in answer.headers) == (400, False)
    assert "This sign-in has ended" in answer.text
    assert town.rows(Authorization) == []


def test_the_same_mistakes_are_told_to_the_client_at_its_own_address(settled: Settled) -> None:
    """Against refusing everything: with the registered address the client learns what was wrong."""
    library = settled.town.library
    assert_refused_back(settled.ask(parameters(library, response_type="fish")), "unsupported_response_type")
    assert_refused_back(settled.ask(parameters(library, scope="fish")), "invalid_scope")
    assert_refused_back(settled.ask(parameters(library, code_challenge=None)), "invalid_request")
    assert_refused_back(settled.ask(parameters(library, request="e30.e30.")), "invalid_request_object")


@pytest.mark.parametrize("mode", [None, *MODES])
@pytest.mark.parametrize("response_type", TYPES)
def test_a_client_of_old_software_sends_nobody_elsewhere_either(
    front: Front, response_type: str, mode: str | None
) -> None:
    """In no mode does a page of ours carry a form, an address or a policy that leads to the evil one."""
    before = footprint(front.town)
    for change in ({}, {"scope": "fish"}, {"nonce": None}, {"prompt": "none"}):
        for uri in (EVIL, f"{front.clients['old'].redirect_uri}@evil.test", None):
            asked = {"response_type": response_type, "response_mode": mode, "redirect_uri": uri, **change}
            answer = front.ask("old", **asked)
            assert_refused_here(answer)
            assert "evil.test" not in answer.text
            assert "<form" not in answer.text
    assert footprint(front.town) == before


def test_in_every_mode_the_client_learns_of_mistakes_at_its_own_address(front: Front) -> None:
    """Against refusing everything."""
    for mode in MODES:
        told = read(front.ask("old", response_mode=mode, scope="fish"))
        assert (told.carrier, told.address) == (mode.partition(".")[0], "https://old.example/cb")
