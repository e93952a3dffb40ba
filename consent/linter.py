"""What is wrong with a purpose before anybody is asked for anything. Pure.

A finding is refused, or goes to the privacy officer, who may accept it as an exception; that is published as an act.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from consent.facts import NOTHING_SAID, Asked, Processing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Verdict = Literal["refused", "to_officer"]

_NAME: Final = frozenset(
    {"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username"}
)
_MAIL: Final = frozenset({"email", "email_verified", "locale"})
_PHONE: Final = frozenset({"phone_number", "phone_number_verified", "locale"})
_AGE: Final = frozenset({"age_over_14", "age_over_16", "age_over_18", "age_over_65"})
_PLACE: Final = frozenset({"resident", "district"})
_FILE: Final = _NAME | _MAIL | _PHONE | _AGE | _PLACE | {"birthdate", "address", "verified_claims"}

#: What each kind of purpose can be expected to need. Whoever needs more says so to the privacy officer.
NEEDED: Final[Mapping[str, frozenset[str]]] = {
    "sign_in": frozenset(),
    "account": _NAME | _MAIL | {"zoneinfo", "updated_at"},
    "reminder": _MAIL | _PHONE,
    "contact": _NAME | _MAIL | _PHONE,
    "delivery": _NAME | _MAIL | _PHONE | {"address"},
    "payment": _NAME | _MAIL | {"address"},
    "eligibility": _AGE | _PLACE,
    "participation": _NAME | _MAIL | _AGE | _PLACE,
    "statistics": _AGE | _PLACE,
    "tax": _FILE,
    "benefit": _FILE,
    "permit": _FILE,
    "register": _FILE | {"gender"},
    "school": _FILE,
}
#: Tasks that the law gives to an authority: nobody is free to refuse them (GDPR recital 43).
PUBLIC_TASKS: Final = frozenset({"tax", "benefit", "permit", "register", "school"})
#: Data that tells much, and what says enough for most purposes.
_LESS_WOULD_DO: Final[Mapping[str, str]] = {
    "birthdate": "age_over_16",
    "address": "district",
    "verified_claims": "resident",
    "phone_number": "email",
}
_SENSITIVE: Final = frozenset({"birthdate", "address", "gender", "verified_claims", "picture"})
_WORDS: Final[Mapping[str, str]] = {
    "consent_for_public_task": "the law gives this task to the authority, so residents cannot refuse it: name the public task as the basis",
    "consent_by_authority": "an authority asks for consent to data without which nothing works: say what kind of purpose it is, or choose another basis",
    "interest_of_authority": "a public authority cannot rest its tasks on a legitimate interest (GDPR Art. 6(1))",
    "optional_without_consent": "optional claims rest on consent: declare a purpose of their own for {0}",
    "missing_retention": "it does not say how long the data is kept",
    "missing_translation": "the notice is missing in {0}",
    "unknown_type": "{0} is no kind of purpose",
    "less_would_do": "{1} would do for this kind of purpose, where it asks for {2}",
    "twice": "{0} say the same twice",
    "not_needed": "this kind of purpose seldom needs {0}",
    "sensitive_without_type": "it asks for {0}, so it has to say what kind of purpose it is",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what it is about."""

    code: str
    verdict: Verdict
    about: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The reason, in English."""
        return _WORDS[self.code].format(", ".join(self.about), *self.about)


@dataclass(frozen=True, slots=True)
class Asking:
    """A purpose as somebody wants to have it; `languages` are those of its notice, `town_languages` those it needs."""

    basis: str
    purpose_type: str | None
    asked: Asked
    processing: Processing = NOTHING_SAID
    languages: Collection[str] = ()
    town_languages: Collection[str] = field(default=())


def lint(asking: Asking) -> tuple[Finding, ...]:
    """Everything that is wrong with a purpose, what is refused first."""
    found = [*_basis(asking), *_completeness(asking), *_claims(asking)]
    return tuple(sorted(found, key=lambda one: one.verdict != "refused"))


def refused(findings: Collection[Finding]) -> tuple[Finding, ...]:
    """Those that nobody can accept."""
    return tuple(one for one in findings if one.verdict == "refused")


def _basis(asking: Asking) -> list[Finding]:
    basis, is_authority = asking.basis, asking.processing.by_authority
    found: list[Finding] = []
    if basis == "consent" and is_authority:
        if asking.purpose_type in PUBLIC_TASKS:
            found.append(Finding("consent_for_public_task", "refused"))
        elif asking.purpose_type is None and asking.asked.required_claims:
            found.append(Finding("consent_by_authority", "to_officer"))
    if basis == "legitimate_interests" and is_authority:
        found.append(Finding("interest_of_authority", "refused"))
    if basis != "consent" and asking.asked.optional_claims:
        found.append(Finding("optional_without_consent", "refused", asking.asked.optional_claims))
    return found


def _completeness(asking: Asking) -> list[Finding]:
    found = []
    if asking.asked.claims and asking.asked.retention_for is None:
        found.append(Finding("missing_retention", "refused"))
    missing = tuple(one for one in asking.town_languages if one not in asking.languages)
    if missing:
        found.append(Finding("missing_translation", "refused", missing))
    if asking.purpose_type is not None and asking.purpose_type not in NEEDED:
        found.append(Finding("unknown_type", "refused", (asking.purpose_type,)))
    return found


def _claims(asking: Asking) -> list[Finding]:
    claims, needed = asking.asked.claims, NEEDED.get(asking.purpose_type or "")
    found = [
        Finding("twice", "refused", (much, *less))
        for much, less in (
            ("birthdate", tuple(one for one in claims if one in _AGE)),
            ("address", tuple(one for one in claims if one == "district")),
        )
        if much in claims and less
    ]
    if needed is None:
        sensitive = tuple(one for one in asking.asked.required_claims if one in _SENSITIVE)
        return [*found, *([Finding("sensitive_without_type", "to_officer", sensitive)] if sensitive else [])]
    more = [one for one in claims if one not in needed]
    better = {one: _LESS_WOULD_DO[one] for one in more if _LESS_WOULD_DO.get(one) in needed}
    found += [Finding("less_would_do", "to_officer", (less, much)) for much, less in better.items()]
    rest = tuple(one for one in more if one not in better)
    return [*found, *([Finding("not_needed", "to_officer", rest)] if rest else [])]
