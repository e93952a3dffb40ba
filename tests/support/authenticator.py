"""A passkey device in software (ES256), and the part of a browser that speaks to it. It lies as it is told."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from tests.support.town import ISSUER

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40
AAGUID = bytes.fromhex("d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1")


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True)
class Lie:
    """What a ceremony says that is not so; None tells the truth. `client` adds members to the client data."""

    origin: str = ISSUER
    type: str | None = None
    challenge: bytes | None = None
    rp_id: str | None = None
    flags: int | None = None
    count: int | None = None
    user_handle: bytes | None = None
    no_user_handle: bool = False
    raw_id: bytes | None = None
    client: dict[str, Any] = field(default_factory=dict)
    signature: bytes | None = None
    fmt: str = "none"


TRUTH = Lie()


@dataclass
class Credential:
    """A key on the device."""

    id: bytes
    key: ec.EllipticCurvePrivateKey
    rp_id: str
    user_handle: bytes
    count: int = 0

    @property
    def cose(self) -> bytes:
        """The public key (RFC 9052 §7, RFC 9053 §7.1.1)."""
        numbers = self.key.public_key().public_numbers()
        x, y = (value.to_bytes(32, "big") for value in (numbers.x, numbers.y))
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})


@dataclass
class Authenticator:
    """A device; `synced` ones share their keys and count nothing."""

    synced: bool = False
    credentials: list[Credential] = field(default_factory=list)

    def create(self, options: dict[str, Any], lie: Lie = TRUTH) -> dict[str, Any]:
        """Make a credential as the options say: a RegistrationResponseJSON (WebAuthn L3 §5.1.8)."""
        rp_id = options["rp"]["id"]
        key = ec.generate_private_key(ec.SECP256R1())
        made = Credential(lie.raw_id or secrets.token_bytes(32), key, rp_id, unb64(options["user"]["id"]))
        self.credentials.append(made)
        attested = AAGUID + len(made.id).to_bytes(2, "big") + made.id + made.cose
        data = self._data(made, lie, AT) + attested
        statement = cbor2.dumps({"fmt": lie.fmt, "attStmt": {}, "authData": data})
        response = {
            "clientDataJSON": b64(_client_data("webauthn.create", options, lie)),
            "attestationObject": b64(statement),
            "transports": ["internal", "hybrid", "nonsense"],
        }
        return _credential(made.id, response)

    def get(
        self, options: dict[str, Any], lie: Lie = TRUTH, credential: Credential | None = None
    ) -> dict[str, Any]:
        """Sign with the newest credential: an AuthenticationResponseJSON."""
        used = credential or self.credentials[-1]
        used.count += 0 if self.synced else 1
        data = self._data(used, lie, 0)
        client_data = _client_data("webauthn.get", options, lie)
        signed = data + hashlib.sha256(client_data).digest()
        response: dict[str, Any] = {
            "clientDataJSON": b64(client_data),
            "authenticatorData": b64(data),
            "signature": b64(lie.signature or used.key.sign(signed, ec.ECDSA(SHA256()))),
        }
        if not lie.no_user_handle:
            response["userHandle"] = b64(lie.user_handle or used.user_handle)
        return _credential(lie.raw_id or used.id, response)

    def _data(self, credential: Credential, lie: Lie, more: int) -> bytes:
        """Authenticator data (§6.1) up to the counter."""
        honest = UP | UV | (BE | BS if self.synced else 0)
        flags = (honest if lie.flags is None else lie.flags) | more
        count = credential.count if lie.count is None else lie.count
        rp_id = credential.rp_id if lie.rp_id is None else lie.rp_id
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")


def _client_data(ceremony: str, options: dict[str, Any], lie: Lie) -> bytes:
    challenge = options["challenge"] if lie.challenge is None else b64(lie.challenge)
    said = {"type": lie.type or ceremony, "challenge": challenge, "origin": lie.origin, "crossOrigin": False}
    return json.dumps({**said, **lie.client}).encode()


def _credential(raw_id: bytes, response: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": b64(raw_id),
        "rawId": b64(raw_id),
        "type": "public-key",
        "response": response,
        "clientExtensionResults": {},
        "authenticatorAttachment": "platform",
    }


def lying(**values: Any) -> Lie:
    """A lie about some things and the truth about the rest."""
    return replace(TRUTH, **values)
