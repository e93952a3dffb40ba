"""The flow of FAPI 2.0: pushed requests, client assertions and DPoP proofs, as a partner's server makes them."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey

from tests.bench.target import REDIRECT_URI
from tests.bench.workloads import FlowError, code_from, request_parameters, straight_back, walk

if TYPE_CHECKING:
    from tests.bench.target import Partner, Target, Visitor

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_WAY = ec.ECDSA(SHA256())


class Prover:
    """A partner's key; it signs assertions and proofs alike, with as little work as can be: others are measured."""

    def __init__(self, client_id: str, private_jwk: str) -> None:
        key = ECKey.import_key(json.loads(private_jwk))
        self._client_id, self._private = client_id, key.private_key
        public = {name: value for name, value in key.as_dict(private=False).items() if name != "kid"}
        self._assertion = _part({"alg": "ES256", "kid": key.kid})
        self._proof = _part({"alg": "ES256", "typ": "dpop+jwt", "jwk": public})

    def assertion(self, audience: str) -> dict[str, str]:
        """The client's authentication, for a form (RFC 7523 §2.2)."""
        now = int(time.time())
        told = {"iss": self._client_id, "sub": self._client_id, "aud": audience, "iat": now, "exp": now + 60}
        return {"client_assertion_type": _ASSERTION, "client_assertion": self._signed(self._assertion, told)}

    def proof(self, method: str, url: str, access_token: str = "") -> dict[str, str]:
        """The header of a DPoP proof (RFC 9449 §4.2)."""
        told = {"htm": method, "htu": url, "iat": int(time.time())}
        if access_token:
            told["ath"] = _base64url(hashlib.sha256(access_token.encode()).digest())
        return {"DPoP": self._signed(self._proof, told)}

    def _signed(self, header: str, claims: dict[str, Any]) -> str:
        text = f"{header}.{_part({**claims, 'jti': secrets.token_urlsafe(16)})}"
        r, s = decode_dss_signature(self._private.sign(text.encode(), _WAY))
        return f"{text}.{_base64url(r.to_bytes(32) + s.to_bytes(32))}"


def _part(value: dict[str, Any]) -> str:
    return _base64url(orjson.dumps(value))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@cache
def _prover(client_id: str, private_jwk: str) -> Prover:
    return Prover(client_id, private_jwk)


def _of(target: Target, partner: Partner) -> Prover:
    return _prover(partner.client_id, target.secrets[partner.client_id])


async def sign_in(target: Target, visitor: Visitor, partner: Partner) -> None:
    """Through the provider's pages, so that session and consent are there."""
    url, verifier, state = await push(target, visitor, partner)
    await _redeem(target, visitor, partner, code_from(await walk(visitor, url), state), verifier)


async def flow(target: Target, visitor: Visitor, partner: Partner) -> None:
    """Push, authorize, token, userinfo."""
    url, verifier, state = await push(target, visitor, partner)
    code = code_from(await straight_back(visitor, url), state)
    access_token = await _redeem(target, visitor, partner, code, verifier)
    url = target.endpoints["userinfo_endpoint"]
    proof = _of(target, partner).proof("GET", url, access_token)
    response = await visitor.agent.get(url, {"Authorization": f"DPoP {access_token}", **proof})
    if response.status != 200 or b'"sub"' not in response.body:
        raise FlowError(f"userinfo: HTTP {response.status} {response.body[:300]!r}")


async def push(target: Target, visitor: Visitor, partner: Partner) -> tuple[str, str, str]:
    """Push a request (RFC 9126): the URL to go to, the verifier, the state."""
    prover, url = _of(target, partner), target.endpoints["pushed_authorization_request_endpoint"]
    parameters, verifier = request_parameters(partner)
    form = {**parameters, **prover.assertion(target.issuer)}
    response = await visitor.agent.post(url, form, prover.proof("POST", url))
    if response.status != 201:
        raise FlowError(f"PAR: HTTP {response.status} {response.body[:300]!r}")
    query = {"client_id": partner.client_id, "request_uri": json.loads(response.body)["request_uri"]}
    url = f"{target.endpoints['authorization_endpoint']}?{urlencode(query)}"
    return url, verifier, parameters["state"]


async def _redeem(target: Target, visitor: Visitor, partner: Partner, code: str, verifier: str) -> str:
    """The access token for a code; it must be bound to the key, and an ID token beside it."""
    prover, url = _of(target, partner), target.endpoints["token_endpoint"]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": verifier,
        **prover.assertion(target.issuer),
    }
    response = await visitor.agent.post(url, form, prover.proof("POST", url))
    tokens = json.loads(response.body) if response.status == 200 else {}
    if tokens.get("token_type") != "DPoP" or "id_token" not in tokens:
        raise FlowError(f"token: HTTP {response.status} {response.body[:300]!r}")
    found: str = tokens["access_token"]
    return found
