"""K09: what waits for one browser cannot be answered in another, nor by another site's form."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from consent.models import Record
from idp.oidc.models import Authorization, Grant
from tests.support.nodes import NODES, THREADS, Request, two_nodes
from tests.support.town import ISSUER, Proof, answer_parameters, hidden_fields

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.town import Browser, Town


def waiting_for_consent(town: Town) -> tuple[Browser, dict[str, str]]:
    """Maria's browser on the release page, and the hidden fields of its form."""
    browser = town.browser()
    browser.follow(browser.authorize(town.library, "openid profile", Proof()))
    page = browser.follow(browser.sign_in(town.maria))
    return browser, hidden_fields(page.text, "/consent")


def assert_nothing_given(town: Town, answer: TestResponse) -> None:
    """No code, no consent, and nobody is sent to the partner."""
    assert "code=" not in answer.headers.get("Location", "")
    assert not answer.headers.get("Location", "").startswith("https://rp.example")
    assert [town.rows(model) for model in (Record, Grant, Authorization)] == [[], [], []]


def test_a_request_begun_in_one_browser_is_not_answered_in_another(town: Town) -> None:
    """CVE-2021-27582: a handle belongs to the browser in which it began, on every page that takes one."""
    attacker = town.browser()
    start = attacker.authorize(town.library, "openid profile", Proof())
    handle = start.headers["Location"].partition("flow=")[2]
    victim = town.browser()
    victim.sign_in(town.maria)
    for path in ("/authorize/continue", "/login", "/consent"):
        answer = victim.get(f"{path}?flow={handle}")
        assert answer.status_code == 409
        assert "This sign-in began in another browser" in answer.text
        assert_nothing_given(town, answer)


def test_agreeing_to_a_foreign_handle_is_refused_even_with_a_token_of_ones_own(town: Town) -> None:
    """Hydra PR 770: the victim's own form token does not make the attacker's handle the victim's."""
    attacker = town.browser()
    start = attacker.authorize(town.library, "openid profile", Proof())
    handle = start.headers["Location"].partition("flow=")[2]
    victim, own = waiting_for_consent(town)
    answer = victim.post("/consent", {**own, "flow": handle, "decision": "allow"})
    assert answer.status_code == 409
    assert_nothing_given(town, answer)
    # And the attacker's own browser, where nobody signed in, gets no further than the sign-in page.
    answer = attacker.follow(attacker.get(f"/authorize/continue?flow={handle}"))
    assert 'action="/login"' in answer.text
    assert_nothing_given(town, answer)


def test_agreeing_without_this_browsers_form_token_is_refused(town: Town) -> None:
    """A POST without proof that it comes from a page of ours in this browser changes nothing."""
    victim, own = waiting_for_consent(town)
    _, others = waiting_for_consent(town)
    handle = {"flow": own["flow"], "decision": "allow"}
    for forged in ({}, *({"csrf_token": token} for token in ("", others["csrf_token"], "é\x00" * 32))):
        answer = victim.post("/consent", {**handle, **forged})
        assert answer.status_code == 403, forged
        assert_nothing_given(town, answer)


FOREIGN_PLACES = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": f"{ISSUER}.evil.example"},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://other.riverton.example"},
]


def test_agreeing_from_another_site_is_refused_even_with_the_right_token(town: Town) -> None:
    """What the browser says about where a form stands counts besides the token."""
    victim, own = waiting_for_consent(town)
    for headers in FOREIGN_PLACES:
        answer = victim.post("/consent", {**own, "decision": "allow"}, headers=headers)
        assert answer.status_code == 403, headers
        assert_nothing_given(town, answer)


def test_an_answer_given_once_cannot_be_given_again(town: Town) -> None:
    """The handle is spent by the first answer; sending the same form again gives no second code."""
    victim, own = waiting_for_consent(town)
    first = victim.post("/consent", {**own, "decision": "allow"})
    assert "code" in answer_parameters(first)
    for decision in ("allow", "deny"):
        again = victim.post("/consent", {**own, "decision": decision})
        assert again.status_code == 400
        assert "Location" not in again.headers
    assert (len(town.rows(Authorization)), len(town.rows(Record))) == (1, 1)


def test_of_answers_at_once_one_counts(town: Town) -> None:
    """The handle is spent by one conditional write, whatever was read before it: ten callers in two processes."""
    browser, own = waiting_for_consent(town)
    cookies = (
        browser.http.get_cookie(f"__Host-denizen-{name}", urlsplit(ISSUER).netloc)
        for name in ("browser", "session")
    )
    headers = {"Cookie": "; ".join(f"{one.key}={one.value}" for one in cookies if one), "Origin": ISSUER}
    answers = [
        Request("/consent", {**own, "decision": ("allow", "deny")[number % 2]}, headers)
        for number in range(NODES * THREADS)
    ]
    with two_nodes(town) as nodes:
        replies = nodes.each_at_once(answers, int(town.clock()))
    assert sorted(reply.status for reply in replies) == [303] + [400] * (NODES * THREADS - 1)
    (winner,) = (reply.location for reply in replies if reply.status == 303)
    given = 1 if "code=" in winner else 0
    assert given or "error=access_denied" in winner
    assert (len(town.rows(Authorization)), len(town.rows(Grant))) == (given, given)


def test_extra_fields_of_the_form_change_nothing(town: Town) -> None:
    """CVE-2022-39222: where the code goes, for what and to whom stands on our side, not in the page."""
    victim, own = waiting_for_consent(town)
    forged = {
        "redirect_uri": "https://evil.example/cb",
        "client_id": "tax",
        "scope": "openid profile email residence offline_access",
        "claims": "birthdate",
        "state": "evil",
        "nonce": "evil",
        "code_challenge": Proof().challenge,
        "resident_id": town.jun.resident_id,
        "share": ["birthdate", "email", "name"],
    }
    answer = victim.post("/consent", {**own, **forged, "decision": "allow"})
    assert answer.headers["Location"].startswith("https://rp.example/cb?")
    assert answer_parameters(answer)["state"] == "st"
    (authorization,), (grant,) = town.rows(Authorization), town.rows(Grant)
    assert (authorization.client_id, authorization.scope) == ("library", "openid profile")
    assert (authorization.nonce, grant.resident_id) == ("no", town.maria.resident_id)
    assert grant.claims == "name"


def test_a_decision_that_is_neither_yes_nor_no_is_asked_for_again(town: Town) -> None:
    """An empty or unknown decision is no agreement."""
    victim, own = waiting_for_consent(town)
    for decision in ("", "ALLOW", "yes"):
        answer = victim.post("/consent", {**own, "decision": decision})
        assert answer.headers["Location"].startswith("/consent?flow=")
        assert_nothing_given(town, answer)
