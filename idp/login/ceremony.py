"""What a passkey's answer must prove: WebAuthn Level 3 §7.1 (create) and §7.2 (get), as far as no database is needed.

The steps that compare bytes and verify signatures are py_webauthn's; those it leaves out are ours and named here.
The library is imported when the first answer is checked, because most processes of a small town never need it.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from idp.jose.encoding import base64url

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from idp.login.models import Passkey

#: How long the browser may take, and how long a challenge lives, in seconds.
CHALLENGE_FOR = 300
#: COSE algorithms that we accept: EdDSA, ES256, RS256, in the order of our liking.
ALGORITHMS = (-8, -7, -257)
TRANSPORTS = frozenset({"ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"})
#: Attestation is asked for with "none"; a device may still sign for itself ("packed").
_FORMATS = ("none", "packed")
_CREDENTIAL_ID_LIMIT = 1023  # §7.1 step 25
_PUBLIC_KEY_LIMIT = 1024  # RSA keys of 4096 bits have some 530 bytes
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


class CeremonyRefused(Exception):
    """The answer proves nothing. The reason is for the log; whoever sent it learns none."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """We, as browsers and devices know us: the domain of our passkeys, our one origin, our name."""

    domain: str
    origin: str
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a browser handed over, read but not verified."""

    unverified: Mapping[str, Any]
    credential_id: bytes
    challenge: bytes
    user_handle: bytes | None


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential whose creation was verified."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    may_sync: bool
    is_synced: bool
    aaguid: str
    transports: str


@dataclass(frozen=True, slots=True)
class Use:
    """A verified use of a passkey; whether the counter went on is decided where it is kept."""

    sign_count: int
    is_synced: bool


def creation_options(
    rp: RelyingParty, challenge: bytes, user: Mapping[str, str], exclude: Iterable[Passkey]
) -> dict[str, Any]:
    """PublicKeyCredentialCreationOptionsJSON (§5.1.9): discoverable, the person verified, no attestation.

    `user` holds id (base64url), name and displayName; `exclude` are the passkeys the resident has already.
    """
    return {
        "rp": {"id": rp.domain, "name": rp.name},
        "user": dict(user),
        "challenge": base64url(challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in ALGORITHMS],
        "timeout": CHALLENGE_FOR * 1000,
        "excludeCredentials": [_descriptor(one) for one in exclude],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": "none",
    }


def request_options(rp: RelyingParty, challenge: bytes, allow: Iterable[Passkey] = ()) -> dict[str, Any]:
    """PublicKeyCredentialRequestOptionsJSON (§5.1.10); without `allow` the device offers what it has for us."""
    return {
        "challenge": base64url(challenge),
        "timeout": CHALLENGE_FOR * 1000,
        "rpId": rp.domain,
        "allowCredentials": [_descriptor(one) for one in allow],
        "userVerification": "required",
    }


def _descriptor(passkey: Passkey) -> dict[str, Any]:
    return {
        "type": "public-key",
        "id": base64url(passkey.credential_id),
        "transports": passkey.transports.split(),
    }


def read_answer(unverified_json: str) -> Answer:
    """Read a RegistrationResponseJSON or AuthenticationResponseJSON (§5.1.8), as far as to look things up.

    Raises:
        CeremonyRefused: when it is none, or when base64url is not written in its one canonical way.
    """
    credential = _mapping(unverified_json)
    response = credential.get("response")
    if not isinstance(response, dict):
        raise CeremonyRefused("no response")
    credential_id = _decoded(credential.get("rawId"))
    if credential.get("id") != credential.get("rawId"):
        raise CeremonyRefused("id differs from rawId")
    client_data = _mapping(_decoded(response.get("clientDataJSON")))
    if client_data.get("crossOrigin") not in (None, False) or "topOrigin" in client_data:
        raise CeremonyRefused("asked for inside another site's page")  # §7.1 steps 10-11, §7.2 steps 13-14
    handle = response.get("userHandle")
    return Answer(
        credential,
        credential_id,
        _decoded(client_data.get("challenge")),
        None if handle is None else _decoded(handle),
    )


def check_creation(rp: RelyingParty, answer: Answer, challenge: bytes) -> NewCredential:
    """§7.1 from step 7 on: type, challenge, origin, RP ID, presence, verification, algorithm, flags, attestation.

    Raises:
        CeremonyRefused: when a step fails.
    """
    from webauthn import verify_registration_response
    from webauthn.helpers.cose import COSEAlgorithmIdentifier

    try:
        _check_format(answer.unverified["response"]["attestationObject"])
        verified = verify_registration_response(
            credential=dict(answer.unverified),
            expected_challenge=challenge,
            expected_rp_id=rp.domain,
            expected_origin=rp.origin,
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(alg) for alg in ALGORITHMS],
        )
        _check_key(verified.credential_public_key)
    except Exception as error:  # whatever hostile bytes do to the parsers, it is a refusal
        raise CeremonyRefused(f"{type(error).__name__}: {error}") from error
    if verified.credential_id != answer.credential_id:
        raise CeremonyRefused("the new credential has another id than the answer")
    if len(verified.credential_id) > _CREDENTIAL_ID_LIMIT:
        raise CeremonyRefused("the credential id is too long")
    return NewCredential(
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        may_sync=verified.credential_device_type == "multi_device",
        is_synced=verified.credential_backed_up,
        aaguid=verified.aaguid,
        transports=_transports(answer.unverified["response"].get("transports")),
    )


def check_use(rp: RelyingParty, answer: Answer, challenge: bytes, passkey: Passkey) -> Use:
    """§7.2 from step 10 on, with the key on record: all but the owner and the counter (steps 6 and 22).

    Raises:
        CeremonyRefused: when a step fails.
    """
    from webauthn import verify_authentication_response

    try:
        verified = verify_authentication_response(
            credential=dict(answer.unverified),
            expected_challenge=challenge,
            expected_rp_id=rp.domain,
            expected_origin=rp.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # compared and set by us, in one statement
            require_user_verification=True,
        )
    except Exception as error:  # as above
        raise CeremonyRefused(f"{type(error).__name__}: {error}") from error
    if (verified.credential_device_type == "multi_device") != passkey.may_sync:
        raise CeremonyRefused("backup eligibility changed")  # §7.2 step 19
    return Use(verified.new_sign_count, verified.credential_backed_up)


def _check_format(attestation_object: str) -> None:
    """§7.1 step 22: only formats that we know, so that no other parser meets a stranger's bytes."""
    from webauthn.helpers import parse_cbor

    if parse_cbor(_decoded(attestation_object))["fmt"] not in _FORMATS:
        raise CeremonyRefused("attestation of an unknown format")


def _check_key(public_key: bytes) -> None:
    """A key that could not be used later is refused now."""
    from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography

    if len(public_key) > _PUBLIC_KEY_LIMIT:
        raise CeremonyRefused("the public key is too long")
    decoded_public_key_to_cryptography(decode_credential_public_key(public_key))


def _transports(unverified: object) -> str:
    named = unverified if isinstance(unverified, list) else []
    return " ".join(sorted(TRANSPORTS.intersection(one for one in named if isinstance(one, str))))


def _mapping(text: str | bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise CeremonyRefused("no JSON") from None
    if not isinstance(found, dict):
        raise CeremonyRefused("no JSON object")
    return found


def _decoded(text: object) -> bytes:
    """The bytes of a canonical base64url text: two texts never stand for the same bytes."""
    if not isinstance(text, str) or not text or not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise CeremonyRefused("no base64url")
    value = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64url(value) != text:
        raise CeremonyRefused("no canonical base64url")
    return value
