"""What clients say of themselves: metadata, and certificates that a proxy passes on."""

from __future__ import annotations

import base64
import hashlib
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import DNSName, load_der_x509_certificate
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import strategies as st

from idp.clients.metadata import GRANT_TYPES, ClientRefused, Details, check
from idp.clients.profiles import PROFILES
from idp.clients.rules import redirect_problem
from idp.jose.keys import jwks_problem, usable_keys
from idp.oidc import certificates
from idp.oidc.registration import OPEN_GRANTS, described, read_metadata
from idp.oidc.service import CLOCK_LEEWAY
from idp.web.incoming import BODY_LIMIT, Incoming
from tests.fuzz.inputs import as_json, bent, values
from tests.fuzz.targets import target
from tests.support.proving import certificate, jwks, key_for

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import DrawFn, SearchStrategy

_SOUND = [
    {"redirect_uris": ["https://rp.example/cb"], "client_name": "A", "grant_types": ["authorization_code"]},
    {  # with all that only the town decides
        "redirect_uris": ["https://rp.example/cb"],
        "resource": "https://api.example",
        "minimum_acr": "phr",
        "is_pairwise": False,
        "profile": "legacy",
        "protects_scopes": ["a"],
        "authorization_details_type": [],
    },
    {
        "redirect_uris": ["com.example.app:/cb"],
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "scope": "openid offline_access",
        "client_name#fr": "B",
        "default_max_age": 60,
    },
    {
        "redirect_uris": ["https://rp.example/cb"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": jwks(key_for("ES256")),
        "id_token_signed_response_alg": "ES256",
        "userinfo_signed_response_alg": "ES256",
        "backchannel_logout_uri": "https://rp.example/out",
        "dpop_bound_access_tokens": True,
        "request_uris": ["https://rp.example/ro#a"],
    },
]
_METADATA_NAMES = (
    *Details.model_fields,
    *("redirect_uris", "client_name", "client_name#fr", "client_uri", "logo_uri#de", "scope", "grant_types"),
    *(
        "token_endpoint_auth_method",
        "application_type",
        "subject_type",
        "default_max_age",
        "default_acr_values",
    ),
    *("post_logout_redirect_uris", "client_id", "client_secret", "minimum_acr", "is_pairwise", "profile"),
)
_likely = st.sampled_from(
    [
        *(
            "ES256",
            "RS256",
            "none",
            "RSA-OAEP",
            "A128GCM",
            "https://rp.example/x",
            "http://10.0.0.1/x",
            "implicit",
        ),
        *(
            "javascript:x",
            "private_key_jwt",
            "tls_client_auth",
            "CN=a",
            "pairwise",
            "public",
            "native",
            "phr",
            "fapi2",
        ),
        *(
            ["https://rp.example/cb"],
            ["https://rp.example/cb", "http://x/"],
            ["code id_token"],
            ["implicit"],
            [],
            {},
        ),
        *(["client_credentials"], True, False, 0, -1, 2**31, "a\0b", "x" * 300, jwks(key_for("RS256"))),
        {"keys": [{**key_for("ES256").as_dict(private=False), "z": "\x02deep\x02"}]},
    ]
)
_metadata = as_json(bent(st.sampled_from(_SOUND), _likely, _METADATA_NAMES) | values)
_DEEP = json.dumps({**_SOUND[-1], "jwks": "@"}).replace(
    '"@"', json.dumps(_SOUND[-1]["jwks"])[:-1] + ',"z":' + "[" * 990 + "]" * 990 + "}"
)


@target(
    "client-metadata",
    st.tuples(_metadata, st.sampled_from(sorted(PROFILES)), st.booleans()),
    (_DEEP, "standard", False),
    (_DEEP.replace("[" * 990 + "]" * 990, "[" * 254 + "]" * 254), "standard", False),
)
def what_is_registered_is_sound_and_can_be_kept(given: tuple[str, str, bool]) -> None:
    """RFC 7591 §2, §3.2.2: registered, or refused in words; and nothing is taken that only the town decides."""
    text, profile, is_vouched_for = given
    grants = GRANT_TYPES if is_vouched_for else OPEN_GRANTS
    body = text.encode()[:BODY_LIMIT]
    try:
        new = described(read_metadata(body, "application/json"), profile=profile, grants=grants)
        check(new)
    except ClientRefused:
        return
    details = new.details
    stored = json.dumps(details.kept())
    assert Details(**json.loads(stored)) == details
    assert "\\u0000" not in json.dumps([stored, new.name, *new.redirect_uris, new.home_url, *new.scopes])
    assert not any(
        redirect_problem(one, native=new.application_type == "native")
        for one in (*new.redirect_uris, *new.post_logout_redirect_uris)
    )
    assert details.jwks is None or (jwks_problem(details.jwks) is None and usable_keys(details.jwks))
    assert (new.minimum_acr, new.is_pairwise, new.profile, new.protects_scopes) == (
        "basic",
        True,
        profile,
        (),
    )
    assert (details.resource, details.authorization_details_type) == ("", ())
    assert set(grants).issuperset(new.grant_types)
    assert new.token_endpoint_auth_method in PROFILES[profile].auth_methods


_NOW = 1_800_000_000
_AUTHORITY = certificate("CA", is_ca=True, at=_NOW)
_OWN = certificate("self", at=_NOW)
_OTHER = certificate("self", at=_NOW)
_GIVEN = certificate(
    "pki", issuer=_AUTHORITY, usage=ExtendedKeyUsageOID.CLIENT_AUTH, at=_NOW, sans=(DNSName("a.example"),)
)
_ALL = [one.der for one in (_AUTHORITY, _OWN, _OTHER, _GIVEN)]


@st.composite
def _der(draw: DrawFn) -> bytes:
    """A certificate, a few of whose bytes are others."""
    found = bytearray(draw(st.sampled_from(_ALL)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(found) - 1))
        found[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(found)


_item = (
    _der().map(lambda der: f":{base64.b64encode(der).decode()}:")
    | st.text(max_size=20)
    | st.binary(max_size=40).map(lambda raw: f":{base64.b64encode(raw).decode()}:")
)
_spoilt = st.builds(
    lambda item, at, piece: item[: at % (len(item) + 1)] + piece + item[at % (len(item) + 1) :],
    _item, st.integers(0, 1500), st.sampled_from(["", ":", " ", ",", ";a=1", "=", "\n", "::"]),
)  # fmt: skip
_chains: SearchStrategy[str] = st.lists(_item, max_size=6).map(", ".join)


def _client(method: str, **named: str) -> Any:
    """What `certificates` asks of a client."""
    return SimpleNamespace(auth_method=method, details=Details(**named))  # type: ignore[arg-type]


_CLIENTS = [
    _client("self_signed_tls_client_auth"),
    _client("tls_client_auth", tls_client_auth_subject_dn="CN=pki,O=Riverton"),
    _client("tls_client_auth", tls_client_auth_san_dns="a.example"),
    _client("tls_client_auth", tls_client_auth_san_ip="10.0.0.1"),
]
_REGISTERED = usable_keys({"keys": [_OWN.jwk]})


class _Pem:
    """The authorities' file, without a file."""

    def read_bytes(self) -> bytes:
        return _AUTHORITY.certificate.public_bytes(Encoding.PEM)


_AUTHORITIES: Path = _Pem()  # type: ignore[assignment]
_PROVIDER: Any = SimpleNamespace(
    client_keys=SimpleNamespace(of=lambda *_, **__: _REGISTERED),
    context=SimpleNamespace(settings=SimpleNamespace(server=SimpleNamespace(client_ca=_AUTHORITIES))),
)


@target("client-certificate", st.tuples(_spoilt, _chains))
def a_certificate_that_proves_a_client_is_its_own(given: tuple[str, str]) -> None:
    """RFC 9440 §2, RFC 8705 §2: none, or exactly the bytes that came; true only for the right key or authority."""
    found = certificates.presented(Incoming({"denizen.client_certificate": given}))
    if found is None:
        return
    der = base64.b64decode(given[0].strip()[1:-1])
    assert found.thumbprint == base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    assert len(found.chain) <= 4
    for client in _CLIENTS:
        if not certificates.is_of(_PROVIDER, client, found, now=_NOW):
            continue
        held = load_der_x509_certificate(der)
        assert held.not_valid_before_utc.timestamp() <= _NOW + CLOCK_LEEWAY
        assert held.not_valid_after_utc.timestamp() >= _NOW
        if client.auth_method == "self_signed_tls_client_auth":
            form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            assert held.public_key().public_bytes(*form) == _OWN.certificate.public_key().public_bytes(*form)
        else:
            assert _is_given(held)
            assert not client.details.tls_client_auth_san_ip


def _is_given(held: Any) -> bool:
    try:
        held.verify_directly_issued_by(_AUTHORITY.certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
