"""One purpose as the release page shows it: for the page itself, and for whoever looks at a notice before it is published."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from flask_babel import format_date, gettext

from consent import labels
from consent.rules import CONSENT
from idp.oidc.rules import COMPANIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from consent.purposes import Change, NoticeText
    from consent.rules import Section


def shown(
    section: Section,
    basis: str,
    text: NoticeText,
    values: Mapping[str, Any],
    *,
    valid_for: int | None = None,
    changes: Sequence[Change] = (),
) -> dict[str, Any]:
    """What the template `ui/release.html` takes for one purpose, but for its permissions.

    `values` are those of the resident by claim; `changes` what is not as it was when they agreed.
    """
    return {
        "purpose_title": text.title,
        "why": text.why,
        "basis": basis,
        "basis_text": basis_text(basis),
        "retention_text": text.retention_text,
        "recipients": text.recipients,
        "valid_text": labels.lasts_text(valid_for) if section.gives_choice else "",
        "is_changed": section.reason == "changed",
        "changes": [labels.change_text(one) for one in changes],
        "required": [_item(claim, values) for claim in _told(section.required_claims)],
        "optional": [
            {**_item(claim, values), "hint": "", "checked": claim in section.ticked}
            for claim in _told(section.optional_claims)
        ],
    }


def basis_text(basis: str) -> str:
    """A lawful basis as the page speaks of it. Nobody has agreed yet on this page, so consent is spoken of as a choice."""
    return (
        str(gettext("You decide. You can stop it at any time."))
        if basis == CONSENT
        else labels.basis_text(basis)
    )


def _told(claims: Iterable[str]) -> list[str]:
    return [claim for claim in claims if claim not in COMPANIONS and not claim.startswith(labels.PERMISSION)]


def _item(claim: str, values: Mapping[str, Any]) -> dict[str, str]:
    return {"id": claim, "label": str(labels.claim_label(claim)), "value": _text(claim, values.get(claim))}


def _text(claim: str, value: Any) -> str:
    if claim == "birthdate" and value is not None:
        return str(format_date(date.fromisoformat(value), "long"))
    if value is None:
        return str(gettext("not known to us"))
    if isinstance(value, bool):
        return str(gettext("Yes") if value else gettext("No"))
    if isinstance(value, dict):
        return str(value.get("formatted", ""))
    return str(value)
