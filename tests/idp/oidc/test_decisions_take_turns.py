"""What a resident agrees to in one window and takes back in another comes one after the other (decision 0035)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from consent import records
from idp.oidc import decisions, lasting
from tests.support.settled import SCOPE
from tests.support.statements import side_by_side
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.support.town import Town


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_visit_does_not_undo_what_is_taken_back_meanwhile(town: Town) -> None:
    """The grant is never more than the choices that stand."""
    browser, other, now = town.browser(), town.browser(), int(town.clock())
    browser.code(town.library, town.maria, SCOPE, Proof())
    other.code(town.library, town.maria, SCOPE, Proof())
    page = other.get("/privacy/services/library").text
    (path,) = re.findall(r'action="(/privacy/services/library/purposes/[^"]+/narrow)"', page)[:1]
    browser.follow(browser.authorize(town.library, SCOPE, Proof(), prompt="consent"))
    agreed, narrowed = side_by_side(
        town.context.database,
        lambda: browser.allow(share=["email"]).status_code,
        lambda: other.submit(path).status_code,
        meets_at=(lasting, "columns"),
    )
    assert (agreed, narrowed) == (303, 303)
    with town.context.database.reading() as session:
        whose = town.maria.resident_id
        chosen = records.current_choices(session, whose, "library", now).values()
        grant = decisions.live_grant(session, whose, "library")
        stands = {claim for one in chosen for claim in one.claims_chosen}
        assert set(grant.claims.split()) <= stands, (grant.claims, stands)
