"""nginx with `docker/nginx.conf`, as it stands but for ports, paths and the nodes' addresses."""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.loopback import free_port, wait_for_port
from tests.support.proving import PROXY_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
CONFIGURATION = Path(__file__).parents[2] / "docker" / "nginx.conf"


@contextmanager
def running(
    folder: Path, residents: int, staff: int, *, second: int | None = None
) -> Iterator[dict[str, int]]:
    """Nginx before the nodes at these ports; its own are `plain`, `check`, `tls` and `mtls`.

    `second` is the other node for residents, or else it is the same.
    """
    assert NGINX is not None, "nginx is not installed (tests/support/system.sh)"
    folder.chmod(0o755)
    _make_certificate(folder)
    ports = {name: free_port() for name in ("plain", "check", "tls", "mtls")}
    _write(folder, ports, (residents, second or residents), staff)
    command = [NGINX, "-e", f"{folder}/errors", "-p", str(folder), "-c", f"{folder}/nginx.conf"]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr
    server = subprocess.Popen([*command, "-g", "daemon off;"])
    try:
        wait_for_port(ports["tls"])
        yield ports
    finally:
        server.terminate()
        server.wait(10)


def _write(folder: Path, ports: dict[str, int], residents: tuple[int, int], staff: int) -> None:
    text = CONFIGURATION.read_text(encoding="utf-8")
    changes = {
        r"(?<= )/tmp/": f"{folder}/",  # before any path below the temporary folder is put in
        r"/etc/nginx/tls": str(folder),
        r"/dev/stderr": f"{folder}/errors",
        r"/dev/stdout": f"{folder}/access",
        r"listen 127.0.0.1:8081": f"listen 127.0.0.1:{ports['check']}",
        r"listen 8080": f"listen 127.0.0.1:{ports['plain']}",
        r"listen 8443": f"listen 127.0.0.1:{ports['tls']}",
        r"listen 8444": f"listen 127.0.0.1:{ports['mtls']}",
        r"(?<=\n        )8444 ": f"{ports['mtls']} ",  # and the client is told 8444
        r"node-a:8400": f"127.0.0.1:{residents[0]}",
        r"node-b:8400": f"127.0.0.1:{residents[1]}",
        r"staff:8401": f"127.0.0.1:{staff}",
        r"worker_processes auto": "worker_processes 1",
        r"worker_connections 4096": "worker_connections 64",
    }
    for before, after in changes.items():
        text, count = re.subn(before, after, text)
        assert count, f"{before} is not in nginx.conf any more"
    (folder / "nginx.conf").write_text(text)
    (folder / "proxy.conf").write_text(
        f"proxy_set_header X-Forwarded-For-{PROXY_SECRET} $remote_addr;\n"
        f"proxy_set_header Client-Cert-{PROXY_SECRET} $client_cert;\n"
    )


def _make_certificate(folder: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name, now = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "riverton.example")]),
        datetime.now(UTC),
    )
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "tls.crt").write_bytes(certificate.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "tls.key").write_bytes(private)
