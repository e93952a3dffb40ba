"""Error pages: what happened in plain words, a reference, and never what went wrong inside."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.town import ISSUER

if TYPE_CHECKING:
    from tests.support.town import Town

SECRET = "the inside of a stack trace"


def reference(text: str) -> str:
    """The reference that a page or an answer shows."""
    return re.findall(r"Reference:? ([0-9a-f]{8})", text)[0]


def test_an_unexpected_exception_gives_a_page_without_detail(
    town: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """ASVS 16.5.1: the reader gets a reference, and the log has the cause under it."""
    browser = town.browser()
    browser.sign_in(town.maria)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("idp.home.views.accounts.read_attributes", fail)
    with caplog.at_level(logging.ERROR, "denizen.web"):
        answer = browser.get("/account")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert not any(word in answer.text for word in (SECRET, "Traceback", "RuntimeError", ".py"))
    assert reference(answer.text) in caplog.text
    assert SECRET in caplog.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_unexpected_exception_of_an_endpoint_gives_json_without_detail(
    town_both_ways: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Partners' software gets an error it can read, by both ways in."""
    town = town_both_ways

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("idp.oidc.service.find_token_with_attributes", fail)
    with caplog.at_level(logging.ERROR, "denizen.web"):
        answer = town.userinfo("A" * 43)
    assert (answer.status_code, answer.json["error"]) == (500, "server_error")
    assert SECRET not in answer.text
    assert reference(answer.text) in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/nothing-here", 404, "There is nothing at this address"),
        ("GET", "/static/none.css", 404, "Page not found"),
        ("GET", "/static/../../etc/passwd", 404, "Page not found"),
        ("GET", "/consent/", 404, "Page not found"),
        ("GET", "/token", 405, "This does not work here"),
        ("DELETE", "/help", 405, "This does not work here"),
        ("TRACE", "/help", 405, "This does not work here"),
        ("GET", "/authorize", 400, "You cannot sign in from there"),
        ("GET", "/authorize/continue", 400, "This sign-in has ended"),
        ("GET", "/signup/confirm", 410, "This link no longer works"),
    ],
)
def test_every_mistake_has_a_page_in_plain_words(
    town: Town, method: str, path: str, status: int, words: str
) -> None:
    """One heading, what to do, the town's own frame; the status says the same to software."""
    answer = town.app.test_client().open(path, method=method, base_url=ISSUER)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert words in answer.text
    assert answer.text.count("<h1") == 1
    assert "Riverton" in answer.text
    if status == 405:
        assert answer.headers["Allow"]


def test_every_error_page_has_a_reference_of_its_own_that_the_log_knows(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    """A helpdesk finds the line by what the resident reads out."""
    client = town.app.test_client()
    with caplog.at_level(logging.INFO, "denizen.web"):
        shown = [reference(client.get("/nothing-here", base_url=ISSUER).text) for _ in range(3)]
    assert len(set(shown)) == 3
    assert all(one in caplog.text for one in shown)


def test_what_stands_in_the_address_is_never_part_of_the_page(town: Town) -> None:
    """K21: neither markup nor a template expression in an address comes alive."""
    client = town.app.test_client()
    for odd in (
        '"><svg onload=alert(1)>',
        "{{7*7}}",
        "%7B%7B7*7%7D%7D",
        "javascript:alert(1)",
        "%3Cscript%3E",
    ):
        for path in (
            f"/{odd}",
            f"/static/{odd}",
            f"/login?next={odd}",
            f"/signup?flow={odd}",
            f"/?lang={odd}",
        ):
            text = client.get(path, base_url=ISSUER).text
            assert "<svg onload" not in text, path
            assert "<script" not in text.lower().replace('<script src="/static/passkey.', ""), path
            assert ">49<" not in text, path


def test_head_has_the_status_and_headers_of_get(town: Town) -> None:
    """RFC 9110 §9.3.2."""
    client = town.app.test_client()
    for path in ("/", "/login", "/help", "/health", "/jwks", "/.well-known/openid-configuration", "/nothing"):
        head, get = (client.open(path, method=method, base_url=ISSUER) for method in ("HEAD", "GET"))
        assert (head.status_code, head.data) == (get.status_code, b""), path
        assert head.headers["Content-Type"] == get.headers["Content-Type"], path
