"""TLS that Denizen speaks itself, without a proxy (RFC 9325)."""

from __future__ import annotations

import socket
import ssl
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from admin.cli import main
from idp.schema import upgrade_database
from keys.envelope import create_key_file
from tests.support.loopback import free_port, wait_for_port
from tests.support.tied import Tied
from tests.support.tls import make_authority

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.tls import Authority

DENIZEN = Path(sys.executable).with_name("denizen")
ROOT = Path(__file__).parents[2]
SETTINGS = """\
[server]
issuer = "https://localhost:{port}"
staff_url = "https://staff.localhost:{port}"
bind = "127.0.0.1:{port}"
tls_certificate = "{certificate}"
tls_key = "{key}"

[town]
name = "Riverton"
contact_email = "help@riverton.example"

[database]
url = "sqlite:///{folder}/denizen.sqlite"

[keys]
file = "{folder}/denizen.key"
"""


def _settings(folder: Path, certificate: Path, key: Path, port: int = 9443) -> Path:
    path = folder / "denizen.toml"
    path.write_text(SETTINGS.format(folder=folder, certificate=certificate, key=key, port=port))
    return path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Authority]]:
    """`denizen serve` with a certificate of its own, and no proxy."""
    folder = tmp_path_factory.mktemp("tls")
    authority, port = make_authority(folder), free_port()
    upgrade_database(f"sqlite:///{folder}/denizen.sqlite")
    create_key_file(folder / "denizen.key")
    settings = _settings(folder, authority.certificate, authority.key, port)
    process = Tied([DENIZEN, "--config", settings, "serve"], log=folder / "log", cwd=ROOT)
    try:
        wait_for_port(port)
        yield port, authority
    finally:
        process.stop()


def _shake_hands(port: int, authority: Authority, **bounds: Any) -> str | None:
    context = ssl.create_default_context(cafile=authority.ca)
    for name, value in bounds.items():
        if name == "ciphers":
            context.set_ciphers(value)
        else:
            setattr(context, name, value)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as sock,
        context.wrap_socket(sock, server_hostname="localhost") as tls,
    ):
        return tls.version()


def test_current_tls_is_spoken_and_no_other(served: tuple[int, Authority]) -> None:
    """RFC 9325 §3.1.1, §4.1: 1.3 and 1.2, the latter with forward secrecy and authenticated encryption alone."""
    two, one = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1
    assert _shake_hands(*served) == "TLSv1.3"
    assert _shake_hands(*served, maximum_version=two, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256") == "TLSv1.2"
    for weak in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"):
        with pytest.raises(ssl.SSLError, match="ALERT_HANDSHAKE_FAILURE"):
            _shake_hands(*served, maximum_version=two, ciphers=weak)
    with (
        pytest.warns(DeprecationWarning, match="TLSv1"),
        pytest.raises(ssl.SSLError, match=r"ALERT_(PROTOCOL_VERSION|HANDSHAKE_FAILURE)"),
    ):
        _shake_hands(
            *served, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=one, ciphers="ALL:@SECLEVEL=0"
        )


def test_a_certificate_of_a_client_is_not_asked_for(served: tuple[int, Authority], tmp_path: Path) -> None:
    """Our own TLS cannot pass one on, so that mtls_url needs a proxy, and a header from nowhere is not believed."""
    import base64
    import http.client

    port, authority = served
    der = ssl.PEM_cert_to_DER_cert(authority.certificate.read_text())
    context = ssl.create_default_context(cafile=authority.ca)
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
    header = {"Client-Cert": f":{base64.b64encode(der).decode()}:"}
    connection.request("GET", "/.well-known/openid-configuration", headers=header)
    import json

    metadata = json.loads(connection.getresponse().read())
    connection.close()
    assert metadata["tls_client_certificate_bound_access_tokens"] is False
    assert "mtls_endpoint_aliases" not in metadata
    assert "tls_client_auth" not in str(metadata["token_endpoint_auth_methods_supported"])
    settings = _settings(tmp_path, authority.certificate, authority.key)
    text = settings.read_text().replace("[town]", 'mtls_url = "https://localhost:9444"\n\n[town]')
    settings.write_text(text)
    result = CliRunner().invoke(main, ["--config", str(settings), "config", "check"])
    assert result.exit_code == 2
    assert "Denizen's own TLS asks nobody for a certificate" in result.stderr


@pytest.mark.parametrize("spoiled", ["missing", "another key", "old format", "no certificate"])
def test_files_that_cannot_be_used_are_told_at_once(tmp_path: Path, spoiled: str) -> None:
    """`denizen serve` ends with one line instead of without a word."""
    authority = make_authority(tmp_path)
    (tmp_path / "other").mkdir()
    other = make_authority(tmp_path / "other")
    said = {
        "missing": "cannot be read",
        "another key": "are no certificate and its key",
        "old format": "openssl pkey",
        "no certificate": "are no certificate and its key",
    }[spoiled]
    certificate, key = authority.certificate, authority.key
    if spoiled == "missing":
        key = tmp_path / "nowhere.pem"
    elif spoiled == "another key":
        key = other.key
    elif spoiled == "old format":
        loaded = load_pem_private_key(key.read_bytes(), None)
        key.write_bytes(loaded.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    else:
        certificate.write_text("nothing")
    started = time.monotonic()
    result = CliRunner().invoke(main, ["--config", str(_settings(tmp_path, certificate, key)), "serve"])
    assert result.exit_code == 1
    assert said in result.stderr
    assert time.monotonic() - started < 20
