"""The suite's side: a client that knows what `denizen conformance` prints, and checks what every module checks."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from joserfc import jws
from joserfc.jwk import KeySet

from tests.conformance.browser import Browser

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.browser import Arrival
    from tests.conformance.transport import Got, Send

#: What may stand in an ID token without having been asked for; anything else is a warning of the suite.
USUAL = {
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "s_hash",
    "nbf",
    "jti",
    "sid",
    "txn",
}
#: What an error answer may have (`EnsureOnlyExpectedParams…` of the suite).
OF_ERRORS = {"error", "error_description", "error_uri", "state", "session_state", "iss"}
_FIVE_MINUTES = 300


@dataclass
class Suite:
    """One town, as the suite sees it. `wait` lets seconds pass."""

    printed: dict[str, Any]
    new_send: Callable[[], Send]
    now: Callable[[], float]
    wait: Callable[[float], None]
    metadata: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.send = self.new_send()
        self.metadata = self.send("GET", self.printed["discovery_url"]).json

    @property
    def issuer(self) -> str:
        return str(self.printed["issuer"])

    def browser(self) -> Browser:
        """A fresh one."""
        who = self.printed["resident"]
        return Browser(self.new_send(), self.issuer, who["username"], who["password"])

    def client(self, name: str = "basic") -> Client:
        """A client that is registered from the start."""
        told = self.printed["clients"][name]
        return Client(self, told, told["token_endpoint_auth_method"])

    def registered(self, **metadata: Any) -> Client:
        """A client that registers itself, with the token that was printed."""
        got = self.register(metadata)
        assert got.status == 201, got.text
        told = got.json
        return Client(self, told, told["token_endpoint_auth_method"])

    def register(self, metadata: dict[str, Any]) -> Got:
        """Registration as the suite does it: with contacts, and whatever a module adds."""
        callback = self.printed["clients"]["basic"]["redirect_uris"][0]
        body = {
            "client_name": "Conformance suite",
            "redirect_uris": [callback],
            "contacts": ["certification@oidf.org"],
            "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token"],
            **metadata,
        }
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self.printed['initial_access_token']}",
        }
        address = self.metadata["registration_endpoint"]
        return self.send("POST", address, headers=headers, body=json.dumps(body))

    def keys(self) -> dict[str, Any]:
        """The key set as it is published now."""
        return self.send("GET", self.metadata["jwks_uri"]).json

    def read_id_token(self, id_token: str, alg: str) -> dict[str, Any]:
        """Its claims, after its signature was checked with the key that its header names."""
        header = jws.extract_compact(id_token.encode()).headers()
        assert header["alg"] == alg
        assert header["kid"] in {key["kid"] for key in self.keys()["keys"]}
        keys = KeySet.import_key_set(self.keys())  # type: ignore[arg-type]
        found = jws.deserialize_compact(id_token, keys, algorithms=[alg])
        claims = json.loads(found.payload)
        assert isinstance(claims, dict)
        return claims

    def userinfo(self, access_token: str, *, way: str = "GET") -> Got:
        """Userinfo by header (GET or POST) or by the body of a POST."""
        header = {"Authorization": f"Bearer {access_token}"}
        address = self.metadata["userinfo_endpoint"]
        if way == "body":
            return self.send("POST", address, form=[("access_token", access_token)])
        return self.send(way, address, headers=header)


@dataclass
class Client:
    """A client of the suite; `told` is what was printed for it, or what registration answered."""

    suite: Suite
    told: dict[str, Any]
    method: str
    assertion: Callable[[], str] | None = None
    alg: str = "RS256"

    @property
    def client_id(self) -> str:
        return str(self.told["client_id"])

    @property
    def redirect_uri(self) -> str:
        return str(self.told["redirect_uris"][0])

    def request(self, scope: str = "openid", **change: str | None) -> dict[str, str]:
        """An authorization request without PKCE, as the suite's are; what is changed to None is left out."""
        parameters: dict[str, str | None] = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": scope,
            "state": secrets.token_urlsafe(32),
            "nonce": secrets.token_urlsafe(16),
            "response_type": "code",
            **change,
        }
        return {name: value for name, value in parameters.items() if value is not None}

    def sign_in(
        self, browser: Browser, request: dict[str, str] | None = None, *, method: str = "GET"
    ) -> SignIn:
        """A whole flow, checked as every module checks it."""
        request = request or self.request()
        arrival = browser.visit(self.suite.metadata["authorization_endpoint"], request, method=method)
        code = self.answered(arrival, request)
        got = self.redeem(code, redirect_uri=request["redirect_uri"])
        assert got.status == 200, got.text
        return self.checked(got, request, code)

    def answered(self, arrival: Arrival, request: dict[str, str]) -> str:
        """The code of an answer that is right."""
        parameters = arrival.parameters
        assert arrival.url.startswith(request["redirect_uri"]), arrival.url
        assert "error" not in parameters, parameters
        assert parameters.get("state") == request.get("state")
        assert parameters.get("iss", self.suite.issuer) == self.suite.issuer
        assert_unguessable(parameters["code"])
        return parameters["code"]

    def redeem(self, code: str, **change: str) -> Got:
        """Redeem a code in this client's one way."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri, **change}
        return self.token(form)

    def refresh(self, token: str) -> Got:
        """Use a refresh token."""
        return self.token({"grant_type": "refresh_token", "refresh_token": token})

    def token(self, form: dict[str, str]) -> Got:
        """The token endpoint, authenticated."""
        headers = {}
        if self.method == "client_secret_basic":
            pair = base64.b64encode(f"{self.client_id}:{self.told['client_secret']}".encode()).decode()
            headers = {"Authorization": f"Basic {pair}"}
        elif self.method == "client_secret_post":
            form = {**form, "client_id": self.client_id, "client_secret": self.told["client_secret"]}
        else:
            assert self.assertion is not None
            kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            form = {**form, "client_assertion_type": kind, "client_assertion": self.assertion()}
        address = self.suite.metadata["token_endpoint"]
        return self.suite.send("POST", address, form=list(form.items()), headers=headers)

    def checked(self, got: Got, request: dict[str, str], code: str = "") -> SignIn:
        """Tokens that are right, and what the ID token says."""
        assert "no-store" in got.headers["cache-control"]
        tokens = got.json
        assert tokens["token_type"].lower() == "bearer"
        assert isinstance(tokens["expires_in"], int)
        assert tokens["expires_in"] > 0
        assert_unguessable(tokens["access_token"])
        if "refresh_token" in tokens:
            assert_unguessable(tokens["refresh_token"])
        claims = self.suite.read_id_token(tokens["id_token"], self.alg)
        self._check_claims(claims, tokens, request, code)
        return SignIn(code, tokens, claims)

    def _check_claims(
        self, claims: dict[str, Any], tokens: dict[str, Any], request: dict[str, str], code: str
    ) -> None:
        now = self.suite.now()
        assert claims["iss"] == self.suite.issuer
        assert claims["aud"] in (self.client_id, [self.client_id])
        assert claims["exp"] > now
        assert abs(claims["iat"] - now) < _FIVE_MINUTES
        assert 0 < len(claims["sub"]) <= 255
        assert claims["sub"].isascii()
        assert claims.get("acr") != ""
        assert claims.get("nonce") == request.get("nonce")
        assert set(claims) <= USUAL, set(claims) - USUAL
        for name, value in (("at_hash", tokens["access_token"]), ("c_hash", code)):
            if name in claims:
                assert claims[name] == half_hash(value)


@dataclass(frozen=True)
class SignIn:
    """What a client has of one flow."""

    code: str
    tokens: dict[str, Any]
    claims: dict[str, Any]


def read_printed(output: IO[str]) -> dict[str, Any]:
    """What `denizen conformance` prints, up to the brace that ends it; empty when the command ends before."""
    lines = []
    for line in output:
        lines.append(line)
        if line == "}\n":
            return dict(json.loads("".join(lines)))
    return {}


def half_hash(value: str) -> str:
    """The left half of SHA-256 (OIDC Core §3.1.3.6)."""
    half = hashlib.sha256(value.encode()).digest()[:16]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode()


def assert_unguessable(text: str) -> None:
    """At least 128 bits long, and more than 96 bits of Shannon entropy over its letters."""
    assert len(text) * 8 >= 128
    counts = Counter(text).values()
    entropy = -sum(count / len(text) * math.log2(count / len(text)) for count in counts) * len(text)
    assert entropy > 96, text


def refusal(arrival: Arrival, request: dict[str, str]) -> str:
    """The error with which a request was sent back, in a form that the suite accepts."""
    parameters = arrival.parameters
    assert set(parameters) <= OF_ERRORS, parameters
    assert parameters.get("state") == request.get("state")
    assert not re.search(r'[\r\n\t"]', parameters.get("error_description", ""))
    return parameters["error"]
