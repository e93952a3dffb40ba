"""A town that is set up once: Maria is signed in and has agreed with three services, so a code is one request away.

For tests that refuse things, or that use codes and tokens of their own. Who moves the clock, withdraws, signs out
or registers clients takes the fixture `town` instead.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, select

from consent.models import LogEntry, Record, Release
from idp.login.models import BrowserSession
from idp.oidc.device.models import DeviceRequest
from idp.oidc.models import AccessToken, Authorization, Grant, Interaction, PushedRequest, RefreshToken
from tests.support.town import ISSUER, Browser, Partner, Proof, Town, answer_parameters, code_of, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from werkzeug.test import TestResponse

SCOPE = "openid profile email residence offline_access"
WAYS = [f"{engine}, {way}" for engine in ("sqlite", "postgresql") for way in ("short way", "full dispatch")]

#: Whatever a request could have written: rows made, rows spent, rows revoked.
_COUNTED = (
    *(model.__table__ for model in (BrowserSession, Interaction, Grant, Authorization, AccessToken)),
    *(model.__table__ for model in (RefreshToken, PushedRequest, DeviceRequest)),
    *(model.__table__ for model in (Record, Release, LogEntry)),
    *(column for model in (Grant, Authorization, AccessToken) for column in (model.revoked_at,)),
    *(model.spent_at for model in (Authorization, PushedRequest, RefreshToken)),
    Interaction.finished_at,
    BrowserSession.ended_at,
)


def footprint(town: Town) -> tuple[int, ...]:
    """How much the database holds of what requests write; two equal ones mean that nothing was written between."""
    counts = [
        select(func.count()).select_from(one) if hasattr(one, "columns") else select(func.count(one))
        for one in _COUNTED
    ]
    with town.context.database.reading() as session:
        return tuple(session.execute(select(*(one.scalar_subquery() for one in counts))).one())


def parameters(partner: Partner, proof: Proof | None = None, **change: str | None) -> dict[str, str]:
    """An authorization request; `change` sets parameters, None leaves one out."""
    values: dict[str, str | None] = {
        "response_type": "code",
        "client_id": partner.client_id,
        "redirect_uri": partner.redirect_uri,
        "scope": SCOPE,
        "state": "st",
        "nonce": "no",
        "code_challenge": (proof or Proof()).challenge,
        "code_challenge_method": "S256",
        **change,
    }
    return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Settled:
    """The town, and the browser in which Maria is signed in and has agreed with library, tax and public."""

    town: Town
    browser: Browser

    def ask(self, query: dict[str, str] | str) -> TestResponse:
        """An authorization request as it stands."""
        encoded = query if isinstance(query, str) else urlencode(query)
        return self.browser.get(f"/authorize?{encoded}")

    def code(self, partner: Partner, proof: Proof, **change: str | None) -> str:
        """A fresh code for a client."""
        return code_of(self.ask(parameters(partner, proof, **change)))

    def tokens(self, partner: Partner, **change: str | None) -> dict[str, Any]:
        """Fresh tokens for a client."""
        proof = Proof()
        answer = self.town.redeem(partner, self.code(partner, proof, **change), proof)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json
        return found

    def is_alive(self, partner: Partner, tokens: dict[str, Any]) -> dict[str, bool]:
        """Which tokens of an answer are still good, each asked where it is used."""
        return {
            "userinfo": self.town.userinfo(tokens["access_token"]).status_code == 200,
            "introspection": self.town.introspect(partner, tokens["access_token"]).json["active"],
            "refresh token": self.town.introspect(partner, tokens["refresh_token"]).json["active"],
        }


def assert_refused_here(answer: TestResponse) -> None:
    """A page of ours says that it went wrong; the browser is sent nowhere."""
    assert answer.status_code in (400, 414), (answer.status_code, answer.headers.get("Location"))
    assert "Location" not in answer.headers
    assert "evil.test" not in answer.headers.get("Content-Security-Policy", "")
    if answer.mimetype == "text/html":
        assert "Reference" in answer.text
        assert "http-equiv" not in answer.text


def assert_refused_back(answer: TestResponse, error: str) -> None:
    """The client is told by way of the browser, at its registered address, and by whom (RFC 9207)."""
    assert answer.status_code == 303, answer.text[:2000]
    told = answer_parameters(answer)
    assert told["error"] == error, told
    assert told["iss"] == ISSUER
    assert "code" not in told


@pytest.fixture(scope="session", params=WAYS)
def settled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    """The settled town, once per engine and way in."""
    engine, _, way = request.param.partition(", ")
    folder = tmp_path_factory.mktemp("settled")
    for url in _database(request, engine, folder):
        town = make_town(url, folder, hot=way == "short way")
        browser = town.browser()
        for partner in (town.library, town.tax, town.public):
            browser.code(partner, town.maria, SCOPE, Proof())
        yield Settled(town, browser)
        town.context.database.close()


def _database(request: pytest.FixtureRequest, engine: str, folder: Path) -> Iterator[str]:
    if engine == "sqlite":
        path = folder / "denizen.sqlite"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    cluster = request.getfixturevalue("postgresql_cluster")
    name = f"settled_{secrets.token_hex(8)}"
    yield cluster.create(name, template=request.getfixturevalue("postgresql_template"))
    cluster.drop(name)
