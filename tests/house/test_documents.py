"""What the documents point at is there."""

from __future__ import annotations

import re

from tests.house.repository import ROOT, files, name

LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")
SOURCE = re.compile(
    r"`((?:tests|idp|consent|keys|admin|docker|docs)/[\w./-]+\.(?:py|toml|md|conf|yaml|css|html))`"
)
DOCUMENTS = [path for path in files() if path.suffix == ".md"]


def test_links_lead_to_files_of_the_repository() -> None:
    """A reader who follows a link arrives."""
    broken = [
        f"{name(path)}: {target}"
        for path in DOCUMENTS
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert not broken, "\n".join(broken)


def test_named_source_files_are_there() -> None:
    """A test or module that a document names still has that name."""
    gone = [
        f"{name(path)}: {target}"
        for path in DOCUMENTS
        for target in SOURCE.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / target).exists()
    ]
    assert not gone, "\n".join(gone)
