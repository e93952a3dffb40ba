"""The town ends a purpose: from then on nothing rests on it, nobody is asked for it, and what was is still told."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from consent import acts, ending, log, purposes, records
from consent.drafts import PurposeEnded
from consent.models import Record
from consent.purposes import NoticeText
from idp import testing_hooks
from idp.accounts.models import Resident
from idp.accounts.service import log_key
from idp.clients.registry import ClientRegistry
from idp.clients.service import disable_client
from idp.jobs.stamps import PURPOSES, bump
from idp.lapses import look
from idp.oidc.models import Grant
from idp.upkeep import integrate_log, note_signers
from idp.web.incoming import Incoming
from tests.idp.oidc.test_authorization_details import LAST_YEAR, advisor_in, details, office_of
from tests.support.told import told
from tests.support.town import Proof, choices

if TYPE_CHECKING:
    from idp.web.answers import Answer
    from tests.support.town import Browser, Partner, Town

DAY = 86_400
SCOPE = "openid profile email residence offline_access"
IN_ID_TOKEN = json.dumps({"id_token": {"email": None, "district": None}})


def _second_purpose(town: Town, client_id: str, **asked: Any) -> None:
    """One more purpose of a client, by consent."""
    values = {"key": "news", "basis": "consent", "required_claims": ("district",), **asked}
    key, now = town.context.vault.subkey("log"), int(town.clock())
    words = NoticeText("News of your district", "To send you news.", "A year.", "Nobody.")
    with town.context.database.transaction() as session:
        purpose_id = purposes.declare_purpose(session, log_key=key, client_id=client_id, now=now, **values)
        purposes.publish_notice(
            session, log_key=key, purpose_id=purpose_id, texts={"en": words}, material=True, now=now
        )
        bump(session, PURPOSES)
    town.fresh()


def _end(town: Town, client_id: str = "library", key: str = "main") -> None:
    with town.context.database.transaction() as session:
        (purpose,) = (one for one in purposes.all_purposes(session, client_id) if one.key == key)
        ending.end(
            session,
            purpose,
            log_key=town.context.vault.subkey("log"),
            actor=acts.TOWN,
            reason="the service has closed",
            now=int(town.clock()),
        )
        bump(session, PURPOSES)
    town.fresh()


def _visit(town: Town, browser: Browser, partner: Partner | None = None, **extra: str) -> dict[str, Any]:
    proof, partner = Proof(), partner or town.library
    code = browser.code(partner, town.maria, SCOPE, proof, **extra)
    found: dict[str, Any] = town.redeem(partner, code, proof).json
    return found


def _said(unverified_id_token: str) -> dict[str, Any]:
    payload = unverified_id_token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def _events(town: Town, client_id: str = "library") -> list[str]:
    return [one.event for one in town.rows(Record) if one.client_id == client_id]


def _assert_dead(town: Town, tokens: dict[str, Any], partner: Partner | None = None) -> None:
    partner = partner or town.library
    assert town.userinfo(tokens["access_token"]).status_code == 401
    for name in ("access_token", "refresh_token"):
        assert town.introspect(partner, tokens[name]).json == {"active": False}
    assert town.refresh(partner, tokens["refresh_token"]).json["error"] == "invalid_grant"


def _assert_log_verifies(town: Town) -> None:
    context = town.context
    integrate_log(context, now=int(town.clock()))
    with context.database.reading() as session:
        signer, earlier = note_signers(session, context)
        found = log.verify(
            session,
            key_for=lambda resident_id: log_key(context.vault, session.get_one(Resident, resident_id)),
            service_key=context.vault.subkey("log"),
            kept_checkpoint=None,
            vkey=signer.vkey,
            earlier_vkeys=earlier,
        )
        kinds = [one.kind for one in session.execute(log_kinds())]
    assert found == []
    assert {"purpose_ended", "purpose_end_decided"} <= set(kinds)


def log_kinds() -> Any:
    from sqlalchemy import select

    from consent.models import LogEntry

    return select(LogEntry.kind)


def test_tokens_that_rested_on_it_alone_are_dead(town: Town) -> None:
    """Userinfo, introspection and refresh, in every browser; other services and their residents are untouched."""
    tokens = _visit(town, town.browser())
    other = _visit(town, town.browser(), town.tax)
    code_proof, browser = Proof(), town.browser()
    code = browser.code(town.library, town.maria, SCOPE, code_proof)
    _end(town)
    _assert_dead(town, tokens)
    assert town.redeem(town.library, code, code_proof).json["error"] == "invalid_grant"
    assert town.userinfo(other["access_token"]).status_code == 200


def test_the_api_of_a_conformance_run_knows_it_too(town: Town) -> None:
    """It answers whoever brings a live token; that of a client for itself rests on no purpose."""

    def status(access_token: str) -> int:
        return _at_the_api(town, HTTP_AUTHORIZATION=f"Bearer {access_token}").status

    tokens = _visit(town, town.browser())
    own = town.call("/token", town.service, {"grant_type": "client_credentials"}).json["access_token"]
    assert (status(tokens["access_token"]), status(own), status("no token")) == (200, 200, 401)
    _end(town)
    assert (status(tokens["access_token"]), status(own)) == (401, 200)
    with town.context.database.transaction() as session:
        disable_client(session, town.service.client_id, now=int(town.clock()))
    town.fresh()
    assert status(own) == 401


def test_whoever_brings_that_api_no_token_has_made_no_error(town: Town) -> None:
    """RFC 6750 §3.1: the challenge says how to come, and names an error only where a token was wrong."""
    for sent, error in (({}, False), ({"HTTP_AUTHORIZATION": "Bearer x"}, True)):
        answer = _at_the_api(town, **sent)
        challenge = dict(answer.headers)["WWW-Authenticate"]
        assert (answer.status, "error" in challenge, b"error" in answer.body) == (401, error, error)
        assert "DPoP" in challenge
        assert "Bearer" in challenge


def _at_the_api(town: Town, **sent: str) -> Answer:
    incoming = Incoming({"REQUEST_METHOD": "GET", **sent})
    return testing_hooks.resource(town.app.extensions["denizen.oidc"], incoming)


def test_what_rests_on_another_purpose_goes_on_without_it(town: Town) -> None:
    """Tokens live on and give less, in every answer; so does the record of what was handed over."""
    _second_purpose(town, "library")
    tokens = _visit(town, town.browser(), claims=IN_ID_TOKEN)
    assert {"email", "district"} <= set(_said(tokens["id_token"]))
    assert {"name", "email", "district"} <= set(town.userinfo(tokens["access_token"]).json)
    _end(town)
    assert set(town.userinfo(tokens["access_token"]).json) == {"sub", "district"}
    fresh = town.refresh(town.library, tokens["refresh_token"]).json
    assert "email" not in _said(fresh["id_token"])
    assert _said(fresh["id_token"])["district"] == "4"
    assert set(town.userinfo(fresh["access_token"]).json) == {"sub", "district"}
    answer = town.introspect(town.library, fresh["access_token"])
    assert answer.json["active"]
    assert town.maria.email not in answer.text


def test_what_was_refused_elsewhere_is_not_given_because_it_was_agreed_to_here(town: Town) -> None:
    """Two purposes name the e-mail address; the resident ticks it for the one that then ends."""
    _second_purpose(town, "library", optional_claims=("email",))
    browser, proof = town.browser(), Proof()
    browser.follow(browser.authorize(town.library, SCOPE, proof))
    page = browser.follow(browser.sign_in(town.maria)).text
    assert choices(page) == ["email", "email"]
    browser.follow(browser.allow(share=["email"]))
    browser.get("/privacy/services/library")
    (news,) = _ids(town, "news")
    browser.submit(f"/privacy/services/library/purposes/{news}/narrow", share=[])
    tokens = _visit(town, browser)
    assert "email" in town.userinfo(tokens["access_token"]).json
    _end(town)
    assert set(town.userinfo(tokens["access_token"]).json) == {"sub", "district"}


def _ids(town: Town, key: str) -> list[str]:
    with town.context.database.reading() as session:
        return [one.id for one in purposes.all_purposes(session, "library") if one.key == key]


def test_a_new_sign_in_does_not_ask_for_it(town: Town) -> None:
    """The page speaks of what is left, and the e-mail address that rested on it is not passed on."""
    _second_purpose(town, "library")
    _end(town)
    browser = town.browser()
    browser.follow(browser.authorize(town.library, SCOPE, Proof()))
    page = browser.follow(browser.sign_in(town.maria)).text
    assert "News of your district" in page
    assert "What Riverton Public Library needs" not in page
    assert set(town.userinfo(_visit(town, browser)["access_token"]).json) == {"sub", "district"}


def test_a_service_without_another_purpose_learns_who_comes_back_and_nothing_else(town: Town) -> None:
    """As for any client without a purpose (OIDC Core §5.4): the sign-in goes on; dead tokens stay dead."""
    tokens, browser = _visit(town, town.browser()), town.browser()
    sub = town.userinfo(tokens["access_token"]).json["sub"]
    _end(town)
    answer = browser.authorize(town.library, SCOPE, Proof(), prompt="none")
    assert "error=" in answer.headers["Location"]
    browser.follow(browser.authorize(town.library, SCOPE, Proof(), prompt="consent"))
    assert "It receives none of your data" in browser.follow(browser.sign_in(town.maria)).text
    again = _visit(town, browser)
    assert town.userinfo(again["access_token"]).json == {"sub": sub}
    _assert_dead(town, tokens)
    assert sorted(one.revoked_at is None for one in town.rows(Grant)) == [False, True]
    assert _events(town) == ["given"]


def test_a_page_that_was_open_when_it_ended_gives_nothing(town: Town) -> None:
    """What stands on the page is not what would be agreed to, so it is shown again; nothing is recorded."""
    browser = town.browser()
    browser.follow(browser.authorize(town.library, SCOPE, Proof()))
    page = browser.follow(browser.sign_in(town.maria)).text
    assert "What Riverton Public Library needs" in page
    _end(town)
    again = browser.follow(browser.allow(share=["email"]))
    assert (again.status_code, again.request.path) == (200, "/consent")
    assert "What Riverton Public Library needs" not in again.text
    assert _events(town) == []


def test_a_permission_that_rested_on_it_ends_with_its_tokens(town: Town) -> None:
    """RFC 9396: it stands in the token itself, so the token ends, though another purpose goes on."""
    partner = advisor_in(town)
    _second_purpose(town, "advisor", required_claims=("email",))
    tokens = _visit_advisor(town, town.browser(), partner)
    assert town.introspect(office_of(town), tokens["access_token"]).json["authorization_details"]
    _end(town, "advisor")
    assert town.introspect(office_of(town), tokens["access_token"]).json == {"active": False}
    _assert_dead(town, tokens, partner)


def _visit_advisor(town: Town, browser: Browser, partner: Partner) -> dict[str, Any]:
    proof = Proof()
    code = browser.code(
        partner, town.maria, "openid email offline_access", proof, authorization_details=details(LAST_YEAR)
    )
    found: dict[str, Any] = town.redeem(partner, code, proof).json
    return found


def test_to_a_question_that_has_ended_nobody_agrees(town: Town) -> None:
    """The decision is no for whoever it is about, what waited waits no longer, and it cannot be asked again."""
    _second_purpose(town, "library", required_claims=(), purpose_type="reminder")
    tokens = _visit(town, town.browser())
    form = {"purpose": "news", "sub": town.userinfo(tokens["access_token"]).json["sub"]}
    jun = town.userinfo(town.tokens(town.library, town.jun)["access_token"]).json["sub"]
    for sub in (form["sub"], jun):
        assert town.call("/consent/requests", town.library, {**form, "sub": sub}).status_code == 202
    browser = town.browser()
    browser.sign_in(town.maria)
    (path,) = re.findall(r'action="(/privacy/questions/[^"]+)"', browser.get("/privacy/questions").text)
    browser.submit(path, answer="yes")
    assert town.call("/consent/decisions", town.library, form).json == {"decision": True}
    _end(town, key="news")
    assert town.call("/consent/decisions", town.library, form).json == {"decision": False}
    many = {"purpose": "news", "subs": f"{form['sub']} {jun} nobody"}
    answer = town.call("/consent/decisions", town.library, many)
    assert set(answer.json["decisions"].values()) == {False}
    assert town.call("/consent/requests", town.library, form).json["error"] == "invalid_request"
    waiting = town.browser()
    waiting.sign_in(town.jun)
    assert "A service has a question for you" not in waiting.get("/").text
    assert "News of your district" not in waiting.get("/privacy/questions").text


def test_the_resident_reads_that_it_ended_and_what_was(town: Town) -> None:
    """Nothing of the history is gone, nothing can be withdrawn that does not stand; and the log verifies."""
    browser = town.browser()
    tokens = _visit(town, browser)
    town.userinfo(tokens["access_token"])
    town.clock.advance(60)
    _end(town)
    page = browser.get("/privacy/services/library").text
    assert "The service no longer uses this: it ended on" in page
    assert "You agreed to this. You can stop it at any time." not in page
    for was in (
        "Your e-mail address",
        "You agreed.",
        "What Riverton Public Library needs",
        "/privacy/receipts/",
    ):
        assert was in page
    assert "/withdraw" not in page
    assert "Ended" in browser.get("/privacy").text
    assert "You agreed." in browser.get("/privacy/history").text
    assert _events(town) == ["given"]
    with town.context.database.reading() as session:
        (choice,) = records.choices_by_client(session, town.maria.resident_id)["library"].values()
        (before,) = records.current_choices(
            session, town.maria.resident_id, "library", int(town.clock()) - 1
        ).values()
    assert (choice.state, choice.at, choice.in_force) == ("ended", int(town.clock()), False)
    assert (before.state, before.in_force) == ("given", True)
    _assert_log_verifies(town)


def test_nobody_is_reminded_of_a_consent_whose_purpose_has_ended(town: Town) -> None:
    """It ended then; it does not run out later, too."""
    _second_purpose(town, "library", valid_for=10 * DAY)
    browser = town.browser()
    _visit(town, browser)
    _end(town, key="news")
    for days in (6, 6):
        town.clock.advance(days * DAY)
        look(town.context, ClientRegistry(town.context.database), now=int(town.clock()))
    assert told(town, "consent_expiring") == []
    assert "expired" not in _events(town)


def test_it_ends_once_and_with_a_reason(town: Town) -> None:
    """Without a reason nothing ends; what has ended has ended."""
    with town.context.database.reading() as session:
        (purpose,) = purposes.all_purposes(session, "library")
    said = {"log_key": town.context.vault.subkey("log"), "actor": acts.TOWN, "now": int(town.clock())}
    with pytest.raises(ValueError, match="reason"), town.context.database.transaction() as session:
        ending.end(session, purpose, reason=" ", **said)
    _end(town)
    with pytest.raises(PurposeEnded), town.context.database.transaction() as session:
        ending.end(session, purpose, reason="again", **said)
    with town.context.database.reading() as session:
        (act,) = acts.of_kind(session, "purpose_end_decided")
    assert (act.client_id, act.details["reason"]) == ("library", "the service has closed")
