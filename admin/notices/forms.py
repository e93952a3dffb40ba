"""What an officer types into a draft."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flask_babel import gettext

from consent.facts import Asked
from consent.purposes import NoticeText

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consent.drafts import Contents

Errors = list[tuple[str, str]]
DAY = 86_400
REASON_LIMIT = 500
_LIMITS = {"title": 200, "why": 2000, "retention_text": 500, "recipients": 500}
_CLAIM = re.compile(r"[A-Za-z][A-Za-z0-9_.:/#-]{0,99}")
_DAYS = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True)
class DraftForm:
    """A draft as typed; `revision` is the one that was on the page."""

    contents: Contents
    revision: int
    errors: Errors

    @classmethod
    def read(cls, form: Mapping[str, str], before: Contents, languages: Sequence[str]) -> DraftForm:
        """What was typed over what stood there; who processes where and how is not changed on this page."""
        errors: Errors = []
        texts = {}
        for language in languages:
            words = {name: " ".join(form.get(f"{name}-{language}", "").split()) for name in _LIMITS}
            if any(words.values()):
                texts[language] = NoticeText(**words)
                errors += _text_errors(words, language)
        asked = Asked(
            _claims(form, "required", errors),
            _claims(form, "optional", errors),
            _seconds(form, "retention_days", errors),
            _seconds(form, "valid_days", errors),
        )
        contents = replace(before, texts=texts, asked=asked, material="material" in form)
        return cls(contents, revision_of(form), errors)


def revision_of(form: Mapping[str, str]) -> int:
    """Which revision was looked at; -1, which never is, when it is no number."""
    text = form.get("revision", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1  # noqa: PLR2004


def reason_of(form: Mapping[str, str], name: str) -> tuple[str, Errors]:
    """A reason or a remark, on one line."""
    text = " ".join(form.get(name, "").split())
    if not text:
        return "", [(name, gettext("Say why, in a few words"))]
    if len(text) > REASON_LIMIT:
        return text, [(name, gettext("Use at most %(number)s characters", number=REASON_LIMIT))]
    return text, []


def _text_errors(words: Mapping[str, str], language: str) -> Errors:
    errors: Errors = []
    for name, limit in _LIMITS.items():
        if not words[name]:
            errors.append(
                (f"{name}-{language}", gettext("Write something here, or leave out the whole language"))
            )
        elif len(words[name]) > limit:
            errors.append((f"{name}-{language}", gettext("Use at most %(number)s characters", number=limit)))
    return errors


def _claims(form: Mapping[str, str], name: str, errors: Errors) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(form.get(name, "").split()))
    wrong = [one for one in found if not _CLAIM.fullmatch(one)]
    if wrong:
        errors.append((name, gettext("%(names)s is no name of any data", names=", ".join(wrong))))
    return found


def _seconds(form: Mapping[str, str], name: str, errors: Errors) -> int | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    if not _DAYS.fullmatch(text):
        errors.append((name, gettext("Enter a number of days, or nothing")))
        return None
    return int(text) * DAY
