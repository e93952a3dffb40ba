"""What an officer types to find a person, and what is wrong with it in the reader's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask_babel import gettext

from admin.officer.rules import REASON_LIMIT, reason_problem, tidy_reason

if TYPE_CHECKING:
    from collections.abc import Mapping

Errors = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class SearchForm:
    """The person, by the whole of an address or user name, and why."""

    unverified_person: str
    reason: str

    @classmethod
    def read(cls, form: Mapping[str, str]) -> SearchForm:
        """What was typed; every other field of the request is ignored (K32)."""
        return cls(form.get("person", "").strip(), tidy_reason(form.get("reason", "")))

    def errors(self) -> Errors:
        """What is wrong, field by field."""
        errors: Errors = []
        if not self.unverified_person:
            errors.append(("person", gettext("Enter an e-mail address or user name")))
        return errors + reason_errors(self.reason)


def reason_errors(reason: str) -> Errors:
    """What is wrong with a tidy reason; empty when it is one."""
    problem = reason_problem(reason)
    return [("reason", _reason_text(problem))] if problem else []


def _reason_text(problem: str) -> str:
    texts: dict[str, str] = {
        "missing": gettext("Enter the reason for your search"),
        "too_short": gettext("Give the reason in a few words, such as: access request 2026-114"),
        "too_long": gettext("Give the reason in at most %(number)s characters", number=REASON_LIMIT),
        "address": gettext("Leave e-mail addresses out of the reason"),
    }
    return texts[problem]
