"""K01: only the registered bytes of a redirect URI work, whatever a URL parser would make of others."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest

from tests.support.settled import assert_refused_here, footprint, parameters
from tests.support.town import CALLBACK, LOOPBACK, code_of

if TYPE_CHECKING:
    from tests.support.settled import Settled

NEAR_MISSES = {
    "dot segment": "https://rp.example/cb/../x",
    "encoded slash": "https://rp.example/cb/..%2fx",
    "doubly encoded": "https://rp.example/cb/%252e%252e/x",
    "path parameter": "https://rp.example/cb/..;/x",
    "slash at the end": "https://rp.example/cb/",
    "capital path": "https://rp.example/CB",
    "query": "https://rp.example/cb?x=1",
    "empty query": "https://rp.example/cb?",
    "fragment": "https://rp.example/cb#f",
    "empty fragment": "https://rp.example/cb#",
    "encoded NUL": "https://rp.example/cb%00",
    "NUL": "https://rp.example/cb\0",
    "encoded line break": "https://rp.example/cb%0d%0aX:1",
    "line break": "https://rp.example/cb\r\nX:1",
    "encoded letter": "https://rp.example/%63b",
    "http": "http://rp.example/cb",
    "capital scheme": "HTTPS://rp.example/cb",
    "other port": "https://rp.example:444/cb",
    "default port": "https://rp.example:443/cb",
    "empty port": "https://rp.example:/cb",
    "dot after the host": "https://rp.example./cb",
    "capital host": "https://RP.example/cb",
    "Cyrillic host": "https://rр.example/cb",
    "its punycode": "https://xn--r-8tb.example/cb",
    "full-width letter": "https://rp.example/ｃb",
    "space before": " https://rp.example/cb",
    "space after": "https://rp.example/cb ",
    "tab inside": "https://rp.ex\tample/cb",
    "backslash": "https://rp.example\\cb",
    "one slash": "https:/rp.example/cb",
    "no scheme": "//rp.example/cb",
    "path alone": "/cb",
    "prefix": "https://rp.example/c",
    "two in one": "https://rp.example/cb https://rp.example/cb",
}
#: What a native client's loopback address must not become (RFC 8252 §7.3 frees the port and nothing else).
NEAR_LOOPBACK = {
    "name instead of address": "http://localhost/callback",
    "other loopback address": "http://127.0.0.2/callback",
    "IPv6": "http://[::1]/callback",
    "short form": "http://127.1/callback",
    "decimal form": "http://2130706433/callback",
    "https": "https://127.0.0.1/callback",
    "other path": "http://127.0.0.1:5000/callback2",
    "query": "http://127.0.0.1:5000/callback?x=1",
    "port that is none": "http://127.0.0.1:abc/callback",
    "port too long": "http://127.0.0.1:123456/callback",
    "minus": "http://127.0.0.1:-1/callback",
    "foreign digits": "http://127.0.0.1:٥٠٠٠/callback",
    "user": "http://127.0.0.1:5000@evil.test/callback",
    "user before": "http://a@127.0.0.1:5000/callback",
    "longer host": "http://127.0.0.1.evil.test/callback",
    "line break after": "http://127.0.0.1:5000/callback\n",
}


@pytest.mark.parametrize("uri", NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_a_near_miss_of_the_registered_address_is_refused_here(settled: Settled, uri: str) -> None:
    """RFC 9700 §2.1, §4.1: exact comparison; CVE-2024-1132, CVE-2022-3782, CVE-2020-15234."""
    before = footprint(settled.town)
    assert_refused_here(settled.ask(parameters(settled.town.library, redirect_uri=uri)))
    assert footprint(settled.town) == before


@pytest.mark.parametrize("uri", NEAR_LOOPBACK.values(), ids=NEAR_LOOPBACK)
def test_a_native_clients_loopback_address_varies_by_nothing_but_its_port(settled: Settled, uri: str) -> None:
    """RFC 8252 §7.3, RFC 9700 §4.1.3."""
    before = footprint(settled.town)
    assert_refused_here(settled.ask(parameters(settled.town.public, redirect_uri=uri)))
    assert footprint(settled.town) == before


def test_a_web_clients_port_is_as_fixed_as_the_rest(settled: Settled) -> None:
    """RFC 8252 §7.3 speaks of native clients alone; the library is a web client, whatever the streets app may."""
    for uri in (LOOPBACK, "http://127.0.0.1:5000/callback"):
        assert_refused_here(settled.ask(parameters(settled.town.library, redirect_uri=uri)))


def test_the_registered_bytes_work(settled: Settled) -> None:
    """Against refusing everything: the same request with the registered address gets its code."""
    answer = settled.ask(parameters(settled.town.library))
    assert code_of(answer)
    assert answer.headers["Location"].startswith(f"{CALLBACK}?")


@pytest.mark.parametrize("port", ["", ":1", ":5000", ":65535"])
def test_a_native_client_may_listen_on_any_port(settled: Settled, port: str) -> None:
    """RFC 8252 §7.3: the port is known at run time only."""
    uri = f"http://127.0.0.1{port}/callback"
    answer = settled.ask(parameters(settled.town.public, redirect_uri=uri))
    assert code_of(answer)
    assert answer.headers["Location"].startswith(f"{uri}?")


def test_one_level_of_encoding_is_undone_and_no_more(settled: Settled) -> None:
    """RFC 6749 Appendix B: how the request writes the registered address does not matter, what it says does."""
    others = urlencode(parameters(settled.town.library, redirect_uri=None))
    every_byte = "".join(f"%{byte:02x}" for byte in CALLBACK.encode())
    assert code_of(settled.ask(f"{others}&redirect_uri={every_byte}"))
    assert_refused_here(settled.ask(f"{others}&redirect_uri={quote(every_byte)}"))
