"""What the pages about drafts show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask_babel import gettext

from admin.notices.words import finding_text, state_text
from consent import drafts, facts, labels, purposes, rules
from idp.oidc import sections

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consent.drafts import Contents, Draft
    from consent.executor import Executor
    from consent.purposes import NoticeText, Purpose

    NameOf = Callable[[str], tuple[str, str]]

DAY: Final = 86_400
#: Nobody's data: what the page of a notice is filled with before anybody reads it.
_MADE_UP: Final[dict[str, Any]] = {
    "name": "Maria Okafor",
    "given_name": "Maria",
    "family_name": "Okafor",
    "email": "maria@example.org",
    "phone_number": "+15550100",
    "birthdate": "1984-02-29",
    "address": {"formatted": "12 Mill Lane"},
    "resident": True,
    "district": "4",
    "age_over_14": True,
    "age_over_16": True,
    "age_over_18": True,
    "age_over_65": False,
}


def overview(connection: Executor, name_of: NameOf) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Open drafts, those to review first; and every purpose, those in force first."""
    known = {one.id: one for one in purposes.all_purposes(connection)}
    open_ones = drafts.open_drafts(connection)
    drafted = {one.purpose_id: one.id for one in open_ones}
    waiting = [
        {
            "id": one.id,
            "title": _title(one.contents, known[one.purpose_id].key),
            "service": name_of(known[one.purpose_id].client_id)[0],
            "state_text": state_text(one.state),
            "is_to_review": one.state == "review",
            "changed_at": one.changed_at,
        }
        for one in open_ones
    ]
    order = sorted(known.values(), key=lambda one: (one.state == "ended", one.client_id))
    rows = [
        {
            "id": one.id,
            "key": one.key,
            "service": name_of(one.client_id)[0],
            "basis_text": labels.basis_name(one.basis),
            "state_text": state_text(one.state),
            "version": one.notice_version,
            "draft": drafted.get(one.id),
            "may_be_drafted": one.state != "ended" and one.id not in drafted,
            "may_be_ended": one.state != "ended",
        }
        for one in order
    ]
    return waiting, rows


def draft(connection: Executor, found: Draft, languages: Sequence[str], name_of: NameOf) -> dict[str, Any]:
    """A draft, what it changes, and for how many."""
    purpose = purposes.find_purpose(connection, found.purpose_id)
    assert purpose is not None
    changes = drafts.changes(connection, found)
    findings = drafts.check(connection, found, town_languages=languages)
    return {
        "draft": {
            "id": found.id,
            "revision": found.revision,
            "state_text": state_text(found.state),
            "is_to_review": found.state == "review",
            "remark": found.remark,
            "title": _title(found.contents, purpose.key),
        },
        "service": name_of(purpose.client_id)[0],
        "version": purpose.notice_version,
        "basis_text": labels.basis_name(purpose.basis),
        "findings": [{"text": finding_text(one), "is_refused": one.verdict == "refused"} for one in findings],
        "changes": [{"text": labels.change_text(one), "material": one.material} for one in changes],
        "wording": _wording(drafts.in_force(connection, purpose), found.contents),
        "is_material": facts.is_material(changes),
        "touched": drafts.touched(connection, found.purpose_id) if purpose.notice_version else 0,
        "pages": [one for one in languages if one in found.contents.texts],
        "processing": _processing(found.contents.processing),
    }


def to_end(
    connection: Executor, purpose: Purpose, language: str, fallback: str, name_of: NameOf
) -> dict[str, Any]:
    """A purpose before it ends: in whose words, and for how many residents it stands."""
    notice = purposes.notices_for(connection, [purpose.id], language, fallback).get(purpose.id)
    has_draft = any(one.purpose_id == purpose.id for one in drafts.open_drafts(connection))
    return {
        "purpose": {"id": purpose.id, "title": notice.text.title if notice else purpose.key},
        "service": name_of(purpose.client_id)[0],
        "basis_text": labels.basis_name(purpose.basis),
        "claims": labels.claim_list(purpose.asked.claims),
        "touched": drafts.touched(connection, purpose.id),
        "has_draft": has_draft,
    }


def fields(contents: Contents, languages: Sequence[str]) -> dict[str, Any]:
    """What stands in the fields of the form."""
    asked, nothing = contents.asked, purposes.NoticeText("", "", "", "")
    return {
        "texts": [(one, contents.texts.get(one, nothing)) for one in languages],
        "required": " ".join(asked.required_claims),
        "optional": " ".join(asked.optional_claims),
        "retention_days": _days(asked.retention_for),
        "valid_days": _days(asked.valid_for),
        "material": contents.material,
    }


def as_residents_see_it(connection: Executor, found: Draft, language: str, name_of: NameOf) -> dict[str, Any]:
    """What the release page takes to show a draft."""
    purpose = purposes.find_purpose(connection, found.purpose_id)
    assert purpose is not None
    changes, asked = drafts.changes(connection, found), found.contents.asked
    section = rules.Section(
        purpose.id,
        purpose.basis == rules.CONSENT,
        asked.required_claims,
        asked.optional_claims,
        (),
        "changed" if facts.is_material(changes) else "new",
    )
    text, (name, partner) = found.contents.texts[language], name_of(purpose.client_id)
    one = sections.shown(section, purpose.basis, text, _MADE_UP, valid_for=asked.valid_for, changes=changes)
    return {
        "client_name": name,
        "partner_name": partner,
        "policy_uri": "",
        "tos_uri": "",
        "resident_name": _MADE_UP["name"],
        "sections": [{**one, "permissions": []}],
        "information_only": not section.gives_choice,
        "flow": "",
        "errors": [],
    }


def _title(contents: Contents, otherwise: str) -> str:
    return next((one.title for one in contents.texts.values()), otherwise)


def _wording(before: Contents, after: Contents) -> list[list[str]]:
    """Rows of the words that are not the same: language, what, before, after."""
    names = {
        "title": gettext("Title"),
        "why": gettext("Why"),
        "retention_text": gettext("How long"),
        "recipients": gettext("Who receives it"),
    }
    languages = dict.fromkeys([*before.texts, *after.texts])
    return [
        [language, label, old, new]
        for language in languages
        for name, label in names.items()
        if (old := _words(before.texts.get(language), name))
        != (new := _words(after.texts.get(language), name))
    ]


def _words(text: NoticeText | None, name: str) -> str:
    return "" if text is None else str(getattr(text, name))


def _processing(processing: purposes.Processing) -> list[tuple[str, str]]:
    """The facts that somebody stated."""
    found = [
        (gettext("Responsible"), ", ".join(one.name for one in processing.controllers)),
        (gettext("Recipients"), ", ".join(processing.recipients)),
        (gettext("Kept in"), ", ".join(processing.storage_locations)),
        (gettext("Worked with in"), ", ".join(processing.processing_locations)),
        (gettext("Under the law of"), processing.jurisdiction),
        (gettext("Supervised by"), processing.authority.name if processing.authority else ""),
    ]
    return [(label, text) for label, text in found if text]


def _days(seconds: int | None) -> str:
    return "" if seconds is None else str(seconds // DAY)
