"""The sign-in page, `/login`, and the choice of other ways, `/login/other`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, g, redirect, render_template, request
from flask_babel import gettext
from werkzeug.wrappers import Response

from idp.login import attempts, sessions, steps
from idp.login.current import signed_in
from idp.login.levels import FIRST, LEVELS, Method
from idp.login.ports import ports
from idp.login.ready_page import filled_in, is_usual
from idp.login.rules import is_own_path
from idp.login.service import Typed, sign_in
from idp.login.settling import Failure, Goal
from idp.login.texts import names_of, too_many
from idp.web.context import context

if TYPE_CHECKING:
    from collections.abc import Hashable

    from idp.login.attempts import Attempt
    from idp.login.ports import Flow
    from idp.login.sessions import SignedIn

    Errors = list[tuple[str, str]]

bp = Blueprint("login", __name__)
_PATH_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """What the sign-in page stands for: a goal, and the attempt and the partner's request if there are any."""

    goal: Goal
    flow: Flow | None
    attempt: Attempt | None = None
    offers: tuple[Method, ...] = (Method.PASSKEY, Method.PASSWORD)

    @property
    def handle(self) -> str:
        """The handle of the attempt, or ""."""
        return self.attempt.handle if self.attempt else ""


def read_entry() -> Entry | Response:
    """What this page belongs to; or where to go, when that is over, cancelled or met in another tab."""
    if request.values.get("attempt"):
        return _entry_under_way()
    unverified_flow = request.values.get("flow", "")
    flow = ports().describe(unverified_flow) if unverified_flow else None
    if unverified_flow and flow is None:
        return ports().lost(unverified_flow)
    if request.method == "POST" and "cancel" in request.form:
        return ports().cancel(unverified_flow) if flow else redirect("/", 303)
    g.form_targets = flow.form_targets if flow else ""
    unverified_wanted = request.values.get("wanted", "")
    wanted = flow.wanted_acr if flow else unverified_wanted if unverified_wanted in LEVELS else ""
    unverified_next = request.values.get("next", "")
    next_path = (
        unverified_next if is_own_path(unverified_next) and len(unverified_next) <= _PATH_LIMIT else ""
    )
    return Entry(Goal(unverified_flow, next_path, wanted), flow)


def _entry_under_way() -> Entry | Response:
    underway = steps.enter()
    if isinstance(underway, Response):
        return underway
    attempt = underway.attempt
    goal = Goal(attempt.flow_handle, attempt.next_path, attempt.wanted_acr)
    if not attempt.proofs:
        return Entry(goal, underway.flow, attempt)
    return Entry(goal, underway.flow, attempt, underway.offers)


@bp.get("/login")
def show() -> str | Response:
    """Ask for a passkey, or for user name and password; nothing, where the session answers already."""
    entry = read_entry()
    if isinstance(entry, Response):
        return entry
    session, flow = signed_in(), entry.flow
    if flow is not None and flow.is_met:
        return redirect(flow.next_url, 303)
    if entry.attempt is None and flow is not None and flow.raises and session is not None:
        return redirect(steps.next_page(_raise(entry.goal, session)), 303)
    return show_page(entry, username=flow.login_hint if flow else "", errors=[])


def _raise(goal: Goal, session: SignedIn) -> str:
    """Begin with what the present session proved, if that is known; the handle of the new attempt."""
    ctx = context()
    with ctx.database.transaction() as writing:
        handle = steps.settler(now=ctx.now()).begin(writing, goal, is_shared=session.is_shared)
        if proofs := sessions.proofs_of(writing, session.sid):
            attempts.carry(
                writing,
                handle,
                proofs,
                session.resident_id,
                proved_at=session.authenticated_at,
                raised_sid=session.sid,
            )
    return handle


@bp.post("/login")
def submit() -> str | Response | tuple[str, int]:
    """Check what was typed; on success go on."""
    entry = read_entry()
    if isinstance(entry, Response):
        return entry
    if "other" in request.form:
        return redirect(steps.address(steps.OTHER_WAYS, kept(entry)), 303)
    username, password = request.form.get("username", ""), request.form.get("password", "")
    errors = _missing(username, password)
    if errors:
        return show_page(entry, username=username, errors=errors), 422
    ctx = context()
    typed = Typed(username, password)
    settler = steps.settler(now=ctx.now())
    outcome = sign_in(ports().passwords, typed, settler, entry.goal, entry.attempt)
    if isinstance(outcome, Failure):
        return _failed(outcome, entry, username)
    return steps.answer(outcome, entry.goal)


def kept(entry: Entry) -> str:
    """An attempt that goes on by other ways, and knows whether others use this computer, too; its handle."""
    ctx = context()
    settler = steps.settler(now=ctx.now())
    with ctx.database.transaction() as writing:
        if entry.attempt is None:
            return settler.begin(writing, entry.goal, is_shared=settler.visitor.place.is_shared)
        if settler.visitor.place.is_shared:
            attempts.share(writing, entry.attempt)
        return entry.attempt.handle


@bp.get("/login/other")
def other_ways() -> str | Response:
    """Every other way to sign in; once something is proved, what can follow it."""
    if not request.args.get("attempt"):
        entry = read_entry()
        if isinstance(entry, Response):
            return entry
        ctx = context()
        with ctx.database.transaction() as writing:
            handle = steps.settler(now=ctx.now()).begin(writing, entry.goal, is_shared=False)
        return redirect(steps.address(steps.OTHER_WAYS, handle), 303)
    underway = steps.enter()
    if isinstance(underway, Response):
        return underway
    if steps.is_complete(underway):
        return steps.go_on(underway.attempt.handle)
    offered = underway.offers if underway.attempt.proofs else FIRST
    handle = underway.attempt.handle
    pages: dict[str, list[Method]] = {}
    for method in offered:
        if page := ports().ways.page_of(method):
            pages.setdefault(page, []).append(method)
    return render_template(
        "ui/login_other.html",
        client_name=underway.flow.client_name if underway.flow else None,
        attempt=handle,
        flow=underway.attempt.flow_handle,
        is_begun=bool(underway.attempt.proofs),
        is_open=steps.opens_account(underway),
        links=[(names_of(methods), steps.address(page, handle)) for page, methods in pages.items()],
    )


@bp.post("/login/other")
def turn_back() -> Response:
    """The only form of that page, and of the choice of providers, is the one that cancels."""
    if not request.form.get("attempt"):
        entry = read_entry()
        return entry if isinstance(entry, Response) else redirect("/login", 303)
    underway = steps.enter()
    return underway if isinstance(underway, Response) else steps.go_on(underway.attempt.handle)


def _missing(username: str, password: str) -> Errors:
    errors = []
    if not username.strip():
        errors.append(("username", gettext("Enter your e-mail address or user name")))
    if not password:
        errors.append(("password", gettext("Enter your password")))
    return errors


def _failed(failure: Failure, entry: Entry, username: str) -> tuple[str, int]:
    if failure is Failure.THROTTLED:
        return show_page(entry, username=username, errors=[("username", too_many())]), 429
    text = gettext("The user name or the password is not right")
    return show_page(entry, username=username, errors=[("username", text)]), 422


def show_page(entry: Entry, *, username: str, errors: Errors) -> str:
    """The sign-in page; the only one besides that for a new passkey on which a script of ours may run."""
    has_passkeys = bool(context().settings.passkey_domain)
    g.runs_script = has_passkeys and Method.PASSKEY in entry.offers
    values: dict[str, Hashable] = {
        "client_name": entry.flow.client_name if entry.flow else None,
        "policy_uri": entry.flow.policy_uri if entry.flow else "",
        "tos_uri": entry.flow.tos_uri if entry.flow else "",
        "attempt": entry.handle,
        "next": entry.goal.next_path,
        "wanted": entry.goal.wanted_acr,
        "again": is_again(),
        "is_begun": bool(entry.attempt and entry.attempt.proofs),
        "is_shared": is_shared_already(entry),
        "offers_passkeys": g.runs_script,
        "offers_password": Method.PASSWORD in entry.offers,
        "action": "/login",
        "username": username,
    }
    flow = entry.goal.flow_handle
    if not (errors or username or entry.attempt) and is_usual():
        return filled_in("ui/login.html", {**values, "errors": ()}, flow=flow)
    return render_template("ui/login.html", **values, errors=errors, flow=flow)


def is_shared_already(entry: Entry) -> bool:
    """Whether it was said before that others use this computer: in this sign-in, or in the one that is made again."""
    session = signed_in() if is_again() else None
    return bool((entry.attempt and entry.attempt.is_shared) or (session and session.is_shared))


def is_again() -> bool:
    """Whether a resident who is signed in was asked to prove once more that it is they."""
    return "again" in request.values and signed_in() is not None
