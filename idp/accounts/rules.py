"""What a name, an address and a user name may be; pure."""

from __future__ import annotations

import re
import unicodedata

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{2,39}")
EMAIL_LIMIT = 254
NAME_LIMIT = 100
#: A letter has at most so many code points before it is composed (Unicode Standard Annex 15).
_LONGEST_FORM = 4


def normal_email(text: str) -> str | None:
    """The form under which an address is looked up, or None when it is not one (K24).

    Only plain ASCII addresses pass: look-alike letters, spaces, line breaks and lists of addresses do not.
    The whole address is lower-cased, so that one mailbox has one account.
    """
    text = text.strip()
    if len(text) > EMAIL_LIMIT or not text.isascii() or not _EMAIL.fullmatch(text):
        return None
    local = text.partition("@")[0]
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return None
    return text.lower()


def normal_username(text: str) -> str | None:
    """The form of a user name: lower-case ASCII letters, digits, dot, dash, underscore; 3 to 40 characters."""
    text = text.strip()
    if not text.isascii():  # before lower(), which makes a plain k of the Kelvin sign (K24)
        return None
    return text.lower() if _USERNAME.fullmatch(text.lower()) else None


#: Numbers that cost whoever calls or writes to them: nobody is reached there, but somebody earns.
_COSTLY = (
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.UAN,
    PhoneNumberType.PAGER,
    PhoneNumberType.VOICEMAIL,
)
PHONE_LIMIT = 30


def normal_phone(text: str, country: str = "") -> str | None:
    """A phone number as E.164, or None when it is none, or one that costs extra.

    `country` (ISO 3166, such as FR) is where numbers without + are dialled from.
    """
    text = text.strip()
    if len(text) > PHONE_LIMIT or not text.isascii() or not re.fullmatch(r"\+?[0-9 ()./-]+", text):
        return None
    try:
        number = phonenumbers.parse(text, country or None)
    except NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) in _COSTLY:
        return None
    return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))


def is_phone_like(text: str, country: str = "") -> bool:
    """Whether a text is written as phone numbers are, with a country to dial; not whether there is such a number."""
    text = text.strip()
    if not text.isascii() or not re.fullmatch(r"\+?[0-9 ()./-]+", text):
        return False
    try:
        phonenumbers.parse(text, country or None)
    except NumberParseException:
        return False
    return True


def shown_phone(number: str) -> str:
    """An E.164 number as people read it, in groups."""
    parsed = phonenumbers.parse(number)
    return str(phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL))


def composed(text: str, *, limit: int) -> str | None:
    """A text in NFC; None when it is longer than `limit` in any form.

    To put thousands of marks on one letter in order takes seconds, so that is not even tried.
    """
    return unicodedata.normalize("NFC", text) if len(text) <= _LONGEST_FORM * limit else None


def tidy_name(text: str) -> str | None:
    """A name as it is kept: NFC, single spaces, in any script; None when it is empty, too long or has control characters."""
    composed_text = composed(text, limit=NAME_LIMIT)
    if composed_text is None:
        return None
    text = " ".join(composed_text.split())
    if not text or len(text) > NAME_LIMIT:
        return None
    if any(
        unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Cn"} and letter not in "\u200c\u200d"
        for letter in text
    ):
        return None
    return text


def display_name(given: str, family: str | None) -> str:
    """How a person is greeted; people with one name have one."""
    return f"{given} {family}" if family else given
