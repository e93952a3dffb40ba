"""The privacy officer finds one person with a reason, and the person sees it."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from admin.models import OpenFile
from admin.officer.rules import reason_problem, tidy_reason
from consent import lookups, records, releases
from idp.accounts import service as accounts
from idp.accounts.models import Resident
from tests.admin.office import REASON
from tests.support.town import START

if TYPE_CHECKING:
    from tests.admin.office import Desk, Office
    from tests.support.town import Person


def looked_up(office: Office, person: Person) -> list[str]:
    """The reasons of every recorded look-up of a person."""
    with office.town.context.database.reading() as session:
        return [one.reason for one in lookups.list_for(session, person.resident_id)]


def log_entries(office: Office, kind: str) -> int:
    """How many entries of a kind wait for, or stand in, the log."""
    with office.town.context.database.reading() as session:
        found = session.execute(
            text("SELECT count(*) FROM consent_log_entry WHERE kind = :kind"), {"kind": kind}
        )
        return int(found.scalar_one())


def release_many(office: Office, person: Person, number: int) -> None:
    """Record that many releases to the library."""
    context = office.town.context
    with context.database.transaction() as session:
        resident = session.get(Resident, person.resident_id)
        assert resident is not None
        log_key = accounts.log_key(context.vault, resident)
        assert log_key is not None
        for second in range(number):
            releases.record(
                session,
                log_key=log_key,
                resident_id=person.resident_id,
                client_id="library",
                kind="userinfo",
                claims=["email"],
                purpose_ids=[],
                authorization_id="a",
                now=START + second,
            )


# --- finding ---


@pytest.mark.parametrize(
    "typed",
    ["maria@example.org", " Maria@Example.ORG ", "maria", "MARIA"],
    ids=["e-mail", "E-MAIL", "name", "NAME"],
)
def test_a_person_is_found_by_the_whole_of_a_name(office: Office, typed: str) -> None:
    """consent.md, what officers see: by e-mail or user name, exactly, through the blind index."""
    desk = office.signed_in("officer")
    page = desk.get(desk.open(typed))
    assert page.status_code == 200
    assert REASON in page.text


@pytest.mark.parametrize(
    "typed", ["mari", "maria@", "%", "*", "", " ", "maria@example.org,jun@example.org", "m\0aria"]
)
def test_parts_and_patterns_find_nobody(office: Office, typed: str) -> None:
    """There are no lists to browse, whatever is typed."""
    answer = office.signed_in("officer").find(typed)
    assert answer.status_code in (404, 422)
    assert not office.town.rows(OpenFile)
    assert log_entries(office, "staff_lookup") == 0


def test_what_a_person_agreed_to_is_shown(office: Office) -> None:
    """Journey 12: services, the history of choices, and every release; never name, address or values."""
    town = office.town
    town.tokens(town.library, town.maria)
    desk = office.signed_in("officer")
    page = desk.get(desk.open("maria")).text
    for expected in (
        "Riverton Public Library",
        "In force",
        "Agreed",
        "At sign-in",
        "Full name, E-mail address",
    ):
        assert expected in page
    with town.context.database.reading() as session:
        (entry, *_) = records.history(session, town.maria.resident_id)
    assert entry.notice_hash.hex()[:12] in page
    for personal in ("Okafor", "maria@example.org", town.maria.resident_id, "1984-02-29"):
        assert personal not in page


def test_a_withdrawal_shows(office: Office) -> None:
    """The state is what history says now, and the history stays."""
    town = office.town
    town.tokens(town.library, town.maria)
    resident = town.browser()
    resident.sign_in(town.maria)
    town.clock.advance(60)
    resident.get("/privacy/services/library")
    assert resident.submit("/privacy/services/library/withdraw").status_code == 303
    desk = office.signed_in("officer")
    page = desk.get(desk.open("maria")).text
    assert "Withdrawn" in page
    assert "Withdrew" in page
    assert "Agreed" in page


def test_nobody_is_shown_of_whom_nothing_is_known(office: Office) -> None:
    """A resident without any service has an empty page, not an error."""
    desk = office.signed_in("officer")
    assert desk.get(desk.open("jun")).text.count("Nothing here yet.") == 3


def test_an_erased_person_is_nobody(office: Office) -> None:
    """Without a data key there is nothing that could be recorded or read."""
    office.run(f"UPDATE accounts_resident SET data_key = NULL WHERE id = '{office.town.maria.resident_id}'")
    answer = office.signed_in("officer").find("maria")
    assert answer.status_code == 404
    assert not looked_up(office, office.town.maria)


def test_addresses_of_pages_say_nothing(office: Office) -> None:
    """No name, address or resident id stands in a URL, where logs and histories keep it."""
    desk = office.signed_in("officer")
    place = desk.open("maria@example.org")
    assert re.fullmatch(r"/officer/people/[A-Za-z0-9_-]{22}", place)
    assert office.town.maria.resident_id not in place
    assert desk.open("maria@example.org") != place


def test_a_resident_has_one_reference_for_officers(office: Office) -> None:
    """Two look-ups of the same person are told to be the same, two people are not."""
    desk = office.signed_in("officer")

    def heading(person: str) -> str:
        return re.findall(r"<h1[^>]*>(.*?)</h1>", desk.get(desk.open(person)).text)[0]

    assert re.fullmatch(r"Resident [A-Z2-7]{4}-[A-Z2-7]{4}", heading("maria"))
    assert heading("maria") == heading("maria@example.org") != heading("jun")


# --- reasons ---


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "   ",
        "because",
        "a b c",
        "court case",
        "administrative proceedings",
        "\u200b \u200b \u200b",
        ". , ; : ! ? . , ; : !",
    ],
)
def test_without_a_reason_nothing_is_searched(office: Office, reason: str) -> None:
    """A few words at least; the page keeps what was typed and nothing is recorded."""
    answer = office.signed_in("officer").find("maria@example.org", reason)
    assert answer.status_code == 422
    assert "maria@example.org" in answer.text
    assert "reason" in answer.text
    assert not looked_up(office, office.town.maria)
    assert not office.town.rows(OpenFile)


def test_the_reason_carries_no_address(office: Office) -> None:
    """The resident reads the reason; nobody's address belongs there."""
    answer = office.signed_in("officer").find("maria", "asked by jun@example.org last week")
    assert answer.status_code == 422
    assert "Leave e-mail addresses out" in answer.text
    assert not looked_up(office, office.town.maria)


def test_a_reason_is_kept_tidy() -> None:
    """Nothing that turns, hides or breaks the text it stands in."""
    assert tidy_reason("  access\trequest\r\n2026-114 ") == REASON
    assert tidy_reason("access \u202erequest\0 2026-114") == REASON
    assert reason_problem("x" * 501) == "too_long"
    assert reason_problem(REASON) is None
    assert reason_problem("запрос на доступ 2026") is None


@pytest.mark.parametrize(
    "reason", ["<script>alert(1)</script> in the case", "{{ 7 * 7 }} is the file number"]
)
def test_a_reason_is_text_and_nothing_else(office: Office, reason: str) -> None:
    """K21: what is typed shows as it was typed, to the officer and to the resident."""
    desk = office.signed_in("officer")
    page = desk.get(desk.open("maria", reason)).text
    resident = office.town.browser()
    resident.sign_in(office.town.maria)
    for shown in (page, resident.get("/privacy").text):
        assert "<script>" not in shown
        assert "&lt;script&gt;" in shown or "{{ 7 * 7 }}" in shown


# --- the record ---


def test_the_look_up_is_recorded_and_logged_before_anything_is_shown(office: Office) -> None:
    """consent.md: staff look-ups go into the log, in the same transaction."""
    desk = office.signed_in("officer")
    place = desk.open("maria")
    assert looked_up(office, office.town.maria) == [REASON]
    assert log_entries(office, "staff_lookup") == 1
    desk.get(place)
    desk.get(place)
    assert log_entries(office, "staff_lookup") == 1, "reading on under the same reason is the same look-up"


def test_the_resident_sees_the_look_up(office: Office) -> None:
    """Journey 12: role, reason and time stand on the resident's privacy page, not who it was."""
    desk = office.signed_in("officer")
    desk.open("maria")
    resident = office.town.browser()
    resident.sign_in(office.town.maria)
    page = resident.get("/privacy").text
    assert REASON in page
    assert "The privacy officer" in page
    other = office.town.browser()
    other.sign_in(office.town.jun)
    assert REASON not in other.get("/privacy").text


@pytest.mark.parametrize("table", ["consent_log_entry", "consent_lookup"])
def test_when_the_record_fails_nothing_is_opened(office: Office, table: str) -> None:
    """K38: the action fails closed when its audit entry cannot be written."""
    desk = office.signed_in("officer")
    office.run(f"ALTER TABLE {table} RENAME TO elsewhere")
    answer = desk.find("maria")
    assert answer.status_code >= 500
    assert "Location" not in answer.headers
    assert not office.town.rows(OpenFile)
    office.run(f"ALTER TABLE elsewhere RENAME TO {table}")
    assert not looked_up(office, office.town.maria)
    assert log_entries(office, "staff_lookup") == 0


def test_a_search_that_finds_nobody_is_noted_without_what_was_typed(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """Searches are counted; our own logs hold no personal data."""
    desk = office.signed_in("officer")
    with caplog.at_level(logging.DEBUG):
        assert desk.find("somebody@elsewhere.example", "they wrote us a letter").status_code == 404
        desk.open("maria@example.org")
    noted = [record.getMessage() for record in caplog.records if record.name == "denizen.officer"]
    assert any("no file" in one for one in noted)
    for typed in ("somebody", "elsewhere", "letter", "maria", REASON):
        assert typed not in caplog.text


def test_nobody_leafs_through_the_town(office: Office) -> None:
    """Sixty searches an hour for one officer, found or not."""
    desk = office.signed_in("officer")
    answers = {desk.find(f"guess{number}@example.org").status_code for number in range(59)}
    assert answers == {404}
    desk.open("maria")
    assert desk.find("jun").status_code == 429
    assert not looked_up(office, office.town.jun)
    office.town.clock.advance(3600 - office.town.clock() % 3600)
    fresh = office.signed_in("officer")
    fresh.open("jun")


# --- whose file it is ---


def _statuses(desk: Desk, place: str) -> list[int]:
    absent = "/officer/people/" + "A" * 22
    return [desk.get(one).status_code for one in (place, place + "?records=5&releases=5", absent)]


def test_another_officer_needs_a_reason_of_their_own(office: Office) -> None:
    """K34: a reference that was passed on opens nothing, and looks like one that never was."""
    place = office.signed_in("officer").open("maria")
    office.add("second", "officer")
    assert _statuses(office.signed_in("second"), place) == [404, 404, 404]


def test_a_later_session_needs_a_new_reason(office: Office) -> None:
    """The same officer, signed in again: the file is closed."""
    desk = office.signed_in("officer")
    place = desk.open("maria")
    desk.submit("/logout")
    office.town.clock.advance(30)
    desk.sign_in(office.officer)
    assert _statuses(desk, place) == [404, 404, 404]
    assert _statuses(office.signed_in("officer"), place) == [404, 404, 404]


def test_a_former_officer_reads_no_further(office: Office) -> None:
    """K35: whoever lost the role lost the open files, too."""
    desk = office.signed_in("officer")
    place = desk.open("maria")
    office.change("officer", role="clerk")
    assert desk.get(place).status_code == 403


def test_a_file_closes_after_half_an_hour(office: Office) -> None:
    """Then a new reason must be given, and the page says so."""
    desk = office.signed_in("officer")
    place = desk.open("maria")
    office.town.clock.advance(1799)
    assert desk.get(place).status_code == 200
    office.town.clock.advance(1)
    answer = desk.get(place)
    assert answer.status_code == 410
    assert "This look-up has ended" in answer.text
    assert REASON not in answer.text


def test_closed_files_are_forgotten(office: Office) -> None:
    """What was only needed to read on goes a day later; the look-up itself stays."""
    office.signed_in("officer").open("maria")
    office.town.clock.advance(1800 + 86_401)
    office.signed_in("officer").open("jun")
    assert [one.resident_id for one in office.town.rows(OpenFile)] == [office.town.jun.resident_id]
    assert looked_up(office, office.town.maria) == [REASON]


def test_the_page_of_a_person_is_kept_by_no_cache(office: Office) -> None:
    """K19: no-store, and never in a frame."""
    desk = office.signed_in("officer")
    headers = desk.get(desk.open("maria")).headers
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


# --- paging ---


def test_every_entry_is_on_exactly_one_page(office: Office) -> None:
    """Lists go on by cursor, both at once, until both are at their end."""
    town = office.town
    town.tokens(town.library, town.maria)
    with town.context.database.reading() as session:
        before = len(releases.list_for(session, town.maria.resident_id))
        choices = len(records.history(session, town.maria.resident_id))
    release_many(office, town.maria, 120 - before)
    desk = office.signed_in("officer")
    place: str | None = desk.open("maria")
    releases_on, records_on = [], []
    while place:
        page = desk.get(place).text
        regions = re.findall(r"<h2[^>]*>([^<]*)</h2>(.*?)(?=<h2|</main>)", page, re.DOTALL)
        rows = {name: body.count("<tr>") - 1 for name, body in regions if "<table" in body}
        releases_on.append(rows.get("Passed on", 0))
        records_on.append(rows.get("Records", 0))
        found = re.findall(r'href="([^"]*)"[^>]*>Show older entries', page)
        place = found[0].replace("&amp;", "&") if found else None
    assert releases_on == [50, 50, 20]
    assert records_on == [choices, 0, 0]


@pytest.mark.parametrize("cursor", ["-1", "x", "", "1e3", "9" * 20, "1;drop", "١"])
@pytest.mark.parametrize("name", ["records", "releases"])
def test_a_forged_cursor_is_refused(office: Office, name: str, cursor: str) -> None:
    """K36: 400, not 500."""
    desk = office.signed_in("officer")
    place = desk.open("maria")
    assert desk.get(place, query_string={name: cursor}).status_code == 400
