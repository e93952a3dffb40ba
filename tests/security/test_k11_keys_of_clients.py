"""K11: nothing that a signed text says about its own algorithm or key is believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import OctKey

from tests.support.proving import TYPE, Prover, b64, dpop, jwks, key_for
from tests.support.tls import HttpsServer, make_authority
from tests.support.town import ISSUER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.proving import Proving

OWN = {"grant_type": "client_credentials"}
EVIL = key_for("ES256", "evil")
ALGORITHMS = ["none", "None", "nOnE", "NONE", "", "HS256", "HS384", "HS512", "ES256K", "RS1", "dir"]
KIDS = [
    "../../dev/null",
    "/dev/null",
    "' OR 1=1--",
    "x' UNION SELECT 'AAAA",
    "x" * 10_240,
    "ES256\0",
    "",
    "http://169.254.169.254/",
]


def _parts(proving: Proving) -> tuple[dict[str, Any], str]:
    """Header and payload of an assertion that would be good."""
    head, payload, _ = proving.provers["pkjwt"].assertion(proving.now).split(".")
    return json.loads(base64.urlsafe_b64decode(head + "==")), payload


def _sent(proving: Proving, assertion: str, client: str = "pkjwt") -> tuple[int, str]:
    form = {**OWN, "client_assertion_type": TYPE, "client_assertion": assertion, "client_id": client}
    answer = proving.post("/token", form)
    return answer.status_code, answer.json["error"]


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_algorithm_of_the_senders_choice_proves_nothing(proving: Proving, alg: str) -> None:
    """RFC 8725 §3.1, CVE-2024-37568: with no signature, an empty one, and the good one."""
    header, payload = _parts(proving)
    good = proving.provers["pkjwt"].assertion(proving.now).rpartition(".")[2]
    head = b64(json.dumps({**header, "alg": alg}).encode())
    for signature in ("", b64(b"\0"), b64(b""), good):
        assert _sent(proving, f"{head}.{payload}.{signature}") == (401, "invalid_client")


def _public_texts(proving: Proving) -> list[bytes]:
    """Public keys of the client and of ours, in every form in which a library could take one for a secret."""
    ours = proving.town.app.test_client().get("/jwks", base_url=ISSUER).json["keys"]
    texts: list[bytes] = []
    for key in (key_for("ES256"), key_for("RS256")):
        raw = key.public_key
        pem, der = (
            raw.public_bytes(one, PublicFormat.SubjectPublicKeyInfo) for one in (Encoding.PEM, Encoding.DER)
        )
        texts += [pem, der, b" " + pem, pem.strip(), pem.replace(b"\n", b"\r\n")]
        texts.append(json.dumps(key.as_dict(private=False)).encode())
    texts += [json.dumps(key).encode() for key in ours]
    return [*texts, b"", b"\0", b"secret"]


def test_a_public_key_is_no_secret(proving: Proving) -> None:
    """CVE-2026-27962 and its kin: HS256 keyed with a public key in any form, also for a client with a secret."""
    header, payload = _parts(proving)
    for alg, name in (("HS256", "sha256"), ("HS512", "sha512")):
        head = b64(json.dumps({**header, "alg": alg}).encode())
        for secret in _public_texts(proving):
            mac = hmac.new(secret, f"{head}.{payload}".encode(), getattr(hashlib, name)).digest()
            assert _sent(proving, f"{head}.{payload}.{b64(mac)}") == (401, "invalid_client")


def test_a_client_that_signs_with_a_secret_is_not_proved_by_a_key(proving: Proving) -> None:
    """The other way round: keys of the sender's are no keys of the client's."""
    prover = proving.provers["secretjwt"]
    for alg in ("ES256", "RS256"):
        forged = Prover(prover.partner, key_for(alg), alg).assertion(proving.now)
        assert _sent(proving, forged, "secretjwt") == (401, "invalid_client")
    empty = Prover(prover.partner, OctKey.import_key("x" * 43), "HS256").assertion(proving.now)
    assert _sent(proving, empty, "secretjwt") == (401, "invalid_client")


def test_a_key_in_the_header_is_not_used_and_nothing_is_fetched(proving: Proving, tmp_path: Path) -> None:
    """RFC 8725 §3.10: jwk, jku, x5u and x5c, with a listener that must stay untouched."""
    hits: list[str] = []

    def respond(_method: str, path: str, *_: object) -> tuple[int, dict[str, str], bytes]:
        hits.append(path)
        return 200, {"Content-Type": "application/json"}, json.dumps(jwks(EVIL)).encode()

    der = proving.authority.der
    with HttpsServer(make_authority(tmp_path), respond) as server:
        for header in (
            {"jwk": EVIL.as_dict(private=False)},
            {"jwk": EVIL.as_dict(private=False), "kid": EVIL.kid},
            {"jku": f"{server.url}/jwks", "kid": EVIL.kid},
            {"x5u": f"{server.url}/x5u"},
            {"x5c": [base64.b64encode(der).decode()]},
            {"x5t#S256": "x" * 43},
        ):
            forged = Prover(proving.provers["pkjwt"].partner, EVIL).assertion(proving.now, header=header)
            assert _sent(proving, forged) == (401, "invalid_client"), header
            proof = dpop(
                key_for("ES256"), now=proving.now, header={**header, "jwk": EVIL.as_dict(private=False)}
            )
            form, basic = proving.town.service.authentication(OWN)
            refused = proving.post("/token", form, {**basic, "DPoP": proof})
            assert refused.json["error"] == "invalid_dpop_proof"
    assert hits == []


@pytest.mark.parametrize("kid", KIDS, ids=range(len(KIDS)))
def test_a_kid_is_a_name_and_nothing_else(proving: Proving, kid: str) -> None:
    """CVE-2018-0114 and its kin: no path, no query, no address, and no length."""
    forged = proving.provers["pkjwt"].assertion(proving.now, header={"kid": kid})
    assert _sent(proving, forged) == (401, "invalid_client")


def test_a_key_for_sealing_does_not_sign(proving: Proving) -> None:
    """RFC 7517 §4.2: use and alg of a registered key are kept to."""
    from idp.jose.keys import fits, public_key

    plain = key_for("RS256").as_dict(private=False)
    for said, alg, use, good in (
        ({}, "RS256", "sig", True),
        ({"use": "enc"}, "RS256", "sig", False),
        ({"use": "sig"}, "RSA-OAEP", "enc", False),
        ({"alg": "PS256"}, "RS256", "sig", False),
        ({"alg": "RS256"}, "RS256", "sig", True),
        ({}, "ES256", "sig", False),
        ({}, "HS256", "sig", False),
        ({}, "none", "sig", False),
    ):
        key = public_key({**plain, **said})
        assert key is not None
        assert fits(key, alg, use=use) == good, (said, alg)
