"""Signed texts read with care: K10 to K12 of the bad-input list, for receipts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.receipts.signed import NotReadable, read
from consent.receipts.verifying import Keys, verify
from tests.consent.receipts.conftest import SigningKey

KEY = SigningKey()
GOOD = {"alg": "ES256", "kid": "r1", "typ": "consent-receipt+jwt"}


def encoded(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def text(header: Any, payload: Any = None, signature: bytes = b"x" * 64) -> str:
    return f"{encoded(header)}.{encoded(payload or {'a': 1})}.{encoded(signature)}"


def test_a_signed_text_is_read_and_its_signature_checked() -> None:
    """RFC 7515 §5.2: one key fits, others do not, and neither does another text."""
    found = read(KEY.sign({"iss": "x"}).decode())
    assert (found.kid, found.typ, found.payload) == ("r1", "consent-receipt+jwt", {"iss": "x"})
    assert found.is_signed_by(KEY.jwk)
    assert not found.is_signed_by(SigningKey().jwk)
    assert not read(text(GOOD)).is_signed_by(KEY.jwk)
    assert not read(text(GOOD, signature=b"x" * 63)).is_signed_by(KEY.jwk)
    assert not found.is_signed_by({**KEY.jwk, "x": KEY.jwk["y"]}), "a point off the curve"
    assert not found.is_signed_by({"kty": "EC"})


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "RS256", "EdDSA", "ES384", "", None, 1])
def test_only_one_algorithm_is_taken(alg: Any) -> None:
    """RFC 8725 §3.1, §3.2: neither no signature at all nor a MAC keyed with the public key."""
    header = {**GOOD, "alg": alg}
    public = json.dumps(KEY.jwk).encode()
    signed = f"{encoded(header)}.{encoded({'a': 1})}"
    for signature in (hmac.digest(public, signed.encode(), hashlib.sha256), b"x"):
        with pytest.raises(NotReadable, match="ES256"):
            read(f"{signed}.{encoded(signature)}")
    with pytest.raises(NotReadable):
        read(f"{signed}.")


@pytest.mark.parametrize(
    "more",
    [
        {"jwk": KEY.jwk},
        {"jku": "https://mallory.example"},
        {"x5c": ["x"]},
        {"crit": ["b64"], "b64": False},
        {"zip": "DEF"},
    ],
)
def test_a_header_brings_no_key_along(more: dict[str, Any]) -> None:
    """RFC 8725 §3.10: what a text says of its own key is not believed, and nothing critical is skipped."""
    with pytest.raises(NotReadable, match="header"):
        read(text({**GOOD, **more}))


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        (b'{"alg":"none","alg":"ES256","kid":"r1","typ":"consent-receipt+jwt"}', b'{"a":1}'),
        (json.dumps(GOOD).encode(), b'{"iss":"a","iss":"b"}'),
        (json.dumps(GOOD).encode(), b'{"record":{"event":"given","event":"refused"}}'),
    ],
)
def test_what_is_named_twice_is_refused(header: bytes, payload: bytes) -> None:
    """RFC 8259 §4: readers differ in which of two members they take, so neither counts."""
    with pytest.raises(NotReadable, match="twice"):
        read(text(header, payload))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   ",
        b"hello",
        b"a.b",
        b"a.b.c.d",
        b"..",
        b"%PDF-1.7 \xff",
        "a.b.ç".encode(),
        b"{}",
        b'{"jws": 1, "receipt": {}}',
        b'{"jws": "x", "jws": "y", "receipt": {}}',
        b'{"jws": "x"',
        b"[1]",
        b"x" * (2 << 20),
        text({**GOOD, "kid": 1}).encode(),
        text({**GOOD, "kid": "k" * 300}).encode(),
        text(GOOD, [1]).encode(),
        text(GOOD, b'{"a": NaN}').encode(),
        text(GOOD).encode() + b"=",
        (text(GOOD)[:-1] + "9").encode(),
    ],
)
def test_what_is_no_receipt_is_refused_in_words(content: bytes) -> None:
    """Each with a sentence, none with a trace."""
    with pytest.raises(NotReadable) as caught:
        verify(content, Keys((KEY.jwk,)))
    assert str(caught.value).endswith(".")


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_refused_in_words(content: bytes) -> None:
    """Nothing that a stranger hands over ends in anything but a sentence."""
    with pytest.raises(NotReadable):
        verify(content, Keys((KEY.jwk,)))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_MEMBERS = st.sampled_from(
    ["schema", "iss", "iat", "jti", "evidence", "record", "opening", "service", "title", "dct:publisher"]
)


@given(
    st.dictionaries(_MEMBERS, _JSON), st.sampled_from(["consent-receipt+jwt", "consent-receipt-paper+jwt"])
)
def test_whatever_is_signed_is_judged_and_not_believed(payload: dict[str, Any], typ: str) -> None:
    """Even the town's own key makes no receipt of something else."""
    if any(isinstance(one, int) and abs(one) > 2**53 for one in payload.values()):
        return
    try:
        content = KEY.sign(payload, typ)
    except TypeError:  # an integer that does not go into JSON
        return
    assert not verify(content, Keys((KEY.jwk,))).is_good
