"""A session that gets another cookie while it is ended, or while others are: it is known by its name, not by its cookie.

And whoever was signed out in this very moment ends nobody's session, and changes nothing else either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from idp.accounts.models import ContactPoint
from idp.closing.models import Closure
from idp.contacts.models import Change
from idp.home import pause
from idp.login import sessions
from idp.login.devices.models import KnownDevice
from idp.login.models import BrowserSession, Passkey
from idp.oidc.models import Hold
from idp.oidc.views import authorize
from tests.idp.login.test_changed_meanwhile import once_before, signed_in, signed_out
from tests.idp.login.test_sessions import begin
from tests.support.authenticator import Authenticator
from tests.support.front import front
from tests.support.passkeys import add_passkey
from tests.support.settled import SCOPE, WAYS
from tests.support.statements import side_by_side
from tests.support.told import told
from tests.support.town import Proof

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.front import Front
    from tests.support.town import Browser, Town

__all__ = ["front"]

DEVICES = "/account/devices"


def raised(town: Town, sid: str) -> None:
    """Another tab of the same browser proves more: the session has another cookie from now on."""
    now = int(town.clock())
    with town.context.database.transaction() as session:
        row = sessions.find_by_sid(session, town.maria.resident_id, sid)
        assert row is not None
        assert sessions.rise(
            session,
            row.id_hash,
            row.resident_id,
            amr="pwd otp mfa",
            acr="strong",
            proofs="password=basic totp=basic",
            authenticated_at=now,
            settings=town.settings.sessions,
            now=now,
        )


def living(town: Town) -> set[str]:
    return {row.sid for row in town.rows(BrowserSession) if row.ended_at is None}


def alone_in(town: Town) -> tuple[Browser, str]:
    """Maria's browser, and the name of her session there."""
    before = living(town)
    browser = signed_in(town)
    (sid,) = living(town) - before
    return browser, sid


def by_button(_town: Town, browser: Browser) -> Callable[[], Any]:
    browser.get("/logout")
    return lambda: browser.submit("/logout")


def by_device(town: Town, browser: Browser) -> Callable[[], Any]:
    browser.get(DEVICES)
    (sid,) = living(town)
    return lambda: browser.submit(f"{DEVICES}/{sid}/end")


def everywhere(_town: Town, browser: Browser) -> Callable[[], Any]:
    browser.get(DEVICES)
    return lambda: browser.submit(f"{DEVICES}/end-all")


@pytest.mark.parametrize("way", [by_button, by_device, everywhere])
def test_signing_out_ends_the_session_that_is_raised_in_this_very_moment(
    town: Town, monkeypatch: pytest.MonkeyPatch, way: Callable[[Town, Browser], Callable[[], Any]]
) -> None:
    """ASVS 7.4.1: whoever signs out is out, under whichever cookie."""
    browser, sid = alone_in(town)
    sign_out = way(town, browser)
    once_before(monkeypatch, town.context.database, "transaction", lambda: raised(town, sid))
    assert sign_out().status_code == 303
    assert living(town) == set()


def test_the_next_person_ends_the_session_that_is_raised_in_this_very_moment(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a shared computer: "no, that is not me"."""
    browser = begin(town, "basic", is_shared=True)
    (sid,) = living(town)
    browser.follow(browser.authorize(town.library, "openid", Proof()))
    once_before(monkeypatch, town.context.database, "transaction", lambda: raised(town, sid))
    browser.submit("/authorize/as", who="other")
    assert living(town) == set()


@pytest.mark.parametrize("whose", ["maria", "jun"])
def test_signing_in_anew_ends_the_session_that_is_raised_in_this_very_moment(
    town: Town, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    """K18: a browser has one session, so the one before does not live on under a cookie that nobody has any more."""
    browser = begin(town, "basic", is_shared=True)
    (sid,) = living(town)
    browser.get("/login")
    once_before(monkeypatch, town.context.database, "transaction", lambda: raised(town, sid))
    assert browser.sign_in(getattr(town, whose)).status_code == 303
    assert sid not in living(town)
    (now,) = [row for row in town.rows(BrowserSession) if row.ended_at is None]
    assert now.former_sid == (sid if whose == "maria" else None)
    assert now.is_shared, "others sit at this computer still"


@pytest.mark.parametrize("path", [f"{DEVICES}/end-others", "/account/password"])
def test_what_ends_all_others_keeps_ones_own_that_is_raised_in_this_very_moment(
    town: Town, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """It is no other session because it has another cookie."""
    alone_in(town)
    browser, own = alone_in(town)
    browser.get(DEVICES if path.startswith(DEVICES) else path)
    once_before(monkeypatch, town.context.database, "transaction", lambda: raised(town, own))
    answer = browser.submit(path, **({} if "end" in path else {"password": "another house at the river"}))
    assert answer.status_code == 303, answer.text
    assert living(town) == {own}


@pytest.mark.parametrize("front", [way for way in WAYS if way.startswith("postgresql")], indirect=True)
def test_signing_out_waits_for_what_is_about_to_pass_the_browser(front: Front) -> None:
    """It ends the tokens that it sees, so it must not look before these are there. SQLite has one writer."""
    town, client = front.town, front.clients["old"]
    browser = signed_in(town)
    browser.get("/logout")
    page = browser.last
    answer, _ = side_by_side(
        town.context.database,
        lambda: front.ask("old", browser, response_type="code id_token token", nonce="n"),
        lambda: _sent(browser, page),
        meets_at=(authorize, "grant_request"),
    )
    token = front.read(answer, client).values["access_token"]
    assert town.userinfo(token).status_code == 401


def _sent(browser: Browser, page: Any) -> None:
    """The form of a page, in another tab than the one that is loading."""
    tab = type(browser)(browser.town)
    tab.http, tab.last = browser.http, page
    assert tab.submit("/logout").status_code == 303


# --- whoever is signed out meanwhile ---


@pytest.mark.parametrize("path", ["{sid}/end", "end-others", "end-all", "known/{device}/forget"])
def test_whoever_is_signed_out_meanwhile_signs_nobody_out_and_forgets_no_device(
    town: Town, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A thief who is being signed out must not take the owner along."""
    alone_in(town)
    thief, sid = alone_in(town)
    thief.get(DEVICES)
    owners: list[str] = []

    def act() -> None:
        signed_out(town)
        owners.append(alone_in(town)[1])

    device = town.rows(KnownDevice)[0]
    target = f"{DEVICES}/{path.format(sid=sid, device=device.id)}"
    once_before(monkeypatch, town.context.database, "transaction", act)
    assert thief.submit(target).status_code == 409
    assert living(town) == {*owners}
    assert device.id in {one.id for one in town.rows(KnownDevice)}


def test_whoever_is_signed_out_meanwhile_neither_stops_everything_nor_lets_it_go_on(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause of all that is passed on, and its end: as every other change (decision 0035)."""
    thief = signed_in(town)
    thief.get("/privacy/pause")
    once_before(monkeypatch, town.context.database, "transaction", lambda: signed_out(town))
    assert thief.submit("/privacy/pause").status_code == 409
    assert town.rows(Hold) == []
    with town.context.database.transaction() as session:
        pause.pause(session, town.context, town.maria.resident_id, now=int(town.clock()))
    thief = signed_in(town)
    thief.get("/privacy/pause/end")
    once_before(monkeypatch, town.context.database, "transaction", lambda: signed_out(town))
    assert thief.submit("/privacy/pause/end").status_code == 409
    assert len(town.rows(Hold)) == 1


def test_whoever_is_signed_out_meanwhile_renames_no_passkey(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner knows their keys by these names."""
    thief = signed_in(town)
    add_passkey(thief, Authenticator())
    (before,) = town.rows(Passkey)
    page = f"/account/passkeys/{before.id}"
    thief.get(page)
    once_before(monkeypatch, town.context.database, "transaction", lambda: signed_out(town))
    assert thief.submit(page, name="Not yours").status_code == 409
    (after,) = town.rows(Passkey)
    assert after.name == before.name


def test_whoever_is_signed_out_meanwhile_keeps_no_account(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that its owner closes is closed."""
    owner = signed_in(town)
    owner.get("/account/close")
    owner.submit("/account/close", sure="1")
    thief = signed_in(town)
    thief.get("/account/close")
    once_before(monkeypatch, town.context.database, "transaction", lambda: signed_out(town))
    assert thief.submit("/account/close/keep").status_code == 409
    assert [one.state for one in town.rows(Closure)] == ["announced"]


def test_whoever_is_signed_out_meanwhile_stops_no_change_of_contact_points(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one that the owner wants."""
    owner = signed_in(town)
    owner.get("/account/contacts/new/email")
    page = owner.submit("/account/contacts/new/email", value="second@example.org").headers["Location"]
    owner.get(page)
    owner.submit(page, code=told(town, "contact_confirm")[-1].values["code"])
    (second,) = [one for one in town.rows(ContactPoint) if not one.signs_in]
    owner.get(f"/account/contacts/{second.id}")
    owner.submit(f"/account/contacts/{second.id}/sign-in")
    thief = signed_in(town)
    thief.get("/account/contacts")
    once_before(monkeypatch, town.context.database, "transaction", lambda: signed_out(town))
    assert thief.submit("/account/contacts/stop").status_code == 409
    assert [one.ended_at for one in town.rows(Change) if one.due_at] == [None]


@pytest.mark.parametrize("act", ["stop", "lift"])
def test_whoever_is_signed_out_meanwhile_stops_no_service_and_lets_none_ask_again(
    town: Town, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """GDPR Art. 18: it is the resident who restricts, and who lifts it."""
    town.tokens(town.library, town.maria)
    thief = signed_in(town)
    if act == "lift":
        thief.get("/privacy/rights/stop")
        thief.submit("/privacy/rights/stop", service="library")
    thief.get("/privacy/rights/stop" if act == "stop" else "/privacy/rights")
    before = len(town.rows(Hold))
    once_before(monkeypatch, town.context.database, "transaction", lambda: signed_out(town))
    assert thief.submit(f"/privacy/rights/{act}", service="library").status_code == 409
    assert len(town.rows(Hold)) == before


# --- what is kept by whoever changes something ---


def test_a_changed_password_ends_what_began_before_the_fresh_sign_in_also_in_this_browser(town: Town) -> None:
    """ASVS 7.4.3, K16: only what began in the very session that made the change lives on; a stolen cookie's tokens do not."""
    browser, (first, second) = town.browser(), (Proof(), Proof())
    former = town.redeem(town.library, browser.code(town.library, town.maria, SCOPE, first), first).json
    town.clock.advance(600)
    browser.get("/login?again=1")
    browser.sign_in(town.maria)
    own = town.redeem(town.tax, browser.code(town.tax, town.maria, SCOPE, second), second).json
    browser.get("/account/password")
    assert browser.submit("/account/password", password="another house at the river").status_code == 303
    assert town.refresh(town.library, former["refresh_token"]).json["error"] == "invalid_grant"
    assert town.refresh(town.tax, own["refresh_token"]).status_code == 200
