"""The copy of everything held, in both forms, and what may be taken elsewhere."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from pypdf import PdfReader
from sqlalchemy import func, select

from consent import held, lookups
from consent import models as consent_models
from idp.accounts.models import Resident
from idp.accounts.service import log_key
from idp.db import Base
from idp.rights import holdings
from idp.rights.models import Request
from tests.idp.recovery.steps import give_address, give_app, trust
from tests.idp.rights.asking import acts_of, findings, send, signed_in
from tests.support.told import told

if TYPE_CHECKING:
    from tests.support.town import Browser, Town


@pytest.fixture
def lived_in(town: Town) -> Town:
    """Maria has used what there is: services, an app with codes, a trusted person, a postal address, a request."""
    for partner in (town.library, town.tax):
        town.userinfo(town.tokens(partner, town.maria, "openid profile email")["access_token"])
    trust(town, town.maria, town.jun)
    give_address(town, town.maria)
    send(signed_in(town, town.maria), "/correct", name="nickname", value="Mimi", why="My friends say so")
    with town.context.database.transaction() as session:
        maria = session.get_one(Resident, town.maria.resident_id)
        key = log_key(town.context.vault, maria)
        assert key is not None
        lookups.record(
            session,
            log_key=key,
            staff_id="officer-id-1",
            staff_role="officer",
            resident_id=maria.id,
            reason="access request 2026-114",
            now=int(town.clock()),
        )
    return town


def take(browser: Browser, form: str) -> Any:
    """Download a copy."""
    browser.get("/privacy/rights/copy")
    answer = browser.submit("/privacy/rights/copy", form=form)
    assert answer.status_code == 200, answer.text[:2000]
    return answer


def test_the_copy_holds_every_row_about_the_resident_and_nobody_else(lived_in: Town) -> None:
    """Counted against the database, table by table; opened where it was sealed."""
    town = lived_in
    answer = take(signed_in(town, town.maria), "json")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    found = orjson.loads(answer.data)
    assert found["format"] == "denizen-access/1"
    counted = {name: len(one["rows"]) for name, one in found["held"].items()}
    assert counted == _counts(town, town.maria.resident_id)
    known = {row["name"]: row["value"] for row in found["held"]["accounts_attribute"]["rows"]}
    assert (known["given_name"], known["family_name"], known["birthdate"]) == (
        "Maria",
        "Okafor",
        "1984-02-29",
    )
    assert found["held"]["recovery_helper"]["rows"][0]["name"]
    wishes = [row["wish"] for row in found["held"]["rights_request"]["rows"] if row["wish"]]
    assert [one["text"] for one in wishes] == ["My friends say so"]
    assert found["held"]["consent_lookup"]["rows"][0]["reason"] == "access request 2026-114"
    assert {one["client_id"] for one in found["recipients"]} == {"library", "tax"}
    text = answer.text
    assert town.maria.email in text
    assert town.jun.resident_id not in text
    assert "officer-id-1" not in text
    assert "$argon2" not in text


def test_taking_a_copy_is_on_record_and_told(lived_in: Town) -> None:
    """Whoever took it was signed in, but may not be Maria."""
    town = lived_in
    take(signed_in(town, town.maria), "json")
    assert "access_exported" in acts_of(town)
    (message,) = told(town, "access_exported")
    assert message.values["not_me_url"]
    assert {row.kind for row in town.rows(Request) if row.ended_at} == {"access"}
    assert findings(town)[0] == []


def test_the_document_says_the_same(lived_in: Town) -> None:
    """PDF/UA, in the reader's language, with names, services and the reason of the look-up."""
    town = lived_in
    answer = take(signed_in(town, town.maria), "pdf")
    assert answer.mimetype == "application/pdf"
    document = PdfReader(io.BytesIO(answer.data))
    text = " ".join(" ".join(page.extract_text().split()) for page in document.pages)
    assert "Everything we hold about you" in text
    for part in ("Maria", "Okafor", "1984-02-29", town.maria.email, "access request 2026-114", "Tax portal"):
        assert part in text, part
    assert document.metadata is not None
    assert document.metadata.title == "Everything we hold about you"


def test_what_is_taken_elsewhere_is_what_was_given(lived_in: Town) -> None:
    """Art. 20: what the resident gave, and choices on the basis of consent; not what the register says, nor a task."""
    town = lived_in
    found = orjson.loads(take(signed_in(town, town.maria), "portable").data)
    assert found["format"] == "denizen-portable/1"
    assert found["person"]["given_name"] == "Maria"
    assert "address" not in found["person"]
    assert found["contact_points"] == [{"kind": "email", "value": town.maria.email}]
    assert {one["service"] for one in found["choices"]} == {"Riverton Public Library"}


def test_a_copy_needs_a_fresh_sign_in(town: Town) -> None:
    """A browser left open, or a stolen cookie, gets none; nor does somebody with a password and no second factor."""
    browser = signed_in(town, town.maria)
    browser.get("/privacy/rights/copy")
    town.clock.advance(301)
    assert (
        browser.submit("/privacy/rights/copy", form="json").headers["Location"].startswith("/login?again=1")
    )
    other = signed_in(town, town.jun)
    other.get("/privacy/rights/copy")
    give_app(town, town.jun)
    assert other.submit("/privacy/rights/copy", form="json").headers["Location"].startswith("/login?again=1")
    assert town.rows(Request) == []


def test_copies_are_limited(town: Town) -> None:
    """Ten in an hour: nobody keeps the town laying out documents."""
    browser = signed_in(town, town.maria)
    browser.get("/privacy/rights/copy")
    answers = [browser.submit("/privacy/rights/copy", form="portable").status_code for _ in range(1)]
    while answers[-1] == 200:
        browser.get("/privacy/rights/copy")
        answers.append(browser.submit("/privacy/rights/copy", form="portable").status_code)
    assert (len(answers), answers[-1]) == (11, 429)


def _counts(town: Town, resident_id: str) -> dict[str, int]:
    """How many rows each table has about a resident, counted by its own condition."""
    with town.context.database.reading() as session:
        found = {}
        for name in held.tables():
            table = consent_models.Base.metadata.tables[name]
            found[name] = session.scalar(
                select(func.count()).select_from(table).where(table.c.resident_id == resident_id)
            )
        for table in holdings.tables():
            known = holdings.HOLDINGS.get(table.name) or holdings.Holding(table.name)
            found[table.name] = session.scalar(
                select(func.count()).select_from(table).where(known.whose(table, resident_id))
            )
        named = {one.name for one in Base.metadata.sorted_tables if "resident_id" in one.c}
        assert named - found.keys() <= holdings.LEFT_OUT.keys()
        return {name: int(number or 0) for name, number in found.items()}
