"""The town of `denizen conformance`, served by HTTPS: clients with keys and certificates, and a resident who visits it."""

from __future__ import annotations

import html
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
import requests

from tests.support.loopback import free_port
from tests.support.riverton import DENIZEN, ROOT
from tests.support.tied import Tied
from tests.support.town import choices, hidden_fields

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_INPUT = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)"')
#: The code, which the address that the device shows has typed already.
_CODE = re.compile(r'<input\b[^>]* value="([^"]+)"[^>]* name="user_code"')


@dataclass(frozen=True)
class StrictTown:
    """What the command printed, and where its data lies."""

    printed: dict[str, Any]
    folder: Path

    @property
    def issuer(self) -> str:
        return str(self.printed["issuer"])

    @property
    def ca(self) -> Path:
        """What signed the town's certificate."""
        return self.folder / "authority.pem"

    @property
    def username(self) -> str:
        return str(self.printed["resident"]["username"])

    @property
    def password(self) -> str:
        return str(self.printed["resident"]["password"])

    @property
    def claims(self) -> dict[str, Any]:
        """All that the town knows about the resident."""
        return dict(self.printed["resident"]["claims"])

    def metadata(self) -> dict[str, Any]:
        """The discovery document."""
        return dict(requests.get(self.printed["discovery_url"], verify=str(self.ca), timeout=20).json())

    def register(self, **metadata: Any) -> dict[str, Any]:
        """A client of its own, by the token that was printed; what registration answers."""
        got = requests.post(
            f"{self.issuer}/register",
            json={"client_name": "Interoperation", **metadata},
            headers={"Authorization": f"Bearer {self.printed['initial_access_token']}"},
            verify=str(self.ca),
            timeout=20,
        )
        assert got.status_code == 201, got.text
        return dict(got.json())


@contextmanager
def strict_town(folder: Path) -> Iterator[StrictTown]:
    """`denizen conformance`; besides, it wants its nonce in every DPoP proof (RFC 9449 §8)."""
    data = folder / "town"
    port, door = free_port(), free_port()
    command = [DENIZEN, "conformance", f"--issuer=https://localhost:{port}", f"--mtls-port={door}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENIZEN_TOKENS__DPOP_NONCE", "true")
        process = Tied([*command, f"--folder={data}"], log=folder / "log", cwd=ROOT)
    try:
        lines = []
        for line in process.output:
            lines.append(line)
            if line == "}\n":
                break
        assert lines, process.last_words()
        yield StrictTown(json.loads("".join(lines)), data)
    finally:
        process.stop()


class Visitor:
    """The resident's browser, without a screen or JavaScript; `sign_ins` counts how often the password was asked for."""

    def __init__(self, town: StrictTown) -> None:
        self._town = town
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.verify = str(town.ca)
        self.page: Any = None
        self.been: list[str] = []
        self.sign_ins = 0

    def open(self, url: str, form: dict[str, str] | None = None, *, roams: bool = False) -> dict[str, Any]:
        """Open an address, sign in and agree; where the town sends us in the end, with the form if it posts one.

        Who `roams` goes on to other sites, up to a page that wants nothing.
        """
        method, self.been = "GET" if form is None else "POST", []
        for _ in range(20):
            self.been.append(url.partition("?")[0])
            self.page = self._http.request(method, url, data=form, allow_redirects=False, timeout=20)
            location = self.page.headers.get("Location")
            if location is not None:
                method, url, form = "GET", urljoin(url, location), None
                if not roams and not url.startswith(f"{self._town.issuer}/"):
                    return {"url": url}
            elif (posted := _posted(self.page.text)) is not None:
                return posted
            elif (filled := self._filled(self.page.text)) is not None:
                method, url, form = "POST", urljoin(url, filled[0]), filled[1]
            else:
                return {"url": url, "page": self.page.text}
        raise AssertionError(f"redirects without end: {self.been}")

    def roam(self, url: str) -> None:
        """Open an address of any site, and go wherever it leads."""
        self.open(url, roams=True)

    def _filled(self, page: str) -> tuple[str, Any] | None:
        """The form that has to be filled in now; None when the page is no part of signing in or agreeing."""
        if 'action="/login"' in page:
            self.sign_ins += 1
            typed = {"username": self._town.username, "password": self._town.password}
            return "/login", {**hidden_fields(page, "/login"), **typed}
        if 'action="/consent"' in page:
            told = {**hidden_fields(page, "/consent"), "decision": "allow", "share": choices(page)}
            return "/consent", told
        return None

    def let_in(self, address: str) -> None:
        """Open the address that a device shows, and let the device in."""
        self.open(address)
        if (typed := _CODE.search(self.page.text)) is not None:
            self.submit("/device", user_code=typed[1])
        self.submit("/device/confirm", decision="go")
        assert self.page.status_code == 200, self.page.text

    def submit(self, action: str, **fields: str) -> dict[str, Any]:
        """Send the form of the page that posts to `action`."""
        return self.open(urljoin(self.page.url, action), {**hidden_fields(self.page.text, action), **fields})

    def close(self) -> None:
        self._http.close()


def _posted(page: str) -> dict[str, Any] | None:
    """Where a page that only hands something on would post it, and what (OAuth 2.0 Form Post Response Mode)."""
    found = re.search(
        r'<form [^>]*id="form-post" method="post" action="([^"]*)">(.*?)</form>', page, re.DOTALL
    )
    if found is None:
        return None
    fields = {name: html.unescape(value) for name, value in _INPUT.findall(found[2])}
    return {"url": html.unescape(found[1]), "form": fields}
