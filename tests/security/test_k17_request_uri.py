"""K17 for request objects by reference: the one address that anybody's browser can make us fetch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from idp.clients.metadata import Details, NewClient
from idp.clients.service import add_partner, register_client
from idp.settings import testing
from idp.web.fetcher import TOTAL_FOR, Fetcher
from tests.security.test_k17_fetcher import Watched
from tests.security.test_k17_registration import INSIDE
from tests.support.proving import jwks, key_for
from tests.support.tls import listening
from tests.support.town import START

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.test import TestResponse

    from tests.support.proving import Proving

PUBLIC_NAME = "https://objects.example/ro"


@pytest.fixture(scope="module")
def inside(proving: Proving) -> Iterator[tuple[Watched, str]]:
    """A server on this machine, and a client that was registered with its address as if it were harmless."""
    watched = Watched()
    with listening(watched.answer, None) as port:
        uri = f"https://127.0.0.1:{port}/ro"
        new = NewClient(
            "Inward",
            ("https://inward.example/cb",),
            client_id="inward",
            token_endpoint_auth_method="private_key_jwt",
            details=Details(jwks=jwks(key_for("ES256")), request_uris=(uri, PUBLIC_NAME)),
        )
        with proving.town.context.database.transaction() as session:
            partner = add_partner(session, "Inward", now=START)
            vault = proving.town.context.vault
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


def test_a_server_that_hangs_holds_a_caller_for_seconds_and_others_not_at_all(
    proving: Proving, inside: tuple[Watched, str]
) -> None:
    """K39: a fetch ends, whatever the other side does; and nobody who does not need one waits for it."""
    assert TOTAL_FOR <= 5
    provider = proving.town.app.extensions["denizen.oidc"]
    usual = provider.fetcher
    started = time.monotonic()

    def never(*_: object) -> list[str]:
        time.sleep(0.4)
        return []

    try:
        object.__setattr__(
            provider, "fetcher", Fetcher(testing.TestingSettings(), resolve=never, total_for=0.1)
        )
        assert _ask(proving, PUBLIC_NAME).status_code == 400
    finally:
        object.__setattr__(provider, "fetcher", usual)
    assert time.monotonic() - started < 2
