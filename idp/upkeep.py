"""The jobs of the town: keys turn, mail leaves, the log grows, what has ended is cleared away."""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select
from sqlalchemy.orm import aliased

from consent import acts
from consent import log as consent_log
from idp import lapses
from idp.accounts import not_me
from idp.accounts.models import FormerContactPoint, NotMeLink
from idp.clients.models import InitialToken
from idp.clients.registry import ClientRegistry
from idp.closing import service as closing
from idp.closing.models import Closure
from idp.contacts import adding
from idp.contacts.models import Change
from idp.contacts.service import apply_due
from idp.jobs.stamps import KEYS, bump
from idp.jobs.worker import Job
from idp.login import attempts, sessions
from idp.login.attempts import CLOCK_LEEWAY
from idp.login.budgets.models import Budget, FailureStreak
from idp.login.cards.models import Card
from idp.login.codes import service as codes
from idp.login.devices.models import KnownDevice
from idp.login.models import BrowserSession, Challenge, LoginAttempt
from idp.login.otp.models import AuthenticatorApp
from idp.login.upstream.models import UpstreamArrival, UpstreamState
from idp.messaging import outbox
from idp.messaging.delivery import Courier
from idp.messaging.models import Allowance, Message
from idp.oidc import families
from idp.oidc.device import service as devices
from idp.oidc.device.models import DeviceRequest
from idp.oidc.interactions import WAIT_FOR
from idp.oidc.models import AccessToken, Authorization, Interaction, PushedRequest, RefreshToken, UsedOnce
from idp.oidc.provider import Provider
from idp.recovery import ending as recoveries
from idp.recovery.answering import answer_asked
from idp.recovery.models import Case, Helper, Token
from idp.rights.models import Request
from idp.signals.delivery import Messenger
from idp.signals.models import Delivery
from idp.signup.models import SignUpLink
from idp.signup.service import expire_links
from idp.witnessing import Rounds
from keys import rotation
from keys.rotation import RotationSchedule
from keys.signing import DEFAULT_ALGORITHMS, load_ring

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from idp.settings import Settings
    from idp.web.context import Context
    from keys.rotation import KeyEvent

log = logging.getLogger("denizen.upkeep")

USES = ("tokens", "log", "receipts")
LOG_ALGORITHM = "Ed25519"
#: Ended rows are kept this long, in seconds, so that a replay is still told from a guess.
KEEP_ENDED_FOR = 7 * 86_400
#: Leaves, or rows to clear away, of one transaction.
_BATCH = 5000
#: The same on SQLite, where everybody who writes waits for it.
_SQLITE_BATCH = 1000
#: So long after its time the use of an assertion or a proof is forgotten, in seconds: no sooner than a clock that is set
#: back an hour could make it young again.
_FORGET_USED_AFTER = 3600
#: So long a pushed request is kept, in seconds: its resident may be signing in for it.
_FORGET_PUSHED_AFTER = 2 * WAIT_FOR
#: So far back upkeep looks for what expired unseen, in seconds: as far as a clock may be set back, and more than its pace.
EXPIRED_SINCE = 3600
_LOG_EVERY = 2
_WITNESSES_EVERY = 5
#: Once a day the log looks for entries that were committed very late, in seconds.
SWEEP_EVERY = 86_400
_ENDED = (
    (Interaction.id_hash, Interaction.expires_at),
    (RefreshToken.token_hash, RefreshToken.expires_at),
    (DeviceRequest.id, DeviceRequest.expires_at),
    (SignUpLink.link_hash, SignUpLink.expires_at),
    (BrowserSession.id_hash, BrowserSession.expires_at),
    (Authorization.id, Authorization.expires_at),
    (LoginAttempt.id_hash, LoginAttempt.expires_at),  # with its proofs and codes
    (Card.id, Card.revoked_at),
    (Case.id, Case.expires_at),
    (Token.token_hash, Token.expires_at),
    (Helper.id, Helper.ended_at),
    (Change.id, Change.expires_at),
    (NotMeLink.link_hash, NotMeLink.expires_at),
    (Closure.id, Closure.ended_at),
    (Message.id, Message.finished_at),
    (Delivery.id, Delivery.finished_at),
    (Allowance.bucket_hash, Allowance.since_at),
    (Budget.bucket, Budget.window_at),
    (FailureStreak.bucket, FailureStreak.expires_at),
)
_SUCCESSOR = aliased(BrowserSession)
#: What hangs on such a row, of whatever age, keeps it: a session names the partners that are to be told of its end by its
#: authorizations and by the session that it stands in the place of (`idp.login.endings`).
_HANGS_ON_IT = {
    BrowserSession: select(_SUCCESSOR.sid).where(_SUCCESSOR.former_sid == BrowserSession.sid),
    Authorization: select(BrowserSession.sid).where(BrowserSession.sid == Authorization.sid),
}
#: Worth something only while they are there and live, and told from a guess by nobody: what is gone, no clock that is
#: set back revives (K40), and nothing is written for it that would not be written anyway.
_OVER = (
    (AccessToken.token_hash, AccessToken.expires_at, CLOCK_LEEWAY),
    (InitialToken.token_hash, InitialToken.expires_at, CLOCK_LEEWAY),
    (Challenge.challenge_hash, Challenge.expires_at, CLOCK_LEEWAY),
    (AuthenticatorApp.id, AuthenticatorApp.pending_until, CLOCK_LEEWAY),
    (UpstreamState.state_hash, UpstreamState.expires_at, CLOCK_LEEWAY),
    (UpstreamArrival.handle_hash, UpstreamArrival.expires_at, CLOCK_LEEWAY),
    (KnownDevice.id, KnownDevice.expires_at, CLOCK_LEEWAY),
)
#: What is too old is refused for its age, so nothing is lost with these.
_FORGOTTEN = (
    (UsedOnce.id_hash, UsedOnce.expires_at, _FORGET_USED_AFTER),
    (PushedRequest.id_hash, PushedRequest.expires_at, _FORGET_PUSHED_AFTER),
    (FormerContactPoint.id, FormerContactPoint.expires_at, 0),
)


def jobs(context: Context) -> list[Job]:
    """Every job with its pace in seconds."""
    return [
        # Each gateway has a thread of its own: one that does not answer holds up nothing else.
        Job("mail", 1, Courier(context, "mail").deliver_due, lane="mail"),
        Job(
            "sms", 1 if context.settings.sms.enabled else 60, Courier(context, "sms").deliver_due, lane="sms"
        ),
        Job("signals", 1, Messenger(Provider(context, ClientRegistry(context.database))).run, lane="signals"),
        Job("messages", 600, lambda now: outbox.tidy(context, now=now)),
        Job("log", _LOG_EVERY, lambda now: integrate_log(context, now=now), lane="log", is_leased=False),
        Job("log-sweep", SWEEP_EVERY, lambda now: sweep_log(context, now=now)),
        Job("keys", 60, lambda now: turn_keys(context, now=now)),
        Job("sign-ins", 60, lambda now: end_expired_sign_ins(context, now=now)),
        Job("recoveries", 1, lambda now: answer_asked(context, now=now)),
        Job("contacts", 60, lambda now: apply_due(context, now=now)),
        Job("closing", 600, lambda now: closing.advance(context, now=now)),
        Job("consents", 60, lambda now: lapses.look(context, ClientRegistry(context.database), now=now)),
        Job("dormant", 3600, lambda now: closing.find_dormant(context, now=now)),
        Job("over", 60, lambda now: clear_over(context, now=now), lane="purge"),
        Job("purge", 600, lambda now: purge(context, now=now), lane="purge"),
        *_witness_jobs(context),
    ]


def _witness_jobs(context: Context) -> list[Job]:
    """None where nobody watches the log."""
    if not context.settings.log.witnesses:
        return []
    return [Job("witnesses", _WITNESSES_EVERY, Rounds(context).run, lane="witnesses")]


def schedule(settings: Settings) -> RotationSchedule:
    """The rotation schedule of the settings."""
    keys = settings.keys
    return RotationSchedule(publish_for=keys.publish_for, sign_for=keys.sign_for, keep_for=keys.keep_for)


def turn_keys(context: Context, *, now: int) -> None:
    """Make, promote and retire signing keys that are due; every change is an entry of the log."""
    with context.database.transaction() as session:
        _record(session, context, _tick(session, context, now=now), now=now)


def _tick(session: Session, context: Context, *, now: int) -> list[KeyEvent]:
    settings = context.settings
    algorithms = {**DEFAULT_ALGORITHMS, "tokens": settings.keys.algorithms}
    return rotation.tick(
        session, context.vault, schedule(settings), uses=USES, algorithms=algorithms, now=now
    )


def rotate_keys(context: Context, *, alg: str | None, force: bool, now: int) -> Sequence[KeyEvent]:
    """An operator's rotation of the token keys, and a new `next` key at once."""
    with context.database.transaction() as session:
        timing = schedule(context.settings)
        events = rotation.rotate(session, context.vault, timing, alg=alg, force=force, now=now)
        events += _tick(session, context, now=now)
        _record(session, context, events, now=now)
    return events


def retire_key(context: Context, kid: str, *, now: int) -> Sequence[KeyEvent]:
    """Take one key out of the published set at once."""
    with context.database.transaction() as session:
        events = rotation.retire(session, kid, now=now)
        _record(session, context, events, now=now)
    return events


def _record(session: Session, context: Context, events: Sequence[KeyEvent], *, now: int) -> None:
    for event in events:
        kind = _KINDS[type(event)]
        log.info("%s kid=%s alg=%s use=%s", kind, event.kid, event.alg, event.use)
        acts.record(
            session,
            log_key=context.vault.subkey("log"),
            kind=kind,
            actor=acts.TOWN,
            details={"kid": event.kid, "alg": event.alg, "use": event.use},
            now=now,
        )
    if events:
        bump(session, KEYS)


_KINDS: dict[type[Any], str] = {
    rotation.KeyCreated: "key_created",
    rotation.KeyRotated: "key_rotated",
    rotation.KeyRetired: "key_retired",
    rotation.KeyWithdrawn: "key_withdrawn",
}


def integrate_log(context: Context, *, now: int, sweep: bool = False) -> None:
    """Give every pending log entry its place and sign checkpoints, a batch a transaction; nothing while another does.

    The database says who does it: a process that dies in the middle leaves nothing behind, and nobody waits for it.
    """
    database = context.database
    limit = _BATCH if not database.is_sqlite else _SQLITE_BATCH
    signers = None
    while True:
        with database.transaction() as session:
            if not database.is_sqlite and not consent_log.is_alone(session):
                return
            if not sweep and not consent_log.has_pending(session):
                return
            signer, earlier = signers = signers or note_signers(session, context)
            integrated = consent_log.integrate(
                session,
                signer,
                origin=signer.name,
                now=now,
                limit=limit,
                sweep=sweep,
                earlier_vkeys=earlier,
            )
        # Whatever has come since then waits for the next time: under load there is always something, and a batch of a
        # few costs as much as one of thousands.
        if integrated is None or integrated.entries < limit:
            return


def sweep_log(context: Context, *, now: int) -> None:
    """Give entries their place that were committed absurdly late; SQLite has none: one writes there at a time."""
    if context.database.is_sqlite:
        return
    with context.database.reading() as session:
        found = consent_log.has_stragglers(session)
    if found:
        log.warning("entries of the log were committed late")
        integrate_log(context, now=now, sweep=True)


def note_signers(session: Session, context: Context) -> tuple[consent_log.NoteSigner, list[str]]:
    """Who signs checkpoints now, and the verifier keys of those who did before, retired ones too."""
    current = load_ring(session, context.vault, use="log").current(LOG_ALGORITHM)
    origin = log_origin(context.settings)
    known = [key for key in rotation.list_keys(session) if key.use == "log"]
    public = {key.kid: _raw_public(key.public_jwk["x"]) for key in known}
    signer = consent_log.NoteSigner(origin, public.pop(current.kid), current.sign_raw)
    return signer, [consent_log.NoteSigner(origin, raw, _cannot_sign).vkey for raw in public.values()]


def _raw_public(x: str) -> bytes:
    return base64.urlsafe_b64decode(x + "=" * (-len(x) % 4))


def _cannot_sign(_: bytes) -> bytes:
    raise RuntimeError("this key only verifies")


def log_origin(settings: Settings) -> str:
    """The name of the town's log: issuer host and `/log`."""
    return settings.server.issuer.partition("://")[2] + "/log"


def end_expired_sign_ins(context: Context, *, now: int) -> None:
    """Mark what has expired of all that opens or changes an account, so that no clock that is set back revives it (K40)."""
    since = now - EXPIRED_SINCE
    with context.database.transaction() as session:
        attempts.expire(session, now=now)
        sessions.end_expired(session, settings=context.settings.sessions, since=since, now=now)
        families.end_expired(session, since=since, now=now)
        devices.end_expired(session, since=since, now=now)
        expire_links(session, since=since, now=now)
        codes.expire(session, now=now)
    # What ends at a change of credentials is locked there in another order than here: so it is by itself.
    with context.database.transaction() as session:
        recoveries.end_expired(session, since=since, now=now)
    with context.database.transaction() as session:
        adding.end_expired(session, since=since, now=now)
        not_me.end_expired(session, since=since, now=now)


def purge(context: Context, *, now: int) -> None:
    """Clear away all that ended long ago, in small batches, so that no lock is held for long.

    Whatever happens often makes its rows by the million: to take some and leave the rest would never be done.
    """
    kept = [(key, ended_at, KEEP_ENDED_FOR) for key, ended_at in _ENDED]
    # With their steps.
    kept.append((Request.id, Request.ended_at, context.settings.retention.requests_for))
    _clear(context, (*kept, *_FORGOTTEN), now=now)


def clear_over(context: Context, *, now: int) -> None:
    """The same with what is worth nothing any more as soon as it is over; each has an index on its time."""
    _clear(context, _OVER, now=now)


def _clear(context: Context, what: Iterable[tuple[Any, Any, int]], *, now: int) -> None:
    limit = _SQLITE_BATCH if context.database.is_sqlite else _BATCH
    for key, ended_at, after in what:
        while _purge_batch(context, key, ended_at, before=now - after, limit=limit) == limit:
            pass


def _purge_batch(context: Context, key: Any, ended_at: Any, *, before: int, limit: int) -> int:
    with context.database.transaction() as session:
        ended = select(key).where(ended_at < before).limit(limit)
        if (hangs_on_it := _HANGS_ON_IT.get(key.class_)) is not None:
            ended = ended.where(~hangs_on_it.exists())
        statement = delete(key.class_).where(key.in_(ended))
        gone: Any = session.execute(statement, execution_options={"synchronize_session": False})
        return int(gone.rowcount)
