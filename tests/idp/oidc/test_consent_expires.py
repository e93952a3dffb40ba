"""What ends by itself ends in tokens, at its very second; the partner is told, the resident reminded."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from consent import purposes
from consent.models import Confirmation, Record
from consent.purposes import Asked, NoticeText
from idp.accounts.models import Resident
from idp.clients.registry import ClientRegistry
from idp.jobs.stamps import PURPOSES, bump
from idp.lapses import look
from idp.oidc.models import Grant
from tests.support.told import told
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.support.town import Browser, Town

DAY = 86_400
SCOPE = "openid profile email residence offline_access"
LASTS = 10 * DAY


def _lasting(town: Town, client_id: str, **asked: Any) -> None:
    """Publish new terms for the purpose of a client."""
    with town.context.database.transaction() as session:
        (purpose,) = purposes.purposes_for_client(session, client_id)
        purposes.publish_notice(
            session,
            log_key=town.context.vault.subkey("log"),
            purpose_id=purpose.id,
            texts={"en": NoticeText("Your account", "To lend you books.", "A year.", "Nobody.")},
            material=True,
            asked=Asked(
                **{"required_claims": ("name",), "optional_claims": ("email",), "valid_for": LASTS, **asked}
            ),
            now=int(town.clock()),
        )
        bump(session, PURPOSES)
    town.fresh()


def _second_purpose(town: Town, client_id: str) -> None:
    """One more purpose of a client, which does not end by itself: the district, by public task."""
    with town.context.database.transaction() as session:
        key = town.context.vault.subkey("log")
        purpose_id = purposes.declare_purpose(
            session,
            log_key=key,
            client_id=client_id,
            key="district",
            basis="public_task",
            required_claims=["district"],
            now=int(town.clock()),
        )
        words = NoticeText("Your district", "The law asks for it.", "A year.", "Nobody.")
        purposes.publish_notice(session, log_key=key, purpose_id=purpose_id, texts={"en": words}, material=True, now=int(town.clock()))  # fmt: skip
        bump(session, PURPOSES)
    town.fresh()


def _visit(town: Town, browser: Browser) -> dict[str, Any]:
    proof = Proof()
    found: dict[str, Any] = town.redeem(
        town.library, browser.code(town.library, town.maria, SCOPE, proof), proof
    ).json
    return found


def _look(town: Town) -> None:
    look(town.context, ClientRegistry(town.context.database), now=int(town.clock()))


def _events(town: Town) -> list[str]:
    return [one.event for one in town.rows(Record)]


def test_tokens_end_with_the_consent_before_any_job_has_run(town: Town) -> None:
    """Userinfo, introspection, refresh and the quick answer of the authorization endpoint all know."""
    _lasting(town, "library")
    browser = town.browser()
    tokens = _visit(town, browser)
    town.clock.advance(LASTS - 60)
    fresh = town.refresh(town.library, tokens["refresh_token"]).json
    assert town.userinfo(fresh["access_token"]).status_code == 200
    town.clock.advance(60)
    assert town.userinfo(fresh["access_token"]).status_code == 401
    assert town.introspect(town.library, fresh["access_token"]).json == {"active": False}
    assert town.introspect(town.library, fresh["refresh_token"]).json == {"active": False}
    assert town.refresh(town.library, fresh["refresh_token"]).json["error"] == "invalid_grant"
    answer = browser.authorize(town.library, SCOPE, Proof(), prompt="none")
    assert "error=" in answer.headers["Location"]


def test_at_the_next_visit_the_resident_is_asked_again(town: Town) -> None:
    """A new agreement is a new grant: what was dead stays dead."""
    _lasting(town, "library")
    tokens = _visit(town, town.browser())
    town.clock.advance(LASTS)
    again = _visit(town, town.browser())
    assert town.userinfo(again["access_token"]).status_code == 200
    assert town.userinfo(tokens["access_token"]).status_code == 401
    assert [one.revoked_at is None for one in town.rows(Grant)].count(True) == 1
    assert _events(town)[-1] == "renewed"


def test_what_does_not_end_goes_on_without_what_has(town: Town) -> None:
    """Two purposes, one of them for ten days: tokens live on and give less, in every answer."""
    _lasting(town, "library")
    _second_purpose(town, "library")
    tokens = _visit(town, town.browser())
    assert {"email", "district"} <= set(town.userinfo(tokens["access_token"]).json)
    town.clock.advance(LASTS)
    fresh = town.refresh(town.library, tokens["refresh_token"]).json
    assert "access_token" in fresh
    assert set(town.userinfo(fresh["access_token"]).json) == {"sub", "district"}
    _look(town)
    assert set(town.userinfo(fresh["access_token"]).json) == {"sub", "district"}
    assert town.introspect(town.library, fresh["access_token"]).json["active"]


def test_the_end_is_recorded_and_the_partner_is_told(town: Town) -> None:
    """Once, as after a withdrawal."""
    _lasting(town, "library")
    _visit(town, town.browser())
    town.clock.advance(LASTS)
    _look(town)
    _look(town)
    assert _events(town).count("expired") == 1
    assert [one.event for one in town.rows(Confirmation)] == ["consent-expired"]
    assert [one.revoked_at is None for one in town.rows(Grant)] == [False]


def test_what_cannot_end_holds_up_no_other(town: Town) -> None:
    """A resident whose key was damaged comes first; all others are looked at nevertheless, and the job ends."""
    _lasting(town, "library")
    for person in (town.maria, town.jun):
        town.tokens(town.library, person, SCOPE)
    with town.context.database.transaction() as session:
        session.get_one(Resident, town.maria.resident_id).data_key = b"not the key any more"
    town.clock.advance(LASTS)
    _look(town)
    ended = [one.resident_id for one in town.rows(Record) if one.event == "expired"]
    assert ended == [town.jun.resident_id]


def test_the_resident_is_reminded_and_renews_on_their_own_page(town: Town) -> None:
    """Nobody is signed out for that, and the tokens last on."""
    _lasting(town, "library")
    browser = town.browser()
    tokens = _visit(town, browser)
    town.clock.advance(LASTS // 2)
    _look(town)
    (message,) = told(town, "consent_expiring")
    assert message.link == "/privacy/questions"
    assert message.values["service"] == "Riverton Public Library"
    browser.get("/login")
    browser.sign_in(town.maria)
    page = browser.get("/privacy/questions")
    (purpose,) = _purposes(town)
    assert "Your account" in page.text
    answer = browser.submit(f"/privacy/renewals/{purpose}")
    assert answer.headers["Location"].endswith("done=renewed")
    town.clock.advance(LASTS // 2 + 60)
    fresh = town.refresh(town.library, tokens["refresh_token"]).json
    assert town.userinfo(fresh["access_token"]).status_code == 200
    assert _events(town)[-1] == "renewed"


def _said(unverified_id_token: str) -> dict[str, Any]:
    payload = unverified_id_token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def _purposes(town: Town) -> list[str]:
    with town.context.database.reading() as session:
        return [one.id for one in purposes.purposes_for_client(session, "library")]


def test_after_a_renewal_the_next_visit_asks_nothing(town: Town) -> None:
    """The records answer, and the grant follows them."""
    _lasting(town, "library")
    browser = town.browser()
    _visit(town, browser)
    town.clock.advance(LASTS // 2 + 1)
    _look(town)
    browser.get("/login")
    browser.sign_in(town.maria)
    browser.get("/privacy/questions")
    browser.submit(f"/privacy/renewals/{_purposes(town)[0]}")
    answer = browser.follow(browser.authorize(town.library, SCOPE, Proof()))
    assert "code=" in answer.headers.get("Location", "")


@pytest.mark.parametrize("claims", [("name",), ()])
def test_what_the_resident_took_back_is_absent_everywhere(town: Town, claims: tuple[str, ...]) -> None:
    """Per claim: refused before issuance, or narrowed after it; ID token, userinfo, introspection and refresh agree."""
    browser, proof = town.browser(), Proof()
    in_id_token = json.dumps({"id_token": {"email": None}})
    code = browser.code(town.library, town.maria, SCOPE, proof, claims=in_id_token)
    tokens = town.redeem(town.library, code, proof).json
    assert "email" in town.userinfo(tokens["access_token"]).json
    assert _said(tokens["id_token"])["email"] == town.maria.email
    purpose_id = _purposes(town)[0]
    browser.get("/privacy/services/library")
    if claims:
        browser.submit(f"/privacy/services/library/purposes/{purpose_id}/narrow", keep=[])
    else:
        browser.submit("/privacy/services/library/withdraw")
    answer = town.userinfo(tokens["access_token"])
    assert answer.status_code == (200 if claims else 401)
    assert "email" not in answer.json
    fresh = town.refresh(town.library, tokens["refresh_token"]).json
    assert ("access_token" in fresh) is bool(claims)
    if claims:
        assert "email" not in town.userinfo(fresh["access_token"]).json
        assert town.maria.email not in town.introspect(town.library, fresh["access_token"]).text
        assert "email" not in _said(fresh["id_token"])
