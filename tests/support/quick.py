"""What every town of a test run would make anew is made once for each process: most of what a town costs.

RSA keys take a tenth of a second each, and a fortieth to be read again; so does a right password to be found right. Werkzeug compiles two functions for every route
of every app, Jinja every template for every app, SQLAlchemy every statement for every database. Within one test all keys
differ; everything else depends on its own text alone.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any

import jinja2
import pytest
from argon2 import _password_hasher
from jinja2.defaults import DEFAULT_FILTERS
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing.rules import Rule

from idp import db
from idp.statements import Statement
from keys import signing

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator


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
    def apart(self) -> Iterator[None]:
        """For a town that many tests copy: what it begins with, none of them makes again."""
        kept = self._made, self._used
        self._made, self._used = [], 0
        yield
        self._made, self._used = kept


@contextmanager
def shared_work() -> Iterator[RsaKeys]:
    """All of it, while the block lasts."""
    keys = RsaKeys()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signing, "_generate", keys.generate)
        patch.setattr(signing, "load_pem_private_key", cache(signing.load_pem_private_key))
        patch.setattr(_password_hasher, "verify_secret", lru_cache(4096)(_password_hasher.verify_secret))
        _share_routes(patch)
        _share_templates(patch)
        _share_statements(patch)
        yield keys


def _share_routes(patch: pytest.MonkeyPatch) -> None:
    builders, compile_builder = {}, Rule._compile_builder
    plain, compile_rule = {}, Rule.compile

    def compiled_builder(rule: Rule, append_unknown: bool = True) -> Any:
        if rule.defaults:
            return compile_builder(rule, append_unknown)
        about = rule.rule, rule.is_leaf, tuple(rule._trace), append_unknown
        if about not in builders:
            builders[about] = compile_builder(rule, append_unknown)
        return builders[about]

    def compiled(rule: Rule) -> None:
        if "<" in rule.rule or rule.host or rule.subdomain:
            compile_rule(rule)
            return
        about = rule.rule, rule.is_leaf, rule.merge_slashes
        if about not in plain:
            compile_rule(rule)
            plain[about] = tuple(rule._parts), tuple(rule._trace)
        parts, trace = plain[about]
        rule._parts, rule._trace, rule._converters = list(parts), list(trace), {}
        rule._build, rule._build_unknown = (
            compiled_builder(rule, more).__get__(rule) for more in (False, True)
        )

    patch.setattr(Rule, "_compile_builder", compiled_builder)
    patch.setattr(Rule, "compile", compiled)


def _share_templates(patch: pytest.MonkeyPatch) -> None:
    codes: dict[Hashable, Any] = {}
    compile_template: Any = jinja2.Environment.compile

    def compiled(environment: jinja2.Environment, source: Any, *named: Any, **more: Any) -> Any:
        if not isinstance(source, str):
            return compile_template(environment, source, *named, **more)
        about = source, named, tuple(more.items()), _manner(environment)
        if about not in codes:
            codes[about] = compile_template(environment, source, *named, **more)
        return codes[about]

    patch.setattr(jinja2.Environment, "compile", compiled)


def _manner(environment: jinja2.Environment) -> Hashable:
    """All that the code of a template depends on besides its text; a filter may be applied when it is compiled."""
    own = {name: one for name, one in environment.filters.items() if DEFAULT_FILTERS.get(name) is not one}
    filters = {(name, *_parts(one)) for name, one in own.items()}
    lexis = (environment.trim_blocks, environment.lstrip_blocks, environment.keep_trailing_newline)
    return (
        type(environment),
        environment.undefined,
        environment.autoescape,
        lexis,
        frozenset(environment.extensions),
        frozenset(filters),
    )


def _parts(one: Any) -> tuple[Hashable, ...]:
    return (one.func, *one.args) if isinstance(one, partial) else (one,)


def _share_statements(patch: pytest.MonkeyPatch) -> None:
    """Statements are kept by the dialect they were compiled for, so the dialects of two databases of a kind are made equal."""
    compiled: LRUCache[Any, Any] = LRUCache(2000)
    create_engine = db.create_engine

    def engine_of(*about: Any, **more: Any) -> Any:
        engine = create_engine(*about, **more)
        engine._compiled_cache = compiled
        return engine

    kept: dict[Hashable, Any] = {}

    def statement_of(statement: Any, engine: Any) -> Any:
        about = id(statement), engine.dialect
        if about not in kept:
            kept[about] = Statement(
                statement, engine
            )  # which keeps the statement, so that its id stays its own
        return kept[about]

    patch.setattr(db, "create_engine", engine_of)
    patch.setattr(db, "Statement", statement_of)
    patch.setattr(DefaultDialect, "__eq__", _is_alike)
    patch.setattr(DefaultDialect, "__hash__", lambda one: hash(type(one)))


def _is_alike(one: Any, other: Any) -> bool:
    return type(one) is type(other) and (
        one.server_version_info,
        one.paramstyle,
        getattr(one, "_backslash_escapes", None),
    ) == (other.server_version_info, other.paramstyle, getattr(other, "_backslash_escapes", None))
