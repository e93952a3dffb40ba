"""What a proof leads to: one more step, or the session. All within the transaction of the proof itself."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from idp.accounts.models import Resident
from idp.login import attempts, devices, endings, sessions
from idp.login.arrivals import tell_of_new_device
from idp.login.budgets import Guess
from idp.login.levels import amr_of, is_enough, level_of, noted
from idp.login.rules import network_of
from idp.statements import ahead, prepared
from idp.web.cookies import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy.orm import Session

    from idp.login.attempts import Attempt, Raised
    from idp.login.levels import Proof
    from idp.login.sessions import Place
    from idp.login.ways import Found, Ways
    from idp.statements import FastResult
    from idp.web.context import Context

log = logging.getLogger("denizen.login")

#: Whatever changes ways in locks the resident first, too.
_HOLD = ahead(
    prepared(select(Resident.id).where(Resident.id == bindparam("whose")).with_for_update(key_share=True))
)


class Failure(Enum):
    """Why nobody was signed in."""

    WRONG = "wrong"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class Success:
    """A new session: its cookie value and whose it is, and by what the device is known from now on (None: by nothing).

    `first_page`: a page of ours that comes before all others, or "".
    """

    cookie_value: str
    resident_id: str
    device_cookie: str | None = None
    first_page: str = ""


@dataclass(frozen=True, slots=True)
class Owing:
    """Something was proved, and more is owed in this attempt."""

    handle: str


@dataclass(frozen=True, slots=True)
class Visitor:
    """The browser before us: its cookies, how its device is called, and where it stands.

    `sid` is the public name of its session as the request began, "" without one: its cookie may be another by the end.
    """

    browser: str
    session_cookie: str | None
    sid: str
    device_cookie: str | None
    device: str
    place: Place


@dataclass(frozen=True, slots=True)
class Goal:
    """Where a sign-in leads: a partner's request or a page of ours, and the level that is wanted there."""

    flow_handle: str = ""
    next_path: str = ""
    wanted_acr: str = ""


Outcome = Success | Owing | Failure


@dataclass(frozen=True, slots=True)
class _Proved:
    """What a session begins with."""

    resident_id: str
    found: Found
    proofs: tuple[Proof, ...]
    flow_handle: str
    place: Place


@dataclass(frozen=True, slots=True)
class Settler:
    """Decides what a proof leads to, for one visitor at one instant."""

    ctx: Context
    ways: Ways
    visitor: Visitor
    #: Notes in a partner's request that its resident signed in for it: session, handle, instant.
    note: Callable[[Any, str, int], None]
    #: Notes that a resident has signed in: session, resident, what was found besides, instant; the page of ours that
    #: comes first, or "".
    begun: Callable[[Any, str, Mapping[str, Any], int], str]
    now: int

    def guess(
        self, session: Any, kind: str, *, authenticator: str | None, name: str, whose: str | None
    ) -> Guess:
        """A try at a secret by this visitor, as budgets count it; the same look-up whether or not it is anybody's (K23)."""
        device = devices.known(session, self.visitor.device_cookie, whose, now=self.now)
        return self.guess_on(device, kind, authenticator=authenticator, name=name)

    def guess_on(self, device: str | None, kind: str, *, authenticator: str | None, name: str) -> Guess:
        """The same where the device has been looked up already."""
        return Guess(kind, authenticator, name, network_of(self.visitor.place.address), device)

    @contextmanager
    def writing(self, resident_id: str | None) -> Iterator[Session]:
        """A transaction for what proves this resident, and for what that leads to.

        Sign-ins and changes of their ways in come one after the other, and the later one sees the earlier: no session
        begins with a password, a key or a card that was taken away in this very moment.
        """
        with self.ctx.database.transaction() as session:
            session.execute(_HOLD, {"whose": resident_id or ""})
            yield session

    def begin(self, session: Any, goal: Goal, *, is_shared: bool) -> str:
        """An attempt of this visitor's, in which nothing is proved yet; its handle.

        It knows of a shared computer, also when the session that said so ends by the clock before the attempt does.
        """
        return attempts.begin(
            session,
            browser=self.visitor.browser,
            flow_handle=goal.flow_handle,
            next_path=goal.next_path,
            wanted_acr=goal.wanted_acr,
            is_shared=is_shared or self.visitor.place.is_shared,
            now=self.now,
        )

    def first(
        self, session: Any, goal: Goal, proof: Proof, resident_id: str, ways: FastResult | None = None
    ) -> Outcome:
        """A proof outside any attempt. When it is enough, no attempt is ever kept.

        `ways`: the answer of `Ways.ask`, where the transaction of the proof asked for it ahead.
        """
        found = self.ways.found(ways or self.ways.ask(session, resident_id))
        if not _opens(found, (proof,)):
            return Failure.WRONG
        if is_enough((proof,), found.owed_after((proof,)), goal.wanted_acr):
            proved = _Proved(resident_id, found, (proof,), goal.flow_handle, self.visitor.place)
            return self._begin_session(session, proved)
        handle = self.begin(session, goal, is_shared=self.visitor.place.is_shared)
        attempt = attempts.find(session, handle, browser=self.visitor.browser, now=self.now)
        assert attempt is not None
        attempts.prove(session, attempt, proof, resident_id, now=self.now)
        return Owing(handle)

    def next(self, session: Any, attempt: Attempt, proof: Proof, resident_id: str) -> Outcome:
        """One more proof in an attempt."""
        try:
            attempts.prove(session, attempt, proof, resident_id, now=self.now)
        except attempts.AnotherResident:
            log.info("sign-in refused reason=the proof is another resident's, or the attempt has ended")
            return Failure.WRONG
        if self.visitor.place.is_shared and not attempt.is_shared:
            attempts.share(session, attempt)
        return self.settle(session, attempt.handle)

    def settle(self, session: Any, handle: str) -> Outcome:
        """Work out from rows alone what is owed; begin the session when nothing is, by one conditional write."""
        attempt = attempts.find(session, handle, browser=self.visitor.browser, now=self.now)
        if attempt is None or attempt.resident_id is None:
            return Failure.WRONG
        found = self.ways.of(session, attempt.resident_id)
        if not _opens(found, attempt.proofs):
            return Failure.WRONG
        if not is_enough(attempt.proofs, found.owed_after(attempt.proofs), attempt.wanted_acr):
            return Owing(handle)
        if not attempts.end(session, attempt.id_hash, now=self.now):
            return Failure.WRONG
        place = replace(self.visitor.place, is_shared=self.visitor.place.is_shared or attempt.is_shared)
        proved = _Proved(attempt.resident_id, found, attempt.proofs, attempt.flow_handle, place)
        if attempt.raises is None:
            return self._begin_session(session, proved)
        risen = self._rise(session, proved, attempt.raises)
        return Success(risen, proved.resident_id, None) if risen else Failure.WRONG

    def _begin_session(self, session: Any, proved: _Proved) -> Success:
        """A session of its own, and the end of the one that this browser had (K18).

        A computer that others use is one also when its resident proves once more that it is they.
        """
        former_sid, place, wrapped = None, proved.place, proved.found.data_key
        cookie, sid = self.visitor.session_cookie, self.visitor.sid
        former = endings.take_over(session, digest(cookie), sid, now=self.now) if cookie else None
        if former is not None:
            former_sid = former.sid if former.resident_id == proved.resident_id else None
            place = replace(place, is_shared=place.is_shared or bool(former.is_shared))
        cookie_value = sessions.begin(
            session,
            proved.resident_id,
            amr=amr_of(proved.proofs),
            acr=level_of(proved.proofs),
            proofs=noted(proved.proofs),
            device=self.visitor.device,
            settings=self.ctx.settings.sessions,
            place=place,
            data_key=self.ctx.vault.open_data_key(wrapped) if wrapped else None,
            former_sid=former_sid,
            now=self.now,
        )
        if proved.flow_handle:
            self.note(session, proved.flow_handle, self.now)
        first_page = self.begun(session, proved.resident_id, proved.found.besides, self.now)
        known_by = self._know_device(session, proved.resident_id, place)
        return Success(cookie_value, proved.resident_id, known_by, first_page)

    def _rise(self, session: Any, proved: _Proved, raised: Raised) -> str | None:
        """The very session that brought its proofs along, under a new cookie value; None when this browser has it no more.

        It is no younger than what it proved before: auth_time says nothing that is too good. Where somebody says now that
        others use the computer, it is one of a shared computer from now on.
        """
        cookie, settings = self.visitor.session_cookie, self.ctx.settings.sessions
        found = sessions.peek(session, cookie, settings=settings, now=self.now) if cookie else None
        if found is None or found.sid != raised.sid:
            return None
        return sessions.rise(
            session,
            found.id_hash,
            proved.resident_id,
            amr=amr_of(proved.proofs),
            acr=level_of(proved.proofs),
            proofs=noted(proved.proofs),
            authenticated_at=raised.proved_at,
            is_shared=proved.place.is_shared,
            settings=settings,
            now=self.now,
        )

    def _know_device(self, session: Any, resident_id: str, place: Place) -> str | None:
        """Know this device again, unless others use it as well; a new one is told."""
        label, cookie = self.visitor.device, self.visitor.device_cookie
        found = None
        if not place.is_shared:
            found = devices.remember(session, cookie, resident_id, label=label, now=self.now)
        if found is None or found.is_new:
            tell_of_new_device(session, self.ctx, resident_id, device=label, place=place, now=self.now)
        return found.cookie_value if found else None


def _opens(found: Found, proofs: Sequence[Proof]) -> bool:
    """Whether the account is open to these proofs now: one of them must be what a sign-in may still begin with."""
    return found.state == "active" and not found.alone.isdisjoint(proof.method for proof in proofs)
