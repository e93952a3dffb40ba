"""Key sets that clients publish: fetched when they are needed, kept for a while, looked at again for a new key."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from idp.clients.metadata import Details, NewClient
from idp.oidc.client_keys import KEPT_FOR, PAUSE, STALE_FOR, ClientKeys
from idp.web.fetcher import Fetched, FetchFailed
from idp.web.turns import AT_ONCE, OF_ONE_OWNER, WAITING_OF_ONE_OWNER
from tests.support.proving import Prover, jwks, key_for
from tests.support.riverton import until
from tests.support.tls import HttpsServer, make_authority
from tests.support.town import ISSUER, START, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from idp.clients.registry import Client

URI = "https://pool.example/jwks"
OLD, NEW = key_for("ES256", "old"), key_for("ES256", "new")


@dataclass
class Publisher:
    """Stands where the network begins, and counts."""

    keys: list[Any] = field(default_factory=lambda: [OLD])
    headers: dict[str, str] = field(default_factory=dict)
    is_away: bool = False
    asked: int = 0

    def get(self, url: str, **_: object) -> Fetched:
        assert url == URI
        self.asked += 1
        if self.is_away:
            raise FetchFailed("no answer")
        return Fetched(200, self.headers, json.dumps(jwks(*self.keys)).encode())


@dataclass(frozen=True)
class Named:
    """All that is asked of a client here."""

    client_id: str = "pool"
    owner: str = "Pool"
    details: Details = field(default_factory=lambda: Details(jwks_uri=URI))


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


def _kids(keys: ClientKeys, *, kid: str | None = None, now: int = START) -> list[str]:
    client: Client = Named()  # type: ignore[assignment]
    return [str(key.kid) for key in keys.of(client, kid=kid, now=now)]


def test_a_key_set_is_fetched_once_and_kept(publisher: Publisher) -> None:
    """RFC 9111: as long as its Cache-Control says, within our own bounds."""
    keys = ClientKeys(publisher)  # type: ignore[arg-type]
    publisher.headers["cache-control"] = "public, max-age=300"
    assert publisher.asked == 0
    for _ in range(3):
        assert _kids(keys) == [OLD.kid]
    assert _kids(keys, now=START + 299) == [OLD.kid]
    assert publisher.asked == 1
    assert _kids(keys, now=START + 300) == [OLD.kid]
    assert publisher.asked == 2


@pytest.mark.parametrize(
    ("said", "kept"), [("max-age=0", KEPT_FOR.start), ("max-age=99999999", KEPT_FOR.stop - 1), ("", 600)]
)
def test_a_cache_control_is_kept_within_bounds(publisher: Publisher, said: str, kept: int) -> None:
    """A partner can neither make us fetch all the time, nor have a key live for ever."""
    keys = ClientKeys(publisher)  # type: ignore[arg-type]
    publisher.headers["cache-control"] = said
    _kids(keys)
    _kids(keys, now=START + kept - 1)
    assert publisher.asked == 1
    _kids(keys, now=START + kept)
    assert publisher.asked == 2


def test_an_unknown_kid_makes_us_look_again_but_not_at_once(publisher: Publisher) -> None:
    """OIDC Core §10.1.1: rotation is seen; a sender of made-up kids makes no flood."""
    keys = ClientKeys(publisher)  # type: ignore[arg-type]
    _kids(keys)
    publisher.keys = [OLD, NEW]
    assert _kids(keys, kid=NEW.kid, now=START + PAUSE - 1) == []
    assert publisher.asked == 1
    assert _kids(keys, kid=NEW.kid, now=START + PAUSE) == [NEW.kid]
    for second in range(PAUSE):
        assert _kids(keys, kid="made-up", now=START + PAUSE + second) == []
    assert publisher.asked == 2
    assert _kids(keys, kid=OLD.kid, now=START + PAUSE) == [OLD.kid]


def test_a_publisher_that_is_away_does_not_lock_its_client_out(publisher: Publisher) -> None:
    """What was fetched is good for a day at most; a failure is not asked again at once."""
    keys = ClientKeys(publisher)  # type: ignore[arg-type]
    _kids(keys)
    publisher.is_away = True
    later = START + 700
    assert _kids(keys, now=later) == [OLD.kid]
    assert _kids(keys, now=later + 1) == [OLD.kid]
    assert publisher.asked == 2
    assert _kids(keys, now=START + STALE_FOR - 1) == [OLD.kid]
    assert _kids(keys, now=START + STALE_FOR + PAUSE) == []


def test_nothing_is_known_of_a_publisher_that_was_never_there(publisher: Publisher) -> None:
    """And a key set of rubbish is as good as none."""
    publisher.is_away = True
    keys = ClientKeys(publisher)  # type: ignore[arg-type]
    assert _kids(keys) == _kids(keys) == []
    assert publisher.asked == 1
    publisher.is_away, publisher.keys = False, []
    assert _kids(keys, now=START + PAUSE) == []


def test_slow_publishers_of_one_partner_hold_up_nobody_else(publisher: Publisher) -> None:
    """K17: however many clients it has; who asks for one key set too many of its own is refused at once."""
    asked, may_answer = [], Event()

    def slow(url: str, **named: object) -> Fetched:
        if url == URI:
            return quick(url, **named)
        asked.append(url)
        assert may_answer.wait(20)
        raise FetchFailed("too slow")

    quick, publisher.get = publisher.get, slow  # type: ignore[method-assign]
    keys = ClientKeys(publisher)  # type: ignore[arg-type]
    with ThreadPoolExecutor(2 * (AT_ONCE + WAITING_OF_ONE_OWNER)) as pool:
        held = []
        for number in range(2 * (AT_ONCE + WAITING_OF_ONE_OWNER)):
            one: Any = Named(f"evil{number}", "Evil", Details(jwks_uri=f"https://e{number}.example/jwks"))
            held.append(pool.submit(keys.of, one, now=START))
        until(
            lambda: sum(one.done() for one in held) >= len(held) - OF_ONE_OWNER - WAITING_OF_ONE_OWNER,
            "the others left",
        )
        assert len(asked) == OF_ONE_OWNER
        assert _kids(keys) == [OLD.kid]
        may_answer.set()
        assert all(one.result(20) == () for one in held)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Any]:
    return make_authority(tmp_path)


def test_a_client_signs_with_a_key_that_it_publishes_and_then_with_the_next(
    database_url: str, tmp_path: Path, authority: Any
) -> None:
    """The whole way, over TLS to a server of the partner's, rotation included."""
    published = [OLD]

    def respond(*_: object) -> tuple[int, dict[str, str], bytes]:
        return 200, {"Content-Type": "application/json"}, json.dumps(jwks(*published)).encode()

    server_settings = {"issuer": "http://localhost:8400", "staff_url": "http://localhost:8401"}
    testing = {"allow_loopback": True, "extra_ca": authority.ca}
    town = make_town(database_url, tmp_path, server=server_settings, testing=testing)
    with HttpsServer(authority, respond) as server:
        new = NewClient(
            "Pool",
            client_id="pool",
            token_endpoint_auth_method="private_key_jwt",
            grant_types=("client_credentials",),
            details=Details(jwks_uri=f"{server.url}/jwks"),
        )
        with town.context.database.transaction() as session:
            from idp.clients.service import add_partner, register_client

            partner = add_partner(session, "Pool", now=START)
            register_client(session, partner, new, now=START, allow_loopback=True)
        town.fresh()

        def ask(key: Any) -> int:
            from tests.support.town import Partner

            prover = Prover(Partner("pool", None, "private_key_jwt", ""), key)
            form = prover.form(
                town.clock(), {"grant_type": "client_credentials"}, aud="http://localhost:8400"
            )
            post = town.app.test_client(use_cookies=False).post
            return post("/token", data=form, base_url=ISSUER).status_code

        assert ask(OLD) == 200
        published[:] = [NEW]
        assert ask(NEW) == 401
        town.clock.advance(PAUSE)
        assert ask(NEW) == 200
        assert ask(OLD) == 401
    town.context.database.close()


def test_whoever_comes_while_the_keys_are_fetched_waits_for_them(publisher: Publisher) -> None:
    """Nobody is refused because somebody else was a moment earlier, as after each restart of the town."""
    asked, may_answer = Event(), Event()
    get = publisher.get

    def slow(url: str, **named: object) -> Fetched:
        asked.set()
        assert may_answer.wait(20)
        return get(url, **named)

    publisher.get = slow  # type: ignore[method-assign]
    keys = ClientKeys(publisher)  # type: ignore[arg-type]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(_kids, keys)
        assert asked.wait(20)
        second = pool.submit(_kids, keys)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.05)
        may_answer.set()
        assert first.result(20) == second.result(20) == [OLD.kid]
    assert publisher.asked == 1
