"""How whoever asks reaches the town: over HTTPS, or inside this process, where time can be moved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from idp.web.pages import WebApp


@dataclass(frozen=True)
class Got:
    """An answer; header names in lower case."""

    status: int
    url: str
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object, which its type must say it is."""
        assert self.headers["content-type"].startswith("application/json"), self.headers
        found = json.loads(self.text)
        assert isinstance(found, dict)
        return found


class Send(Protocol):
    """One request, redirects not followed."""

    def __call__(
        self,
        method: str,
        url: str,
        *,
        form: Sequence[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> Got:
        """Make it."""


class Https:
    """Over the wire; one of these is one cookie jar."""

    def __init__(self, authority: str, certificate: tuple[str, str] | None = None) -> None:
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.verify = authority
        self._http.cert = certificate

    def __call__(
        self,
        method: str,
        url: str,
        *,
        form: Sequence[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> Got:
        data: Any = list(form) if form is not None else body
        got = self._http.request(
            method, url, data=data, headers=dict(headers or {}), allow_redirects=False, timeout=30
        )
        kept = {name.lower(): value for name, value in got.headers.items()}
        return Got(got.status_code, url, kept, got.text)

    def close(self) -> None:
        self._http.close()


class InProcess:
    """Straight into the app; one of these is one cookie jar, if it keeps any."""

    def __init__(self, app: WebApp, issuer: str, *, cookies: bool = True) -> None:
        self._client = app.test_client(use_cookies=cookies)
        self._client.environ_base["REMOTE_ADDR"] = "127.0.0.1"
        self._issuer = issuer

    def __call__(
        self,
        method: str,
        url: str,
        *,
        form: Sequence[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> Got:
        from urllib.parse import urlencode

        more: dict[str, Any] = {}
        if form is not None:
            more = {"data": urlencode(form), "content_type": "application/x-www-form-urlencoded"}
        elif body is not None:
            more = {"data": body}
        got = self._client.open(
            url.removeprefix(self._issuer),
            method=method,
            base_url=self._issuer,
            headers=dict(headers or {}),
            **more,
        )
        kept = {name.lower(): value for name, value in got.headers.items()}
        return Got(got.status_code, url, kept, got.text)

    def cookie(self, name: str) -> str:
        """A cookie that a script could read, as it is kept now; empty for none."""
        found = self._client.get_cookie(name, domain=urlsplit(self._issuer).hostname or "")
        assert found is None or not found.http_only
        return found.value if found else ""
