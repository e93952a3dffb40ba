"""`POST /consent/confirmations`: a partner says what it did; only about its own, in its own name, and once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from consent import acts
from consent.withdrawals import service as withdrawals
from idp.oidc.views.confirmations import PATH
from idp.signals import events
from tests.support.town import ISSUER

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from consent.withdrawals.rules import Matter
    from tests.support.town import Partner, Town

WITHIN = 1000


@pytest.fixture
def txn(town: Town) -> str:
    """What the library was told about Maria."""
    with town.context.database.transaction() as session:
        return events.tell(
            session,
            event="consent-withdrawn",
            client_id="library",
            resident_id=town.maria.resident_id,
            details={"purposes": ["main"], "claims": ["name"], "partial": False},
            confirm_within=WITHIN,
            now=int(town.clock()),
        )


def confirm(town: Town, partner: Partner, txn: str, outcome: str = "deleted", **more: str) -> TestResponse:
    return town.call(PATH, partner, {"txn": txn, "outcome": outcome, **more})


def matter(town: Town, txn: str) -> Matter:
    with town.context.database.reading() as session:
        found = withdrawals.find(session, txn)
    assert found is not None
    return found


def confirmed(town: Town) -> list[acts.Act]:
    with town.context.database.reading() as session:
        return acts.of_kind(session, "partner_confirmed")


def test_a_confirmation_is_kept_with_its_act(town: Town, txn: str) -> None:
    """The row says what, the act and its entry in the log prove that it was said; it was told, then, as well."""
    town.clock.advance(10)
    answer = confirm(town, town.library, txn)
    now = int(town.clock())
    assert answer.json == {"txn": txn, "outcome": "deleted", "confirmed_at": now, "late": False}
    found = matter(town, txn)
    assert (found.confirmed_at, found.told_at, found.outcome) == (now, now, "deleted")
    (act,) = confirmed(town)
    assert (act.actor, act.client_id, act.resident_id) == ("partner", "library", town.maria.resident_id)
    assert act.details == {
        "txn": txn, "event": "consent-withdrawn", "outcome": "deleted", "late": False, "reason_hash": "",
    }  # fmt: skip
    assert answer.headers["Cache-Control"] == "no-store"


def test_saying_it_twice_changes_nothing(town: Town, txn: str) -> None:
    first = confirm(town, town.library, txn)
    town.clock.advance(60)
    assert confirm(town, town.library, txn).json == first.json
    assert len(confirmed(town)) == 1


def test_what_was_kept_can_be_deleted_in_the_end_and_not_the_reverse(town: Town, txn: str) -> None:
    """Locked first, deleted later: both are on record. A deletion cannot be taken back."""
    assert confirm(town, town.library, txn, "restricted").status_code == 200
    town.clock.advance(60)
    assert confirm(town, town.library, txn, "deleted").json["outcome"] == "deleted"
    back = confirm(town, town.library, txn, "restricted")
    assert (back.status_code, back.json["error"]) == (409, "invalid_request")
    assert matter(town, txn).outcome == "deleted"
    assert [one.details["outcome"] for one in confirmed(town)] == ["deleted", "restricted"]


def test_late_is_better_than_never_and_said_to_be_late(town: Town, txn: str) -> None:
    town.clock.advance(WITHIN + 1)
    assert confirm(town, town.library, txn).json["late"] is True
    assert confirmed(town)[0].details["late"] is True


def test_what_the_law_keeps_needs_its_reason(town: Town, txn: str) -> None:
    """The resident reads it; the act holds no more than its hash."""
    assert confirm(town, town.library, txn, "kept_by_law").status_code == 400
    reason = "Tax code, section 147: ten years"
    assert confirm(town, town.library, txn, "kept_by_law", reason=reason).status_code == 200
    assert matter(town, txn).reason == reason
    assert len(confirmed(town)[0].details["reason_hash"]) == 64
    assert reason not in str(confirmed(town)[0].details)


@pytest.mark.parametrize(
    "form",
    [
        {"outcome": "deleted"},
        {"outcome": ""},
        {"outcome": "burnt"},
        {"outcome": "kept_by_law", "reason": "x" * 301},
        {"outcome": "kept_by_law", "reason": "two\nlines"},
        {"outcome": "kept_by_law", "reason": "ask maria@example.org"},
    ],
)
def test_anything_else_is_no_confirmation(town: Town, txn: str, form: dict[str, str]) -> None:
    """Without a txn; or with an outcome or a reason that is none."""
    given: dict[str, Any] = form if form["outcome"] == "deleted" else {"txn": txn, **form}
    answer = town.call(PATH, town.library, given)
    assert answer.status_code == (404 if "txn" not in given else 400)
    assert matter(town, txn).confirmed_at is None
    assert confirmed(town) == []


def test_only_the_partner_that_was_told_confirms(town: Town, txn: str) -> None:
    """K34: another client's txn is as absent as none; a wrong secret, or a client without one, is nobody."""
    theirs, nobodys = confirm(town, town.tax, txn), confirm(town, town.tax, "no-such-txn")
    assert (theirs.status_code, theirs.data) == (nobodys.status_code, nobodys.data)
    assert theirs.status_code == 404
    wrong = town.app.test_client().post(
        PATH, data={"txn": txn, "outcome": "deleted"}, auth=("library", "wrong"), base_url=ISSUER
    )
    public = confirm(town, town.public, txn)
    for answer in (wrong, public):
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert matter(town, txn).confirmed_at is None


def test_a_parameter_that_is_sent_twice_is_refused(town: Town, txn: str) -> None:
    data, headers = town.library.authentication({"txn": txn, "outcome": "deleted"})
    body = "&".join([f"{key}={value}" for key, value in data.items()] + ["outcome=restricted"])
    answer = town.app.test_client().post(
        PATH,
        data=body,
        headers={**headers, "Content-Type": "application/x-www-form-urlencoded"},
        base_url=ISSUER,
    )
    assert answer.status_code == 400
    assert matter(town, txn).confirmed_at is None


def test_a_matter_that_an_officer_closed_can_still_be_confirmed(town: Town, txn: str) -> None:
    """The officer's word stays; the partner's stands beside it."""
    with town.context.database.transaction() as session:
        found = withdrawals.find(session, txn)
        assert found is not None
        key = withdrawals.SubjectKey(town.context.vault.subkey("log"), is_services=True)
        assert withdrawals.close(
            session, found, staff_id="o1", reason="by letter", key=key, now=int(town.clock())
        )
    assert confirm(town, town.library, txn).status_code == 200
    assert matter(town, txn).closed_reason == "by letter"


def test_discovery_says_where(town: Town) -> None:
    found = town.app.test_client().get("/.well-known/denizen-consent", base_url=ISSUER).json
    assert found["confirmation_endpoint"] == f"{ISSUER}{PATH}"
