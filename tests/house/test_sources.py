"""Sizes, docstrings and forbidden names of the four packages."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from tests.house.repository import ROOT, files, functions, name, sources, tree

if TYPE_CHECKING:
    from pathlib import Path

FILE_CAP = 400
FUNCTION_CAP = 60

#: Put together here, so that this file does not find itself.
PACKAGE_HOSTS = re.compile(
    "|".join(
        (
            "py" + r"pi\.(org|python)",
            "python" + r"hosted\.org",
            "registry\\." + r"(npmjs|yarnpkg)",
            r"https?://[^\s\"']+/" + r"simple\b",
            r"^--(extra-)?index" + "-url",
            r"deb\.debian" + r"\.org",
        )
    ),
    re.MULTILINE,
)
PRIVATE_PATHS = re.compile(
    "|".join((r"(?<![\w.$}])/" + r"work/", r"(?<![\w.])/" + r"root/", r"/home/" + r"[a-z]+/"))
)


def read_by_people() -> list[Path]:
    """The four packages but for migrations: those list tables, one column after the other."""
    return [path for path in sources() if "versions" not in path.parts]


def test_every_package_says_what_it_owns() -> None:
    """house.md: every `__init__.py` opens with what the package owns and leaves to others."""
    silent = [
        name(path) for path in sources() if path.name == "__init__.py" and not ast.get_docstring(tree(path))
    ]
    assert not silent, f"no docstring in {silent}"


def test_files_are_short_enough_to_read() -> None:
    """A file of more than 400 lines holds more than one thing."""
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in read_by_people()}
    assert not {path: lines for path, lines in lengths.items() if lines > FILE_CAP}


def test_functions_are_short_enough_to_read() -> None:
    """A function of more than 60 lines does more than one thing."""
    too_long = [
        f"{name(path)}:{function.lineno} {function.name} has {_lines(function)} lines"
        for path in read_by_people()
        for function in functions(path)
        if _lines(function) > FUNCTION_CAP
    ]
    assert not too_long, "\n".join(too_long)


def test_nothing_imports_authlibs_deprecated_jose() -> None:
    """Security study §0.3: authlib.jose accepts an HS256 token signed with a public key; joserfc does not."""
    guilty = [
        name(path) for path in files() if path.suffix == ".py" and _imports(tree(path), "authlib." + "jose")
    ]
    assert not guilty


def test_no_file_names_a_package_host_or_a_private_path() -> None:
    """The repository works wherever it is cloned, with whatever package source that machine is set up for."""
    guilty = [
        f"{name(path)}: {found.group()!r}"
        for path in files()
        for text in [path.read_bytes().decode("utf-8", "replace")]
        for found in (PACKAGE_HOSTS.search(text), PRIVATE_PATHS.search(text))
        if found
    ]
    assert not guilty, "\n".join(guilty)


def test_decision_numbers_run_without_gap() -> None:
    """docs/decisions: NNNN-title.md, numbered one after the other, each number once."""
    decisions = [path for path in (ROOT / "docs" / "decisions").glob("*.md") if path.name != "README.md"]
    numbers = sorted(
        int(path.name[:4]) for path in decisions if re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name)
    )
    assert len(numbers) == len(decisions), (
        f"not named NNNN-title.md: {sorted(path.name for path in decisions)}"
    )
    assert numbers == list(range(1, len(numbers) + 1))


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def _imports(module: ast.Module, unwanted: str) -> bool:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        if any(imported == unwanted or imported.startswith(unwanted + ".") for imported in names):
            return True
    return False
