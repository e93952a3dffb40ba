"""K14: one refresh token, many callers on two nodes.

Exactly one of them gets new tokens; the others are told `invalid_grant`, and because a token was then used
twice, the family ends: the winner's tokens are dead as well, and the resident signs in again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from idp.oidc.models import Authorization, RefreshToken
from tests.support.nodes import NODES, THREADS, Request, two_nodes
from tests.support.settled import SCOPE
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.support.town import Town

ROUNDS = 5


def _live_descendants(town: Town) -> int:
    """Refresh tokens that could still be used, counted in the database."""
    alive = (
        select(func.count())
        .select_from(RefreshToken)
        .join(Authorization, Authorization.id == RefreshToken.authorization_id)
        .where(RefreshToken.spent_at.is_(None), Authorization.revoked_at.is_(None))
    )
    with town.context.database.reading() as session:
        return int(session.execute(alive).scalar_one())


def test_parallel_refreshes_on_two_nodes_leave_never_two_descendants(town: Town) -> None:
    """CVE-2026-1035; RFC 9700 §4.14.2; on both engines, ten rounds of ten callers in two processes, however they prove themselves."""
    browser = town.browser()
    with two_nodes(town) as nodes:
        for partner in (town.library, town.tax) * ROUNDS:
            proof = Proof()
            code = browser.code(partner, town.maria, SCOPE, proof)
            first = town.redeem(partner, code, proof).json
            form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
            request = Request("/token", *partner.authentication(form))
            replies = nodes.all_at_once(request, int(town.clock()))
            assert sorted(reply.status for reply in replies) == [200] + [400] * (NODES * THREADS - 1)
            assert {r.body["error"] for r in replies if r.status == 400} == {"invalid_grant"}
            assert _live_descendants(town) == 0
            won = next(reply.body for reply in replies if reply.status == 200)
            for tokens in (first, won):
                assert town.userinfo(tokens["access_token"]).status_code == 401
                assert town.refresh(partner, tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_refreshing_one_after_the_other_leaves_one_descendant(town: Town) -> None:
    """Against refusing everything: without a race the chain goes on, one live token at a time."""
    tokens = town.tokens(town.library, town.maria, SCOPE)
    for _ in range(3):
        assert _live_descendants(town) == 1
        tokens = town.refresh(town.library, tokens["refresh_token"]).json
    assert town.userinfo(tokens["access_token"]).status_code == 200
