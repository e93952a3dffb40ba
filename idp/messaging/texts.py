"""The texts of messages: one folder each, written in the reader's language when the message leaves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from babel import Locale
from babel.support import Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, meta, select_autoescape

from idp.web.brand import readable_scale
from idp.web.locales import day_in, day_time_in
from idp.web.paths import LOCALE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from idp.settings import Settings

MESSAGES = Path(__file__).parent / "messages"
LAYOUTS = "layouts"
#: What every text knows besides the values of its caller.
GIVEN = frozenset(
    {
        "town",
        "contact",
        "host",
        "home",
        "not_me_url",
        "colour",
        "ink",
        "language",
        "direction",
        "name",
        "subject",
    }
)
_FILES = {"mail": ("subject.txt", "body.txt", "body.html"), "sms": ("sms.txt",), "letter": ("subject.txt",)}


class UnknownMessage(LookupError):
    """There is no such message, or it cannot be sent on that channel."""


class MissingValues(LookupError):
    """The texts of a message need values that the caller did not give."""


@dataclass(frozen=True, slots=True)
class MailText:
    """A mail in words; `html` is None only for one that an older version wrote."""

    subject: str
    text: str
    html: str | None


@dataclass(frozen=True, slots=True)
class LetterText:
    """A letter in words."""

    subject: str
    paragraphs: tuple[str, ...]


def names() -> list[str]:
    """Every message there is."""
    return sorted(folder.name for folder in MESSAGES.iterdir() if folder.is_dir() and folder.name != LAYOUTS)


@cache
def has_sms(name: str) -> bool:
    """Whether a message is sent as a text message, too."""
    return (MESSAGES / name / "sms.txt").is_file()


def check_values(name: str, channel: str, values: Collection[str]) -> None:
    """Refuse a message that could not be written later.

    Raises:
        UnknownMessage, MissingValues: saying which.
    """
    missing = _needed(name, channel).difference(values)
    if missing:
        raise MissingValues(f"the message {name} needs {', '.join(sorted(missing))}")


@cache
def _needed(name: str, channel: str) -> frozenset[str]:
    folder = MESSAGES / name
    files = [folder / file for file in (*_FILES[channel], *([_letter(name)] if channel == "letter" else []))]
    if not name or name == LAYOUTS or not all(path.is_file() for path in files):
        raise UnknownMessage(f"there is no message {name!r} for the channel {channel}")
    environment = _environment("en", "UTC")
    parsed = [environment.parse(path.read_text(encoding="utf-8")) for path in files]
    found = frozenset[str]().union(*(meta.find_undeclared_variables(one) for one in parsed))
    return found - GIVEN - {"mail"} - environment.globals.keys()


def write_mail(settings: Settings, name: str, language: str, values: Mapping[str, Any]) -> MailText:
    """Subject (one line), plain text and HTML of a message."""
    if "finished" in values:
        return MailText(values["finished"]["subject"], values["finished"]["text"], None)
    environment = _environment(language, settings.town.time_zone)
    facts = {**_given(settings, language), "name": name, **values}
    facts["subject"] = _one_line(environment.get_template(f"{name}/subject.txt").render(facts))
    text = environment.get_template(f"{LAYOUTS}/mail.txt").render(facts)
    html = environment.get_template(f"{LAYOUTS}/mail.html").render(facts)
    return MailText(facts["subject"], _tidy(text), html)


def write_sms(settings: Settings, name: str, language: str, values: Mapping[str, Any]) -> str:
    """The text message of a message."""
    environment = _environment(language, settings.town.time_zone)
    return _tidy(
        environment.get_template(f"{name}/sms.txt").render({**_given(settings, language), **values})
    ).strip()


def write_letter(settings: Settings, name: str, language: str, values: Mapping[str, Any]) -> LetterText:
    """Title and paragraphs of a letter."""
    environment = _environment(language, settings.town.time_zone)
    facts = {**_given(settings, language), "name": name, "letter": _letter(name), **values}
    subject = environment.get_template(f"{name}/subject.txt").render(facts)
    text = _tidy(environment.get_template(f"{LAYOUTS}/letter.txt").render(facts))
    return LetterText(
        _one_line(subject), tuple(" ".join(part.split()) for part in text.split("\n\n") if part.strip())
    )


def write_label(name: str, language: str) -> str:
    """One of the short texts in `layouts/`, such as `page`."""
    return _tidy(_environment(language, "UTC").get_template(f"{LAYOUTS}/{name}.txt").render()).strip()


def direction_of(language: str) -> str:
    """`rtl` for Arabic and its like, else `ltr`."""
    return str(Locale.parse(language).text_direction)


def _letter(name: str) -> str:
    return "letter.txt" if (MESSAGES / name / "letter.txt").is_file() else "body.txt"


@cache
def _environment(language: str, time_zone: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(MESSAGES),
        undefined=StrictUndefined,
        autoescape=select_autoescape(("html",), default_for_string=False),
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(Translations.load(str(LOCALE), [language]), newstyle=True)  # type: ignore[attr-defined]
    environment.filters["day_time"] = partial(_day_time, language, time_zone)
    environment.filters["day"] = partial(_day, language, time_zone)
    return environment


def _day_time(language: str, time_zone: str, at: int) -> str:
    return day_time_in(language, at, time_zone)


def _day(language: str, time_zone: str, at: int) -> str:
    return day_in(language, at, time_zone)


def _given(settings: Settings, language: str) -> dict[str, Any]:
    scale = readable_scale(settings.town.colour, "light")
    return {
        "town": _one_line(settings.town.name),
        "contact": settings.town.contact_email,
        "host": urlsplit(settings.server.issuer).hostname,
        "home": settings.server.issuer,
        "not_me_url": "",
        "colour": scale["base-default"],
        "ink": scale["base-contrast-default"],
        "language": language,
        "direction": direction_of(language),
    }


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _tidy(text: str) -> str:
    """Lines without blanks at their ends, and never two empty ones in a row."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    kept = [line for number, line in enumerate(lines) if line or lines[number - 1]]
    return "\n".join(kept) + "\n"
