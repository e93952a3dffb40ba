"""K28: strangers who have codes sent to R1 all day keep none from R1 that R1 asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from idp.login.codes import service as codes
from idp.login.codes.rules import Channel
from idp.messaging.models import Message
from tests.idp.messaging.outbox import deliver, town_with
from tests.idp.recovery.steps import ask
from tests.support.factors import after_password, ask_for_code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.smtp import Mailbox
    from tests.support.town import Browser, Town


@pytest.fixture
def town(database_url: str, founding: Founding, tmp_path: Path, smtp: Mailbox) -> Iterator[Town]:
    mail = {"host": smtp.host, "port": smtp.port, "security": "none"}
    with town_with(database_url, tmp_path, founding=founding, mail=mail) as made:
        yield made


def known(town: Town) -> Browser:
    """A browser in which Maria signed in before, and signed out again."""
    browser = town.browser()
    browser.sign_in(town.maria)
    browser.get("/logout")
    browser.submit("/logout")
    return browser


def suppress(town: Town) -> None:
    """Strangers ask until nothing that they ask for arrives any more."""
    for _ in range(11):
        town.clock.advance(1300)
        ask(town, town.maria.email)
        assert sent(town, "recover") == "sent"
    assert recoveries(town) == 10


def recoveries(town: Town) -> int:
    """The messages of recoveries: one that would be withheld is not even written, so that the one before it works on."""
    return sum(row.name == "recover" for row in town.rows(Message))


def sent(town: Town, name: str) -> str:
    """Send what waits; what became of the latest message of this name."""
    deliver(town, "mail")
    rows = [row for row in town.rows(Message) if row.name == name]
    return str(max(rows, key=lambda row: row.created_at).state)


def choose(town: Town, choice: str) -> None:
    with town.context.database.transaction() as session:
        codes.choose(session, town.maria.resident_id, Channel.EMAIL, choice, now=int(town.clock()))


@pytest.mark.parametrize("is_known", [True, False])
def test_a_code_after_the_password_arrives(town: Town, *, is_known: bool) -> None:
    """Whoever has proved something is no stranger, on whichever device."""
    browser = known(town) if is_known else town.browser()
    choose(town, "always")
    suppress(town)
    after_password(browser, town.maria)
    browser.submit("/login/email-code", send="1")
    assert sent(town, "sign_in_code") == "sent"


def test_a_code_as_the_first_step_arrives_on_a_known_device(town: Town) -> None:
    """Somewhere else it does not: anybody could ask for it there."""
    browser = known(town)
    choose(town, "alone")
    suppress(town)
    ask_for_code(town.browser(), town.maria.email)
    assert sent(town, "sign_in_code") == "withheld"
    town.clock.advance(1)
    ask_for_code(browser, town.maria.email)
    assert sent(town, "sign_in_code") == "sent"


def test_a_recovery_on_a_known_device_arrives(town: Town) -> None:
    """A device that knows somebody else is as good as none."""
    browser, others = known(town), town.browser()
    others.sign_in(town.jun)
    suppress(town)
    town.clock.advance(3600)
    ask(town, town.maria.email, browser=others)
    assert recoveries(town) == 10
    town.clock.advance(1)
    ask(town, "maria", browser=browser)
    assert recoveries(town) == 11
    assert sent(town, "recover") == "sent"


def test_strangers_do_not_use_up_what_may_be_asked_for_on_a_known_device(town: Town) -> None:
    """Nor the counts of names that the pages keep: Maria's browser, which Jun uses too, has its own."""
    browser = known(town)
    browser.sign_in(town.jun)
    choose(town, "alone")
    statuses = []
    for _ in range(4):
        stranger = town.browser()
        stranger.get("/recover")
        statuses.append(stranger.submit("/recover", name="maria", wish="message").status_code)
    assert statuses == [303, 303, 303, 429]
    browser.get("/logout")
    browser.submit("/logout")
    browser.get("/recover")
    assert browser.submit("/recover", name="maria", wish="message").status_code == 303
    answers = [ask_for_code(town.browser(), town.maria.email).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]
    assert ask_for_code(browser, town.maria.email).status_code == 200


def test_what_is_theirs_is_bounded_too(town: Town) -> None:
    """Whoever knows R1's password, or sits at R1's computer, floods nobody's mailbox."""
    browser = known(town)
    for _ in range(12):
        town.clock.advance(1300)
        ask(town, "maria", browser=browser)
        assert sent(town, "recover") == "sent"
    assert recoveries(town) == 10
