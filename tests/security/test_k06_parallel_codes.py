"""K06: one code, many callers on two nodes: one of them gets tokens, and a later replay takes them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from joserfc.jwk import ECKey

from idp.oidc.models import Authorization
from tests.support.nodes import NODES, THREADS, Request, another_node, two_nodes
from tests.support.proving import dpop
from tests.support.settled import SCOPE
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.support.proving import Proving
    from tests.support.settled import Settled
    from tests.support.town import Partner, Town

ROUNDS = 3


def _redeeming(partner: Partner, code: str, proof: Proof) -> Request:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": partner.redirect_uri,
        "code_verifier": proof.verifier,
    }
    return Request("/token", *partner.authentication(form))


def test_of_parallel_redemptions_on_two_nodes_exactly_one_succeeds(town: Town) -> None:
    """RFC 6749 §4.1.2, ASVS 10.4.2; on both engines, nine rounds of ten callers in two processes, of every kind of client."""
    browser, partners = town.browser(), (town.library, town.tax, town.public)
    for partner in partners:
        browser.code(partner, town.maria, SCOPE, Proof())
    with two_nodes(town) as nodes:
        for partner in partners * ROUNDS:
            proof = Proof()
            code = browser.code(partner, town.maria, SCOPE, proof)
            replies = nodes.all_at_once(_redeeming(partner, code, proof), int(town.clock()))
            assert sorted(reply.status for reply in replies) == [200] + [400] * (NODES * THREADS - 1)
            assert {r.body["error"] for r in replies if r.status == 400} == {"invalid_grant"}
            tokens = next(reply.body for reply in replies if reply.status == 200)
            assert town.redeem(partner, code, proof).json["error"] == "invalid_grant"
            assert town.userinfo(tokens["access_token"]).status_code == 401
            if partner is not town.public:  # which cannot ask
                assert town.introspect(partner, tokens["access_token"]).json == {"active": False}
            assert town.refresh(partner, tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert sum(row.spent_at is not None for row in town.rows(Authorization)) == len(partners) * ROUNDS


def test_of_parallel_redemptions_by_a_fapi_client_exactly_one_succeeds(proving: Proving) -> None:
    """FAPI 2.0 §5.3.2.1: each caller with an assertion and a proof of its own, so that nothing but the code is spent."""
    town, prover = proving.town, proving.provers["fapi"]
    key, now = ECKey.generate_key("P-256"), int(town.clock())
    with two_nodes(town) as nodes:
        for _ in range(ROUNDS):
            proof = Proof()
            code = proving.pushed_code(prover, proof)
            form = {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": prover.partner.redirect_uri,
                "code_verifier": proof.verifier,
            }
            requests = [
                Request("/token", prover.form(now, form), {"DPoP": dpop(key, now=now)})
                for _ in range(NODES * THREADS)
            ]
            replies = nodes.each_at_once(requests, now)
            assert sorted(r.status for r in replies) == [200] + [400] * (NODES * THREADS - 1), replies
            assert {r.body["error"] for r in replies if r.status == 400} == {"invalid_grant"}


def test_of_parallel_redemptions_after_another_sign_in_exactly_one_succeeds(town: Town) -> None:
    """The session of the code has ended and another stands in its place, so that it is spent by another statement."""
    browser = town.browser()
    browser.code(town.library, town.maria, SCOPE, Proof())
    with two_nodes(town) as nodes:
        for _ in range(ROUNDS):
            proof = Proof()
            code = browser.code(town.library, town.maria, SCOPE, proof)
            browser.code(town.tax, town.maria, "openid email", Proof(), prompt="login")
            replies = nodes.all_at_once(_redeeming(town.library, code, proof), int(town.clock()))
            assert sorted(reply.status for reply in replies) == [200] + [400] * (NODES * THREADS - 1)
            tokens = next(reply.body for reply in replies if reply.status == 200)
            assert town.userinfo(tokens["access_token"]).status_code == 401, "the others were replays"


def test_replaying_a_code_kills_what_was_made_of_it(settled: Settled) -> None:
    """RFC 6749 §4.1.2: whoever holds them, the rightful client or the thief."""
    town, proof = settled.town, Proof()
    code = settled.code(town.library, proof)
    tokens = town.redeem(town.library, code, proof).json
    later = town.refresh(town.library, tokens["refresh_token"]).json
    assert all(settled.is_alive(town.library, later).values())
    assert settled.is_alive(town.library, tokens)["userinfo"]
    answer = town.redeem(town.library, code, proof)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    assert not any(settled.is_alive(town.library, tokens).values())
    assert not any(settled.is_alive(town.library, later).values())
    assert town.refresh(town.library, later["refresh_token"]).json["error"] == "invalid_grant"


def test_replaying_it_kills_no_other_familys_tokens(settled: Settled) -> None:
    """A replay ends one run through the authorization endpoint, not what the resident agreed to."""
    town, proof = settled.town, Proof()
    others = settled.tokens(town.library)
    code = settled.code(town.library, proof)
    for _ in range(2):
        town.redeem(town.library, code, proof)
    assert all(settled.is_alive(town.library, others).values())


def test_a_restarted_or_second_node_knows_that_a_code_is_spent(town: Town) -> None:
    """Nothing about codes is kept in memory."""
    proof = Proof()
    code = town.browser().code(town.library, town.maria, SCOPE, proof)
    tokens = town.redeem(town.library, code, proof).json
    with another_node(town) as other:
        assert other.redeem(town.library, code, proof).json["error"] == "invalid_grant"
    assert town.userinfo(tokens["access_token"]).status_code == 401


def test_a_replay_long_after_the_code_expired_still_kills_the_tokens(town: Town) -> None:
    """The thief may be the slow one: a spent code stays recognisable beyond its minute."""
    proof = Proof()
    code = town.browser().code(town.library, town.maria, SCOPE, proof)
    tokens = town.redeem(town.library, code, proof).json
    town.clock.advance(120)
    assert town.userinfo(tokens["access_token"]).status_code == 200
    assert town.redeem(town.library, code, proof).json["error"] == "invalid_grant"
    assert town.userinfo(tokens["access_token"]).status_code == 401


def test_a_code_lives_for_its_minute_and_not_one_second_longer(town: Town) -> None:
    """RFC 6749 §4.1.2, FAPI 2.0: at most 60 seconds; K40: an instant equal to the end is the end."""
    browser = town.browser()
    for wait, expected in ((59, 200), (60, 400), (61, 400)):
        proof = Proof()
        code = browser.code(town.library, town.maria, SCOPE, proof)
        town.clock.advance(wait)
        assert town.redeem(town.library, code, proof).status_code == expected


@pytest.mark.parametrize("error", [-30, 30, -3600])
def test_no_clock_revives_a_spent_code(town: Town, error: int) -> None:
    """K40: whatever a node takes for the time, a code that was spent stays spent."""
    proof = Proof()
    code = town.browser().code(town.library, town.maria, SCOPE, proof)
    tokens = town.redeem(town.library, code, proof).json
    town.clock.advance(error)
    assert town.redeem(town.library, code, proof).json["error"] == "invalid_grant"
    assert town.userinfo(tokens["access_token"]).status_code == 401
