"""A browser without a screen or JavaScript, over real HTTP: it signs in and agrees for a client's sake."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

import requests

from tests.support.town import choices, hidden_fields

if TYPE_CHECKING:
    from typing import Self

    from tests.support.riverton import Resident


class Walker:
    """A browser of one resident; `sign_ins` counts how often the town asked for the password."""

    def __init__(self, issuer: str, resident: Resident) -> None:
        self._issuer, self._resident = issuer, resident
        self._http = requests.Session()
        self._http.trust_env = False
        self.sign_ins = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def answer(self, url: str) -> str:
        """Open an authorization address, sign in and agree to everything; the address the town sends us back to."""
        page = self._open("GET", url)
        for _ in range(20):
            location = page.headers.get("Location")
            if location is not None:
                target = urljoin(page.url, location)
                if not target.startswith(f"{self._issuer}/"):
                    return target
                page = self._open("GET", target)
            elif 'action="/login"' in page.text:
                page = self._sign_in(page)
            elif 'action="/consent"' in page.text:
                page = self._agree(page)
            else:
                break
        raise AssertionError(f"the town answers {page.status_code} at {page.url}: {page.text[:2000]}")

    def _open(self, method: str, url: str, form: list[tuple[str, str]] | None = None) -> requests.Response:
        return self._http.request(method, url, data=form, allow_redirects=False, timeout=20)

    def _sign_in(self, page: requests.Response) -> requests.Response:
        self.sign_ins += 1
        typed = [("username", self._resident.username), ("password", self._resident.password)]
        return self._open(
            "POST", f"{self._issuer}/login", [*hidden_fields(page.text, "/login").items(), *typed]
        )

    def _agree(self, page: requests.Response) -> requests.Response:
        chosen = [("decision", "allow"), *(("share", claim) for claim in choices(page.text))]
        return self._open(
            "POST", f"{self._issuer}/consent", [*hidden_fields(page.text, "/consent").items(), *chosen]
        )
