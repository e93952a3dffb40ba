"""What an officer says before a file is made: its form, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask_babel import gettext

from admin.audit.files import FORMATS
from admin.officer.forms import reason_errors
from admin.officer.rules import tidy_reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admin.officer.forms import Errors


@dataclass(frozen=True, slots=True)
class ExportForm:
    """The form of the file, and the reason."""

    format: str
    reason: str

    @classmethod
    def read(cls, form: Mapping[str, str]) -> ExportForm:
        """What was typed."""
        return cls(form.get("format", ""), tidy_reason(form.get("reason", "")))

    def errors(self) -> Errors:
        """What is wrong, field by field."""
        errors: Errors = []
        if self.format not in FORMATS:
            errors.append(("format", gettext("Choose the form of the file")))
        return errors + reason_errors(self.reason)
