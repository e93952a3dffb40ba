"""Making a PDF in a child process that ends afterwards: fonts and layout need memory that a server should not keep."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from babel import Locale

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATES = Path(__file__).parent / "templates"
#: Seconds for one PDF; a thousand letters take a few.
TIMEOUT = 300


class PaperProblem(Exception):
    """The PDF could not be made; the text says why, for the operator, and holds nothing personal."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A PDF, and what its layout marked: `marks` holds the values of every `metadata(…) <mark>`, in order."""

    pdf: bytes
    marks: tuple[Any, ...]


def render(
    template: str, data: Mapping[str, Any], language: str, *, now: int, fonts: Path | None = None
) -> bytes:
    """A PDF/UA-1 document from `templates/TEMPLATE.typ`.

    `data` is JSON and must have a `title`; `language` is the reader's; `now` (Unix seconds) becomes the PDF's date, so
    that the same letter is the same file. `fonts` is a folder with more fonts.

    Raises:
        PaperProblem: for instance when no font has a letter that is needed.
    """
    return printed(template, data, language, now=now, fonts=fonts).pdf


def printed(
    template: str, data: Mapping[str, Any], language: str, *, now: int, fonts: Path | None = None
) -> Printed:
    """As `render`, with what the layout marked.

    Raises:
        PaperProblem: as `render`.
    """
    if not (TEMPLATES / f"{template}.typ").is_file():
        raise PaperProblem(f"there is no such layout: {template}")
    direction = Locale.parse(language).text_direction
    order = {
        "template": template,
        "data": {"lang": language, "dir": direction, "font": "Noto Sans", **data},
        "now": now,
        "fonts": str(fonts) if fonts else None,
    }
    try:
        # -I: nothing of the current folder or the environment changes what is run.
        done = subprocess.run(
            [sys.executable, "-I", "-m", "idp.paper.child"],
            input=orjson.dumps(order),
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PaperProblem("making the PDF took too long") from None
    head, _, pdf = done.stdout.partition(b"\n")
    try:
        said = orjson.loads(head)
    except orjson.JSONDecodeError:
        raise PaperProblem(f"the process that makes PDFs ended with {done.returncode}") from None
    if "problem" in said:
        raise PaperProblem(said["problem"])
    return Printed(pdf, tuple(said["marks"]))
