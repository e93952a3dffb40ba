"""A town whose partners have a real server for logout tokens, on a loopback port behind their own names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from joserfc import jwe, jwt
from joserfc.jwk import KeySet

from idp.clients.metadata import Details, NewClient
from idp.clients.registry import ClientRegistry
from idp.oidc.client_keys import ClientKeys
from idp.oidc.provider import Provider
from idp.settings.testing import TestingSettings
from idp.signals.delivery import Messenger
from idp.signals.models import Delivery
from idp.web.fetcher import Fetcher
from tests.support.proving import jwks, key_for
from tests.support.riverton import PATIENCE
from tests.support.tls import HttpsServer, make_authority
from tests.support.town import Partner, Town, make_town

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("pool.example", "gym.example")
GYM_KEY = key_for("ES256", "gym")


@dataclass(frozen=True)
class Heard:
    """A POST that a partner received."""

    host: str
    path: str
    content_type: str
    form: dict[str, list[str]]

    @property
    def token(self) -> str:
        (token,) = self.form["logout_token"]
        return token


@dataclass
class Telling:
    """The town, what its partners heard, and how they answer: statuses by host, 200 when there is none left.

    `pool` gets logout tokens as they come by default, `gym` signed with RS256 and encrypted.
    """

    town: Town
    server: HttpsServer
    messenger: Messenger
    heard: list[Heard] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)
    #: Hosts that do not answer before this is set.
    silent: dict[str, threading.Event] = field(default_factory=dict)
    partners: dict[str, Partner] = field(default_factory=dict)

    def respond(
        self, _method: str, path: str, headers: Any, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        host = headers["Host"].partition(":")[0]
        if host in self.silent:
            self.silent[host].wait(20)
        self.heard.append(Heard(host, path, headers["Content-Type"], parse_qs(body.decode())))
        left = self.answers.get(host)
        return (left.pop(0) if left else 200), {}, b""

    def deliver(self, after: float = 1) -> list[Heard]:
        """Let time pass, send what is due; what was heard meanwhile."""
        before = len(self.heard)
        self.town.clock.advance(after)
        self.messenger.run(int(self.town.clock()))
        self.messenger.finish()
        return self.heard[before:]

    def claims(self, heard: Heard, alg: str = "ES256") -> dict[str, Any]:
        """What a logout token says, checked with the published keys and nothing else."""
        keys = KeySet.import_key_set(self.town.app.test_client().get("/jwks").json)
        token = jwt.decode(heard.token, keys, algorithms=[alg])
        assert token.header["typ"] == "logout+jwt"
        return dict(token.claims)

    def rows(self) -> list[Delivery]:
        found: list[Delivery] = self.town.rows(Delivery)
        return found


def opened(heard: Heard) -> Heard:
    """An encrypted logout token without its envelope."""
    plain = jwe.decrypt_compact(heard.token, GYM_KEY, algorithms=["ECDH-ES", "A128CBC-HS256"]).plaintext
    assert plain is not None
    return Heard(heard.host, heard.path, heard.content_type, {"logout_token": [plain.decode()]})


def messenger_for(town: Town, server: HttpsServer, **more: Any) -> Messenger:
    """A messenger to whom every name is this machine, as `[testing]` allows.

    It waits as long for an answer as a busy machine may need; the limits of a fetch have tests of their own.
    """
    provider = Provider(town.context, ClientRegistry(town.context.database))
    trusting = TestingSettings(allow_loopback=True, extra_ca=server.authority.ca)
    fetcher = Fetcher(trusting, resolve=lambda *_: ["127.0.0.1"], **{"total_for": PATIENCE, **more})
    object.__setattr__(provider, "fetcher", fetcher)
    object.__setattr__(provider, "client_keys", ClientKeys(fetcher))
    return Messenger(provider)


def clients(port: int) -> list[NewClient]:
    gym = Details(
        backchannel_logout_uri=f"https://gym.example:{port}/out",
        jwks=jwks(GYM_KEY),
        id_token_encrypted_response_alg="ECDH-ES",
    )
    pool = Details(backchannel_logout_uri=f"https://pool.example:{port}/out?from=town")
    both: Any = {
        "grant_types": ("authorization_code", "refresh_token"),
        "scopes": ("openid", "profile", "offline_access"),
    }
    return [
        NewClient("Pool", ("https://pool.example/cb",), client_id="pool", details=pool, **both),
        NewClient(
            "Gym",
            ("https://gym.example/cb",),
            client_id="gym",
            details=gym,
            id_token_signed_response_alg="RS256",
            **both,
        ),
    ]


@pytest.fixture
def telling(database_url: str, tmp_path: Path) -> Iterator[Telling]:
    """A town with two partners that listen, and one (`town.library`) that does not."""
    town = make_town(database_url, tmp_path)
    folder = tmp_path / "tls"
    folder.mkdir()
    with HttpsServer(make_authority(folder, NAMES), lambda *_: (500, {}, b"")) as server:
        made = Telling(town, server, messenger_for(town, server))
        server.respond = made.respond
        for new in clients(server.server_port):
            made.partners[new.client_id] = town.add_client(new, basis="public_task", required=("name",))
        yield made
        made.messenger._pool.shutdown()
    town.context.database.close()
