"""Signers against published vectors and against joserfc; rings against their database."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from keys import signing
from keys.envelope import SealBroken, Vault
from keys.rotation import RotationSchedule, list_keys, rotate, tick
from keys.signing import NoSigningKey, Signer, load_ring, make_key
from tests.keys.conftest import NOW

if TYPE_CHECKING:
    from sqlalchemy import Connection

SCHEDULE = RotationSchedule()
VAULT = Vault(bytes(range(32)))

PRIVATE: dict[str, Any] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}
PRIVATE["PS256"] = PRIVATE["RS256"]
PUBLIC: dict[str, Any] = {
    "RS256": RSAKey(PRIVATE["RS256"].public_key(), b""),
    "PS256": RSAKey(PRIVATE["PS256"].public_key(), b""),
    "ES256": ECKey(PRIVATE["ES256"].public_key(), b""),
    "Ed25519": OKPKey(PRIVATE["Ed25519"].public_key(), b""),
}


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- published vectors ---


def test_an_es256_signature_has_the_form_of_rfc_7515(vectors: dict[str, Any]) -> None:
    """RFC 7515 A.3: OpenSSL's DER form of its R and S becomes its 64 bytes."""
    raw = decoded(vectors["rfc7515_a3"]["signature"])
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    assert signing._r_and_s(der) == raw


def test_the_es256_example_of_rfc_7515_verifies_and_so_does_ours(vectors: dict[str, Any]) -> None:
    """RFC 7515 A.3, with the key of the example: the published signature and one of our own over the same input."""
    vector = vectors["rfc7515_a3"]
    key = ECKey.import_key(vector["key"])
    assert key.private_key is not None
    ours = Signer("k", "ES256", key.private_key).sign_raw(vector["signing_input"].encode())
    for signature in (decoded(vector["signature"]), ours):
        compact = f"{vector['signing_input']}.{signing._base64url(signature).decode()}"
        assert json.loads(jws.deserialize_compact(compact, key, algorithms=["ES256"]).payload)["iss"] == "joe"


def test_an_ed25519_signature_is_that_of_rfc_8037(vectors: dict[str, Any]) -> None:
    """RFC 8037 A.4: Ed25519 is deterministic, so ours is the published one, byte for byte."""
    vector = vectors["rfc8037_a"]
    key = OKPKey.import_key(vector["key"]).private_key
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    for alg in ("EdDSA", "Ed25519"):
        signature = Signer("k", alg, key).sign_raw(vector["signing_input"].encode())
        assert signature == decoded(vector["signature"])


@pytest.mark.parametrize("name", ["rfc7638", "rfc8037_a"])
def test_a_kid_is_the_thumbprint_of_rfc_7638(
    vectors: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 7638 §3.1 and RFC 8037 A.3, for the public key, whatever else it carries."""
    vector = vectors[name]
    key = import_key(vector["key"])
    if not key.is_private:  # the example of RFC 7638 has no private half to seal
        monkeypatch.setattr(key, "as_pem", lambda **_: b"")
    monkeypatch.setattr(signing, "_generate", lambda _: key)
    made = make_key(VAULT, "RS256")
    assert made.kid == vector["thumbprint"]
    assert json.loads(made.public_jwk)["kid"] == vector["thumbprint"]


# --- signers ---


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "Ed25519"])
def test_joserfc_verifies_what_a_signer_signs(alg: str) -> None:
    """Header with kid, alg and typ; the claims as given, text in any script included."""
    claims = {"iss": "https://id.riverton.example", "sub": "Zoë 李", "exp": NOW, "amr": ["pwd"], "ok": True}
    signer = Signer("k-1", alg, PRIVATE[alg])
    for typ in ("JWT", "at+jwt", "JWT"):
        token = jwt.decode(signer.sign(claims, typ=typ), PUBLIC[alg], algorithms=[alg])
        assert token.header == {"kid": "k-1", "alg": alg, "typ": typ}
        assert token.claims == claims
    assert signer.sign(claims).count("=") == 0


def test_the_older_name_of_ed25519_works_too() -> None:
    """RFC 8037 says "EdDSA", which RFC 9864 replaces by "Ed25519"."""
    compact = Signer("k", "EdDSA", PRIVATE["Ed25519"]).sign({"a": 1})
    with pytest.warns(SecurityWarning, match="EdDSA"):
        assert jwt.decode(compact, PUBLIC["Ed25519"], algorithms=["EdDSA"]).header["alg"] == "EdDSA"


@given(st.integers(1, 2**256 - 1), st.integers(1, 2**256 - 1))
def test_r_and_s_keep_their_length(r: int, s: int) -> None:
    """RFC 7518 §3.4: 32 bytes each, leading zeros included."""
    raw = signing._r_and_s(encode_dss_signature(r, s))
    assert (len(raw), int.from_bytes(raw[:32]), int.from_bytes(raw[32:])) == (64, r, s)


def test_a_changed_token_does_not_verify() -> None:
    """The signature covers header and claims."""
    head, body, signature = Signer("k", "ES256", PRIVATE["ES256"]).sign({"sub": "ada"}).split(".")
    forged = signing._base64url(b'{"sub":"bob"}').decode()
    assert body != forged
    with pytest.raises(BadSignatureError):
        jwt.decode(f"{head}.{forged}.{signature}", PUBLIC["ES256"], algorithms=["ES256"])


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("RS256", PRIVATE["ES256"]),
        ("ES256", PRIVATE["RS256"]),
        ("ES256", ec.generate_private_key(ec.SECP384R1())),
        ("RS256", rsa.generate_private_key(65537, 1024)),
        ("PS256", rsa.generate_private_key(65537, 1024)),
        ("PS256", PRIVATE["ES256"]),
        ("Ed25519", PRIVATE["ES256"]),
        ("none", PRIVATE["ES256"]),
        ("HS256", PRIVATE["ES256"]),
    ],
)
def test_a_signer_takes_only_a_key_of_its_algorithm(alg: str, key: Any) -> None:
    """Wrong type, wrong curve, too short, unknown or unsafe algorithms: refused when made, not when used."""
    with pytest.raises(ValueError, match="not a private key for"):
        Signer("k", alg, key)


def test_a_signer_does_not_show_its_key() -> None:
    """Only kid and algorithm."""
    assert repr(Signer("k-1", "ES256", PRIVATE["ES256"])) == "<Signer ES256 k-1>"


def test_keys_are_not_made_for_unknown_algorithms() -> None:
    """No HMAC, no `none`."""
    with pytest.raises(ValueError, match="HS256"):
        make_key(VAULT, "HS256")


def test_a_private_key_is_sealed_for_its_own_row() -> None:
    """Neither another row nor another vault opens it, and it is not there in the clear."""
    made = make_key(VAULT, "ES256")
    assert b"PRIVATE KEY" not in bytes(made.private_sealed)
    assert isinstance(signing._open_private(VAULT, made.kid, made.private_sealed), ec.EllipticCurvePrivateKey)
    with pytest.raises(SealBroken):
        signing._open_private(VAULT, "another kid", made.private_sealed)
    with pytest.raises(SealBroken):
        signing._open_private(Vault(bytes(32)), made.kid, made.private_sealed)


# --- rings ---


def test_a_ring_signs_with_current_keys_and_verifies_by_kid(connection: Connection, vault: Vault) -> None:
    """RS256 (2048 bits) and ES256 (P-256) for tokens, RS256 first because every client knows it."""
    tick(connection, vault, SCHEDULE, uses=["tokens"], now=NOW)
    ring = load_ring(connection, vault)
    assert ring.algorithms == ("RS256", "ES256")
    for alg in ring.algorithms:
        compact = ring.current(alg).sign({"sub": "ada"})
        assert jwt.decode(compact, ring.verify_keys, algorithms=[alg]).claims == {"sub": "ada"}
    with pytest.raises(NoSigningKey):
        ring.current("Ed25519")


def test_the_key_set_holds_public_keys_in_order(connection: Connection, vault: Vault) -> None:
    """RFC 7517 §5: kid, use, alg and kty of each; current, next, previous; distinct kids; nothing private."""
    tick(connection, vault, SCHEDULE, uses=["tokens", "log"], now=NOW)
    rotate(connection, vault, SCHEDULE, force=True, now=NOW + 1)
    published = load_ring(connection, vault).jwks()["keys"]
    states = {key.kid: key.state for key in list_keys(connection)}
    assert [(states[jwk["kid"]], jwk["alg"]) for jwk in published] == [
        ("current", "RS256"),
        ("current", "ES256"),
        ("next", "RS256"),
        ("next", "ES256"),
        ("previous", "RS256"),
        ("previous", "ES256"),
    ]
    members = {"RS256": {"n", "e"}, "ES256": {"crv", "x", "y"}}
    for jwk in published:
        assert set(jwk) == {"kid", "use", "alg", "kty"} | members[jwk["alg"]]
        assert jwk["use"] == "sig"
        assert jwk["kid"] == import_key(jwk).thumbprint()
        if jwk["alg"] == "RS256":
            assert len(decoded(jwk["n"])) == 256
        else:
            assert jwk["crv"] == "P-256"
    assert len({jwk["kid"] for jwk in published}) == 6


def test_the_key_of_the_log_never_enters_the_token_key_set(connection: Connection, vault: Vault) -> None:
    """Rotation never mints an OKP key into a token set that had none."""
    tick(connection, vault, SCHEDULE, uses=["tokens", "log"], now=NOW)
    assert {jwk["kty"] for jwk in load_ring(connection, vault).jwks()["keys"]} == {"RSA", "EC"}
    log = load_ring(connection, vault, use="log")
    assert {jwk["crv"] for jwk in log.jwks()["keys"]} == {"Ed25519"}
    checkpoint = b"riverton.example/log\n1\n"
    public: Any = log.verify_keys.get_by_kid(log.current("Ed25519").kid).public_key
    public.verify(log.current("Ed25519").sign_raw(checkpoint), checkpoint)


def test_a_ring_cannot_be_changed(connection: Connection, vault: Vault) -> None:
    """It is shared by all threads; a caller that edits the key set it was given edits its own copy."""
    tick(connection, vault, SCHEDULE, uses=["log"], now=NOW)
    ring = load_ring(connection, vault, use="log")
    ring.jwks()["keys"].clear()
    ring.jwks()["keys"][0]["kid"] = "mine"
    assert [jwk["kid"] != "mine" for jwk in ring.jwks()["keys"]] == [True, True]
    with pytest.raises(AttributeError):
        ring.verify_keys = None  # type: ignore[misc,assignment]


def test_a_ring_of_an_empty_database_is_empty(connection: Connection, vault: Vault) -> None:
    """Before the first tick nothing signs, and nothing verifies."""
    ring = load_ring(connection, vault)
    assert ring.algorithms == ()
    assert ring.jwks() == {"keys": []}
    with pytest.raises(NoSigningKey):
        ring.current("RS256")
