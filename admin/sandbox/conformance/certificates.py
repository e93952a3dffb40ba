"""A throw-away authority: certificates for the town and for clients that bring none. Its own key is kept nowhere."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY: Final = dt.timedelta(days=1)
_LIFE: Final = dt.timedelta(days=30)
_TOWN: Final = "Riverton conformance"
_USES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def pem(self) -> str:
        """The certificate, PEM."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The private key, PKCS 8 PEM."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def subject(self) -> str:
        """The subject's distinguished name (RFC 4514)."""
        return self.certificate.subject.rfc4514_string()


class Authority:
    """Signs certificates that are good for a month."""

    def __init__(self, *, now: int) -> None:
        self._start = dt.datetime.fromtimestamp(now, dt.UTC) - _DAY
        key = ec.generate_private_key(ec.SECP256R1())
        name = _named(f"{_TOWN} authority")
        no: Any = dict.fromkeys(_USES, False)
        usage = x509.KeyUsage(**no | {"key_cert_sign": True, "crl_sign": True})
        builder = (
            self._builder(name, name, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
        )
        self.own = Certified(builder.sign(key, hashes.SHA256()), key)

    def for_server(self, hosts: Sequence[str]) -> Certified:
        """A certificate for hosts, by name or address."""
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        return self._leaf(hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, names)

    def for_client(self, name: str) -> Certified:
        """A certificate with which a client proves itself."""
        return self._leaf(name, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _leaf(self, name: str, usage: Any, names: x509.SubjectAlternativeName | None = None) -> Certified:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(_named(name), self.own.certificate.subject, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.own.key.public_key()), critical=False
            )
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return Certified(builder.sign(self.own.key, hashes.SHA256()), key)

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._start)
            .not_valid_after(self._start + _LIFE)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )


def _named(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _TOWN),
            x509.NameAttribute(NameOID.COMMON_NAME, name[:64]),
        ]
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
