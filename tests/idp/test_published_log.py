"""The published log: what anybody may fetch, as C2SP tlog-tiles lays it out."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from consent import log, models
from consent.log import tiles
from consent.log.entries import INSERT_ENTRY
from consent.log.policy import parse
from idp.upkeep import integrate_log
from tests.consent.town import filler
from tests.support.town import ISSUER

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.town import Town

SIZE = 600


@pytest.fixture
def published(town_both_ways: Town) -> Town:
    """A town whose log has two full tiles and a bit."""
    town = town_both_ways
    now = int(town.clock())
    with town.context.database.transaction() as session:
        session.execute(INSERT_ENTRY, filler(0, SIZE, now))
    integrate_log(town.context, now=now)
    return town


def get(town: Town, path: str, method: str = "GET", **headers: str) -> TestResponse:
    client = town.app.test_client(use_cookies=False)
    return client.open(f"/log/{path}", method=method, base_url=ISSUER, headers=headers)


def head_of(town: Town) -> log.Checkpoint:
    vkeys = get(town, "vkey").text.split()
    return log.open_checkpoint(get(town, "checkpoint").text, *vkeys)


def test_the_checkpoint_is_signed_and_never_cached(published: Town) -> None:
    """tlog-tiles, "Checkpoints": text/plain, origin is the address without its scheme, no caching."""
    answer = get(published, "checkpoint")
    assert (answer.status_code, answer.content_type) == (200, "text/plain; charset=utf-8")
    assert answer.headers["Cache-Control"] == "no-store"
    assert head_of(published).origin == ISSUER.partition("://")[2] + "/log"
    assert head_of(published).size > SIZE


def test_the_tree_can_be_recomputed_from_what_is_published(published: Town) -> None:
    """An auditor's routine: entries to tiles to root, by HTTP alone."""
    head = head_of(published)
    frontier = log.Frontier()
    full, partial = divmod(head.size, 256)
    for index in range(full + bool(partial)):
        width = partial if index == full else 0
        entries = tiles.unbundled(get(published, tiles.tile_path("entries", index, width)).data)
        leaves = [log.leaf_hash(entry) for entry in entries]
        assert get(published, tiles.tile_path(0, index, width)).data == b"".join(leaves)
        for leaf in leaves:
            frontier.push(leaf)
    assert (frontier.size, frontier.root()) == (head.size, head.root)
    above = get(published, tiles.tile_path(1, 0, full)).data
    first = tiles.unbundled(get(published, "tile/entries/000").data)
    assert above[:32] == log.root_hash(map(log.leaf_hash, first))


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/001.p/3", "tile/1/000.p/2", "tile/entries/000"])
def test_tiles_are_kept_by_caches_for_good(published: Town, path: str) -> None:
    """tlog-tiles: immutable, application/octet-stream; readable by any page, and HEAD says the same."""
    answer = get(published, path)
    assert (answer.status_code, answer.content_type) == (200, "application/octet-stream")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    head = get(published, path, "HEAD")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(answer.data))


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/003",
        "tile/0/002",  # not full yet
        "tile/0/002.p/255",
        "tile/1/000",
        "tile/2/000.p/1",
        "tile/entries/009.p/1",
        "tile/0/0",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/64/000",
        "tile/x/000",
        "tile/0/x000/000",
        "tile/entries/000.p/1.p/1",
        "tile/0/999999999999999999999999",
        "tile/0/x999/x999/x999/x999/x999/999",
    ],
)
def test_what_is_no_tile_is_not_found_in_plain_text(published: Town, path: str) -> None:
    """And a 404 is not cached: the tile may exist in a moment."""
    answer = get(published, path)
    assert (answer.status_code, answer.content_type) == (404, "text/plain; charset=utf-8")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("", False), ("br", False), ("gzip;q=0", False)],
)
def test_entries_are_compressed_for_whoever_asks(published: Town, accepted: str, *, zipped: bool) -> None:
    """tlog-tiles, "Log entries": compressed at the HTTP layer."""
    plain = get(published, "tile/entries/000").data
    answer = get(published, "tile/entries/000", **{"Accept-Encoding": accepted})
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers.get("Content-Encoding") == ("gzip" if zipped else None)
    assert (gzip.decompress(answer.data) if zipped else answer.data) == plain
    if zipped:
        assert len(answer.data) < len(plain) * 0.75


def test_the_key_that_signs_now_comes_first(published: Town) -> None:
    """Behind it those that signed before, which open older checkpoints, and the one that will sign next."""
    vkeys = get(published, "vkey").text.split()
    assert log.open_checkpoint(get(published, "checkpoint").text, vkeys[0]).size == head_of(published).size
    assert {one.split("+")[0] for one in vkeys} == {head_of(published).origin}


def test_the_policy_names_the_log_and_asks_for_no_witness(published: Town) -> None:
    """tlog-policy; with witnesses in the settings see test_witness_client."""
    found = parse(get(published, "policy").text)
    assert [one.vkey for one in found.logs] == get(published, "vkey").text.split()
    assert found.logs[0].url == f"{ISSUER}/log"
    assert found.judge(get(published, "checkpoint").text).is_met


def test_cosignatures_stand_below_the_checkpoint(published: Town) -> None:
    """tlog-checkpoint: further signature lines; the note stays one that the log has signed."""
    size = head_of(published).size
    with published.context.database.transaction() as session:
        session.execute(
            insert(models.table(models.LogCosignature)).values(
                tree_size=size, name="witness.example", line="— witness.example jWbPPw==", at=1
            )
        )
    assert get(published, "checkpoint").text.endswith("\n— witness.example jWbPPw==\n")
    assert head_of(published).size == size


def test_an_empty_log_has_no_checkpoint_yet(town: Town) -> None:
    answer = get(town, "checkpoint")
    assert (answer.status_code, answer.text) == (404, "The log is empty.\n")


def test_nothing_published_is_about_a_person(published: Town) -> None:
    """Entries are version, kind, hour and commitment."""
    for index in range(2):
        for entry in tiles.unbundled(get(published, tiles.tile_path("entries", index)).data):
            assert entry.startswith(b'{"at_hour":')
            assert published.maria.resident_id.encode() not in entry


def test_health_says_how_far_the_log_is_behind(town: Town) -> None:
    """Seconds since the oldest entry began to wait for its place; 0 once all have theirs."""
    integrate_log(town.context, now=int(town.clock()))
    client = town.app.test_client()
    assert client.get("/health", base_url=ISSUER).json == {"status": "ok", "log_lag": 0}
    town.tokens(town.library, town.maria)
    town.clock.advance(90)
    assert client.get("/health", base_url=ISSUER).json["log_lag"] >= 90
    integrate_log(town.context, now=int(town.clock()))
    assert client.get("/health", base_url=ISSUER).json["log_lag"] == 0
