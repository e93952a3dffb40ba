"""Answers of the protocol endpoints, cookies, and the secrets they carry."""

from __future__ import annotations

import hashlib

import orjson
import pytest
from werkzeug.wrappers import Response

from idp.web.answers import STATUS_LINES, empty_answer, json_answer, redirect_answer
from idp.web.cookies import VALUE_LENGTH, Cookie, digest, equal, new_secret


@pytest.mark.parametrize(
    "answer",
    [
        json_answer(200, {"é": [1, None]}, ("X-More", "1")),
        redirect_answer("https://rp.example/cb?code=x"),
        empty_answer(204),
    ],
    ids=["json", "redirect", "empty"],
)
def test_every_answer_is_whole_private_and_closed(answer: object) -> None:
    """Status, true length, no caching, no framing; ready for WSGI."""
    status, headers, body = answer  # type: ignore[misc]
    named = dict(headers)
    assert len(named) == len(headers), "a header stands twice"
    assert int(named["Content-Length"]) == len(body)
    assert named["Cache-Control"] == "no-store"
    assert named["X-Content-Type-Options"] == "nosniff"
    assert named["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert STATUS_LINES[status].startswith(f"{status} ")


def test_json_is_utf_8_and_a_redirect_is_303() -> None:
    """RFC 9700 §4.12: only a 303 turns every method into GET, so no password is posted on."""
    assert orjson.loads(json_answer(200, {"é": "ü"}).body) == {"é": "ü"}
    assert redirect_answer("https://rp.example/").status == 303


@pytest.mark.parametrize(("secure", "name"), [(True, "__Host-denizen-x"), (False, "denizen-x")])
def test_a_cookie_is_set_and_removed_under_one_name(secure: bool, name: str) -> None:
    """The prefix needs Secure, Path=/ and no Domain, on removal as well."""
    cookie, response = Cookie("denizen-x", secure), Response()
    cookie.put(response, "v", max_age=60)
    cookie.drop(response)
    for header in response.headers.getlist("Set-Cookie"):
        parts = header.split("; ")
        assert parts[0].startswith(f"{name}=")
        assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(parts)
        assert ("Secure" in parts) == secure
        assert "Domain" not in header


def test_only_a_value_of_our_length_is_read() -> None:
    """What cannot be ours costs no look-up."""
    cookie, value = Cookie("denizen-x", secure=True), new_secret()
    assert len(value) == VALUE_LENGTH == 43
    assert cookie.read({cookie.name: value}) == value
    for odd in ("", "x", value + "x", value[:-1], "é" * 44):
        assert cookie.read({cookie.name: odd}) is None
    assert cookie.read({"denizen-x": value}) is None


def test_secrets_are_random_and_compared_whole() -> None:
    """256 bits each; comparing takes any text."""
    assert len({new_secret() for _ in range(100)}) == 100
    assert digest("x") == hashlib.sha256(b"x").digest()
    assert equal("é", "é")
    assert not equal("é", "e")
    assert not equal("", "x")
