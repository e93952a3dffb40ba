"""A service asks outside a sign-in, the resident answers on their own pages, the service hears yes or no."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from consent import purposes
from consent.models import Record
from consent.purposes import NoticeText
from consent.working_models import Question
from idp.jobs.stamps import PURPOSES, bump
from idp.oidc import holds
from idp.oidc.views.consent_requests import LIMIT
from tests.support.town import Proof

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.town import Browser, Person, Town

DAY = 86_400
NOTICE = NoticeText("Reminders by text message", "To remind you of taxes.", "A year.", "Nobody.")


@pytest.fixture
def asking(town: Town) -> Town:
    """The tax office knows Maria and Jun, and may ask about reminders; the library has a purpose of the same name."""
    for person in (town.maria, town.jun):
        town.tokens(town.tax, person)
    with town.context.database.transaction() as session:
        for client_id in ("tax", "library"):
            _declare(town, session, client_id)
        bump(session, PURPOSES)
    town.fresh()
    return town


def _declare(town: Town, session: Any, client_id: str, **more: Any) -> None:
    key = town.context.vault.subkey("log")
    values = {"key": "sms", "basis": "consent", "required_claims": (), "purpose_type": "reminder", **more}
    purpose_id = purposes.declare_purpose(
        session, log_key=key, client_id=client_id, now=int(town.clock()), **values
    )
    purposes.publish_notice(session, log_key=key, purpose_id=purpose_id, texts={"en": NOTICE}, material=True, now=int(town.clock()))  # fmt: skip


def _sub(town: Town, person: Person) -> str:
    from idp.oidc.models import Grant

    (found,) = {
        one.subject
        for one in town.rows(Grant)
        if (one.resident_id, one.client_id) == (person.resident_id, "tax")
    }
    return str(found)


def _ask(town: Town, sub: str, **form: str) -> TestResponse:
    return town.call("/consent/requests", town.tax, {"purpose": "sms", "sub": sub, **form})


def _decided(town: Town, sub: str) -> bool:
    found = town.call("/consent/decisions", town.tax, {"purpose": "sms", "sub": sub}).json
    assert set(found) == {"decision"}
    return bool(found["decision"])


def _signed_in(town: Town, person: Person) -> Browser:
    browser = town.browser()
    browser.get("/login")
    browser.sign_in(person)
    return browser


def _answer(browser: Browser, said: str) -> TestResponse:
    page = browser.get("/privacy/questions").text
    (path,) = re.findall(r'action="(/privacy/questions/[^"]+)"', page)
    return browser.submit(path, answer=said)


def _events(town: Town) -> list[str]:
    return [one.event for one in town.rows(Record) if one.client_id == "tax"][2:]


def test_a_question_is_asked_answered_and_heard(asking: Town) -> None:
    """From the start page to the decision; the history says who asked and which button answered."""
    sub = _sub(asking, asking.maria)
    assert not _decided(asking, sub)
    answer = _ask(asking, sub)
    assert (answer.status_code, answer.json) == (202, {"status": "accepted"})
    browser = _signed_in(asking, asking.maria)
    assert "A service has a question for you" in browser.get("/").text
    page = browser.get("/privacy/questions").text
    assert NOTICE.title in page
    assert "Tax portal" in page
    assert "done=yes" in _answer(browser, "yes").headers["Location"]
    assert _decided(asking, sub)
    assert "A service has a question for you" not in browser.get("/").text
    assert _events(asking) == ["requested", "given"]
    asked, given = asking.rows(Record)[-2:]
    assert (asked.actor, asked.control, given.actor, given.control) == (
        "client:tax",
        "consent-request",
        "self",
        "question-yes",
    )


def test_a_sign_in_does_not_speak_of_questions(asking: Town) -> None:
    """Neither its page, nor the quick way past it."""
    browser, proof = asking.browser(), Proof()
    browser.code(asking.tax, asking.maria, "openid profile email", proof)
    answer = browser.authorize(asking.tax, "openid profile email", Proof(), prompt="none")
    assert "code=" in answer.headers["Location"]
    assert _events(asking) == []


def test_a_no_is_a_no_and_is_left_in_peace(asking: Town) -> None:
    """Whoever refuses is not asked again for three months, whatever the service sends."""
    sub, browser = _sub(asking, asking.maria), _signed_in(asking, asking.maria)
    _ask(asking, sub)
    _answer(browser, "no")
    assert not _decided(asking, sub)
    assert _ask(asking, sub).status_code == 202
    assert len(asking.rows(Question)) == 1
    asking.clock.advance(90 * DAY)
    _ask(asking, sub)
    assert len(asking.rows(Question)) == 2


def test_later_keeps_the_question_and_stops_the_reminder(asking: Town) -> None:
    sub, browser = _sub(asking, asking.maria), _signed_in(asking, asking.maria)
    _ask(asking, sub)
    _answer(browser, "later")
    assert not _decided(asking, sub)
    assert "A service has a question for you" not in browser.get("/").text
    assert NOTICE.title in browser.get("/privacy/questions").text
    _answer(browser, "yes")
    assert _decided(asking, sub)
    assert _events(asking) == ["requested", "deferred", "given"]


def test_asking_twice_is_one_question(asking: Town) -> None:
    for _ in range(2):
        _ask(asking, _sub(asking, asking.maria))
    assert _events(asking) == ["requested"]


def test_an_answer_counts_once_and_only_for_words_that_were_shown(asking: Town) -> None:
    """The form carries the digest of the notice: what was published since is shown first."""
    browser = _signed_in(asking, asking.maria)
    _ask(asking, _sub(asking, asking.maria))
    page = browser.get("/privacy/questions").text
    (path,) = re.findall(r'action="(/privacy/questions/[^"]+)"', page)
    answer = browser.submit(path, answer="yes", notice="0" * 64)
    assert "done=again" in answer.headers["Location"]
    for expected in ("yes", "again"):
        browser.last = None
        browser.get("/privacy/questions")
        if expected == "again":
            break
        fields = browser.submit(path, answer="yes")
        assert f"done={expected}" in fields.headers["Location"]
    assert _events(asking) == ["requested", "given"]


def test_nobody_answers_for_somebody_else(asking: Town) -> None:
    """Jun has a question of his own on the page, and sends it to the address of Maria's."""
    for person in (asking.maria, asking.jun):
        _ask(asking, _sub(asking, person))
    (marias,) = [one.id for one in asking.rows(Question) if one.resident_id == asking.maria.resident_id]
    (juns,) = [one.id for one in asking.rows(Question) if one.resident_id == asking.jun.resident_id]
    jun = _signed_in(asking, asking.jun)
    jun.get("/privacy/questions")
    from tests.support.town import hidden_fields

    assert jun.last is not None
    own = hidden_fields(jun.last.text, f"/privacy/questions/{juns}")
    jun.post(f"/privacy/questions/{marias}", {**own, "answer": "yes"})
    assert not _decided(asking, _sub(asking, asking.maria))


def test_who_is_not_known_is_told_of_like_everybody_else(asking: Town) -> None:
    """Unknown, erased, restricted: the same words, and a no."""
    unknown, jun = "x" * 43, _sub(asking, asking.jun)
    assert _ask(asking, unknown).data == _ask(asking, jun).data
    assert not _decided(asking, unknown)
    _answer(_signed_in(asking, asking.jun), "yes")
    assert _decided(asking, jun)
    with asking.context.database.transaction() as session:
        holds.place(session, asking.jun.resident_id, "tax", holds.RESTRICTION, now=int(asking.clock()))
    assert not _decided(asking, jun)


def test_many_are_decided_at_once(asking: Town) -> None:
    """At most a thousand, each yes or no."""
    maria, jun = (_sub(asking, one) for one in (asking.maria, asking.jun))
    _ask(asking, maria)
    _answer(_signed_in(asking, asking.maria), "yes")
    crowd = [f"nobody{number}" for number in range(LIMIT - 2)]

    def decide(subs: list[str]) -> TestResponse:
        return asking.call("/consent/decisions", asking.tax, {"purpose": "sms", "subs": " ".join(subs)})

    found = decide([maria, jun, *crowd]).json
    assert set(found) == {"decisions"}
    assert len(found["decisions"]) == LIMIT
    assert [one for one, agreed in found["decisions"].items() if agreed] == [maria]
    assert decide([maria, jun, *crowd, "onemore"]).status_code == 400


def test_a_decision_ends_with_the_withdrawal(asking: Town) -> None:
    sub, browser = _sub(asking, asking.maria), _signed_in(asking, asking.maria)
    _ask(asking, sub)
    _answer(browser, "yes")
    browser.get("/privacy/services/tax")
    browser.submit("/privacy/services/tax/withdraw")
    assert not _decided(asking, sub)


@pytest.mark.parametrize("path", ["/consent/requests", "/consent/decisions"])
@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"sub": "x"}, 400),
        ({"purpose": "sms"}, 400),
        ({"purpose": "main", "sub": "x"}, 400),
        ({"purpose": "other", "sub": "x"}, 400),
        ({"purpose": "sms", "sub": "two words"}, 400),
        ({"purpose": "sms", "sub": "x" * 256}, 400),
    ],
)
def test_bad_requests_are_refused(asking: Town, path: str, form: dict[str, str], status: int) -> None:
    """Nothing of a purpose that hands data over, or of somebody else's, can be asked about."""
    answer = asking.call(path, asking.tax, form)
    assert (answer.status_code, answer.json["error"]) == (status, "invalid_request")
    assert not asking.rows(Question)


@pytest.mark.parametrize("path", ["/consent/requests", "/consent/decisions"])
def test_only_a_client_that_proves_itself_may_ask(asking: Town, path: str) -> None:
    """Neither nobody, nor a client that anybody can pass for, nor another one about this one's residents."""
    form = {"purpose": "sms", "sub": _sub(asking, asking.maria)}
    for who in ({}, {"client_id": "tax", "client_secret": "guess"}):
        answer = asking.app.test_client(use_cookies=False).post(path, data={**form, **who}, base_url="https://id.riverton.example")  # fmt: skip
        assert answer.status_code == 401
    assert asking.call(path, asking.public, form).status_code == 401
    asking.call(path, asking.library, form)
    assert not asking.rows(Question)
