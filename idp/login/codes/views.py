"""Typing a code that was sent: `/login/email-code` and `/login/sms-code`.

As the first step a name is typed, and every name leads to the same page. As the second one the code goes to the
main contact point of whoever proved the password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext
from werkzeug.wrappers import Response

from idp.accounts.contacts import counted_name
from idp.accounts.models import Resident
from idp.accounts.service import find_resident
from idp.login import attempts, budgets, steps
from idp.login.budgets import Guess, Limit
from idp.login.codes import service
from idp.login.codes.rules import LIVES_FOR, Channel, normal_code
from idp.login.codes.service import Letter
from idp.login.levels import typical
from idp.login.ports import ports
from idp.login.settling import Failure
from idp.login.texts import too_many
from idp.web.context import context
from idp.web.languages import current_language

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.login.settling import Outcome, Settler
    from idp.login.steps import Underway

    Errors = list[tuple[str, str]]
    Page = str | Response | tuple[str, int]

bp = Blueprint("codes", __name__)

#: Who asks for codes too often has to wait. How much reaches a mailbox or a phone in all is limited where messages leave.
_PER_NAME = Limit("code-name", 5, 900)
_PER_ASKER = Limit("code-source", 40, 900)


@bp.get("/login/email-code")
def show_email() -> Page:
    """Ask for the code that was sent by e-mail, or where to send one."""
    return _show(Channel.EMAIL)


@bp.post("/login/email-code")
def submit_email() -> Page:
    """Send a code, or check one."""
    return _submit(Channel.EMAIL)


@bp.get("/login/sms-code")
def show_sms() -> Page:
    """Ask for the code that was sent by text message, or where to send one."""
    return _show(Channel.SMS)


@bp.post("/login/sms-code")
def submit_sms() -> Page:
    """Send a code, or check one."""
    return _submit(Channel.SMS)


def _enter(channel: Channel) -> Underway | Response:
    """The sign-in under way; where to go when a code is not what comes next (K27)."""
    if ports().ways.page_of(channel.method) is None:
        return redirect(steps.OTHER_WAYS, 303)  # the town sends no text messages
    underway = steps.enter()
    if isinstance(underway, Response) or not underway.attempt.proofs or channel.method in underway.offers:
        return underway
    return steps.go_on(underway.attempt.handle)


def _show(channel: Channel) -> Page:
    underway = _enter(channel)
    if isinstance(underway, Response):
        return underway
    with context().database.reading() as session:
        sent = service.waiting(session, underway.attempt.id_hash, channel, now=context().now())
    asks_code = sent is not None and "fresh" not in request.args
    return _page(underway, channel, asks_code=asks_code, errors=[])


def _submit(channel: Channel) -> Page:
    underway = _enter(channel)
    if isinstance(underway, Response):
        return underway
    if "other" in request.form:
        if _says_shared(underway):
            with context().database.transaction() as session:
                attempts.share(session, underway.attempt)
        return redirect(steps.address(steps.OTHER_WAYS, underway.attempt.handle), 303)
    return _send(underway, channel) if "send" in request.form else _check(underway, channel)


# --- sending ---


def _send(underway: Underway, channel: Channel) -> Page:
    typed = "" if underway.attempt.proofs else request.form.get("username", "")
    if not underway.attempt.proofs and not typed.strip():
        text = gettext("Enter your e-mail address or user name")
        return _page(underway, channel, asks_code=False, errors=[("username", text)]), 422
    ctx = context()
    whose = _counted(underway, typed)
    asker = steps.asker()
    if not budgets.take(ctx, (_PER_ASKER, asker), (_PER_NAME, f"{whose} {asker}"), now=ctx.now()):
        text = gettext("Too many codes were asked for. Wait 15 minutes, then try again.")
        field = "" if underway.attempt.proofs else "username"
        return _page(underway, channel, asks_code=False, errors=[(field, text)], typed=typed), 429
    with ctx.database.transaction() as session:
        letter = _letter(session, underway, channel, typed, whose)
        service.send(session, ctx, letter, language=current_language(), now=ctx.now())
        if _says_shared(underway):
            attempts.share(session, underway.attempt)
    return redirect(steps.address(channel.page, underway.attempt.handle), 303)


def _counted(underway: Underway, typed: str) -> str:
    """Under which name a code is counted: a spelling is no other name, and after a proof none is typed."""
    if underway.attempt.proofs:
        return underway.attempt.resident_id or ""
    return counted_name(typed, context().settings.accounts.country)


def _says_shared(underway: Underway) -> bool:
    """Whether others use this computer too; after a proof it is no longer asked."""
    return "shared" in request.form and not underway.attempt.proofs


def _letter(session: Session, underway: Underway, channel: Channel, typed: str, whose: str) -> Letter:
    """To whom a code goes. The same look-ups are made for every name."""
    ctx, attempt = context(), underway.attempt
    if attempt.proofs:
        resident = session.get(Resident, attempt.resident_id)
        found, is_theirs = underway.found.enrolled, True
    else:
        resident = find_resident(session, ctx.vault, typed, country=ctx.settings.accounts.country)
        found = ports().ways.of(session, resident.id if resident else "").alone
        is_theirs = steps.is_known_here(session, resident.id if resident else None)
    to = service.recipient(session, ctx.vault, resident, channel, whose)
    is_wanted = resident is not None and resident.state == "active" and channel.method in found
    return Letter(
        attempt.id_hash,
        channel,
        resident,
        to if is_wanted else None,
        service.name_index(ctx.vault, whose),
        underway.flow.client_name if underway.flow else "",
        is_theirs,
    )


# --- checking ---


def _check(underway: Underway, channel: Channel) -> Page:
    code = normal_code(request.form.get("code", ""))
    if code is None:
        text = gettext("Enter the eight digits of the code")
        return _page(underway, channel, asks_code=True, errors=[("code", text)]), 422
    outcome = _spend(underway, channel, code)
    if outcome is None:
        text = gettext("The code is no longer valid. Ask for a new one.")
        return _page(underway, channel, asks_code=True, errors=[("code", text)]), 422
    if outcome is Failure.THROTTLED:
        return _page(underway, channel, asks_code=True, errors=[("code", too_many())]), 429
    if outcome is Failure.WRONG:
        text = gettext("The code is not right")
        return _page(underway, channel, asks_code=True, errors=[("code", text)]), 422
    return steps.answer(outcome, underway.goal)


def _spend(underway: Underway, channel: Channel, code: str) -> Outcome | None:
    """Count the guess and the try, each committed before the code is looked at; None when no code is waited for."""
    ctx, attempt = context(), underway.attempt
    now = ctx.now()
    settler = steps.settler(now=now)
    with ctx.database.reading() as session:
        sent = service.waiting(session, attempt.id_hash, channel, now=now)
        guess = None if sent is None else _guess(session, settler, channel, sent)
    if guess is None:
        with ctx.database.transaction() as session:
            service.expire(session, now=now)
        return None
    if not budgets.spend(ctx, guess, now=now):
        return Failure.THROTTLED
    with ctx.database.transaction() as session:
        kept = service.count_try(session, attempt.id_hash, channel, now=now)
    if not service.is_right(ctx, attempt.id_hash, channel, kept, code) or kept is None:
        return None if kept is None else Failure.WRONG
    with settler.writing(sent.resident_id) as session:
        whose = service.spend(session, attempt.id_hash, channel, kept, now=now)
        if whose is None:
            return Failure.WRONG
        budgets.refund(ctx, guess, now=now, connection=session)
        return settler.next(session, attempt, typical(channel.method), whose)


def _guess(session: Session, settler: Settler, channel: Channel, sent: Any) -> Guess:
    name = bytes(sent.name_hash).hex()
    return settler.guess(
        session, channel.guess, authenticator=sent.resident_id, name=name, whose=sent.resident_id
    )


# --- the page ---


def _page(underway: Underway, channel: Channel, *, asks_code: bool, errors: Errors, typed: str = "") -> str:
    attempt = underway.attempt
    to = ""
    if attempt.proofs:
        with context().database.reading() as session:
            to = service.shown_address(session, context().vault, attempt.resident_id, channel)
    return render_template(
        "ui/login_code.html",
        client_name=underway.flow.client_name if underway.flow else None,
        action=channel.page,
        attempt=attempt.handle,
        is_email=channel is Channel.EMAIL,
        is_second=bool(attempt.proofs),
        is_shared=attempt.is_shared,
        asks_code=asks_code,
        to=to,
        username=typed or (underway.flow.login_hint if underway.flow and not attempt.proofs else ""),
        minutes=LIVES_FOR // 60,
        errors=errors,
    )
