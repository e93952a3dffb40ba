"""Permissions for single matters in plain words, as the release page shows them (RFC 9396 §14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_babel import gettext

from idp.clients.details_types import in_language
from idp.oidc.authorization_details import consent_name, read_kept
from idp.oidc.wiring import provider as current_provider
from idp.web.languages import current_language

if TYPE_CHECKING:
    from collections.abc import Collection

    from idp.clients.details_types import DetailsField, Words
    from idp.oidc.authorization_details import Detail


def shown(kept: str | None, offered: Collection[str]) -> list[dict[str, Any]]:
    """Those of a request's permissions that a section of the page offers: a text, and each field with its value."""
    return [_in_words(one) for one in read_kept(kept) if consent_name(one) in offered]


def _in_words(detail: Detail) -> dict[str, Any]:
    found = current_provider().clients.find_details_type(detail["type"])
    assert found is not None, "what is offered was covered by its type a moment ago"
    fields = [(known, detail[name]) for name, known in found.type.field.items() if name in detail]
    return {
        "text": _text(found.type.text),
        "fields": [{"label": _text(known.label), "value": _value(known, value)} for known, value in fields],
    }


def _value(known: DetailsField, value: Any) -> str:
    if isinstance(value, bool):
        return str(gettext("Yes") if value else gettext("No"))
    if isinstance(value, int):
        return str(value)  # a year has no thousands
    if isinstance(value, list):
        return str(gettext(", ")).join(_one(known, one) for one in value)
    return _one(known, value)


def _one(known: DetailsField, value: str) -> str:
    return _text(known.values[value]) if value in known.values else value


def _text(words: Words) -> str:
    fallback = current_provider().context.settings.town.languages[0]
    return in_language(words, current_language(), fallback)
