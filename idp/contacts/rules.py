"""What may happen to a contact point; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Refusal(Enum):
    """Why a contact point was not added or changed."""

    NOT_VALID = "not_valid"
    NO_SUCH_NUMBER = "no_such_number"
    NO_COUNTRY = "no_country"
    KNOWN = "known"
    TOO_MANY = "too_many"
    THROTTLED = "throttled"
    WRONG_CODE = "wrong_code"
    GONE = "gone"
    TAKEN = "taken"
    WAITING = "waiting"
    NAMELESS = "nameless"
    LAST = "last"
    ONLY_WAY_IN = "only_way_in"
    SHORT_PASSWORD = "short_password"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True)
class Others:
    """What a resident has besides one contact point: others that are confirmed, a name, other ways back in.

    `needs_it`: codes that go there are all that stands beside a password too short to stand alone. `opens`: whether
    anything opens the account but codes that go there.
    """

    contacts: int
    has_username: bool
    ways_back: int
    needs_it: bool = False
    opens: bool = True


def removal_problem(*, signs_in: bool, others: Others) -> Refusal | None:
    """Why a contact point may not be removed: nothing would be left to sign in with, or to get back in by."""
    if signs_in and not others.has_username:
        return Refusal.NAMELESS
    if not others.opens:
        return Refusal.ONLY_WAY_IN
    if not others.contacts and not others.ways_back:
        return Refusal.LAST
    if others.needs_it:
        return Refusal.SHORT_PASSWORD
    return None
