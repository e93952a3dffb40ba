"""The town's crest on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from idp.web.paths import STATIC

if TYPE_CHECKING:
    from idp.settings import LetterSettings


def crest_of(settings: LetterSettings) -> dict[str, Any]:
    """The crest for `data.crest` of a layout: the operator's SVG or PNG file, or a plain shield.

    Raises:
        OSError: when the file cannot be read.
    """
    path = settings.crest_file or STATIC / "favicon.svg"
    kind = "png" if path.suffix.lower() == ".png" else "svg"
    return {"format": kind, "bytes": list(path.read_bytes())}
