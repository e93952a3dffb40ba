"""What is handed out is written down: once per ID token, once per access token at userinfo, names only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from consent.models import LogEntry, Release
from tests.support.nodes import Request, two_nodes
from tests.support.settled import SCOPE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.town import Town


def _releases(town: Town) -> list[tuple[str, list[str]]]:
    rows: Sequence[Release] = sorted(town.rows(Release), key=lambda row: row.id)
    return [(row.kind, orjson.loads(row.claims)) for row in rows]


ID_TOKEN = ("id_token", [])
USERINFO = ("userinfo", ["email", "email_verified", "name", "updated_at"])


def test_an_id_token_is_one_release_and_the_first_look_at_userinfo_another(town: Town) -> None:
    """GDPR Art. 15(1)(c): the resident can see who received what; reading the same again is not another."""
    tokens = town.tokens(town.library, town.maria)
    assert _releases(town) == [ID_TOKEN]
    for _ in range(3):
        assert town.userinfo(tokens["access_token"]).status_code == 200
    assert _releases(town) == [ID_TOKEN, USERINFO]
    row = town.rows(Release)[-1]
    assert (row.resident_id, row.client_id) == (town.maria.resident_id, "library")
    assert len(orjson.loads(row.purpose_ids)) == 1


def test_every_new_token_is_a_new_release(town: Town) -> None:
    """A refresh hands over anew, so it is written down anew."""
    tokens = town.tokens(town.library, town.maria, "openid profile email offline_access")
    later = town.refresh(town.library, tokens["refresh_token"]).json
    for each in (tokens, later):
        town.userinfo(each["access_token"])
    assert _releases(town) == [ID_TOKEN, ID_TOKEN, USERINFO, USERINFO]


def test_each_release_has_its_entry_in_the_log(town: Town) -> None:
    """Row and log entry stand and fall together."""
    before = len(town.rows(LogEntry))
    tokens = town.tokens(town.library, town.maria)
    consent = 1  # Maria's own answer
    town.userinfo(tokens["access_token"])
    assert len(town.rows(LogEntry)) == before + consent + 2
    releases = {row.uid for row in town.rows(Release)}
    assert releases <= {row.uid for row in town.rows(LogEntry)}


def test_what_is_refused_is_no_release(town: Town) -> None:
    """Dead tokens, wrong codes and clients of their own hand nothing over."""
    tokens = town.tokens(town.library, town.maria)
    town.call("/revoke", town.library, {"token": tokens["access_token"]})
    town.userinfo(tokens["access_token"])
    town.userinfo("x" * 43)
    town.refresh(town.library, "x" * 43)
    town.call("/token", town.service, {"grant_type": "client_credentials"})
    assert _releases(town) == [ID_TOKEN]


def test_only_what_was_really_there_is_written_down(town: Town) -> None:
    """Jun has no family name on file: the name is what there is; an e-mail that was not ticked is not released."""
    tokens = town.tokens(town.library, town.jun, "openid profile")
    assert town.userinfo(tokens["access_token"]).json["name"] == "Jun"
    assert _releases(town)[-1] == ("userinfo", ["name", "updated_at"])


def test_a_token_without_openid_hands_over_no_id_token(town: Town) -> None:
    """Narrowed to a resource alone, there is no ID token and so no release of one."""
    tokens = town.tokens(town.library, town.maria, SCOPE)
    town.refresh(town.library, tokens["refresh_token"], scope="profile")
    assert [kind for kind, _ in _releases(town)] == ["id_token"]


def test_parallel_first_looks_on_two_nodes_are_one_release(town: Town) -> None:
    """Exactly once, also when ten callers in two processes are first at the same time."""
    with two_nodes(town) as nodes:
        for turn in range(1, 4):
            token = town.tokens(town.library, town.maria)["access_token"]
            replies = nodes.all_at_once(Request("/userinfo", {"access_token": token}), int(town.clock()))
            assert {reply.status for reply in replies} == {200}
            assert [kind for kind, _ in _releases(town)].count("userinfo") == turn


@pytest.mark.parametrize("value", ["Maria", "Okafor", "maria@example.org"])
def test_no_value_is_ever_written_down(town: Town, value: str) -> None:
    """Art. 5(1)(c): the names of the claims, never what they say."""
    town.userinfo(town.tokens(town.library, town.maria)["access_token"])
    for row in (*town.rows(Release), *town.rows(LogEntry)):
        assert value not in str(vars(row))
