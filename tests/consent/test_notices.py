"""Notices: drafted, reviewed, published, superseded; what changed is worked out, never declared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from consent import acts, drafts, facts, purposes
from consent.drafts import Contents, Draft, DraftChanged, DraftRefused
from consent.facts import Asked, Change, Party, Processing, Version, differences
from tests.consent.town import NOW, SERVICE_KEY, Town, words

if TYPE_CHECKING:
    from collections.abc import Sequence

YEAR = 365 * 86_400
OLD = Version(
    Asked(("name",), ("email",), YEAR, YEAR),
    Processing((Party("Library"),), ("FR",), ("FR",), "FR", ("Printer",)),
    {"en": "The printer"},
)


@pytest.mark.parametrize(
    ("new", "what"),
    [
        (replace(OLD, processing=replace(OLD.processing, controllers=(Party("Shop"),))), ["controller"]),
        (replace(OLD, processing=replace(OLD.processing, recipients=("Printer", "Shop"))), ["recipients"]),
        (replace(OLD, processing=replace(OLD.processing, storage_locations=("US",))), ["places"]),
        (replace(OLD, processing=facts.NOTHING_SAID), ["controller", "places"]),
        (replace(OLD, asked=replace(OLD.asked, optional_claims=("email", "gender"))), ["data"]),
        (replace(OLD, asked=replace(OLD.asked, required_claims=("name", "email"), optional_claims=())), ["data"]),
        (replace(OLD, asked=replace(OLD.asked, retention_for=2 * YEAR)), ["retention"]),
        (replace(OLD, asked=replace(OLD.asked, retention_for=None)), ["retention"]),
        (replace(OLD, asked=replace(OLD.asked, valid_for=None)), ["validity"]),
    ],
)  # fmt: skip
def test_a_change_of_substance_is_found(new: Version, what: list[str]) -> None:
    """Controller, recipient, data, place, longer retention or validity (research §4.5)."""
    found = differences(OLD, new)
    assert [one.what for one in found] == what
    assert facts.is_material(found)


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        replace(OLD, recipients_text={"en": "A printer of cards"}),
        replace(OLD, asked=replace(OLD.asked, retention_for=YEAR // 2, valid_for=YEAR // 2)),
        replace(OLD, asked=replace(OLD.asked, optional_claims=())),
        replace(OLD, processing=replace(OLD.processing, recipients=())),
    ],
)
def test_less_or_other_words_are_no_change_of_substance(new: Version) -> None:
    assert not facts.is_material(differences(OLD, new))


def test_where_recipients_are_only_words_other_words_are_other_recipients() -> None:
    """Nobody can tell whether they mean the same."""
    old, new = (Version(Asked(), recipients_text={"en": one}) for one in ("Nobody", "Somebody"))
    assert [one.what for one in differences(old, new)] == ["recipients"]


def test_that_the_reason_is_another_one_is_said_by_people() -> None:
    assert differences(OLD, OLD, other_purpose=True) == (Change("purpose"),)


def test_facts_come_back_from_the_database_as_they_were() -> None:
    full = Processing(
        (Party("Library", "1 Mill Lane", "Ana", "public_authority", "https://l.example", "a@l.example", "1"),),
        ("FR",), ("FR", "BE"), "FR", ("Printer",), "form", "by machine", ("EU",), ("code",), "done", Party("CNIL"),
    )  # fmt: skip
    assert facts.processing_from(facts.to_json(full)) == full
    assert facts.asked_from(facts.to_json(OLD.asked)) == OLD.asked
    assert facts.processing_from(None) == facts.NOTHING_SAID


def _begin(town: Town, purpose_id: str, contents: Contents) -> Draft:
    found = drafts.find(town.connection, drafts.begin(town.connection, purpose_id, contents, now=NOW))
    assert found is not None
    return found


def _published(town: Town, draft: Draft, languages: Sequence[str] = ("en",)) -> drafts.Outcome:
    reviewed = drafts.submit(town.connection, draft, town_languages=languages, now=NOW)
    return drafts.publish(
        town.connection,
        reviewed,
        log_key=SERVICE_KEY,
        actor="staff:o1",
        reason="the new printer",
        town_languages=languages,
        now=NOW,
    )


@pytest.fixture
def contents() -> Contents:
    processing = Processing((Party("Roads office"),), recipients=("Roads office",))
    return Contents({"en": words()}, Asked(("district",), (), YEAR, YEAR), processing)


def test_a_draft_becomes_the_notice_in_force(town: Town, contents: Contents) -> None:
    """What is published is what was reviewed, with data, times and facts of its own; the act says who and why."""
    purpose_id = town.purpose()
    outcome = _published(town, _begin(town, purpose_id, contents))
    assert (outcome.version, outcome.material) == (2, False)
    (purpose,) = purposes.purposes_for_client(town.connection, "reports")
    assert (purpose.asked, purpose.notice_version, purpose.material_version) == (contents.asked, 2, 1)
    notice = purposes.newest(town.connection, purpose_id)["en"]
    assert (notice.processing, notice.asked, notice.text) == (contents.processing, contents.asked, words())
    assert purposes.body_hash_of(notice) == notice.body_hash
    first, second = purposes.versions(town.connection, purpose_id)
    assert (first.until, second.until, second.languages) == (second.published_at, None, ("en",))
    (act,) = acts.of_kind(town.connection, "notice_approved")
    assert act.details == {"purpose_id": purpose_id, "version": 2, "reason": "the new printer", "material": False, "changes": []}  # fmt: skip
    assert town.integrate()
    assert town.verify() == []


def test_a_material_change_cannot_be_declared_away(town: Town, contents: Contents) -> None:
    """Nobody ticks anything, and residents are asked again all the same."""
    purpose_id = town.purpose()
    _published(town, _begin(town, purpose_id, contents))
    wider = replace(contents, asked=replace(contents.asked, retention_for=2 * YEAR))
    outcome = _published(town, _begin(town, purpose_id, wider))
    assert outcome.material
    assert [one.what for one in outcome.changes] == ["retention"]
    assert purposes.purposes_for_client(town.connection, "reports")[0].material_version == 3
    since = purposes.changes_since(town.connection, purpose_id, 2, "en", "en")
    assert since == outcome.changes == purposes.newest(town.connection, purpose_id)["en"].changes


def test_a_published_notice_never_changes(town: Town, contents: Contents) -> None:
    """Its new columns neither."""
    purpose_id = town.purpose()
    _published(town, _begin(town, purpose_id, contents))
    for column in ("terms", "processing", "changes", "why"):
        with pytest.raises(DBAPIError), town.connection.begin_nested():
            town.connection.execute(text(f"UPDATE consent_notice SET {column} = '{{}}'"))
    for column in ("valid_for = 1", "purpose_type = 'tax'"):
        with pytest.raises(DBAPIError), town.connection.begin_nested():
            town.connection.execute(text(f"UPDATE consent_purpose SET {column}"))


def test_only_what_is_in_review_is_published(town: Town, contents: Contents) -> None:
    """Neither a draft, nor what was sent back, nor the same one twice."""
    draft = _begin(town, town.purpose(), contents)
    publish = {"log_key": SERVICE_KEY, "actor": "staff:o1", "reason": "why", "town_languages": (), "now": NOW}
    with pytest.raises(DraftChanged):
        drafts.publish(town.connection, draft, **publish)
    reviewed = drafts.submit(town.connection, draft, town_languages=(), now=NOW)
    drafts.send_back(town.connection, reviewed, remark="say it shorter", now=NOW)
    with pytest.raises(DraftChanged):
        drafts.publish(town.connection, reviewed, **publish)
    back = drafts.find(town.connection, draft.id)
    assert back is not None
    assert (back.state, back.remark) == ("draft", "say it shorter")
    again = drafts.submit(town.connection, back, town_languages=(), now=NOW)
    drafts.publish(town.connection, again, **publish)
    with pytest.raises(DraftChanged):
        drafts.publish(town.connection, again, **publish)
    with pytest.raises(ValueError, match="reason"):
        drafts.publish(town.connection, again, **{**publish, "reason": " "})


def test_nobody_publishes_words_that_they_did_not_read(town: Town, contents: Contents) -> None:
    """A draft that was edited after the officer opened it is not the one that the officer read."""
    seen = drafts.submit(town.connection, _begin(town, town.purpose(), contents), town_languages=(), now=NOW)
    drafts.edit(town.connection, seen, replace(contents, texts={"en": words("Quite another")}), now=NOW)
    changed = drafts.find(town.connection, seen.id)
    assert changed is not None
    drafts.submit(town.connection, changed, town_languages=(), now=NOW)
    with pytest.raises(DraftChanged):
        drafts.publish(town.connection, seen, log_key=SERVICE_KEY, actor="staff:o", reason="why", town_languages=(), now=NOW)  # fmt: skip


def test_a_purpose_has_one_open_draft(town: Town, contents: Contents) -> None:
    purpose_id = town.purpose()
    first = _begin(town, purpose_id, contents)
    with pytest.raises(IntegrityError), town.connection.begin_nested():
        _begin(town, purpose_id, contents)
    drafts.discard(town.connection, first, now=NOW)
    assert _begin(town, purpose_id, contents).state == "draft"
    assert len(drafts.open_drafts(town.connection)) == 1


def test_what_the_linter_refuses_never_comes_to_review(town: Town, contents: Contents) -> None:
    draft = _begin(town, town.purpose(), contents)
    with pytest.raises(DraftRefused, match="fr"):
        drafts.submit(town.connection, draft, town_languages=("en", "fr"), now=NOW)
    found = drafts.find(town.connection, draft.id)
    assert found is not None
    assert found.state == "draft"


def test_an_accepted_exception_is_an_act_of_its_own(town: Town, contents: Contents) -> None:
    """Whoever lets a service ask for more says so, and it stands in the log."""
    purpose_id = town.purpose()
    more = replace(contents, asked=replace(contents.asked, required_claims=("birthdate",)))
    _published(town, _begin(town, purpose_id, more))
    (act,) = acts.of_kind(town.connection, "purpose_exception")
    assert act.details["accepted"] == [{"code": "sensitive_without_type", "about": ["birthdate"]}]
    assert (act.actor, act.client_id) == ("staff:o1", "reports")


def test_how_many_a_change_touches_is_counted_by_what_stands_now(town: Town) -> None:
    """Who withdrew, refused or was never asked is not touched; who put a question off has said nothing new."""
    purpose_id, other = town.purpose(), town.purpose(key="other")
    for resident, events in {
        "r1": ["given"],
        "r2": ["given", "withdrawn"],
        "r3": ["refused"],
        "r4": ["refused", "given", "deferred"],
        "r5": ["requested"],
        "r6": ["given", "expired"],
        "r7": ["informed"],
    }.items():
        for event in events:
            town.event(purpose_id, event, resident_id=resident)
    town.event(other)
    assert drafts.touched(town.connection, purpose_id) == 3
