"""Delivery of signals: each client by itself, several at a time, tried again with growing pauses for a bounded time.

A client that does not answer holds one place for the seconds of a fetch, then rests; the others are told meanwhile.
Whatever happens between two steps, a signal is told at least once: it is claimed before each try, and only what a
client has taken is done (see `idp.jobs.outgoing`).
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sqlalchemy import select

from consent.withdrawals import service as withdrawals
from idp.accounts.evidence import subject_key
from idp.jobs import outgoing
from idp.jobs.outgoing import chance
from idp.oidc.answers import encrypted_for
from idp.oidc.errors import Refusal
from idp.oidc.subjects import sid_for, subject_for
from idp.signals import events
from idp.signals.endings import follow_up
from idp.signals.models import Delivery
from idp.signals.rules import LONGEST_REST, RETRIES, Verdict, event_verdict, verdict, wish
from idp.signals.tokens import TYPE, logout_claims
from idp.web.fetcher import FetchFailed

if TYPE_CHECKING:
    from concurrent.futures import Future

    from consent.withdrawals.rules import Matter
    from idp.clients.registry import Client
    from idp.oidc.provider import Provider
    from keys.signing import KeyRing

log = logging.getLogger("denizen.signals")

#: So many clients are told at the same time.
PLACES = 8
#: So many signals of one client are told one after the other before its place is given to another.
BATCH = 20
#: So many clients are looked at in one run.
_CLIENTS = 200
#: A claimed signal belongs to who claimed it for this long, in seconds: a key set is fetched, then the signal is sent.
HOLD_FOR = 60
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class _Rest:
    """A client that could not be told: left alone until then, after so many failures in a row."""

    until: int = 0
    failures: int = 0


class Undelivered(Exception):
    """A client did not take a signal. `cause` names nobody; `after` is how long it wants to be left alone."""

    def __init__(self, cause: str, *, is_final: bool = False, after: int = 0) -> None:
        super().__init__(cause)
        self.cause = cause[:60]
        self.is_final = is_final
        self.after = after


class Messenger:
    """Follows up the ends of sessions, and tells clients what is due; of use to one thread, with others behind it."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._context = provider.context
        self._pool = ThreadPoolExecutor(PLACES, thread_name_prefix="denizen-signals")
        self._lock = threading.Lock()
        self._busy: dict[str, Future[None]] = {}
        self._rests: dict[str, _Rest] = {}

    def run(self, now: int) -> None:
        """Begin what is due; it goes on in threads of its own, so that nobody waits for a slow client."""
        follow_up(self._provider, now=now)
        ring = self._provider.keys.ring
        for client_id in self._clients_due(now):
            client = self._provider.clients.find(client_id)
            with self._lock:
                if client_id not in self._busy:
                    self._busy[client_id] = self._pool.submit(self._tell, client_id, client, ring)

    def finish(self) -> None:
        """Wait until all that was begun is done."""
        with self._lock:
            begun = list(self._busy.values())
        wait(begun)

    def _clients_due(self, now: int) -> list[str]:
        """Clients with something due that are neither being told nor at rest; no client hides the others."""
        with self._lock:
            # A rest that ends far ahead was begun before the clock was set back.
            resting = [one for one, rest in self._rests.items() if now < rest.until <= now + 2 * LONGEST_REST]
            left_out = {*self._busy, *resting}
        found = select(Delivery.client_id).where(Delivery.state == "waiting", Delivery.due_at <= now)
        if left_out:
            found = found.where(Delivery.client_id.not_in(left_out))
        with self._context.database.reading() as session:
            return list(session.execute(found.distinct().limit(_CLIENTS)).scalars())

    def _tell(self, client_id: str, client: Client | None, ring: KeyRing) -> None:
        """Tell one client what is due for it, until it fails."""
        try:
            for delivery in self._due(client_id):
                if not self._deliver(delivery, client, ring):
                    break
        except Exception:
            log.exception("signals failed client=%s", client_id)
            self._rest(client_id, is_well=False)
        finally:
            with self._lock:
                self._busy.pop(client_id, None)

    def _due(self, client_id: str) -> list[Delivery]:
        with self._context.database.reading() as session:
            return outgoing.due(
                session, Delivery, Delivery.client_id == client_id, now=self._context.now(), limit=BATCH
            )

    def _deliver(self, delivery: Delivery, client: Client | None, ring: KeyRing) -> bool:
        """One try; False when the client cannot be told anything now."""
        with self._context.database.transaction() as session:
            claimed = outgoing.claim(session, Delivery, delivery, until=self._context.now() + HOLD_FOR)
        if not claimed:
            return True
        if client is None or not _address(client, delivery):
            trouble = "not registered for it any more"
            self._settle(delivery, state="dropped", trouble=trouble, finished_at=self._context.now())
            return True
        try:
            self._send(delivery, client, ring)
        except Undelivered as error:
            self._failed(delivery, error)
            return error.is_final
        except Exception as error:
            log.exception("signal failed kind=%s id=%s", delivery.kind, delivery.id)
            self._failed(delivery, Undelivered(type(error).__name__))
            return False
        self._taken(delivery)
        log.info("signal taken kind=%s client=%s id=%s", delivery.kind, delivery.client_id, delivery.id)
        self._rest(delivery.client_id, is_well=True)
        return True

    def _send(self, delivery: Delivery, client: Client, ring: KeyRing) -> None:
        """POST a fresh token, outside any transaction (Back-Channel Logout 1.0 §2.5, RFC 8935 §2.1).

        Raises:
            Undelivered: when the client did not take it.
        """
        is_event = delivery.kind == "event"
        try:
            token = self._token(delivery, client, ring)
            body = token.encode() if is_event else urlencode({"logout_token": token}).encode()
            answer = self._provider.fetcher.post(
                _address(client, delivery),
                body,
                content_type=events.CONTENT_TYPE if is_event else _FORM,
                headers={"Accept": "application/json"} if is_event else None,
            )
        except Refusal:
            raise Undelivered("no key to encrypt to") from None
        except FetchFailed as error:
            raise Undelivered(error.cause) from error
        meant = event_verdict(answer.status) if is_event else verdict(answer.status)
        if meant is not Verdict.TAKEN:
            after = wish(answer.headers.get("retry-after", ""))
            raise Undelivered(f"status {answer.status}", is_final=meant is Verdict.REFUSED, after=after)

    def _token(self, delivery: Delivery, client: Client, ring: KeyRing) -> str:
        """What is told, signed anew, by the names under which this client knows the resident and the session."""
        vault = self._context.vault
        subject = delivery.subject or subject_for(vault, client, delivery.resident_id)
        issued: dict[str, Any] = {"issuer": self._provider.issuer, "now": self._context.now()}
        if delivery.kind == "event":
            claims, typ = events.event_claims(delivery, subject, **issued), events.TYPE
        else:
            sid = sid_for(vault, client.client_id, delivery.sid)
            claims, typ = logout_claims(delivery, subject, sid, **issued), TYPE
        signed = ring.current(client.id_token_alg).sign(claims, typ)
        return encrypted_for(self._provider, client, signed, what="id_token")

    def _taken(self, delivery: Delivery) -> None:
        """Write down that a client has taken a signal, and so that it was told what it must confirm."""
        now, ctx = self._context.now(), self._context
        done = {"state": "sent", "trouble": "", "finished_at": now}
        with ctx.database.transaction() as session:
            outgoing.settle(session, Delivery, delivery.id, claims=delivery.attempts + 1, values=done)
            matter = withdrawals.find(session, delivery.matter_id) if delivery.matter_id else None
            if matter is not None and _is_it(matter, delivery):
                key = subject_key(session, ctx.vault, delivery.resident_id)
                withdrawals.told(session, matter, key=key, jti=delivery.id, now=now)

    def _failed(self, delivery: Delivery, error: Undelivered) -> None:
        now, refusals = self._context.now(), delivery.refusals + 1
        if error.is_final or RETRIES.is_given_up(refusals):
            self._settle(delivery, state="dead", refusals=refusals, trouble=error.cause, finished_at=now)
            log.error(
                "signal given up kind=%s client=%s id=%s cause=%s",
                delivery.kind, delivery.client_id, delivery.id, error.cause,
            )  # fmt: skip
        else:
            due_at = now + max(RETRIES.pause(refusals, chance()), error.after)
            self._settle(delivery, due_at=due_at, refusals=refusals, trouble=error.cause)
            log.warning("signal not taken client=%s cause=%s", delivery.client_id, error.cause)
        self._rest(delivery.client_id, is_well=error.is_final)

    def _rest(self, client_id: str, *, is_well: bool) -> None:
        """Leave a client alone for a while, the longer the more often it failed; or not any more."""
        with self._lock:
            if is_well:
                self._rests.pop(client_id, None)
                return
            rest = self._rests.get(client_id, _Rest())
            failures = rest.failures + 1
            pause = RETRIES.pause(failures, 0, longest=LONGEST_REST)
            self._rests[client_id] = replace(rest, until=self._context.now() + pause, failures=failures)

    def _settle(self, delivery: Delivery, **values: Any) -> None:
        with self._context.database.transaction() as session:
            outgoing.settle(session, Delivery, delivery.id, claims=delivery.attempts + 1, values=values)


def _address(client: Client, delivery: Delivery) -> str:
    details = client.details
    return details.events_uri if delivery.kind == "event" else details.backchannel_logout_uri


def _is_it(matter: Matter, delivery: Delivery) -> bool:
    """Whether a client that has taken this was told of the matter by it, and not just of what goes with it."""
    return delivery.kind == matter.channel and delivery.event in (None, matter.event)
