"""Mutual TLS through docker/nginx.conf, with a real town behind it (RFC 8705, RFC 9440)."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from admin.sandbox.sites import SiteServer
from tests.house.test_nginx import NAMES, _ask, _context
from tests.support import nginx
from tests.support.loopback import free_port
from tests.support.proving import CLIENT_CERT, PROXY_SECRET, Certified, Prover, _register, certificate
from tests.support.town import ISSUER, STAFF, START, Proof, Town, make_town

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path


CERTIFICATE_PORT = f"{ISSUER}:8444"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Site:
    """nginx, the town behind it, its clients, and certificates with the files that TLS wants them in."""

    town: Town
    ports: dict[str, int]
    clients: dict[str, Prover]
    certificates: dict[str, Certified]
    folder: Path

    def context(self, name: str | None) -> ssl.SSLContext:
        context = _context()
        if name is not None:
            context.load_cert_chain(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        return context

    def post(
        self, path: str, form: dict[str, str], by: str | None = None, *, port: str = "mtls", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        return self.ask(path, by, port=port, method="POST", body=urlencode(form), headers=FORM | headers)

    def ask(
        self, path: str, by: str | None = None, *, port: str = "mtls", **options: Any
    ) -> tuple[int, dict[str, Any]]:
        status, _, body = _ask(
            self.ports[port], NAMES["residents"], path, context=self.context(by), **options
        )
        return status, _json(body)

    def own_token(self, client: str, by: str | None, **more: Any) -> tuple[int, dict[str, Any]]:
        form = {"grant_type": "client_credentials", "client_id": client}
        return self.post("/token", form, by, **more)


def _json(body: bytes) -> dict[str, Any]:
    import json

    try:
        return dict(json.loads(body))
    except ValueError:
        return {}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("nginx-mtls")
    certificates = _certificates(folder)
    shutil.copyfile(sqlite_template, folder / "denizen.sqlite")
    server = {
        "issuer": ISSUER,
        "staff_url": STAFF,
        "trusted_proxies": ["127.0.0.1"],
        "mtls_url": CERTIFICATE_PORT,
        "proxy_secret": PROXY_SECRET,
        "client_ca": folder / "authority.crt",
    }
    town = make_town(f"sqlite:///{folder}/denizen.sqlite", folder, server=server)
    clients = _register(town, certificates)
    node = SiteServer(town.app, port := free_port())
    node.start()
    with nginx.running(folder, port, port) as ports:
        yield Site(town, ports, clients, certificates, folder)
    node.stop()
    town.context.database.close()


def _certificates(folder: Path) -> dict[str, Certified]:
    """Certificates that are good by the town's clock and by the machine's."""
    when: dict[str, Any] = {"at": min(START, int(time.time())), "days": 7300}
    authority = certificate("Riverton CA", is_ca=True, **when)
    made = {
        "authority": authority,
        "self": certificate("self", **when),
        "stranger": certificate("self", **when),
        "pki": certificate("pki", issuer=authority, usage=ExtendedKeyUsageOID.CLIENT_AUTH, **when),
        "forged": certificate("pki", issuer=certificate("Riverton CA", is_ca=True, **when), **when),
    }
    for name, one in made.items():
        (folder / f"{name}.crt").write_bytes(one.certificate.public_bytes(Encoding.PEM))
        key = one.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.key").write_bytes(key)
    return made


@pytest.mark.parametrize("client", ["pki", "self"])
def test_a_client_proves_itself_by_its_certificate(site: Site, client: str) -> None:
    """RFC 8705 §2.1 by name under an authority, §2.2 by its registered key."""
    assert site.own_token(client, client)[0] == 200
    for by in {"pki", "self", "stranger", "forged", None} - {client}:
        status, body = site.own_token(client, by)
        assert (status, body["error"]) == (401, "invalid_client"), by


@pytest.mark.parametrize("port", ["tls", "mtls"])
def test_a_certificate_that_a_client_only_writes_down_proves_nothing(site: Site, port: str) -> None:
    """RFC 9440 §4: the header comes from nginx or from nobody; underscores are no way around it."""
    for header in ("Client-Cert", "client-cert", "Client_Cert"):
        forged = {header: site.certificates["self"].headers[CLIENT_CERT]}
        assert site.own_token("self", None, port=port, **forged)[0] == 401
        if port == "mtls":
            assert site.own_token("self", "stranger", **forged)[0] == 401
            assert site.own_token("self", "self", **{header: ":Zm9yZ2Vk:"})[0] == 200


def test_a_bound_token_is_good_with_its_own_certificate_alone(site: Site) -> None:
    """RFC 8705 §3: at the resource a token without its certificate, or with another one, is refused."""
    proof = Proof()
    client = site.clients["self"]
    code = site.town.browser().code(client.partner, site.town.maria, "openid email", proof)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.partner.redirect_uri,
        "code_verifier": proof.verifier,
        "client_id": "self",
    }
    status, tokens = site.post("/token", form, "self")
    assert status == 200, tokens
    header = {"headers": {"Authorization": f"Bearer {tokens['access_token']}"}}
    assert site.ask("/userinfo", "self", **header)[1]["email"] == site.town.maria.email
    for by, port in (("stranger", "mtls"), ("pki", "mtls"), (None, "mtls"), (None, "tls")):
        assert site.ask("/userinfo", by, port=port, **header)[0] == 401, (by, port)


def test_discovery_sends_clients_with_certificates_to_their_port(site: Site) -> None:
    """RFC 8705 §5: aliases for what is there, and nothing there but the aliases."""
    status, metadata = site.ask("/.well-known/openid-configuration", port="tls")
    assert status == 200
    aliases = metadata["mtls_endpoint_aliases"]
    for name, address in aliases.items():
        assert metadata[name].startswith(f"{ISSUER}/")
        path = address.removeprefix(CERTIFICATE_PORT)
        assert site.post(path, {}, "self")[0] in {400, 401}, name
    for path in ("/authorize", "/login", "/.well-known/openid-configuration", "/tokens"):
        assert site.ask(path, "self")[0] == 404


def test_a_client_with_a_certificate_confirms_and_asks_at_its_port_too(site: Site) -> None:
    """docs/partners.md: authenticated as at the token endpoint, and it has no other proof than its certificate."""
    _, ours = site.ask("/.well-known/denizen-consent", port="tls")
    aliases = ours["mtls_endpoint_aliases"]
    for name, address in aliases.items():
        path = address.removeprefix(CERTIFICATE_PORT)
        assert ours[name] == f"{ISSUER}{path}"
        form = {"client_id": "self", "txn": "nobody"}
        assert site.post(path, form, "stranger")[1]["error"] == "invalid_client", name
        status, body = site.post(path, form, "self")
        assert (status, body["error"]) != (401, "invalid_client"), name
    assert {address.rpartition("/")[2] for address in aliases.values()} == {
        "requests",
        "decisions",
        "confirmations",
    }


def test_metadata_of_a_resource_is_named_at_its_own_address_alone(site: Site) -> None:
    """RFC 9728 §3.3: userinfo at the port for certificates is another resource to whoever compares."""
    for port, is_named in (("tls", True), ("mtls", False)):
        for by in {None, None if port == "tls" else "self"}:
            status, headers, _ = _ask(
                site.ports[port], NAMES["residents"], "/userinfo", context=site.context(by)
            )
            challenge = headers["WWW-Authenticate"]
            assert (status, "resource_metadata=" in challenge) == (401, is_named), (port, by)
            assert 'Bearer realm="denizen"' in challenge
            assert "DPoP algs=" in challenge
