"""What the officer may choose from, and what stands in an address, as a question that the records can be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask_babel import gettext

from admin.audit.rules import begins_at, day_of, ends_at, kept, number_of
from admin.officer import words
from admin.services import service_name
from consent.audit import register
from consent.audit.search import EVENTS, NEWEST, Position, Query
from idp.login.levels import LEVELS
from idp.web.context import context
from idp.web.languages import current_language

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admin.officer.forms import Errors

    Options = list[tuple[str, str]]

FIELDS: Final = ("client", "purpose", "notice", "event", "level", "since", "until", "standing")


@dataclass(frozen=True, slots=True)
class Asked:
    """What stood in the form, whether it can be asked, and what is wrong with it."""

    typed: dict[str, str]
    query: Query
    errors: Errors

    @property
    def filters(self) -> dict[str, Any]:
        """What was filled in, for addresses and for the record of the search."""
        return kept(self.typed)


def read(connection: Any, form: Mapping[str, str], resident_id: str | None = None) -> Asked:
    """The question in a form or an address; with `resident_id`, about that person alone."""
    typed = {name: form.get(name, "").strip() for name in FIELDS}
    zone = context().settings.town.time_zone
    errors: Errors = []
    since, until = (day_of(typed[name]) for name in ("since", "until"))
    errors += [
        (name, gettext("Enter a day such as 2026-11-22"))
        for name, day in (("since", since), ("until", until))
        if typed[name] and day is None
    ]
    notice = register.notice_named(connection, typed["notice"]) if typed["notice"] else None
    if typed["notice"] and notice is None:
        errors.append(("notice", gettext("No notice, or more than one, has a hash that begins so")))
    query = Query(
        resident_id=resident_id,
        client_id=typed["client"] or None,
        purpose_id=typed["purpose"] or None,
        notice_hash=notice,
        event=typed["event"] if typed["event"] in EVENTS else None,
        level=typed["level"] if typed["level"] in LEVELS else None,
        since=begins_at(since, zone) if since else None,
        until=ends_at(until, zone) if until else None,
        standing=typed["standing"] == "1",
    )
    return Asked(typed, query, errors)


def position(form: Mapping[str, str]) -> Position | None:
    """Where a list goes on; None for a cursor that is none of ours."""
    if "before" not in form:
        return NEWEST
    at, _, number = form["before"].partition("-")
    found = number_of(at), number_of(number)
    return None if found[0] is None or found[1] is None else Position(found[0], found[1])


def cursor(where: Position) -> str:
    """A position as it stands in an address."""
    return f"{where.at}-{where.id}"


def entries(connection: Any) -> list[register.Entry]:
    """The register of processing in the reader's language."""
    return register.entries(connection, current_language(), context().settings.town.languages[0])


def service_options(every: list[register.Entry]) -> Options:
    """Services that ever had a purpose, by name."""
    names = {one.client_id: service_name(one.client_id) for one in every}
    return sorted(names.items(), key=lambda one: (one[1].casefold(), one[0]))


def purpose_options(every: list[register.Entry]) -> Options:
    """Purposes, each with its newest title."""
    titles = {one.purpose_id: f"{service_name(one.client_id)}: {one.title}" for one in every}
    return sorted(titles.items(), key=lambda one: (one[1].casefold(), one[0]))


def event_options() -> Options:
    """Everything that can happen to a consent."""
    return [(event, words.event_text(event)) for event in EVENTS]


def level_options() -> Options:
    """How surely somebody had signed in."""
    return [(level, words.level_text(level)) for level in LEVELS]
