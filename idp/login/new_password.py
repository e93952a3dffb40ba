"""What is wrong with a password that somebody chooses, in the reader's words. Everything is looked up offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_babel import gettext

from idp.login.breached import known_passwords
from idp.login.rules import password_problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from idp.settings import Settings

#: Nobody's name, but the first that people think of here.
_OF_OURS = ("password", "denizen")


def shortest(settings: Settings, *, has_second: bool) -> int:
    """How long a password must be: less beside a second factor that is always asked for."""
    passwords = settings.passwords
    if has_second:
        return min(passwords.minimum_length_with_second, passwords.minimum_length)
    return passwords.minimum_length


def new_password_error(
    settings: Settings, password: str, *, about: Iterable[str], has_second: bool = False
) -> str | None:
    """Why a password cannot be chosen, or None when it can. `about` are words that others know of the resident."""
    minimum = shortest(settings, has_second=has_second)
    words = [settings.town.name, *about]
    problem = password_problem(password, minimum=minimum, context_words=words)
    if problem is None and password_problem(password, minimum=minimum, context_words=[*words, *_OF_OURS]):
        problem = "obvious"
    if problem is None and known_passwords(settings.passwords.breached_file).has(password):
        problem = "known"
    return problem and _texts(minimum)[problem]


def _texts(minimum: int) -> dict[str, str]:
    return {
        "too_short": gettext("Enter a password of at least %(number)s characters", number=minimum),
        "too_long": gettext("Enter a password of at most 256 characters"),
        "too_simple": gettext(
            "This password repeats the same letters or a simple row. Take several different words."
        ),
        "context": gettext(
            "This password is made of your name, your address or the town's name. Take other words."
        ),
        "obvious": gettext(
            "This password is made of words that everybody thinks of first. Take other words."
        ),
        "known": gettext(
            "Others have used this password, and it stands on lists that thieves try first. Take another one."
        ),
    }
