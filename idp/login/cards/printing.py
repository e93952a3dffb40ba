"""A card, its PIN and its list as one PDF, for the printer and then the hands of its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from babel.support import Translations

from idp import paper
from idp.login.cards.rules import grouped
from idp.web.paths import LOCALE

if TYPE_CHECKING:
    from idp.login.cards.service import Printed
    from idp.settings import Settings


def card_pdf(printed: Printed, settings: Settings, *, name: str, language: str, now: int) -> bytes:
    """Three sheets in the owner's language: the card with its code to scan, the PIN under a fold, the list.

    Raises:
        idp.paper.PaperProblem: when the PDF cannot be made; the text is for the operator.
        OSError: when the crest's file cannot be read.
    """
    gettext = Translations.load(str(LOCALE), [language]).gettext
    town = settings.town.name
    data = {
        "title": gettext("Your card for signing in"),
        "town": town,
        "crest": paper.crest_of(settings.letters),
        "font": settings.letters.font,
        "name": name,
        "card": _card(printed, settings, gettext),
        "pin": _pin(printed, gettext),
        "list": _list(printed, gettext),
    }
    return paper.render("card", data, language, now=now)


def scanned(issuer: str, number: str) -> str:
    """What the code on a card holds: our page, and behind the `#`, which browsers keep to themselves, the number."""
    return f"{issuer}/login/card#{grouped(number)}"


def _card(printed: Printed, settings: Settings, gettext: Any) -> dict[str, Any]:
    page = f"{settings.server.issuer}/login/card"
    return {
        "heading": gettext("Your card for signing in"),
        "intro": gettext(
            "With this card you sign in to the services of the town, at home or at a public computer. You need no "
            "telephone and no e-mail address. Nobody at the town knows your PIN or your codes."
        ),
        "steps": [
            gettext("Choose “Other ways to sign in” and then the card, or open %s.")
            % page.partition("//")[2],
            gettext("Hold the card under the scanner, or type its number."),
            gettext("Type your PIN. It is on the second sheet."),
            gettext("Some services ask for a code from your list, too. The list is on the third sheet."),
        ],
        "cut": gettext("Cut the card out along the line."),
        "label": gettext("Card number"),
        "number": grouped(printed.number),
        "address": page.partition("//")[2],
        "owner": gettext("Belongs to"),
        "qr": paper.qr_svg(scanned(settings.server.issuer, printed.number)),
        "alt": gettext("Code to scan: the number of the card"),
        "contact": gettext(
            "Have you lost the card, the PIN or the list? Tell us at once, at the town hall or at %s, and you get new ones."
        )
        % settings.town.contact_email,
    }


def _pin(printed: Printed, gettext: Any) -> dict[str, Any]:
    return {
        "heading": gettext("Your PIN"),
        "intro": gettext(
            "For whoever prints this sheet: do not read on. Fold it along the line with the print inside, close it, "
            "and hand it over with the card."
        ),
        "fold": gettext("Fold here"),
        "pin": printed.pin,
        "advice": gettext(
            "Keep the PIN apart from the card, or learn it and destroy this sheet. Nobody from the town will ever "
            "ask you for it."
        ),
    }


def _list(printed: Printed, gettext: Any) -> dict[str, Any]:
    return {
        "heading": gettext("Your list of codes"),
        "intro": gettext(
            "When a service needs to be more certain that it is you, the page asks for one of these codes by its "
            "number. Each code works once. Keep the list apart from the card."
        ),
        "columns": [gettext("Number"), gettext("Code"), gettext("Used")],
        "codes": [grouped(code) for code in printed.codes],
    }
