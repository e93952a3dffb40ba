"""What may be tried how often; pure."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from idp.login.rules import around

#: The length of the windows in which failures of a source, a name and the town are counted, in seconds.
WINDOW_FOR = 900
#: The town's count is kept in so many parts, by source: no sign-in waits for another's row, and an attack from few
#: places slows down only what shares its part.
TOWN_PARTS = 16
#: All sources of an IPv6 /48 together have so many times what one of them has: it is one customer's, or the telephones of
#: a whole neighbourhood.
WIDE = 10


@dataclass(frozen=True, slots=True)
class Limit:
    """So many guesses within one window, in seconds."""

    name: str
    guesses: int
    window_for: int


#: Who asks too often has to wait. How much reaches a mailbox in all is limited where messages leave.
MAIL_PER_ADDRESS = Limit("mail-address", 3, 3600)
MAIL_PER_ASKER = Limit("mail-source", 20, 3600)


def mail_asked(asker: str, address: str) -> tuple[tuple[Limit, str], ...]:
    """In what a request counts that writes to an address which anybody may name; `asker` is who makes it (`steps.asker`).

    The address counts for this asker alone: nobody uses up anything of its owner's (K28).
    """
    return (MAIL_PER_ASKER, asker), (MAIL_PER_ADDRESS, f"{address} {asker}")


@dataclass(frozen=True, slots=True)
class Pauses:
    """How consecutive failures of one authenticator are answered: free ones, then pauses that double, then no more at all."""

    pool: str
    free: int
    first_for: int
    longest_for: int
    cap: int

    @property
    def doublings(self) -> int:
        """After so many doublings the pause is the longest."""
        return max(0, (self.longest_for // self.first_for).bit_length())


#: 70 and 30 are the 100 consecutive failures that an authenticator has in its life (NIST SP 800-63B-4 §3.2.2).
#: One source alone never brings a pause about within a window, not even by two names of one resident; with three it takes
#: all thirty, and strangers wait half a minute.
#: Strangers can use up theirs; the owner's own devices keep theirs, and a right answer gives both back.
STRANGERS = Pauses("strangers", free=30, first_for=30, longest_for=3600, cap=70)
OWN_DEVICES = Pauses("own-devices", free=10, first_for=30, longest_for=900, cap=30)
POOLS = (STRANGERS, OWN_DEVICES)


@dataclass(frozen=True, slots=True)
class Plan:
    """The budgets of one kind of secret in one window. `source` None takes the town's own setting."""

    each: int | None = 10
    source: int | None = None
    #: The count of the town in which it counts, if any: what anybody may try uses up nobody's passwords.
    town: str = ""
    is_capped: bool = True


#: A second factor is tried by somebody who knows the first, so it counts nothing for the town.
PLANS: dict[str, Plan] = {
    "password": Plan(town="town"),
    "card-pin": Plan(each=5, town="town"),
    "totp": Plan(),
    "mail-code": Plan(),
    "sms-code": Plan(),
    "recovery-code": Plan(),
    "paper-code": Plan(),
    "recover": Plan(each=5),
    # Nobody's in particular, so only where it comes from counts, and how many there are in all (RFC 8628 §5.1).
    "device-code": Plan(each=None, source=20, town="town-device-code", is_capped=False),
    # Nor is this a secret of ours: made-up codes stop here, before their provider shuts out the whole town for them.
    "upstream": Plan(each=None, source=100, is_capped=False),
    "staff-password": Plan(source=50),
    "staff-code": Plan(source=50),
}


@dataclass(frozen=True, slots=True)
class Guess:
    """One try at a secret: of what kind, whose, under which name, from where.

    `authenticator` names the secret itself, so that all names of a resident share its budget; None when there is
    none, which costs and shows the same. `device` is set on a device that its owner signed in with before.
    """

    kind: str
    authenticator: str | None
    name: str
    network: str
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the secret may be looked at; else after how many seconds, or never again (`is_spent`)."""

    ok: bool
    retry_after: int = 0
    is_spent: bool = False

    def __bool__(self) -> bool:
        return self.ok


#: What somebody is told to wait whose authenticator has no guess left; it says the same to everybody.
SPENT_RETRY_AFTER = 3600
PASSED = Verdict(ok=True)


@dataclass(frozen=True, slots=True)
class Count:
    """One window to count in."""

    limit: Limit
    bucket: str


@dataclass(frozen=True, slots=True)
class Streak:
    """The consecutive failures to count in."""

    pauses: Pauses
    bucket: str
    is_stand_in: bool


def count_in(key: bytes, limit: Limit, *parts: str) -> Count:
    """The window of these parts; they are hashed under our key, never kept."""
    return Count(limit, f"{limit.name}:{_keyed(key, *parts)}")


def counts_in(key: bytes, limit: Limit, part: str) -> list[Count]:
    """The same, and where that part is an IPv6 source, the window of the /48 around it."""
    narrow, wider = count_in(key, limit, part), around(part)
    if wider == part:
        return [narrow]
    wide = Limit(f"{limit.name}-48", limit.guesses * WIDE, limit.window_for)
    return [narrow, count_in(key, wide, wider)]


def counts_of(key: bytes, guess: Guess, *, per_source: int, per_town: int) -> list[Count]:
    """The windows a guess counts in, the narrow ones first: what is refused there costs nobody else anything (K28).

    Always in the same order, so that no two wait for each other's row.
    """
    plan, kind = PLANS[guess.kind], guess.kind
    if guess.device is not None:
        own = Limit(f"{kind}-device", 10, WINDOW_FOR)
        return [count_in(key, own, guess.authenticator or "", guess.device)]
    source = Limit(f"{kind}-source", plan.source or per_source, WINDOW_FOR)
    counts = counts_in(key, source, guess.network)
    if plan.each is not None:
        pair = Limit(f"{kind}-name", plan.each, WINDOW_FOR)
        counts.append(count_in(key, pair, guess.name, guess.network))
    if plan.town:
        part = int(_keyed(key, "part", around(guess.network))[:4], 16) % TOWN_PARTS
        counts.append(count_in(key, Limit(plan.town, per_town // TOWN_PARTS, WINDOW_FOR), str(part)))
    return counts


def streak_of(key: bytes, guess: Guess) -> Streak | None:
    """The consecutive failures a guess counts in; one of a name without an account stands in for its authenticator."""
    if not PLANS[guess.kind].is_capped:
        return None
    pauses = STRANGERS if guess.device is None else OWN_DEVICES
    is_stand_in = guess.authenticator is None
    whose = f"nobody {guess.name}" if is_stand_in else guess.authenticator or ""
    return Streak(pauses, streak_bucket(key, guess.kind, whose, pauses), is_stand_in)


def streak_bucket(key: bytes, kind: str, authenticator: str, pauses: Pauses) -> str:
    """The name of the row that counts the consecutive failures of an authenticator in one pool."""
    return f"{kind}:{pauses.pool}:{_keyed(key, kind, authenticator)}"


def window_at(limit: Limit, now: int) -> int:
    """Where the present window of a limit began."""
    return now - now % limit.window_for


def _keyed(key: bytes, *parts: str) -> str:
    return hmac.new(key, chr(0).join(parts).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
