"""Something happened at a service: who is affected, who was told, and how much of the 72 hours is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consent import acts, lookups
from idp.messaging.models import Message
from idp.messaging.service import open_message

if TYPE_CHECKING:
    from tests.admin.office import Desk, Office

TEXT = "Somebody copied a list.\n\nChange your password at the library."


def told(office: Office) -> list[str]:
    """Whom an incident was told to, by mail, in order."""
    town = office.town
    messages = [one for one in town.rows(Message) if one.name == "incident"]
    return sorted(str(open_message(town.context.vault, one).to) for one in messages)


def record(desk: Desk, **change: str) -> str:
    """Record an incident at the library; the address of its page."""
    typed = {
        "client": "library",
        "since": "2027-01-15",
        "until": "2027-01-15",
        "aware": "2027-01-16T08:00",
        "what": "A list of readers lay open on the web.",
    }
    answer = desk.submit("/officer/incidents", **{**typed, **change})
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def happened(office: Office) -> Desk:
    """Maria's data went to the library on the day, Jun's a day later, and the tax office is another matter."""
    town = office.town
    town.userinfo(town.tokens(town.library, town.maria)["access_token"])
    town.tokens(town.tax, town.jun)
    town.clock.advance(86_400)
    town.tokens(town.library, town.jun)
    town.clock.advance(3600)
    return office.signed_in("officer")


def test_who_is_affected_is_counted_by_data(office: Office) -> None:
    """Those about whom the service was handed data in that time, and for each kind of data how many."""
    desk = happened(office)
    page = desk.get(record(desk)).text
    assert "People affected</dt><dd><bdi>1</bdi>" in page
    assert "Full name" in page
    page = desk.get(record(desk, until="2027-01-16")).text
    assert "People affected</dt><dd><bdi>2</bdi>" in page
    assert told(office) == [], "nobody is told by counting"


def test_the_clock_of_72_hours_is_shown(office: Office) -> None:
    """GDPR Art. 33: it runs from when the town knew, over weekends too; a report stops it."""
    desk = happened(office)
    place = record(desk)
    assert "70 hours left" in desk.get(place).text or "71 hours left" in desk.get(place).text
    office.town.clock.advance(72 * 3600)
    desk = office.signed_in("officer")
    assert "Overdue for" in desk.get(place).text
    assert desk.submit(place, do="report").status_code == 303
    assert "Reported late" in desk.get(place).text
    assert "The authority was told on" in desk.get(place).text


def test_those_affected_are_told_once_in_the_officers_words(office: Office) -> None:
    """A mail, an act and a look-up each, in one transaction; pressing again tells nobody twice."""
    town, desk = office.town, happened(office)
    place = record(desk)
    for _ in range(2):
        assert desk.submit(place, do="tell", text=TEXT).status_code == 303
    assert told(office) == ["maria@example.org"]
    (message,) = [one for one in town.rows(Message) if one.name == "incident"]
    values = open_message(town.context.vault, message).values
    assert values["text"] == TEXT
    assert "Your full name" in values["data"]
    with town.context.database.reading() as session:
        (act,) = acts.of_kind(session, "breach_notified")
        assert act.resident_id == town.maria.resident_id
        assert len(lookups.list_for(session, town.maria.resident_id)) == 1
        assert lookups.list_for(session, town.jun.resident_id) == []
    assert "Told so far</dt><dd><bdi>1</bdi>" in desk.get(place).text
    resident = town.browser()
    resident.sign_in(town.maria)
    assert "Incident at Riverton Public Library" in resident.get("/privacy").text


def test_what_is_wrong_is_said_and_nothing_is_recorded(office: Office) -> None:
    """Days that are none, a future in which nobody knew, an address in the text, no words to people."""
    desk = happened(office)
    for change in (
        {"client": "nobody"},
        {"since": "soon"},
        {"since": "2027-01-17"},
        {"aware": "2030-01-01T00:00"},
        {"aware": "yesterday"},
        {"what": ""},
        {"what": "write to maria@example.org"},
    ):
        typed = {"client": "library", "since": "2027-01-15", "until": "2027-01-15"}
        more = {"aware": "2027-01-16T08:00", "what": "A list lay open."}
        assert desk.submit("/officer/incidents", **{**typed, **more, **change}).status_code == 422, change
    with office.town.context.database.reading() as session:
        assert acts.of_kind(session, "breach_opened") == []
    place = record(desk)
    assert desk.submit(place, do="tell", text=" ").status_code == 422
    assert desk.submit(place, do="tell", text="x" * 3001).status_code == 422
    assert told(office) == []
    assert desk.get("/officer/incident?number=0").status_code == 404


def test_an_erased_person_is_not_told(office: Office) -> None:
    """There is no key to record it under, and nobody to write to."""
    desk = happened(office)
    place = record(desk)
    office.run(f"UPDATE accounts_resident SET data_key = NULL WHERE id = '{office.town.maria.resident_id}'")
    assert desk.submit(place, do="tell", text=TEXT).status_code == 303
    assert told(office) == []
