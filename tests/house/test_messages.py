"""Translations keep the markup of the English text, and every message can be written in every language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment, meta

from idp.messaging.rules import plain_signs
from idp.messaging.texts import GIVEN, LAYOUTS, MESSAGES, has_sms, names, write_letter, write_mail, write_sms
from idp.settings import LANGUAGES, Settings
from tests.house.repository import ROOT
from tests.support.sms_length import sms_length
from tests.support.town import ISSUER, STAFF, START

if TYPE_CHECKING:
    from babel.messages import Catalog, Message

TAG = re.compile(r"<[^>]*>")
TRANSLATED = [language for language in LANGUAGES if language != "en"]
NAMES = names()
SETTINGS = Settings(
    server={"issuer": ISSUER, "staff_url": STAFF},  # type: ignore[arg-type]
    town={"name": "Riverton", "contact_email": "help@riverton.example"},  # type: ignore[arg-type]
)
LINK = f"{ISSUER}/x/" + "x" * 43
#: What a hostile value would like to be, in a device's name for instance.
HOSTILE = "<b onload=alert(1)>&\"'</b>"
#: What reaches out to somewhere else when a mail is opened.
REMOTE = re.compile(
    r"<(img|link|script|iframe|object|video|audio|form|svg)\b|\b(src|background|srcset)\s*=|url\(|@import",
    re.IGNORECASE,
)


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_links_and_emphasis(language: str) -> None:
    """A tag that was lost, misspelt or added would break the page around it."""
    changed = [
        message.id
        for message in _catalogue(language)
        for english, translated in _pairs(message)
        if sorted(TAG.findall(english)) != sorted(TAG.findall(translated))
    ]
    assert not changed


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_the_blanks_around_them(language: str) -> None:
    """A text that is joined to another one begins and ends like the English one."""
    changed = [
        message.id
        for message in _catalogue(language)
        for english, translated in _pairs(message)
        if _edges(english) != _edges(translated)
    ]
    assert not changed


@pytest.mark.parametrize("name", NAMES)
def test_every_message_has_all_its_files(name: str) -> None:
    """Subject, plain text and HTML; a text message and a letter where there is one; nothing else."""
    found = {path.name for path in (MESSAGES / name).iterdir()}
    assert {"subject.txt", "body.txt", "body.html"} <= found
    assert found <= {"subject.txt", "body.txt", "body.html", "sms.txt", "letter.txt"}
    assert len(name) <= 40
    body = (MESSAGES / name / "body.html").read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape|<(html|body|head)\b", body), (
        "a body is a fragment, and escaped"
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_mail_can_be_written(name: str, language: str) -> None:
    """Subject in one line, the link in both texts, no placeholder left over, nothing remote, everything escaped."""
    values = _values(name)
    mail = write_mail(SETTINGS, name, language, values)
    assert mail.html is not None
    assert mail.subject
    assert "\n" not in mail.subject
    assert not any(left in mail.subject + mail.text + mail.html for left in ("%(", "{{", "{%", "None"))
    if "link" in values:
        assert LINK in mail.text.splitlines(), "a link stands on a line of its own"
        assert f'href="{LINK}"' in mail.html
    if "code" in values:
        assert values["code"] in mail.text
        assert values["code"] in mail.html
    assert f'<html lang="{language}" dir="ltr">' in mail.html
    assert not REMOTE.search(mail.html)
    assert "onload=alert" not in TAG.sub("", mail.text) or HOSTILE in mail.text, "plain text is not escaped"
    assert HOSTILE not in mail.html
    assert f"<title>{_escaped(mail.subject)}</title>" in mail.html


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("name", NAMES)
def test_mails_are_written_in_the_language_of_their_reader(name: str, language: str) -> None:
    """Texts under messages/ are collected and translated like those of pages."""
    values = _values(name)
    assert (
        write_mail(SETTINGS, name, language, values).subject
        != write_mail(SETTINGS, name, "en", values).subject
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_notice_has_a_way_to_say_it_was_not_me(name: str) -> None:
    """identity.md: in the text and as a link; where there is none to give, nothing is said about it."""
    values = _values(name)
    with_link = write_mail(SETTINGS, name, "en", {**values, "not_me_url": f"{ISSUER}/not-me/abc"})
    assert f"{ISSUER}/not-me/abc" in with_link.text.splitlines()
    assert f'href="{ISSUER}/not-me/abc"' in (with_link.html or "")
    assert "This wasn't you?" not in write_mail(SETTINGS, name, "en", values).text


@pytest.mark.parametrize("name", NAMES)
def test_a_mail_can_be_read_from_right_to_left(name: str) -> None:
    """Direction follows the language; addresses and codes stay from left to right."""
    html = write_mail(SETTINGS, name, "ar", _values(name)).html or ""
    assert '<html lang="ar" dir="rtl">' in html
    assert html.count('dir="ltr"') >= ("link" in _values(name)) + ("code" in _values(name))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [name for name in NAMES if has_sms(name)])
def test_a_text_message_is_short(name: str, language: str) -> None:
    """One segment where its signs allow it and it holds no link; three at the very most."""
    values = {**_values(name, hostile="Firefox on Linux"), "not_me_url": LINK}
    text = plain_signs(write_sms(SETTINGS, name, language, values))
    assert text == text.strip()
    assert "%(" not in text
    length = sms_length(text)
    plain = length.encoding == "gsm-7" and LINK not in text
    assert length.segments <= (1 if plain else 3), f"{length}: {text}"


def test_what_is_told_to_a_resident_reaches_one_who_has_a_telephone_alone() -> None:
    """All but what goes to one mail address that was typed, and the letter with a code."""
    to_an_address = {"already_signed_up", "confirm_sign_up", "recover_unknown", "welcome"}
    assert {name for name in NAMES if not has_sms(name)} == {*to_an_address, "recovery_letter"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_message_can_be_a_letter(name: str, language: str) -> None:
    """Title and paragraphs, with the code and the link in paragraphs of their own where the letter has them."""
    values = _values(name)
    letter = write_letter(SETTINGS, name, language, values)
    assert letter.subject
    assert letter.paragraphs
    assert not any("%(" in part or "\n" in part for part in letter.paragraphs)
    if (MESSAGES / name / "letter.txt").is_file() and "code" in values:
        assert values["code"] in letter.paragraphs


def test_the_layouts_are_no_message() -> None:
    """They stand beside the messages, and cannot be sent."""
    assert LAYOUTS not in NAMES


def _values(name: str, hostile: str = HOSTILE) -> dict[str, Any]:
    """A value for everything that the texts of a message ask for, by its name."""
    known: dict[str, Any] = {"link": LINK, "code": "482915"}
    found = {}
    for wanted in _placeholders(name):
        is_instant = wanted in ("at", "until", "when") or wanted.endswith(("_at", "_on"))
        is_truth = wanted.startswith(("is_", "has_"))
        is_number = wanted in ("hours", "minutes", "days", "number", "count")
        found[wanted] = known.get(wanted, START if is_instant else is_truth or (3 if is_number else hostile))
    return found


def _placeholders(name: str) -> set[str]:
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    environment.filters["day"] = environment.filters["day_time"] = str
    texts = [path.read_text(encoding="utf-8") for path in (MESSAGES / name).iterdir()]
    wanted = set().union(*(meta.find_undeclared_variables(environment.parse(text)) for text in texts))
    return wanted - GIVEN - {"_", "mail", "gettext", "ngettext"}


def _escaped(text: str) -> str:
    from markupsafe import escape

    return str(escape(text))


def _catalogue(language: str) -> Catalog:
    path = ROOT / "idp" / "locale" / language / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        return read_po(file, locale=language)


def _pairs(message: Message) -> list[tuple[str, str]]:
    """A text with its translation; of one that counts, each form with each."""
    if not message.id:
        return []
    english = [message.id] if isinstance(message.id, str) else list(message.id)
    translated = [message.string] if isinstance(message.string, str) else list(message.string or ())
    return [(one, other) for one in english for other in translated]


def _edges(text: str) -> tuple[str, str]:
    bare = text.strip(" ")
    before, _, after = text.partition(bare)
    return before, after
