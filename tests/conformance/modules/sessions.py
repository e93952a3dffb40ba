"""Who signed in when: `prompt`, `max_age` and `id_token_hint`."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from tests.conformance.client import refusal

if TYPE_CHECKING:
    from tests.conformance.run import Run


def oidcc_prompt_login(run: Run) -> None:
    """A second sign-in is demanded, and auth_time is later than the first."""
    client, browser = run.client(), run.suite.browser()
    first = client.sign_in(browser)
    run.suite.wait(1)
    second = client.sign_in(browser, client.request(prompt="login"))
    assert browser.sign_ins == 2
    if "auth_time" in first.claims:
        assert second.claims["auth_time"] > first.claims["auth_time"]
    assert second.claims["sub"] == first.claims["sub"]


def oidcc_prompt_none_not_logged_in(run: Run) -> None:
    """Without a session an error comes back, with a state of 128 letters intact and no code."""
    client = run.client()
    request = client.request(prompt="none", state=secrets.token_urlsafe(96))
    assert len(request["state"]) == 128
    browser = run.suite.browser()
    arrival = client.visit(browser, request)
    expected = {"login_required", "interaction_required", "consent_required", "account_selection_required"}
    assert refusal(arrival, request, run.way) in expected
    assert browser.sign_ins + browser.agreements == 0


def oidcc_prompt_none_logged_in(run: Run) -> None:
    """With a session it succeeds without a page of questions, for the same person at the same time."""
    client, browser = run.client(), run.suite.browser()
    first = client.sign_in(browser)
    seen = len(browser.pages)
    run.suite.wait(1)
    second = client.sign_in(browser, client.request(prompt="none"))
    assert len(browser.pages) == seen
    same = ("sub", "auth_time")
    assert [second.claims[name] for name in same] == [first.claims[name] for name in same]


def oidcc_id_token_hint(run: Run) -> None:
    """prompt=none with the ID token of before as a hint: the same person, who signed in at the same time."""
    client, browser = run.client(), run.suite.browser()
    first = client.sign_in(browser)
    run.suite.wait(1)
    second = client.sign_in(browser, client.request(prompt="none", id_token_hint=first.id_token))
    same = ("sub", "auth_time")
    assert [second.claims[name] for name in same] == [first.claims[name] for name in same]


def oidcc_max_age_1(run: Run) -> None:
    """After two seconds max_age=1 demands a new sign-in, and the ID token says when that was."""
    client, browser = run.client(), run.suite.browser()
    first = client.sign_in(browser)
    run.suite.wait(2)
    second = client.sign_in(browser, client.request(max_age="1"))
    assert browser.sign_ins == 2
    assert second.claims["auth_time"] > first.claims["auth_time"]
    assert run.suite.now() - second.claims["auth_time"] < 60


def oidcc_max_age_10000(run: Run) -> None:
    """A young sign-in serves; auth_time stands in both ID tokens and is the same."""
    client, browser = run.client(), run.suite.browser()
    first = client.sign_in(browser, client.request(max_age="15000"))
    run.suite.wait(1)
    second = client.sign_in(browser, client.request(max_age="10000"))
    assert browser.sign_ins == 1
    assert second.claims["auth_time"] == first.claims["auth_time"]


MODULES = {
    "oidcc-prompt-login": oidcc_prompt_login,
    "oidcc-prompt-none-not-logged-in": oidcc_prompt_none_not_logged_in,
    "oidcc-prompt-none-logged-in": oidcc_prompt_none_logged_in,
    "oidcc-id-token-hint": oidcc_id_token_hint,
    "oidcc-max-age-1": oidcc_max_age_1,
    "oidcc-max-age-10000": oidcc_max_age_10000,
}
