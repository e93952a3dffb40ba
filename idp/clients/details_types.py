"""Permissions for single matters: which there are, what they may say, and in which words residents read them.

A resource server registers a type in its manifest (RFC 9396 §2). A permission is flat: a few fields, each a text, a
whole number, true or false, or a list of texts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT_LIMIT = 200
LIST_LIMIT = 20
_LARGEST = 2**53 - 1  # what every JSON reader keeps exactly
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")


def _words(texts: dict[str, str]) -> dict[str, str]:
    for language, text in texts.items():
        if not _LANGUAGE.fullmatch(language):
            raise ValueError(f"{language!r} is no language")
        if not 0 < len(text) <= TEXT_LIMIT or not text.isprintable():
            raise ValueError(f"a text must have 1 to {TEXT_LIMIT} characters that can be seen")
    return texts


#: A text in one language or more.
Words = Annotated[dict[str, str], Field(min_length=1), AfterValidator(_words)]


def in_language(words: Mapping[str, str], language: str, fallback: str) -> str:
    """A text in a language, else in `fallback`, else in the first that there is."""
    return words.get(language) or words.get(fallback) or next(iter(words.values()))


class DetailsField(BaseModel):
    """One field. `values` are the only ones allowed, each in words; empty for any of its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["text", "integer", "boolean", "texts"] = "text"
    required: bool = False
    label: Words
    values: dict[str, Words] = Field(default_factory=dict, max_length=50)

    def problem(self, value: Any) -> str | None:
        """Why a value cannot stand here; None when it can."""
        if self.kind == "boolean":
            return None if isinstance(value, bool) else "must be true or false"
        if self.kind == "integer":
            fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST
            return None if fits else "must be a whole number"
        if self.kind == "text":
            return None if self._is_allowed(value) else "must be a text that is allowed there"
        fits = isinstance(value, list) and 0 < len(value) <= LIST_LIMIT and all(map(self._is_allowed, value))
        return None if fits else "must be a list of texts that are allowed there"

    def _is_allowed(self, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        return value in self.values if self.values else 0 < len(value) <= TEXT_LIMIT and value.isprintable()


def _fields(found: dict[str, DetailsField]) -> dict[str, DetailsField]:
    for name in found:
        if not _FIELD.fullmatch(name) or name == "type":
            raise ValueError(f"{name!r} cannot be the name of a field")
    return found


class DetailsType(BaseModel):
    """One type of permission. A client may ask for it that lists it and has a purpose with this key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_.:/#-]{0,79}$")
    purpose: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    text: Words
    field: Annotated[dict[str, DetailsField], AfterValidator(_fields)] = Field(
        default_factory=dict, max_length=30
    )

    def problem(self, unverified: Mapping[str, Any]) -> str | None:
        """Why an object is no permission of this type (RFC 9396 §5), repeating nothing of it; None when it is one."""
        if any(name not in self.field for name in unverified if name != "type"):
            return "has a field that its type does not know"
        for name, known in self.field.items():
            if name not in unverified:
                if known.required:
                    return f"lacks {name}"
                continue
            problem = known.problem(unverified[name])
            if problem:
                return f"{name} {problem}"
        return None
