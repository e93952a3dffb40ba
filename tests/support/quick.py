"""What every town of a test run would make anew is made once for each process: half of what a town costs.

RSA keys take a tenth of a second each, and Werkzeug compiles two functions for every route of every app. Within one test
all keys differ; the functions depend on the route's text alone.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.routing.rules import Rule

from keys import signing

if TYPE_CHECKING:
    from collections.abc import Iterator


class RsaKeys:
    """Keys made for earlier tests, to be used again from the first one on."""

    def __init__(self) -> None:
        self._made: list[Any] = []
        self._used = 0
        self._generate = signing._generate

    def begin(self, *, anew: bool = False) -> None:
        """Of another test; `anew` for one whose town lives longer than the test, and must never meet its own keys again."""
        self._used = len(self._made) if anew else 0

    def generate(self, alg: str) -> Any:
        """As `signing._generate`."""
        if alg not in ("RS256", "PS256"):
            return self._generate(alg)
        if self._used == len(self._made):
            self._made.append(self._generate(alg))
        self._used += 1
        return self._made[self._used - 1]


@contextmanager
def shared_work() -> Iterator[RsaKeys]:
    """Both, while the block lasts."""
    keys, builders, compile_builder = RsaKeys(), {}, Rule._compile_builder

    def compiled(rule: Rule, append_unknown: bool = True) -> Any:
        if rule.defaults:
            return compile_builder(rule, append_unknown)
        about = rule.rule, rule.is_leaf, tuple(rule._trace), append_unknown
        if about not in builders:
            builders[about] = compile_builder(rule, append_unknown)
        return builders[about]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signing, "_generate", keys.generate)
        patch.setattr(Rule, "_compile_builder", compiled)
        yield keys
