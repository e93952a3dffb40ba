"""Consents that end by themselves: decided wherever they are read, recorded and reminded of once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consent import expiry, purposes, records, rules
from consent.audit import replay
from consent.expiry import Step
from tests.consent.town import HOW, NOW, SERVICE_KEY, Town, key_of, words

if TYPE_CHECKING:
    from consent.rules import Choice

DAY = 86_400
YEAR = 365 * DAY


@pytest.fixture
def purpose_id(town: Town) -> str:
    """A purpose whose consents last a year; r1 has just agreed."""
    found = purposes.declare_purpose(
        town.connection,
        log_key=SERVICE_KEY,
        client_id="reports",
        key="yearly",
        basis="consent",
        required_claims=["district"],
        valid_for=YEAR,
        now=NOW,
    )
    town.publish(found, material=True)
    town.event(found, valid_until=NOW + YEAR)
    return found


def _choice(town: Town, purpose_id: str, now: int) -> Choice:
    found = records.current_choice(town.connection, "r1", purpose_id, now)
    assert found is not None
    return found


def _steps(town: Town, now: int) -> list[Step]:
    due = expiry.due(town.connection, now=now)
    return [
        expiry.take_step(town.connection, one, log_key=key_of(one.resident_id), language="en", now=now)
        for one in due
    ]


def test_a_consent_is_over_at_its_very_second(town: Town, purpose_id: str) -> None:
    """Whether or not a job has run."""
    assert _choice(town, purpose_id, NOW + YEAR - 1).state == "given"
    over = _choice(town, purpose_id, NOW + YEAR)
    assert (over.state, over.in_force, over.at) == ("expired", False, NOW + YEAR)


def test_the_release_page_asks_for_what_has_ended(town: Town, purpose_id: str) -> None:
    (purpose,) = purposes.purposes_for_client(town.connection, "reports")
    assert purpose.terms.valid_for == YEAR
    choices = records.current_choices(town.connection, "r1", "reports", NOW + YEAR)
    outcome = rules.decide([purpose.terms], ["district"], choices)
    assert isinstance(outcome, rules.Ask)
    assert [one.reason for one in outcome.sections] == ["ended"]


def test_one_reminder_then_one_end(town: Town, purpose_id: str) -> None:
    """Thirty days before, once; and the event when it is time, once, offering what had been chosen."""
    assert _steps(town, NOW + YEAR - 30 * DAY - 1) == []
    assert _steps(town, NOW + YEAR - 30 * DAY) == [Step.REMIND]
    assert _steps(town, NOW + YEAR - 1) == []
    assert _steps(town, NOW + YEAR) == [Step.EXPIRED]
    assert _steps(town, NOW + YEAR + DAY) == []
    newest = records.history(town.connection, "r1", "reports")[0]
    assert (newest.event, newest.claims_offered, newest.claims_chosen) == ("expired", ("district",), ())
    assert (newest.actor, newest.control) == ("town", "clock")
    assert town.verify() == []


def test_two_jobs_at_once_record_one_end(
    town: Town, purpose_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both saw it due and in force before either wrote; one conditional write decides."""
    (seen,) = expiry.due(town.connection, now=NOW + YEAR)
    stood = records.current_choice(town.connection, "r1", purpose_id)
    monkeypatch.setattr(records, "current_choice", lambda *_, **__: stood)
    steps = [
        expiry.take_step(town.connection, seen, log_key=key_of("r1"), language="en", now=NOW + YEAR)
        for _ in range(2)
    ]
    assert steps == [Step.EXPIRED, Step.NOTHING]
    assert [one.event for one in records.history(town.connection, "r1")] == ["expired", "given"]


def test_a_short_consent_is_reminded_of_at_half_its_time(town: Town, purpose_id: str) -> None:
    town.event(purpose_id, "renewed", valid_until=NOW + DAY)
    assert _steps(town, NOW + DAY // 2 - 1) == []
    assert _steps(town, NOW + DAY // 2) == [Step.REMIND]


@pytest.mark.parametrize("after", ["withdrawn", "refused", "revoked"])
def test_what_is_over_already_does_not_end_again(town: Town, purpose_id: str, after: str) -> None:
    town.event(purpose_id, after, claims_chosen=[])
    assert _steps(town, NOW + YEAR) == [Step.NOTHING]
    assert expiry.due(town.connection, now=NOW + 9 * YEAR) == []


def test_nothing_is_recorded_about_somebody_who_is_erased(town: Town, purpose_id: str) -> None:
    (seen,) = expiry.due(town.connection, now=NOW + YEAR)
    assert (
        expiry.take_step(town.connection, seen, log_key=None, language="en", now=NOW + YEAR) is Step.NOTHING
    )
    assert expiry.due(town.connection, now=NOW + 9 * YEAR) == []


def test_taking_something_back_does_not_make_it_last(town: Town, purpose_id: str) -> None:
    """A narrowing says nothing of time: the end stays where it was."""
    town.event(purpose_id, "narrowed")
    assert not _choice(town, purpose_id, NOW + YEAR).in_force
    assert _steps(town, NOW + YEAR) == [Step.EXPIRED]


def test_an_officer_looking_back_sees_the_end_where_the_resident_saw_it(town: Town, purpose_id: str) -> None:
    """Before the job ran, and after a narrowing: "just before the end" is in force, at the end it is over."""
    town.event(purpose_id, "narrowed")
    for until, state in ((NOW + YEAR, "narrowed"), (NOW + YEAR + 1, "expired")):
        (stood,) = replay.as_of(town.connection, "r1", until)
        assert stood.choice.state == state


def test_agreeing_again_counts_from_then(town: Town, purpose_id: str) -> None:
    """The resident is offered it from the reminder on, as it was, and it lasts as long as the purpose says."""
    later = NOW + YEAR - 10 * DAY
    assert expiry.renewable(town.connection, "r1", "en", "en", now=NOW) == []
    (one,) = expiry.renewable(town.connection, "r1", "en", "en", now=later)
    expiry.renew(
        town.connection,
        one,
        log_key=key_of("r1"),
        resident_id="r1",
        language="en",
        authentication=HOW,
        now=later,
    )
    assert _choice(town, purpose_id, later + YEAR - 1).state == "renewed"
    assert not _choice(town, purpose_id, later + YEAR).in_force
    assert expiry.renewable(town.connection, "r1", "en", "en", now=later) == []
    assert _steps(town, NOW + YEAR) == []


def test_words_that_changed_in_substance_are_not_agreed_to_unseen(town: Town, purpose_id: str) -> None:
    """They are asked about at the next visit, with the difference; a wording fix is no reason."""
    later = NOW + YEAR - DAY
    town.publish(purpose_id, material=False, en=words("Fixed"))
    (one,) = expiry.renewable(town.connection, "r1", "en", "en", now=later)
    assert one.notice.text.title == "Fixed"
    town.publish(purpose_id, material=True, en=words("Widened"))
    assert expiry.renewable(town.connection, "r1", "en", "en", now=later) == []


@pytest.mark.parametrize("event", ["given", "renewed", "narrowed"])
def test_only_an_agreement_has_an_end(event: str) -> None:
    assert rules.valid_until(event, 10, now=1) == 11
    assert rules.valid_until(event, None, now=1) is None
    assert rules.valid_until("refused", 10, now=1) is None
    assert rules.valid_until("informed", 10, now=1) is None
