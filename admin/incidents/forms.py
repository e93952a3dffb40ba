"""What an officer says of an incident, and what they want to tell people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask_babel import gettext

from admin.audit.rules import begins_at, day_of, ends_at, moment_of
from admin.officer.rules import tidy_reason

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from admin.officer.forms import Errors

FIELDS = ("client", "since", "until", "aware", "what")
TEXT_LIMIT = 3000
_WHAT_LIMIT = 500


@dataclass(frozen=True, slots=True)
class IncidentForm:
    """Where, between which days, when the town became aware of it, and what happened."""

    typed: Mapping[str, str]
    time_zone: str

    @classmethod
    def read(cls, form: Mapping[str, str], time_zone: str) -> IncidentForm:
        """What was typed."""
        typed = {name: form.get(name, "").strip() for name in FIELDS}
        return cls({**typed, "what": tidy_reason(typed["what"])}, time_zone)

    @property
    def since(self) -> int | None:
        """When the first day begins."""
        day = day_of(self.typed["since"])
        return begins_at(day, self.time_zone) if day else None

    @property
    def until(self) -> int | None:
        """When the day after the last one begins."""
        day = day_of(self.typed["until"])
        return ends_at(day, self.time_zone) if day else None

    @property
    def aware_at(self) -> int | None:
        """When the town became aware of it; the clock runs from there."""
        return moment_of(self.typed["aware"], self.time_zone)

    def errors(self, clients: Collection[str], *, now: int) -> Errors:
        """What is wrong, field by field."""
        errors: Errors = []
        if self.typed["client"] not in clients:
            errors.append(("client", gettext("Choose the service")))
        errors += [
            (name, gettext("Enter a day such as 2026-11-22"))
            for name, at in (("since", self.since), ("until", self.until))
            if at is None
        ]
        if self.since is not None and self.until is not None and self.since >= self.until:
            errors.append(("until", gettext("The last day lies before the first")))
        if self.aware_at is None or self.aware_at > now:
            errors.append(("aware", gettext("Enter the day and time at which the town knew of it")))
        if not self.typed["what"] or len(self.typed["what"]) > _WHAT_LIMIT or "@" in self.typed["what"]:
            errors.append(
                ("what", gettext("Say what happened in at most 500 characters, without anybody’s address"))
            )
        return errors


def tidy_text(text: str) -> str:
    """The officer's words to people: paragraphs apart by an empty line, nothing invisible in them."""
    parts = (tidy_reason(part) for part in text.replace("\r\n", "\n").split("\n\n"))
    return "\n\n".join(filter(None, parts))


def text_errors(text: str) -> Errors:
    """What is wrong with the words to people."""
    if not text:
        return [("text", gettext("Write what people should know"))]
    if len(text) > TEXT_LIMIT:
        return [("text", gettext("Write at most %(number)s characters", number=TEXT_LIMIT))]
    return []
