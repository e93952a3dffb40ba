"""Client certificates: what a proxy passes on (RFC 9440), whose they are (RFC 8705 §2), and their thumbprint (§3).

The proxy proves that its peer holds the private key. Whether a certificate proves who somebody is, we judge
ourselves: by the authorities in `[server] client_ca`, or by the keys that a client registered.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from idp.clients.metadata import CERTIFICATE_NAMES
from idp.clients.rules import address_of
from idp.jose.encoding import base64url
from idp.oidc.service import CLOCK_LEEWAY

if TYPE_CHECKING:
    from pathlib import Path

    from idp.clients.registry import Client
    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming

_SIZE_LIMIT = 16 * 1024
_CHAIN_LIMIT = 4
_KINDS: dict[str, Any] = {
    "dns": x509.DNSName,
    "uri": x509.UniformResourceIdentifier,
    "email": x509.RFC822Name,
    "ip": x509.IPAddress,
}


@dataclass(frozen=True, slots=True)
class Presented:
    """A certificate whose key the peer holds, and those that it sent along."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    #: `x5t#S256` (RFC 8705 §3.1).
    thumbprint: str


def presented(incoming: Incoming) -> Presented | None:
    """The certificate that a trusted proxy names, or None when there is none or it cannot be read."""
    header, chain = incoming.client_certificate
    if not header:
        return None
    try:
        der = _bytes_of(header)
        certificate = x509.load_der_x509_certificate(der)
        certificate.public_key()
        more = [
            x509.load_der_x509_certificate(_bytes_of(one)) for one in chain.split(",")[:_CHAIN_LIMIT] if one
        ]
    except (ValueError, TypeError, binascii.Error, x509.InvalidVersion):
        return None
    except Exception as error:  # an unsupported key or curve has an exception of its own
        if type(error).__module__.startswith("cryptography."):
            return None
        raise
    return Presented(certificate, tuple(more), base64url(hashlib.sha256(der).digest()))


def is_of(provider: Provider, client: Client, found: Presented, *, now: int) -> bool:
    """Whether a certificate proves to be this client, in the one way that it registered."""
    if not _is_in_time(found.certificate, now):
        return False
    if client.auth_method == "self_signed_tls_client_auth":
        return _is_registered(provider, client, found, now=now)
    authorities = provider.context.settings.server.client_ca
    return (
        authorities is not None
        and _is_trusted(authorities, found, now=now)
        and _is_named(client, found.certificate)
    )


def _is_in_time(certificate: x509.Certificate, now: int) -> bool:
    begins, ends = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    return begins - CLOCK_LEEWAY <= now <= ends


def _is_registered(provider: Provider, client: Client, found: Presented, *, now: int) -> bool:
    """RFC 8705 §2.2: the certificate's key is one of the client's keys, as a key or inside its `x5c`."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    held: Any = found.certificate.public_key()
    der = found.certificate.public_bytes(Encoding.DER)
    for key in provider.client_keys.of(client, now=now):
        x5c = key.dict_value.get("x5c")
        if x5c:
            if isinstance(x5c, list) and x5c[0] == base64.b64encode(der).decode():
                return True
            continue
        raw: Any = key.raw_value
        if raw.public_bytes(*form) == held.public_bytes(*form):
            return True
    return False


def _is_trusted(authorities: Path, found: Presented, *, now: int) -> bool:
    """RFC 8705 §2.1: a chain to an authority of ours (RFC 5280 §6), and a certificate that may prove a client."""
    builder = PolicyBuilder().store(_store(authorities)).time(datetime.fromtimestamp(now, UTC))
    policies = {"ca_policy": ExtensionPolicy.webpki_defaults_ca(), "ee_policy": _END_ENTITY}
    verifier = builder.extension_policies(**policies).build_client_verifier()
    try:
        verifier.verify(found.certificate, list(found.chain))
    except VerificationError:
        return False
    return True


def _is_for_clients(_policy: Any, _certificate: Any, usage: x509.ExtendedKeyUsage | None) -> None:
    allowed = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if usage is not None and not allowed & set(usage):
        raise ValueError("not for clients")


# The web's rule that a subject alternative name must be there is not one of RFC 8705.
_END_ENTITY = ExtensionPolicy.permit_all().may_be_present(
    x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _is_for_clients
)


@lru_cache(maxsize=2)
def _store(authorities: Path) -> Store:
    return Store(x509.load_pem_x509_certificates(authorities.read_bytes()))


def _is_named(client: Client, certificate: x509.Certificate) -> bool:
    """RFC 8705 §2.1.2: the one name that the client registered is the one of the certificate."""
    name = next(one for one in CERTIFICATE_NAMES if getattr(client.details, one))
    expected = getattr(client.details, name)
    if name == "tls_client_auth_subject_dn":
        return _same_subject(expected, certificate.subject)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    kind = name.rpartition("_")[2]
    found = names.get_values_for_type(_KINDS[kind])
    if kind == "ip":
        return address_of(expected) in found
    if kind == "uri":
        return expected in found
    return expected.lower() in [one.lower() for one in found]


def _same_subject(expected: str, subject: x509.Name) -> bool:
    """Two names are the same when their parts are, in order; how their texts are encoded does not matter."""
    try:
        parsed = x509.Name.from_rfc4514_string(expected)
    except ValueError:
        return False
    return [_parts(one) for one in parsed.rdns] == [_parts(one) for one in subject.rdns]


def _parts(name: x509.RelativeDistinguishedName) -> frozenset[tuple[str, str]]:
    return frozenset((one.oid.dotted_string, str(one.value)) for one in name)


def _bytes_of(item: str) -> bytes:
    """A byte sequence of a structured field (RFC 8941 §3.3.5)."""
    item = item.strip()
    if len(item) > _SIZE_LIMIT or len(item) < 3 or item[0] != ":" or item[-1] != ":":  # noqa: PLR2004
        raise ValueError(item[:1])
    return base64.b64decode(item[1:-1], validate=True)
