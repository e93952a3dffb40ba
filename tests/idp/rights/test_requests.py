"""Requests of residents: acknowledged at once, with a clock, answered, thought better of; services stopped at once."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from consent import views as consent_views
from consent.models import Confirmation
from idp.accounts.models import Resident
from idp.accounts.service import read_attributes
from idp.oidc import holds
from idp.oidc.models import Grant, Hold
from idp.rights.models import Request
from idp.rights.queue import Refused
from idp.rights.rules import Action
from tests.idp.login.test_changed_meanwhile import once_before, signed_out
from tests.idp.rights.asking import acts_of, findings, officer, only_request, send, signed_in
from tests.support.told import told
from tests.support.town import Proof, answer_parameters

if TYPE_CHECKING:
    from tests.support.town import Browser, Town

DAY = 86_400


def test_a_request_is_acknowledged_at_once_with_its_last_day(town: Town) -> None:
    """GDPR Art. 12(3): on the page, by message, and in the log; 15 January 2027 is a Friday, 15 February a Monday."""
    browser = signed_in(town, town.maria)
    answer = send(browser, "/correct", name="family_name", value="Okafor-Lee")
    assert answer.status_code == 303
    page = browser.follow().text
    assert "15 February 2027" in page
    assert "Okafor-Lee" in page
    row = only_request(town)
    assert (row.state, row.kind, row.about) == ("acknowledged", "rectification", "family_name")
    assert datetime.fromtimestamp(row.due_at, UTC).isoformat() == "2027-02-16T00:00:00+00:00"
    assert b"Okafor-Lee" not in (row.wish or b"")
    (message,) = told(town, "request_received")
    assert message.values["reference"] == row.reference
    assert "request_received" in acts_of(town)
    assert findings(town)[0] == []


def test_a_second_request_for_the_same_thing_is_the_same_request(town: Town) -> None:
    """A double click, or a page that was open twice."""
    browser = signed_in(town, town.maria)
    for _ in range(2):
        answer = send(browser, "/correct", name="family_name", value="Lee")
    assert answer.headers["Location"] == "/privacy/rights?done=open"
    assert len(town.rows(Request)) == 1


def test_a_mistake_in_a_form_makes_no_request(town: Town) -> None:
    """Each is named at its field."""
    browser = signed_in(town, town.maria)
    for typed in (
        {"name": "password", "value": "x"},
        {"name": "birthdate", "value": "29 Feb"},
        {"name": "family_name", "value": ""},
        {"name": "family_name", "value": "two\nlines"},
        {"name": "family_name", "value": "Lee", "why": "x" * 2001},
    ):
        assert send(browser, "/correct", **typed).status_code == 422
    assert town.rows(Request) == []


def test_a_correction_is_made_by_the_officer_and_told_to_who_had_the_old_entry(town: Town) -> None:
    """Art. 16 and 19: the library received the name, the street reports did not."""
    town.userinfo(town.tokens(town.library, town.maria, "openid profile")["access_token"])
    town.userinfo(town.tokens(town.public, town.maria, "openid email")["access_token"])
    browser = signed_in(town, town.maria)
    send(browser, "/correct", name="family_name", value="Lee")
    officer(town, Action.ACCEPT)
    officer(town, Action.FULFIL, "Done, with your marriage certificate.")
    with town.context.database.reading() as session:
        maria = session.get_one(Resident, town.maria.resident_id)
        assert read_attributes(session, town.context.vault, maria)["family_name"] == "Lee"
    assert _told_partners(town) == {"data-rectified": {"library"}}
    assert len(told(town, "request_moved")) == 2
    page = browser.get(f"/privacy/rights/{only_request(town).id}").text
    assert "marriage certificate" in page
    assert "officer-1" not in page


def test_the_town_asks_back_and_the_resident_answers(town: Town) -> None:
    """RequiresAction, RequiredActionPerformed; then refused with the reason and where to complain."""
    browser = signed_in(town, town.maria)
    send(browser, "/correct", name="family_name", value="Lee")
    row = only_request(town)
    officer(town, Action.ASK, "Which document says so?")
    assert "Which document says so?" in browser.get(f"/privacy/rights/{row.id}").text
    assert browser.submit(f"/privacy/rights/{row.id}/answer", said="").status_code == 422
    browser.get(f"/privacy/rights/{row.id}")
    browser.submit(f"/privacy/rights/{row.id}/answer", said="My passport.")
    assert only_request(town).state == "required_action_performed"
    officer(town, Action.REFUSE, "The passport says Okafor.")
    page = browser.get(f"/privacy/rights/{row.id}").text
    assert "The passport says Okafor." in page
    assert "you may complain" in page
    assert officer(town, Action.FULFIL) is Refused.MOVED


def test_the_time_is_made_longer_once_with_the_reason(town: Town) -> None:
    """Two months more, counted from the receipt: 15 April 2027."""
    browser = signed_in(town, town.maria)
    send(browser, "/correct", name="family_name", value="Lee")
    with pytest.raises(ValueError, match="words"):
        officer(town, Action.EXTEND)
    officer(town, Action.EXTEND, "The register must be asked abroad.")
    row = only_request(town)
    assert (row.state, row.extended_at is not None) == ("action_delayed", True)
    assert datetime.fromtimestamp(row.due_at - 1, UTC).date().isoformat() == "2027-04-15"
    assert officer(town, Action.EXTEND, "Again.") is Refused.MOVED


def test_no_time_is_added_once_it_is_over(town: Town) -> None:
    """Art. 12(3): told inside the first month."""
    browser = signed_in(town, town.maria)
    send(browser, "/correct", name="family_name", value="Lee")
    town.clock.advance(40 * DAY)
    assert officer(town, Action.EXTEND, "Too late.") is Refused.MOVED


def test_a_request_is_its_residents_alone(town: Town) -> None:
    """K34: nobody reads, answers or withdraws another's."""
    send(signed_in(town, town.maria), "/correct", name="family_name", value="Lee")
    row = only_request(town)
    other = signed_in(town, town.jun)
    assert other.get(f"/privacy/rights/{row.id}").status_code == 404
    other.get("/privacy/rights/stop")
    token = _csrf(other)
    other.post(f"/privacy/rights/{row.id}/withdraw", {"csrf_token": token})
    other.post(f"/privacy/rights/{row.id}/answer", {"csrf_token": token, "said": "x"})
    assert only_request(town).state == "acknowledged"


def test_a_request_can_be_withdrawn(town: Town) -> None:
    """And is not worked on any more."""
    browser = signed_in(town, town.maria)
    send(browser, "/correct", name="family_name", value="Lee")
    row = only_request(town)
    browser.get(f"/privacy/rights/{row.id}")
    browser.submit(f"/privacy/rights/{row.id}/withdraw")
    assert only_request(town).state == "unfulfilled"
    assert officer(town, Action.FULFIL) is Refused.MOVED
    assert "request_withdrawn" in acts_of(town)


# --- stopping ---


def test_a_stopped_service_gets_nothing_until_it_is_let_go_on(town: Town) -> None:
    """Art. 18: tokens die in the same transaction, the partner is told, and no new grant is made."""
    tokens = town.tokens(town.library, town.maria)
    browser = signed_in(town, town.maria)
    assert send(browser, "/stop", service="library").headers["Location"].endswith("done=stopped")
    assert town.userinfo(tokens["access_token"]).status_code == 401
    assert _told_partners(town) == {"processing-restricted": {"library"}}
    answer = browser.follow(browser.authorize(town.library, "openid profile", Proof()))
    assert "You have stopped this service" in answer.text
    assert answer_parameters(browser.submit("/consent", decision="deny"))["error"] == "access_denied"
    assert not [row for row in town.rows(Grant) if row.revoked_at is None and row.client_id == "library"]
    browser.get("/privacy/rights")
    browser.submit("/privacy/rights/lift", service="library")
    assert town.rows(Hold) == []
    code = browser.code(town.library, town.maria, "openid profile", Proof())
    assert code
    assert {"request_received", "restriction_lifted"} <= set(acts_of(town))
    assert findings(town)[0] == []


def test_a_page_that_was_open_before_the_service_was_stopped_gives_it_nothing(town: Town) -> None:
    """The grant is refused where it would be made, whatever the page said; nothing of the answer stands."""
    browser = signed_in(town, town.maria)
    browser.follow(browser.authorize(town.library, "openid profile", Proof()))
    with town.context.database.transaction() as session:
        holds.place(session, town.maria.resident_id, "library", holds.RESTRICTION, now=int(town.clock()))
    answer = browser.allow()
    assert answer_parameters(answer)["error"] == "access_denied"
    assert town.rows(Grant) == []


def test_stopping_every_service_stops_also_those_not_met_yet(town: Town) -> None:
    """Until it is lifted."""
    town.tokens(town.library, town.maria)
    browser = signed_in(town, town.maria)
    send(browser, "/stop", service="*")
    answer = browser.follow(browser.authorize(town.tax, "openid profile email", Proof()))
    assert "You have stopped this service" in answer.text
    assert all(row.revoked_at for row in town.rows(Grant))


def test_an_objection_stops_a_task_of_the_town_until_it_is_decided(town: Town) -> None:
    """Art. 21(1), 18(1)(d): only where the basis allows it; refused with the reason, the service goes on."""
    for partner in (town.tax, town.library):
        town.tokens(partner, town.maria, "openid profile email")
    browser = signed_in(town, town.maria)
    page = browser.get("/privacy/rights/object").text
    assert 'value="tax"' in page
    assert 'value="library"' not in page
    assert browser.submit("/privacy/rights/object", service="library").status_code == 422
    send(browser, "/object", service="tax", why="My tax file is of 1997.")
    assert _told_partners(town) == {"objection": {"tax"}}
    answer = browser.follow(browser.authorize(town.tax, "openid profile email", Proof()))
    assert "You object" in answer.text
    officer(town, Action.REFUSE, "The law obliges us.")
    assert town.rows(Hold) == []


def test_an_objection_that_is_upheld_keeps_the_service_stopped(town: Town) -> None:
    """The officer's yes changes nothing of the stop."""
    town.tokens(town.tax, town.maria, "openid profile email")
    browser = signed_in(town, town.maria)
    send(browser, "/object", service="tax")
    assert "Tax portal" in browser.follow().text  # nothing was written with it
    officer(town, Action.FULFIL)
    assert [(row.client_id, row.cause) for row in town.rows(Hold)] == [("tax", "objection")]


@pytest.mark.parametrize(
    ("page", "path", "typed"),
    [
        ("/correct", "", {"name": "family_name", "value": "Lee"}),
        ("/erase", "", {"sure": "1"}),
        ("/object", "", {"service": "tax"}),
        ("/copy", "", {"form": "json"}),
        ("/{id}", "/{id}/answer", {"said": "My passport."}),
        ("/{id}", "/{id}/withdraw", {}),
    ],
    ids=["correct", "erase", "object", "copy", "answer", "withdraw"],
)
def test_whoever_is_signed_out_meanwhile_asks_for_nothing_and_takes_nothing_back(
    town: Town, monkeypatch: pytest.MonkeyPatch, page: str, path: str, typed: dict[str, str]
) -> None:
    """A thief who is sent away in this moment has no copy, no request in the owner's name, and stops none of theirs."""
    town.tokens(town.tax, town.maria, "openid profile email")
    browser = signed_in(town, town.maria)
    if "{id}" in page:
        send(browser, "/correct", name="nickname", value="Mary")
        officer(town, Action.ASK, "Which document says so?")
    here = only_request(town).id if town.rows(Request) else ""
    before = [(row.id, row.state) for row in town.rows(Request)]

    browser.get(f"/privacy/rights{page}".format(id=here))
    once_before(monkeypatch, town.context.database, "transaction", lambda: signed_out(town))
    assert browser.submit(f"/privacy/rights{path or page}".format(id=here), **typed).status_code == 409
    assert [(row.id, row.state) for row in town.rows(Request)] == before
    assert town.rows(Hold) == []


def test_whoever_is_signed_out_meanwhile_objects_to_no_service_on_its_page(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other way to the same objection."""
    town.tokens(town.tax, town.maria, "openid profile email")
    browser = signed_in(town, town.maria)

    browser.get("/privacy/services/tax")
    once_before(monkeypatch, consent_views, "get_ports", lambda: signed_out(town))
    browser.submit("/privacy/services/tax/object")
    assert town.rows(Request) == town.rows(Hold) == []


def test_too_many_requests_in_a_day_are_refused(town: Town) -> None:
    """Nobody floods the queue."""
    browser = signed_in(town, town.maria)
    seen = set()
    for number in range(21):
        seen.add(send(browser, "/correct", name="nickname", value=f"M{number}").status_code)
    assert seen == {303, 429}


def _told_partners(town: Town) -> dict[str, set[str]]:
    """Which partners were told which events."""
    found: dict[str, set[str]] = {}
    for row in town.rows(Confirmation):
        found.setdefault(row.event, set()).add(row.client_id)
    return found


def _csrf(browser: Browser) -> str:
    assert browser.last is not None
    found: str = re.findall(r'name="csrf_token" value="([^"]*)"', browser.last.text)[0]
    return found
