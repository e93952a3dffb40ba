"""What residents type, and what is wrong with it in their words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from flask_babel import gettext

from idp.accounts.rules import tidy_name
from idp.rights.effects import CORRECTABLE
from idp.rights.rules import TEXT_LIMIT, tidy_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Errors = list[tuple[str, str]]
_OLDEST = 1880


@dataclass(frozen=True, slots=True)
class Correction:
    """What should be corrected, to what, and why."""

    name: str
    value: str
    why: str

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Correction:
        """What was typed; every other field of the request is ignored (K32)."""
        return cls(form.get("name", ""), tidy_text(form.get("value", "")), tidy_text(form.get("why", "")))

    def errors(self) -> Errors:
        """What is wrong, field by field."""
        errors: Errors = []
        if self.name not in CORRECTABLE:
            errors.append(("name", gettext("Choose what should be corrected")))
        if not self.value:
            errors.append(("value", gettext("Enter what is right")))
        elif not _is_possible(self.name, self.value):
            errors.append(("value", _how(self.name)))
        return errors + text_errors("why", self.why)


def text_errors(field: str, text: str, *, needed: bool = False) -> Errors:
    """What is wrong with a text of the resident's own."""
    if needed and not text:
        return [(field, gettext("Write a few words"))]
    if len(text) > TEXT_LIMIT:
        return [(field, gettext("Write at most %(number)s characters", number=TEXT_LIMIT))]
    return []


def choice_errors(field: str, value: str, allowed: Collection[str]) -> Errors:
    """Something must be chosen, and from the list."""
    return [] if value in allowed else [(field, gettext("Choose a service"))]


def _is_possible(name: str, value: str) -> bool:
    if name == "birthdate":
        try:
            return date.fromisoformat(value).year >= _OLDEST
        except ValueError:
            return False
    if name == "address":
        return len(value) <= TEXT_LIMIT
    return tidy_name(value) == value


def _how(name: str) -> str:
    if name == "birthdate":
        return str(gettext("Write the date as year, month and day, for example 1984-02-29"))
    return str(gettext("Write it in one line and at most 100 characters"))
