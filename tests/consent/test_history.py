"""Purposes, notices, records, releases and look-ups as the database holds them."""

import hashlib

import pytest
from sqlalchemy.exc import IntegrityError

from consent import lookups, purposes, records, releases
from consent.audit.replay import as_of
from consent.audit.search import Query, search
from consent.canonical import canonical
from tests.consent.town import HOW, NOW, SERVICE_KEY, Town, key_of, words


def test_a_purpose_is_offered_once_it_has_a_notice(town: Town) -> None:
    """What can't be explained can't be asked for."""
    purposes.declare_purpose(
        town.connection,
        log_key=SERVICE_KEY,
        client_id="reports",
        key="silent",
        basis="consent",
        required_claims=["name"],
        now=NOW,
    )
    spoken = town.purpose(optional=["email"])
    (only,) = purposes.purposes_for_client(town.connection, "reports")
    assert (only.id, only.basis, only.required_claims, only.optional_claims) == (
        spoken,
        "consent",
        ("district",),
        ("email",),
    )
    assert (only.notice_version, only.material_version, only.terms.material_version) == (1, 1, 1)
    assert purposes.purposes_for_client(town.connection, "tax") == ()


def test_an_ended_purpose_is_asked_for_no_more(town: Town) -> None:
    purpose_id = town.purpose()
    assert purposes.end_purpose(town.connection, log_key=SERVICE_KEY, purpose_id=purpose_id, now=NOW)
    assert not purposes.end_purpose(town.connection, log_key=SERVICE_KEY, purpose_id=purpose_id, now=NOW + 1)
    assert purposes.purposes_for_client(town.connection, "reports") == ()
    assert records.bases(town.connection, [purpose_id]) == {purpose_id: "consent"}


def test_what_a_purpose_allowed_ends_with_it(town: Town) -> None:
    """Today and since then, but not on the day before; the record itself stays as it was."""
    town.event(town.purpose(key="other"))
    purpose_id = town.purpose()
    town.event(purpose_id)
    everything = Query(client_id="reports", standing=True)
    assert len(search(town.connection, everything).found) == 2
    purposes.end_purpose(town.connection, log_key=SERVICE_KEY, purpose_id=purpose_id, now=NOW + 10)
    for until, state in ((NOW + 10, "given"), (NOW + 11, "ended")):
        (stood,) = (one for one in as_of(town.connection, "r1", until) if one.choice.purpose_id == purpose_id)
        assert stood.choice.state == state
    (other,) = search(town.connection, everything).found
    assert other.purpose_id != purpose_id
    assert len(search(town.connection, Query(client_id="reports")).found) == 2


def test_what_ran_out_before_its_purpose_ended_ran_out(town: Town) -> None:
    purpose_id = town.purpose()
    town.event(purpose_id, valid_until=NOW + 5)
    purposes.end_purpose(town.connection, log_key=SERVICE_KEY, purpose_id=purpose_id, now=NOW + 10)
    choice = records.current_choice(town.connection, "r1", purpose_id, NOW + 20)
    assert choice is not None
    assert (choice.state, choice.at) == ("expired", NOW + 5)


@pytest.mark.parametrize(
    ("basis", "required", "optional"),
    [
        ("curiosity", ["name"], []),
        ("consent", ["name"], ["name"]),
        ("consent", ["two words"], []),
        ("consent", [""], []),
        ("public_task", ["name"], ["email"]),
    ],
)
def test_terms_that_make_no_sense_are_refused(town: Town, basis: str, required: list, optional: list) -> None:
    """Unknown basis, a claim named twice or badly, and a choice under a basis that gives none."""
    with pytest.raises(ValueError, match=r"basis|claim"):
        town.purpose(basis=basis, required=required, optional=optional)


def test_a_key_names_one_purpose_of_a_client(town: Town) -> None:
    town.purpose()
    with pytest.raises(IntegrityError):
        town.purpose()


def test_a_new_notice_is_a_new_version(town: Town) -> None:
    """Versions count up; the last material one is what residents must have seen; old ones stay as they were."""
    purpose_id = town.purpose()
    town.publish(purpose_id, material=False, en=words("Fixed"), fr=words("Corrigé"))
    town.publish(purpose_id, material=True, en=words("Widened"))
    town.publish(purpose_id, material=False, en=words("Polished"))
    (purpose,) = purposes.purposes_for_client(town.connection, "reports")
    assert (purpose.notice_version, purpose.material_version) == (4, 3)
    at = {
        version: purposes.notices_at(town.connection, {purpose_id: version}, "fr", "en") for version in (1, 2)
    }
    assert [at[1][purpose_id].text.title, at[2][purpose_id].text.title] == ["Street reports", "Corrigé"]


def test_a_notice_is_known_by_the_hash_of_its_words(town: Town) -> None:
    """The hash covers every word, the version and the language, and finds the notice again."""
    purpose_id = town.purpose()
    notice = purposes.notices_for(town.connection, [purpose_id], "en", "en")[purpose_id]
    said = {
        "purpose_id": purpose_id,
        "version": 1,
        "language": "en",
        "title": "Street reports",
        "why": "To mend your street.",
        "retention_text": "Kept for a year.",
        "recipients": "The roads office",
    }
    assert notice.body_hash == hashlib.sha256(canonical(said)).digest()
    assert purposes.notice_by_hash(town.connection, notice.body_hash) == notice
    assert purposes.notice_by_hash(town.connection, bytes(32)) is None


@pytest.mark.parametrize(
    ("language", "fallback", "expected"), [("fr", "en", "F"), ("de", "en", "E"), ("de", "es", "A")]
)
def test_a_notice_comes_in_the_best_language_there_is(
    town: Town, language: str, fallback: str, expected: str
) -> None:
    """The reader's, else the fallback, else any: never nothing."""
    purpose_id = town.purpose()
    town.publish(purpose_id, material=False, fr=words("F"), en=words("E"), ar=words("A"))
    found = purposes.notices_for(town.connection, [purpose_id], language, fallback)
    assert found[purpose_id].text.title == expected


def test_a_notice_needs_words(town: Town) -> None:
    with pytest.raises(ValueError, match="words"):
        purposes.publish_notice(
            town.connection, log_key=SERVICE_KEY, purpose_id=town.purpose(), texts={}, material=True, now=NOW
        )


def test_choices_are_read_from_history(town: Town) -> None:
    """The present state names the notice version decided on, and one resident's is not another's."""
    purpose_id = town.purpose(optional=["email"])
    town.event(purpose_id, claims_offered=["district", "email"])
    town.event(purpose_id, resident_id="r2", event="refused", claims_chosen=[])
    mine = records.current_choices(town.connection, "r1", "reports")[purpose_id]
    assert (mine.state, mine.claims_chosen, mine.notice_version) == ("given", ("district",), 1)
    assert records.current_choices(town.connection, "r2", "reports")[purpose_id].state == "refused"
    assert records.current_choices(town.connection, "r1", "tax") == {}
    assert records.choices_by_client(town.connection, "r1") == {"reports": {purpose_id: mine}}


@pytest.mark.parametrize("changed", [{"event": "maybe"}, {"claims_chosen": ["name"]}])
def test_an_event_that_makes_no_sense_is_refused(town: Town, changed: dict) -> None:
    with pytest.raises(ValueError, match=r"event|offered"):
        town.event(town.purpose(), **changed)


def test_withdrawing_ends_consent_and_nothing_else(town: Town) -> None:
    """GDPR Art. 7(3): what rests on another basis stays; what is over is not ended twice."""
    agreed = town.purpose(optional=["email"])
    told = town.purpose(key="tax", basis="public_task", required=["name"])
    refused = town.purpose(key="news", required=["email"])
    town.event(agreed)
    town.event(told, event="informed", claims_offered=["name"], claims_chosen=["name"])
    town.event(refused, event="refused", claims_chosen=[])

    def withdraw() -> tuple[records.Withdrawn, ...]:
        return records.withdraw(
            town.connection,
            log_key=key_of("r1"),
            resident_id="r1",
            client_id="reports",
            control="withdraw-button",
            language="en",
            authentication=HOW,
            now=NOW + 1,
        )

    assert withdraw() == (records.Withdrawn(agreed, ("district",)),)
    assert withdraw() == ()
    states = {
        key: one.state for key, one in records.current_choices(town.connection, "r1", "reports").items()
    }
    assert states == {agreed: "withdrawn", told: "informed", refused: "refused"}
    last = records.history(town.connection, "r1", "reports", limit=1)[0]
    assert (last.event, last.control, last.claims_offered, last.claims_chosen) == (
        "withdrawn",
        "withdraw-button",
        ("district",),
        (),
    )


def test_a_history_pages_by_cursor(town: Town) -> None:
    """Newest first, each page goes on where the last one ended, with one service or all."""
    purpose_id = town.purpose()
    for number in range(5):
        town.event(purpose_id, now=NOW + number)
        town.event(purpose_id, resident_id="r2", client_id="other", now=NOW + number)
    first = records.history(town.connection, "r1", "reports", limit=3)
    second = records.history(town.connection, "r1", None, first[-1].id, 3)
    assert [one.at - NOW for one in (*first, *second)] == [4, 3, 2, 1, 0]
    assert first[0].notice_title == "Street reports"


def test_releases_are_listed_by_resident_and_client(town: Town) -> None:
    """What was handed over, newest first; claims by name, never by value."""
    for number in range(3):
        town.release(now=NOW + number, claims=["district", "email"][: 1 + number % 2], purpose_ids=["p"])
        town.release(client_id="tax", kind="userinfo", claims=["name"], now=NOW + 10 + number)
    town.release(resident_id="r2")
    mine = releases.list_for(town.connection, "r1", "reports")
    assert [(one.at - NOW, one.claims) for one in mine] == [
        (2, ("district",)),
        (1, ("district", "email")),
        (0, ("district",)),
    ]
    assert (mine[0].kind, mine[0].purpose_ids) == ("id_token", ("p",))
    every = releases.list_for(town.connection, "r1", limit=4)
    assert len(every) == 4
    assert len(releases.list_for(town.connection, "r1", None, every[-1].id)) == 2
    assert releases.last_by_client(town.connection, "r1") == {"reports": NOW + 2, "tax": NOW + 12}
    assert releases.last_by_claim(town.connection, "r1", "reports") == {"district": NOW + 2, "email": NOW + 1}


def test_a_release_of_no_known_kind_is_refused_by_the_database(town: Town) -> None:
    with pytest.raises(IntegrityError):
        town.release(kind="post")


def test_a_release_is_two_prepared_inserts_with_plain_values() -> None:
    """The hot path: any object with execute() will do, and each statement stands ready beforehand."""
    from consent.log.entries import INSERT_ENTRY

    ran: list[tuple[object, dict]] = []

    class Lean:
        def execute(self, statement: object, parameters: dict, /) -> None:
            ran.append((statement, parameters))

    Town(Lean(), None).release()
    assert [statement for statement, _ in ran] == [releases.INSERT_RELEASE, INSERT_ENTRY]
    assert all(isinstance(value, (str, int, bytes)) for _, values in ran for value in values.values())
    assert ran[0][1]["uid"] == ran[1][1]["uid"]


def test_a_look_up_needs_a_reason_and_shows_it(town: Town) -> None:
    """Staff look-ups are listed for the resident concerned, by role and reason."""
    for number, reason in enumerate(("lost card", "moved")):
        lookups.record(
            town.connection,
            log_key=key_of("r1"),
            staff_id="c1",
            staff_role="clerk",
            resident_id="r1",
            reason=reason,
            now=NOW + number,
        )
    seen = lookups.list_for(town.connection, "r1")
    assert [(one.staff_role, one.reason) for one in seen] == [("clerk", "moved"), ("clerk", "lost card")]
    assert [one.reason for one in lookups.list_for(town.connection, "r1", seen[0].id)] == ["lost card"]
    assert lookups.list_for(town.connection, "r2") == []
    with pytest.raises(ValueError, match="reason"):
        lookups.record(
            town.connection,
            log_key=key_of("r1"),
            staff_id="c1",
            staff_role="clerk",
            resident_id="r1",
            reason=" ",
            now=NOW,
        )
