"""`denizen conformance` as it is run: over HTTPS, known by the JSON that it printed and by nothing else."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from click.testing import CliRunner
from joserfc.jwk import import_key

from admin.cli import main
from idp.serve import probe
from tests.conformance.run import assertion, by_key
from tests.conformance.suite import read_printed
from tests.support.loopback import free_port
from tests.support.riverton import DENIZEN, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.conftest import Served


def test_oidcc_server_over_https(served: Served) -> None:
    """The whole flow on the wire: discovery, pages by their ids, tokens, keys, userinfo."""
    suite = served.suite
    client = suite.client()
    found = client.sign_in(suite.browser(), client.request("openid profile email phone address"))
    told = suite.userinfo(found.tokens["access_token"]).json
    expected = served.printed["resident"]["claims"]
    assert {name: told[name] for name in expected} == expected


def test_private_key_jwt_with_the_printed_key(served: Served) -> None:
    """A client whose key was made for it signs with what was printed."""
    suite = served.suite
    client = suite.client("private-key-jwt")
    key: Any = import_key(client.told["jwks"]["keys"][0])
    client.assertion = assertion(suite, client, key)
    client.sign_in(suite.browser())


def test_oidcc_server_with_a_client_that_registered_itself(served: Served) -> None:
    """The printed token registers, and the client is told what a purpose allows."""
    client = by_key(served.suite)
    found = client.sign_in(served.suite.browser(), client.request("openid email"))
    assert served.suite.userinfo(found.tokens["access_token"]).json["email"]


def test_oidcc_server_rotate_keys_over_https(served: Served) -> None:
    """The hook turns the keys; nothing else does."""
    suite, hook = served.suite, served.printed["hooks"]["rotate_keys"]
    before = {key["kid"] for key in suite.keys()["keys"]}
    assert suite.send("POST", hook["url"], headers={"Authorization": "Bearer wrong"}).status == 401
    assert {key["kid"] for key in suite.keys()["keys"]} == before
    assert suite.send("POST", hook["url"], headers={"Authorization": hook["authorization"]}).status == 200
    assert {key["kid"] for key in suite.keys()["keys"]} > before


@pytest.mark.parametrize("name", ["fapi2-mtls", "fapi2-mtls-2"])
def test_a_certificate_is_asked_for_at_the_second_port(served: Served, name: str) -> None:
    """RFC 8705 through the door: the printed certificate proves its client, another one and none do not."""
    address = served.suite.metadata["mtls_endpoint_aliases"]["token_endpoint"]
    assert address.startswith(served.printed["mtls_url"])
    form = {"grant_type": "client_credentials", "client_id": name}
    token = _by_certificate(served, address, name, data=form)
    assert token.status_code == 200, token.text
    other = "fapi2-mtls" if name.endswith("-2") else "fapi2-mtls-2"
    for by in (other, None):
        assert _by_certificate(served, address, by, data=form).status_code == 401


def test_a_certificate_that_is_only_written_down_is_not_believed_by_the_door(served: Served) -> None:
    """RFC 9440 §4: the header is the door's own."""
    import base64

    pem = served.printed["clients"]["fapi2-mtls"]["certificate"]
    forged = f":{base64.b64encode(ssl.PEM_cert_to_DER_cert(pem)).decode()}:"
    address = served.suite.metadata["mtls_endpoint_aliases"]["token_endpoint"]
    form = {"grant_type": "client_credentials", "client_id": "fapi2-mtls"}
    for header in ("Client-Cert", "Client_Cert", "client-cert"):
        got = _by_certificate(served, address, None, data=form, headers={header: forged})
        assert got.status_code == 401


def test_nor_by_the_town_itself(served: Served) -> None:
    """K10, RFC 9440 §4: it listens on this machine, where everybody is the proxy, and reads `_` as `-`."""
    import base64

    pem = served.printed["clients"]["fapi2-mtls"]["certificate"]
    forged = f":{base64.b64encode(ssl.PEM_cert_to_DER_cert(pem)).decode()}:"
    address = served.suite.metadata["token_endpoint"]
    form = {"grant_type": "client_credentials", "client_id": "fapi2-mtls"}
    for header in ("Client-Cert", "Client_Cert", "client-cert"):
        got = requests.post(address, verify=served.ca, data=form, headers={header: forged}, timeout=20)
        assert got.status_code == 401


def _by_certificate(served: Served, address: str, name: str | None, **more: Any) -> requests.Response:
    cert = None
    if name is not None:
        told = served.printed["clients"][name]
        cert = (str(served.folder / f"{name}.pem"), str(served.folder / f"{name}.key"))
        (served.folder / f"{name}.pem").write_text(told["certificate"])
        (served.folder / f"{name}.key").write_text(told["certificate_key"])
    return requests.post(address, verify=served.ca, cert=cert, timeout=20, **more)


def test_what_is_answered_has_a_date(served: Served) -> None:
    """RFC 9110 §6.6.1: FAPI modules look for it at the resource."""
    for name in ("userinfo_endpoint", "token_endpoint"):
        for known in (served.suite.metadata, served.suite.metadata["mtls_endpoint_aliases"]):
            assert "Date" in requests.get(known[name], verify=served.ca, timeout=20).headers


def test_metadata_of_userinfo_is_named_where_it_says_the_address_that_was_asked(served: Served) -> None:
    """RFC 9728 §3.3: strict clients throw away what names another one."""
    at = served.suite.metadata["userinfo_endpoint"]
    challenge = requests.get(at, verify=served.ca, timeout=20).headers["WWW-Authenticate"]
    where = challenge.partition('resource_metadata="')[2].partition('"')[0]
    assert requests.get(where, verify=served.ca, timeout=20).json()["resource"] == at
    alias = served.suite.metadata["mtls_endpoint_aliases"]["userinfo_endpoint"]
    challenge = requests.get(alias, verify=served.ca, timeout=20).headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="denizen", DPoP ')


def test_only_tls_1_3_is_spoken_by_the_town_itself(served: Served) -> None:
    """FAPI 2.0 §5.2.2: of TLS 1.2 the server cannot leave out a suite, so that it speaks none of it here."""
    parts = urlsplit(served.suite.issuer)
    context = ssl.create_default_context(cafile=served.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection((parts.hostname, parts.port), timeout=10) as sock,
        pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"),
    ):
        context.wrap_socket(sock, server_hostname=parts.hostname)


def test_each_plan_has_a_configuration_with_what_was_printed(served: Served) -> None:
    """What is pasted into the suite names our clients, our pages' ids and this run's alias."""
    for name, plan in served.printed["suite"].items():
        text = json.dumps(plan)
        for wanted in ("login-submit", "consent-allow", "login-cancel", "submission_complete"):
            assert wanted in text, (name, wanted)
        assert plan["alias"] == "denizen"
        assert plan["server"]["discoveryUrl"] == served.printed["discovery_url"]
        token = served.printed["initial_access_token"]
        for client in (plan["client"], plan["client2"]):
            assert client.get("initial_access_token") == token or (
                client["client_id"] in served.printed["clients"]
            )


# --- the command ---


@pytest.mark.parametrize(
    "issuer",
    [
        "https://id.riverton.example",
        "https://localhost.emobix.co.uk:8443",
        "https://8.8.8.8:9443",
        "https://0.0.0.0:9443",
        "https://test:1",
        "http://localhost:9443",
        "https://localhost:9443/path",
        "https://münchen.test:9443",
        "https://localhost:443",
    ],
)
def test_a_public_issuer_is_refused(issuer: str, tmp_path: Path) -> None:
    """Before anything is made: exit 2, and the folder stays empty."""
    result = CliRunner().invoke(main, ["conformance", "--issuer", issuer, "--folder", str(tmp_path)])
    assert result.exit_code == 2
    assert "--issuer" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["65535"], "no port after 65535"),
        (["9443", "--mtls-port=9443"], "another port than that of --issuer"),
    ],
)
def test_a_port_that_cannot_be_the_second_is_refused(tmp_path: Path, more: list[str], said: str) -> None:
    """In words of the option that moves it."""
    command = ["conformance", f"--issuer=https://localhost:{more[0]}", *more[1:], f"--folder={tmp_path}"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "--mtls-port" in result.stderr


@pytest.mark.parametrize("which", ["issuer", "mtls-port"])
def test_a_port_that_somebody_listens_at_is_refused(tmp_path: Path, which: str) -> None:
    """Also one that is shared: an older town would answer in place of this one."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        ports = (taken, free_port()) if which == "issuer" else (free_port(), taken)
        command = ["conformance", f"--issuer=https://localhost:{ports[0]}", f"--mtls-port={ports[1]}"]
        result = CliRunner().invoke(main, [*command, f"--folder={tmp_path}"])
    assert result.exit_code == 1, result.output
    assert f"port {taken} of 127.0.0.1 cannot be used" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alias = 'a/b'", "alias"),
        ("suite = 'ftp://x'", "suite"),
        ("colour = 'green'", "colour"),
        ("[clients.nobody]", "there is no client nobody"),
        ("algorithms = ['RS256', 'HS256']", "algorithms"),
        ("algorithms = ['PS256']", "RS256 and ES256 among them"),
        ("[clients.fapi2-mtls]\ncertificate = 'x'", "clients.fapi2-mtls.certificate is no certificate"),
        ("[clients.fapi2-signed]\ncertificate = 'x'", "clients.fapi2-signed.certificate is no certificate"),
        ("[clients.basic]\ncertificate = 'x'", "clients: Value error, basic shows no certificate"),
        ("[clients.fapi2-mtls-2.jwks]\nkeys = []", "clients: Value error, fapi2-mtls-2 has no keys"),
        ("[clients.fapi2-dpop.jwks]\nkeys = []", "jwks"),
        ("tls_certificate = 'a.pem'", "tls_certificate and tls_key belong together"),
        ("tls_key = 'a.key'", "tls_certificate and tls_key belong together"),
        ("not toml", "plan.toml"),
    ],
)
def test_a_mistake_in_the_file_is_explained(tmp_path: Path, text: str, said: str) -> None:
    """One line that says where."""
    path = tmp_path / "plan.toml"
    path.write_text(text)
    command = ["conformance", "--issuer", f"https://localhost:{free_port()}", "--config", str(path)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1, result.output
    assert said in result.stderr


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    """Each run is a new town, and nobody's data is in the way."""
    (tmp_path / "denizen.key").write_text("mine")
    command = ["conformance", "--issuer", "https://localhost:9443", "--folder", str(tmp_path)]
    assert CliRunner().invoke(main, command).exit_code == 2
    assert (tmp_path / "denizen.key").read_text() == "mine"


def has_ipv6() -> bool:
    try:
        probe("::1", 0)
    except OSError:
        return False
    return True


def test_what_a_client_brings_is_registered_and_ctrl_c_ends_everything(
    tmp_path: Path, served: Served
) -> None:
    """Keys and certificates of the plan's file are used, nothing private is made for them; at the end nothing is left."""
    theirs = served.printed["clients"]
    given = {
        "alias": "another",
        "clients": {
            "fapi2-mtls": {"certificate": theirs["fapi2-mtls"]["certificate"]},
            "private-key-jwt": {"jwks": theirs["private-key-jwt"]["jwks"]},
        },
    }
    (tmp_path / "plan.json").write_text(json.dumps(given))
    (tmp_path / "tmp").mkdir()
    port, door, host = free_port(), free_port(), "[::1]" if has_ipv6() else "127.0.0.1"
    command = [DENIZEN, "conformance", f"--issuer=https://{host}:{port}", f"--mtls-port={door}"]
    environment = {"PATH": os.defpath, "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(ROOT)}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, f"--config={tmp_path / 'plan.json'}"],
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            env=environment,
            text=True,
        )
    assert process.stdout is not None
    try:
        told = read_printed(process.stdout)
        assert told, (tmp_path / "log").read_text()
        clients = told["clients"]
        assert clients["basic"]["redirect_uris"][0].endswith("/test/a/another/callback")
        assert clients["fapi2-mtls"]["token_endpoint_auth_method"] == "self_signed_tls_client_auth"
        assert "certificate_key" not in clients["fapi2-mtls"]
        assert "jwks" not in clients["private-key-jwt"]
        assert len(list((tmp_path / "tmp").iterdir())) == 1
        (tmp_path / "ca.pem").write_text(told["authority"])
        address = told["mtls_url"] + "/.well-known/openid-configuration"
        assert requests.get(address, verify=str(tmp_path / "ca.pem"), timeout=20).status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(45) == 0, (tmp_path / "log").read_text()
        process.stdout.close()
    assert list((tmp_path / "tmp").iterdir()) == []
    for one in (port, door):
        with pytest.raises(requests.ConnectionError):
            requests.get(f"https://{host}:{one}/health", timeout=5)
