"""The same mistakes made at our town and at npm's `oidc-provider`: where both should answer alike, they do.

`oidc-provider` is certified by the OpenID Foundation and widely used, so that clients are used to its answers. Where
we differ on purpose, `DIFFERENT` says how and why.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests

from tests.interop.scripts import HERE, need
from tests.interop.strict import Visitor
from tests.support.loopback import free_port
from tests.support.tied import Tied
from tests.support.tls import make_authority
from tests.support.town import Proof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.interop.strict import StrictTown

CALLBACK = "https://compared.example/callback"
FEATURES = (
    "claimsParameter",
    "clientCredentials",
    "introspection",
    "pushedAuthorizationRequests",
    "requestObjects",
    "revocation",
)
#: A change of a good request: a value instead, another besides, or None for nothing at all.
Change = dict[str, "str | tuple[str, str] | None"]
#: Authorization: "redirect" or "page", and the error that the client is told. Elsewhere: status and error.
Outcome = tuple[str | int, str]

AUTHORIZATION: dict[str, Change] = {
    "no response_type": {"response_type": None},
    "an unknown response_type": {"response_type": "coffee"},
    "a response_type of others": {"response_type": "code id_token", "response_mode": "fragment"},
    "no client": {"client_id": None},
    "an unknown client": {"client_id": "nobody"},
    "no redirect_uri": {"redirect_uri": None},
    "a redirect_uri of somebody else": {"redirect_uri": "https://evil.example/callback"},
    "a redirect_uri with a query of its own": {"redirect_uri": f"{CALLBACK}?x=1"},
    "a redirect_uri in capitals": {"redirect_uri": CALLBACK.upper()},
    "a repeated state": {"state": ("a", "b")},
    "a repeated client": {"client_id": ("a", "b")},
    "an unknown response_mode": {"response_mode": "pigeon"},
    "an empty scope": {"scope": ""},
    "an unknown scope": {"scope": "openid coffee"},
    "no session and no page": {"prompt": "none"},
    "no page, and a page": {"prompt": "none login"},
    "an unknown prompt": {"prompt": "coffee"},
    "an age that is no number": {"max_age": "old"},
    "an age below zero": {"max_age": "-1"},
    "a challenge in the clear": {"code_challenge_method": "plain"},
    "an unknown challenge": {"code_challenge_method": "S1024"},
    "a challenge that is too short": {"code_challenge": "short"},
    "a request object that is none": {"request": "coffee"},
    "a pushed request that never was": {"request_uri": "urn:ietf:params:oauth:request_uri:coffee"},
    "claims that are no JSON": {"claims": "coffee"},
    "claims that are no object": {"claims": "[]"},
    "a registration on the way": {"registration": "{}"},
    "a hint that is no ID token": {"id_token_hint": "coffee"},
}
TOKEN: dict[str, Change] = {
    "no grant_type": {"grant_type": None},
    "an unknown grant_type": {"grant_type": "coffee"},
    "a repeated grant_type": {"grant_type": ("authorization_code", "refresh_token")},
    "no code": {"code": None},
    "an unknown code": {"code": "coffee"},
    "another redirect_uri": {"redirect_uri": "https://evil.example/callback"},
    "no redirect_uri": {"redirect_uri": None},
    "another verifier": {"code_verifier": "x" * 43},
    "no verifier": {"code_verifier": None},
    "another secret": {"client_secret": "coffee"},
    "no secret": {"client_secret": None},
    "an unknown client": {"client_id": "nobody"},
    "an unknown refresh token": {"grant_type": "refresh_token", "refresh_token": "coffee"},
    "no refresh token": {"grant_type": "refresh_token"},
    "a grant that it has not": {"grant_type": "client_credentials"},
}

#: Ours, theirs, and why.
DIFFERENT: dict[str, tuple[Outcome, Outcome, str]] = {
    "a response_type of others": (
        ("redirect", "unauthorized_client"),
        ("redirect", "invalid_request"),
        "RFC 6749 §4.1.2.1: unauthorized_client is for just that.",
    ),
    "token: a grant that it has not": (
        (400, "unauthorized_client"),
        (400, "invalid_request"),
        "RFC 6749 §5.2: unauthorized_client is for just that.",
    ),
    "no redirect_uri": (
        ("page", "error"),
        ("page", ""),
        "They take the only one that is registered; OIDC Core §3.1.2.1 wants it in every request, and so do we.",
    ),
    "token: no redirect_uri": (
        (400, "invalid_request"),
        (200, ""),
        "As above: RFC 6749 §4.1.3 wants it again when it was in the authorization request.",
    ),
    "an unknown response_mode": (
        ("redirect", "invalid_request"),
        ("redirect", "unsupported_response_mode"),
        "Their error is registered nowhere; RFC 6749 §4.1.2.1 has invalid_request for a value that is not supported.",
    ),
    "an empty scope": (
        ("redirect", "invalid_scope"),
        ("redirect", "invalid_request"),
        "An empty parameter is no parameter; without openid we say which one is wrong (RFC 6749 §4.1.2.1).",
    ),
    "a pushed request that never was": (
        ("page", "error"),
        ("redirect", "invalid_request_uri"),
        "Beside a pushed request nothing in the address counts, its redirect_uri included (RFC 9126 §4, RFC 9101 §5).",
    ),
    "no token": (
        (401, ""),
        (401, "invalid_token"),
        "RFC 6750 §3.1: who sends no token is told how to send one, and no error.",
    ),
}


@dataclass
class Provider:
    """One of the two: where it is, the client there, and a browser in which somebody is signed in."""

    metadata: dict[str, Any]
    client_id: str
    client_secret: str
    ca: str
    sign_in: Callable[[str], str]
    http: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.http.trust_env = False
        self.http.verify = self.ca

    def request(self, proof: Proof) -> dict[str, str]:
        """A good one."""
        return {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "scope": "openid email",
            "state": secrets.token_urlsafe(16),
            "nonce": secrets.token_urlsafe(16),
            "code_challenge": proof.challenge,
            "code_challenge_method": "S256",
        }

    def authorize(self, change: Change) -> Outcome:
        """What the browser of somebody who is not signed in gets; "" when it is asked to sign in."""
        sent = changed(self.request(Proof()), change)
        url = self.metadata["authorization_endpoint"]
        answer = self.http.get(url, params=sent, allow_redirects=False, timeout=20)
        target = urljoin(url, answer.headers.get("Location", url))
        if not target.startswith("https://compared.example"):
            return ("page", "" if "Location" in answer.headers or answer.ok else "error")
        parts = urlsplit(target)
        told = parse_qs(parts.query or parts.fragment)
        assert told["iss"] == [self.metadata["issuer"]]
        assert "state" in told or "state" in change
        return ("redirect", told["error"][0])

    def tokens(self, change: Change) -> tuple[Outcome, dict[str, Any]]:
        """What the token endpoint says to a fresh code with a change; and with what it was asked."""
        proof = Proof()
        url = requests.Request("GET", self.metadata["authorization_endpoint"], params=self.request(proof))
        answer = self.sign_in(str(url.prepare().url))
        form = {
            "grant_type": "authorization_code",
            "code": parse_qs(urlsplit(answer).query)["code"][0],
            "redirect_uri": CALLBACK,
            "code_verifier": proof.verifier,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        return self.post("token", change, form)

    def post(self, endpoint: str, change: Change, form: dict[str, str]) -> tuple[Outcome, dict[str, Any]]:
        """A request of the client itself."""
        sent = changed(form, change)
        answer = self.http.post(self.metadata[f"{endpoint}_endpoint"], data=sent, timeout=20)
        body = answer.json() if answer.content else {}
        return (answer.status_code, body.get("error", "")), {**form, **body}

    def read(self, **request: Any) -> Outcome:
        """Userinfo."""
        answer = self.http.post(self.metadata["userinfo_endpoint"], timeout=20, **request)
        found = re.search(r'error="([^"]*)"', answer.headers.get("WWW-Authenticate", ""))
        body = answer.json() if answer.content and not answer.ok else {}
        return answer.status_code, found[1] if found else body.get("error", "")


def changed(form: dict[str, str], change: Change) -> list[tuple[str, str]]:
    """The parameters as they are sent."""
    sent = [(name, value) for name, value in form.items() if name not in change]
    for name, value in change.items():
        values = value if isinstance(value, tuple) else (value,)
        sent += [(name, one) for one in values if one is not None]
    return sent


@pytest.fixture(scope="module")
def ours(strict: StrictTown) -> Iterator[Provider]:
    client = strict.register(
        redirect_uris=[CALLBACK],
        grant_types=["authorization_code", "refresh_token"],
        token_endpoint_auth_method="client_secret_post",
        scope="openid email",
    )
    visitor = Visitor(strict)

    def sign_in(url: str) -> str:
        return str(visitor.open(url)["url"])

    yield Provider(strict.metadata(), client["client_id"], client["client_secret"], str(strict.ca), sign_in)
    visitor.close()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    need("oidc-provider")
    folder = tmp_path_factory.mktemp("theirs")
    authority, port = make_authority(folder), free_port()
    client = {
        "client_id": "compared",
        "client_secret": secrets.token_urlsafe(32),
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "client_secret_post",
        "scope": "openid email",
    }
    settings = {"port": port, "certificate": str(authority.certificate), "key": str(authority.key)}
    more = {"clients": [client], "features": {name: {"enabled": True} for name in FEATURES}}
    file = folder / "provider.json"
    file.write_text(json.dumps({**settings, **more}))
    process = Tied(["node", HERE / "provider.mjs", file], log=folder / "log", cwd=HERE)
    assert process.output.readline() == "ready\n", process.last_words()
    url = f"https://localhost:{port}/.well-known/openid-configuration"
    metadata = requests.get(url, verify=str(authority.ca), timeout=20).json()
    with requests.Session() as browser:
        browser.trust_env, browser.verify = False, str(authority.ca)

        def sign_in(url: str) -> str:
            return _sign_in_there(browser, url)

        yield Provider(metadata, client["client_id"], client["client_secret"], str(authority.ca), sign_in)
    process.stop()


def _sign_in_there(browser: requests.Session, url: str) -> str:
    """Type a name and say yes wherever it asks; the address that the client is told."""
    page = browser.get(url, allow_redirects=False, timeout=20)
    for _ in range(12):
        if "Location" not in page.headers:
            page = browser.post(page.url, data={"name": "zoe"}, allow_redirects=False, timeout=20)
            continue
        target = urljoin(page.url, page.headers["Location"])
        if target.startswith(CALLBACK):
            return target
        page = browser.get(target, allow_redirects=False, timeout=20)
    raise AssertionError(page.text)


def compare(name: str, ours: Outcome, theirs: Outcome) -> None:
    """Both alike, or different as the table says."""
    found = DIFFERENT.get(name)
    if found is None:
        assert ours == theirs, name
    else:
        assert (ours, theirs) == found[:2], found[2]


@pytest.mark.parametrize("name", AUTHORIZATION)
def test_a_mistake_at_the_authorization_endpoint(ours: Provider, theirs: Provider, name: str) -> None:
    """RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6: which error, and whether the client is told or the person."""
    change = AUTHORIZATION[name]
    compare(name, ours.authorize(change), theirs.authorize(change))


@pytest.mark.parametrize("name", TOKEN)
def test_a_mistake_at_the_token_endpoint(ours: Provider, theirs: Provider, name: str) -> None:
    """RFC 6749 §5.2: status and error."""
    change = TOKEN[name]
    compare(f"token: {name}", ours.tokens(change)[0], theirs.tokens(change)[0])


def test_what_was_used_or_never_was(ours: Provider, theirs: Provider) -> None:
    """A code that comes twice takes its tokens along; userinfo, introspection and revocation of what is nothing."""
    found = []
    for provider in (ours, theirs):
        said: dict[str, Any] = {}
        said["a good request"], sent = provider.tokens({})
        form = {name: sent[name] for name in ("grant_type", "code", "redirect_uri", "code_verifier")}
        client = {"client_id": provider.client_id, "client_secret": provider.client_secret}
        bearer = {"headers": {"Authorization": f"Bearer {sent['access_token']}"}}
        said["two tokens at once"] = provider.read(**bearer, data={"access_token": sent["access_token"]})
        said["a good token"] = provider.read(**bearer)
        said["a code used before"] = provider.post("token", {}, {**form, **client})[0]
        said["the token of a code used before"] = provider.read(**bearer)
        said["no token"] = provider.read()
        said["an unknown token"] = provider.read(headers={"Authorization": "Bearer coffee"})
        said["revoking nothing"] = provider.post("revocation", {}, {"token": "coffee", **client})[0]
        said["revoking without saying what"] = provider.post("revocation", {}, client)[0]
        said["introspecting nothing"], told = provider.post(
            "introspection", {}, {"token": "coffee", **client}
        )
        said["nothing is not active"] = (200, str(told["active"]))
        said["introspecting without saying what"] = provider.post("introspection", {}, client)[0]
        found.append(said)
    for name, one in found[0].items():
        compare(name, one, found[1][name])


def test_every_difference_is_one() -> None:
    """The table has what differs, each with a reason, and nothing else."""
    for name, (our, their, reason) in DIFFERENT.items():
        assert our != their, name
        assert reason.endswith("."), name
