"""What a resident's own connection is worth: not what the town's best provider says, nor what this one says of others."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from idp.login.levels import Method
from idp.login.upstream.identities import link as connect_with
from idp.login.upstream.identities import way
from idp.login.upstream.models import UpstreamIdentity
from idp.login.ways import Ways
from idp.schema import downgrade_database, upgrade_database
from keys.columns import IndexBytes
from tests.idp.login.upstream.test_signing_in import link, take_apart

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from tests.idp.login.upstream.provider import Provider
    from tests.support.town import Browser, Town

    Connect = Callable[..., tuple[Town, Provider]]

BOTH = {"two-factors": "strong", "hardware": "phr"}


def wanted(answer: TestResponse) -> str:
    """The level that somebody is sent to the sign-in page for; "" when they are not."""
    target = urlsplit(answer.headers.get("Location", ""))
    return parse_qs(target.query)["wanted"][0] if target.path == "/login" else ""


def known(town: Town) -> list[str | None]:
    return [one.level for one in town.rows(UpstreamIdentity)]


def by_password(town: Town) -> Browser:
    browser = town.browser()
    browser.sign_in(town.maria)
    return browser


@pytest.mark.parametrize(("said", "level"), [("two-factors", "strong"), ("hardware", "phr")])
def test_a_password_takes_no_connection_apart_that_is_worth_more(
    connect: Connect, said: str, level: str
) -> None:
    """Whoever stole it must not keep the owner from the way in that they could not use."""
    town, provider = connect(levels=BOTH)
    provider.claims = {"acr": said}
    link(town, provider, town.maria)
    assert known(town) == [level]
    (identity,) = town.rows(UpstreamIdentity)
    thief = by_password(town)
    assert wanted(take_apart(thief, identity.id)) == level
    for page in ("/account/passkeys/new", "/account/password", "/account/connect/with/neighbour"):
        assert wanted(thief.get(page)) == level
    assert len(town.rows(UpstreamIdentity)) == 1
    owner = town.browser()
    provider.sign_in(owner)
    take_apart(owner, identity.id)
    assert town.rows(UpstreamIdentity) == []


def test_nobody_needs_more_than_their_provider_says_of_them(connect: Connect) -> None:
    """It says more of others; who cannot show that must not be kept from their own account."""
    town, provider = connect(levels=BOTH)
    provider.claims = {"acr": "two-factors"}
    link(town, provider, town.maria)
    owner = town.browser()
    provider.sign_in(owner)
    assert owner.get("/account/passkeys/new").status_code == 200


def test_what_was_proved_once_is_asked_for_from_then_on(connect: Connect) -> None:
    """A better card was used; with the lower one alone nothing is taken away."""
    town, provider = connect(levels=BOTH)
    provider.claims = {"acr": "unheard-of"}
    link(town, provider, town.maria)
    seen = []
    for said in ("two-factors", "hardware", "two-factors", "unheard-of"):
        provider.claims = {"acr": said}
        provider.sign_in(browser := town.browser())
        seen.append((known(town)[0], wanted(browser.get("/account/password"))))
    assert seen == [("strong", ""), ("phr", ""), ("phr", "phr"), ("phr", "phr")]


def test_a_connection_of_an_older_version_counts_for_the_best_until_it_is_used(connect: Connect) -> None:
    """0029: nobody noted what it had proved; it may have been anything that the provider says."""
    town, provider = connect(levels=BOTH)
    provider.claims = {"acr": "two-factors"}
    link(town, provider, town.maria)
    url = town.settings.database.url
    downgrade_database(url, "0028")
    upgrade_database(url)
    assert known(town) == [None]
    assert wanted(by_password(town).get("/account/password")) == "phr"
    provider.sign_in(browser := town.browser())
    assert known(town) == ["strong"]
    assert browser.get("/account/password").status_code == 200


@pytest.mark.parametrize(
    ("mine", "worth", "proved"),
    [
        ({}, "basic", "basic"),
        ({"low": "basic"}, "basic", "basic"),
        ({"high": "strong"}, "phr", "strong"),
        ({"high": None}, "phr", "phr"),
        ({"low": "basic", "middle": "strong"}, "strong", "strong"),
        ({"low": None, "middle": "basic"}, "strong", "basic"),
        ({"middle": "phr"}, "strong", "strong"),
        ({"gone": "phr"}, "basic", "basic"),
    ],
    ids=str,
)
def test_a_level_is_of_ones_own_providers_and_no_more_than_the_town_takes_their_word_for(
    town: Town, mine: dict[str, str | None], worth: str, proved: str
) -> None:
    """A provider may have been trusted with more once, or be gone from the settings."""
    ways = Ways((way({"low": "basic", "middle": "strong", "high": "phr"}),))
    now = int(town.clock())
    with town.context.database.transaction() as session:
        for whose, levels in ((town.maria, mine), (town.jun, {"high": "phr"})):
            for provider, level in levels.items():
                who = IndexBytes(secrets.token_bytes(32))
                made = connect_with(
                    session, who, provider=provider, level=level, resident_id=whose.resident_id, now=now
                )
                assert made
    with town.context.database.reading() as reading:
        found = ways.of(reading, town.maria.resident_id)
    assert found.would_prove(Method.UPSTREAM).level == worth
    assert found.has_proved(Method.UPSTREAM).level == proved
