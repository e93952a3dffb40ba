"""The account page: who one is, and the way to everything else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.town import ISSUER

if TYPE_CHECKING:
    from tests.support.town import Town


def test_the_page_shows_ones_own_data(town: Town) -> None:
    """Name and address, the way to the page of devices; nothing of anybody else."""
    browser = town.browser()
    browser.sign_in(town.maria)
    town.browser().sign_in(town.jun)
    page = browser.get("/account").text
    assert "Maria Okafor" in page
    assert town.maria.email in page
    assert 'href="/account/devices"' in page
    assert "Jun" not in page


def test_an_erased_resident_has_no_name_left(town: Town) -> None:
    """Without its data key nothing can be read, and no page breaks over it."""
    from sqlalchemy import update

    from idp.accounts.models import Resident

    browser = town.browser()
    browser.sign_in(town.maria)
    with town.context.database.transaction() as session:
        session.execute(update(Resident).where(Resident.id == town.maria.resident_id).values(data_key=None))
    for path in ("/", "/account"):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert "Okafor" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/help",
        "/help/sign-in",
        "/accessibility",
        "/privacy-statement",
        "/logged-out",
        "/login",
        "/signup",
    ],
)
def test_pages_for_everybody_need_no_sign_in_and_link_to_what_is_there(town: Town, path: str) -> None:
    """Every link on them leads to a page."""
    client = town.app.test_client()
    page = client.get(path, base_url=ISSUER)
    assert page.status_code == 200
    for target in set(re.findall(r'href="(/[^"#]*)', page.text)):
        assert client.get(target.replace("&amp;", "&"), base_url=ISSUER).status_code in (200, 303), target
