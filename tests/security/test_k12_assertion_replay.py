"""K12: an assertion is used once: by one of many callers, on any node, also after a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from idp.oidc.models import AccessToken, UsedOnce
from idp.upkeep import purge
from tests.support.nodes import NODES, THREADS, Request, another_node, two_nodes
from tests.support.proving import dpop, key_for
from tests.support.settled import footprint
from tests.support.town import Proof

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.proving import Proving

ROUNDS = 5
OWN = {"grant_type": "client_credentials"}


def _tokens(proving: Proving) -> int:
    with proving.town.context.database.reading() as session:
        return int(session.execute(select(func.count()).select_from(AccessToken)).scalar_one())


def test_one_assertion_gives_one_token_whoever_sends_it_when(proving: Proving) -> None:
    """CVE-2020-5300, CVE-2026-90997: ten callers in two processes, one success a round."""
    prover = proving.provers["pkjwt"]
    with two_nodes(proving.town) as nodes:
        for _ in range(ROUNDS):
            before = _tokens(proving)
            request = Request("/token", prover.form(proving.now, OWN))
            replies = nodes.all_at_once(request, int(proving.now))
            assert sorted(reply.status for reply in replies) == [200] + [401] * (NODES * THREADS - 1)
            assert {r.body["error"] for r in replies if r.status == 401} == {"invalid_client"}
            assert _tokens(proving) == before + 1


def test_one_proof_gives_one_token_whoever_sends_it_when(proving: Proving) -> None:
    """RFC 9449 §11.1: a proof is spent as an assertion is."""
    town, key = proving.town, key_for("ES256", "racing")
    form, basic = town.service.authentication(OWN)
    with two_nodes(town) as nodes:
        for _ in range(ROUNDS):
            request = Request("/token", form, {**basic, "DPoP": dpop(key, now=proving.now)})
            replies = nodes.all_at_once(request, int(proving.now))
            assert sorted(reply.status for reply in replies) == [200] + [400] * (NODES * THREADS - 1)
            assert {r.body["error"] for r in replies if r.status == 400} == {"invalid_dpop_proof"}


def test_a_used_assertion_stays_used_on_another_node_and_after_a_restart(proving: Proving) -> None:
    """Nothing is kept in memory; the same jti of another client is another one."""
    first, other = proving.provers["pkjwt"], proving.provers["secretjwt"]
    form = first.form(proving.now, OWN, jti="same-jti")
    assert proving.post("/token", form).status_code == 200
    with another_node(proving.town) as node:
        answer = node.app.test_client(use_cookies=False).post(
            "/token", data=form, base_url="https://id.riverton.example"
        )
        assert answer.json["error"] == "invalid_client"
    again = first.form(proving.now, OWN, jti="same-jti", exp=int(proving.now) + 300)
    assert proving.post("/token", again).json["error"] == "invalid_client"
    assert proving.post("/token", other.form(proving.now, OWN, jti="same-jti")).status_code == 200


def test_an_assertion_that_is_refused_for_another_reason_is_not_spent(proving: Proving) -> None:
    """Nobody can use up the jti of somebody else without the key."""
    prover = proving.provers["pkjwt"]
    good = prover.form(proving.now, OWN, jti="guarded")
    forged = {**good, "client_assertion": good["client_assertion"][:-6] + "AAAAAA"}
    assert proving.post("/token", forged).json["error"] == "invalid_client"
    assert proving.post("/token", good).status_code == 200


@pytest.mark.parametrize("path", ["/token", "/par"])
def test_an_assertion_is_good_for_the_nonce_that_its_proof_lacked_and_for_nothing_more(
    proving: Proving, path: str
) -> None:
    """RFC 9449 §8: some clients send the same one again with the nonce they are told; nothing was made before that."""
    prover, key = proving.provers["pkjwt"], key_for("ES256", "retrying")
    wanted = OWN if path == "/token" else prover.partner.request("openid", Proof())
    form = prover.form(proving.now, wanted)

    def send(**change: Any) -> TestResponse:
        return proving.post(path, form, {"DPoP": dpop(key, now=proving.now, path=path, **change)})

    before = footprint(proving.town)
    refused = send(nonce="old")
    assert (refused.status_code, refused.json["error"]) == (400, "use_dpop_nonce")
    assert send(alg="ES256", iat=1).json["error"] == "invalid_dpop_proof"
    assert footprint(proving.town) == before
    nonce = refused.headers["DPoP-Nonce"]
    assert send(nonce=nonce).status_code == (200 if path == "/token" else 201)
    for again in (nonce, None):
        answer = send(nonce=again)
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert send(nonce="old").json["error"] == "use_dpop_nonce"


def test_used_ones_are_forgotten_only_when_they_are_too_old_in_any_case(proving: Proving) -> None:
    """The table does not grow for ever, and what is cleared away cannot be used again."""
    town, prover = proving.town, proving.provers["pkjwt"]
    form = prover.form(proving.now, OWN, exp=int(proving.now) + 300)
    assert proving.post("/token", form).status_code == 200
    began = town.clock.at
    until = int(began) + 300 + 60
    try:
        town.clock.advance(300 + 60 + 3599)
        purge(town.context, now=int(town.clock()))
        assert [row for row in town.rows(UsedOnce) if row.expires_at <= until]
        town.clock.advance(2)
        purge(town.context, now=int(town.clock()))
        assert not [row for row in town.rows(UsedOnce) if row.expires_at <= until]
        assert proving.post("/token", form).json["error"] == "invalid_client"
    finally:
        town.clock.at = began


def test_a_used_one_stays_used_when_the_clock_is_set_back_an_hour(proving: Proving) -> None:
    """K40: however much was cleared away meanwhile; the assertion is young again, and known."""
    town, prover = proving.town, proving.provers["pkjwt"]
    form = prover.form(proving.now, OWN, exp=int(proving.now) + 60)
    proof = {**town.service.authentication(OWN)[1], "DPoP": dpop(key_for("ES256"), now=proving.now)}
    assert proving.post("/token", form).status_code == 200
    assert proving.post("/token", OWN, proof).status_code == 200
    began = town.clock.at
    try:
        town.clock.advance(3600)
        purge(town.context, now=int(town.clock()))
        town.clock.advance(-3600)
        assert proving.post("/token", form).json["error"] == "invalid_client"
        assert proving.post("/token", OWN, proof).json["error"] == "invalid_dpop_proof"
    finally:
        town.clock.at = began
