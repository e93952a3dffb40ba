"""Closing accounts: announced, reminded of, and then done for good; each by one conditional write.

After the end nothing of a person can be read here: their data key is destroyed. What the log committed to stays
where it is, as commitments that nobody can open.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, bindparam, exists, func, insert, or_, select, true, update
from sqlalchemy.exc import IntegrityError

from consent import acts
from idp.accounts.models import Attribute, ContactPoint, Resident
from idp.accounts.reach import ports as reach_ports
from idp.accounts.service import log_event
from idp.clients.registry import ClientRegistry
from idp.closing.models import Closure
from idp.closing.rules import Step, Times, for_dormant, is_dormant, on_request, step
from idp.jobs.one_by_one import one_by_one
from idp.login.ways import RESIDENT
from idp.messaging.outbox import empty_for, fate
from idp.messaging.service import tell
from idp.oidc import erasing
from idp.oidc.service import revoke_grants
from idp.recovery.ending import credentials_changed, recoveries_under_way, stop_cases
from idp.recovery.erase import forget
from idp.recovery.helping import end_all_of
from idp.signals.endings import follow_up_resident
from idp.statements import prepared, quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

    from idp.web.context import Context

log = logging.getLogger("denizen.closing")

_BATCH = 100
_ANNOUNCED = {"asked": "closing_begun", "dormant": "dormant_warning"}
_REMINDED = {"asked": "closing_soon", "dormant": "dormant_soon"}

_ANNOUNCED_OF = select(Closure).where(Closure.resident_id == bindparam("whose"), Closure.state == "announced")
#: What a sign-in may have to undo: asked along with the ways in, because there is seldom anything.
STANDING: Final = {
    "recovers": recoveries_under_way(RESIDENT),
    "closes": select(Closure.cause)
    .where(Closure.resident_id == RESIDENT, Closure.state == "announced")
    .scalar_subquery(),
}
_SEEN = quiet(
    prepared(update(Resident).where(Resident.id == bindparam("whose")).values(signed_in_at=bindparam("at")))
)


def announced(session: Session, resident_id: str) -> Closure | None:
    """The announced end of an account, if there is one."""
    found: Closure | None = session.execute(_ANNOUNCED_OF, {"whose": resident_id}).scalar_one_or_none()
    return found


def ask_to_close(session: Session, ctx: Context, resident: Resident, *, now: int) -> Closure | None:
    """A resident closes their account: signed out everywhere at once, gone after the grace period.

    None when its end was announced already.
    """
    limits = ctx.settings.accounts
    times = on_request(now, grace_for=limits.close_grace_for, reminder_for=limits.close_reminder_for)
    closure = announced(session, resident.id)
    if closure is not None and closure.cause == "dormant":
        end(session, closure.id, "kept", now=now)
        closure = None
    if closure is not None or not _announce(session, ctx, resident, "asked", times, now=now):
        return None
    credentials_changed(session, resident.id, keep_session=None, now=now)
    return announced(session, resident.id)


def keep(session: Session, ctx: Context, resident_id: str, *, now: int) -> bool:
    """The account is not closed after all; its resident is told."""
    closure = announced(session, resident_id)
    if closure is None or not end(session, closure.id, "kept", now=now):
        return False
    resident = session.get_one(Resident, resident_id)
    log_event(session, ctx.vault, resident, "account_kept", actor=acts.SELF, now=now)
    facts = {"link": f"{ctx.settings.server.issuer}/account"}
    tell(session, ctx.vault, resident, "closing_kept", facts, now=now)
    return True


def found_alive(
    session: Session, ctx: Context, resident_id: str, standing: Mapping[str, Any], *, now: int
) -> str:
    """Somebody has just signed in: it is noted, recoveries under way stop, a dormant account is none any more.

    `standing`: the answers to `STANDING`. Returns our page that should come before all others: the one on which a
    closed account is kept, or "".
    """
    session.execute(_SEEN, {"whose": resident_id, "at": now})
    if standing["recovers"]:
        stop_cases(session, resident_id, now=now)
    if standing["closes"] == "asked":
        return "/account/close"
    if standing["closes"] is not None:
        keep(session, ctx, resident_id, now=now)
    return ""


# --- jobs ---


def find_dormant(ctx: Context, *, now: int) -> int:
    """Announce the end of accounts in which nobody signed in for too long; how many.

    Whoever cannot be warned is left alone: an account is no less theirs for it.
    """
    limit = ctx.settings.accounts.dormant_after
    if not limit:
        return 0
    used_at = func.coalesce(Resident.signed_in_at, Resident.created_at)
    somebody_may_be_told = select(Resident.id, used_at.label("at")).where(
        Resident.state == "active",
        used_at <= now - limit,
        ~exists().where(Closure.resident_id == Resident.id, Closure.state == "announced"),
        or_(
            exists().where(ContactPoint.resident_id == Resident.id),
            exists().where(Attribute.resident_id == Resident.id, Attribute.name == "address"),
        ),
    )
    return _each(
        ctx,
        somebody_may_be_told,
        lambda session, resident_id: _warn_dormant(session, ctx, resident_id, now=now),
        failed="dormant account not announced resident",
    )


def _warn_dormant(session: Session, ctx: Context, resident_id: str, *, now: int) -> bool:
    resident = session.get_one(Resident, resident_id)
    limit = ctx.settings.accounts.dormant_after
    if not is_dormant(resident.signed_in_at, resident.created_at, dormant_after=limit, now=now):
        return False  # they have just come back
    reach = reach_ports(ctx.settings, ctx.vault).reach(session, resident)
    if not (reach.emails or reach.phones or reach.postal):
        return False
    times = for_dormant(now, notice_for=ctx.settings.accounts.dormant_notice_for)
    return _announce(session, ctx, resident, "dormant", times, now=now)


def advance(ctx: Context, *, now: int) -> int:
    """Remind of what is announced and close what is due; how many closures moved on."""
    something_may_be_due = select(Closure.id, Closure.reminds_at.label("at")).where(
        Closure.state == "announced",
        Closure.reminds_at <= now,
        or_(Closure.reminded_at.is_(None), Closure.closes_at <= now),
    )
    return _each(
        ctx,
        something_may_be_due,
        lambda session, closure_id: _advance(session, ctx, closure_id, now=now),
        failed="closing not advanced closure",
    )


def _each(ctx: Context, found: Select[str, int], act: Callable[[Session, str], bool], *, failed: str) -> int:
    """Act on what is found, by `id` and since when (`at`), the longest first; for how many `act` was true, about a batch.

    Page by page, so that those for whom nothing can be done hold up no others.
    """
    key, at = (found.selected_columns[name] for name in ("id", "at"))
    done = 0
    beyond: ColumnElement[bool] = true()
    while done < _BATCH:
        with ctx.database.reading() as session:
            page = session.execute(found.where(beyond).order_by(at, key).limit(_BATCH)).all()
        if not page:
            break
        done += one_by_one(ctx.database, [one.id for one in page], act, failed=failed)
        last = page[-1]
        beyond = or_(at > last.at, and_(at == last.at, key > last.id))
    return done


def _advance(session: Session, ctx: Context, closure_id: str, *, now: int) -> bool:
    closure = session.get_one(Closure, closure_id)
    times = Times(closure.begun_at, closure.reminds_at, closure.closes_at)
    is_asked, limits = closure.cause == "asked", ctx.settings.accounts
    # Whoever did not ask for the end has as much time after the second warning as after the first.
    warned_for = limits.close_reminder_for if is_asked else limits.dormant_notice_for
    due = step(times, closure.reminded_at, now=now, warned_for=warned_for)
    if due is Step.REMIND:
        return (_remind if is_asked else _warn_again)(session, ctx, closure, now=now)
    if due is not Step.CLOSE:
        return False
    # The resident first, as a sign-in does, which keeps a dormant account.
    resident = session.get_one(Resident, closure.resident_id, with_for_update=True)
    return end(session, closure.id, "closed", now=now) and close(
        session, ctx, resident, closure.cause, now=now
    )


def _remind(session: Session, ctx: Context, closure: Closure, *, now: int) -> bool:
    if not _reminded(session, closure, at=now):
        return False
    resident = session.get_one(Resident, closure.resident_id)
    _tell(session, ctx, resident, _REMINDED[closure.cause], closure, now=now)
    return True


def _reminded(session: Session, closure: Closure, *, at: int) -> bool:
    reminded = session.execute(
        update(Closure)
        .where(Closure.id == closure.id, Closure.state == "announced", Closure.reminded_at.is_(None))
        .values(reminded_at=at)
        .returning(Closure.id)
        .execution_options(synchronize_session=False)
    ).first()
    return reminded is not None


def _warn_again(session: Session, ctx: Context, closure: Closure, *, now: int) -> bool:
    """The second warning to a dormant account. Its time runs from when it has left the town, and not before.

    Where mail and text messages failed a letter goes; where that is not possible, or fails as well, the account is kept.
    """
    resident = session.get_one(Resident, closure.resident_id, with_for_update=True)
    if announced(session, resident.id) is None:
        return False  # they have just come back
    message = _REMINDED[closure.cause]
    sent = fate(session, resident.id, message, since=closure.reminds_at)
    if sent.left_at is not None:
        return _reminded(session, closure, at=sent.left_at)
    if sent.waits:
        return False
    # What is written late says a later day.
    closure.closes_at = max(closure.closes_at, now + ctx.settings.accounts.dormant_notice_for)
    if not sent.channels and _tell(session, ctx, resident, message, closure, now=now):
        return True
    if "letter" not in sent.channels and _write_to(session, ctx, resident, message, closure, now=now):
        return True
    log.warning("dormant account kept reason=not warned closure=%s", closure.id)
    log_event(session, ctx.vault, resident, "account_kept", actor=acts.TOWN, now=now)
    return end(session, closure.id, "kept", now=now)


def close(session: Session, ctx: Context, resident: Resident, cause: str, *, now: int) -> bool:
    """Close an account for good: told, logged, every way in and every grant gone, and the data key destroyed.

    The act `erased` stands in the log under the town's own key and names nobody: the erasure is itself an entry.
    """
    closed = session.execute(
        update(Resident)
        .where(Resident.id == resident.id, Resident.state != "closed")
        .values(state="closed")
        .returning(Resident.id)
    ).first()
    if closed is None:
        return False
    empty_for(session, resident.id, now=now)
    tell(session, ctx.vault, resident, "account_closed", {"not_me_url": ""}, now=now)
    log_event(session, ctx.vault, resident, "account_closed", now=now, cause=cause)
    credentials_changed(session, resident.id, keep_session=None, now=now)
    revoke_grants(session, resident.id, client_id=None, now=now)
    follow_up_resident(session, ClientRegistry(ctx.database), resident.id, now=now)
    erasing.forget(session, resident.id)
    end_all_of(session, ctx, resident.id, now=now)
    forget(session, resident.id)
    acts.record(
        session,
        log_key=ctx.vault.subkey("log"),
        kind="erased",
        actor=acts.TOWN,
        details={"cause": cause},
        now=now,
    )
    resident.data_key = None
    resident.username_index = None
    resident.changed_at = now
    log.info("account closed cause=%s", cause)
    return True


# --- pieces ---


def _announce(
    session: Session, ctx: Context, resident: Resident, cause: str, times: Times, *, now: int
) -> bool:
    """Announce the end of an account, told on every channel; False when that was done this very moment."""
    try:
        with session.begin_nested():
            session.execute(
                insert(Closure).values(
                    id=secrets.token_urlsafe(16),
                    resident_id=resident.id,
                    cause=cause,
                    state="announced",
                    begun_at=times.begun_at,
                    reminds_at=times.reminds_at,
                    reminded_at=None,
                    closes_at=times.closes_at,
                    ended_at=None,
                )
            )
    except IntegrityError:
        return False
    actor = acts.SELF if cause == "asked" else acts.TOWN
    log_event(session, ctx.vault, resident, "account_closing", actor=actor, now=now, cause=cause)
    closure = announced(session, resident.id)
    assert closure is not None
    _tell(session, ctx, resident, _ANNOUNCED[cause], closure, now=now)
    return True


def _tell(
    session: Session, ctx: Context, resident: Resident, message: str, closure: Closure, *, now: int
) -> bool:
    """Mail and text messages; a letter for whoever has neither and is about to lose an account unused. Whether any goes."""
    reach = reach_ports(ctx.settings, ctx.vault).reach(session, resident)
    if closure.cause == "dormant" and not (reach.emails or reach.phones):
        return _write_to(session, ctx, resident, message, closure, now=now)
    return bool(tell(session, ctx.vault, resident, message, _facts(ctx, closure), now=now))


def _write_to(
    session: Session, ctx: Context, resident: Resident, message: str, closure: Closure, *, now: int
) -> bool:
    """A letter alone; False when there is no address that may be printed."""
    reach = reach_ports(ctx.settings, ctx.vault).reach(session, resident)
    others, facts = [one.to for one in (*reach.emails, *reach.phones)], _facts(ctx, closure)
    return bool(tell(session, ctx.vault, resident, message, facts, now=now, kind="letter", except_=others))


def _facts(ctx: Context, closure: Closure) -> dict[str, Any]:
    """What every message about a closure says."""
    return {"closes_at": closure.closes_at, "link": f"{ctx.settings.server.issuer}/login"}


def end(session: Session, closure_id: str, state: str, *, now: int) -> bool:
    """End what was announced; False when it had ended already."""
    ended = session.execute(
        update(Closure)
        .where(Closure.id == closure_id, Closure.state == "announced")
        .values(state=state, ended_at=now)
        .returning(Closure.id)
        .execution_options(synchronize_session=False)
    ).first()
    return ended is not None
