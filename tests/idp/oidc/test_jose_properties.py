"""Whatever comes in as a JWS: it is read, or refused with words; nothing else ever happens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from idp.jose import texts as jose
from idp.jose.keys import jwks_problem, public_key, usable_keys
from idp.jose.texts import NotReadable, text_claim
from idp.oidc.dpop import ALGORITHMS, Expected, NonceNeeded, check_proof
from tests.support.proving import b64, dpop, key_for, sign
from tests.support.town import ISSUER, START

KEY = key_for("ES256")
EXPECTED = Expected("POST", (f"{ISSUER}/token",), ("nonce",), needs_nonce=False, access_token=None, now=START)

_NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_SCALARS = st.none() | st.booleans() | _NUMBERS | st.text(max_size=40)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_NAMES = st.sampled_from(
    ["alg", "kid", "typ", "jwk", "jku", "x5c", "x5u", "crit", "b64", "zip", "cty", "enc", "p2c"]
)
_HEADERS = st.dictionaries(
    _NAMES | st.text(max_size=8), _JSON | st.sampled_from(["ES256", "none", "dpop+jwt"]), max_size=6
)
_CLAIMS = st.dictionaries(
    st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "htm", "htu", "ath", "nonce"]),
    _JSON,
    max_size=8,
)


def _segment(value: Any) -> str:
    return b64(json.dumps(value).encode("utf-8", "surrogatepass"))


@given(st.text() | st.text(alphabet="abcAB01-_.=", max_size=200))
@example("..")
@example("e30.e30.")
@example("A.A.A")
@example("bnVsbA.bnVsbA.bnVsbA")
@example("eyJhbGciOiJFUzI1NiIsImFsZyI6Im5vbmUifQ.e30.e30")
@example("W10.W10.W10")
def test_any_text_is_read_or_refused(text: str) -> None:
    """RFC 7515 §5.2: no exception but our own."""
    try:
        found = jose.read(text)
    except NotReadable:
        return
    assert isinstance(found.alg, str)
    assert found.text == text


@given(_HEADERS, _JSON | _CLAIMS, st.binary(min_size=1, max_size=80))
def test_no_header_and_no_signature_makes_anything_true(
    header: dict[str, Any], claims: Any, signature: bytes
) -> None:
    """RFC 8725 §3: without the key there is no way in."""
    text = f"{_segment(header)}.{_segment(claims)}.{b64(signature)}"
    with pytest.raises(NotReadable):
        jose.verify(jose.read(text), [KEY], algorithms=("ES256", "PS256", "RS256", "EdDSA", "Ed25519"))


@given(_CLAIMS)
def test_what_the_key_signed_is_what_is_read(claims: dict[str, Any]) -> None:
    """Any claims at all; a text with a member given twice is the one that is refused."""
    text = sign(claims, KEY, {"alg": "ES256"})
    assert repr(jose.verify(jose.read(text), [KEY], algorithms=("ES256",))) == repr(
        json.loads(json.dumps(claims))
    )


@given(st.data())
@settings(max_examples=200)
def test_one_changed_letter_is_enough(data: st.DataObject) -> None:
    """Each letter of a JWS counts, whichever part it stands in."""
    text = sign({"iss": "x", "exp": 1}, KEY, {"alg": "ES256", "kid": KEY.kid})
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("ABCabc019-_."))
    changed = text[:place] + letter + text[place + 1 :]
    if changed == text or place == len(text) - 1:  # the last letter has bits that say nothing
        return
    with pytest.raises(NotReadable):
        jose.verify(jose.read(changed), [KEY], algorithms=("ES256",))


@given(_HEADERS, _CLAIMS)
@settings(max_examples=200)
def test_a_proof_holds_only_if_all_of_it_is_right(header: dict[str, Any], claims: dict[str, Any]) -> None:
    """RFC 9449 §4.3: whatever else is put into one."""
    claims = {name: value for name, value in claims.items() if name != "jti" or isinstance(value, str)}
    proof = dpop(KEY, now=START, header={n: v for n, v in header.items() if n != "alg"}, **claims)
    try:
        found = check_proof(proof, EXPECTED)
    except (NotReadable, NonceNeeded):
        return
    said = json.loads(json.dumps({"htm": "POST", "iat": START, **claims}))
    assert said["htm"] == "POST"
    assert found.has_nonce == (said.get("nonce") is not None)
    assert header.get("typ", "dpop+jwt") in ("dpop+jwt", None)


@given(_JSON, st.sampled_from([*ALGORITHMS, "RS256", "none", "HS256", "x"]))
def test_any_jwk_is_a_key_or_none(jwk: Any, alg: str) -> None:
    """RFC 7517: no exception of a library ever gets through."""
    for one in (
        jwk,
        {"kty": jwk},
        {"kty": "EC", "crv": jwk, "x": jwk, "y": "AA"},
        {"kty": "RSA", "n": jwk, "e": jwk},
    ):
        assert public_key(one) is None
        assert usable_keys({"keys": [one, jwk]}) == ()
        assert usable_keys(jwk) == ()
        assert jwks_problem({"keys": [one]}) is not None
    assert alg


@pytest.mark.parametrize("size", [jose.SIZE_LIMIT + 1, 10_000_000])
def test_what_is_too_long_is_not_even_taken_apart(size: int) -> None:
    """K39: a header of ten megabytes, JSON of great depth, a bomb."""
    with pytest.raises(NotReadable):
        jose.read("a" * size)
    for deep in ("[" * 9000, '{"a":' * 2000):
        with pytest.raises(NotReadable):
            jose.read(f"{b64(deep.encode())}.{b64(deep.encode())}.AA")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_in_json_is_refused(value: str) -> None:
    """RFC 8259 §6, RFC 7515 §4: no two readers see different things."""
    claims = b64(f'{{"exp":{value}}}'.encode())
    header = b64(b'{"alg":"ES256"}')
    assert jose.read(f"{header}.{b64(b'{}')}.AA")
    with pytest.raises(NotReadable):
        jose.read(f"{header}.{claims}.AA")


@pytest.mark.parametrize("place", [0, 1])
def test_a_member_that_is_given_twice_is_refused(place: int) -> None:
    """RFC 7515 §4: so that no two readers see different things."""
    parts = sign({"iss": "x"}, KEY, {"alg": "ES256"}).split(".")
    assert jose.read(".".join(parts)).claims == {"iss": "x"}
    parts[place] = b64(b'{"alg":"ES256","iss":"a","iss":"b"}')
    with pytest.raises(NotReadable):
        jose.read(".".join(parts))


@pytest.mark.parametrize("odd", ["\ud800", "a\udfffb", "\0", "", "x" * 10_000, 7, None])
def test_a_name_that_is_no_text_is_refused(odd: object) -> None:
    """JSON can name half of a letter, which nothing can hash or keep."""
    with pytest.raises(NotReadable):
        text_claim({"jti": odd}, "jti")
