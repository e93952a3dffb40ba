"""An OpenID provider that says whatever a test wants, over real HTTPS; and a town that is connected with it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from idp.login.upstream.service import open_upstreams
from idp.settings import testing
from idp.web.fetcher import Fetcher
from tests.support.tls import HttpsServer
from tests.support.town import make_town

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from werkzeug.test import TestResponse

    from tests.support.founding import Founding
    from tests.support.tls import Authority
    from tests.support.town import Browser, Town

KEYS = [ECKey.generate_key("P-256", {"kid": f"key-{number}"}) for number in (1, 2)]
SETTINGS: dict[str, Any] = {
    "names": {"en": "Neighbouring town", "fr": "La ville voisine"},
    "client_id": "riverton",
    "client_secret": "s3cret & more",
    "levels": {"two-factors": "strong"},
}


@dataclass
class Provider:
    """The hostile provider. What a field says replaces what an honest provider would say."""

    authority: Authority
    now: Callable[[], float]
    subject: str = "person-1"
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    token: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    published: list[ECKey] = field(default_factory=lambda: KEYS[:1])
    signs_with: ECKey = field(default_factory=lambda: KEYS[0])
    make_id_token: Callable[[dict[str, Any]], str] | None = None
    responses: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    hits: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = HttpsServer(self.authority, self._respond)
        self.issuer = self.server.url

    def _respond(
        self, method: str, path: str, headers: Any, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        path = urlsplit(path).path
        self.hits.append(path)
        if path in self.responses:
            return self.responses[path]
        if path == "/token":
            self.forms.append({name: values[0] for name, values in parse_qs(body.decode()).items()})
            self.authorizations.append(headers.get("Authorization", ""))
        said = {
            "/.well-known/openid-configuration": self._metadata,
            "/jwks": lambda: {"keys": [key.as_dict(private=False) for key in self.published]},
            "/token": self._token,
            "/userinfo": lambda: {"sub": self.subject, **self.userinfo},
        }[path]()
        return 200, {"Content-Type": "application/json"}, json.dumps(said).encode()

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            **self.metadata,
        }

    def _token(self) -> dict[str, Any]:
        claims = {**self.honest_claims(), **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        make = self.make_id_token or self.signed
        return {"access_token": "at", "token_type": "Bearer", "id_token": make(claims), **self.token}

    def honest_claims(self) -> dict[str, Any]:
        now = int(self.now())
        return {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": SETTINGS["client_id"],
            "exp": now + 300,
            "iat": now,
            "nonce": self.asked["nonce"],
            **({"auth_time": now} if "max_age" in self.asked else {}),
            "acr": "two-factors",
            "amr": ["pwd", "otp", "mfa", "nonsense"],
            "email": "maria@example.org",
            "email_verified": True,
        }

    def signed(self, claims: dict[str, Any]) -> str:
        header = {"alg": "ES256", "kid": self.signs_with.kid, "typ": "JWT", **self.header}
        header = {name: value for name, value in header.items() if value is not None}
        segments = b".".join(
            base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in (header, claims)
        )
        signature = JWSRegistry.algorithms["ES256"].sign(segments, self.signs_with)
        return (segments + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()

    # --- the browser's part ---

    def sign_in(
        self,
        browser: Browser,
        page: TestResponse | None = None,
        name: str = "neighbour",
        **answer: str | None,
    ) -> TestResponse:
        """From the sign-in page there and back; `answer` changes the answer's parameters."""
        self.leave(browser, page, name)
        return self.come_back(browser, name, **answer)

    def leave(self, browser: Browser, page: TestResponse | None = None, name: str = "neighbour") -> None:
        """Press the button of the sign-in page, or the link of the one with all providers."""
        sent = self.press(browser, page or browser.get("/login"), name)
        assert sent.status_code == 303, sent.text[:2000]
        target = urlsplit(sent.headers["Location"])
        assert f"{target.scheme}://{target.netloc}" == self.issuer, sent.headers["Location"]
        self.asked = {name: values[0] for name, values in parse_qs(target.query).items()}

    def press(
        self, browser: Browser, page: TestResponse, name: str = "neighbour", **ticked: str
    ) -> TestResponse:
        """Where the button or link of a page leads; `ticked` is what is sent along with the form of the button."""
        links = re.findall(rf'href="(/login/upstream/{name}\?[^"]*)"', page.text)
        if links:
            return browser.get(unescape(links[0]))
        assert f'form="login" formaction="/login/upstream/{name}"' in page.text, page.text[:3000]
        browser.last = page
        return browser.follow(browser.submit("/login", formaction=f"/login/upstream/{name}", **ticked))

    def come_back(self, browser: Browser, name: str = "neighbour", **answer: str | None) -> TestResponse:
        """As the provider redirects: with a code, the state, and its name."""
        said = {"code": "the-code", "state": self.asked["state"], "iss": self.issuer, **answer}
        query = urlencode({name: value for name, value in said.items() if value is not None})
        return browser.get(
            f"/login/upstream/{name}/callback?{query}", headers={"Sec-Fetch-Site": "cross-site"}
        )


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def connected_town(
    database_url: str,
    folder: Path,
    authority: Authority,
    *providers: Provider,
    founding: Founding | None = None,
    **settings: Any,
) -> Town:
    """A town whose providers are these, in order: `neighbour` and `other`."""
    names = ("neighbour", "other")
    listed = [
        {**SETTINGS, "id": name, "issuer": provider.issuer, **settings}
        for name, provider in zip(names, providers, strict=False)
    ]
    town = make_town(database_url, folder, founding=founding, upstream={"providers": listed})
    trusting = Fetcher(testing.TestingSettings(allow_loopback=True, extra_ca=authority.ca))
    town.app.extensions["denizen.upstream"] = open_upstreams(town.settings, trusting)
    return town
