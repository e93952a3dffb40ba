"""How a recovery code looks and how it may be typed; pure."""

from __future__ import annotations

#: Digits and letters without those that look alike (Crockford's Base32): five bits each.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: 80 bits, so that the database alone gives none of them away (NIST SP 800-63B-4 §3.1.2 asks for 64 at least).
LENGTH = 16
_ALIKE = str.maketrans("ILO", "110")


def normal_code(typed: str) -> str | None:
    """The sixteen characters, whatever case, blanks and dashes; None when it is no code."""
    code = "".join(letter for letter in typed if not letter.isspace() and letter not in "-–—").upper()
    if len(code) != LENGTH or not code.isascii():
        return None
    code = code.translate(_ALIKE)
    return code if set(code) <= set(ALPHABET) else None


def grouped(code: str) -> str:
    """In groups of four, to be read and typed."""
    return "-".join(code[at : at + 4] for at in range(0, LENGTH, 4))
