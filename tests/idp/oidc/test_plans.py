"""What a database means to do for the endpoints that partners call all day (performance.md: no query without an index)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.plans import is_by_what_is_shared, read_as_a_whole, statements_of
from tests.support.settled import SCOPE
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.support.town import Town


def use_everything(town: Town) -> None:
    tokens = town.tokens(town.library, town.maria, SCOPE)
    town.refresh(town.library, tokens["refresh_token"])
    town.userinfo(tokens["access_token"])
    town.call("/introspect", town.library, {"token": tokens["access_token"]})
    town.call("/revoke", town.library, {"token": tokens["refresh_token"]})
    browser, proof = town.browser(), Proof()
    code = browser.code(town.library, town.maria, SCOPE, proof)
    browser.code(town.tax, town.maria, "openid email", Proof(), prompt="login")
    assert town.redeem(town.library, code, proof).status_code == 200


def test_what_asks_several_tables_begins_with_what_is_looked_for(town: Town) -> None:
    """Also when it is planned while tables are empty, as after a start: servers keep a plan for a while.

    A plan that begins with another table costs more with every resident.
    """
    with statements_of(town.context.database) as told:
        use_everything(town)
    joined = {sql: values for sql, values in told.items() if " JOIN " in sql or "(SELECT" in sql}
    assert len(joined) >= 6, "statements about several tables have gone another way"
    for sql, values in joined.items():
        assert read_as_a_whole(town.context.database, sql, values) == [], sql


def test_the_check_would_notice_a_search_by_what_is_shared() -> None:
    """In the words of both engines."""
    assert is_by_what_is_shared("SEARCH point USING INDEX ix_value (kind=?)")
    assert is_by_what_is_shared("((kind)::text = 'email'::text)")
    assert not is_by_what_is_shared("SEARCH point USING INDEX ix_value (value_index=? AND kind=?)")
    assert not is_by_what_is_shared("(((resident_id)::text = $1) AND ((kind)::text = 'email'::text))")
    assert not is_by_what_is_shared("SEARCH grant USING INTEGER PRIMARY KEY (rowid=?)")
