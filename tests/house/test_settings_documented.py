"""docs/settings.md and the settings tree say the same."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from idp.settings import Settings
from tests.house.repository import ROOT

SECTIONS: dict[str, Any] = {section: field.annotation for section, field in Settings.model_fields.items()}


def test_every_setting_stands_in_a_section() -> None:
    """The file has sections only, so the test below sees the whole tree."""
    assert all(isinstance(model, type) and issubclass(model, BaseModel) for model in SECTIONS.values())


def test_every_setting_is_documented() -> None:
    """Under `## [section]` each setting stands with its name, its variable and its own sentence."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    parts = {part.split("]")[0]: part for part in page.split("\n## [")[1:]}
    missing = [
        f"[{section}] {key}: {wanted}"
        for section, model in SECTIONS.items()
        for key, field in model.model_fields.items()
        for wanted in (
            f"`{key}`",
            f"DENIZEN_{section}__{key}".upper(),
            field.description or "its description",
        )
        if wanted not in parts.get(section, "")
    ]
    assert not missing, "\n".join(missing)


def test_no_documented_section_is_gone() -> None:
    """A section that was taken out of the tree is taken out of the page."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert {part.split("]")[0] for part in page.split("\n## [")[1:]} == set(SECTIONS)
