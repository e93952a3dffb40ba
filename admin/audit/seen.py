"""The page on which a choice was made, in the layout of the release page, from the stored notice alone.

It is drawn in the language in which it was seen. The person's own values stood on it then; they were never kept, so
their places are marked. Boxes show what was ticked when the page was sent.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from babel import Locale
from flask import g, get_template_attribute
from flask_babel import force_locale, gettext
from markupsafe import Markup

from admin.services import partner_name, service_name
from consent import labels
from consent.rules import CONSENT
from idp.oidc.rules import COMPANIONS
from idp.oidc.sections import basis_text
from idp.web.languages import current_language
from idp.web.locales import locale_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from consent.audit.replay import Section
    from consent.audit.search import Found


def rebuilt(record: Found, sections: Sequence[Section]) -> Markup:
    """The page as markup; every section must have its notice."""
    with spoken(record.language):
        page = get_template_attribute("admin/seen_page.html", "page")(
            lang=record.language,
            direction=Locale.parse(record.language).text_direction,
            client_name=service_name(record.client_id),
            partner_name=partner_name(record.client_id),
            information_only=all(one.basis != CONSENT for one in sections),
            sections=[_section(one) for one in sections],
            value=gettext("(the person’s own value stood here)"),
        )
    return Markup(page)  # noqa: S704 - what a template of ours made, escaped there


@contextmanager
def spoken(language: str) -> Iterator[None]:
    """Speak another language than the reader's within the block."""
    before = current_language()
    with force_locale(locale_of(language)):
        g.language, g.catalogue = language, None
        try:
            yield
        finally:
            g.language, g.catalogue = before, None


def _section(section: Section) -> dict[str, Any]:
    notice, record = section.notice, section.record
    assert notice is not None
    shown = [claim for claim in record.claims_offered if claim not in COMPANIONS]
    return {
        "title": notice.text.title,
        "why": notice.text.why,
        "retention_text": notice.text.retention_text,
        "recipients": notice.text.recipients,
        "basis": section.basis,
        "basis_text": basis_text(section.basis),
        "permissions": _labels(claim for claim in shown if claim.startswith(labels.PERMISSION)),
        "required": _labels(claim for claim in shown if _is_data(claim) and claim in section.required),
        "optional": [
            {"label": labels.claim_label(claim), "checked": claim in record.claims_chosen}
            for claim in shown
            if _is_data(claim) and claim not in section.required
        ],
    }


def _is_data(claim: str) -> bool:
    return not claim.startswith(labels.PERMISSION)


def _labels(claims: Iterable[str]) -> list[str]:
    return [labels.claim_label(claim) for claim in claims]
