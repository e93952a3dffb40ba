"""The texts of messages: one folder each, `subject.txt` and `body.txt`, in the reader's language."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babel.support import Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from idp.web.paths import LOCALE

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGES = Path(__file__).parent / "messages"


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(MESSAGES),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - plain text
        trim_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(Translations.load(str(LOCALE), [language]), newstyle=True)  # type: ignore[attr-defined]
    return environment


def render(name: str, language: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """Subject (one line) and text of a message."""
    environment = _environment(language)
    subject = environment.get_template(f"{name}/subject.txt").render(values)
    text = environment.get_template(f"{name}/body.txt").render(values)
    return " ".join(subject.split()), text.strip() + "\n"
