"""The sign-in page is kept for whoever comes next: nothing of one visitor may ever be in another's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from idp.login import ready_page
from idp.web.pages import WebApp
from tests.support.town import Proof, hidden_fields

if TYPE_CHECKING:
    import pytest

    from tests.support.town import Browser, Town


def _page_for(town: Town, browser: Browser, **extra: str) -> str:
    return browser.follow(browser.authorize(town.library, "openid", Proof(), **extra)).text


def _drawn(town: Town) -> list[str]:
    assert isinstance(town.app, WebApp)
    return list(town.app.ready_pages.values())


def test_each_visitor_gets_the_same_page_with_a_handle_and_a_token_of_their_own(town: Town) -> None:
    """One drawing serves both; nothing else differs, and the drawing itself holds neither handle nor token."""
    first, second = town.browser(), town.browser()
    pages = [_page_for(town, browser) for browser in (first, second)]
    (drawn,) = _drawn(town)
    fields = [hidden_fields(page, "/login") for page in pages]
    for page, own, others in zip(pages, fields, reversed(fields), strict=True):
        assert len(own["flow"]) == 43
        assert page.count(own["flow"]) > 2
        assert own["csrf_token"] in page
        for secret in (own["flow"], own["csrf_token"]):
            assert secret not in drawn
        for secret in (others["flow"], others["csrf_token"]):
            assert secret not in page
    stripped = [
        re.sub("|".join((own["flow"], own["csrf_token"])), "", page)
        for page, own in zip(pages, fields, strict=True)
    ]
    assert stripped[0] == stripped[1]
    for browser in (first, second):
        assert browser.sign_in(town.maria).status_code == 303


def test_the_page_is_another_for_another_service_language_or_goal(town: Town) -> None:
    """What the page says is part of what it is kept under."""
    plain = town.browser().get("/login").text
    library = _page_for(town, town.browser())
    french = town.browser().get("/login?lang=fr").text
    portal = town.browser()
    tax = portal.follow(portal.authorize(town.tax, "openid", Proof())).text
    assert len(_drawn(town)) == len({plain, library, french, tax}) == 4
    assert "Se connecter" in french
    assert "Library" in library
    assert "Library" not in tax


def test_what_is_only_for_one_visitor_is_drawn_for_them(town: Town) -> None:
    """A typed name, a mistake, a name that the service gave, somebody signed in: none of these is ever kept."""
    browser = town.browser()
    browser.get("/login")
    wrong = browser.submit("/login", username="maria", password="a wrong password")
    assert 'value="maria"' in wrong.text
    hinted = _page_for(town, town.browser(), login_hint="someone@example.org")
    assert "someone@example.org" in hinted
    strange = town.browser().get("/login?next=/account/devices").text
    assert "/account/devices" in strange
    browser.sign_in(town.maria)
    browser.get("/login?again=1&next=/account")
    for page in _drawn(town):
        for private in ("maria", "someone@example.org", "/account", "once more"):
            assert private not in page


def test_no_more_pages_are_kept_than_there_can_be(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the addresses say, memory does not grow with them."""
    monkeypatch.setattr(ready_page, "_MOST", 2)
    for query in ("", "?lang=fr", "?wanted=strong", "?wanted=phr", "?wanted=nonsense", "?lang=xx"):
        assert town.browser().get(f"/login{query}").status_code == 200
        assert len(_drawn(town)) <= 2
