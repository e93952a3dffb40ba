"""The load generator keeps cookies as a browser does, and never leaves the machine."""

import asyncio

import pytest

from tests.bench.agent import CookieJar
from tests.bench.httpc import HttpAgent, NotLoopbackError
from tests.support.apart import apart


def test_cookies_go_only_where_their_path_begins():
    jar = CookieJar()
    jar.store("session=1; Path=/; HttpOnly; SameSite=Lax")
    jar.store("flow=2; Path=/login; Max-Age=600")
    assert jar.header_for("/login/password") == "session=1; flow=2"
    assert jar.header_for("/token") == "session=1"


@pytest.mark.parametrize(
    "line",
    [
        "session=; Path=/",
        "session=x; Path=/; Max-Age=0",
        "session=x; Path=/; Max-Age=-10",
        "session=x; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    ],
)
def test_an_expired_cookie_is_dropped(line):
    jar = CookieJar()
    jar.store("session=1; Path=/")
    jar.store(line)
    assert jar.header_for("/") == ""


@pytest.mark.parametrize("max_age", ["1", "600", "10"])
def test_a_living_cookie_is_kept(max_age):
    jar = CookieJar()
    jar.store(f"session=1; Path=/; Max-Age={max_age}")
    assert jar.header_for("/") == "session=1"


@pytest.mark.parametrize(
    "url", ["http://example.org/", "http://10.0.0.1:80/authorize?x=1", "http://127.0.0.1.example.org/"]
)
def test_another_machine_is_never_loaded(url):
    """The benchmark loads loopback only."""
    with pytest.raises(NotLoopbackError):
        apart(lambda: asyncio.run(HttpAgent().get(url)))
