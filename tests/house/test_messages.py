"""Translations keep the markup of the English text, and every mail can be written in every language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment, meta

from idp.messaging.texts import MESSAGES, render
from idp.settings import LANGUAGES
from tests.house.repository import ROOT

if TYPE_CHECKING:
    from babel.messages import Catalog

TAG = re.compile(r"<[^>]*>")
TRANSLATED = [language for language in LANGUAGES if language != "en"]
MAILS = sorted(folder.name for folder in MESSAGES.iterdir() if folder.is_dir())


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_links_and_emphasis(language: str) -> None:
    """A tag that was lost, misspelt or added would break the page around it."""
    changed = [
        message.id
        for message in _catalogue(language)
        if message.id and sorted(TAG.findall(message.id)) != sorted(TAG.findall(str(message.string)))
    ]
    assert not changed


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_the_blanks_around_them(language: str) -> None:
    """A text that is joined to another one begins and ends like the English one."""
    changed = [
        message.id
        for message in _catalogue(language)
        if message.id and _edges(message.id) != _edges(str(message.string))
    ]
    assert not changed


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mail", MAILS)
def test_every_mail_can_be_written(mail: str, language: str) -> None:
    """Subject in one line, the link in the text, and no placeholder left over."""
    values = {name: f"<{name}>" for name in _placeholders(mail)}
    subject, text = render(mail, language, values)
    assert subject
    assert "\n" not in subject
    assert "%(" not in subject + text
    assert "<link>" in text


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("mail", MAILS)
def test_mails_are_written_in_the_language_of_their_reader(mail: str, language: str) -> None:
    """Texts under messages/ are collected and translated like those of pages."""
    values = {name: f"<{name}>" for name in _placeholders(mail)}
    assert render(mail, language, values)[0] != render(mail, "en", values)[0]


def _placeholders(mail: str) -> set[str]:
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    texts = [(MESSAGES / mail / name).read_text(encoding="utf-8") for name in ("subject.txt", "body.txt")]
    return set().union(*(meta.find_undeclared_variables(environment.parse(text)) for text in texts)) - {"_"}


def _catalogue(language: str) -> Catalog:
    path = ROOT / "idp" / "locale" / language / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        return read_po(file, locale=language)


def _edges(text: str) -> tuple[str, str]:
    bare = text.strip(" ")
    before, _, after = text.partition(bare)
    return before, after
