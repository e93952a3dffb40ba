"""A scripted browser: it keeps cookies, follows redirects within the town and presses buttons by their ids.

A form that the town's script would send to the suite at once it sends by its button, as where no script runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from tests.conformance.pages import form_with

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.conformance.transport import Got, Send


@dataclass(frozen=True)
class Arrival:
    """Where a request ended: back at the suite (`url`, and what was `posted` to it), or on a page of the town (`page`)."""

    url: str
    page: Got | None
    posted: Sequence[tuple[str, str]] | None = None

    @property
    def carrier(self) -> str:
        """Where the answer stands."""
        if self.posted is not None:
            return "form_post"
        return "fragment" if urlsplit(self.url).fragment else "query"

    @property
    def parameters(self) -> dict[str, str]:
        """What the town answered with, each exactly once, and all of it in one place (OIDC Core §3.3.2.5)."""
        assert self.page is None, f"no answer, but {self.page.status} {self.page.text[:1500]}"
        parts = urlsplit(self.url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        pairs = query
        if self.carrier != "query":
            assert not {"code", "error"} & {name for name, _ in query}, self.url
            pairs = list(self.posted or parse_qsl(parts.fragment, keep_blank_values=True))
        assert len(dict(pairs)) == len(pairs), self.url
        return dict(pairs)


@dataclass
class Browser:
    """A fresh one for each module. `sign_ins` counts how often it was asked for the password."""

    send: Send
    issuer: str
    username: str
    password: str
    sign_ins: int = 0
    agreements: int = 0
    pages: list[Got] = field(default_factory=list)

    def visit(
        self, url: str, parameters: Mapping[str, str] | Sequence[tuple[str, str]], *, method: str = "GET"
    ) -> Arrival:
        """Make a request and do what the suite's script does until it is answered."""
        if method == "POST":
            return self._walk(self._open("POST", url, list(dict(parameters).items())))
        return self._walk(self._open("GET", f"{url}?{urlencode(parameters)}"))

    def _walk(self, got: Got) -> Arrival:
        for _ in range(20):
            location = got.headers.get("location")
            if location is not None:
                target = urljoin(got.url, location)
                if not target.startswith(f"{self.issuer}/"):
                    return Arrival(target, None)
                got = self._open("GET", target)
                continue
            if (answer := form_with(got.text, "form-post-go")) is not None:
                assert answer.method == "post"
                assert not answer.action.startswith(f"{self.issuer}/")
                return Arrival(answer.action, None, answer.press("form-post-go"))
            following = self._act(got)
            if following is None:
                return Arrival(got.url, got)
            got = following
        raise AssertionError("redirects without end")

    def _act(self, got: Got) -> Got | None:
        """Sign in or agree, when the page is for that; None when there is nothing to do."""
        self.pages.append(got)
        path = urlsplit(got.url).path
        if path == "/login" and (form := form_with(got.text, "login-submit")):
            self.sign_ins += 1
            typed = form.press("login-submit", username=self.username, password=self.password)
            return self._open("POST", urljoin(got.url, form.action), typed)
        if path == "/consent" and (form := form_with(got.text, "consent-allow")):
            self.agreements += 1
            return self._open("POST", urljoin(got.url, form.action), form.press("consent-allow"))
        return None

    def press(self, got: Got, button: str) -> Arrival:
        """Press a button of a page that was shown."""
        form = form_with(got.text, button)
        assert form is not None, f"no {button} at {got.url}"
        return self._walk(self._open("POST", urljoin(got.url, form.action), form.press(button)))

    def _open(self, method: str, url: str, form: Sequence[tuple[str, str]] | None = None) -> Got:
        return self.send(method, url, form=form)
