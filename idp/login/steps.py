"""From one step of a sign-in to the next. What is owed is worked out anew from rows each time (K27).

A page of a factor stands at `/login/<factor>?attempt=HANDLE`. It begins with `enter()`; on a right answer it calls
`attempts.prove` in the transaction that spends the code, and answers with `go_on(handle)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import g, redirect, request
from flask_babel import gettext

from idp.login import attempts, devices
from idp.login.budgets import Guess
from idp.login.current import looked_at, put_session, session_cookie, signed_in
from idp.login.devices import device_cookie
from idp.login.devices.service import KEEP_FOR
from idp.login.levels import is_enough, needed_next, reaches
from idp.login.ports import ports
from idp.login.rules import device_name, is_own_path, network_of
from idp.login.sessions import Place
from idp.login.settling import Failure, Goal, Owing, Settler, Success, Visitor
from idp.login.ways import NOBODY
from idp.web.context import context
from idp.web.csrf import browser_id
from idp.web.pages import error_page, incoming

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from idp.login.attempts import Attempt, Raised
    from idp.login.levels import Method
    from idp.login.ports import Flow
    from idp.login.settling import Outcome
    from idp.login.ways import Found

HOME = "/account"
OTHER_WAYS = "/login/other"


@dataclass(frozen=True, slots=True)
class Underway:
    """A sign-in under way, as a page of a factor works with it. `found` are the ways in of who it is, once known."""

    attempt: Attempt
    flow: Flow | None
    found: Found

    @property
    def goal(self) -> Goal:
        """Where it leads."""
        return Goal(self.attempt.flow_handle, self.attempt.next_path, self.attempt.wanted_acr)

    @property
    def offers(self) -> tuple[Method, ...]:
        """What can be proved next; empty while nobody is known."""
        if not self.attempt.proofs:
            return ()
        attempt, found = self.attempt, self.found
        return _offers(attempt, found)


def _offers(attempt: Attempt, found: Found) -> tuple[Method, ...]:
    owed = found.owed_after(attempt.proofs)
    return needed_next(attempt.proofs, found.enrolled, attempt.wanted_acr, owed, found.would_prove)


def enter() -> Underway | Response:
    """The sign-in that this page belongs to; or where to go, when it is cancelled, over, or met in another tab."""
    ctx = context()
    handle = request.values.get("attempt", "")
    with ctx.database.reading() as session:
        attempt = attempts.find(session, handle, browser=browser_id(), now=ctx.now())
        known = attempt.resident_id if attempt else None
        found = ports().ways.of(session, known) if known else NOBODY
    if attempt is None:
        return attempt_is_over(handle)
    flow = ports().describe(attempt.flow_handle) if attempt.flow_handle else None
    if attempt.flow_handle and flow is None:
        return ports().lost(attempt.flow_handle)
    if request.method == "POST" and "cancel" in request.form:
        return cancelled(attempt)
    if is_met(attempt, flow):
        _end(attempt)
        return redirect(_target(flow, attempt.next_path), 303)
    if attempt.raises is not None and not _is_here(attempt.raises):
        _end(attempt)
        return attempt_is_over(handle)
    g.form_targets = flow.form_targets if flow else ""
    return Underway(attempt, flow, found)


def expect(method: Method) -> Underway | Response:
    """`enter`, for the page of a second factor: where to go when this factor is not what comes next (K27)."""
    underway = enter()
    if not isinstance(underway, Underway) or method in underway.offers:
        return underway
    return (
        go_on(underway.attempt.handle)
        if underway.attempt.proofs
        else redirect(address("/login", underway.attempt.handle), 303)
    )


def is_met(attempt: Attempt, flow: Flow | None) -> bool:
    """Whether somebody, in another tab of this browser, has signed in as this attempt was to."""
    session = signed_in()
    if session is None or attempt.resident_id not in (None, session.resident_id):
        return False
    if flow is not None:
        return flow.is_met
    is_later = session.authenticated_at > attempt.created_at
    return is_later and (not attempt.wanted_acr or reaches(session.acr, attempt.wanted_acr))


def _is_here(raised: Raised) -> bool:
    """Whether this browser still has the session that an attempt is to raise: else no code is asked for, nor spent."""
    session = signed_in()
    return session is not None and session.sid == raised.sid


def go_on(handle: str) -> Response:
    """To the next factor that is owed; or the session begins, and what waited is continued."""
    ctx = context()
    now = ctx.now()
    with ctx.database.reading() as session:
        attempt = attempts.find(session, handle, browser=browser_id(), now=now)
    if attempt is None:
        return attempt_is_over(handle)
    decides = settler(now=now)
    with decides.writing(attempt.resident_id) as writing:
        outcome = decides.settle(writing, handle)
    return answer(outcome, Goal(attempt.flow_handle, attempt.next_path, attempt.wanted_acr))


def flow_here(session: Session, unverified_flow: str, *, now: int) -> str:
    """The partner's request that waits, in this browser from now on if it waited in another; "" without one.

    Only for a resident who showed both browsers to be theirs, as by a link in their own mail.
    """
    if not unverified_flow or ports().describe(unverified_flow):
        return unverified_flow
    return ports().move(session, unverified_flow, browser_id(), now) or ""


def settler(*, now: int, is_shared: bool = False) -> Settler:
    """Who decides what a proof of this visitor leads to; with `is_shared` they said before that others sit there, too."""
    ctx = context()
    cookie = session_cookie(secure=ctx.settings.is_secure).read(request.cookies)
    here = looked_at()
    address = incoming().remote_address
    is_shared = (
        is_shared
        or ctx.settings.kiosk.has(address)
        or "shared" in request.form
        or (here is not None and here.is_shared)
    )
    visitor = Visitor(
        browser_id(),
        cookie,
        here.sid if here else "",
        device_cookie(secure=ctx.settings.is_secure).read(request.cookies),
        device_name(request.user_agent.string),
        Place(address, is_shared=is_shared),
    )
    return Settler(ctx, ports().ways, visitor, ports().signed_in, ports().begun, now)


def is_known_here(session: Session, resident_id: str | None) -> bool:
    """Whether this resident signed in in this browser before; the same work for nobody (K23)."""
    ctx = context()
    cookie = device_cookie(secure=ctx.settings.is_secure).read(request.cookies)
    return devices.known(session, cookie, resident_id, now=ctx.now()) is not None


def asker() -> str:
    """As whose the requests for messages from this browser count: as one of its network, which may ask so much in all.

    Where somebody signed in before, as theirs instead: strangers beside it use nothing up there (K28), and whoever has
    an account gets one more count by it, however many browsers they have.
    """
    ctx = context()
    cookie = device_cookie(secure=ctx.settings.is_secure).read(request.cookies)
    with ctx.database.reading() as session:
        whose = devices.anybody(session, cookie, now=ctx.now())
    return network_of(incoming().remote_address) if whose is None else whose


def guess_of_anybody(kind: str) -> Guess:
    """A try by whoever is at this browser; where somebody signed in before, as theirs, like `asker`."""
    network, by = network_of(incoming().remote_address), asker()
    return Guess(kind, None, "", network, None if by == network else by)


def answer(outcome: Outcome, goal: Goal) -> Response:
    """What the browser is told about a proof: the next page, with a new cookie where a session began."""
    if isinstance(outcome, Owing):
        return redirect(next_page(outcome.handle), 303)
    if isinstance(outcome, Failure):
        return attempt_is_over("")
    flow = ports().describe(goal.flow_handle) if goal.flow_handle else None
    target = _target(flow, goal.next_path)
    if outcome.first_page:
        target = f"{outcome.first_page}?{urlencode({'flow': goal.flow_handle})}"
    response = redirect(target, 303)
    _put(response, outcome)
    return response


def _put(response: Response, success: Success) -> None:
    put_session(response, success.cookie_value)
    if success.device_cookie:
        secure = context().settings.is_secure
        device_cookie(secure=secure).put(response, success.device_cookie, max_age=KEEP_FOR)


def next_page(handle: str) -> str:
    """The page of the factor that comes next; the choice of other ways where nothing that the resident has would do."""
    ctx = context()
    with ctx.database.reading() as session:
        attempt = attempts.find(session, handle, browser=browser_id(), now=ctx.now())
        if attempt is None or attempt.resident_id is None:
            return address("/login", handle)
        found = ports().ways.of(session, attempt.resident_id)
    offered = _offers(attempt, found)
    pages = [page for method in offered if (page := ports().ways.page_of(method))]
    return address(pages[0] if pages else OTHER_WAYS, handle)


def address(page: str, handle: str) -> str:
    """A page of the sign-in under way, at its main part or at the field that `page` names behind a `#`."""
    path, _, place = page.partition("#")
    return f"{path}?{urlencode({'attempt': handle})}#{place or 'main'}"


def cancelled(attempt: Attempt) -> Response:
    """The resident turned back: nothing of the attempt stays, and the partner is told."""
    _end(attempt)
    return ports().cancel(attempt.flow_handle) if attempt.flow_handle else redirect("/", 303)


def _end(attempt: Attempt) -> None:
    ctx = context()
    with ctx.database.transaction() as writing:
        attempts.end(writing, attempt.id_hash, now=ctx.now())


def _target(flow: Flow | None, next_path: str) -> str:
    if flow is not None:
        return flow.next_url
    return next_path if is_own_path(next_path) else HOME


def attempt_is_over(handle: str) -> Response:
    """A sign-in that ended, expired or belongs to another browser: on with what waits, if anything does."""
    ctx = context()
    with ctx.database.reading() as session:
        former = attempts.find_former(session, handle, browser=browser_id())
    if former is not None and former.flow:
        flow = ports().describe(former.flow)
        return redirect(flow.next_url, 303) if flow else ports().lost(former.flow)
    if former is not None and signed_in() is not None:
        return redirect(_target(None, former.next_path), 303)
    return error_page(
        400,
        gettext("This sign-in has ended"),
        gettext("It was finished already, it waited too long, or it began in another browser."),
        gettext("Start again, or go back to the service you came from."),
        oauth_error="invalid_request attempt",
    )


def is_complete(underway: Underway) -> bool:
    """Whether nothing is owed any more, as after a change in another tab."""
    attempt = underway.attempt
    return is_enough(attempt.proofs, underway.found.owed_after(attempt.proofs), attempt.wanted_acr)


def opens_account(underway: Underway) -> bool:
    """Whether what was proved opens the account, whatever level is wanted."""
    attempt = underway.attempt
    return is_enough(attempt.proofs, underway.found.owed_after(attempt.proofs), "")
