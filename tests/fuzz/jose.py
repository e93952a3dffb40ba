"""Signed texts, keys and DPoP proofs of strangers."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import strategies as st
from joserfc.jwk import OctKey

from idp.jose import texts
from idp.jose.keys import jwks_problem, public_key, usable_keys
from idp.jose.texts import NotReadable
from idp.oidc.dpop import ALGORITHMS, Expected, NonceNeeded, check_proof
from idp.oidc.service import CLOCK_LEEWAY
from tests.fuzz.inputs import as_json, bent, edited, objects, scalars, values
from tests.fuzz.targets import target
from tests.support.proving import b64, key_for, sign

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

_ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA")
_KEYS = {alg: key_for(alg) for alg in _ALGORITHMS}
_PUBLIC = {alg: key.as_dict(private=False) for alg, key in _KEYS.items()}
_NOW = 1_800_000_000
_TYPES = ("JWT", "dpop+jwt", "oauth-authz-req+jwt", "application/jwt", "at+jwt")
_HEADER_NAMES = (
    "alg",
    "kid",
    "typ",
    "jwk",
    "jku",
    "x5c",
    "x5u",
    "crit",
    "b64",
    "zip",
    "cty",
    "enc",
    "epk",
    "p2c",
)
_LIKELY = (
    st.sampled_from([*_ALGORITHMS, "none", "HS256", "ES384", "Ed25519", *_TYPES, *(key.kid for key in _KEYS.values())])
    | st.sampled_from([["alg"], *_PUBLIC.values()])
)  # fmt: skip
_headers = bent(
    st.sampled_from([{"alg": alg, "kid": _KEYS[alg].kid} for alg in _ALGORITHMS]), _LIKELY, _HEADER_NAMES
)
_claims = objects(("iss", "sub", "aud", "exp", "iat", "nbf", "jti"), st.integers(_NOW - 90, _NOW + 90))


def _segment(text: str) -> str:
    return b64(text.encode("utf-8", "surrogatepass"))


@st.composite
def _signed(draw: DrawFn, headers: SearchStrategy[Any], claims: SearchStrategy[Any]) -> str:
    """A text with a true signature: by the key that its header names, by another, or by a secret that is public."""
    header = draw(headers)
    text = f"{_segment(draw(as_json(st.just(header))))}.{_segment(draw(as_json(claims)))}"
    said = header.get("alg") if isinstance(header, dict) else None
    own = [one for one in _ALGORITHMS if one == said] * 8
    alg = draw(st.sampled_from([*own, *_ALGORITHMS, "HS256"]))
    key = OctKey.import_key(json.dumps(_PUBLIC["ES256"])) if alg == "HS256" else _KEYS[alg]
    signed = "a.b" if draw(st.integers(0, 9)) == 0 else text
    return f"{text}.{_signature(signed, alg, key)}"


def _signature(text: str, alg: str, key: Any) -> str:
    from joserfc.jws import JWSRegistry

    return b64(JWSRegistry.algorithms[alg].sign(text.encode(), key))


_SOUND = [
    sign({"iss": "c", "exp": _NOW + 60}, _KEYS[alg], {"alg": alg, "kid": _KEYS[alg].kid})
    for alg in _ALGORITHMS
]
_texts = (
    _signed(_headers | values, _claims | values)
    | edited(st.sampled_from(_SOUND), st.sampled_from([".", "=", "-", "_", "e30", "A", "é", "\n", "+"]))
    | st.text(max_size=60)
    | st.text(alphabet="abcAB01-_.=", max_size=120)
)


@target("jose-text", _texts)
def a_verified_text_is_signed_by_that_key(text: str) -> None:
    """RFC 7515 §5.2, RFC 8725 §3: read, or refused with words; true only if the key, the method and the bytes fit."""
    try:
        unverified = texts.read(text)
    except NotReadable:
        return
    for kind, key in _KEYS.items():
        try:
            claims = texts.verify(unverified, [public_key(_PUBLIC[kind])], algorithms=_ALGORITHMS)  # type: ignore[list-item]
        except NotReadable:
            continue
        assert _is_signed(text, unverified.header["alg"], key)
        said = _bytes(text.split(".")[1]).decode()
        assert repr(claims) == repr(json.loads(said, parse_constant=pytest.fail))
    for name in ("exp", "iat"):
        try:
            found = texts.instant(unverified.claims, name)
        except NotReadable:
            continue
        assert found is None or 0 <= found < 253_402_300_800


def _is_signed(text: str, alg: str, key: Any) -> bool:
    """Checked by hand, without the library that we use."""
    said, _, last = text.rpartition(".")
    signed, signature, public = said.encode(), _bytes(last), key.public_key
    try:
        if isinstance(public, ec.EllipticCurvePublicKey) and alg == "ES256":
            assert len(signature) == 64
            r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
            public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
        elif isinstance(public, rsa.RSAPublicKey) and alg == "RS256":
            public.verify(signature, signed, padding.PKCS1v15(), SHA256())
        elif isinstance(public, rsa.RSAPublicKey) and alg == "PS256":
            public.verify(signature, signed, padding.PSS(padding.MGF1(SHA256()), 32), SHA256())
        elif isinstance(public, ed25519.Ed25519PublicKey) and alg in ("EdDSA", "Ed25519"):
            public.verify(signature, signed)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _bytes(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


_SECRET = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_JWK_NAMES = (*_SECRET, "kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "key_ops", "x5c", "x5t", "x5u")
_numbers = st.binary(max_size=70).map(b64) | st.sampled_from(["AQAB", "AA", "", "====", "AQ"])
_words = st.sampled_from(
    [
        "RSA",
        "EC",
        "OKP",
        "oct",
        "P-256",
        "P-521",
        "secp256k1",
        "Ed25519",
        "Ed448",
        "X25519",
        "sig",
        "enc",
        "verify",
    ]
)
_jwks = bent(st.sampled_from(list(_PUBLIC.values())), _numbers | _words | scalars, _JWK_NAMES)


@target("jose-keys", st.lists(_jwks | values, max_size=3), [{**_PUBLIC["ES256"], "kty": []}])
def a_usable_key_is_public_and_strong(keys: list[Any]) -> None:
    """RFC 7517 §5, RFC 7518: no library's exception gets through, and no key that nobody should use."""
    problem = jwks_problem({"keys": keys})
    jwks_problem(keys)
    for one in (*usable_keys({"keys": keys}), *usable_keys(keys)):
        raw: Any = one.raw_value
        assert not one.is_private
        assert isinstance(raw, rsa.RSAPublicKey) is (one.key_type == "RSA")
        if isinstance(raw, rsa.RSAPublicKey):
            assert 2048 <= raw.key_size <= 8192
        assert not set(_SECRET) & one.as_dict(private=False).keys()
        texts_to = {"RSA": ("RSA-OAEP-256",), "EC": ("ECDH-ES",), "OKP": ()}[one.key_type]
        for alg in texts_to:
            try:
                assert texts.encrypt("text", [one], alg=alg, enc="A128GCM").count(".") == 4
            except NotReadable:
                assert one.dict_value.get("use", "enc") != "enc" or one.dict_value.get("alg", alg) != alg
    if problem is None:
        assert all(isinstance(key, dict) and not set(_SECRET) & key.keys() for key in keys)


_EXPECTED = Expected(
    "POST",
    ("https://a.example/token",),
    ("nonce-1", "nonce-0"),
    needs_nonce=False,
    access_token=None,
    now=_NOW,
)
_TOKEN = "access"
_ATH = b64(hashlib.sha256(_TOKEN.encode()).digest())
_proof_headers = bent(
    st.sampled_from(
        [
            {"typ": "dpop+jwt", "alg": alg, "jwk": {n: v for n, v in jwk.items() if n != "kid"}}
            for alg, jwk in _PUBLIC.items()
        ]
    ),
    _LIKELY,
    _HEADER_NAMES,
)
_proof_claims = bent(
    st.fixed_dictionaries(
        {
            "htm": st.just("POST"),
            "htu": st.sampled_from(
                ["https://a.example/token", "https://A.example:443/token?x", "https://x@a.example/token"]
            ),
            "iat": st.sampled_from([_NOW, _NOW - CLOCK_LEEWAY - 1, _NOW + CLOCK_LEEWAY + 1, _NOW + 0.5]),
            "jti": st.just("j"),
            "ath": st.just(_ATH),
        }
    ),
    st.integers(_NOW - 90, _NOW + 90)
    | st.sampled_from(
        ["POST", "GET", "nonce-0", "https://a.example:443/token?x#y", "HTTPS://A.example/token"]
    )
    | edited(
        st.just("https://a.example/token"), st.sampled_from(["/", "@", ":443", "..", "%2f", "[", "\t", "?"])
    ),
    ("htm", "htu", "iat", "jti", "ath", "nonce"),
)


@target("dpop-proof", st.tuples(_signed(_proof_headers, _proof_claims), st.booleans(), st.booleans()))
def a_proof_that_holds_is_right_in_every_part(given: tuple[str, bool, bool]) -> None:
    """RFC 9449 §4.3."""
    text, needs_nonce, is_for_token = given
    token = _TOKEN if is_for_token else None
    expected = Expected(
        _EXPECTED.method, _EXPECTED.addresses, _EXPECTED.nonces,
        needs_nonce=needs_nonce, access_token=token, now=_NOW,
    )  # fmt: skip
    try:
        proof = check_proof(text, expected)
    except (NotReadable, NonceNeeded):
        return
    head, claims = (json.loads(_bytes(part)) for part in text.split(".")[:2])
    assert head["typ"].lower().removeprefix("application/") == "dpop+jwt"
    assert head["alg"] in ALGORITHMS
    [key] = [
        one for kind, one in _KEYS.items() if _is_signed(text, head["alg"], one) and _is(head["jwk"], kind)
    ]
    assert proof.jkt == _thumbprint(key.as_dict(private=False))
    assert claims["htm"] == "POST"
    assert claims["htu"].lower().strip().startswith("https://a.example")
    assert "@" not in claims["htu"].partition("?")[0].partition("#")[0]
    assert proof.jti == claims["jti"]
    assert proof.has_nonce == (claims.get("nonce") is not None) >= needs_nonce
    assert proof.has_nonce or abs(int(claims["iat"]) - _NOW) <= CLOCK_LEEWAY
    assert not proof.has_nonce or claims["nonce"] in expected.nonces
    assert token is None or claims["ath"] == _ATH


def _is(jwk: dict[str, Any], kind: str) -> bool:
    needed = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}[_PUBLIC[kind]["kty"]]
    return all(jwk.get(name) == _PUBLIC[kind][name] for name in ("kty", *needed))


def _thumbprint(jwk: dict[str, Any]) -> str:
    """RFC 7638 §3 by hand."""
    needed = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}[
        jwk["kty"]
    ]
    text = json.dumps({name: jwk[name] for name in needed}, separators=(",", ":"))
    return b64(hashlib.sha256(text.encode()).digest())
