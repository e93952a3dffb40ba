"""The catalogues: every string of every package, in every language that the settings offer."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from idp.settings import LANGUAGES
from tests.house.repository import PACKAGES, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from babel.messages import Catalog

#: English stands in the source.
TRANSLATED = [language for language in LANGUAGES if language != "en"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Every string that the packages mark for translation, as `make messages` finds them."""
    template = tmp_path_factory.mktemp("messages") / "messages.pot"
    command = [
        sys.executable,
        "-m",
        "babel.messages.frontend",
        "--quiet",
        "extract",
        "--keyword=_l",
        "--no-location",
    ]
    folders = [package for package in PACKAGES if package != "keys"]
    subprocess.run(
        [*command, "--mapping=pyproject.toml", f"--output-file={template}", *folders], cwd=ROOT, check=True
    )
    with template.open("rb") as file:
        return read_po(file)


@pytest.mark.parametrize("language", TRANSLATED)
def test_catalogue_has_every_string(source: Catalog, language: str) -> None:
    """After a string was added or changed, `make messages` puts it into each catalogue."""
    known = {message.id for message in _catalogue(language)}
    assert not [message.id for message in source if message.id not in known]


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_string_is_translated(source: Catalog, language: str) -> None:
    """No resident meets half a page in another language."""
    catalogue = _catalogue(language)
    wanted = {message.id for message in source if message.id}
    untranslated = [
        message.id
        for message in catalogue
        if message.id in wanted and (message.fuzzy or not _is_whole(message.string))
    ]
    assert not untranslated


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_their_placeholders(language: str) -> None:
    """A placeholder that was lost or misspelt would show as an error page."""
    assert [(message.id, errors) for message, errors in _catalogue(language).check()] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_compiled_catalogue_is_current(language: str) -> None:
    """The pages read the compiled file, so it is committed with the text that it was made of."""
    with _folder(language).joinpath("messages.mo").open("rb") as file:
        compiled = {_plain(message.id): _plain(message.string) for message in read_mo(file) if message.id}
    assert compiled == {
        _plain(message.id): _plain(message.string)
        for message in _catalogue(language)
        if message.id and not message.fuzzy and _is_whole(message.string)
    }


def _plain(text: str | Iterable[str]) -> str | tuple[str, ...]:
    return text if isinstance(text, str) else tuple(text)


def _folder(language: str) -> Path:
    return ROOT / "idp" / "locale" / language / "LC_MESSAGES"


def _catalogue(language: str) -> Catalog:
    with _folder(language).joinpath("messages.po").open("rb") as file:
        return read_po(file, locale=language)


def _is_whole(string: str | tuple[str, ...] | list[str]) -> bool:
    return bool(string) if isinstance(string, str) else all(string)
