"""Erasure: asked for, decided, and then nothing of the person can be read, wherever one looks; the log still verifies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from consent.models import Act, Confirmation
from idp.accounts.models import Resident
from idp.oidc.models import AccessToken, Authorization, Grant
from idp.rights.models import Request, Step
from idp.rights.queue import Refused
from idp.rights.rules import Action
from idp.upkeep import purge
from tests.house.metadata import all_tables
from tests.idp.recovery.steps import give_address, trust
from tests.idp.rights.asking import acts_of, findings, officer, only_request, send, signed_in
from tests.support.told import told

if TYPE_CHECKING:
    from tests.support.town import Town

DAY = 86_400
#: What is known of Maria, in the clear, wherever it was written.
PERSONAL = ("Okafor", "maria@example.org", "1984-02-29", "rowing club", "12 Bridge Street", "Aunt Rosalind")


@pytest.fixture
def erased(town: Town) -> tuple[Town, bytes]:
    """Maria used what there is, asked for everything to be erased, and the officer did so; her former wrapped key."""
    town.userinfo(town.tokens(town.library, town.maria, "openid profile email")["access_token"])
    town.tokens(town.tax, town.maria, "openid profile email offline_access")
    trust(town, town.maria, town.jun)
    give_address(town, town.maria)
    browser = signed_in(town, town.maria)
    send(
        browser, "/correct", name="nickname", value="Aunt Rosalind", why="At the rowing club they call me so"
    )
    (former,) = town.rows(Request)
    officer(town, Action.REFUSE, "The rowing club is no register.", former.id)
    send(browser, "/erase", why="I leave the rowing club and the town", sure="1")
    with town.context.database.reading() as session:
        key = session.get_one(Resident, town.maria.resident_id).data_key
    assert key is not None
    assert any(key in where for where in _everything(town))  # else the test below would prove nothing
    town.clock.advance(60)
    (request,) = [row for row in town.rows(Request) if row.kind == "erasure"]
    outcome = officer(town, Action.FULFIL, "As you wished.", request.id)
    assert not isinstance(outcome, Refused)
    return town, key


def test_nothing_of_the_person_can_be_read_anywhere(erased: tuple[Town, bytes]) -> None:
    """Every cell of every table, and for SQLite the file itself with its free space: no word of hers, and no key."""
    town, key = erased
    held = _everything(town)
    found = [word for word in PERSONAL for where in held if word.lower().encode() in where.lower()]
    assert found == []
    assert not [where for where in held if key in where]


def test_what_is_left_opens_no_more_and_says_who_no_more(erased: tuple[Town, bytes]) -> None:
    """Requests stay as facts, with their words under a destroyed key; sealed messages to her are gone but the last."""
    town, _ = erased
    with town.context.database.reading() as session:
        maria = session.get_one(Resident, town.maria.resident_id)
        assert (maria.state, maria.data_key, maria.username_index) == ("closed", None, None)
    assert {row.state for row in town.rows(Request)} == {"rejected", "fulfilled"}
    assert [one.name for one in told(town) if town.maria.email in str(one.to)] == ["account_closed"]
    assert town.rows(Grant) == town.rows(Authorization) == town.rows(AccessToken) == []
    browser = town.browser()
    browser.get("/login")
    assert browser.submit("/login", username="maria", password=town.maria.password).status_code != 303


def test_the_log_verifies_and_holds_the_erasure_itself(erased: tuple[Town, bytes]) -> None:
    """Its act stands under the town's own key and names nobody."""
    town, _ = erased
    wrong, sealed = findings(town)
    assert wrong == []
    assert sealed > 0
    (act,) = [row for row in town.rows(Act) if row.kind == "erased"]
    assert act.resident_id is None
    assert town.maria.resident_id not in act.details
    assert {"request_received", "request_fulfilled", "account_closed"} <= set(acts_of(town))


def test_every_partner_that_knew_her_is_told(erased: tuple[Town, bytes]) -> None:
    """Art. 19: the library and the tax portal; and her tokens are dead."""
    town, _ = erased
    told_ones = {(row.event, row.client_id) for row in town.rows(Confirmation)}
    assert {("erasure-requested", "library"), ("erasure-requested", "tax")} <= told_ones


def test_requests_end_with_their_retention(erased: tuple[Town, bytes]) -> None:
    """Five years after their end, with their steps; not a day before."""
    town, _ = erased
    kept_for = town.settings.retention.requests_for
    purge(town.context, now=int(town.clock()) + kept_for - DAY)
    assert len(town.rows(Request)) == 2
    purge(town.context, now=int(town.clock()) + kept_for + 1)
    assert (town.rows(Request), town.rows(Step)) == ([], [])


def test_the_page_lists_what_remains_and_why(town: Town) -> None:
    """With the time of each; and it asks for a tick."""
    browser = signed_in(town, town.maria)
    page = browser.get("/privacy/rights/erase").text
    assert "It stays for 5 years." in page
    assert "It stays for 35 days." in page
    assert "It stays for good." in page
    assert browser.submit("/privacy/rights/erase", why="x").status_code == 422
    assert town.rows(Request) == []


def test_a_frozen_account_is_not_erased(town: Town) -> None:
    """Who asked may have been a thief: "This wasn't me" stops it."""
    send(signed_in(town, town.maria), "/erase", sure="1")
    browser = town.browser()
    (message,) = told(town, "request_received")
    browser.get(message.path("not_me_url"))
    browser.submit(message.path("not_me_url"))
    assert officer(town, Action.FULFIL) is Refused.FROZEN
    assert only_request(town).state == "acknowledged"
    with town.context.database.reading() as session:
        assert session.get_one(Resident, town.maria.resident_id).data_key is not None


def _everything(town: Town) -> list[bytes]:
    """Every value of every row, as bytes; and what lies in the files of SQLite."""
    found: list[bytes] = []
    with town.context.database.reading() as session:
        for table in all_tables():
            for row in session.execute(text(f'SELECT * FROM "{table.name}"')):
                found += [_bytes(value) for value in row if value is not None]
    if town.settings.is_sqlite:
        with town.context.database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        path = Path(town.settings.database.url.removeprefix("sqlite:///"))
        found += [one.read_bytes() for one in path.parent.glob(f"{path.name}*")]
    return found


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode()
