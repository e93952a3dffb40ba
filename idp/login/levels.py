"""What was proved in a sign-in, what that is worth, and what is still owed; pure.

A level is never more than its proofs are worth: what is unknown counts for nothing (NIST SP 800-63B-4 §2, OIDC
Core §2 `acr`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

#: The acr values, lowest first: one factor; two factors; a passkey that verified its user, which cannot be phished.
LEVELS = ("basic", "strong", "phr")
BASIC, STRONG, PHR = LEVELS
#: As much as a session's column holds.
_AMR_LIMIT = 80


class Method(StrEnum):
    """How a resident proves who they are."""

    PASSWORD = "password"  # noqa: S105 - a name
    PASSKEY = "passkey"
    TOTP = "totp"
    EMAIL_CODE = "email-code"
    SMS_CODE = "sms-code"
    RECOVERY_CODE = "recovery-code"
    CARD = "card"
    PAPER_CODE = "paper-code"
    UPSTREAM = "upstream"


#: RFC 8176 §2. A passkey and a provider upstream say theirs themselves.
_AMR: dict[Method, str] = {
    Method.PASSWORD: "pwd",
    Method.PASSKEY: "swk user",
    Method.TOTP: "otp",
    Method.EMAIL_CODE: "otp",
    Method.SMS_CODE: "sms",
    Method.RECOVERY_CODE: "otp",
    Method.CARD: "pin",
    Method.PAPER_CODE: "otp",
    Method.UPSTREAM: "",
}
#: The most that one method is worth by itself; upstream providers are mapped by the operator.
_MOST = {Method.PASSKEY: PHR, Method.UPSTREAM: PHR}
#: Something known with something had: two factors. A code by mail counts with a password alone, because a mailbox
#: is no possession; a card and its PIN are one factor, because the card can be copied. A password pairs with no code
#: that comes by the way by which alone it was set (`Proof.rests_on`).
_PAIRS = frozenset(
    {
        (Method.PASSWORD, Method.TOTP),
        (Method.PASSWORD, Method.SMS_CODE),
        (Method.PASSWORD, Method.EMAIL_CODE),
        (Method.PASSWORD, Method.RECOVERY_CODE),
        (Method.PASSWORD, Method.PAPER_CODE),
        (Method.CARD, Method.TOTP),
        (Method.CARD, Method.SMS_CODE),
        (Method.CARD, Method.RECOVERY_CODE),
        (Method.CARD, Method.PAPER_CODE),
    }
)
#: With what a sign-in can begin, in the order in which pages offer it.
FIRST = (
    Method.PASSKEY,
    Method.PASSWORD,
    Method.EMAIL_CODE,
    Method.SMS_CODE,
    Method.CARD,
    Method.UPSTREAM,
)
#: What can follow, in the order in which pages offer it.
_THEN = (
    Method.TOTP,
    Method.SMS_CODE,
    Method.EMAIL_CODE,
    Method.PAPER_CODE,
    Method.PASSKEY,
    Method.RECOVERY_CODE,
    Method.PASSWORD,
    Method.CARD,
    Method.UPSTREAM,
)
#: Codes that are sent: who reads somebody's messages has them.
SENT = frozenset({Method.EMAIL_CODE, Method.SMS_CODE})
#: For whoever has not got their second factor with them.
STANDS_IN = frozenset({Method.RECOVERY_CODE})


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that was proved: what it is worth by itself, its amr, and which credential it was (an id or "").

    Of a password the detail is what it rests on: the codes by which alone whoever set it was known, or "".
    """

    method: Method
    level: str = BASIC
    amr: str = ""
    detail: str = ""

    @property
    def rests_on(self) -> str:
        """The method from which this follows, so that the two together are one factor; "" for none."""
        return self.detail if self.method is Method.PASSWORD else ""


def typical(method: Method, rests_on: str = "") -> Proof:
    """What proving a method is usually worth; an upstream provider only what its configuration says, so basic.

    `rests_on` is what the resident's password rests on.
    """
    level = PHR if method is Method.PASSKEY else BASIC
    return Proof(method, level, _AMR[method], rests_on if method is Method.PASSWORD else "")


def common_root(proofs: Collection[Proof]) -> str:
    """The sent code from which all of this could have come, if it is one; "" else.

    A password that is set on the strength of it rests on it (NIST SP 800-63B-4 §4.2.2: one code recovers an account of
    one factor, not of two).
    """
    roots = {proof.rests_on or proof.method.value for proof in proofs}
    return roots.pop() if len(roots) == 1 and roots <= SENT else ""


def rank(level: str) -> int:
    """The place of a level among the known ones; -1 for one that is not known."""
    return LEVELS.index(level) if level in LEVELS else -1


def reaches(acr: str, wanted: str) -> bool:
    """Whether a level is at least the wanted one; an unknown wanted one is reached by nothing."""
    return wanted in LEVELS and rank(acr) >= rank(wanted)


def level_of(proofs: Collection[Proof]) -> str:
    """The level that these proofs reach together: one of `LEVELS`, or "" when they prove nothing."""
    return max([*map(_alone, proofs), _together(proofs)], key=rank, default="")


def _alone(proof: Proof) -> str:
    most = _MOST.get(proof.method, BASIC)
    return min(proof.level, most, key=rank) if proof.level in LEVELS else ""


def _together(proofs: Collection[Proof]) -> str:
    known = [proof for proof in proofs if proof.level in LEVELS]
    pairs = ((one, other) for one in known for other in known if (one.method, other.method) in _PAIRS)
    return STRONG if any(one.rests_on != other.method for one, other in pairs) else ""


def amr_of(proofs: Collection[Proof]) -> str:
    """The methods in RFC 8176's values, space-separated, each once; `mfa` where two factors were combined."""
    in_order = sorted(proofs, key=lambda proof: list(Method).index(proof.method))
    found = " ".join(proof.amr or _AMR[proof.method] for proof in in_order).split()
    if _together(proofs):
        found.append("mfa")
    kept: list[str] = []
    for value in dict.fromkeys(found):
        if len(" ".join([*kept, value])) <= _AMR_LIMIT:
            kept.append(value)
    return " ".join(kept)


def noted(proofs: Collection[Proof]) -> str:
    """Proofs as a session keeps them: which methods, what each is worth by itself, and on what it rests."""
    known = (proof for proof in proofs if proof.level in LEVELS)
    return " ".join(
        f"{one.method}={one.level}" + (f"/{one.rests_on}" if one.rests_on else "") for one in known
    )


def carried(acr: str, amr: str, kept: str | None) -> tuple[Proof, ...]:
    """What a session proved, from what `noted` said of it, for a sign-in that raises it: never more than its acr.

    Its amr does not tell: a provider upstream says `pwd`, too. Nothing is carried where nothing was kept. Which value of
    the amr is of which proof is of no account, because they are only ever said together.
    """
    said = (one.partition("=") for one in (kept or "").split())
    worth = ((method, *rest.partition("/")) for method, _, rest in said)
    proofs = tuple(Proof(Method(method), level, amr, rests_on) for method, level, _, rests_on in worth)
    return proofs if rank(level_of(proofs)) <= rank(acr) else ()


def is_enough(proved: Collection[Proof], owed: Collection[Method], wanted: str) -> bool:
    """Whether a sign-in is complete. `owed` are the second factors that the resident's account always asks for.

    One of them, or what stands in for it, is asked for whatever else was proved, but for a passkey or a provider
    that has asked for two factors itself.
    """
    if not proved or (wanted and not reaches(level_of(proved), wanted)):
        return False
    if not owed or any(rank(_alone(proof)) >= rank(STRONG) for proof in proved):
        return True
    return any(proof.method in owed or proof.method in STANDS_IN for proof in proved)


def needed_next(
    proved: Collection[Proof],
    enrolled: Collection[Method],
    wanted: str,
    owed: Collection[Method] = (),
    would_prove: Callable[[Method], Proof] = typical,
) -> tuple[Method, ...]:
    """What can be offered towards what is still owed, the best first. `would_prove`: what a method would be worth here.

    A provider upstream can be asked once more, where it could say more than it has said. Empty when nothing is owed (`is_enough`), and when nothing that the resident has would do.
    """
    if not proved:
        return tuple(method for method in FIRST if method in enrolled)
    if is_enough(proved, owed, wanted):
        return ()
    done = {one.method for one in proved if not _says_more(one, would_prove)}
    left = [method for method in _THEN if method in enrolled and method not in done]
    if not is_enough(proved, owed, ""):
        return tuple(m for m in left if m in owed or m in STANDS_IN or m is Method.PASSKEY)
    return tuple(_towards(proved, left, wanted, would_prove))


def _says_more(proof: Proof, would_prove: Callable[[Method], Proof]) -> bool:
    """Whether a provider upstream that was asked already could say more."""
    is_upstream = proof.method is Method.UPSTREAM
    return is_upstream and rank(would_prove(proof.method).level) > rank(proof.level)


def _towards(
    proved: Collection[Proof],
    left: Collection[Method],
    wanted: str,
    would_prove: Callable[[Method], Proof],
) -> Iterable[Method]:
    """What reaches the wanted level at once, or else with one more step."""

    def get_there(*methods: Method) -> bool:
        return reaches(level_of([*proved, *map(would_prove, methods)]), wanted)

    at_once = [method for method in left if get_there(method)]
    return at_once or [one for one in left if any(get_there(one, other) for other in left)]
