"""Plans `oidcc-frontchannel-…`, `oidcc-backchannel-rp-initiated-logout-` and `oidcc-session-management-certification`."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jws

from idp.clients.registry import ClientRegistry
from idp.oidc.provider import Provider
from idp.signals.delivery import Messenger
from tests.conformance.leaving import frames_of, goes_on_to, parameters_of, signed_in
from tests.support.tls import HttpsServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.conftest import Inside
    from tests.conformance.leaving import Leaving
    from tests.conformance.suite import Suite

EVENT = "http://schemas.openid.net/event/backchannel-logout"


# --- front channel ---


def test_oidcc_frontchannel_logout_discovery_endpoint_verification(suite: Suite) -> None:
    """Both are there, and true."""
    assert suite.metadata["frontchannel_logout_supported"] is True
    assert suite.metadata["frontchannel_logout_session_supported"] is True


def test_oidcc_frontchannel_rp_initiated_logout(suite: Suite) -> None:
    """A frame with `iss` and the `sid` of the ID token and nothing else; then on to the client, with its state."""
    leaving = signed_in(suite, suite.client("front-channel"))
    wish = leaving.wish
    page = leaving.confirm(leaving.ask(wish)).page
    assert page is not None
    (frame,) = frames_of(page)
    registered = leaving.back.replace("post_logout_redirect", "frontchannel_logout")
    assert frame.partition("?")[0] == registered
    assert parameters_of(frame) == {"iss": suite.issuer, "sid": leaving.found.claims["sid"]}
    target = goes_on_to(page)
    assert target.startswith(leaving.back)
    assert parameters_of(target) == {"state": wish["state"]}
    policy = page.headers["content-security-policy"]
    assert f"frame-src https://{urlsplit(frame).netloc}" in policy
    leaving.assert_signed_out()


# --- back channel ---


class Listening:
    """The suite's page for logout tokens; `heard` are the headers and bodies of what came there."""

    def __init__(self, inside: Inside) -> None:
        self.heard: list[tuple[str, Any, str]] = []
        self.server = HttpsServer(inside.authority, self._respond)

    def _respond(
        self, method: str, _path: str, headers: Any, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        self.heard.append((method, headers, body.decode()))
        return 200, {"Cache-Control": "no-store"}, b""


@pytest.fixture
def listening(inside: Inside) -> Iterator[Listening]:
    made = Listening(inside)
    with made.server:
        yield made


def test_oidcc_backchannel_logout_discovery_endpoint_verification(suite: Suite) -> None:
    """Both are there, and true."""
    assert suite.metadata["backchannel_logout_supported"] is True
    assert suite.metadata["backchannel_logout_session_supported"] is True


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_oidcc_backchannel_rp_initiated_logout(inside: Inside, listening: Listening, alg: str) -> None:
    """One logout token, signed like the ID tokens of this client, about this session; and back to the client."""
    suite = inside.suite
    back = f"{suite.callback.rpartition('/')[0]}/post_logout_redirect"
    client = suite.registered(
        backchannel_logout_uri=f"{listening.server.url}/backchannel_logout",
        backchannel_logout_session_required=True,
        post_logout_redirect_uris=[back],
        id_token_signed_response_alg=alg,
    )
    client.alg = alg
    leaving = signed_in(suite, client, back)
    wish = leaving.wish
    arrival = leaving.confirm(leaving.ask(wish))
    assert arrival.url.startswith(back)
    assert arrival.parameters == {"state": wish["state"]}
    _deliver(inside)
    ((method, headers, body),) = listening.heard
    assert method == "POST"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    form = parse_qs(body, strict_parsing=True)
    assert set(form) == {"logout_token"}
    _check_logout_token(suite, leaving, form["logout_token"][0], alg)
    leaving.assert_signed_out()
    _deliver(inside)
    assert len(listening.heard) == 1


def _deliver(inside: Inside) -> None:
    """What the town's own thread does every second."""
    inside.clock.advance(1)
    messenger = Messenger(Provider(inside.context, ClientRegistry(inside.context.database)))
    messenger.run(int(inside.clock()))
    messenger.finish()


def _check_logout_token(suite: Suite, leaving: Leaving, token: str, alg: str) -> None:
    """Back-Channel Logout 1.0 §2.4."""
    told = suite.read_id_token(token, alg)
    assert jws.extract_compact(token.encode()).headers()["typ"] == "logout+jwt"
    assert (told["iss"], told["aud"]) == (suite.issuer, leaving.client.client_id)
    assert abs(told["iat"] - suite.now()) < 300
    assert suite.now() < told["exp"] <= suite.now() + 120
    assert told["jti"]
    assert told["events"] == {EVENT: {}}
    assert "nonce" not in told
    for name in ("sub", "sid"):
        assert told[name] == leaving.found.claims[name]


# --- session management ---


def test_oidcc_session_management_discovery_endpoint_verification(suite: Suite) -> None:
    """The frame is listed, by https; anybody may frame it, and it is of our origin, as its cookie is."""
    url = suite.metadata["check_session_iframe"]
    assert url.startswith(f"{suite.issuer}/")
    page = suite.send("GET", url)
    assert page.status == 200
    assert "x-frame-options" not in page.headers
    assert "frame-ancestors *" in page.headers["content-security-policy"]


def _says(suite: Suite, leaving: Leaving, session_state: str) -> str:
    """What the frame answers a page of the client (Session Management 1.0 §3.2), as its script works it out.

    The script itself runs in a real browser in `tests/idp/signals/test_in_browser.py`.
    """
    page = suite.send("GET", suite.metadata["check_session_iframe"]).text
    cookie = re.search(r'data-cookie="([^"]+)"', page)
    assert cookie
    state = leaving.browser.send.cookie(cookie[1])  # type: ignore[attr-defined]
    parts = urlsplit(leaving.client.redirect_uri)
    salt = session_state.rpartition(".")[2]
    said = f"{leaving.client.client_id} {parts.scheme}://{parts.netloc} {state} {salt}"
    same = session_state == f"{hashlib.sha256(said.encode()).hexdigest()}.{salt}"
    return "unchanged" if state and same else "changed"


def test_oidcc_session_management_rp_initiated_logout(suite: Suite) -> None:
    """`session_state` comes with the answer; the frame says unchanged, and changed once the resident has left."""
    leaving = signed_in(suite)
    told = leaving.found.front["session_state"]
    assert " " not in told
    assert _says(suite, leaving, told) == "unchanged"
    wish = leaving.wish
    arrival = leaving.confirm(leaving.ask(wish))
    assert arrival.parameters == {"state": wish["state"]}
    assert _says(suite, leaving, told) == "changed"
    leaving.assert_signed_out()
