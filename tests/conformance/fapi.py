"""A client of the FAPI 2.0 plans, in one variant: it knows the configuration that is pasted into the suite, and no more."""

from __future__ import annotations

import base64
import json
import secrets
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from joserfc.jwk import ECKey, import_key

from tests.conformance.client import OF_ERRORS, USUAL, assert_unguessable, half_hash
from tests.support.proving import TYPE, dpop, sign
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.conformance.browser import Arrival, Browser
    from tests.conformance.plans import Variant
    from tests.conformance.suite import Suite
    from tests.conformance.transport import Got

#: What goes with a request to the authorization endpoint, though the pushed one has it (RFC 6749, OIDC Core §6.1).
_DUPLICATES = ("response_type", "client_id", "scope", "redirect_uri")
_OF_ANSWERS = {"code", "state", "iss", "session_state"}
_MINUTES = 600
#: What the door would write, with the secret of the town in this process.
DOOR_SECRET = "0123456789abcdef0123456789abcdef"
CLIENT_CERT = f"Client-Cert-{DOOR_SECRET}"


class Party:
    """`ending` is empty for the first client and "2" for the second, as in the configuration."""

    def __init__(self, suite: Suite, variant: Variant, ending: str = "") -> None:
        self.suite, self.variant = suite, variant
        given = suite.printed["suite"][variant.configuration]
        self.told = given[f"client{ending}"]
        self.client_id: str = self.told["client_id"]
        self.key: Any = import_key(self.told["jwks"]["keys"][0]) if "jwks" in self.told else None
        self.certificate = _header_of(given[f"mtls{ending}"]["cert"]) if f"mtls{ending}" in given else ""
        self.resource_url: str = given["resource"]["resourceUrl"]
        self.permission = given["resource"]["richAuthorizationRequest"]
        uris = suite.printed["clients"][self.client_id]["redirect_uris"]
        self.redirect_uri: str = uris[1 if ending else 0]
        self.is_second = bool(ending)
        self.dpop_key = ECKey.generate_key("P-256")
        self.proof = Proof()

    # --- what it sends ---

    def address(self, endpoint: str) -> str:
        """An endpoint: the one for certificates wherever one may be needed (RFC 8705 §5)."""
        metadata = self.suite.metadata
        if "mtls" in (self.variant.auth, self.variant.bound):
            return str(metadata["mtls_endpoint_aliases"].get(endpoint, metadata.get(endpoint)))
        return str(metadata[endpoint])

    def call(
        self, method: str, url: str, *, form: dict[str, str] | None = None, headers: dict[str, str]
    ) -> Got:
        """To the town inside this process, which has one address."""
        printed = self.suite.printed
        inside = url.replace(printed["mtls_url"], printed["issuer"])
        return self.suite.send(
            method, inside, form=None if form is None else list(form.items()), headers=headers
        )

    def assertion(self, *, header: dict[str, Any] | None = None, key: Any = None, **change: Any) -> str:
        """For the issuer, as a text; a claim that is changed to None is left out."""
        now, key = int(self.suite.now()), key or self.key
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.suite.issuer,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
            **change,
        }
        return sign(_given(claims), key, {"alg": "ES256", "kid": key.kid, **(header or {})})

    def authenticated(self, form: dict[str, str], assertion: str | None = None) -> dict[str, str]:
        """A form with what proves the client, but for its certificate."""
        if self.variant.auth == "mtls":
            return {**form, "client_id": self.client_id}
        return {**form, "client_assertion_type": TYPE, "client_assertion": assertion or self.assertion()}

    def proven(self, url: str, method: str = "POST", **change: Any) -> dict[str, str]:
        """A DPoP proof."""
        key = change.pop("key", self.dpop_key)
        return {"DPoP": dpop(key, now=self.suite.now(), method=method, **{"htu": url, **change})}

    def shown(self, *, binds: bool) -> dict[str, str]:
        """The certificate, where it proves the client or, with `binds`, holds a token."""
        needed = self.variant.auth == "mtls" or (binds and self.variant.bound == "mtls")
        return {CLIENT_CERT: self.certificate} if needed else {}

    # --- the request ---

    def request(self, **change: str | None) -> dict[str, str]:
        """An authorization request; what is changed to None is left out."""
        variant, self.proof = self.variant, Proof()
        parameters: dict[str, str | None] = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.told["scope"],
            "state": secrets.token_urlsafe(16),
            "nonce": secrets.token_urlsafe(16) if variant.openid else None,
            "response_type": "code",
            "response_mode": "jwt" if variant.jarm else None,
            "code_challenge": self.proof.challenge,
            "code_challenge_method": "S256",
            "authorization_details": json.dumps(self.permission) if variant.rar else None,
            **change,
        }
        return {name: value for name, value in parameters.items() if value is not None}

    def form_of(self, request: dict[str, str], **change: Any) -> dict[str, str]:
        """What is pushed: the parameters, or where requests are signed an object of them, with `change` in its claims."""
        return (
            {"client_id": self.client_id, "request": self.object(request, **change)}
            if (self.variant.signed)
            else request
        )

    def object(self, request: dict[str, str], *, header: dict[str, Any] | None = None, **change: Any) -> str:
        """A request object; a claim that is changed to None is left out."""
        now, key = int(self.suite.now()), change.pop("key", self.key)
        claims: dict[str, Any] = {
            "iss": self.client_id,
            "aud": self.suite.issuer,
            "nbf": now,
            "exp": now + 300,
            "iat": now if self.is_second else None,
            **request,
            **({"authorization_details": self.permission} if self.variant.rar else {}),
            **change,
        }
        kind = {"typ": "oauth-authz-req+jwt"} if self.is_second else {}
        return sign(_given(claims), key, {"alg": "ES256", "kid": key.kid, **kind, **(header or {})})

    def push(
        self,
        request: dict[str, str],
        *,
        headers: dict[str, str] | None = None,
        assertion: str | None = None,
        form: dict[str, str] | None = None,
        method: str = "POST",
    ) -> Got:
        """To the endpoint for pushed requests; `form` instead of what the request makes."""
        url = self.address("pushed_authorization_request_endpoint")
        sent = self.authenticated(form or self.form_of(request), assertion)
        return self.call(method, url, form=sent, headers={**self.shown(binds=False), **(headers or {})})

    def pushed(self, request: dict[str, str], **more: Any) -> str:
        """The reference of a request that was taken, checked as every module does."""
        got = self.push(request, **more)
        assert got.status == 201, got.text
        assert got.json["expires_in"] >= 5
        assert_unguessable(got.json["request_uri"])
        return str(got.json["request_uri"])

    def visit(self, browser: Browser, request: dict[str, str], uri: str, **extra: str) -> Arrival:
        """Send somebody to the authorization endpoint; the first client repeats parameters there, as OAuth wants."""
        names = ("client_id",) if self.is_second else _DUPLICATES
        repeated = {name: request[name] for name in names if name in request}
        address = self.suite.metadata["authorization_endpoint"]
        return browser.visit(address, {**repeated, "request_uri": uri, **extra})

    # --- the answer ---

    def answer(self, arrival: Arrival) -> dict[str, Any]:
        """The parameters of an answer, out of their signed envelope where there is one (JARM §2.1, §2.3.1)."""
        assert arrival.carrier == "query", arrival.url
        own = dict(parse_qsl(urlsplit(self.redirect_uri).query))
        assert arrival.url.startswith(self.redirect_uri), arrival.url
        parameters = {name: value for name, value in arrival.parameters.items() if own.get(name) != value}
        if not self.variant.jarm:
            return parameters
        assert set(parameters) == {"response"}, parameters
        found = self.suite.read_id_token(parameters["response"], "ES256")
        assert found.pop("aud") == self.client_id
        assert self.suite.now() < found.pop("exp") <= self.suite.now() + _MINUTES
        return found

    def answered(self, arrival: Arrival, request: dict[str, str]) -> str:
        """The code of an answer that is right; `iss` is always there."""
        found = self.answer(arrival)
        assert "error" not in found, found
        assert set(found) <= _OF_ANSWERS, found
        assert found.get("state") == request.get("state")
        assert found["iss"] == self.suite.issuer
        assert_unguessable(found["code"])
        return str(found["code"])

    def refused(self, arrival: Arrival, request: dict[str, str]) -> str:
        """The error of an answer that is right."""
        found = self.answer(arrival)
        assert set(found) <= OF_ERRORS, found
        assert found.get("state") == request.get("state")
        assert found["iss"] == self.suite.issuer
        return str(found["error"])

    # --- tokens ---

    def grant(
        self, browser: Browser, request: dict[str, str] | None = None, **pushing: Any
    ) -> dict[str, str]:
        """What is redeemed at the token endpoint: a fresh code, or the client itself."""
        if self.variant.credentials:
            return {"grant_type": "client_credentials", "scope": self.told["scope"]}
        request = request or self.request()
        return self.redeemed(
            self.answered(self.visit(browser, request, self.pushed(request, **pushing)), request)
        )

    def redeemed(self, code: str) -> dict[str, str]:
        """The form that redeems a code."""
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.proof.verifier,
        }

    def token(
        self,
        form: dict[str, str],
        *,
        headers: dict[str, str] | None = None,
        assertion: str | None = None,
        as_is: bool = False,
    ) -> Got:
        """The token endpoint; `headers` instead of what holds the key, `as_is` without what proves the client."""
        url = self.address("token_endpoint")
        if headers is None:
            bound = self.proven(url) if self.variant.bound == "dpop" else {}
            headers = {**self.shown(binds=True), **bound}
        sent = form if as_is else self.authenticated(form, assertion)
        return self.call("POST", url, form=sent, headers=headers)

    def checked(self, got: Got, request: dict[str, str] | None = None) -> dict[str, Any]:
        """Tokens that are right."""
        assert got.status == 200, got.text
        assert "no-store" in got.headers["cache-control"]
        tokens, variant = got.json, self.variant
        assert tokens["token_type"] == ("DPoP" if variant.bound == "dpop" else "Bearer")
        assert isinstance(tokens["expires_in"], int)
        assert tokens["expires_in"] > 0
        for name in {"access_token", "refresh_token"} & set(tokens):
            assert_unguessable(tokens[name])
        assert ("id_token" in tokens) == (variant.openid and not variant.credentials)
        assert not (variant.credentials and "refresh_token" in tokens)
        if variant.rar:
            assert tokens["authorization_details"] == self.permission
        if "id_token" in tokens:
            self._check_id_token(tokens, request)
        return tokens

    def _check_id_token(self, tokens: dict[str, Any], request: dict[str, str] | None) -> None:
        claims, now = self.suite.read_id_token(tokens["id_token"], "ES256"), self.suite.now()
        assert (claims["iss"], claims["aud"]) == (self.suite.issuer, self.client_id)
        assert claims["exp"] > now
        assert abs(claims["iat"] - now) < _MINUTES / 2
        assert set(claims) <= USUAL, set(claims) - USUAL
        if request is not None:
            assert claims.get("nonce") == request.get("nonce")
        if "at_hash" in claims:
            assert claims["at_hash"] == half_hash(tokens["access_token"])

    def tokens(
        self, browser: Browser, request: dict[str, str] | None = None, **pushing: Any
    ) -> dict[str, Any]:
        """A whole flow."""
        request = request or self.request()
        return self.checked(self.token(self.grant(browser, request, **pushing)), request)

    # --- the resource ---

    def resource(
        self,
        token: str,
        *,
        scheme: str = "",
        headers: dict[str, str] | None = None,
        query: str = "",
        **proof: Any,
    ) -> Got:
        """The protected resource; `headers` instead of what holds the key, `proof` changes it."""
        own, scheme = {}, scheme or ("DPoP" if self.variant.bound == "dpop" else "Bearer")
        if headers is None and self.variant.bound == "dpop":
            own = self.proven(self.resource_url, "GET", **{"token": token, **proof})
        elif headers is None:
            own = {CLIENT_CERT: self.certificate}
        sent = {"Authorization": f"{scheme} {token}", **own, **(headers or {})}
        if query:
            del sent["Authorization"]
        return self.call("GET", self.resource_url + query, headers=sent)


def _given(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if value is not None}


def _header_of(pem: str) -> str:
    """A certificate as a proxy passes it on (RFC 9440 §2)."""
    return f":{base64.b64encode(ssl.PEM_cert_to_DER_cert(pem)).decode()}:"
