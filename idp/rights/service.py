"""What residents do: ask, answer, think better of it; stop services and let them go on; take their copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from consent import acts, records, releases
from consent.rules import rights_for
from idp.accounts.models import Resident
from idp.accounts.service import log_event
from idp.login import budgets
from idp.messaging.service import tell
from idp.oidc import holds
from idp.rights import cases, effects
from idp.rights.rules import Action

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from idp.rights.models import Request
    from idp.web.context import Context

#: Copies that one resident makes in an hour: each is a thousand rows to open, or a document to lay out.
_COPIES = budgets.Limit("data-copies", 10, 3600)
#: Requests that one resident makes in a day.
_REQUESTS = budgets.Limit("rights-requests", 20, 86_400)


@dataclass(frozen=True, slots=True)
class Service:
    """A service that has, or had, to do with a resident: the bases of what it does now, and what stops it."""

    client_id: str
    bases: frozenset[str]
    held: str | None

    @property
    def may_object(self) -> bool:
        """Whether there is something to object to."""
        return any(right.name == "objection" for one in self.bases for right in rights_for(one))


def services(session: Session, resident_id: str) -> list[Service]:
    """The services that ever had to do with a resident; whoever received something last comes first."""
    by_client = records.choices_by_client(session, resident_id)
    last = releases.last_by_client(session, resident_id)
    purposes = {key for choices in by_client.values() for key in choices}
    basis_of = records.bases(session, purposes) if purposes else {}
    found = []
    for client_id in sorted({*by_client, *last}, key=lambda one: (-last.get(one, 0), one)):
        in_force = {key for key, one in by_client.get(client_id, {}).items() if one.in_force}
        bases = frozenset(basis_of[key] for key in in_force if key in basis_of)
        found.append(Service(client_id, bases, holds.cause_of(session, resident_id, client_id)))
    return found


def may_ask(ctx: Context, resident_id: str, *, now: int) -> bool:
    """Count one request; False when there were too many today."""
    return budgets.take(ctx, (_REQUESTS, resident_id), now=now).ok


def may_copy(ctx: Context, resident_id: str, *, now: int) -> bool:
    """Count one copy; False when there were too many this hour."""
    return budgets.take(ctx, (_COPIES, resident_id), now=now).ok


def ask(  # noqa: PLR0917
    session: Session,
    ctx: Context,
    resident_id: str,
    kind: str,
    about: str,
    wish: Mapping[str, str],
    *,
    now: int,
) -> Request | None:
    """Take in a request that somebody at the town decides on; None when the same one is open already.

    It is acknowledged in that very moment, on every channel.
    """
    resident = session.get_one(Resident, resident_id, with_for_update=True)
    row = cases.create(session, ctx, resident, kind, about, wish, now=now)
    if row is not None:
        facts = {"reference": row.reference, "due_at": row.due_at - 1, "link": _link(ctx, row)}
        tell(session, ctx.vault, resident, "request_received", facts, now=now)
    return row


def object_to(
    session: Session, ctx: Context, resident_id: str, client_id: str, text: str, *, now: int
) -> Request | None:
    """Object to what a service does on a basis that allows it: it is stopped until this is decided (Art. 18(1)(d), 21(1)).

    None when there is nothing to object to, or an objection is open already.
    """
    known = {one.client_id: one for one in services(session, resident_id)}
    if client_id not in known or not known[client_id].may_object:
        return None
    row = ask(session, ctx, resident_id, "objection", client_id, {"text": text} if text else {}, now=now)
    if row is not None and holds.place(session, resident_id, client_id, holds.OBJECTION, now=now):
        effects.tell_partner(
            session, ctx, "objection", client_id, resident_id, {"reference": row.reference}, now=now
        )
    return row


def restrict(session: Session, ctx: Context, resident_id: str, client_id: str, *, now: int) -> bool:
    """Have nothing new passed on to a service, or to any (Art. 18): at once, until the resident lifts it."""
    if client_id and client_id not in {one.client_id for one in services(session, resident_id)}:
        return False
    if not holds.place(session, resident_id, client_id, holds.RESTRICTION, now=now):
        return False
    resident = session.get_one(Resident, resident_id)
    row = cases.create(session, ctx, resident, "restriction", client_id, {}, state="fulfilled", now=now)
    assert row is not None
    for one in [client_id] if client_id else effects.known_to(session, resident_id):
        effects.tell_partner(
            session, ctx, "processing-restricted", one, resident_id, {"reference": row.reference}, now=now
        )
    facts = {"link": f"{ctx.settings.server.issuer}/privacy/rights"}
    tell(session, ctx.vault, resident, "services_stopped", facts, now=now)
    return True


def lift(session: Session, ctx: Context, resident_id: str, client_id: str, *, now: int) -> bool:
    """Let a service ask again; False when its resident has not restricted it."""
    if not holds.lift(session, resident_id, client_id, holds.RESTRICTION):
        return False
    resident = session.get_one(Resident, resident_id)
    log_event(
        session, ctx.vault, resident, "restriction_lifted", actor=acts.SELF, now=now, client_id=client_id
    )
    return True


def withdraw(session: Session, ctx: Context, resident_id: str, request_id: str, *, now: int) -> bool:
    """The resident no longer wants what they asked for; a service that an objection stopped may go on."""
    resident = session.get_one(Resident, resident_id)
    row = cases.move(session, ctx, resident, request_id, Action.WITHDRAW, actor=acts.SELF, now=now)
    if row is not None and row.kind == "objection":
        holds.lift(session, resident_id, row.about, holds.OBJECTION)
    return row is not None


def answer(
    session: Session, ctx: Context, resident_id: str, request_id: str, words: str, *, now: int
) -> bool:
    """The resident says what the town asked them for."""
    resident = session.get_one(Resident, resident_id)
    moved = cases.move(
        session, ctx, resident, request_id, Action.ANSWER, actor=acts.SELF, words=words, now=now
    )
    return moved is not None


def copy_taken(session: Session, ctx: Context, resident_id: str, kind: str, form: str, *, now: int) -> None:
    """Note that a resident takes a copy (kind `access` or `portability`), and tell them, before anything is read."""
    resident = session.get_one(Resident, resident_id)
    row = cases.create(session, ctx, resident, kind, "", {}, state="fulfilled", now=now)
    assert row is not None
    log_event(
        session, ctx.vault, resident, "access_exported", actor=acts.SELF, now=now, form=form, right=kind
    )
    tell(session, ctx.vault, resident, "access_exported", {"made_at": now}, now=now)


def _link(ctx: Context, row: Request) -> str:
    return f"{ctx.settings.server.issuer}/privacy/rights/{row.id}"
