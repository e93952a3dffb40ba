"""An officer drafts, sees what changes and for how many, sees the residents' page, and publishes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from consent import acts, purposes
from consent.working_models import Draft

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.admin.office import Desk, Office

WORDS = {
    f"{name}-{language}": f"{text} ({language})"
    for language in ("en", "fr")
    for name, text in {
        "title": "Your account",
        "why": "To lend you books.",
        "retention_text": "A year.",
        "recipients": "Nobody.",
    }.items()
}
TERMS = {"required": "name", "optional": "email", "retention_days": "365", "valid_days": ""}


@pytest.fixture
def desk(office: Office) -> Desk:
    """The officer; the library's purpose is used by Maria."""
    office.town.tokens(office.town.library, office.town.maria)
    return office.signed_in("officer")


def _purpose(office: Office, client_id: str = "library") -> purposes.Purpose:
    with office.town.context.database.reading() as session:
        (found,) = purposes.purposes_for_client(session, client_id)
    return found


def _begin(desk: Desk) -> str:
    desk.get("/notices")
    answer = desk.submit_last(f"/notices/purposes/{_purpose(desk.office).id}/draft")
    assert answer.status_code == 303
    return answer.headers["Location"]


def _save(desk: Desk, at: str, then: str = "review", **changed: str) -> TestResponse:
    desk.get(at)
    return desk.submit_last(at, **{**WORDS, **TERMS, **changed}, then=then)


def test_a_notice_goes_from_draft_to_publication(desk: Desk) -> None:
    """Every step on a page, with the reason in the log."""
    at = _begin(desk)
    assert _save(desk, at).status_code == 303
    page = desk.get(at).text
    assert (
        "One resident will have to choose again" in page
    )  # whom nobody told so much about recipients before
    answer = desk.submit_last(f"{at}/publish", reason="the words were old")
    assert answer.headers["Location"] == "/notices"
    found = _purpose(desk.office)
    assert (found.notice_version, found.retention_for) == (2, 365 * 86_400)
    with desk.office.town.context.database.reading() as session:
        (act,) = acts.of_kind(session, "notice_approved")
        assert set(purposes.newest(session, found.id)) == {"en", "fr"}
    assert act.details["reason"] == "the words were old"
    assert act.actor.startswith("staff:")
    assert desk.get(at).status_code == 404


def test_the_page_is_shown_as_residents_will_see_it(desk: Desk) -> None:
    """In each language, from the draft alone; its buttons do nothing."""
    at = _begin(desk)
    _save(desk, at, then="save")
    for language, word in (("en", "Always needed for this"), ("fr", "")):
        page = desk.get(f"{at}/page?language={language}")
        assert f"To lend you books. ({language})" in page.text
        assert f'lang="{language}"' in page.text
        assert word in page.text
        assert "dz-header--staff" not in page.text
    assert desk.submit_last(f"{at}/page", decision="allow").headers["Location"] == at
    assert desk.get(f"{at}/page?language=de").status_code == 404


def test_what_is_wrong_is_said_field_by_field(desk: Desk) -> None:
    at = _begin(desk)
    answer = _save(desk, at, **{"title-en": "", "required": "two$", "retention_days": "many"})
    assert answer.status_code == 422
    for said in ("or leave out the whole language", "two$ is no name of any data", "Enter a number of days"):
        assert said in answer.text


def test_the_linter_has_its_say(desk: Desk) -> None:
    """What is refused stays a draft, though it is kept; what goes to the officer is shown to the officer."""
    at = _begin(desk)
    answer = _save(desk, at, **{name: "" for name in WORDS if name.endswith("-fr")})
    assert answer.status_code == 422
    assert "The notice is missing in these languages: fr." in answer.text
    assert _save(desk, at, required="name birthdate").status_code == 303
    assert "does not say what kind of purpose it is: Your date of birth" in desk.get(at).text
    desk.submit_last(f"{at}/publish", reason="they check it against the register")
    with desk.office.town.context.database.reading() as session:
        assert len(acts.of_kind(session, "purpose_exception")) == 1


def test_sent_back_with_a_remark(desk: Desk) -> None:
    at = _begin(desk)
    _save(desk, at)
    desk.get(at)
    assert desk.submit_last(f"{at}/send-back", remark="shorter, please").status_code == 303
    page = desk.get(at).text
    assert "Sent back: " in page
    assert "shorter, please" in page
    assert f'action="{at}/publish"' not in page


def test_what_somebody_changed_meanwhile_is_looked_at_again(desk: Desk) -> None:
    """Nobody publishes a revision that they did not see."""
    at = _begin(desk)
    _save(desk, at)
    old = desk.get(at).text
    (revision,) = set(re.findall(r'name="revision" value="(\d+)"', old))
    _save(desk, at, **{"why-en": "To sell you books."})
    desk.get(at)
    answer = desk.submit_last(f"{at}/publish", reason="as I read it", revision=revision)
    assert answer.status_code == 409
    assert "Somebody changed this draft" in answer.text
    assert _purpose(desk.office).notice_version == 1


def test_publishing_needs_a_reason(desk: Desk) -> None:
    at = _begin(desk)
    _save(desk, at)
    desk.get(at)
    answer = desk.submit_last(f"{at}/publish", reason="  ")
    assert answer.status_code == 422
    assert "Say why" in answer.text


def test_a_second_draft_is_the_first_one(desk: Desk) -> None:
    """There is one open draft of a purpose; it can be thrown away."""
    form = {"csrf": ""}
    first = _begin(desk)
    purpose_id = _purpose(desk.office).id
    desk.get(first)
    page = desk.last.text if desk.last else ""
    form = dict(re.findall(r'<input type="hidden" name="(csrf[^"]*)" value="([^"]*)"', page))
    assert desk.post(f"/notices/purposes/{purpose_id}/draft", form).headers["Location"] == first
    desk.get(first)
    assert desk.submit_last(f"{first}/discard").headers["Location"] == "/notices"
    assert [one.state for one in desk.office.town.rows(Draft)] == ["discarded"]


@pytest.mark.parametrize("role", ["clerk", "operator"])
def test_only_officers_see_drafts(office: Office, role: str) -> None:
    assert office.signed_in(role).get("/notices").status_code in {403, 404}
