"""What ways to sign in a resident has: asked of the database in one statement, from what each factor says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, bindparam, outerjoin, select
from sqlalchemy.orm import aliased

from idp.accounts.models import Resident
from idp.login.levels import BASIC, Method, typical
from idp.login.models import Password
from idp.statements import ahead, prepared

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement

    from idp.login.levels import Proof
    from idp.statements import FastResult

#: Stands for the resident in what a factor says of itself.
RESIDENT: BindParameter[str] = bindparam("resident_id")
#: Under a name of its own, so that what a factor says of passwords stays apart from it.
_PASSWORD = aliased(Password, name="own_password")
#: What may be asked for beside a short password where the account asks for nothing of its own.
_BESIDE = frozenset({Method.TOTP, Method.SMS_CODE, Method.EMAIL_CODE, Method.PAPER_CODE})


@dataclass(frozen=True, slots=True)
class Way:
    """One factor. `page` is where it is proved; `has` and `owed` are conditions in which `RESIDENT` stands.

    `has`: whether the resident can use it. `owed`: whether the account always asks for it as a second factor.
    `alone`: whether it can be the only thing proved, and so counts when the last way in must not be removed. `worth`: the
    level that it may reach by itself at best, `proved`: that it has reached, where these are not the same for everybody.
    """

    method: Method
    page: str
    has: ColumnElement[bool]
    owed: ColumnElement[bool] | None = None
    alone: ColumnElement[bool] | None = None
    worth: ColumnElement[str] | None = None
    proved: ColumnElement[str] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A resident's ways in, as they are now. `state` is the account's; `data_key` seals what is theirs, wrapped.

    `rests_on`: the method on which the password rests (`levels.Proof.rests_on`), or ""; `is_short`: whether it is too short
    to stand alone. `besides`: the answers to what `Ways.besides` asks.
    """

    state: str
    data_key: bytes | None = field(repr=False)
    enrolled: frozenset[Method]
    owed: frozenset[Method]
    alone: frozenset[Method]
    rests_on: str = ""
    is_short: bool = False
    besides: Mapping[str, Any] = field(default_factory=dict)
    #: What a provider upstream with which the resident is connected may say at best, and the best that one has said.
    worth: str = BASIC
    proved: str = BASIC

    def would_prove(self, method: Method) -> Proof:
        """What proving a method would be worth at best."""
        return self._worth(method, self.worth)

    def has_proved(self, method: Method) -> Proof:
        """What proving a method is worth to this resident, as far as it was seen."""
        return self._worth(method, self.proved)

    def _worth(self, method: Method, upstream: str) -> Proof:
        proof = typical(method, self.rests_on)
        return replace(proof, level=upstream) if method is Method.UPSTREAM else proof

    def owed_after(self, proofs: Collection[Proof]) -> frozenset[Method]:
        """The second factors of which one is asked for after these proofs: those that the account always asks for.

        A password too short to stand alone never does, even if the town has switched off what stood beside it: then
        whatever else there is is asked for. Where there is nothing, something is owed all the same, and the account
        opens by another way or after a recovery.
        """
        is_alone = self.is_short and not self.owed and any(one.method is Method.PASSWORD for one in proofs)
        return self.enrolled & _BESIDE or _BESIDE if is_alone else self.owed

    def left_without(self, method: Method) -> frozenset[Method]:
        """What opens the account once a method is gone; a short password does with something beside it alone.

        Recovery codes are nothing to rely on: each opens once.
        """
        beside = (self.owed | self.enrolled & _BESIDE) - {method}
        gone = {method, Method.PASSWORD} if self.is_short and not beside else {method}
        return self.alone - gone


NOBODY = Found("", None, frozenset(), frozenset(), frozenset())


@dataclass(frozen=True)
class Ways:
    """Every factor of the town. `besides`: what others want to know of whoever signs in, asked along with it."""

    all: Sequence[Way]
    besides: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)

    @cached_property
    def _asked(self) -> list[tuple[str, Method, Any]]:
        """What is asked of the database, in the order of the answer: (has, owed or alone), of which method, the condition."""
        kinds = ("has", "owed", "alone")
        found = [(kind, way.method, getattr(way, kind)) for way in self.all for kind in kinds]
        return [one for one in found if one[2] is not None]

    @cached_property
    def _levels(self) -> dict[str, ColumnElement[str]]:
        """What is asked of levels, under the names that `Found` has for it: of providers upstream alone."""
        asked = [
            (name, getattr(way, name))
            for way in self.all
            if way.method is Method.UPSTREAM
            for name in ("worth", "proved")
        ]
        return {name: level for name, level in asked if level is not None}

    @cached_property
    def _statement(self) -> Any:
        columns = [
            condition.label(f"{kind}_{method.name.lower()}") for kind, method, condition in self._asked
        ]
        about = (
            Resident.state.label("resident_state"),
            Resident.data_key,
            _PASSWORD.rests_on,
            _PASSWORD.is_short,
        )
        known = outerjoin(Resident, _PASSWORD, _PASSWORD.resident_id == Resident.id)
        besides = [asked.label(name) for name, asked in self.besides.items()]
        levels = [asked.label(f"upstream_{name}") for name, asked in self._levels.items()]
        return ahead(
            prepared(
                select(*about, *besides, *levels, *columns).select_from(known).where(Resident.id == RESIDENT)
            )
        )

    def of(self, connection: Any, resident_id: str) -> Found:
        """What this resident has; nothing when there is no such resident."""
        return self.found(self.ask(connection, resident_id))

    def ask(self, connection: Any, resident_id: str) -> FastResult:
        """Ask for it ahead; the answer is for `found`."""
        asked: FastResult = connection.execute(self._statement, {"resident_id": resident_id})
        return asked

    def found(self, answer: FastResult) -> Found:
        """What the database answered."""
        row = answer.first()
        if row is None:
            return NOBODY
        found: dict[str, list[Method]] = {"has": [], "owed": [], "alone": []}
        state, data_key, rests_on, is_short, *more = row
        besides = dict(zip(self.besides, more, strict=False))
        levels = dict(zip(self._levels, more[len(besides) :], strict=False))
        answers = more[len(besides) + len(levels) :]
        for (kind, method, _), is_so in zip(self._asked, answers, strict=True):
            if is_so:
                found[kind].append(method)
        has, owed, alone = (frozenset(methods) for methods in found.values())
        return Found(state, data_key, has, owed, alone, rests_on or "", bool(is_short), besides, **levels)

    def page_of(self, method: Method) -> str | None:
        """Where a method is proved, if the town has it."""
        return next((way.page for way in self.all if way.method is method), None)
