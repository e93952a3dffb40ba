"""Addresses that strangers name: where a browser is sent back to, and what we fetch."""

from __future__ import annotations

from contextlib import contextmanager
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from hypothesis import strategies as st

from idp.clients.rules import fetchable_problem, is_registered_redirect, link_problem, redirect_problem
from idp.settings.testing import TestingSettings
from idp.web.fetcher import Fetcher, FetchFailed
from tests.fuzz.inputs import edited
from tests.fuzz.targets import target

if TYPE_CHECKING:
    from collections.abc import Iterator

_REGISTERED = (
    "https://rp.example/cb",
    "https://rp.example:8443/cb?x=1&y=%20",
    "http://localhost:8410/cb",
    "http://127.0.0.1/callback",
    "http://[::1]:5000/callback",
    "com.example.app:/cb",
)
_LOOPBACK = ("http://127.0.0.1", "http://[::1]")
_HOSTS = [
    *(
        "rp.example",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "017700000001",
        "[::1]",
        "[::]",
        "localhost",
    ),
    *(
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[fe80::1%25lo]",
        "169.254.169.254",
        "93.184.215.14",
        "a.local",
    ),
    *("[2606:2800:21f:cb07::1]", "127。0。0。1", "①②⑦.0.0.1", "rp.example.", "-a.example", "a_b.example", ""),
]
_PIECES = st.sampled_from(
    [*_HOSTS, *"/\\?#@:.%;,'\"<> \t\r\n\0*[]0٣-", "//", "..", "%2f", "%2e", "%00", "%0a", ":0", ":99999", "xn--"]
) | st.text(max_size=4)  # fmt: skip
_addresses = (
    edited(st.sampled_from(_REGISTERED), _PIECES)
    | st.text(max_size=40)
    | st.builds(
        "{}{}{}{}{}".format,
        st.sampled_from(["https://", "http://", "HTTPS://", "https:", "//", "javascript:", "file://", ""]),
        st.sampled_from(["", "user@", "user:pw@", "@"]),
        st.sampled_from(_HOSTS) | st.ip_addresses().map(str) | st.ip_addresses(v=6).map("[{}]".format),
        st.sampled_from(["", ":", ":0", ":80", ":443", ":65535", ":65536", ":x", ":٣"]),
        st.sampled_from(["", "/", "/cb", "/cb?x=1", "/cb#f", "/\\x", "?x", "#"]),
    )
)


@target("redirect-match", st.tuples(_addresses, st.booleans()))
def a_redirect_that_matches_is_a_registered_one(given: tuple[str, bool]) -> None:
    """Byte by byte, but for the port of a native client's loopback address (RFC 9700 §2.1, RFC 8252 §7.3)."""
    uri, native = given
    expected = uri in _REGISTERED or (
        native and any(_without_port(uri) == _without_port(known) is not None for known in _REGISTERED)
    )
    assert is_registered_redirect(uri, _REGISTERED, native=native) == expected


def _without_port(uri: str) -> tuple[str, str] | None:
    """A loopback address taken apart by hand; None for any other."""
    for origin in _LOOPBACK:
        if uri.startswith(origin):
            rest = uri[len(origin) :]
            port = rest[1:].partition("/")[0] if rest.startswith(":") else ""
            path = rest[len(port) + 1 :] if rest.startswith(":") else rest
            is_port = not rest.startswith(":") or (0 < len(port) <= 5 and set(port) <= set("0123456789"))
            is_path = not path or (path[0] == "/" and all("!" <= letter <= "~" for letter in path))
            return (origin, path) if is_port and is_path else None
    return None


@target("redirect-registration", st.tuples(_addresses, st.booleans()))
def what_can_be_registered_harms_nobody(given: tuple[str, bool]) -> None:
    """It stands in a Location header and in a page policy as it is; rule of registration and of use agree."""
    uri, native = given
    link_problem(uri)
    fetchable_problem(uri)
    if redirect_problem(uri, native=native) is not None:
        return
    assert uri.isascii()
    assert uri.isprintable()
    assert not set(' "<>`\\*#') & set(uri)
    scheme = uri.partition(":")[0].lower()
    assert scheme in ("https", "http") or (native and "." in scheme)
    authority = uri.partition("://")[2].partition("/")[0].partition("?")[0]
    if scheme == "http":
        assert urlsplit(uri).hostname in ("localhost", "127.0.0.1", "::1")
    if scheme in ("https", "http"):
        assert authority
        assert not set("@;,'%") & set(authority)
    assert is_registered_redirect(uri, (uri,), native=native)


_resolved: list[str] = []
_asked: list[tuple[str, int]] = []
_reached: list[tuple[str, int]] = []


def _resolve(host: str, port: int) -> list[str]:
    _asked.append((host, port))
    return list(_resolved)


def _connect(address: tuple[str, int], **_: Any) -> None:
    _reached.append(address)
    raise OSError("nobody is there")


_FETCHER = Fetcher(TestingSettings(), resolve=_resolve)
_V4 = st.ip_addresses(v=4) | st.sampled_from(
    [IPv4Address(one) for one in ("10.0.0.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "93.184.215.14")]
)
_spelt = (
    st.ip_addresses().map(str)
    | _V4.map(str)
    | st.builds("{}{:x}:{:x}{}".format, st.sampled_from(["::ffff:", "64:ff9b::", "64:ff9b:1::", "::"]),
                st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.sampled_from(["", "%lo"]))
    | st.builds(lambda prefix, one: f"{prefix}{int(one) >> 16:x}:{int(one) & 0xFFFF:x}",
                st.sampled_from(["::ffff:", "64:ff9b::"]), _V4)
    | st.builds("2002:{:x}:{:x}::1".format, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
    | edited(_V4.map(str), st.sampled_from([".", "0", "0x", "%", ":", "\0", " "]))
    | st.text(max_size=12)
)  # fmt: skip


@contextmanager
def _nobody() -> Iterator[None]:
    for seen in (_asked, _reached, _resolved):
        seen.clear()
    with patch("socket.create_connection", _connect):
        yield


@target("fetcher", st.tuples(_addresses, st.lists(_spelt, max_size=3)), ("https://r[::1]p.example/cb", []))
def the_fetcher_connects_to_public_addresses_alone(given: tuple[str, list[str]]) -> None:
    """K17: whatever an address and the names' service say, nothing inside is ever reached."""
    url, addresses = given
    with _nobody():
        _resolved.extend(addresses)
        with pytest.raises(FetchFailed):
            _FETCHER.get(url)
        for host, port in _asked:
            assert url.lower().startswith(f"https://{host}") or url.lower().startswith(f"https://[{host}]")
            assert 0 < port <= 65535
        for address, port in _reached:
            assert all(map(_is_public, addresses)), "one address that is not allowed spoils them all"
            assert address in addresses
            assert (_asked, port) == ([_asked[0]], _asked[0][1]), "resolved once"


def _is_public(address: str) -> bool:
    """As Python's own tables have it, which know nothing of ours."""
    parsed = ip_address(address)
    if parsed.version == 6 and address.lower().startswith("64:ff9b::"):
        parsed = IPv4Address(int(parsed) & 0xFFFFFFFF)
    return parsed.is_global and not parsed.is_multicast
