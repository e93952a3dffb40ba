"""The sign-up pages, `/signup` and `/signup/confirm`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, g, redirect, render_template, request
from flask_babel import gettext
from sqlalchemy.exc import IntegrityError

from idp.accounts.service import find_resident
from idp.login import sessions, throttle
from idp.login.current import end_former_session, put_session
from idp.login.ports import ports
from idp.login.rules import device_name, network_of
from idp.login.service import ACR_BASIC
from idp.signup import service
from idp.signup.forms import AccountForm, email_errors
from idp.web.context import context
from idp.web.languages import current_language
from idp.web.pages import incoming

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from idp.signup.forms import Errors
    from idp.signup.service import PendingSignUp

bp = Blueprint("signup", __name__)


@bp.get("/signup")
def show() -> str:
    """Ask for an e-mail address."""
    return render_template("ui/signup.html", email="", errors=[], flow=request.args.get("flow", ""))


@bp.post("/signup")
def submit() -> str | tuple[str, int]:
    """Send a link; the page is the same whether or not the address is known."""
    email, flow = request.form.get("email", ""), request.form.get("flow", "")
    errors = email_errors(email)
    if errors:
        return render_template("ui/signup.html", email=email, errors=errors, flow=flow), 422
    ctx = context()
    now = ctx.now()
    with ctx.database.transaction() as session:
        allowed = ctx.settings.testing.enabled or _has_budget(session, email, now=now)
        if allowed:
            service.send_link(
                session, ctx.settings, ctx.vault, email=email, language=current_language(), flow=flow, now=now
            )
    if not allowed:
        errors = [("email", gettext("There were too many requests. Wait an hour, then try again."))]
        return render_template("ui/signup.html", email=email, errors=errors, flow=flow), 429
    return render_template("ui/signup_sent.html", email=email.strip())


def _has_budget(session: Session, email: str, *, now: int) -> bool:
    """Nobody's mailbox is flooded through us."""
    per_address = throttle.spend(session, throttle.MAIL_PER_ADDRESS, email.strip().casefold(), now=now)
    source = network_of(incoming().remote_address)
    return throttle.spend(session, throttle.MAIL_PER_SOURCE, source, now=now) and per_address


@bp.get("/signup/confirm")
def confirm() -> str | tuple[str, int]:
    """Opening the link spends nothing: mail scanners open links too."""
    ctx = context()
    token = request.args.get("token", "")
    with ctx.database.reading() as session:
        pending = service.find_link(session, ctx.vault, token, now=ctx.now())
    if pending is None:
        return render_template("ui/signup_expired.html"), 410
    return _page(token, AccountForm("", "", "", ""), [])


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
    errors = form.errors(ctx.settings, pending.email)
    if errors:
        return _page(token, form, errors), 422
    try:
        cookie_value = _open(token, form, now)
    except IntegrityError:
        if _has_account(pending.email):
            return render_template("ui/signup_expired.html"), 410
        return _page(
            token, form, [("username", gettext("This user name is taken. Choose another one."))]
        ), 409
    if cookie_value is None:
        return render_template("ui/signup_expired.html"), 410
    flow = ports().describe(request.form.get("flow", ""))
    response = redirect(flow.next_url if flow else "/account", 303)
    if flow:
        ports().signed_in(request.form["flow"], now)
    put_session(response, cookie_value)
    return response


def _has_account(email: str) -> bool:
    """Whether the address got an account since the link was sent."""
    ctx = context()
    with ctx.database.reading() as session:
        return find_resident(session, ctx.vault, email) is not None


def _open(token: str, form: AccountForm, now: int) -> str | None:
    """Spend the link, make the resident, begin the session: all or nothing."""
    ctx = context()
    with ctx.database.transaction() as session:
        pending: PendingSignUp | None = service.spend_link(session, ctx.vault, token, now=now)
        if pending is None:
            return None
        resident = service.open_account(
            session,
            ctx.settings,
            ctx.vault,
            ports().passwords,
            pending=pending,
            chosen=form.chosen(),
            now=now,
        )
        end_former_session(session, now=now)
        return sessions.begin(
            session,
            resident.id,
            amr="pwd",
            acr=ACR_BASIC,
            device=device_name(request.user_agent.string),
            settings=ctx.settings.sessions,
            now=now,
        )


def _page(token: str, form: AccountForm, errors: Errors) -> str:
    unverified_flow = request.values.get("flow", "")
    flow = ports().describe(unverified_flow) if unverified_flow else None
    g.form_targets = flow.form_targets if flow else ""
    return render_template(
        "ui/signup_confirm.html",
        token=token,
        flow=unverified_flow,
        given_name=form.given_name,
        family_name=form.family_name,
        username=form.username,
        errors=errors,
        minimum=context().settings.passwords.minimum_length,
    )
