"""Where the repository's files are."""

from __future__ import annotations

import ast
import gc
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.apart import apart

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("idp", "consent", "admin", "keys")


def files() -> list[Path]:
    """Every file that is, or is about to be, in the repository: what git tracks or would add."""
    command = ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return sorted({ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()})


def sources() -> list[Path]:
    """The Python files of the four packages."""
    return [path for path in files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in PACKAGES]


def templates() -> list[Path]:
    """The Jinja templates of pages, of all packages."""
    return [path for path in files() if path.suffix == ".html" and "templates" in path.parts]


def tree(path: Path) -> ast.Module:
    """A Python file, parsed."""
    return apart(lambda: _parsed(path))


@cache
def _parsed(path: Path) -> ast.Module:
    """Parsed with the collector at rest: what it runs on the way makes CPython 3.11 miscount its recursion."""
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"), str(path))
    finally:
        gc.enable()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a Python file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def name(path: Path) -> str:
    """The path from the root, as messages show it."""
    return path.relative_to(ROOT).as_posix()
