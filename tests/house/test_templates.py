"""Every page template: parses, stands in a layout, and keeps to the content security policy."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest
from jinja2 import Environment, StrictUndefined, nodes

from tests.house.repository import name, templates

if TYPE_CHECKING:
    from pathlib import Path

TAKES_IN = (nodes.Include, nodes.Import, nodes.FromImport)
ENVIRONMENT = Environment(undefined=StrictUndefined, autoescape=True, extensions=["jinja2.ext.i18n"])

#: What the strict policy forbids, and what would therefore not work: code and style inside the page.
INLINE = {
    "script in the page": re.compile(r"<script(?![^>]*\ssrc=)", re.IGNORECASE),
    "style in the page": re.compile(r"<style\b|\sstyle\s*=", re.IGNORECASE),
    "event attribute": re.compile(r"<[^>{]*\son[a-z]+\s*=", re.IGNORECASE),
    "javascript: address": re.compile(r"javascript:", re.IGNORECASE),
    "escaping switched off": re.compile(r"\|\s*safe\b|autoescape\s+false", re.IGNORECASE),
}

PAGES = [pytest.param(path, id=name(path)) for path in templates()]


def test_there_are_templates() -> None:
    """The tests below walk over something."""
    assert len(PAGES) > 5


@pytest.mark.parametrize("path", PAGES)
def test_template_parses(path: Path) -> None:
    """A mistake in a template shows here, not on the resident's screen."""
    ENVIRONMENT.parse(path.read_text(encoding="utf-8"), name=name(path))


@pytest.mark.parametrize("path", PAGES)
def test_page_extends_a_layout(path: Path) -> None:
    """Every page has the town's head, skip link and footer; what others include or import is no page."""
    module = ENVIRONMENT.parse(path.read_text(encoding="utf-8"))
    if path.name == "layout.html" or "/".join(path.parts[-2:]) in parts() or _holds_macros_only(module):
        return
    assert module.find(nodes.Extends) is not None, "extends no layout"


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_inline(path: Path) -> None:
    """The content security policy allows no inline script or style, and no page works around escaping."""
    text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not [why for why, pattern in INLINE.items() if pattern.search(text)]


@pytest.mark.parametrize("path", PAGES)
def test_page_has_one_heading(path: Path) -> None:
    """One h1 a page, so that a screen reader's list of headings starts with what the page is (macros may give it)."""
    text = path.read_text(encoding="utf-8")
    assert len(re.findall(r"<h1\b", text)) <= 1 or "{% if" in text


@cache
def parts() -> set[str]:
    """Names of the templates that another template includes or imports."""
    modules = [ENVIRONMENT.parse(path.read_text(encoding="utf-8")) for path in templates()]
    found = [part.template for module in modules for part in module.find_all(TAKES_IN)]  # type: ignore[attr-defined]
    return {template.value for template in found if isinstance(template, nodes.Const)}


def _holds_macros_only(module: nodes.Template) -> bool:
    allowed = (nodes.Macro, nodes.Import, nodes.FromImport, nodes.Assign)
    blank = (
        isinstance(part, nodes.Output)
        and all(isinstance(child, nodes.TemplateData) and not child.data.strip() for child in part.nodes)
        for part in module.body
        if not isinstance(part, allowed)
    )
    return all(blank) and any(isinstance(part, nodes.Macro) for part in module.body)
