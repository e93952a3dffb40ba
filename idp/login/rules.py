"""What a password may be, when a session still counts, how a device is called; pure."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Network, ip_address
from itertools import pairwise
from typing import TYPE_CHECKING

from idp.accounts.rules import composed

if TYPE_CHECKING:
    from collections.abc import Iterable

PASSWORD_LIMIT = 256
#: Fewer different letters than this make a long password as easy as a short one.
_DISTINCT = 5
_WORD = 4


def normal_password(text: str) -> str:
    """The form that is hashed: Unicode NFC and nothing else (NIST SP 800-63B-4 §3.1.1.2).

    What could be no password in any form is left as it is.
    """
    return composed(text, limit=PASSWORD_LIMIT) or text


def password_problem(password: str, *, minimum: int, context_words: Iterable[str]) -> str | None:
    """Why a new password is refused: too_short, too_long, too_simple or context; None when it is fine."""
    password = normal_password(password)
    if len(password) < minimum:
        return "too_short"
    if len(password) > PASSWORD_LIMIT:
        return "too_long"
    folded = password.casefold()
    if len(set(folded)) < _DISTINCT or _is_run(folded) or _is_walk(folded):
        return "too_simple"
    rest = folded
    for word in sorted((w.casefold() for w in context_words if len(w) >= _WORD), key=len, reverse=True):
        rest = rest.replace(word, "")
    return "context" if len(rest) < minimum // 2 else None


def _is_run(text: str) -> bool:
    """Whether each character follows from the one before, as in 123456… or a repeated short piece."""
    steps = {ord(b) - ord(a) for a, b in pairwise(text)}
    if text.isdigit():
        steps = {step % 10 for step in steps}  # after 9 comes 0
    if len(steps) == 1:
        return True
    return any(
        text == (text[:size] * (len(text) // size + 1))[: len(text)] for size in range(1, len(text) // 3 + 1)
    )


#: Rows of keyboards, as fingers walk along them; German and French ones differ.
_ROWS = (
    "`1234567890-=",
    "qwertyuiop[]",
    "qwertzuiopü",
    "azertyuiop",
    "asdfghjkl;'",
    "qsdfghjklm",
    "zxcvbnm,./",
    "yxcvbnm",
    "wxcvbn",
)
_NEIGHBOURS = frozenset(pair for row in _ROWS for walk in (row, row[::-1]) for pair in pairwise(walk))
_STEPS_IN_TEN = 8


def _is_walk(text: str) -> bool:
    """Whether fingers that walk along the keyboard type it, as in qwertyuiopasdfgh: eight steps of ten go to the next key."""
    pairs = [*pairwise(text)]
    steps = sum(pair in _NEIGHBOURS or pair[0] == pair[1] for pair in pairs)
    return bool(pairs) and steps * 10 >= len(pairs) * _STEPS_IN_TEN


_BROWSERS = (
    ("Firefox/", "Firefox"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def device_name(user_agent: str) -> str:
    """Browser and system in few words, such as `Firefox, Windows`; nothing else of the header is kept."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return ", ".join(part for part in (browser, system) if part) or "?"


def network_of(address: str) -> str:
    """What counts as one source of guesses: an IPv4 address, or an IPv6 /64, of which one subscriber has all."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Network((parsed, 64), strict=False))


def around(network: str) -> str:
    """The /48 around an IPv6 source, which one customer may have whole (RFC 6177); anything else is as it is."""
    if not network.endswith("/64"):
        return network
    try:
        return str(IPv6Network(network).supernet(new_prefix=48))
    except ValueError:
        return network


def is_alive(*, seen_at: int, expires_at: int, idle_for: int, now: int) -> bool:
    """Whether a session is within its idle and absolute limits (NIST SP 800-63B-4 §2.2.3)."""
    return now < expires_at and now - seen_at < idle_for


#: Whoever changes how they sign in has signed in within this many seconds (ASVS 7.5.1).
FRESH_FOR = 300


def is_fresh(authenticated_at: int, *, now: int) -> bool:
    """Whether a resident proved so lately who they are that they may change how they sign in."""
    return now - authenticated_at <= FRESH_FOR


def is_own_path(path: str) -> bool:
    """Whether a sign-in may lead on to this path: a page of ours, never another site."""
    return (
        re.fullmatch(r"/device|/(privacy|account)(/[A-Za-z0-9._~/-]*)?", path) is not None
        and "//" not in path
    )
