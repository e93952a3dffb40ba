"""A town with clients of old software, whose tokens pass the browser, and readers of answers in every response mode."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from joserfc import jwe, jwt

from idp.clients.metadata import Details, NewClient
from idp.clients.profiles import LEGACY
from tests.support.proving import jwks, key_for
from tests.support.settled import WAYS, _database, parameters
from tests.support.town import ISSUER, Browser, Partner, Proof, Town, choices, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.test import TestResponse

CARRIERS = ("query", "fragment", "form_post")
MODES = (*CARRIERS, *(f"{carrier}.jwt" for carrier in CARRIERS))
TYPES = tuple(sorted(LEGACY.response_types))
SCOPE = "openid profile email"
#: With what a client registers that takes everything, old and new.
OLD = {
    "profile": "legacy",
    "grant_types": ("authorization_code", "implicit", "refresh_token"),
    "scopes": ("openid", "profile", "email", "offline_access", "tax:read"),
}


@dataclass(frozen=True)
class Told:
    """What a client is told: the carrier, the address without it, the parameters; of JARM those in the JWT.

    `values` are without `session_state`, which is a matter of its own.
    """

    carrier: str
    address: str
    values: dict[str, str]
    jwt: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Front:
    """The town, and a browser in which Maria is signed in and has agreed with every client of `clients`."""

    town: Town
    browser: Browser
    clients: dict[str, Partner]

    def ask(self, name: str, browser: Browser | None = None, **change: str | None) -> TestResponse:
        """A request of a client in this browser, or in another one."""
        asked = parameters(self.clients[name], **{"scope": SCOPE, **change})
        return (browser or self.browser).get(f"/authorize?{urlencode(asked)}")

    def told(self, name: str, **change: str | None) -> Told:
        """What the client is told at once."""
        return self.read(self.ask(name, **change), self.clients[name])

    def read(self, answer: TestResponse, client: Partner) -> Told:
        """Read an answer as its client does."""
        told = read(answer)
        if set(told.values) != {"response"}:
            return told
        claims = self.opened(told.values["response"], client)
        assert claims["aud"] == client.client_id
        assert 0 < claims["exp"] - self.town.clock() <= 600
        values = {
            name: value for name, value in claims.items() if name not in ("aud", "exp", "session_state")
        }
        assert all(isinstance(value, str) for value in values.values())
        return Told(told.carrier, told.address, values, claims)

    def opened(self, text: str, client: Partner) -> dict[str, Any]:
        """The claims of a JWT to a client, decrypted where it is encrypted, its signature checked."""
        if text.count(".") == 4:
            key = key_for("ES256", client.client_id)
            found = jwe.decrypt_compact(text, key, algorithms=["ECDH-ES", "A128CBC-HS256"]).plaintext
            assert found is not None
            text = found.decode()
        keys = self.town.app.extensions["denizen.oidc"].keys.ring.verify_keys
        claims: dict[str, Any] = jwt.decode(text, keys, algorithms=["ES256", "RS256"]).claims
        return claims


def read(answer: TestResponse) -> Told:
    """The parameters of an answer, each once, and nothing of them anywhere else."""
    assert answer.headers["Cache-Control"] == "no-store"
    if answer.status_code == 200:
        return _posted(answer.text)
    assert answer.status_code == 303, answer.text[:2000]
    parts = urlsplit(answer.headers["Location"])
    carrier = "fragment" if parts.fragment else "query"
    assert not (parts.fragment and parts.query)
    return Told(carrier, parts._replace(query="", fragment="").geturl(), _once(parts.fragment or parts.query))


def _once(encoded: str) -> dict[str, str]:
    pairs = parse_qsl(encoded, keep_blank_values=True, strict_parsing=True, errors="strict")
    assert len({name for name, _ in pairs}) == len(pairs), pairs
    return {name: value for name, value in pairs if name != "session_state"}


def _posted(page: str) -> Told:
    forms = re.findall(
        r'<form [^>]*id="form-post" method="post" action="([^"]*)">(.*?)</form>', page, re.DOTALL
    )
    assert len(forms) == 1, page[:2000]
    address, inside = forms[0]
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', inside)
    assert len({name for name, _ in fields}) == len(fields) == inside.count("<input")
    values = {name: html.unescape(value) for name, value in fields if name != "session_state"}
    return Told("form_post", html.unescape(address), values)


def new_client(name: str, **more: Any) -> NewClient:
    return NewClient(f"Service {name}", (f"https://{name}.example/cb",), client_id=name, **{**OLD, **more})


def _clients() -> list[NewClient]:
    every = Details(response_types=TYPES)
    encrypted = Details(
        response_types=TYPES,
        authorization_signed_response_alg="ES256",
        authorization_encrypted_response_alg="ECDH-ES",
        jwks=jwks(key_for("ES256", "sealed")),
    )
    standard = {"profile": "standard", "grant_types": ("authorization_code", "refresh_token")}
    return [
        new_client("old", details=every),
        new_client("older", details=every, id_token_signed_response_alg="RS256"),
        new_client("oldapp", details=every, token_endpoint_auth_method="none"),
        new_client("sealed", details=encrypted),
        new_client("new", **standard, details=Details(authorization_signed_response_alg="ES256")),
    ]


@pytest.fixture(scope="session", params=WAYS)
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """The town of old software, once per engine and way in; its clock must be put back by whoever moves it."""
    engine, _, way = request.param.partition(", ")
    folder = tmp_path_factory.mktemp("front")
    for url in _database(request, engine, folder):
        town = make_town(url, folder, hot=way == "short way")
        clients = {
            new.client_id: town.add_client(new, basis="public_task", required=("name", "email"))
            for new in _clients()
        }
        town.fresh()
        browser = town.browser()
        for partner in clients.values():
            settle(town, browser, partner)
        yield Front(town, browser, clients)
        town.context.database.close()


def settle(town: Town, browser: Browser, partner: Partner, scope: str = SCOPE) -> None:
    """Maria signs in where she must and agrees; the code of it is thrown away."""
    answer = browser.follow(browser.authorize(partner, scope, Proof()))
    if 'action="/login"' in answer.text:
        answer = browser.follow(browser.sign_in(town.maria))
    if 'action="/consent"' in answer.text:
        answer = browser.allow(share=choices(answer.text))
    assert answer.headers["Location"].startswith(partner.redirect_uri), answer.text[:2000]


__all__ = [
    "CARRIERS",
    "ISSUER",
    "MODES",
    "SCOPE",
    "TYPES",
    "Front",
    "Told",
    "front",
    "new_client",
    "read",
    "settle",
]
