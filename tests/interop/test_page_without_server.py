"""`oidc-client-ts` in Chromium: a partner's site that is nothing but a page, at an origin of its own."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.scripts import HERE, need
from tests.support.tls import HttpsServer, make_authority

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.interop.strict import StrictTown
    from tests.support.tls import Authority

_KNOWS = """signedIn => {
  const told = JSON.parse(document.getElementById("told")?.textContent || "{}");
  return told.signed_in === signedIn || told.error;
}"""
LIBRARY = HERE / "node_modules" / "oidc-client-ts" / "dist" / "browser" / "oidc-client-ts.min.js"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    need("oidc-client-ts")
    return make_authority(tmp_path_factory.mktemp("page"))


@contextmanager
def site(strict: StrictTown, authority: Authority, *, dpop: bool) -> Iterator[str]:
    """The page at an origin of its own, registered without a secret; where it is."""
    settings: dict[str, Any] = {}
    shown = {
        "/app.js": ("text/javascript", (HERE / "browser_app.js").read_bytes()),
        "/oidc-client-ts.js": ("text/javascript", LIBRARY.read_bytes()),
        "/": ("text/html", (HERE / "browser_app.html").read_bytes()),
    }

    def respond(_method: str, path: str, _headers: Any, _body: bytes) -> tuple[int, dict[str, str], bytes]:
        if path == "/settings.json":
            return 200, {"Content-Type": "application/json"}, json.dumps(settings).encode()
        kind, content = shown.get(path, shown["/"])
        return 200, {"Content-Type": kind}, content

    with HttpsServer(authority, respond) as server:
        client = strict.register(
            redirect_uris=[f"{server.url}/callback"],
            post_logout_redirect_uris=[f"{server.url}/"],
            grant_types=["authorization_code", "refresh_token"],
            token_endpoint_auth_method="none",
            scope="openid email offline_access",
            dpop_bound_access_tokens=dpop,
        )
        settings |= {"issuer": strict.issuer, "client_id": client["client_id"], "dpop": dpop}
        yield server.url


@contextmanager
def window(browser: Browser) -> Iterator[Page]:
    """A window of a fresh profile, which takes the tests' certificates."""
    context = browser.new_context(locale="en-GB", ignore_https_errors=True)
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    yield page
    context.close()


def told(page: Page, *, signed_in: bool) -> dict[str, Any]:
    """What the page knows, once it knows whether somebody is signed in, or that something went wrong."""
    page.wait_for_function(_KNOWS, arg=signed_in)
    found: dict[str, Any] = json.loads(page.inner_text("#told"))
    assert "error" not in found, found
    return found


def sign_in(page: Page, strict: StrictTown, url: str) -> dict[str, Any]:
    """Into the page by way of the town, with a password."""
    told(page, signed_in=False)
    page.click("#enter")
    page.fill("#username", strict.username)
    page.fill("#password", strict.password)
    page.click("#login-submit")
    page.wait_for_url(lambda now: now.startswith(url) or "/consent" in now)
    if "/consent" in page.url:
        page.click("#consent-allow")
    page.wait_for_url(f"{url}/")
    return told(page, signed_in=True)


@pytest.mark.parametrize("dpop", [False, True], ids=["bearer", "dpop"])
def test_a_page_without_a_server_signs_in_reads_renews_and_signs_out(
    strict: StrictTown, authority: Authority, browser: Browser, *, dpop: bool
) -> None:
    """Code with PKCE and without a secret; token and userinfo across origins (CORS); refresh; RP-Initiated Logout."""
    with site(strict, authority, dpop=dpop) as url, window(browser) as page:
        page.goto(f"{url}/")
        first = sign_in(page, strict, url)
        assert first["data"]["email"] == strict.claims["email"]
        assert first["token_type"] == ("DPoP" if dpop else "Bearer")
        page.click("#renew")
        page.wait_for_function(
            "before => JSON.parse(document.getElementById('told').textContent).access_token !== before",
            arg=first["access_token"],
        )
        assert told(page, signed_in=True)["data"]["sub"] == first["data"]["sub"]
        page.click("#leave")
        told(page, signed_in=False)
        assert page.url == f"{url}/"


def test_a_page_notices_that_somebody_signed_out_elsewhere(
    strict: StrictTown, authority: Authority, browser: Browser
) -> None:
    """Session Management 1.0 §3: its frame of ours tells it, and a silent request (prompt=none) confirms it."""
    with site(strict, authority, dpop=False) as url, window(browser) as page:
        page.goto(f"{url}/")
        sign_in(page, strict, url)
        other = page.context.new_page()
        other.goto(f"{strict.issuer}/logout")
        other.click("#logout-confirm")
        page.wait_for_function("document.getElementById('noticed').textContent.length > 0")
        assert json.loads(page.inner_text("#noticed")) == "signed out elsewhere"
