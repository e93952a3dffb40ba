"""Revision 0003 on an outbox that is in use, up and down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from idp.schema import downgrade_database, upgrade_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

ROW = "INSERT INTO messaging_outbox (id, name, state, content, created_at, due_at, expires_at, attempts, finished_at"


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    """A database at the revision before, with two mails in it."""
    upgrade_database(empty_database_url, "0002")
    engine = create_engine(empty_database_url)
    with engine.begin() as connection:
        for message_id, state, content in (("waits", "waiting", b"sealed"), ("gone", "sent", None)):
            connection.execute(
                text(f"{ROW}) VALUES (:id, 'welcome', :state, :content, 1, 2, 3, 4, NULL)"),
                {"id": message_id, "state": state, "content": content},
            )
    yield engine
    engine.dispose()


def rows(engine: Engine, columns: str) -> dict[str, tuple[Any, ...]]:
    with engine.begin() as connection:
        found = connection.execute(text(f"SELECT id, {columns} FROM messaging_outbox")).all()
    return {row[0]: tuple(row[1:]) for row in found}


def test_mails_that_are_there_stay_what_they_are(engine: Engine, empty_database_url: str) -> None:
    """They become notices by mail, in the language of before, and can still be sent."""
    upgrade_database(empty_database_url, "0003")
    assert rows(engine, "channel, kind, language, refusals, trouble, state, attempts, batch") == {
        "waits": ("mail", "notice", "en", 0, "", "waiting", 4, None),
        "gone": ("mail", "notice", "en", 0, "", "sent", 4, None),
    }
    assert bytes(rows(engine, "content")["waits"][0]) == b"sealed"


def test_new_columns_must_be_given_and_hold_what_they_may(engine: Engine, empty_database_url: str) -> None:
    """Defaults were for old rows alone; only a letter is in a batch."""
    upgrade_database(empty_database_url, "0003")
    new = f"{ROW}, channel, kind, language, refusals, trouble, batch) VALUES ('n', 'x', 'waiting', NULL, 1, 2, 3, 4, NULL,"
    for values in (
        "'fax', 'code', 'en', 0, '', NULL)",
        "'mail', 'spam', 'en', 0, '', NULL)",
        "'sms', 'code', 'en', 0, '', 7)",
    ):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(text(new + values))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text(f"{ROW}) VALUES ('n', 'x', 'waiting', NULL, 1, 2, 3, 4, NULL)"))


def test_the_way_down_gives_up_what_the_version_before_cannot_read(
    engine: Engine, empty_database_url: str
) -> None:
    """What waits, text messages and letters go; of the rest it is known that they were."""
    upgrade_database(empty_database_url, "0003")
    new = f"{ROW}, channel, kind, language, refusals, trouble) VALUES (:id, 'x', :state, NULL, 1, 2, 3, 4, 5, :channel, 'code', 'fr', 0, '')"
    with engine.begin() as connection:
        for message_id, state, channel in (
            ("held", "withheld", "mail"),
            ("text", "sent", "sms"),
            ("paper", "dead", "letter"),
        ):
            connection.execute(text(new), {"id": message_id, "state": state, "channel": channel})
    downgrade_database(empty_database_url, "0002")
    assert rows(engine, "state") == {"gone": ("sent",), "held": ("dead",)}
    upgrade_database(empty_database_url, "0003")
    assert rows(engine, "state, channel") == {"gone": ("sent", "mail"), "held": ("dead", "mail")}
