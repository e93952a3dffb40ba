"""A password that is taken away while somebody signs in with it opens nothing, and is never put back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from idp.accounts.models import Resident
from idp.login.models import BrowserSession, Password
from idp.login.passwords import keep_hash
from idp.recovery.ending import credentials_changed
from tests.support.riverton import until
from tests.support.statements import is_one_waiting
from tests.support.town import Person

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from idp.login.passwords import Passwords
    from tests.support.town import Town

NEW = "another house at the river"


@pytest.fixture
def passwords(town: Town) -> Passwords:
    found: Passwords = town.app.extensions["denizen.login"].passwords
    return found


def change(session: Session, town: Town, encoded: str) -> None:
    """What `idp.login.password_change` and a recovery do, in their order."""
    maria = town.maria.resident_id
    session.execute(select(Resident).where(Resident.id == maria).with_for_update())
    keep_hash(session, maria, encoded, is_short=False, now=int(town.clock()))
    credentials_changed(session, maria, keep_session=None, now=int(town.clock()))


def meanwhile(monkeypatch: pytest.MonkeyPatch, passwords: Passwords, act: Callable[[], None]) -> None:
    """Right after the first check of a password something happens."""
    check, acts = passwords.is_right, [act]

    def checked(*values: Any) -> bool:
        is_right = check(*values)
        if acts:
            acts.pop()()
        return is_right

    monkeypatch.setattr(passwords, "is_right", checked)


def live_sessions(town: Town) -> int:
    with town.context.database.reading() as session:
        found: int = session.execute(
            select(func.count()).select_from(BrowserSession).where(BrowserSession.ended_at.is_(None))
        ).scalar_one()
    return found


@pytest.mark.parametrize("is_outdated", [False, True])
def test_a_password_that_is_changed_while_it_is_checked_opens_nothing(
    town: Town, passwords: Passwords, monkeypatch: pytest.MonkeyPatch, *, is_outdated: bool
) -> None:
    """ASVS 7.4.3: the change ended every session, so none may begin by the old one; nor is that one hashed anew and kept."""
    encoded = passwords.hash(NEW)

    def act() -> None:
        with town.context.database.transaction() as session:
            change(session, town, encoded)

    meanwhile(monkeypatch, passwords, act)
    monkeypatch.setattr(passwords, "is_outdated", lambda _kept: is_outdated)
    assert town.browser().sign_in(town.maria).status_code == 422
    assert live_sessions(town) == 0
    renewed = Person(town.maria.resident_id, town.maria.username, town.maria.email, NEW)
    assert town.browser().sign_in(renewed).status_code == 303
    assert town.browser().sign_in(town.maria).status_code == 422


def test_a_password_that_is_removed_while_it_is_checked_opens_nothing(
    town: Town, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is not as good as the one that was checked."""

    def act() -> None:
        with town.context.database.transaction() as session:
            session.delete(session.get_one(Password, town.maria.resident_id))

    meanwhile(monkeypatch, passwords, act)
    assert town.browser().sign_in(town.maria).status_code == 422
    assert live_sessions(town) == 0


def test_one_that_another_sign_in_hashes_anew_meanwhile_is_the_same_password(
    town: Town, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the button is pressed twice on the first day with a higher cost: both enter."""
    encoded = passwords.hash(town.maria.password)

    def act() -> None:
        with town.context.database.transaction() as session:
            keep_hash(session, town.maria.resident_id, encoded, is_short=False, now=int(town.clock()))

    meanwhile(monkeypatch, passwords, act)
    assert town.browser().sign_in(town.maria).status_code == 303
    assert live_sessions(town) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_change_that_has_not_ended_yet_is_waited_for(town: Town, passwords: Passwords) -> None:
    """It has ended every session that it saw; one that began beside it would stay. SQLite has one writer."""
    encoded = passwords.hash(NEW)

    def is_met() -> bool:
        return signing_in.done() or is_one_waiting(town.context.database)

    with ThreadPoolExecutor(1) as pool:
        with town.context.database.transaction() as session:
            change(session, town, encoded)
            session.flush()
            signing_in = pool.submit(lambda: town.browser().sign_in(town.maria).status_code)
            until(is_met, "the sign-in waits, or is through")
        assert signing_in.result(20) == 422
    assert live_sessions(town) == 0
