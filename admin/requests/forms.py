"""What an officer types with a decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask_babel import gettext

from idp.rights.rules import NEEDS_WORDS, TEXT_LIMIT, Action, tidy_text

if TYPE_CHECKING:
    from collections.abc import Mapping

Errors = list[tuple[str, str]]
#: What an officer may do; the rest is the resident's.
OFFICERS = (Action.ACKNOWLEDGE, Action.ACCEPT, Action.ASK, Action.EXTEND, Action.FULFIL, Action.REFUSE)


@dataclass(frozen=True, slots=True)
class Decision:
    """A step and the words that go with it."""

    action: Action | None
    words: str

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Decision:
        """What was typed; every other field of the request is ignored (K32)."""
        unverified = form.get("action", "")
        action = next((one for one in OFFICERS if one.value == unverified), None)
        return cls(action, tidy_text(form.get("words", "")))

    def errors(self, *, is_final: bool) -> Errors:
        """What is wrong, field by field; `is_final` means that the box for what cannot be undone is missing."""
        errors: Errors = []
        if self.action is None:
            errors.append(("action", gettext("Choose what to do")))
        if self.action in NEEDS_WORDS and not self.words:
            errors.append(
                ("words", gettext("Write what the resident should read: the reason, or your question"))
            )
        if len(self.words) > TEXT_LIMIT:
            errors.append(("words", gettext("Write at most %(number)s characters", number=TEXT_LIMIT)))
        if is_final:
            errors.append(("sure", gettext("Tick the box: an erasure cannot be undone")))
        return errors
