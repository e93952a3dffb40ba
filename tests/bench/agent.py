"""What a browser or a partner's server does over HTTP, whichever way the requests travel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import urlencode, urljoin

REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(slots=True)
class Response:
    """One answer. Header names are lower case; `location` is made absolute by the agent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)
    location: str = ""
    body: bytes = b""


class CookieJar:
    """Cookies of one site by name and path. Secure and SameSite do not matter on one loopback site."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], str] = {}

    def clear(self, *, but: str = "\0") -> None:
        """Drop every cookie, except those whose names hold `but`."""
        self._values = {key: value for key, value in self._values.items() if but in key[0]}

    def header_for(self, path: str) -> str:
        """The Cookie header's value for a request to `path`; empty when there is none."""
        return "; ".join(
            f"{name}={value}" for (name, at), value in self._values.items() if path.startswith(at)
        )

    def store(self, set_cookie: str) -> None:
        """Take over, or drop, what one Set-Cookie header says (RFC 6265, section 5.2)."""
        pair, *attributes = set_cookie.split(";")
        name, _, value = pair.strip().partition("=")
        said = {
            key.strip().lower(): rest.strip() for key, _, rest in (part.partition("=") for part in attributes)
        }
        key = (name, said.get("path") or "/")
        age = said.get("max-age", "")
        expired = age.startswith("-") or age == "0" or "1970" in said.get("expires", "")
        if expired or value in ("", '""'):
            self._values.pop(key, None)
        else:
            self._values[key] = value


class Agent(ABC):
    """One user agent with its own cookies."""

    def __init__(self) -> None:
        self.cookies = CookieJar()

    @abstractmethod
    async def send(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Response:
        """Carry one request, without regard to cookies."""

    async def request(
        self, method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Response:
        """Send with the cookies that belong, keep the cookies that come back."""
        path = "/" + url.split("?", 1)[0].partition("://")[2].partition("/")[2]
        headers = dict(headers or {})
        if cookie := self.cookies.header_for(path):
            headers["Cookie"] = cookie
        response = await self.send(method, url, headers, body)
        for line in response.set_cookies:
            self.cookies.store(line)
        if response.location:
            response.location = urljoin(url, response.location)
        return response

    async def get(self, url: str, headers: dict[str, str] | None = None) -> Response:
        return await self.request("GET", url, headers)

    async def post(self, url: str, form: dict[str, str], headers: dict[str, str] | None = None) -> Response:
        """Post a form, urlencoded."""
        sent = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return await self.request("POST", url, sent, urlencode(form).encode())


def basic(client_id: str, client_secret: str) -> dict[str, str]:
    """The Authorization header of client_secret_basic (RFC 6749, section 2.3.1), for URL-safe values."""
    return {"Authorization": "Basic " + b64encode(f"{client_id}:{client_secret}".encode()).decode()}
