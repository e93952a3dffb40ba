"""What a partner says of privacy and terms, as links where a resident decides (OIDC Registration §2, RFC 7591 §2)."""

from __future__ import annotations

import importlib.util
import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from idp.clients.metadata import Details, NewClient
from idp.clients.models import ClientRow
from idp.jobs.stamps import CLIENTS, bump
from idp.login import ready_page
from tests.support.town import Partner, Proof

if TYPE_CHECKING:
    from tests.support.town import Browser, Town

POLICY, TERMS = "https://baths.example/privacy?a=1&b=2", "https://baths.example/terms"


def _add(town: Town, **details: object) -> Partner:
    new = NewClient(
        "Riverton Baths",
        ("https://baths.example/cb",),
        client_id="baths",
        scopes=("openid", "profile"),
        details=Details(**details),  # type: ignore[arg-type]
    )
    partner = town.add_client(new, basis="consent", required=("name",))
    town.fresh()
    return partner


def _links(page: str) -> dict[str, str]:
    """The links to other places: their texts without marks, and their addresses."""
    found = re.findall(r'<a href="(https://[^"]*)" rel="noreferrer">(.*?)</a>', page)
    return {re.sub("<[^>]*>", "", text): address for address, text in found}


def _pages(town: Town, browser: Browser, partner: Partner, **extra: str) -> tuple[str, str]:
    """The sign-in page and the release page."""
    first = browser.follow(browser.authorize(partner, "openid profile", Proof(), **extra)).text
    second = browser.follow(browser.sign_in(town.maria)).text
    assert 'action="/login"' in first
    assert 'action="/consent"' in second
    return first, second


def test_a_service_is_read_about_before_signing_in_and_before_agreeing(town: Town) -> None:
    """In plain words, by plain links in the same tab; nothing of the partner's is fetched by the page itself."""
    partner = _add(town, policy_uri=POLICY, tos_uri=TERMS, logo_uri="https://baths.example/logo.png")
    for page in _pages(town, town.browser(), partner):
        assert _links(page) == {
            "What Riverton Baths says about privacy": POLICY.replace("&", "&amp;"),
            "Terms of Riverton Baths": TERMS,
        }
        assert "target=" not in page
        assert "logo.png" not in page


@pytest.mark.parametrize(("name", "text"), [("policy_uri", "What "), ("tos_uri", "Terms of ")])
def test_one_of_the_two_stands_alone(town: Town, name: str, text: str) -> None:
    """And without either, there is no such line."""
    partner = _add(town, **{name: TERMS})
    for page in _pages(town, town.browser(), partner):
        ((found, address),) = _links(page).items()
        assert (found.startswith(text), address) == (True, TERMS)
    browser = town.browser()
    assert _links(browser.follow(browser.authorize(town.library, "openid", Proof())).text) == {}


def test_each_language_has_its_own(town: Town) -> None:
    """RFC 7591 §2.2: `#fr` for whoever reads French, the plain one for everybody else, on the kept page as on others."""
    partner = _add(
        town, policy_uri=POLICY, localized={"policy_uri#fr": "https://baths.example/confidentialite"}
    )
    for tags, address in (("fr", "https://baths.example/confidentialite"), ("en", TERMS), ("de", TERMS)):
        expected = address if tags == "fr" else POLICY.replace("&", "&amp;")
        for page in _pages(town, town.browser(), partner, ui_locales=tags):
            assert [*_links(page).values()] == [expected]


def test_who_registered_itself_and_was_not_approved_has_no_link_of_ours(town: Town) -> None:
    """Anybody may register where that is open; our pages lead nobody to them."""
    partner = _add(town, policy_uri=POLICY, tos_uri=TERMS)
    with town.context.database.transaction() as session:
        session.execute(update(ClientRow).where(ClientRow.client_id == "baths").values(approved_at=None))
        bump(session, CLIENTS)
    town.fresh()
    browser = town.browser()
    assert _links(browser.follow(browser.authorize(partner, "openid", Proof())).text) == {}


def test_an_address_cannot_ask_for_what_is_filled_in_for_a_visitor() -> None:
    """What stands for handle and token in a kept page is drawn at random by each process: no address can contain it."""
    spec = importlib.util.find_spec(ready_page.__name__)
    assert spec is not None
    assert spec.loader is not None
    another = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(another)
    marks = {ready_page._FLOW, ready_page._TOKEN, another._FLOW, another._TOKEN}
    assert len(marks) == 4
    assert all(len(mark) == 43 for mark in marks)
