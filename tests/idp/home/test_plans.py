"""What a database means to do for the pages of residents: no page costs more because others live in the town, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.idp.recovery import steps as recovery
from tests.support.plans import read_as_a_whole, statements_of
from tests.support.told import told as mailed
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.support.town import Town


#: PostgreSQL decides by how much there is, and anew when that has changed.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_page_of_a_resident_reads_a_table_of_all_residents(town: Town) -> None:
    """Each that needs no more than a session, a sign-in at a service, a recovery; on a database that was never analysed."""
    database, browser = town.context.database, town.browser()
    paths = [
        rule.rule
        for rule in town.app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.arguments and not rule.rule.endswith(("logout", "over"))
    ]
    with statements_of(database) as told:
        browser.code(town.library, town.maria, "openid profile email", Proof())
        seen = [path for path in paths if browser.get(path).status_code == 200]
        lost = recovery.ask(town, town.maria.email)
    code = mailed(town, "recover")[-1].values["code"]
    with statements_of(database) as told_later:
        recovery.type_code(town, lost, code)
        recovery.choose_password(lost)
    assert {"/account", "/account/contacts", "/account/sign-in"} <= set(seen), "nobody was signed in"
    walked = {
        sql: steps
        for sql, values in {**told, **told_later}.items()
        if sql.startswith(("SELECT", "UPDATE", "DELETE"))
        and (steps := read_as_a_whole(database, sql, values))
    }
    assert walked == {}
