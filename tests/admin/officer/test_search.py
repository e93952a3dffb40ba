"""The officer searches every record: by what it says, page after page, and never sees whose it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from consent import acts, lookups, records
from tests.admin.office import REASON
from tests.support.town import START, hidden_fields

if TYPE_CHECKING:
    from tests.admin.office import Desk, Office

ROW = re.compile(r"<tr>(.*?)</tr>", re.DOTALL)


def rows(page: str) -> list[str]:
    """The rows of the table of records."""
    return [row for row in ROW.findall(page) if "<td>" in row]


def settled(office: Office) -> Office:
    """Two people agreed at the library, one of them took it back; one was informed by the tax office."""
    town = office.town
    town.tokens(town.library, town.maria)
    town.clock.advance(100)
    town.tokens(town.library, town.jun)
    town.tokens(town.tax, town.jun)
    resident = town.browser()
    resident.sign_in(town.maria)
    town.clock.advance(86_400)
    resident.sign_in(town.maria)
    resident.get("/privacy/services/library")
    assert resident.submit("/privacy/services/library/withdraw").status_code == 303
    return office


def found(desk: Desk, query: str) -> list[str]:
    answer = desk.get(f"/officer/records?{query}")
    assert answer.status_code == 200, answer.text
    return rows(answer.text)


def test_records_are_found_by_what_they_say(office: Office) -> None:
    """consent.md, what officers see: by partner, purpose, notice, period, event and level."""
    town = settled(office).town
    with town.context.database.reading() as session:
        newest = records.history(session, town.maria.resident_id)[0]
    desk = office.signed_in("officer")
    for query, expected in [
        ("client=", 4),
        ("client=library", 3),
        ("client=tax", 1),
        ("client=nobody", 0),
        ("event=withdrawn", 1),
        ("event=given&client=library", 2),
        ("event=refused", 0),
        (f"purpose={newest.purpose_id}", 3),
        (f"purpose={newest.purpose_id}&client=tax", 0),
        (f"notice={newest.notice_hash.hex()[:12]}", 3),
        (f"notice={newest.notice_hash.hex()}&event=withdrawn", 1),
        ("level=basic", 4),
        ("level=phr", 0),
        ("standing=1", 3),
        ("standing=1&event=given", 1),
        ("client=library&since=2027-01-15&until=2027-01-15", 2),
        ("until=2027-01-14", 0),
        ("since=2027-01-16", 1),
    ]:
        assert len(found(desk, query)) == expected, query


def test_what_cannot_be_asked_is_said_beside_its_field(office: Office) -> None:
    """A day that is none, and a notice that nobody published; nothing is searched and nothing is recorded."""
    desk = office.signed_in("officer")
    for query in ("since=yesterday", "until=2027-02-30", "notice=zz", "since=2027-01-01T00:00"):
        assert desk.get(f"/officer/records?{query}").status_code == 422, query
    assert searches(office) == []


@pytest.mark.parametrize("cursor", ["x", "1", "-", "1-x", "9" * 30 + "-1", "1-2-3", "١-١"])
def test_a_forged_cursor_finds_nothing(office: Office, cursor: str) -> None:
    """K36: no error of ours, whatever stands in the address."""
    assert office.signed_in("officer").get(f"/officer/records?client=&before={cursor}").status_code == 404


def test_nobody_is_named(office: Office) -> None:
    """Without a person and a reason there are references, never names, addresses or ids."""
    town = settled(office).town
    page = office.signed_in("officer").get("/officer/records?client=").text
    assert len(set(re.findall(r"[A-Z2-7]{4}-[A-Z2-7]{4}", page))) == 2
    for personal in ("Okafor", "Maria", "maria@example.org", town.maria.resident_id, town.jun.resident_id):
        assert personal not in page


def searches(office: Office) -> list[dict[str, str]]:
    """What stands on record of searches."""
    with office.town.context.database.reading() as session:
        return [one.details["filter"] for one in acts.of_kind(session, "records_searched")]


def test_the_search_stands_on_record_before_anything_is_shown(office: Office) -> None:
    """An act and an entry of the log for every page; when it cannot be written, nothing is shown."""
    desk = settled(office).signed_in("officer")
    assert searches(office) == []
    desk.get("/officer/records")
    assert searches(office) == []
    desk.get("/officer/records?client=library&event=given")
    assert searches(office) == [{"client": "library", "event": "given"}]
    office.run("ALTER TABLE consent_log_entry RENAME TO elsewhere")
    answer = desk.get("/officer/records?client=tax")
    assert answer.status_code >= 500
    assert "Was informed" not in answer.text
    office.run("ALTER TABLE elsewhere RENAME TO consent_log_entry")
    assert len(searches(office)) == 1


def test_every_record_is_on_exactly_one_page(office: Office) -> None:
    """Also those of the very same instant."""
    town = office.town
    town.tokens(town.library, town.maria)
    with town.context.database.transaction() as session:
        columns = "resident_id, client_id, purpose_id, claims_offered, claims_chosen, notice_hash, language, control, authentication, actor, at"
        for number in range(119):
            session.execute(
                text(
                    f"INSERT INTO consent_record (uid, event, {columns}) SELECT :uid, :event, {columns} "
                    "FROM consent_record ORDER BY id LIMIT 1"
                ),
                {"uid": number.to_bytes(16, "big"), "event": "refused" if number % 3 else "given"},
            )
    desk = office.signed_in("officer")
    for query, total in (
        ("client=library", 120),
        ("client=", 120),
        ("level=basic", 120),
        ("event=refused", 79),
    ):
        place, seen = f"/officer/records?{query}", []
        while place:
            page = desk.get(place).text
            seen += re.findall(r"/officer/record\?entry=(\d+)", page)
            onward = re.findall(r'href="([^"]*)"[^>]*>Show older entries', page)
            place = onward[0].replace("&amp;", "&") if onward else ""
        assert len(seen) == len(set(seen)) == total, query


def test_what_no_index_knows_is_looked_for_step_by_step(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page says how far back it looked, and the next goes on from there: nothing is left out."""
    from consent.audit import search

    town = settled(office).town
    monkeypatch.setattr(search, "WINDOW", 2)
    desk = office.signed_in("officer")
    place, seen, steps = "/officer/records?standing=1", [], 0
    while place:
        page = desk.get(place).text
        seen += re.findall(r"/officer/record\?entry=(\d+)", page)
        onward = re.findall(r'href="([^"]*)"[^>]*>Show older entries', page)
        assert ("were looked through back to" in page) == bool(onward)
        place, steps = (onward[0].replace("&amp;", "&") if onward else ""), steps + 1
    assert (len(seen), steps) == (3, 3)
    assert town.clock() > START


def test_a_record_opens_its_file_only_with_a_reason(office: Office) -> None:
    """From a search to a person: the look-up is recorded, and the person sees it."""
    town = settled(office).town
    desk = office.signed_in("officer")
    place = re.findall(r"/officer/record\?entry=\d+", desk.get("/officer/records?event=withdrawn").text)[0]
    assert "Okafor" not in desk.get(place).text
    assert desk.submit(place, reason="because").status_code == 422
    with town.context.database.reading() as session:
        assert lookups.list_for(session, town.maria.resident_id) == []
    answer = desk.post(place, {**hidden_fields(desk.get(place).text, place), "reason": REASON})
    assert answer.status_code == 303
    assert re.match(r"/officer/people/[\w-]{22}/page\?entry=\d+", answer.headers["Location"])
    assert desk.get(answer.headers["Location"]).status_code == 200
    with town.context.database.reading() as session:
        assert [one.reason for one in lookups.list_for(session, town.maria.resident_id)] == [REASON]


def test_a_record_that_never_was_opens_nothing(office: Office) -> None:
    """K34, K36: 404 for a number that is none, and for one nobody has."""
    desk = office.signed_in("officer")
    for number in ("", "0", "x", "999999999", "9" * 40):
        assert desk.get(f"/officer/record?entry={number}").status_code == 404
