"""Clients that prove themselves with keys: assertions, DPoP proofs, certificates; and a town in which they are registered."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from idp.clients.metadata import Details, NewClient
from tests.support.settled import SCOPE, _database
from tests.support.town import ISSUER, START, Browser, Partner, Proof, Town, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from werkzeug.test import TestResponse

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PROXY = "10.1.2.3"
PROXY_SECRET = "0123456789abcdef0123456789abcdef"
CLIENT_CERT = f"Client-Cert-{PROXY_SECRET}"
BOTH = ("authorization_code", "refresh_token")
SCOPES = ("openid", "profile", "email", "residence", "offline_access", "tax:read")


@cache
def key_for(alg: str, name: str = "") -> Any:
    """A key for an algorithm; the same for the same name."""
    kid = f"{alg}-{name}" if name else alg
    if alg in ("RS256", "PS256"):
        return RSAKey.generate_key(2048, parameters={"kid": kid})
    if alg in ("EdDSA", "Ed25519"):
        return OKPKey.generate_key("Ed25519", parameters={"kid": kid})
    return ECKey.generate_key({"ES384": "P-384"}.get(alg, "P-256"), parameters={"kid": kid})


def jwks(*keys: Any) -> dict[str, Any]:
    """A public key set."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


def sign(claims: dict[str, Any], key: Any, header: dict[str, Any]) -> str:
    """A compact JWS of claims under a header, both as they are, however weak or odd."""
    text = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    signature = JWSRegistry.algorithms[header["alg"]].sign(text.encode(), key)
    return f"{text}.{b64(signature)}"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True)
class Prover:
    """A registered client with its key; `alg` is what it signs its assertions with."""

    partner: Partner
    key: Any = None
    alg: str = "ES256"

    @property
    def client_id(self) -> str:
        return self.partner.client_id

    def assertion(self, now: float, *, header: dict[str, Any] | None = None, **change: Any) -> str:
        """An assertion; a claim that is changed to None is left out."""
        claims: dict[str, Any] = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": ISSUER,
            "iat": int(now),
            "exp": int(now) + 60,
            "jti": secrets.token_urlsafe(16),
            **change,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        kid = {"kid": self.key.kid} if self.key.kid else {}
        return sign(claims, self.key, {"alg": self.alg, **kid, **(header or {})})

    def request_object(
        self,
        now: float,
        proof: Proof,
        *,
        scope: str = SCOPE,
        header: dict[str, Any] | None = None,
        key: Any = None,
        **change: Any,
    ) -> str:
        """A signed authorization request; a claim that is changed to None is left out."""
        claims: dict[str, Any] = {
            "iss": self.client_id,
            "aud": ISSUER,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now) + 300,
            **self.partner.request(scope, proof),
            **change,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        key = key or self.key
        head = {"typ": "oauth-authz-req+jwt", "alg": self.alg, "kid": key.kid, **(header or {})}
        return sign(claims, key, {name: value for name, value in head.items() if value is not None})

    def form(self, now: float, form: dict[str, str], **change: Any) -> dict[str, str]:
        """A form with a fresh assertion."""
        return {
            **form,
            "client_assertion_type": TYPE,
            "client_assertion": self.assertion(now, **change),
        }


def dpop(
    key: Any,
    *,
    now: float,
    path: str = "/token",
    method: str = "POST",
    alg: str = "ES256",
    token: str | None = None,
    header: dict[str, Any] | None = None,
    **change: Any,
) -> str:
    """A DPoP proof; a claim or header that is changed to None is left out."""
    claims: dict[str, Any] = {
        "jti": secrets.token_urlsafe(16),
        "htm": method,
        "htu": f"{ISSUER}{path}",
        "iat": int(now),
        **({"ath": b64(hashlib.sha256(token.encode()).digest())} if token else {}),
        **change,
    }
    head: dict[str, Any] = {
        "typ": "dpop+jwt",
        "alg": alg,
        "jwk": {n: v for n, v in key.as_dict(private=False).items() if n != "kid"},
        **(header or {}),
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    head = {name: value for name, value in head.items() if value is not None}
    return sign(claims, key, head)


# --- certificates ---


@dataclass(frozen=True)
class Certified:
    """A certificate as a proxy passes it on."""

    certificate: x509.Certificate
    private: Any = field(repr=False, default=None)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def thumbprint(self) -> str:
        return b64(hashlib.sha256(self.der).digest())

    @property
    def headers(self) -> dict[str, str]:
        return {CLIENT_CERT: f":{base64.b64encode(self.der).decode()}:"}

    @property
    def jwk(self) -> dict[str, Any]:
        found: dict[str, Any] = ECKey.import_key(self.private).as_dict(private=False)
        return found


def certificate(
    name: str = "client",
    *,
    issuer: Certified | None = None,
    sans: tuple[x509.GeneralName, ...] = (),
    at: int = START,
    is_ca: bool = False,
    usage: Any = None,
    days: int = 30,
) -> Certified:
    """A certificate, self-signed unless an issuer is given."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Riverton"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    start = dt.datetime.fromtimestamp(at - 3600, dt.UTC)
    signer = issuer.private if issuer else private
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if is_ca:
        builder = builder.add_extension(x509.KeyUsage(*[False] * 5, True, True, False, False), critical=True)
    if sans:
        builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=False)
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return Certified(builder.sign(signer, hashes.SHA256()), private)


# --- the town ---


@dataclass(frozen=True)
class Proving:
    """A town behind a proxy, with clients that prove themselves in every way, and a browser in which Maria agreed."""

    town: Town
    browser: Browser
    provers: dict[str, Prover]
    authority: Certified
    certificates: dict[str, Certified]

    @property
    def now(self) -> float:
        return self.town.clock()

    def post(
        self, path: str, form: dict[str, str], headers: dict[str, str] | None = None, *, via: str = PROXY
    ) -> TestResponse:
        """A back-channel request by way of the proxy."""
        client = self.town.app.test_client(use_cookies=False)
        client.environ_base["REMOTE_ADDR"] = via
        return client.post(path, data=form, headers=headers or {}, base_url=ISSUER)

    def own_token(self, prover: Prover, **change: Any) -> TestResponse:
        """A token of the client's own, with an assertion."""
        return self.post("/token", prover.form(self.now, {"grant_type": "client_credentials"}, **change))

    def code(self, prover: Prover, proof: Proof, scope: str = SCOPE, **change: str | None) -> str:
        """A fresh code; Maria agrees when she is asked."""
        changed = {name: value for name, value in change.items() if value is not None}
        return self.browser.code(prover.partner, self.town.maria, scope, proof, **changed)

    def push(
        self,
        prover: Prover,
        proof: Proof,
        headers: dict[str, str] | None = None,
        scope: str = SCOPE,
        **change: str | None,
    ) -> TestResponse:
        """Push a request as this client; a parameter that is changed to None is left out."""
        form = {**prover.partner.request(scope, proof), **change}
        sent = {name: value for name, value in form.items() if value is not None}
        return self.post("/par", self.authenticated(prover, sent), headers)

    def bring(self, prover: Prover, pushed: TestResponse, browser: Browser | None = None) -> TestResponse:
        """Come to the authorization endpoint with a request that was pushed."""
        assert pushed.status_code == 201, pushed.json
        query = urlencode({"client_id": prover.client_id, "request_uri": pushed.json["request_uri"]})
        return (browser or self.browser).get(f"/authorize?{query}")

    def pushed_code(
        self, prover: Prover, proof: Proof, headers: dict[str, str] | None = None, **change: str | None
    ) -> str:
        """A fresh code by way of a pushed request; Maria agrees when she is asked."""
        answer = self.bring(prover, self.push(prover, proof, headers, **change))
        return self.browser.go_through(self.town.maria, answer)

    def redeem(
        self, prover: Prover, code: str, proof: Proof, headers: dict[str, str] | None = None, **change: str
    ) -> TestResponse:
        """Redeem a code as this client."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": prover.partner.redirect_uri,
            "code_verifier": proof.verifier,
            **change,
        }
        return self.post("/token", self.authenticated(prover, form), headers)

    def authenticated(self, prover: Prover, form: dict[str, str]) -> dict[str, str]:
        if prover.key is not None:
            return prover.form(self.now, form)
        return {**form, "client_id": prover.client_id}

    def userinfo(self, headers: dict[str, str]) -> TestResponse:
        client = self.town.app.test_client(use_cookies=False)
        client.environ_base["REMOTE_ADDR"] = PROXY
        return client.get("/userinfo", headers=headers, base_url=ISSUER)


def _new(name: str, method: str, details: Details | None = None, **more: Any) -> NewClient:
    return NewClient(
        f"Service {name}",
        (f"https://{name}.example/cb",),
        client_id=name,
        token_endpoint_auth_method=method,
        scopes=SCOPES,
        details=details or Details(),
        **{"grant_types": (*BOTH, "client_credentials"), **more},
    )


def _register(town: Town, certificates: dict[str, Certified]) -> dict[str, Prover]:
    es, rs = key_for("ES256"), key_for("RS256")
    every = jwks(es, rs, key_for("PS256"), key_for("EdDSA"))
    dn = "CN=pki,O=Riverton"
    own_cert = {"keys": [certificates["self"].jwk]}
    made = {
        "pkjwt": _new("pkjwt", "private_key_jwt", Details(jwks=every)),
        "fapi": _new("fapi", "private_key_jwt", Details(jwks=jwks(es)), profile="fapi2"),
        "signed": _new("signed", "private_key_jwt", Details(jwks=jwks(es)), profile="fapi2-signed"),
        "secretjwt": _new("secretjwt", "client_secret_jwt"),
        "pki": _new("pki", "tls_client_auth", Details(tls_client_auth_subject_dn=dn)),
        "pkidns": _new("pkidns", "tls_client_auth", Details(tls_client_auth_san_dns="api.pki.example")),
        "self": _new(
            "self",
            "self_signed_tls_client_auth",
            Details(jwks=own_cert, tls_client_certificate_bound_access_tokens=True),
        ),
        "pocket": _new(
            "pocket", "none", Details(dpop_bound_access_tokens=True), grant_types=BOTH, application_type="web"
        ),
    }
    provers = {}
    for name, new in made.items():
        partner = town.add_client(new, basis="public_task", required=("name", "email"))
        key = None
        if new.token_endpoint_auth_method == "private_key_jwt":
            key = es
        elif new.token_endpoint_auth_method == "client_secret_jwt":
            key = OctKey.import_key(str(partner.secret))
        provers[name] = Prover(partner, key, "HS256" if name == "secretjwt" else "ES256")
    town.fresh()
    return provers


def make_proving(url: str, folder: Path) -> Proving:
    """The town, its clients and their certificates."""
    authority = certificate("Riverton CA", is_ca=True)
    (folder / "clients.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    certificates = {
        "self": certificate("self"),
        "pki": certificate("pki", issuer=authority, usage=ExtendedKeyUsageOID.CLIENT_AUTH),
        "pkidns": certificate("x", issuer=authority, sans=(x509.DNSName("api.pki.example"),)),
    }
    server = {
        "issuer": ISSUER,
        "staff_url": "https://staff.riverton.example",
        "trusted_proxies": [PROXY],
        "mtls_url": ISSUER,
        "proxy_secret": PROXY_SECRET,
        "client_ca": folder / "clients.pem",
    }
    town = make_town(url, folder, server=server)
    return Proving(town, town.browser(), _register(town, certificates), authority, certificates)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def proving(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proving]:
    """The town of proofs, once per engine; its clock must be put back by whoever moves it."""
    folder = tmp_path_factory.mktemp("proving")
    for url in _database(request, request.param, folder):
        made = make_proving(url, folder)
        yield made
        made.town.context.database.close()
