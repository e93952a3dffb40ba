"""A session that gets another cookie while it is ended, or while others are: it is known by its name, not by its cookie.

And whoever was signed out in this very moment ends nobody's session, and changes nothing else either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from idp.login import sessions
from idp.login.devices.models import KnownDevice
from idp.login.models import BrowserSession
from idp.oidc.views import authorize
from tests.idp.login.test_changed_meanwhile import once_before, signed_in, signed_out
from tests.idp.login.test_sessions import begin
from tests.support.front import front
from tests.support.settled import WAYS
from tests.support.statements import side_by_side
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
