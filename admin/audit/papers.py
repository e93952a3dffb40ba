"""What an export looks like on paper, in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_babel import gettext

from idp import paper
from idp.web.context import context
from idp.web.languages import current_language

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admin.audit.files import Row


def records_pdf(found: Sequence[Row], is_cut: bool) -> bytes:  # noqa: FBT001
    """Records of a search."""
    columns = [
        gettext("When"),
        gettext("Person"),
        gettext("Event"),
        gettext("Service"),
        gettext("Purpose"),
        gettext("Data"),
        gettext("Notice"),
    ]
    cells = [
        [
            one["at"],
            one["person"],
            one["event"],
            one["service"],
            one["title"],
            ", ".join(one["chosen"]),
            f"{one['version']} {one['language']} {one['notice'][:12]}",
        ]
        for one in found
    ]
    return _pdf(gettext("Consent records"), columns, [3, 2, 2, 3, 4, 4, 3], cells, is_cut=is_cut)


def timeline_pdf(found: Sequence[Row], is_cut: bool) -> bytes:  # noqa: FBT001
    """One person's timeline."""
    columns = [
        gettext("When"),
        gettext("What happened"),
        gettext("Service"),
        gettext("Purpose"),
        gettext("Data or reason"),
        gettext("Notice"),
    ]
    cells = [
        [
            one["at"],
            f"{one['kind']} {one['event'] or one['occasion']}".strip(),
            one["service"],
            one["title"],
            one["reason"] or ", ".join(one["chosen"] or one["offered"]),
            f"{one['version']} {one['language']} {one['notice'][:12]}".strip(),
        ]
        for one in found
    ]
    title = gettext("Timeline of resident %(reference)s", reference=found[0]["person"] if found else "")
    return _pdf(title, columns, [3, 3, 3, 4, 5, 3], cells, is_cut=is_cut)


def table_pdf(
    title: str, intro: Sequence[str], columns: Sequence[str], widths: Sequence[int], cells: Any
) -> bytes:
    """A table on paper under a heading."""
    ctx = context()
    data = {
        "title": title,
        "town": ctx.settings.town.name,
        "crest": paper.crest_of(ctx.settings.letters),
        "font": ctx.settings.letters.font,
        "intro": list(intro),
        "columns": list(columns),
        "widths": list(widths),
        "rows": cells,
        "page": gettext("Page {page} of {pages}"),
    }
    return paper.render(
        "table", data, current_language(), now=ctx.now(), fonts=ctx.settings.letters.font_folder
    )


def _pdf(title: str, columns: Sequence[str], widths: Sequence[int], cells: Any, *, is_cut: bool) -> bytes:
    intro = [gettext("Times are in UTC. People stand under the reference that officers use for them.")]
    if is_cut:
        intro.append(
            gettext(
                "Only the newest %(number)s rows are here. Use CSV or JSON for all of them.",
                number=len(cells),
            )
        )
    return table_pdf(title, intro, columns, widths, cells)
