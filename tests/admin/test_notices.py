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


def _end_path(office: Office) -> str:
    return f"/notices/purposes/{_purpose(office).id}/end"


def test_a_purpose_ends_after_its_page_said_for_how_many(desk: Desk) -> None:
    """Seen, confirmed with a reason, in the log, and in the list; from then on it gives nothing."""
    town = desk.office.town
    tokens = town.tokens(town.library, town.jun)
    at = _end_path(desk.office)
    assert f'href="{at}"' in desk.get("/notices").text
    page = desk.get(at).text
    for said in (
        "This touches 2 residents, who have agreed or were informed.",
        "What Riverton Public Library needs",
        "never comes back",
    ):
        assert said in page
    assert "The open draft is discarded." not in page
    assert _purpose(desk.office).state == "published"
    answer = desk.submit_last(at, reason="the library has closed")
    assert answer.headers["Location"] == "/notices?done=ended"
    page = desk.get("/notices?done=ended").text
    assert "The purpose has ended. Nothing rests on it any more." in page
    (row,) = [one for one in re.findall(r"<tr>.*?</tr>", page, re.DOTALL) if "Riverton Public Library" in one]
    assert "Ended" in row
    assert "<form" not in row
    assert at not in page
    with town.context.database.reading() as session:
        (act,) = acts.of_kind(session, "purpose_end_decided")
    assert act.details["reason"] == "the library has closed"
    assert act.actor.startswith("staff:")
    town.fresh()
    assert town.userinfo(tokens["access_token"]).status_code == 401


def test_ending_needs_a_reason(desk: Desk) -> None:
    at = _end_path(desk.office)
    desk.get(at)
    answer = desk.submit_last(at, reason="  ")
    assert answer.status_code == 422
    assert "Say why" in answer.text
    assert _purpose(desk.office).state == "published"


def test_ending_needs_the_form_of_its_page(desk: Desk) -> None:
    """Nobody ends a purpose from elsewhere."""
    at = _end_path(desk.office)
    desk.get(at)
    assert desk.post(at, {"reason": "from elsewhere"}).status_code in {400, 403}
    assert _purpose(desk.office).state == "published"


def test_what_was_open_when_a_purpose_ended_says_that_it_has(desk: Desk) -> None:
    """A draft in review, the page with the question why, and an address from before."""
    draft = _begin(desk)
    _save(desk, draft)
    at = _end_path(desk.office)
    assert "The open draft is discarded." in desk.get(at).text
    late, review = desk.office.signed_in("officer"), desk.office.signed_in("officer")
    late.get(at)
    review.get(draft)
    desk.submit_last(at, reason="the library has closed")
    assert [one.state for one in desk.office.town.rows(Draft)] == ["discarded"]
    for answer in (
        late.submit_last(at, reason="me too"),
        review.submit_last(f"{draft}/publish", reason="as reviewed"),
        desk.get(draft),
        desk.get(at),
    ):
        assert (answer.status_code, answer.headers["Location"]) == (303, "/notices?done=ended-before")
    assert "Nothing of it can be changed any more." in desk.get("/notices?done=ended-before").text
    assert "There is no draft." in desk.get("/notices?done=whatever").text
    with desk.office.town.context.database.reading() as session:
        assert len(acts.of_kind(session, "purpose_end_decided")) == 1
        assert acts.of_kind(session, "notice_approved") == []


@pytest.mark.parametrize("role", ["clerk", "operator"])
def test_only_officers_end_purposes(office: Office, role: str) -> None:
    at, desk = _end_path(office), office.signed_in(role)
    assert desk.get(at).status_code in {403, 404}
    desk.get("/")
    assert desk.post(at, {**_hidden(desk), "reason": "because"}).status_code in {403, 404}
    assert _purpose(office).state == "published"


def _hidden(desk: Desk) -> dict[str, str]:
    """The hidden fields of the page shown last."""
    page = desk.last.text if desk.last else ""
    return dict(re.findall(r'<input type="hidden" name="(csrf[^"]*)" value="([^"]*)"', page))
