"""What is forgotten of somebody whose account has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.oidc.erasing import forget
from idp.oidc.models import AccessToken, Authorization, Grant, RefreshToken
from tests.support.plans import read_as_a_whole, statements_of

if TYPE_CHECKING:
    from tests.support.town import Person, Town


def use_for_a_while(town: Town, *people: Person) -> None:
    """Two families each, side by side; the refresh tokens of one follow each other at different times."""
    for hours in (0, 3):
        held = [
            town.tokens(town.library, one, "openid profile offline_access")["refresh_token"] for one in people
        ]
        for _ in range(hours):
            town.clock.advance(3600)
            held = [town.refresh(town.library, token).json["refresh_token"] for token in held]


def test_every_token_of_a_resident_is_forgotten_and_none_of_another(town: Town) -> None:
    """Spent ones too."""
    use_for_a_while(town, town.maria, town.jun)
    with town.context.database.transaction() as session:
        forget(session, town.maria.resident_id)
    (grant,) = town.rows(Grant)
    assert grant.resident_id == town.jun.resident_id
    families = {row.id for row in town.rows(Authorization)}
    assert len(families) == 2
    for model in (AccessToken, RefreshToken):
        assert {row.authorization_id for row in town.rows(model)} == families
        assert len(town.rows(model)) == 5


def test_a_refresh_token_ends_with_its_family(town: Town) -> None:
    """So those of a family are found by when it ends."""
    use_for_a_while(town, town.maria)
    ends = {row.id: row.expires_at for row in town.rows(Authorization)}
    assert all(row.expires_at == ends[row.authorization_id] for row in town.rows(RefreshToken))


def test_nobody_reads_all_refresh_tokens_to_forget_those_of_one(town: Town) -> None:
    """A town has those of a month, the spent ones among them."""
    use_for_a_while(town, town.maria)
    database = town.context.database
    with statements_of(database) as told, database.transaction() as session:
        forget(session, town.maria.resident_id)
    (one,) = [sql for sql in told if sql.startswith("DELETE FROM oidc_refresh_token")]
    assert read_as_a_whole(database, one, told[one]) == []
