"""The copy of everything held about a resident (GDPR Art. 15), and what they may take elsewhere (Art. 20), as JSON.

Both are written as they are read, so that a long history needs no memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import select

from consent import held, records
from consent.canonical import moment
from idp.accounts import contacts
from idp.accounts.models import Attribute, Resident
from idp.accounts.service import read_attributes
from idp.rights import holdings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy.orm import Session

    from idp.web.context import Context

ACCESS: Final = "denizen-access/1"
PORTABLE: Final = "denizen-portable/1"
#: What a person gave themselves, by where an attribute comes from.
_GIVEN = frozenset({"self", "mail", "phone"})
#: Art. 20(1)(a): processing that stands on consent or on a contract.
_PORTABLE_BASES = frozenset({"consent", "contract"})


def everything(
    session: Session, ctx: Context, resident: Resident
) -> Iterator[tuple[str, Any, Iterator[dict[str, Any]]]]:
    """Each place where something is held: its name, its title, and its rows in the clear.

    Raises:
        LookupError: when the data key is destroyed; nothing can be read any more.
    """
    if resident.data_key is None:
        raise LookupError("the resident's data key is destroyed")
    key = ctx.vault.open_data_key(resident.data_key)
    for table in holdings.tables():
        found = holdings.rows(session, ctx.vault, key, resident.id, table)
        yield table.name, holdings.title_of(table.name), (_readable(row) for row in found)
    for name in held.tables():
        hidden = holdings.hidden_of(name)
        yield (
            name,
            holdings.title_of(name),
            (
                _readable({column: value for column, value in row.items() if column not in hidden})
                for row in held.rows(session, resident.id, name)
            ),
        )


def as_json(ctx: Context, resident_id: str, head: dict[str, Any], *, now: int) -> Iterator[bytes]:
    """The copy of everything, piece by piece. `head` says what a copy must say besides (Art. 15(1)(a) to (h))."""
    with ctx.database.reading() as session:
        resident = session.get_one(Resident, resident_id)
        yield _opening({"format": ACCESS, "made_at": moment(now), **head})
        yield b',"held":{'
        for number, (name, title, rows) in enumerate(everything(session, ctx, resident)):
            yield (
                b"," * (number > 0)
                + orjson.dumps(name)
                + b':{"title":'
                + orjson.dumps(str(title))
                + b',"rows":['
            )
            yield from _listed(rows)
            yield b"]}"
        yield b"}}\n"


def portable(ctx: Context, resident_id: str, names: Callable[[str], str], *, now: int) -> Iterator[bytes]:
    """What the resident gave, and chose on the basis of consent or contract, in the words of OpenID Connect."""
    with ctx.database.reading() as session:
        resident = session.get_one(Resident, resident_id)
        known = read_attributes(session, ctx.vault, resident)
        sources = select(Attribute.name, Attribute.source).where(Attribute.resident_id == resident_id)
        given = {row.name for row in session.execute(sources) if row.source in _GIVEN}
        points = contacts.of_resident(session, ctx.vault, resident)
        yield _opening(
            {
                "format": PORTABLE,
                "made_at": moment(now),
                "person": {name: known[name] for name in sorted(given)},
                "contact_points": [{"kind": one.kind, "value": one.value} for one in points],
            }
        )
        yield b',"choices":['
        yield from _listed(_choices(session, resident_id, names))
        yield b"]}\n"


def _choices(session: Session, resident_id: str, names: Callable[[str], str]) -> Iterator[dict[str, Any]]:
    before = records.NEWEST
    while page := records.history(session, resident_id, before_id=before, limit=500):
        bases = records.bases(session, {one.purpose_id for one in page})
        for one in page:
            if bases.get(one.purpose_id) in _PORTABLE_BASES:
                yield {
                    "service": names(one.client_id),
                    "purpose": one.notice_title,
                    "event": one.event,
                    "chosen": list(one.claims_chosen),
                    "at": moment(one.at),
                }
        before = page[-1].id


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """Instants written out; what is JSON in a column is JSON in the copy."""
    return {name: _value(name, value) for name, value in row.items()}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, int) and (name == "at" or name.endswith("_at")):
        return moment(value)
    if name == "actor" and str(value).startswith("staff:"):
        return "staff"  # which one is data about them
    if isinstance(value, str) and value[:1] in ("[", "{", '"'):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _opening(head: dict[str, Any]) -> bytes:
    return orjson.dumps(head)[:-1]


def _listed(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for number, row in enumerate(rows):
        yield b"," * (number > 0) + orjson.dumps(row)
