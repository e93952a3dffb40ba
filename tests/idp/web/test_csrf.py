"""The form token: one browser's own, for one app, and required by every page that changes something."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from idp.login.models import Challenge
from tests.support.town import ISSUER, hidden_fields

if TYPE_CHECKING:
    from tests.support.town import Town

#: The endpoints that partners' software calls, which therefore have no form token.
PROTOCOL = {
    "/authorize",
    "/consent/confirmations",
    "/consent/decisions",
    "/consent/requests",
    "/device_authorization",
    "/introspect",
    "/logout",
    "/par",
    "/revoke",
    "/token",
    "/userinfo",
}


def test_every_route_that_changes_something_wants_the_token(town: Town) -> None:
    """A new page cannot forget it: the check runs for the whole app, and who is left out is named here."""
    browser = town.browser()
    browser.sign_in(town.maria)
    checked = set()
    for rule in town.app.url_map.iter_rules():
        for method in (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}:
            if rule.rule in PROTOCOL or rule.rule.startswith("/register"):  # by bearer token, never by cookie
                continue
            path = re.sub(r"<[^>]*>", "x", rule.rule)
            answer = getattr(browser.http, method.lower())(path, base_url=ISSUER, data={"x": "1"})
            assert answer.status_code == 403, (method, path)
            checked.add(rule.rule)
    assert {"/login", "/signup", "/signup/confirm", "/consent", "/account/devices/<sid>/end"} <= checked


def test_the_token_belongs_to_one_browser(town: Town) -> None:
    """Another browser's token is foreign, and so is one's own in another browser."""
    first, second = town.browser(), town.browser()
    one = hidden_fields(first.get("/login").text, "/login")["csrf_token"]
    other = hidden_fields(second.get("/login").text, "/login")["csrf_token"]
    assert one != other
    for browser, token, status in ((first, one, 422), (first, other, 403), (second, one, 403)):
        assert browser.post("/login", {"csrf_token": token}).status_code == status


def test_what_answers_before_flask_wants_the_token_too(town: Town) -> None:
    """The options of a passkey: without the token, or from a page elsewhere, they are refused, and nothing is written."""
    browser = town.browser()
    token = hidden_fields(browser.get("/login").text, "/login/passkey")["csrf_token"]
    path = "/login/passkey/options"
    foreign = ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"})
    assert browser.post(path, {"x": "1"}).status_code == 403
    assert browser.post(path, {"csrf_token": "0" * 64}).status_code == 403
    for headers in foreign:
        assert browser.post(path, {"csrf_token": token}, headers=headers).status_code == 403
    assert town.rows(Challenge) == []
    assert browser.post(path, {"csrf_token": token}, headers={"Origin": ISSUER}).json["challenge"]
    assert len(town.rows(Challenge)) == 1


def test_the_token_of_the_staff_app_is_no_token_here(town: Town) -> None:
    """The name of the app is part of it, so one app's page cannot post to the other."""
    import hashlib
    import hmac

    browser = town.browser()
    browser.get("/login")
    cookie = browser.http.get_cookie("__Host-denizen-browser", domain="id.riverton.example")
    assert cookie is not None
    key = town.context.vault.subkey("csrf")
    tokens = {
        prefix: hmac.new(key, f"{prefix}|{cookie.value}".encode(), hashlib.sha256).hexdigest()
        for prefix in ("denizen", "denizen-staff")
    }
    assert browser.post("/login", {"csrf_token": tokens["denizen-staff"]}).status_code == 403
    assert browser.post("/login", {"csrf_token": tokens["denizen"]}).status_code == 422


def test_the_token_works_in_every_tab_and_after_signing_in(town: Town) -> None:
    """A page opened earlier can still be sent: residents have several tabs."""
    browser = town.browser()
    tokens = [hidden_fields(browser.get(path).text, path)["csrf_token"] for path in ("/login", "/signup")]
    assert tokens[0] == tokens[1]
    browser.sign_in(town.maria)
    assert browser.post("/signup", {"csrf_token": tokens[0], "email": "new@example.org"}).status_code == 200


def test_without_a_cookie_no_token_is_right(town: Town) -> None:
    """Neither an empty token nor the token of an empty cookie passes."""
    client = town.app.test_client(use_cookies=False)
    token = hidden_fields(client.get("/login", base_url=ISSUER).text, "/login")["csrf_token"]
    for sent in ("", token):
        answer = client.post("/login", data={"csrf_token": sent}, base_url=ISSUER)
        assert answer.status_code == 403
    assert "This form is no longer valid" in answer.text
