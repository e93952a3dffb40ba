"""The sign-up pages, `/signup` and `/signup/confirm`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import Blueprint, g, redirect, render_template, request
from flask_babel import gettext
from sqlalchemy.exc import IntegrityError

from idp.accounts.contacts import counted_name
from idp.accounts.models import Resident
from idp.accounts.service import find_resident
from idp.login import budgets
from idp.login.budgets import Limit
from idp.login.current import signed_in
from idp.login.levels import Method, typical
from idp.login.ports import ports
from idp.login.rules import network_of
from idp.login.settling import Goal
from idp.login.steps import answer, asker, flow_here, settler
from idp.login.texts import too_many
from idp.login.upstream import newcomers
from idp.signup import service
from idp.signup.forms import AccountForm, email_errors
from idp.web.context import context
from idp.web.languages import current_language
from idp.web.pages import incoming

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from idp.login.settling import Outcome
    from idp.signup.forms import Errors
    from idp.signup.service import PendingSignUp

bp = Blueprint("signup", __name__)

#: User names that are asked for from one place, in an hour: whether one is taken is told each time.
_NAMES_PER_SOURCE = Limit("user-name-source", 20, 3600)
#: So long after signing up it is said that it worked, in seconds.
_SAY_FOR = 600


@bp.get("/signup")
def show() -> str | Response:
    """Ask for an e-mail address; not where a provider that the town trusts has confirmed it already."""
    newcomer = newcomers.waiting()
    if newcomer is not None and newcomer.has_confirmed:
        ctx = context()
        with ctx.database.transaction() as session:
            token = service.confirmed_link(
                session, ctx.vault, email=newcomer.email, language=current_language(), now=ctx.now()
            )
        if token is not None:
            return redirect(f"/signup/confirm?{urlencode({'token': token, **_handles()})}", 303)
    return _first_page(newcomer.email if newcomer else "", [])


@bp.post("/signup")
def submit() -> str | tuple[str, int]:
    """Send a link; the page is the same whether or not the address is known."""
    email = request.form.get("email", "")
    errors = email_errors(email)
    if errors:
        return _first_page(email, errors), 422
    ctx = context()
    now = ctx.now()
    whose = counted_name(email, ctx.settings.accounts.country)
    if not budgets.take(ctx, *budgets.mail_asked(asker(), whose), now=now):
        errors = [("email", gettext("There were too many requests. Wait an hour, then try again."))]
        return _first_page(email, errors), 429
    with ctx.database.transaction() as session:
        service.send_link(
            session,
            ctx.settings,
            ctx.vault,
            email=email,
            language=current_language(),
            query=_handles(),
            now=now,
        )
    return render_template("ui/signup_sent.html", email=email.strip(), languages=[])


@bp.app_context_processor
def _for_every_page() -> dict[str, Any]:
    """Whether this session began with the account itself: for the pages that come after signing up."""

    def account_is_new() -> bool:
        session, ctx = signed_in(), context()
        if session is None or ctx.now() - session.authenticated_at > _SAY_FOR:
            return False
        with ctx.database.reading() as reading:
            resident = reading.get(Resident, session.resident_id)
            return resident is not None and resident.created_at == session.authenticated_at

    return {"account_is_new": account_is_new}


def _handles() -> dict[str, str]:
    """What the pages of sign-up hand on: the partner's request that waits, and who came from a provider."""
    return {name: value for name in ("flow", "arrival") if (value := request.values.get(name, "")[:64])}


def _first_page(email: str, errors: Errors) -> str:
    return render_template(
        "ui/signup.html",
        email=email,
        errors=errors,
        flow=request.values.get("flow", ""),
        arrival=request.values.get("arrival", ""),
    )


@bp.get("/signup/confirm")
def confirm() -> str | tuple[str, int]:
    """Opening the link spends nothing: mail scanners open links too."""
    ctx = context()
    token = request.args.get("token", "")
    with ctx.database.reading() as session:
        pending = service.find_link(session, ctx.vault, token, now=ctx.now())
    if pending is None:
        return render_template("ui/signup_expired.html"), 410
    newcomer = newcomers.waiting()
    names = (newcomer.attribute("given_name"), newcomer.attribute("family_name")) if newcomer else ("", "")
    return _page(token, AccountForm(*names, "", ""), [])


@bp.post("/signup/confirm")
def finish() -> str | Response | tuple[str, int]:
    """Open the account and sign its resident in."""
    ctx = context()
    now, token = ctx.now(), request.form.get("token", "")
    with ctx.database.reading() as session:
        pending = service.find_link(session, ctx.vault, token, now=now)
    if pending is None:
        return render_template("ui/signup_expired.html"), 410
    form = AccountForm.read(request.form)
    status, errors = _errors(form, pending, now)
    if errors:
        return _page(token, form, errors), status
    try:
        opened = _open(token, form, now)
    except newcomers.Taken as taken:
        return redirect(taken.page(request.form.get("flow", "")), 303)
    except IntegrityError:
        return _taken(token, form, pending)
    if opened is None:
        return render_template("ui/signup_expired.html"), 410
    return answer(*opened)


def _taken(token: str, form: AccountForm, pending: PendingSignUp) -> tuple[str, int]:
    """The address has an account by now, or else the user name is somebody's."""
    if _has_account(pending.email):
        return render_template("ui/signup_expired.html"), 410
    return _page(token, form, [("username", gettext("This user name is taken. Choose another one."))]), 409


def _errors(form: AccountForm, pending: PendingSignUp, now: int) -> tuple[int, Errors]:
    """The status of the answer, and what is wrong with what was typed. Asking for a user name counts."""
    ctx = context()
    errors = form.errors(ctx.settings, pending.email)
    if errors or not form.username:
        return 422, errors
    source = network_of(incoming().remote_address)
    may_ask = budgets.take(ctx, (_NAMES_PER_SOURCE, source), now=now)
    return 429, [] if may_ask else [("username", too_many())]


def _goal(session: Session, now: int) -> Goal:
    """The partner's request that waits: in this browser, or in the one where the sign-up began, which then has it no more."""
    return Goal(flow_here(session, request.form.get("flow", ""), now=now))


def _has_account(email: str) -> bool:
    """Whether the address got an account since the link was sent."""
    ctx = context()
    with ctx.database.reading() as session:
        return find_resident(session, ctx.vault, email) is not None


def _open(token: str, form: AccountForm, now: int) -> tuple[Outcome, Goal] | None:
    """Spend the link, make the resident, begin the session: all or nothing. What came of it, and where it leads.

    Raises:
        idp.login.upstream.newcomers.Taken: when a newcomer's identity is connected with an account by now.
    """
    ctx = context()
    newcomer = newcomers.creating()
    password_hash = ports().passwords.hash(form.password)
    with ctx.database.transaction() as session:
        pending: PendingSignUp | None = service.spend_link(session, ctx.vault, token, now=now)
        if pending is None:
            return None
        resident = service.open_account(
            session,
            ctx.settings,
            ctx.vault,
            pending=pending,
            chosen=form.chosen(),
            password_hash=password_hash,
            now=now,
        )
        if newcomer is not None:
            newcomers.settle(session, newcomer, resident, now=now)
        goal = _goal(session, now)
        decides = settler(now=now, is_shared=newcomer is not None and newcomer.is_shared)
        return decides.first(session, goal, typical(Method.PASSWORD), resident.id), goal


def _page(token: str, form: AccountForm, errors: Errors) -> str:
    unverified_flow = request.values.get("flow", "")
    flow = ports().describe(unverified_flow) if unverified_flow else None
    g.form_targets = flow.form_targets if flow else ports().leads_to(unverified_flow)
    newcomer = newcomers.waiting()
    return render_template(
        "ui/signup_confirm.html",
        token=token,
        flow=unverified_flow,
        arrival=request.values.get("arrival", ""),
        given_name=form.given_name,
        family_name=form.family_name,
        username=form.username,
        is_shared=newcomer is not None and newcomer.is_shared,
        errors=errors,
        minimum=context().settings.passwords.minimum_length,
    )
