"""The copy of everything held as a document to read and to print, and what every copy says besides."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import orjson
from flask_babel import gettext

from consent import releases
from consent.canonical import moment
from idp import paper
from idp.accounts.models import Resident
from idp.accounts.reach import greeting
from idp.rights import export, words
from idp.rights.holdings import LEFT_OUT
from idp.web.locales import day_in, day_time_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from idp.web.context import Context

#: So many rows of one place are printed; the file for machines has all of them, and the document says how many more.
PRINTED: Final = 1000
#: It is the same on every line, and stands with the account.
_WHOSE = "resident_id"


def head(ctx: Context, resident_id: str, names: Callable[[str], str]) -> dict[str, Any]:
    """Who holds the data, who received some, what remains how long, what one may ask for, where one complains (Art. 15)."""
    settings = ctx.settings
    with ctx.database.reading() as reading:
        received = releases.last_by_client(reading, resident_id)
    return {
        "controller": {"name": settings.town.name, "contact": settings.town.contact_email},
        "recipients": [
            {"service": names(client_id), "client_id": client_id, "last_at": moment(at)}
            for client_id, at in received.items()
        ],
        "kept_after_erasure": words.remains(settings),
        "rights": [f"{settings.server.issuer}/privacy/rights"],
        "authority": {"name": settings.rights.authority_name, "contact": settings.rights.authority_contact},
        "left_out": {place: str(why) for place, why in LEFT_OUT.items()},
    }


def as_pdf(ctx: Context, resident_id: str, language: str, names: Callable[[str], str], *, now: int) -> bytes:
    """The copy as PDF/UA in the reader's language.

    Raises:
        idp.paper.PaperProblem: when it cannot be made.
    """
    settings = ctx.settings
    day_time = partial(day_time_in, language, time_zone=settings.town.time_zone)
    shown = partial(_written, day_time=day_time, names=names)
    with ctx.database.reading() as session:
        resident = session.get_one(Resident, resident_id)
        name = greeting(session, ctx.vault, resident)
        sections = [
            _section(str(title), rows, shown) for _, title, rows in export.everything(session, ctx, resident)
        ]
    found = head(ctx, resident_id, names)
    data = {
        "title": gettext("Everything we hold about you"),
        "town": settings.town.name,
        "crest": paper.crest_of(settings.letters),
        "font": settings.letters.font,
        "name": name,
        "date": day_in(language, now, settings.town.time_zone),
        "intro": gettext(
            "This is everything that %(town)s holds about you in this service. You can have it corrected or erased, "
            "and you can object: see %(link)s.",
            town=settings.town.name,
            link=found["rights"][0],
        ),
        "sections": [one for one in sections if one["rows"]],
        "received_heading": gettext("Who received something about you"),
        "received": [f"{one['service']} ({shown('at', one['last_at'])})" for one in found["recipients"]],
        "left_heading": gettext("What is not in this copy, and why"),
        "left": [f"{place}: {why}" for place, why in found["left_out"].items()],
        "complaint": _complaint(found["authority"]),
    }
    return paper.render("held", data, language, now=now, fonts=settings.letters.font_folder)


def _complaint(authority: dict[str, str]) -> str:
    if not authority["name"]:
        return ""
    complaint: str = gettext(
        "You may complain to %(authority)s: %(contact)s",
        authority=authority["name"],
        contact=authority["contact"],
    )
    return complaint


def _section(title: str, rows: Any, shown: Callable[[str, Any], str]) -> dict[str, Any]:
    printed = [
        [
            [words.column_text(column), shown(column, value)]
            for column, value in row.items()
            if value not in (None, "") and column != _WHOSE
        ]
        for row in islice(rows, PRINTED)
    ]
    more = sum(1 for _ in rows)
    note = gettext("%(number)s more entries are in the file for machines.", number=more) if more else ""
    return {"title": title, "rows": printed, "note": note}


def _written(column: str, value: Any, day_time: Callable[[int], str], names: Callable[[str], str]) -> str:
    """A value as people read it: instants in the reader's conventions, services by their names."""
    if column == "client_id" and value:
        return names(value)
    if column == "at" or column.endswith("_at"):
        return day_time(int(datetime.fromisoformat(value).timestamp()))
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(gettext("Yes") if value else gettext("No"))
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    return str(value)
