"""When a recovery has proved enough, and how codes are written; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from idp.login.codes.rules import Channel
from idp.login.levels import Method

if TYPE_CHECKING:
    from collections.abc import Collection

#: How a resident wants to get back in: a message to a contact point, a letter, somebody they trust.
WISHES = ("message", "letter", "helper")
#: Crockford's alphabet: no letter is taken for another, and five bits each.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: 16 letters are 80 bits: nobody guesses that, with or without a limit (NIST SP 800-63B-4 §3.1.2 asks for 64).
CODE_LENGTH = 16
_GROUP = 4
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1"})


class Proof(StrEnum):
    """What can be proved in a recovery."""

    MAIL = "mail"
    PHONE = "phone"
    LETTER = "letter"
    HELPER = "helper"
    SECOND = "second"


class Second(StrEnum):
    """What an account asks for after the password, always."""

    NONE = "none"
    MESSAGE = "message"
    OTHER = "other"


#: What shows that it is this resident, each by a channel of its own; the slow ones leave time to object.
_SLOW = frozenset({Proof.LETTER, Proof.HELPER})
_CHANNELS = _SLOW | {Proof.MAIL, Proof.PHONE}


@dataclass(frozen=True, slots=True)
class Proved:
    """The instants at which something was proved in one case; `ripe_at` is when the help of somebody trusted counts."""

    mail_at: int | None = None
    phone_at: int | None = None
    second_at: int | None = None
    letter_at: int | None = None
    ripe_at: int | None = None

    @property
    def is_begun(self) -> bool:
        """Whether there is anything at all, the word of somebody trusted that does not count yet included."""
        return self != Proved()

    def now(self, now: int) -> frozenset[Proof]:
        """What counts at this instant."""
        return frozenset(
            proof
            for proof, at in (
                (Proof.MAIL, self.mail_at),
                (Proof.PHONE, self.phone_at),
                (Proof.SECOND, self.second_at),
                (Proof.LETTER, self.letter_at),
                (Proof.HELPER, self.ripe_at),
            )
            if at is not None and at <= now
        )


def is_enough(proved: Collection[Proof], second: Second) -> bool:
    """Whether a new password may be set: a recovery never passes by an enrolled second factor (K27).

    One channel will do where no second factor is asked for. Else the second factor, or a recovery code, is owed
    beside it. Who has lost that as well proves another channel, a slow one, so that the owner can object in time; or,
    where the second factor is nothing but a message, the other channel for messages.
    """
    channels = _CHANNELS & set(proved)
    if second is Second.NONE or Proof.SECOND in proved:
        return bool(channels)
    is_slow = bool(_SLOW & channels) or second is Second.MESSAGE
    return len(channels) > 1 and is_slow


def owes_second(proved: Collection[Proof], second: Second) -> bool:
    """Whether the page for the second factor comes next."""
    return bool(_CHANNELS & set(proved)) and not is_enough(proved, second)


#: What comes by the same way as a proof.
_SENT = {Proof.MAIL: Method.EMAIL_CODE, Proof.PHONE: Method.SMS_CODE}


def rests_on(proved: Collection[Proof]) -> str:
    """The codes with which the new password is one factor: those that come by the only way that was proved; "" for none."""
    (only, *more) = proved
    return "" if more or only not in _SENT else _SENT[only].value


def not_proved(proved: Collection[Proof]) -> tuple[Channel, ...]:
    """The channels for messages by which nothing was proved."""
    return tuple(
        channel for channel in Channel if not any(_SENT.get(one) is channel.method for one in proved)
    )


#: What each wish can prove.
_PROVES = {"message": (Proof.MAIL, Proof.PHONE), "letter": (Proof.LETTER,), "helper": (Proof.HELPER,)}


def would_do(proved: Collection[Proof], second: Second) -> tuple[str, ...]:
    """The wishes that would be enough beside what is proved, for whoever has lost the second factor, too."""
    done = set(proved)
    return tuple(
        wish
        for wish in WISHES
        if any(is_enough({*done, new}, second) for new in _PROVES[wish] if new not in done)
    )


def grouped(code: str) -> str:
    """A code as it is printed: groups of four."""
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))


def tidy_code(typed: str) -> str:
    """A typed code as it was made: capitals, no blanks or dashes, no letter mistaken for a digit; "" if it is none."""
    if not typed.isascii():
        return ""
    code = "".join(letter for letter in typed.upper() if letter.isalnum()).translate(_MISREAD)
    return code if len(code) == CODE_LENGTH and set(code) <= set(ALPHABET) else ""


def tidy_digits(typed: str) -> str:
    """Typed digits without the blanks and dashes between them; "" when there is anything else."""
    digits = "".join(typed.split()).replace("-", "")
    return digits if digits.isascii() and digits.isdigit() else ""
