"""The start page leads to the services of the town (OIDC Core §4, third-party initiated login)."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from idp.clients.metadata import ClientRefused, Details
from idp.clients.models import ClientRow
from idp.clients.service import NewClient, disable_client
from idp.oidc.service import revoke_grants
from tests.support.town import ISSUER, Partner, Proof

if TYPE_CHECKING:
    from tests.support.town import Browser, Town

POOL = "https://pool.example"


def add_pool(town: Town, name: str = "City Pool", **details: object) -> None:
    new = NewClient(
        name,
        (f"{POOL}/cb",),
        client_id="pool",
        scopes=("openid", "profile"),
        home_url=f"{POOL}/",
        details=Details(**details),  # type: ignore[arg-type]
    )
    town.add_client(new, "Sports", required=("name",))
    town.fresh()


def links(browser: Browser) -> dict[str, tuple[str, str]]:
    """The services on the start page: under which heading, and where the link leads."""
    page = browser.get("/").text
    found = {}
    for heading, items in re.findall(
        r'<h2 [^>]*>([^<]*)</h2>\s*<ul class="dz-tiles">(.*?)</ul>', page, re.DOTALL
    ):
        for url, name in re.findall(r'<a href="([^"]*)"><bdi>([^<]*)</bdi>', items):
            found[html.unescape(name)] = (heading, html.unescape(url))
    return found


def test_a_service_is_entered_by_its_own_sign_in(town: Town) -> None:
    """OIDC Core §4: `iss` and `target_link_uri`, beside what the address has already; nothing about the resident."""
    add_pool(town, initiate_login_uri=f"{POOL}/start?from=town&x=%20")
    browser = town.browser()
    browser.sign_in(town.maria)
    heading, url = links(browser)["City Pool"]
    assert heading == "Services of the town"
    assert url.startswith(f"{POOL}/start?from=town&x=%20&iss=")
    told = {name: one for name, (one,) in parse_qs(urlsplit(url).query).items()}
    assert told == {"from": "town", "x": " ", "iss": ISSUER, "target_link_uri": f"{POOL}/"}


def test_what_one_uses_stands_first_and_leaves_when_it_ends(town: Town) -> None:
    """A live grant makes it one's own; without a way to begin a sign-in the link is the home page."""
    add_pool(town)
    browser = town.browser()
    browser.sign_in(town.maria)
    assert links(browser) == {"City Pool": ("Services of the town", f"{POOL}/")}
    browser.code(Partner("pool", None, "none", f"{POOL}/cb"), town.maria, "openid profile", Proof())
    assert links(browser) == {"City Pool": ("Your services", f"{POOL}/")}
    other = town.browser()
    other.sign_in(town.jun)
    assert links(other)["City Pool"][0] == "Services of the town"
    with town.context.database.transaction() as session:
        revoke_grants(session, town.maria.resident_id, client_id="pool", now=int(town.clock()))
    assert links(browser)["City Pool"][0] == "Services of the town"


@pytest.mark.parametrize("why", ["pending", "disabled", "nobody signs in there", "it has no address"])
def test_what_nobody_can_enter_is_not_shown(town: Town, why: str) -> None:
    """Not reviewed, switched off, an API, or without an address."""
    add_pool(town, initiate_login_uri=f"{POOL}/start")
    with town.context.database.transaction() as session:
        row = session.get_one(ClientRow, "pool")
        if why == "pending":
            row.approved_at = None
        elif why == "disabled":
            disable_client(session, "pool", now=int(town.clock()))
        elif why == "it has no address":
            row.home_url, row.details = "", {}
        else:
            row.grant_types = ["client_credentials"]
    town.fresh()
    browser = town.browser()
    browser.sign_in(town.maria)
    assert links(browser) == {}


def test_names_are_shown_as_they_are_and_in_ones_language(town: Town) -> None:
    """A name is a partner's text: it is escaped, and there may be one per language."""
    add_pool(town, "Pool <b>& more</b>", localized={"client_name#fr": "Piscine"})
    browser = town.browser()
    browser.sign_in(town.maria)
    assert list(links(browser)) == ["Pool <b>& more</b>"]
    assert "<b>&" not in browser.get("/").text
    browser.get("/?lang=fr")
    assert list(links(browser)) == ["Piscine"]


def test_who_is_not_signed_in_is_told_of_no_service(town: Town) -> None:
    """The first page is about signing in."""
    add_pool(town)
    assert "City Pool" not in town.browser().get("/").text


@pytest.mark.parametrize(
    "uri", ["http://pool.example/start", "http://localhost/start", "javascript:alert(1)", "x"]
)
def test_only_https_begins_a_sign_in(town: Town, uri: str) -> None:
    """OIDC Core §4, conformance: an initiate_login_uri must be https."""
    with pytest.raises(ClientRefused, match="initiate_login_uri"):
        add_pool(town, initiate_login_uri=uri)
