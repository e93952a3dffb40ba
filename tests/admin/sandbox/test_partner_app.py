"""A partner app on its own: what it does with answers that it must not believe."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from admin.sandbox.partner_app import PartnerApp, Registration
from admin.sandbox.partner_sites import partner_sites
from admin.sandbox.ports import Ports
from admin.sandbox.visits import Memory
from tests.support.loopback import free_port

ISSUER = "http://localhost:8400"
LIBRARY = partner_sites(Ports())[0]


def new_app(issuer: str = ISSUER) -> PartnerApp:
    """The library, with what the town's discovery document says already read."""
    app = PartnerApp(LIBRARY, Registration(issuer, LIBRARY.client_id, "secret", "session secret"))
    if issuer == ISSUER:
        app.town.server_metadata.update(
            {
                "_loaded_at": 1,
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
            }
        )
    return app


def test_sign_in_uses_the_code_flow_with_pkce_state_and_nonce() -> None:
    """RFC 9700 §2.1: code, S256, state; OIDC Core §3.1.2.1: nonce."""
    answer = new_app().flask.test_client().get("/sign-in")
    asked = {name: one for name, (one,) in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
    assert answer.headers["Location"].startswith(f"{ISSUER}/authorize?")
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["redirect_uri"] == f"{LIBRARY.url}/callback"
    assert all(len(asked[name]) >= 20 for name in ("state", "nonce", "code_challenge"))
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("library-session=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_a_second_proof_is_asked_for_where_it_matters() -> None:
    """OIDC Core §3.1.2.1 acr_values: beside the paper list, the app and text messages can be tried without a tool."""
    answer = new_app().flask.test_client().get("/sign-in/safer")
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert asked["acr_values"] == ["strong"]
    assert asked["code_challenge_method"] == ["S256"]


def test_the_two_apps_use_different_cookies() -> None:
    """Ports do not separate cookies on one machine."""
    library, tax = (
        PartnerApp(site, Registration(ISSUER, site.client_id, "x", "y")).flask.config["SESSION_COOKIE_NAME"]
        for site in partner_sites(Ports())
    )
    assert library != tax


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("error=access_denied&state=x", 200, "chose not to share"),
        ("error=server_error&state=x", 400, "not signed in"),
        ("code=stolen&state=of-somebody-else", 400, "not signed in"),
        ("code=x", 400, "not signed in"),
        ("", 400, "not signed in"),
    ],
)
def test_an_answer_that_nobody_asked_for_signs_nobody_in(query: str, status: int, words: str) -> None:
    """A refusal is fine; a foreign state, issuer or code is not believed, and no stack trace is shown."""
    browser = new_app().flask.test_client()
    answer = browser.get(f"/callback?{query}")
    assert answer.status_code == status
    assert words in answer.text
    assert "What we know about you" not in browser.get("/").text


def test_a_code_from_another_town_is_not_redeemed() -> None:
    """RFC 9207: the issuer of the answer is the one that was asked, or the code goes nowhere."""
    app = new_app()
    app.town.server_metadata["token_endpoint"] = f"http://localhost:{free_port()}/token"
    browser = app.flask.test_client()
    asked = parse_qs(urlsplit(browser.get("/sign-in").headers["Location"]).query)
    query = {"code": "x", "state": asked["state"][0], "iss": "http://evil.example"}
    assert browser.get("/callback", query_string=query).status_code == 400
    query["iss"] = ISSUER
    assert browser.get("/callback", query_string=query).status_code == 503, "now it is redeemed: in vain"


def test_a_sign_in_in_one_tab_leaves_that_of_another_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tabs were sent to the town; whichever comes back second is still known."""
    app = new_app()
    browser = app.flask.test_client()
    first, second = (
        parse_qs(urlsplit(browser.get("/sign-in").headers["Location"]).query)["state"][0] for _ in range(2)
    )
    token = {"userinfo": {"sub": "s", "sid": "i"}, "access_token": "a"}
    monkeypatch.setattr(app.town, "fetch_access_token", lambda **_: dict(token))
    monkeypatch.setattr(app, "_ask", lambda *_: {"name": "Maria"})
    for state in (first, second):
        answer = browser.get("/callback", query_string={"code": "x", "state": state, "iss": ISSUER})
        assert answer.status_code == 303, answer.text


def test_a_town_that_does_not_answer_is_told_in_plain_words() -> None:
    """The page says that it is not the reader's mistake."""
    answer = new_app(f"http://localhost:{free_port()}").flask.test_client().get("/sign-in")
    assert answer.status_code == 503
    assert "cannot be reached" in answer.text


def test_forgotten_visits_and_stray_posts_change_nothing() -> None:
    """After a restart the app knows nobody: its buttons lead home."""
    browser = new_app().flask.test_client()
    for path in ("/refresh", "/sign-out"):
        answer = browser.post(path)
        assert (answer.status_code, answer.headers["Location"]) == (303, LIBRARY.url)
    assert browser.get("/sign-out").status_code == 405


def test_memory_drops_the_oldest() -> None:
    """A demo that runs for weeks does not fill the machine."""
    memory: Memory[int] = Memory()
    keys = [memory.add(number) for number in range(1001)]
    assert memory.get(keys[0]) is None
    assert memory.get(keys[-1]) == 1000
