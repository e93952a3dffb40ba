"""A client of the suite: it asks in one way, and checks of each answer what every module checks (§3.2)."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from admin.sandbox.conformance.resident import CLAIMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.browser import Arrival, Browser
    from tests.conformance.suite import Suite
    from tests.conformance.transport import Got

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
#: What each value of a response type brings.
BRINGS = {
    "code": {"code"},
    "token": {"access_token", "token_type", "expires_in"},
    "id_token": {"id_token"},
}
#: What an error answer may have (`EnsureOnlyExpectedParams…` of the suite).
OF_ERRORS = {"error", "error_description", "error_uri", "state", "session_state", "iss"}
#: The claims of each scope (OIDC Core §5.4), all of which the resident has.
OF_SCOPE = {
    "profile": {name for name in CLAIMS if name not in {"phone_number", "address"}} | {"name", "updated_at"},
    "email": {"email", "email_verified"},
    "address": {"address"},
    "phone": {"phone_number", "phone_number_verified"},
}
_FIVE_MINUTES = 300


@dataclass(frozen=True)
class Way:
    """How a plan asks: a response type, and a response mode if not the one that the type stands for."""

    response_type: str = "code"
    response_mode: str = ""

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.response_type, self.response_mode)))

    def brings(self, what: str) -> bool:
        """Whether a `code`, `token` or `id_token` comes through the browser."""
        return what in self.response_type.split()

    @property
    def carrier(self) -> str:
        """Where the answer stands: `query`, `fragment` or `form_post` (Multiple Response Types §5)."""
        return self.response_mode or ("query" if self.response_type == "code" else "fragment")

    @property
    def grant_types(self) -> list[str]:
        """What a client of this way registers for (OIDC Registration §2)."""
        implicit = ["implicit"] if self.brings("token") or self.brings("id_token") else []
        return [*(["authorization_code", "refresh_token"] if self.brings("code") else []), *implicit]


CODE = Way()


@dataclass(frozen=True)
class SignIn:
    """What a client has of one flow: what came through the browser, what the token endpoint gave, the last ID token."""

    code: str
    tokens: dict[str, Any]
    claims: dict[str, Any]
    front: dict[str, str] = field(default_factory=dict)

    @property
    def access_token(self) -> str:
        return str(self.tokens.get("access_token") or self.front["access_token"])

    @property
    def id_token(self) -> str:
        return str(self.tokens.get("id_token") or self.front["id_token"])


@dataclass
class Client:
    """`told` is what was printed for it, or what registration answered."""

    suite: Suite
    told: dict[str, Any]
    method: str
    assertion: Callable[[], str] | None = None
    alg: str = "RS256"
    way: Way = CODE

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
            "response_type": self.way.response_type,
            "response_mode": self.way.response_mode or None,
            **change,
        }
        return {name: value for name, value in parameters.items() if value is not None}

    def visit(self, browser: Browser, request: dict[str, str], *, method: str = "GET") -> Arrival:
        """Send somebody to the authorization endpoint."""
        return browser.visit(self.suite.metadata["authorization_endpoint"], request, method=method)

    def sign_in(
        self, browser: Browser, request: dict[str, str] | None = None, *, method: str = "GET"
    ) -> SignIn:
        """A whole flow, checked as every module checks it."""
        request = request or self.request()
        return self.finish(self.visit(browser, request, method=method), request)

    def finish(self, arrival: Arrival, request: dict[str, str], **redeeming: str) -> SignIn:
        """From an answer to `request` to all that it brings."""
        front = self.read(arrival, request)
        claims: dict[str, Any] = {}
        if "id_token" in front:
            claims = self._read_id_token(front["id_token"], request, front)
            hashes = {"at_hash": "access_token", "c_hash": "code"}
            assert all(name in claims for name, of in hashes.items() if of in front)
        if "code" not in front:
            return SignIn("", {}, claims, front)
        got = self.redeem(front["code"], redirect_uri=request["redirect_uri"], **redeeming)
        assert got.status == 200, got.text
        found = self.checked(got, request, front["code"])
        same = ("iss", "sub") if claims else ()  # OIDC Core §3.3.3.6
        assert all(found.claims[name] == claims[name] for name in same)
        return SignIn(front["code"], found.tokens, found.claims, front)

    def read(self, arrival: Arrival, request: dict[str, str]) -> dict[str, str]:
        """The parameters of an answer that is right: in its place, and with what the response type names, no more."""
        parameters = arrival.parameters
        assert arrival.carrier == self.way.carrier, arrival.url
        assert arrival.url.startswith(request["redirect_uri"]), arrival.url
        assert "error" not in parameters, parameters
        assert parameters.get("state") == request.get("state")
        assert parameters["iss"] == self.suite.issuer  # RFC 9207 §2.3, as discovery promises
        brought = {name for what, names in BRINGS.items() if self.way.brings(what) for name in names}
        if arrival.carrier == "query":
            brought |= dict(parse_qsl(urlsplit(request["redirect_uri"]).query)).keys()
        assert set(parameters) - {"state", "iss", "session_state", "scope"} == brought
        if self.way.brings("code"):
            assert_unguessable(parameters["code"])
        if self.way.brings("token"):
            _check_bearer({**parameters, "expires_in": int(parameters["expires_in"])})
        return parameters

    def answered(self, arrival: Arrival, request: dict[str, str]) -> str:
        """The code of an answer that is right."""
        return self.read(arrival, request)["code"]

    def redeem(self, code: str, **change: str) -> Got:
        """Redeem a code in this client's one way."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri, **change}
        return self.token(form)

    def refresh(self, token: str) -> Got:
        """Use a refresh token."""
        return self.token({"grant_type": "refresh_token", "refresh_token": token})

    def refreshed(self, token: str, request: dict[str, str]) -> SignIn:
        """What a refresh gives; its ID token has no nonce, which belongs to the request (OIDC Core §12.2)."""
        asked = {name: value for name, value in request.items() if name != "nonce"}
        return self.checked(self.refresh(token), asked)

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
        _check_bearer(tokens)
        if "refresh_token" in tokens:
            assert_unguessable(tokens["refresh_token"])
        along = {"access_token": tokens["access_token"], "code": code}
        claims = self._read_id_token(tokens["id_token"], request, along)
        return SignIn(code, tokens, claims)

    def _read_id_token(self, id_token: str, request: dict[str, str], along: dict[str, str]) -> dict[str, Any]:
        """Its claims, after all checks; `along` is what came with it."""
        claims, now = self.suite.read_id_token(id_token, self.alg), self.suite.now()
        assert claims["iss"] == self.suite.issuer
        assert claims["aud"] in (self.client_id, [self.client_id])
        assert claims["exp"] > now
        assert abs(claims["iat"] - now) < _FIVE_MINUTES
        assert 0 < len(claims["sub"]) <= 255
        assert claims["sub"].isascii()
        assert claims.get("acr") != ""
        assert claims.get("nonce") == request.get("nonce")
        unasked = set(claims) - USUAL - self._asked_for_in_id_token(request)
        assert not unasked, unasked
        for name, of in (("at_hash", "access_token"), ("c_hash", "code")):
            if name in claims:
                assert claims[name] == half_hash(along[of])
        if "s_hash" in claims:
            assert claims["s_hash"] == half_hash(request["state"])
        return claims

    def _asked_for_in_id_token(self, request: dict[str, str]) -> set[str]:
        """Where no access token comes, the ID token has the claims of the scopes (OIDC Core §5.4)."""
        if self.way.response_type != "id_token":
            return set()
        by_scope = (OF_SCOPE.get(one, set()) for one in request["scope"].split())
        return set().union(*by_scope, {"name"} if "claims" in request else set())


def _check_bearer(told: dict[str, Any]) -> None:
    assert told["token_type"].lower() == "bearer"
    assert isinstance(told["expires_in"], int)
    assert told["expires_in"] > 0
    assert_unguessable(told["access_token"])


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


def refusal(arrival: Arrival, request: dict[str, str], way: Way = CODE) -> str:
    """The error with which a request was sent back, in the place and form that the suite accepts."""
    parameters = arrival.parameters
    assert arrival.carrier == way.carrier, arrival.url
    assert set(parameters) <= OF_ERRORS, parameters
    assert "iss" in parameters, parameters
    assert parameters.get("state") == request.get("state")
    assert not re.search(r'[\r\n\t"]', parameters.get("error_description", ""))
    return parameters["error"]
