"""Which language a page is in: the link, the last choice, the request, the browser, the town, in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.town import ISSUER, Proof, make_town

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.town import Town

COOKIE = "denizen-language"


@pytest.fixture
def town(sqlite_template: Path, tmp_path: Path) -> Any:
    """One town for all: languages touch no table."""
    import shutil

    path = tmp_path / "denizen.sqlite"
    shutil.copyfile(sqlite_template, path)
    made = make_town(f"sqlite:///{path}", tmp_path)
    yield made
    made.context.database.close()


def language(town: Town, path: str = "/login", cookie: str | None = None, accept: str | None = None) -> str:
    """The language of a page."""
    client = town.app.test_client()
    if cookie is not None:
        client.set_cookie(COOKIE, cookie, domain="id.riverton.example")
    headers = {} if accept is None else {"Accept-Language": accept}
    text = client.get(path, base_url=ISSUER, headers=headers).text
    return text.partition('<html lang="')[2].partition('"')[0]


def test_the_order_of_wishes(town: Town) -> None:
    """A click beats the last click, which beats the browser's list, which beats the town's first language."""
    assert language(town) == "en"
    assert language(town, accept="fr-CA,fr;q=0.9,en;q=0.5") == "fr"
    assert language(town, accept="fr", cookie="en") == "en"
    assert language(town, "/login?lang=fr", accept="en", cookie="en") == "fr"


@pytest.mark.parametrize(
    "odd", ["", "*", "de", "xx-YY", "fr;q=0", ";;;,,", "é" * 50, "../fr", "fr\x00", "FR "]
)
def test_a_language_that_is_not_offered_falls_through(town: Town, odd: str) -> None:
    """Odd wishes are no mistake of anybody: the next in order counts."""
    assert language(town, accept=odd.replace("\x00", "")) in ("en", "fr")
    assert language(town, f"/login?lang={odd.replace('#', '')}") == "en"
    assert language(town, cookie=odd.replace("\x00", ""), accept="fr") == "fr"


def test_a_click_is_remembered_and_only_then(town: Town) -> None:
    """One cookie for a year, without anything else in it; a wish that is not offered is not kept."""
    client = town.app.test_client()
    first = client.get("/login?lang=fr", base_url=ISSUER)
    (cookie,) = [c for c in first.headers.getlist("Set-Cookie") if c.startswith(COOKIE)]
    assert cookie.startswith(f"{COOKIE}=fr; ")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Max-Age=31536000"} <= set(cookie.split("; "))
    assert '<html lang="fr"' in client.get("/login", base_url=ISSUER).text
    for path in ("/login", "/login?lang=de"):
        kept = town.app.test_client().get(path, base_url=ISSUER).headers.getlist("Set-Cookie")
        assert not [c for c in kept if c.startswith(COOKIE)]


def test_a_partner_may_wish_for_a_language(town: Town) -> None:
    """OIDC Core §3.1.2.1 ui_locales: the first one offered, on every page of this request; not over a choice."""
    for wish, found in (("fr-CA en", "fr"), ("de fr", "fr"), ("xx", "en"), ("", "en"), ("FR", "fr")):
        browser = town.browser()
        page = browser.follow(browser.authorize(town.library, "openid", Proof(), ui_locales=wish))
        assert f'<html lang="{found}"' in page.text, wish
    browser = town.browser()
    browser.get("/login?lang=en")
    page = browser.follow(browser.authorize(town.library, "openid", Proof(), ui_locales="fr"))
    assert '<html lang="en"' in page.text


def test_every_page_offers_the_other_languages_and_keeps_its_flow(town: Town) -> None:
    """Changing the language in the middle of a sign-in does not end it."""
    browser = town.browser()
    page = browser.follow(browser.authorize(town.library, "openid", Proof()))
    link = page.text.partition('hreflang="fr"')[0].rpartition('href="')[2].partition('"')[0]
    other = browser.get("/login" + link.replace("&amp;", "&"))
    assert '<html lang="fr"' in other.text
    assert other.status_code == 200
    assert 'name="flow"' in other.text


def test_errors_are_in_the_readers_language(town: Town) -> None:
    """A mistake is explained in the language of the page it happened on."""
    client = town.app.test_client()
    pages = {
        code: client.get("/nothing-here", base_url=ISSUER, headers={"Accept-Language": code}).text
        for code in ("en", "fr")
    }
    assert "Page not found" in pages["en"]
    assert "Page not found" not in pages["fr"]
