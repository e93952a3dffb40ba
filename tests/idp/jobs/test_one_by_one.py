"""A job that has many to do: what fails is as if it had not been tried, and the others are done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from idp.db import Database
from idp.jobs.models import Lease
from idp.jobs.one_by_one import one_by_one

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def take(session: Session, name: str) -> bool:
    """Write something for it; the second then turns out to be impossible, and the third is none of ours."""
    session.add(Lease(name=name, holder="me", until_at=1))
    session.flush()
    if name == "second":
        raise LookupError(name)
    return name != "third"


def test_one_that_fails_is_taken_back_and_named_and_holds_up_no_other(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["first", "second", "third", "fourth"]
    assert one_by_one(database, names, take, failed="lease not taken name") == 2
    with database.reading() as session:
        assert sorted(session.execute(select(Lease.name)).scalars()) == ["first", "fourth", "third"]
    assert [(one.levelname, one.message) for one in caplog.records] == [
        ("ERROR", "lease not taken name=second")
    ]


def test_one_is_named_as_its_job_says(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_session: Session, _one: Any) -> bool:
        raise LookupError

    assert one_by_one(database, [("id", "secret")], fail, failed="not done id", name=lambda one: one[0]) == 0
    assert [one.message for one in caplog.records] == ["not done id=id"]
