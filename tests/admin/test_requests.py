"""The officer's queue: by due date, a look-up before anything is shown, every decision an act and a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consent import acts, lookups
from tests.idp.rights.asking import findings, only_request, send, signed_in
from tests.support.told import told

if TYPE_CHECKING:
    from idp.rights.models import Request
    from tests.admin.office import Desk, Office

DAY = 86_400


def asked(office: Office, value: str = "Lee") -> Request:
    """Maria asks for a correction."""
    send(
        signed_in(office.town, office.town.maria),
        "/correct",
        name="family_name",
        value=value,
        why="I married",
    )
    return only_request(office.town)


def opened(desk: Desk, row: Request) -> str:
    """Open a request; the address of its page."""
    desk.get(f"/requests/{row.id}")
    answer = desk.submit_last(f"/requests/{row.id}/open")
    assert answer.status_code == 303, answer.text
    desk.get(answer.headers["Location"])
    return answer.headers["Location"]


def test_the_queue_names_nobody_and_is_for_officers(office: Office) -> None:
    """K35: the other roles get nothing; what an officer sees before a look-up says nothing about a person."""
    row = asked(office)
    desk = office.signed_in("officer")
    page = desk.get("/requests").text
    assert row.reference in page
    assert "Okafor" not in page
    assert "Lee" not in page
    before = desk.get(f"/requests/{row.id}").text
    assert "Lee" not in before
    assert "I married" not in before
    for role in ("clerk", "operator"):
        assert office.signed_in(role).get("/requests").status_code == 403


def test_opening_a_request_is_a_look_up_that_the_resident_sees(office: Office) -> None:
    """Recorded first, with the request as its reason; another session needs its own."""
    row = asked(office)
    desk = office.signed_in("officer")
    where = opened(desk, row)
    assert "Lee" in desk.get(where).text
    assert "I married" in desk.get(where).text
    with office.town.context.database.reading() as session:
        (found,) = lookups.list_for(session, office.town.maria.resident_id)
    assert row.reference in found.reason
    other = office.add("second", "officer")
    office.town.clock.advance(30)
    elsewhere = office.desk()
    elsewhere.sign_in(other)
    assert "I married" not in elsewhere.get(where).text


def test_a_correction_goes_through_the_pages(office: Office) -> None:
    """Accepted, done; each step an act by this officer, told without its words."""
    row = asked(office)
    desk = office.signed_in("officer")
    opened(desk, row)
    path = f"/requests/{row.id}"
    assert desk.submit_last(path, action="accept", words="").status_code == 303
    opened(desk, row)
    assert desk.submit_last(path, action="fulfil", words="Seen your certificate.").status_code == 303
    assert only_request(office.town).state == "fulfilled"
    with office.town.context.database.reading() as session:
        done = acts.about(session, office.town.maria.resident_id)
    officers = [one.actor for one in done if one.kind in ("request_accepted", "request_fulfilled")]
    assert len(officers) == 2
    assert all(one.startswith("staff:") for one in officers)
    assert not any("certificate" in str(one.values) for one in told(office.town, "request_moved"))
    assert findings(office.town)[0] == []


def test_a_refusal_needs_its_reason(office: Office) -> None:
    """GDPR Art. 12(4)."""
    row = asked(office)
    desk = office.signed_in("officer")
    opened(desk, row)
    assert desk.submit_last(f"/requests/{row.id}", action="refuse", words=" ").status_code == 422
    assert only_request(office.town).state == "acknowledged"
    assert desk.submit_last(f"/requests/{row.id}", action="refuse", words="It is right.").status_code == 303
    assert only_request(office.town).state == "rejected"


def test_nothing_is_decided_without_an_open_file(office: Office) -> None:
    """A forged or late form changes nothing."""
    row = asked(office)
    desk = office.signed_in("officer")
    where = opened(desk, row)
    for _ in range(3):  # the session itself lives on
        office.town.clock.advance(601)
        page = desk.last
        desk.get("/requests")
        desk.last = page
    answer = desk.submit_last(f"/requests/{row.id}", action="refuse", words="It is right.")
    assert answer.status_code == 410
    assert "I married" not in desk.get(where).text
    assert only_request(office.town).state == "acknowledged"


def test_an_erasure_needs_a_tick_and_is_done_at_once(office: Office) -> None:
    """Afterwards the page shows that it was, and nothing of what was written."""
    send(signed_in(office.town, office.town.maria), "/erase", sure="1", why="I leave")
    row = only_request(office.town)
    desk = office.signed_in("officer")
    opened(desk, row)
    assert desk.submit_last(f"/requests/{row.id}", action="fulfil", words="").status_code == 422
    answer = desk.submit_last(f"/requests/{row.id}", action="fulfil", words="", sure="1")
    page = desk.get(answer.headers["Location"]).text
    assert "The account is erased" in page
    assert "I leave" not in page
    assert desk.get("/requests?show=ended").status_code == 200


def test_what_is_due_soon_is_amber_and_then_red(office: Office) -> None:
    """A week before the last day, and after it."""
    asked(office)
    seen = []
    for days in (0, 25, 10):
        office.town.clock.advance(days * DAY)
        page = office.signed_in("officer").get("/requests").text
        seen.append([word for word in ("In time", "Due soon", "Overdue") if word in page])
    assert seen == [["In time"], ["Due soon"], ["Overdue"]]
