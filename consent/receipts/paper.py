"""A receipt on one sheet: what the layout ``receipt`` of the host's paper is filled with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from flask_babel import format_datetime
from flask_babel import gettext as _

from consent.receipts.words import verify_address, words_of

if TYPE_CHECKING:
    from consent.receipts.service import Receipt

#: Letters that still make a code which a telephone reads from paper of this size.
CODE_LIMIT: Final = 2300


def pdf_data(receipt: Receipt, paper_jws: str) -> dict[str, Any]:
    """What stands on the sheet; ``code`` is what the code holds, empty if it would not be readable any more."""
    words = words_of(receipt)
    code = verify_address(receipt.names.issuer, paper_jws)
    fits = len(code) <= CODE_LIMIT
    return {
        "title": words.title,
        "heading": words.title,
        "what": words.what,
        "when": _day_time(words.at),
        "facts": [list(one) for one in words.facts],
        "notice_heading": _("What you were told"),
        "notice_language": words.notice_language,
        "notice": [list(one) for one in words.notice],
        "proof_heading": _("How this can be proved"),
        "proof": [list(one) for one in words.proof],
        "code": code if fits else "",
        "code_alt": _("Code to scan: the signed receipt"),
        "code_text": _(
            "The code holds this receipt with the town’s signature. Scan it, and the page that opens checks it; "
            "without the internet, any computer that has the town’s published keys can do so."
        )
        if fits
        else _("This receipt is too long for a code. Keep the file that belongs to it, too."),
        "address": verify_address(receipt.names.issuer).partition("://")[2],
    }


def _day_time(at: int) -> str:
    return str(format_datetime(datetime.fromtimestamp(at, UTC), "long"))
