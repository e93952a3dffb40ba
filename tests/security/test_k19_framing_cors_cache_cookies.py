"""K19: no page in a frame, no answer readable by other sites, nothing private in a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.town import ISSUER, Proof

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.town import Town

EVIL = ["https://evil.example", "null", "https://id.riverton.example.evil.example"]
PUBLIC = {"/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}


def everything(town: Town, headers: dict[str, str]) -> dict[str, TestResponse]:
    """An answer of every kind that the app gives, each asked for with these headers."""
    browser = town.browser()
    found: dict[str, TestResponse] = {}

    def get(path: str) -> TestResponse:
        found[f"GET {path.partition('?')[0]} {len(found)}"] = answer = browser.get(path, headers=headers)
        return answer

    for path in ("/", "/login", "/signup", "/help", "/accessibility", "/privacy-statement", "/nothing-here"):
        get(path)
    for path in ("/logout", "/account", "/privacy", "/signup/confirm?token=x", "/authorize", "/health"):
        get(path)
    for path in sorted(PUBLIC):
        get(path)
    query = browser.authorize(town.library, "openid profile", Proof()).request.path  # cookies, and a flow
    assert query == "/authorize"
    browser.sign_in(town.maria)
    for path in ("/account", "/privacy", "/privacy/history", "/privacy/services/none", "/login"):
        get(path)
    waiting = browser.follow(browser.authorize(town.library, "openid profile", Proof()))
    found["GET /consent"] = get(f"/consent?{waiting.request.query_string.decode()}")
    found["POST /consent, refused"] = browser.post("/consent", {}, headers=headers)
    found["POST /consent"] = browser.follow(get(f"/consent?{waiting.request.query_string.decode()}"))
    browser.last = found["POST /consent"]
    found["POST /consent"] = browser.allow()
    proof = Proof()
    found["code redirect"] = answer = browser.authorize(town.library, "openid profile", proof)
    code = answer.headers["Location"].partition("code=")[2].partition("&")[0]
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": proof.verifier}
    form["redirect_uri"] = town.library.redirect_uri
    found["POST /token"] = town.call("/token", town.library, form, headers=headers)
    found["POST /token, refused"] = town.call("/token", town.library, form, headers=headers)
    token = found["POST /token"].json["access_token"]
    for path in ("/introspect", "/revoke"):
        found[f"POST {path}"] = town.call(path, town.library, {"token": token}, headers=headers)
    client = town.app.test_client(use_cookies=False)
    for method in ("get", "post", "options"):
        send = getattr(client, method)
        found[f"{method} /userinfo"] = send(
            "/userinfo", base_url=ISSUER, headers={**headers, "Authorization": f"Bearer {token}"}
        )
    for path in ("/token", "/authorize", "/introspect", "/login"):
        found[f"OPTIONS {path}"] = client.options(
            path, base_url=ISSUER, headers={**headers, "Access-Control-Request-Method": "POST"}
        )
    return found


@pytest.fixture
def answers(town_both_ways: Town) -> dict[str, TestResponse]:
    return everything(town_both_ways, {})


def is_public(name: str) -> bool:
    return any(f" {path} " in name for path in PUBLIC)


def test_every_answer_forbids_frames_and_foreign_content(answers: dict[str, TestResponse]) -> None:
    """RFC 9700 §4.16, ASVS 3.4: the policy stands on pages, errors, redirects and JSON alike."""
    for name, answer in answers.items():
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy, name
        assert "default-src 'none'" in policy, name
        assert "unsafe" not in policy, name
        assert ("script-src 'self'; " in policy) == ('src="/static/passkey.' in answer.text), name
        assert answer.headers["X-Frame-Options"] == "DENY", name
        assert answer.headers["X-Content-Type-Options"] == "nosniff", name
        assert answer.headers["Referrer-Policy"] == "same-origin", name
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", name
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000"), name


def test_nothing_private_may_be_kept_by_a_cache(answers: dict[str, TestResponse]) -> None:
    """CVE-2023-30861, RFC 6749 §5.1: pages, codes, tokens and claims carry no-store."""
    for name, answer in answers.items():
        kept = answer.headers["Cache-Control"]
        if is_public(name):
            assert kept.startswith("public, max-age="), name
            assert not answer.headers.getlist("Set-Cookie"), name
        else:
            assert kept == "no-store", name


def test_no_answer_carries_a_header_twice(answers: dict[str, TestResponse]) -> None:
    """Two values of one security header are as good as none: each reader picks another."""
    for name, answer in answers.items():
        names = [header.lower() for header, _ in answer.headers if header != "Set-Cookie"]
        assert len(names) == len(set(names)), (name, names)


@pytest.mark.parametrize("origin", EVIL)
def test_no_other_origin_may_read_an_answer(town: Town, origin: str) -> None:
    """CVE-2024-41657: only what is the same for everybody may be read elsewhere, and never with credentials."""
    for name, answer in everything(town, {"Origin": origin}).items():
        allowed = answer.headers.get("Access-Control-Allow-Origin")
        assert allowed == ("*" if is_public(name) else None), name
        assert "Access-Control-Allow-Credentials" not in answer.headers, name


def test_a_fragment_of_the_asking_site_does_not_reach_a_page_with_buttons(town: Town) -> None:
    """Cross-window forgery: `/authorize?…#consent-allow` would focus the button for a held Enter key.

    A browser hands the fragment on over redirects unless the new address has its own (Fetch §4.4).
    """
    browser = town.browser()
    steps = [browser.authorize(town.library, "openid profile", Proof())]
    steps.append(browser.get(steps[-1].headers["Location"]))
    browser.follow(steps[-1])
    steps.append(browser.sign_in(town.maria))
    steps.append(browser.get(steps[-1].headers["Location"].partition("#")[0]))
    pages = [step.headers["Location"] for step in steps if "/authorize" not in step.headers["Location"]]
    assert len(pages) == 2, "the sign-in page and the release page"
    for page in pages:
        assert "#" in page, page
