"""The one fetcher, when all is well and when TLS is not; what it must never do stands in tests/security/test_k17_fetcher.py."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest

from idp.settings import Settings, SettingsError, load, testing
from idp.web.addresses import is_host, is_public
from idp.web.fetcher import Fetcher, FetchFailed
from tests.support.tls import HttpsServer, listening, make_authority

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.tls import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls"))


class Echo:
    """Says what it heard, as far as a test wants it."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, dict[str, str], bytes]] = []
        self.says: tuple[int, dict[str, str], bytes] = (
            200,
            {"Content-Type": "Text/Plain; charset=utf-8"},
            b"hi",
        )

    def __call__(
        self, method: str, path: str, headers: Any, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        self.heard.append((method, path, {name.lower(): value for name, value in headers.items()}, body))
        return self.says


@pytest.fixture
def echo(authority: Authority) -> Iterator[tuple[Echo, HttpsServer]]:
    says = Echo()
    with HttpsServer(authority, says) as server:
        yield says, server


def fetcher(authority: Authority, **more: Any) -> Fetcher:
    return Fetcher(testing.TestingSettings(allow_loopback=True, extra_ca=authority.ca), **more)


def test_get_gives_status_headers_and_body(authority: Authority, echo: tuple[Echo, HttpsServer]) -> None:
    """Header names in lower case, the media type without parameters, any status as it is."""
    says, server = echo
    fetched = fetcher(authority).get(f"{server.url}/a/b?c=d", headers={"Authorization": "Bearer x"})
    assert (fetched.status, fetched.body, fetched.content_type) == (200, b"hi", "text/plain")
    method, path, headers, _ = says.heard[0]
    assert (method, path) == ("GET", "/a/b?c=d")
    assert headers["authorization"] == "Bearer x"
    assert headers["accept-encoding"] == "identity"
    assert headers["connection"] == "close"
    assert headers["host"] == f"localhost:{server.server_port}"
    says.says = (503, {"Retry-After": "5"}, b"")
    fetched = fetcher(authority).get(server.url)
    assert (fetched.status, fetched.headers["retry-after"], says.heard[1][1]) == (503, "5", "/")


def test_post_sends_a_body_of_a_kind(authority: Authority, echo: tuple[Echo, HttpsServer]) -> None:
    """What the token request and the deliveries to come need."""
    says, server = echo
    fetcher(authority).post(server.url, b"a=b", content_type="application/x-www-form-urlencoded")
    method, _, headers, body = says.heard[0]
    assert (method, headers["content-type"], body) == ("POST", "application/x-www-form-urlencoded", b"a=b")


def test_a_connection_goes_to_the_checked_address_under_the_hosts_own_name(
    authority: Authority, echo: tuple[Echo, HttpsServer]
) -> None:
    """SNI, the certificate's name and Host are the host's; the address is what the resolver said."""
    says, server = echo
    pinned = fetcher(authority, resolve=lambda *_: ["127.0.0.1"])
    assert pinned.get(f"https://provider.example:{server.server_port}/").status == 200
    assert says.heard[0][2]["host"] == f"provider.example:{server.server_port}"
    with pytest.raises(FetchFailed, match="no trusted TLS"):
        pinned.get(f"https://another.example:{server.server_port}/")


def test_the_next_address_is_tried_when_one_does_not_answer(
    authority: Authority, echo: tuple[Echo, HttpsServer]
) -> None:
    """A host with several addresses is up as long as one of them is."""
    _, server = echo
    several = fetcher(authority, resolve=lambda *_: ["::1", "127.0.0.1"])
    assert several.get(server.url).status == 200


def test_only_the_settings_bring_another_authority(
    authority: Authority, echo: tuple[Echo, HttpsServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown certificates are refused; proxies of the environment do not exist for us."""
    says, server = echo
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert fetcher(authority).get(server.url).status == 200
    with pytest.raises(FetchFailed, match="no trusted TLS"):
        Fetcher(testing.TestingSettings(allow_loopback=True)).get(server.url)
    assert len(says.heard) == 1


def test_tls_before_1_2_is_not_spoken(authority: Authority) -> None:
    """RFC 9325 §3.1.1; whatever the machine's own configuration allows."""
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(authority.certificate, authority.key)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with listening(lambda _: None, old) as port, pytest.raises(FetchFailed, match="no trusted TLS"):
        fetcher(authority).get(f"https://localhost:{port}/")


@pytest.mark.parametrize(
    "says", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b"what?\r\n\r\n", b""]
)
def test_an_answer_that_is_not_whole_is_none(authority: Authority, says: bytes) -> None:
    """Cut short, not HTTP, nothing: nobody works with half an answer."""

    def answer(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(says)

    with listening(answer, authority.server_side) as port, pytest.raises(FetchFailed):
        fetcher(authority).get(f"https://localhost:{port}/")


def test_a_caller_can_set_a_limit_of_its_own(authority: Authority, echo: tuple[Echo, HttpsServer]) -> None:
    """64 KiB is for most; a caller that needs more or less says so."""
    says, server = echo
    says.says = (200, {}, b"x" * 100_000)
    assert len(fetcher(authority).get(server.url, limit=100_000).body) == 100_000
    with pytest.raises(FetchFailed, match="too large"):
        fetcher(authority).get(server.url, limit=99_999)


def test_plain_http_reaches_this_machine_alone_and_only_in_tests(authority: Authority) -> None:
    """`[testing] allow_loopback`: for trials without certificates; never beyond this machine."""

    def answer(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with listening(answer, None) as port:
        assert fetcher(authority).get(f"http://localhost:{port}/").status == 204
    beyond = fetcher(authority, resolve=lambda *_: ["93.184.215.14"])
    with pytest.raises(FetchFailed, match="not a public address"):
        beyond.get("http://provider.example/")


@pytest.mark.parametrize("switch", ["enabled = true", "allow_loopback = true", 'extra_ca = "/ca.pem"'])
def test_the_switches_for_tests_are_refused_with_a_public_issuer(tmp_path: Path, switch: str) -> None:
    """A town that residents reach from outside never runs with one of them."""
    file = tmp_path / "denizen.toml"
    town = '[town]\nname = "R"\ncontact_email = "a@b.example"\n[testing]\n'
    file.write_text(
        f'[server]\nissuer = "https://id.example.org"\nstaff_url = "https://s.example.org"\n{town}{switch}\n'
    )
    with pytest.raises(SettingsError, match="refused with a public issuer"):
        load(file)
    file.write_text(
        f'[server]\nissuer = "http://localhost:1"\nstaff_url = "http://s.localhost:1"\n{town}{switch}\n'
    )
    assert isinstance(load(file), Settings)


@pytest.mark.parametrize(
    "host", ["example.org", "xn--mnchen-3ya.example", "a_b.example", "93.184.215.14", "2606:2800::1"]
)
def test_plain_hosts_are_hosts(host: str) -> None:
    """The grammar lets every ordinary host pass."""
    assert is_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0",
        "127.1",
        "0x7f.1",
        "example.1",
        "example.0x",
        "localhost.",
        "fe80::1%lo",
        "a..b",
        "-a",
    ],
)
def test_disguised_hosts_are_none(host: str) -> None:
    """Numbers in disguise and names in two spellings are refused before any resolver sees them."""
    assert not is_host(host)


@pytest.mark.parametrize("address", ["fe80::1%1", "2606:2800::1%1", "::ffff:1.1.1.1", "nonsense"])
def test_scoped_and_mapped_addresses_are_not_public(address: str) -> None:
    """Whatever they name, they name it in a roundabout way."""
    assert not is_public(address)


def test_a_name_or_password_in_the_address_is_refused(authority: Authority) -> None:
    """What stands before the @ has misled many a parser."""
    with pytest.raises(FetchFailed, match="not by https"):
        fetcher(authority).get("https://user:word@localhost:1/")


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2a00:1450::1"]
)
def test_addresses_beside_the_closed_ones_are_public(address: str) -> None:
    """The networks end where the registries say so."""
    assert is_public(address)
