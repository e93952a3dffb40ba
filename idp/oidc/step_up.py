"""How well a resident must have proved who they are for a request, and what is still owed; pure.

The level comes from four places: what the client and its purposes are registered with (`minimum_acr`,
`purpose_acr`), what the request makes essential (`claims`, OIDC Core §5.5.1.1), what it likes (`acr_values`, a
voluntary claim) and what the client likes by default. The first two are rules: below them nothing is answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from idp.clients.rules import highest_level
from idp.login.levels import BASIC, PHR, Method, common_root, level_of, rank, reaches, typical

if TYPE_CHECKING:
    from collections.abc import Collection

    from idp.clients.registry import Client
    from idp.login.sessions import SignedIn
    from idp.login.ways import Found
    from idp.oidc.provider import ClientPurposes
    from idp.oidc.request import AuthorizationRequest


@dataclass(frozen=True, slots=True)
class Demand:
    """What a sign-in must be worth. `firm` must be reached, `liked` is worth trying; "" for nothing in particular."""

    firm: str
    liked: str
    #: The values of which one must be stated, best liked first; empty when the request named none as essential.
    stated: tuple[str, ...]
    max_age: int | None

    @property
    def can_be_met(self) -> bool:
        """Whether any sign-in could meet it: not when every value is below what the client is registered with."""
        return self.firm == "" or not self.stated or any(reaches(one, self.firm) for one in self.stated)

    def lacks(self, acr: str, *, keeps_level: bool = False) -> str:
        """The level that a session of this one must still reach, or that is worth trying; "" for none."""
        if self.firm and not reaches(acr, self.firm):
            return self.firm
        return self.liked if self.liked and not keeps_level and not reaches(acr, self.liked) else ""


class Owed(Enum):
    """What a resident owes before a request can be answered."""

    NOTHING = "nothing"
    #: The session lacks the level and nothing else, so that what it proved counts.
    LEVEL = "a higher level"
    SIGN_IN = "a sign-in of its own"


def minimum_acr(client: Client, purposes: ClientPurposes, claims: Collection[str]) -> str:
    """The level below which a client is not answered: its own, or that of a purpose for which these claims stand.

    A purpose without claims is always meant.
    """
    if not client.purpose_acr:
        return client.minimum_acr
    meant = (
        client.purpose_acr[one.key]
        for one in purposes.purposes
        if one.key in client.purpose_acr
        and (not one.terms.claims or any(claim in claims for claim in one.terms.claims))
    )
    return highest_level((client.minimum_acr, *meant))


def demand_of(client: Client, request: AuthorizationRequest, minimum: str) -> Demand:
    """What a request of a client demands, with what the client is registered with."""
    liked = request.acr_values or client.default_acr_values
    firm = minimum if minimum != BASIC else ""
    if request.essential_acr:
        firm = highest_level((minimum, min(request.essential_acr, key=rank)))
    return Demand(
        firm=firm,
        liked=min(liked, key=rank, default=""),
        stated=request.essential_acr,
        max_age=request.max_age if request.max_age is not None else client.default_max_age,
    )


def owed(
    request: AuthorizationRequest,
    demand: Demand,
    session: SignedIn | None,
    *,
    signed_in_at: int | None,
    strong_for: int,
    now: int,
    keeps_level: bool = False,
) -> Owed:
    """What must happen before this request can be answered by this session.

    `signed_in_at` is when the resident signed in for this very request. `prompt=login`, `select_account` and
    `max_age=0` ask for that; another `max_age` is met by it, or by a sign-in that is young enough (OIDC Core
    §3.1.2.1). A firm level above basic counts for `strong_for` seconds. With `keeps_level` nobody is asked for a
    level that is only liked.
    """
    if session is None:
        return Owed.SIGN_IN
    age = now - session.authenticated_at
    is_own = signed_in_at is not None and session.authenticated_at >= signed_in_at
    if not is_own and (
        _asks_for_own(request, demand) or (demand.max_age is not None and age > demand.max_age)
    ):
        return Owed.SIGN_IN
    if not is_own and age > strong_for and rank(demand.firm) > rank(BASIC):
        return Owed.SIGN_IN
    if demand.lacks(session.acr, keeps_level=keeps_level):
        return Owed.LEVEL
    return Owed.NOTHING


def _asks_for_own(request: AuthorizationRequest, demand: Demand) -> bool:
    return "login" in request.prompt or "select_account" in request.prompt or demand.max_age == 0


def stated_acr(demand: Demand, acr: str) -> str:
    """The `acr` of the answer: of essential values the best liked one that was reached, else what was proved.

    Never more than was proved (OIDC Core §2), and never less than the client is registered with.
    """
    fit = (
        one for one in demand.stated if reaches(acr, one) and (not demand.firm or reaches(one, demand.firm))
    )
    return next(fit, acr)


def can_reach(found: Found, wanted: str) -> bool:
    """Whether somebody with these ways to sign in could ever reach a level."""
    return reaches(level_of([found.would_prove(method) for method in found.enrolled]), wanted)


class Missing(Enum):
    """What somebody would have to add to reach a level that they have no way to."""

    PASSKEY = "passkey"
    #: Their codes would do beside a password.
    PASSWORD = "password"  # noqa: S105 - a name
    #: They have a password and codes, and it rests on those.
    OTHER_CODES = "other codes"
    SECOND = "second"


def missing(found: Found, wanted: str) -> Missing:
    """What to advise whoever cannot reach a level."""
    if wanted == PHR:
        return Missing.PASSKEY
    if Method.PASSWORD in found.enrolled:
        proofs = [typical(method) for method in found.enrolled]
        return Missing.OTHER_CODES if reaches(level_of(proofs), wanted) else Missing.SECOND
    would_rest_on = common_root([typical(method) for method in found.alone | found.owed])
    with_password = [typical(method, would_rest_on) for method in {*found.enrolled, Method.PASSWORD}]
    return Missing.PASSWORD if reaches(level_of(with_password), wanted) else Missing.SECOND


def lacking(minimum: str, acr: str) -> str:
    """The level that a token's sign-in lacks for what its client is registered with today (RFC 9470 §3); "" for none.

    How old it was is judged where it is asked for, and nowhere else: `max_age` and `default_max_age` speak of the
    request, and with `offline_access` a client reads when nobody is there (OIDC Core §11).
    """
    return "" if minimum == BASIC or reaches(acr, minimum) else minimum
