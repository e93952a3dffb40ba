"""K17 for request objects by reference: the one address that anybody's browser can make us fetch."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from idp.clients.metadata import Details, NewClient
from idp.clients.service import add_partner, register_client
from idp.oidc import request_objects
from idp.settings import testing
from idp.web.fetcher import TOTAL_FOR, Fetcher
from idp.web.turns import Turns
from tests.security.test_k17_fetcher import Watched
from tests.security.test_k17_registration import INSIDE
from tests.support.proving import jwks, key_for
from tests.support.riverton import until
from tests.support.tls import listening
from tests.support.town import START, Proof

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.test import TestResponse

    from tests.support.proving import Proving

PUBLIC_NAME = "https://objects.example/ro"
MORE_NAMES = ("https://more.example/ro", "https://yetmore.example/ro")


@pytest.fixture(scope="module")
def inside(proving: Proving) -> Iterator[tuple[Watched, str]]:
    """A server on this machine, and a client that was registered with its address as if it were harmless."""
    watched = Watched()
    with listening(watched.answer, None) as port:
        uri = f"https://127.0.0.1:{port}/ro"
        own = {"inward": (uri, PUBLIC_NAME, *MORE_NAMES), "outward": ("https://other.example/ro",)}
        with proving.town.context.database.transaction() as session:
            partner = add_partner(session, "Inward", now=START)
            vault = proving.town.context.vault
            for name, uris in own.items():
                new = NewClient(
                    name.title(),
                    (f"https://{name}.example/cb",),
                    client_id=name,
                    token_endpoint_auth_method="private_key_jwt",
                    details=Details(jwks=jwks(key_for("ES256")), request_uris=uris),
                )
                register_client(session, partner, new, now=START, vault=vault, allow_loopback=True)
        proving.town.fresh()
        yield watched, uri


def _ask(proving: Proving, uri: str, **more: str) -> TestResponse:
    query = {"client_id": "inward", "request_uri": uri, **more}
    return proving.town.browser().get(f"/authorize?{urlencode(query)}")


def test_an_address_inside_is_not_fetched_even_if_it_is_registered(
    proving: Proving, inside: tuple[Watched, str]
) -> None:
    """CVE-2026-1180, CVE-2020-10770: what a name means is looked at when it is fetched; the answer is one for all."""
    watched, uri = inside
    seen = set()
    for address in (uri, *INSIDE):
        answer = _ask(proving, address)
        assert (answer.status_code, answer.headers.get("Location")) == (400, None)
        assert "invalid_request_uri" in answer.text
        seen.add("could not be read" in answer.text)
    assert watched.visits == 0
    assert seen == {True, False}


def test_a_name_that_leads_inside_is_not_followed(proving: Proving, inside: tuple[Watched, str]) -> None:
    """DNS rebinding: a registered name that resolves to this machine or to a private network."""
    watched, _ = inside
    provider = proving.town.app.extensions["denizen.oidc"]
    usual = provider.fetcher
    try:
        for address in ("127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "fd00::1"):

            def resolve(*_: Any, to: str = address) -> list[str]:
                return [to]

            object.__setattr__(provider, "fetcher", Fetcher(testing.TestingSettings(), resolve=resolve))
            answer = _ask(proving, PUBLIC_NAME)
            assert (answer.status_code, "could not be read" in answer.text) == (400, True)
    finally:
        object.__setattr__(provider, "fetcher", usual)
    assert watched.visits == 0


class Hanging:
    """A resolver that knows no end until `may_end`; `asked` says which names it was asked for."""

    def __init__(self) -> None:
        self.may_end, self.asked = threading.Event(), list[str]()

    def __call__(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        assert self.may_end.wait(20)
        return []


@contextmanager
def hanging(proving: Proving, total_for: float) -> Iterator[Hanging]:
    """Every name hangs; at the end all that hung is through."""
    provider, resolver = proving.town.app.extensions["denizen.oidc"], Hanging()
    usual, fetcher = (
        provider.fetcher,
        Fetcher(testing.TestingSettings(), resolve=resolver, total_for=total_for),
    )
    object.__setattr__(provider, "fetcher", fetcher)
    try:
        yield resolver
    finally:
        resolver.may_end.set()
        object.__setattr__(provider, "fetcher", usual)


@pytest.mark.usefixtures("inside")
def test_a_name_that_hangs_holds_a_caller_for_seconds_and_others_not_at_all(proving: Proving) -> None:
    """K39: a fetch ends, whatever the other side does; and nobody who does not need one waits for it."""
    assert TOTAL_FOR <= 5
    prover, proof = proving.provers["pkjwt"], Proof()
    with hanging(proving, total_for=10) as resolver, ThreadPoolExecutor(1) as pool:
        held = pool.submit(_ask, proving, PUBLIC_NAME)
        until(lambda: bool(resolver.asked), "the name is looked up")
        code = proving.code(prover, proof)
        assert proving.redeem(prover, code, proof).status_code == 200
        assert not held.done()
        resolver.may_end.set()
        assert held.result(20).status_code == 400
    with hanging(proving, total_for=0.1):
        assert _ask(proving, PUBLIC_NAME).status_code == 400


@pytest.mark.usefixtures("inside")
def test_whoever_asks_in_the_name_of_one_client_takes_one_place(
    proving: Proving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K39: anybody's browser can ask; the objects of other clients are read meanwhile."""
    monkeypatch.setattr(request_objects, "_turns", Turns(wait_for=0.05))
    with hanging(proving, total_for=10) as resolver, ThreadPoolExecutor(2) as pool:
        held = pool.submit(_ask, proving, PUBLIC_NAME)
        until(lambda: bool(resolver.asked), "the name is looked up")
        for uri in MORE_NAMES:
            assert "try again" in _ask(proving, uri).text
        other = pool.submit(_ask, proving, "https://other.example/ro", client_id="outward")
        until(lambda: "other.example" in resolver.asked, "the other client's name is looked up")
        resolver.may_end.set()
        assert {held.result(20).status_code, other.result(20).status_code} == {400}
    assert resolver.asked == ["objects.example", "other.example"]
