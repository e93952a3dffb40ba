"""Back-channel logout (OpenID Connect Back-Channel Logout 1.0): whatever ends a session, its partners are told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from idp.accounts.models import Resident
from idp.clients.models import ClientRow
from idp.closing import service as closing
from idp.jobs.stamps import CLIENTS, bump
from idp.login.models import BrowserSession
from idp.oidc.erasing import forget
from idp.oidc.models import Grant
from idp.oidc.subjects import sid_for
from idp.recovery.ending import credentials_changed
from idp.recovery.freeze import freeze
from idp.signals.endings import follow_up_resident
from idp.upkeep import end_expired_sign_ins
from tests.idp.oidc.test_step_up import said_of
from tests.idp.signals.telling import opened
from tests.support.town import ISSUER, Proof

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.idp.signals.telling import Telling
    from tests.support.town import Browser, Person

SCOPE = "openid profile"
EVENT = "http://schemas.openid.net/event/backchannel-logout"


def visit(
    telling: Telling,
    name: str,
    person: Person | None = None,
    browser: Browser | None = None,
    scope: str = SCOPE,
) -> tuple[Browser, dict[str, Any]]:
    """Somebody signs in at a partner, in this browser or a new one; the browser, and the partner's tokens."""
    town, partner, proof = telling.town, telling.partners.get(name, telling.town.library), Proof()
    browser = browser or town.browser()
    code = browser.code(partner, person or town.maria, scope, proof)
    return browser, town.redeem(partner, code, proof).json


def sid_of(telling: Telling, client_id: str) -> str:
    """By what a client knows the session that has not ended."""
    (sid,) = [row.sid for row in telling.town.rows(BrowserSession) if row.ended_at is None]
    return sid_for(telling.town.context.vault, client_id, sid)


def sign_out(browser: Browser) -> None:
    browser.get("/logout")
    browser.submit("/logout")


def test_every_partner_of_the_session_is_told_once_and_nobody_else(telling: Telling) -> None:
    """§2.4, §2.5: a fresh token of its own for each, signed and encrypted as its ID tokens are."""
    town = telling.town
    browser, _ = visit(telling, "pool")
    visit(telling, "gym", browser=browser)
    visit(telling, "library", browser=browser)  # has registered no address for it
    sid = sid_of(telling, "pool")
    visit(telling, "pool", browser=browser)  # a second time: one session still
    visit(telling, "pool", town.jun)
    assert telling.deliver() == []
    sign_out(browser)
    heard = {one.host: one for one in telling.deliver()}
    assert heard.keys() == {"pool.example", "gym.example"}
    assert len(telling.heard) == 2
    pool, gym = heard["pool.example"], heard["gym.example"]
    assert (pool.path, pool.content_type) == ("/out?from=town", "application/x-www-form-urlencoded")
    assert pool.form.keys() == {"logout_token"}
    with town.context.database.reading() as session:
        grants = session.execute(select(Grant).where(Grant.resident_id == town.maria.resident_id)).scalars()
        subjects = {grant.client_id: grant.subject for grant in grants}
    told = telling.claims(pool)
    now = int(town.clock())
    assert (told.pop("iat"), told.pop("exp")) == (now, now + 120)
    assert len(told.pop("jti")) >= 22
    assert told == {
        "iss": ISSUER, "aud": "pool", "sub": subjects["pool"], "sid": sid, "events": {EVENT: {}}
    }  # fmt: skip
    assert "eyJ" in gym.token
    assert telling.claims(opened(gym), "RS256")["sub"] == subjects["gym"] != subjects["pool"]
    assert telling.deliver() == []
    assert {(row.client_id, row.state) for row in telling.rows()} == {("pool", "sent"), ("gym", "sent")}


def _by_button(telling: Telling, browser: Browser) -> None:
    browser.get("/account/devices")
    (path,) = re.findall(r'action="(/account/devices/[^"/]+/end)"', browser.last.text)  # type: ignore[union-attr]
    browser.submit(path)


def _from_another_device(path: str) -> Callable[[Telling, Browser], None]:
    def end(telling: Telling, _: Browser) -> None:
        other = telling.town.browser()
        other.sign_in(telling.town.maria)
        other.get("/account/devices")
        other.submit(f"/account/devices/{path}")

    return end


def _by_hint(telling: Telling, browser: Browser) -> None:
    _, tokens = visit(telling, "library", browser=browser)
    browser.get("/logout", query_string={"id_token_hint": tokens["id_token"]})


def _credentials(telling: Telling, _: Browser) -> None:
    town = telling.town
    with town.context.database.transaction() as session:
        credentials_changed(session, town.maria.resident_id, keep_session=None, now=int(town.clock()))


def _frozen(telling: Telling, _: Browser) -> None:
    town = telling.town
    with town.context.database.transaction() as session:
        freeze(session, town.context, town.maria.resident_id, now=int(town.clock()))


def _closed(telling: Telling, _: Browser) -> None:
    town = telling.town
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        closing.ask_to_close(session, town.context, resident, now=int(town.clock()))


def _idle(telling: Telling, _: Browser) -> None:
    telling.town.clock.advance(telling.town.settings.sessions.idle_for)
    end_expired_sign_ins(telling.town.context, now=int(telling.town.clock()))


def _at_its_limit(telling: Telling, browser: Browser) -> None:
    limits = telling.town.settings.sessions
    for _ in range(limits.absolute_for // (limits.idle_for - 60)):
        telling.town.clock.advance(limits.idle_for - 60)
        browser.get("/account")
    assert not [row for row in telling.town.rows(BrowserSession) if row.ended_at]
    telling.town.clock.advance(limits.absolute_for % (limits.idle_for - 60))
    end_expired_sign_ins(telling.town.context, now=int(telling.town.clock()))


def _found_dead(telling: Telling, browser: Browser) -> None:
    telling.town.clock.advance(telling.town.settings.sessions.idle_for)
    assert browser.get("/account").status_code == 303


def _by_somebody_else(telling: Telling, browser: Browser) -> None:
    browser.get("/login")
    browser.sign_in(telling.town.jun)


@pytest.mark.parametrize(
    "end",
    [
        _by_hint,
        _by_button,
        _from_another_device("end-others"),
        _from_another_device("end-all"),
        _credentials,
        _frozen,
        _closed,
        _idle,
        _at_its_limit,
        _found_dead,
        _by_somebody_else,
    ],
    ids=lambda end: end.__qualname__.strip("_").partition(".")[0],
)
def test_whatever_ends_a_session_its_partners_are_told(
    telling: Telling, end: Callable[[Telling, Browser], None]
) -> None:
    """No cause is forgotten: the end itself is the order to tell. Its tokens are dead by then."""
    browser, tokens = visit(telling, "pool")
    sid = sid_of(telling, "pool")
    end(telling, browser)
    told = [telling.claims(one) for one in telling.deliver()]
    assert [(one["aud"], one["sid"]) for one in told] == [("pool", sid)]
    assert telling.town.userinfo(tokens["access_token"]).status_code == 401


def test_no_two_partners_know_a_session_by_the_same_name(telling: Telling) -> None:
    """They could compare their residents by it; each finds the session by the name in its own ID token."""
    browser, tokens = visit(telling, "pool")
    visit(telling, "gym", browser=browser)
    sign_out(browser)
    told = {one.host: one for one in telling.deliver()}
    pool = telling.claims(told["pool.example"])["sid"]
    assert pool == said_of(telling.town, tokens["id_token"])["sid"]
    assert pool != telling.claims(opened(told["gym.example"]), "RS256")["sid"]
    assert pool not in [row.sid for row in telling.town.rows(BrowserSession)]


def test_signing_in_again_goes_on_as_partners_see_it(telling: Telling) -> None:
    """A resident who proves themselves anew has not signed out; when they do, partners of both sessions are told."""
    town = telling.town
    browser, tokens = visit(telling, "pool")
    first = sid_of(telling, "pool")
    for _ in range(2):
        browser.get("/login?again=1")
        browser.submit("/login", username=town.maria.username, password=town.maria.password)
    assert sid_of(telling, "pool") != first
    assert telling.deliver() == []
    assert town.userinfo(tokens["access_token"]).status_code == 200
    visit(telling, "gym", browser=browser)
    second = sid_of(telling, "gym")
    sign_out(browser)
    told = {one.host: one for one in telling.deliver()}
    assert telling.claims(told["pool.example"])["sid"] == first
    assert telling.claims(opened(told["gym.example"]), "RS256")["sid"] == second
    assert len(telling.heard) == 2
    assert town.userinfo(tokens["access_token"]).status_code == 401


def test_tokens_that_were_granted_beyond_the_session_live_on(telling: Telling) -> None:
    """§2.7: the partner is told all the same, and its offline_access is not touched; all else dies, idle or not."""
    town = telling.town
    _, here = visit(telling, "pool")
    _, offline = visit(telling, "gym", scope="openid profile offline_access")
    town.clock.advance(town.settings.sessions.idle_for - 60)
    _, late = visit(telling, "library")
    town.clock.advance(60)
    end_expired_sign_ins(town.context, now=int(town.clock()))
    assert len(telling.deliver()) == 2
    assert town.userinfo(here["access_token"]).status_code == 401
    assert town.refresh(telling.partners["gym"], offline["refresh_token"]).status_code == 200
    assert town.userinfo(late["access_token"]).status_code == 200, "another session"


def test_an_end_of_this_second_waits_for_the_next(telling: Telling) -> None:
    """A request that had found the session alive may still be writing; whoever it answers is told as well."""
    browser, _ = visit(telling, "pool")
    sign_out(browser)
    assert telling.deliver(after=0) == []
    assert len(telling.deliver()) == 1


def test_a_logout_token_is_no_hint(telling: Telling) -> None:
    """It is signed by us and names client and session, but proves nothing at `/logout` (RFC 8725 §3.11)."""
    browser, _ = visit(telling, "pool")
    sign_out(browser)
    (heard,) = telling.deliver()
    query = {"id_token_hint": heard.token, "post_logout_redirect_uri": "https://pool.example/bye"}
    assert browser.get("/logout", query_string=query).headers["Location"] == "/logged-out"


def _move(telling: Telling) -> None:
    """Another sector for the pool."""
    with telling.town.context.database.transaction() as session:
        session.get_one(ClientRow, "pool").sector = "elsewhere.example"
        bump(session, CLIENTS)
    telling.town.fresh()
    telling.messenger._provider.clients.forget()


def test_a_client_hears_of_whom_it_knows_even_after_its_sector_has_changed(telling: Telling) -> None:
    """Back-Channel Logout 1.0 §2.4, §2.6: `sub` is the one of the ID token, though by now it would be another."""
    town = telling.town
    browser, tokens = visit(telling, "pool")
    known = town.userinfo(tokens["access_token"]).json["sub"]
    _move(telling)
    sign_out(browser)
    (told,) = telling.deliver()
    assert telling.claims(told)["sub"] == known


def test_a_client_that_never_redeemed_its_code_hears_of_nobody_by_a_former_sector(telling: Telling) -> None:
    """OIDC Core §8.1: it has not shown that the host was its own, and may be told elsewhere by now."""
    town, proof = telling.town, Proof()
    pool = telling.partners["pool"]
    browser = town.browser()
    assert browser.code(pool, town.maria, "openid profile", proof)
    sign_out(browser)
    _move(telling)
    (told,) = telling.deliver()
    (grant,) = [one for one in town.rows(Grant) if one.client_id == "pool"]
    assert telling.claims(told)["sub"] != grant.subject


def test_a_client_hears_by_the_same_name_after_its_resident_was_erased(telling: Telling) -> None:
    """What is told then was written before the grants went."""
    town = telling.town
    browser, tokens = visit(telling, "pool")
    known = town.userinfo(tokens["access_token"]).json["sub"]
    sign_out(browser)
    _move(telling)
    with town.context.database.transaction() as session:
        provider = town.app.extensions["denizen.oidc"]
        town.clock.advance(1)
        follow_up_resident(session, provider.clients, town.maria.resident_id, now=int(town.clock()))
        forget(session, town.maria.resident_id)
    (told,) = telling.deliver()
    assert telling.claims(told)["sub"] == known
