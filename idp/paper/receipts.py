"""Receipts of consent on one sheet, a few at a time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from consent.receipts.ports import NoPaper
from idp.paper.crest import crest_of
from idp.paper.printer import PaperProblem, render
from idp.paper.qr import qr_svg

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from idp.settings import Settings

#: Typesetting takes half a second of a processor: so many at once, and who comes then is asked to wait.
AT_ONCE: Final = 2


def receipt_printer(settings: Settings, now: Callable[[], int]) -> Callable[[Mapping[str, Any], str], bytes]:
    """What makes a PDF of what :func:`consent.receipts.paper.pdf_data` says, in a language.

    It raises NoPaper when too many are made at the moment, or the PDF cannot be made at all.
    """
    free = threading.BoundedSemaphore(AT_ONCE)
    letters = settings.letters

    def printed(said: Mapping[str, Any], language: str) -> bytes:
        if not free.acquire(blocking=False):
            raise NoPaper("too many at once")
        try:
            data = {
                **said,
                "town": settings.town.name,
                "crest": crest_of(letters),
                "font": letters.font,
                "qr": qr_svg(said["code"]) if said["code"] else None,
            }
            return render("receipt", data, language, now=now(), fonts=letters.font_folder)
        except (PaperProblem, OSError) as problem:
            raise NoPaper(str(problem)) from None
        finally:
            free.release()

    return printed
