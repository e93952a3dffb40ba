"""`[letters]`: what letters look like."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads annotations
from typing import Literal

from pydantic import Field

from idp.settings.section import Section


class LetterSettings(Section):
    """What letters look like; they are printed with `denizen letters batch`."""

    sender: str = Field(
        "",
        max_length=120,
        description="The town's own address in one line, above the recipient's; empty: its name.",
    )
    crest_file: Path | None = Field(
        None, description="An SVG or PNG file with the town's crest; unset: a plain shield."
    )
    window: Literal["left", "right"] = Field(
        "left", description="Side of the envelope's window: left (DIN 5008), or right as in France."
    )
    fold_marks: bool = Field(True, description="Whether letters carry marks for folding.")
    font: str = Field(
        "Noto Sans",
        description="Font family for letters and cards, if it is installed; else one that is built in.",
    )
    font_folder: Path | None = Field(
        None, description="A folder with more fonts, such as Noto Sans Arabic; unset: those of the system."
    )
