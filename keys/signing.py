"""Signing: prepared signers for the hot path, and the ring of keys that sign and verify one use."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey, import_key
from sqlalchemy import bindparam, select

from keys.envelope import Connection, SealedBytes, Vault
from keys.models import SigningKey

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey

RSA_BITS = 2048
_P256_BYTES = 32

# What each use can sign with, the default algorithm first. The keys of the log and of
# receipts never enter the token key set; every browser can verify ES256, so that anybody can check a receipt.
ALGORITHMS: Mapping[str, Sequence[str]] = MappingProxyType(
    {"tokens": ("RS256", "ES256", "PS256", "EdDSA"), "log": ("Ed25519",), "receipts": ("ES256",)}
)
# What each use signs with where nobody says otherwise: every key costs, and every client can verify these.
DEFAULT_ALGORITHMS: Mapping[str, Sequence[str]] = MappingProxyType(
    {"tokens": ("RS256", "ES256"), "log": ("Ed25519",), "receipts": ("ES256",)}
)

_PUBLISHED = ("current", "next", "previous")  # in the order of the key set
_RING = select(
    SigningKey.kid, SigningKey.alg, SigningKey.state, SigningKey.public_jwk, SigningKey.private_sealed
).where(SigningKey.use == bindparam("use"), SigningKey.state != "retired")


class NoSigningKey(LookupError):
    """No key of this algorithm signs at the moment."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A fresh key as its row needs it."""

    kid: str
    public_jwk: str
    private_sealed: SealedBytes


class Signer:
    """Signs with one key. Made once and kept: the key is imported and the headers are encoded only once."""

    __slots__ = ("_headers", "_sign", "alg", "kid")

    def __init__(self, kid: str, alg: str, private_key: PrivateKey) -> None:
        self.kid = kid
        self.alg = alg
        self._sign = _raw_signature(alg, private_key)
        self._headers: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"<Signer {self.alg} {self.kid}>"

    def sign(self, claims: Mapping[str, Any], typ: str = "JWT") -> str:
        """The claims as a compact JWS (RFC 7515 §7.1) with kid, alg and typ in its header."""
        header = self._headers.get(typ) or self._prepare_header(typ)
        signing_input = header + b"." + _base64url(orjson.dumps(claims))
        return (signing_input + b"." + _base64url(self._sign(signing_input))).decode()

    def sign_raw(self, message: bytes) -> bytes:
        """The bare signature as JWS has it: PKCS 1 v1.5, PSS, r || s, or Ed25519's 64 bytes (RFC 7518 §3, RFC 8037)."""
        return self._sign(message)

    def _prepare_header(self, typ: str) -> bytes:
        header = _base64url(orjson.dumps({"alg": self.alg, "kid": self.kid, "typ": typ}))
        self._headers[typ] = header
        return header


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one use at one moment; reload it to see a rotation.

    `verify_keys` is a joserfc key set of every published key. Use it with an explicit list of algorithms.
    """

    verify_keys: KeySet
    _signers: Mapping[str, Signer]
    _published: Sequence[Mapping[str, Any]]

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms that can sign now, the default first."""
        return tuple(self._signers)

    def current(self, alg: str) -> Signer:
        """The signer of this algorithm; NoSigningKey if none signs."""
        try:
            return self._signers[alg]
        except KeyError:
            raise NoSigningKey(f"no {alg} key signs at the moment") from None

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public key set (RFC 7517 §5): current keys, then next, then previous; never retired ones."""
        return {"keys": [dict(jwk) for jwk in self._published]}


def load_ring(connection: Connection, vault: Vault, *, use: str = "tokens") -> KeyRing:
    """The keys of one use ("tokens", "log" or "receipts") as they stand in the database."""
    rank = {alg: place for place, alg in enumerate(ALGORITHMS[use])}
    rows = connection.execute(_RING, {"use": use}).all()
    rows = sorted(rows, key=lambda row: (_PUBLISHED.index(row[2]), rank.get(row[1], len(rank)), row[0]))
    signers = {
        alg: Signer(kid, alg, _open_private(vault, kid, sealed))
        for kid, alg, state, _, sealed in rows
        if state == "current"
    }
    published = tuple(MappingProxyType(json.loads(row[3])) for row in rows)
    verify_keys = KeySet([import_key(dict(jwk)) for jwk in published])
    return KeyRing(verify_keys, MappingProxyType(signers), published)


def make_key(vault: Vault, alg: str) -> NewKey:
    """A new key, its private half sealed. RSA takes a tenth of a second or more: never while a resident waits."""
    key = _generate(alg)
    kid = key.thumbprint()
    public = key.as_dict(private=False) | {"kid": kid, "use": "sig", "alg": alg}
    private_pem = key.as_pem(private=True).decode()
    sealed = vault.service_data_key("signing").seal(private_pem, _private_context(kid))
    return NewKey(kid, json.dumps(public, sort_keys=True), sealed)


def _generate(alg: str) -> RSAKey | ECKey | OKPKey:
    match alg:
        case "RS256" | "PS256":
            return RSAKey.generate_key(RSA_BITS)
        case "ES256":
            return ECKey.generate_key("P-256")
        case "EdDSA" | "Ed25519":
            return OKPKey.generate_key("Ed25519")
    raise ValueError(f"no signing keys are made for {alg}")


def _open_private(vault: Vault, kid: str, sealed: SealedBytes) -> PrivateKey:
    pem = vault.service_data_key("signing").open(sealed, _private_context(kid))
    private_key = load_pem_private_key(pem.encode(), password=None)
    assert isinstance(private_key, PrivateKey)
    return private_key


def _private_context(kid: str) -> str:
    return f"keys_signing_key.private_sealed {kid}"


def _raw_signature(alg: str, key: PrivateKey) -> Callable[[bytes], bytes]:
    """The signing function of this algorithm; ValueError if the key is not one of its keys."""
    if alg in {"RS256", "PS256"} and isinstance(key, RSAPrivateKey) and key.key_size >= RSA_BITS:
        digest = SHA256()
        # The salt is as long as the digest (RFC 7518 §3.5).
        padding = PKCS1v15() if alg == "RS256" else PSS(MGF1(SHA256()), salt_length=digest.digest_size)
        return lambda message: key.sign(message, padding, digest)
    if alg == "ES256" and isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        ecdsa = ECDSA(SHA256())
        return lambda message: _r_and_s(key.sign(message, ecdsa))
    if alg in {"EdDSA", "Ed25519"} and isinstance(key, Ed25519PrivateKey):
        return key.sign
    raise ValueError(f"not a private key for {alg}")


def _r_and_s(der_signature: bytes) -> bytes:
    """JWS wants r || s at fixed length (RFC 7518 §3.4), OpenSSL gives DER."""
    r, s = decode_dss_signature(der_signature)
    return r.to_bytes(_P256_BYTES) + s.to_bytes(_P256_BYTES)


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
