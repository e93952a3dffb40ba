"""K34: what belongs to somebody else looks exactly like what does not exist."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from consent.models import Record
from idp.login.models import BrowserSession
from idp.oidc.models import AccessToken, Authorization, Grant
from tests.support.town import ISSUER, hidden_fields

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.town import Browser, Town

ABSENT = "A" * 22
#: Ids that could upset a parser, a path or a database.
ODD = ["%00", "%00" * 22, "%ff%fe", "..%2f..", "'%20OR%201=1--", "%F0%9F%98%80", "a" * 5000, "%0d%0aX:1"]


def seen(answer: TestResponse) -> tuple[int, str]:
    """Status and text, but for the reference and the form tokens."""
    text = re.sub(r"Reference: [0-9a-f]{8}", "Reference", answer.text)
    return answer.status_code, re.sub(r'value="[0-9a-f]{64}"', "", text)


def post(browser: Browser, path: str, **more: Any) -> TestResponse:
    """A POST with this browser's own form token."""
    token = hidden_fields(browser.get("/login").text, "/login")["csrf_token"]
    return browser.post(path, {"csrf_token": token, **more.pop("data", {})}, **more)


def both(town: Town) -> tuple[Browser, Browser]:
    """Maria's and Jun's browsers, signed in."""
    browsers = town.browser(), town.browser()
    for browser, person in zip(browsers, (town.maria, town.jun), strict=True):
        browser.sign_in(person)
    return browsers


def test_another_residents_session_cannot_be_ended(town: Town) -> None:
    """CVE-2026-4630: the same 404 as for a session that never was, and nothing is changed."""
    maria, jun = both(town)
    sids = {row.resident_id: row.sid for row in town.rows(BrowserSession)}
    hers = sids[town.maria.resident_id]
    answers = [post(jun, f"/account/devices/{sid}/end") for sid in (hers, ABSENT)]
    assert seen(answers[0]) == seen(answers[1])
    assert answers[0].status_code == 404
    assert [row.ended_at for row in town.rows(BrowserSession)] == [None, None]
    assert maria.get("/account").status_code == 200
    assert hers not in jun.get("/account").text
    assert post(maria, f"/account/devices/{hers}/end").status_code == 303  # its owner may
    assert maria.get("/account").status_code == 303


def test_another_residents_services_are_absent(town: Town) -> None:
    """A service that only Maria uses is unknown to Jun, like one that does not exist."""
    town.tokens(town.library, town.maria)
    maria, jun = both(town)
    before = len(town.rows(Record))
    for path in ("", "/withdrawn"):
        answers = [jun.get(f"/privacy/services/{one}{path}") for one in ("library", "tax", "nothing")]
        assert len({seen(answer) for answer in answers}) == 1
        assert answers[0].status_code == 404
    answers = [post(jun, f"/privacy/services/{one}/withdraw") for one in ("library", "nothing")]
    assert seen(answers[0]) == seen(answers[1])
    assert answers[0].status_code == 404
    assert (len(town.rows(Record)), [grant.revoked_at for grant in town.rows(Grant)]) == (before, [None])
    for page in ("/privacy", "/privacy/history"):
        assert "Riverton Public Library" not in jun.get(page).text
        assert "Riverton Public Library" in maria.get(page).text


def test_other_methods_do_not_get_round_it(town: Town) -> None:
    """HEAD looks, and never acts; method overrides are not listened to."""
    _, jun = both(town)
    sids = {row.resident_id: row.sid for row in town.rows(BrowserSession)}
    own, hers = sids[town.jun.resident_id], sids[town.maria.resident_id]
    for sid in (own, hers):
        path = f"/account/devices/{sid}/end"
        for method in ("get", "head", "put", "delete", "patch"):
            assert getattr(jun.http, method)(path, base_url=ISSUER).status_code in (403, 405), method
        assert jun.http.options(path, base_url=ISSUER).data == b""
        for override in ({"X-HTTP-Method-Override": "POST"}, {"X-Method-Override": "POST"}):
            assert jun.get(path, headers=override).status_code == 405
        assert jun.get(f"{path}?_method=POST").status_code == 405
    assert [row.ended_at for row in town.rows(BrowserSession)] == [None, None]


def test_odd_ids_are_absent_and_no_mistake_of_ours(town: Town) -> None:
    """Whatever stands in the address, the answer is 404 and never 500, on both databases."""
    _, jun = both(town)
    for odd in ODD:
        for path in (f"/privacy/services/{odd}", f"/privacy/services/{odd}/withdrawn"):
            assert jun.get(path).status_code in (308, 404), path
        for path in (f"/account/devices/{odd}/end", f"/privacy/services/{odd}/withdraw"):
            assert post(jun, path).status_code in (308, 404), path
        for name in ("flow", "token", "before", "lang", "next"):
            for path in (
                "/authorize/continue",
                "/login",
                "/consent",
                "/signup/confirm",
                "/privacy",
                "/signup",
            ):
                assert jun.get(f"{path}?{name}={odd}").status_code < 500, (path, name, odd)


def test_a_client_learns_nothing_about_anothers_tokens(town: Town) -> None:
    """Introspection says the one word, revocation has no effect, the code endpoint refuses."""
    tokens = town.tokens(town.library, town.maria, "openid profile offline_access")
    for token in (tokens["access_token"], tokens["refresh_token"], "A" * 43, "\x00", ""):
        if token:
            assert town.introspect(town.tax, token).json == {"active": False}
        answer = town.call("/revoke", town.tax, {"token": token})
        assert answer.status_code == (200 if token else 400)
    assert town.refresh(town.tax, tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert town.userinfo(tokens["access_token"]).status_code == 200
    assert [row.revoked_at for row in (*town.rows(AccessToken), *town.rows(Authorization))] == [None, None]
    assert town.refresh(town.library, tokens["refresh_token"]).status_code == 200
