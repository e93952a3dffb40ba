"""What counts may show, who asks for more than others, and how long there is to report an incident; pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

#: A count below this may reveal a person; it is shown as "fewer than" this.
SMALL: Final = 5
#: A controller reports a breach within 72 hours of having become aware of it (GDPR Art. 33(1)).
REPORT_WITHIN: Final = 72 * 3600
AGREED, REFUSED, WITHDRAWN = "agreed", "refused", "withdrawn"
KINDS: Final = (AGREED, REFUSED, WITHDRAWN)
#: What each event counts as; others are no choice of the person's.
KIND_OF: Final = {
    "given": AGREED,
    "renewed": AGREED,
    "narrowed": AGREED,
    "refused": REFUSED,
    "withdrawn": WITHDRAWN,
}
#: So many purposes of the same kind it takes to speak of peers.
_PEERS: Final = 3
#: A claim is unusual when fewer than this share of the peers ask for it.
_USUAL: Final = 1 / 3


@dataclass(frozen=True, slots=True)
class Asking:
    """One purpose as it is compared: whose, on which basis, and the claims it asks for."""

    purpose_id: str
    client_id: str
    basis: str
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OverAsking:
    """A purpose that asks for more than its peers, and what shows it.

    ``usual`` is the median number of claims of the peers, ``unusual`` the claims that hardly any of them asks for.
    """

    asking: Asking
    peers: int
    usual: float
    unusual: tuple[str, ...]


def shown_count(number: int) -> int | None:
    """The count where it may be shown, None where it is small enough to reveal a person. Nobody is nobody: 0 stays."""
    return number if number == 0 or number >= SMALL else None


def shown_counts(counts: Mapping[str, int]) -> dict[str, int | None]:
    """The counts of one row as they may be shown."""
    return {name: shown_count(number) for name, number in counts.items()}


def month_of(day: int) -> str:
    """The month (UTC, as 2026-11) of a day, counted since 1970."""
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m")


def months(since: int, until: int) -> list[str]:
    """Every month from one instant to another, which is excluded."""
    first, last = (datetime.fromtimestamp(at, UTC) for at in (since, max(since, until - 1)))
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    numbers = (first.year * 12 + first.month - 1 + step for step in range(count))
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in numbers]


def by_month(counts: Iterable[tuple[str, int, int]], wanted: Sequence[str]) -> dict[str, dict[str, int]]:
    """Counts of (event, day, number) folded to month and kind of choice; every month wanted is there."""
    folded = {month: dict.fromkeys(KINDS, 0) for month in wanted}
    for event, day, number in counts:
        month = month_of(day)
        if event in KIND_OF and month in folded:
            folded[month][KIND_OF[event]] += number
    return folded


def over_asking(askings: Collection[Asking]) -> list[OverAsking]:
    """Purposes that ask for more claims than the median of those on the same basis, and for unusual ones.

    Each is compared with the others of its kind and never with purposes of its own client. Fewer than three peers say
    nothing.
    """
    by_basis: dict[str, list[Asking]] = defaultdict(list)
    for one in askings:
        by_basis[one.basis].append(one)
    found = []
    for one in askings:
        peers = [peer for peer in by_basis[one.basis] if peer.client_id != one.client_id]
        if len(peers) < _PEERS:
            continue
        usual = float(median(len(peer.claims) for peer in peers))
        asked = Counter(claim for peer in peers for claim in set(peer.claims))
        unusual = tuple(claim for claim in one.claims if asked[claim] < len(peers) * _USUAL)
        if len(one.claims) > usual and unusual:
            found.append(OverAsking(one, len(peers), usual, unusual))
    return sorted(found, key=lambda one: (one.usual - len(one.asking.claims), one.asking.purpose_id))


def report_due_at(aware_at: int) -> int:
    """When the authority must have been told (GDPR Art. 33(1)): 72 hours later, weekends and holidays included."""
    return aware_at + REPORT_WITHIN
