"""K17: server-side request forgery, as far as the one guarded fetcher decides it (RFC 9700 §4.14).

Whatever fetches an address that somebody else names goes through `idp.web.fetcher`, so these cases stand once.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from idp.settings import testing
from idp.web import lookups
from idp.web.fetcher import TOTAL_FOR, Fetcher, FetchFailed
from tests.house.repository import sources
from tests.support.riverton import until
from tests.support.tls import Authority, listening, make_authority

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

PUBLIC = "93.184.215.14"


class Watched:
    """A plain server on this machine that counts who comes."""

    def __init__(self) -> None:
        self.visits = 0

    def answer(self, sock: socket.socket) -> None:
        self.visits += 1
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def inside() -> Iterator[tuple[Watched, int]]:
    watched = Watched()
    with listening(watched.answer, None) as port:
        yield watched, port


def on_loopback(authority: Authority, **more: object) -> Fetcher:
    """A fetcher as tests of other things use it: this machine and the tests' authority are allowed."""
    return Fetcher(testing.TestingSettings(allow_loopback=True, extra_ca=authority.ca), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:7f00:1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[::1%25lo]",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "0.0.0.0",
        "[::]",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "127.0.0.1%00.example.org",
        "user@127.0.0.1",
        "example.org@127.0.0.1",
        "example.org\\@127.0.0.1",
        "example[::1]org",
        "[::1]example.org",
        "１２７.0.0.1",
        "ⓛocalhost",
    ],
)
def test_this_machine_is_not_fetched_from_in_any_spelling(
    inside: tuple[Watched, int], scheme: str, host: str
) -> None:
    """Whatever names this machine is refused, and nothing arrives there."""
    watched, port = inside
    with pytest.raises(FetchFailed) as refused:
        Fetcher(testing.TestingSettings()).get(f"{scheme}://{host}:{port}/")
    assert refused.value.cause in {
        "no plain URL",
        "no plain host",
        "not by https",
        "not a public address",
        "no answer (gaierror)",
    }
    assert watched.visits == 0


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "198.18.0.1",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "0.0.0.0",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:93.184.215.14",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::5db8:d70e",
        "2002:a00:1::1",
        "2001::1",
        "2001:db8::1",
        "fe80::1%eth0",
        "nonsense",
        "",
    ],
)
def test_a_name_with_one_address_that_is_not_public_is_refused(address: str) -> None:
    """Every address of a name is looked at, and the answer does not tell what was found."""
    fetcher = Fetcher(testing.TestingSettings(), resolve=lambda *_: [PUBLIC, address])
    with pytest.raises(FetchFailed) as refused:
        fetcher.get("https://partner.example/jwks")
    assert refused.value.cause == "not a public address"
    assert refused.value.public == FetchFailed.public
    assert "jwks" not in refused.value.private


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "64:ff9b::5db8:d70e"])
def test_a_public_address_is_connected_to(address: str) -> None:
    """The rules let public addresses pass; the connection itself is stopped here by the tests' own guard."""
    fetcher = Fetcher(testing.TestingSettings(), resolve=lambda *_: [address])
    with pytest.raises(Exception, match="socket") as stopped:
        fetcher.get("https://partner.example/jwks")
    assert not isinstance(stopped.value, FetchFailed)


@pytest.mark.parametrize("address", ["10.1.2.3", "172.31.9.9", "192.168.0.1", "fd00::7"])
def test_a_private_network_is_reached_by_its_own_switch_alone(address: str) -> None:
    """For a suite in a container beside the town: by https only, and never what is worse than private."""
    allowed, other = testing.TestingSettings(allow_private=True), testing.TestingSettings(allow_loopback=True)
    with pytest.raises(Exception, match="socket") as stopped:
        Fetcher(allowed, resolve=lambda *_: [address]).get("https://suite.example/jwks")
    assert not isinstance(stopped.value, FetchFailed)
    both = testing.TestingSettings(allow_private=True, allow_loopback=True)
    refused = ((other, "https", address), (both, "http", address), (allowed, "https", "127.0.0.1"))
    for settings, scheme, found in (*refused, (both, "https", "169.254.169.254"), (both, "https", "fe80::1")):
        with pytest.raises(FetchFailed):
            Fetcher(settings, resolve=lambda *_, found=found: [found]).get(f"{scheme}://suite.example/")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://partner.example/",
        "ftp://partner.example/",
        "data:text/plain,hello",
        "http://partner.example/",
        "//partner.example/",
        "partner.example",
        "",
        "https://",
        "https:///x",
        "https://partner.example:/",
        "https://partner.example:0/",
        "https://partner.example:99999/",
        "https://partner.example:x/",
        "https://partner[2606:2800:21f:cb07::1].example/",
        "https://[2606:2800:21f:cb07::1]partner.example/",
        "https://partner.example:0443/",
        "https://[::1/",
        "https://partner.example/a b",
        "https://partner.example/\r\nX: y",
        "https://partner.example/\0",
        "https://partner.example/#fragment",
        "https://pärtner.example/",
        "https://partner..example/",
        "https://-partner.example/",
        "https://partner.example/" + "x" * 2048,
    ],
)
def test_what_is_no_plain_https_address_is_refused_before_anything_is_resolved(url: str) -> None:
    """One grammar for addresses, narrower than any parser's."""
    asked: list[str] = []
    fetcher = Fetcher(testing.TestingSettings(), resolve=lambda host, _: asked.append(host) or [])  # type: ignore[func-returns-value]
    with pytest.raises(FetchFailed):
        fetcher.get(url)
    assert not asked


def test_a_name_cannot_mean_something_else_after_the_check(
    authority: Authority, inside: tuple[Watched, int]
) -> None:
    """DNS rebinding: the name is resolved once, and the connection goes to what was checked."""
    watched, port = inside
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    asked: list[str] = []

    def resolve(host: str, _: int) -> list[str]:
        asked.append(host)
        return next(answers)

    with pytest.raises(FetchFailed) as refused:
        Fetcher(testing.TestingSettings(), resolve=resolve).get(f"https://partner.example:{port}/")
    assert refused.value.cause == "not a public address"
    assert (asked, watched.visits) == (["partner.example"], 0)
    asked.clear()
    assert on_loopback(authority, resolve=lambda h, _: asked.append(h) or ["127.0.0.1"]).get(  # type: ignore[func-returns-value]
        f"http://localhost:{port}/"
    )
    assert (asked, watched.visits) == (["localhost"], 1)


def test_a_redirect_is_an_answer_and_nobody_follows_it(
    authority: Authority, inside: tuple[Watched, int]
) -> None:
    """A public address that redirects to an internal one reaches nothing by it."""
    watched, internal = inside
    head = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{internal}/\r\nContent-Length: 0\r\n\r\n"

    def answer(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(head.encode())

    with listening(answer, authority.server_side) as port:
        fetched = on_loopback(authority).get(f"https://localhost:{port}/")
    assert (fetched.status, fetched.body) == (302, b"")
    assert watched.visits == 0


def _head(more: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\n{more}\r\n".encode()


def _well(sock: socket.socket) -> None:
    sock.recv(4096)
    sock.sendall(_head("Content-Length: 0\r\n"))


def _trickle(before: bytes, piece: bytes) -> object:
    def answer(sock: socket.socket) -> None:
        sock.sendall(before)
        while True:
            sock.sendall(piece)
            time.sleep(0.02)

    return answer


@pytest.mark.parametrize(
    ("before", "piece"),
    [
        (_head(), b"x"),
        (_head("Content-Length: 10000\r\n"), b"x"),
        (_head("Transfer-Encoding: chunked\r\n"), b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_an_answer_that_trickles_is_cut_when_its_time_is_over(
    authority: Authority, before: bytes, piece: bytes
) -> None:
    """However regularly something arrives, the whole fetch has one end; five seconds for the town, less here."""
    assert TOTAL_FOR <= 5
    answer = _trickle(before, piece)
    with listening(answer, authority.server_side) as port:  # type: ignore[arg-type]
        began = time.monotonic()
        with pytest.raises(FetchFailed) as cut:
            on_loopback(authority, total_for=0.3).get(f"https://localhost:{port}/")
    assert cut.value.cause == "too slow" or cut.value.cause.startswith("no answer")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("tls", [True, False])
def test_a_server_that_is_silent_is_given_up(authority: Authority, tls: bool) -> None:
    """Silence after TLS and silence instead of TLS end the same way."""

    def silent(sock: socket.socket) -> None:
        time.sleep(1)

    with listening(silent, authority.server_side if tls else None) as port:
        began = time.monotonic()
        with pytest.raises(FetchFailed, match="too slow"):
            on_loopback(authority, total_for=0.2).get(f"https://localhost:{port}/")
        assert time.monotonic() - began < 0.9


def test_a_resolver_that_hangs_holds_nobody(authority: Authority) -> None:
    """The system's resolver has no time limit of its own; ours ends the fetch."""

    def slow(*_: object) -> list[str]:
        time.sleep(1)
        return [PUBLIC]

    began = time.monotonic()
    with pytest.raises(FetchFailed, match="too slow"):
        Fetcher(testing.TestingSettings(), resolve=slow, total_for=0.1).get("https://partner.example/")
    assert time.monotonic() - began < 0.9


def test_names_that_hang_are_in_nobody_elses_way(authority: Authority) -> None:
    """K39: a lookup goes on when its fetch has ended, and may be one of many; each name is looked up once meanwhile."""
    may_end, asked = threading.Event(), []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        if host.startswith("slow"):
            may_end.wait(20)
        return ["127.0.0.1"]

    fetcher = on_loopback(authority, resolve=resolve, total_for=1.0)
    names = [f"slow{number}.example" for number in range(12)]

    def fetch(name: str) -> int:
        return fetcher.get(f"https://{name}:{port}/").status

    def is_refused(name: str) -> bool:
        with pytest.raises(FetchFailed, match="too slow"):
            fetch(name)
        return True

    try:
        with (
            listening(_well, authority.server_side) as port,
            ThreadPoolExecutor(len(names)) as pool,
        ):
            assert all(pool.map(is_refused, names))
            assert fetch("localhost") == 200
            assert all(map(is_refused, names))
        assert sorted(asked) == sorted([*names, "localhost"])
    finally:
        may_end.set()


def test_a_name_that_hung_is_looked_up_again_when_it_no_longer_does(authority: Authority) -> None:
    may_end = threading.Event()

    def resolve(*_: object) -> list[str]:
        may_end.wait(20)
        return ["127.0.0.1"]

    with listening(_well, authority.server_side) as port:
        fetcher = on_loopback(authority, resolve=resolve)
        object.__setattr__(fetcher, "_lookups", lookups.Lookups(resolve, patience=0.01))
        with pytest.raises(TimeoutError):
            fetcher._lookups.addresses("localhost", port, within=0.02)
        with pytest.raises(FetchFailed, match="too slow"):
            fetcher.get(f"https://localhost:{port}/")
        may_end.set()
        until(lambda: not fetcher._lookups._under_way, "the lookup has ended")
        assert fetcher.get(f"https://localhost:{port}/").status == 200


def test_there_is_an_end_to_names_that_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is refused before it costs a thread."""
    monkeypatch.setattr(lookups, "AT_ONCE", 3)
    may_end, asked = threading.Event(), []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        may_end.wait(20)
        return [PUBLIC]

    fetcher = Fetcher(testing.TestingSettings(), resolve=resolve, total_for=0.05)
    try:
        for number in range(4):
            with pytest.raises(FetchFailed, match="too slow"):
                fetcher.get(f"https://slow{number}.example/")
        assert len(asked) == 3
    finally:
        may_end.set()


@pytest.mark.parametrize(
    "head",
    [
        "",
        f"Content-Length: {2**30}\r\n",
        "Transfer-Encoding: chunked\r\n",
    ],
)
def test_a_body_of_a_gigabyte_is_cut_at_64_kib(authority: Authority, head: str) -> None:
    """Neither the sender's word nor the lack of one makes us read more."""
    sent = [0]
    block = b"x" * 16_384
    chunk = f"{len(block):x}\r\n".encode() + block + b"\r\n" if "chunked" in head else block

    def answer(sock: socket.socket) -> None:
        sock.sendall(_head(head))
        while sent[0] < 2**30:
            sock.sendall(chunk)
            sent[0] += len(block)

    with listening(answer, authority.server_side) as port, pytest.raises(FetchFailed, match="too large"):
        on_loopback(authority).get(f"https://localhost:{port}/")
    assert sent[0] < 16 * 2**20, "what the buffers on the way hold, and no more"


def test_a_head_without_end_is_cut(authority: Authority) -> None:
    """Headers have a limit, too."""

    def answer(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            sock.sendall(b"X: " + b"y" * 60_000 + b"\r\n")

    with listening(answer, authority.server_side) as port, pytest.raises(FetchFailed):
        on_loopback(authority).get(f"https://localhost:{port}/")


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "gzip, identity", "zstd"])
def test_a_compressed_answer_is_not_unpacked(authority: Authority, coding: str) -> None:
    """We ask for plain bytes; a compression bomb is never opened."""
    seen: list[bytes] = []

    def answer(sock: socket.socket) -> None:
        seen.append(sock.recv(4096))
        sock.sendall(_head(f"Content-Encoding: {coding}\r\nContent-Length: 4\r\n") + b"bomb")

    with listening(answer, authority.server_side) as port, pytest.raises(FetchFailed, match="compressed"):
        on_loopback(authority).get(f"https://localhost:{port}/")
    assert b"Accept-Encoding: identity" in seen[0]


def test_nothing_else_fetches_by_http() -> None:
    """One way out to addresses that others name.

    The gateway for text messages is the operator's own and may stand inside; the sandbox's partner apps are not the
    town.
    """
    clients = ("requests", "httpx", "urllib.request", "urllib3", "http.client", "aiohttp")
    guilty = [
        str(path)
        for path in sources()
        if not {"sandbox", "sms"}.intersection(path.parts)
        and path.name != "fetcher.py"
        and any(f"import {one}" in path.read_text() or f"from {one}" in path.read_text() for one in clients)
    ]
    assert not guilty
