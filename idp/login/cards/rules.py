"""What a card number, a PIN and a paper code look like; pure."""

from __future__ import annotations

import re
from itertools import pairwise

#: Crockford's letters and digits: none that looks like another.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: Eleven random ones, which are 55 bits, and one that finds typing mistakes.
NUMBER_LENGTH = 12
PIN_LENGTH = 6
CODE_LENGTH = 8
LIST_LENGTH = 20
#: With so few codes left it is time for a new list.
FEW_LEFT = 5
_GROUP = 4
_DISTINCT = 3
_LOOKALIKES = str.maketrans("OIL", "011")


def check_letter(body: str) -> str:
    """The last letter of a number: Luhn's sum over the alphabet finds each wrong and nearly each swapped pair."""
    total = 0
    for place, letter in enumerate(reversed(body)):
        value = ALPHABET.index(letter) * (2 - place % 2)
        total += value // len(ALPHABET) + value % len(ALPHABET)
    return ALPHABET[-total % len(ALPHABET)]


def normal_number(text: str) -> str | None:
    """A card number in its one form, from what was typed or scanned; None when it can be none.

    A scanner types what the card's code holds: the address of the sign-in page, and the number behind its `#`.
    """
    text = re.sub(r"[\s\-–.]", "", text.rpartition("#")[2]).upper().translate(_LOOKALIKES)
    if len(text) != NUMBER_LENGTH or any(letter not in ALPHABET for letter in text):
        return None
    return text if check_letter(text[:-1]) == text[-1] else None


def grouped(text: str) -> str:
    """A number or code as people read and type it, four at a time."""
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def normal_digits(text: str) -> str:
    """A PIN or code as it is compared: spaces and dashes are left out, as people copy them from paper."""
    return re.sub(r"[\s\-–.]", "", text)


def are_digits(text: str, length: int) -> bool:
    """Whether a text could be a PIN or code of that length at all."""
    return len(text) == length and text.isascii() and text.isdigit()


def is_trivial(pin: str) -> bool:
    """Whether a PIN is one that people try first: few different digits, a row, or a piece repeated."""
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
    halves = pin[: len(pin) // 2], pin[len(pin) // 2 :]
    pairs = {pin[start : start + 2] for start in range(0, len(pin), 2)}
    return len(set(pin)) < _DISTINCT or len(steps) == 1 or halves[0] == halves[1] or len(pairs) == 1
