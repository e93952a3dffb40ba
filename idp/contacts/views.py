"""Contact points, `/account/contacts`, and what a former sign-in address is asked, `/contact-change/<link>`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, redirect, render_template, request, url_for

from idp.accounts import contacts
from idp.accounts.models import Resident
from idp.contacts import adding, service
from idp.contacts.rules import Refusal
from idp.contacts.words import done_text, kept_name, refusal_text
from idp.login import budgets
from idp.login.changes import locked
from idp.login.current import for_fresh_residents, for_residents
from idp.login.steps import asker
from idp.recovery.rules import tidy_digits
from idp.web.context import context

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from idp.accounts.contacts import Contact
    from idp.contacts.adding import Pending
    from idp.contacts.service import Done
    from idp.login.sessions import SignedIn

    Errors = list[tuple[str, str]]

bp = Blueprint("contacts", __name__)

_PAGE = "/account/contacts"


@bp.get("/account/contacts")
@for_residents
def show(session: SignedIn) -> str:
    """Every address and number, what each is used for, and what waits."""
    ctx = context()
    with ctx.database.reading() as reading:
        known = contacts.of_resident(reading, ctx.vault, _resident(reading, session))
        waiting = service.waiting(reading, session.resident_id)
    concerned = next((one for one in known if waiting and one.id == waiting.contact_id), None)
    done = request.args.get("done", "")
    if done == "waits" and waiting is None:
        done = ""  # it was stopped, or it is done: the address still says what was true
    return render_template(
        "ui/contacts.html",
        emails=[one for one in known if one.kind == "email"],
        phones=[one for one in known if one.kind == "phone"],
        waiting=waiting,
        concerned=concerned,
        done=done_text(done),
        offers_phones=ctx.settings.sms.enabled,
    )


# --- a new one ---


@bp.get("/account/contacts/new/<kind>")
@for_fresh_residents
def new(session: SignedIn, kind: str) -> str:  # noqa: ARG001 - the guard hands it over
    """Ask for a new address or number."""
    return _new_page(_kind(kind), "", [])


@bp.post("/account/contacts/new/<kind>")
@for_fresh_residents
def add(session: SignedIn, kind: str) -> Response | tuple[str, int]:
    """Send a code there."""
    typed, ctx = request.form.get("value", ""), context()
    with ctx.database.reading() as reading:
        checked = adding.check(reading, ctx, _resident(reading, session), _kind(kind), typed)
    if isinstance(checked, Refusal):
        return _new_page(kind, typed, [("value", refusal_text(checked, kind))]), 422
    if not budgets.take(ctx, *budgets.mail_asked(asker(), checked), now=ctx.now()):
        return _new_page(kind, typed, [("value", refusal_text(Refusal.THROTTLED, kind))]), 429
    with ctx.database.transaction() as writing:
        change_id = adding.add(writing, ctx, locked(writing, session)[0], kind, checked, now=ctx.now())
    return redirect(url_for("contacts.ask_code", change_id=change_id), 303)


@bp.get("/account/contacts/code/<change_id>")
@for_residents
def ask_code(session: SignedIn, change_id: str) -> str:
    """Ask for the code that was sent."""
    return _code_page(_pending(session, change_id), [])


@bp.post("/account/contacts/code/<change_id>")
@for_residents
def confirm_code(session: SignedIn, change_id: str) -> Response | tuple[str, int]:
    """Keep the new contact point if the code is right."""
    waiting, ctx = _pending(session, change_id), context()
    code = tidy_digits(request.form.get("code", ""))
    with ctx.database.transaction() as writing:
        resident = locked(writing, session)[0]
        outcome = adding.confirm_by_code(writing, ctx, resident, change_id, code, now=ctx.now())
    if isinstance(outcome, Refusal):
        return _code_page(waiting, [("code", refusal_text(outcome, waiting.kind))]), 422
    return redirect(f"{_PAGE}?done=added", 303)


@bp.get("/account/contacts/confirm/<link>")
@for_residents
def ask_link(session: SignedIn, link: str) -> str | tuple[str, int]:
    """The link was opened: ask for a click, because mail scanners open links too."""
    ctx = context()
    with ctx.database.reading() as reading:
        resident = _resident(reading, session)
        waiting = adding.pending_by_link(reading, ctx, resident, link, now=ctx.now())
    if waiting is None:
        return render_template("ui/contact_expired.html"), 410
    return render_template("ui/contact_confirm.html", waiting=waiting, link=link)


@bp.post("/account/contacts/confirm/<link>")
@for_residents
def confirm_link(session: SignedIn, link: str) -> Response | tuple[str, int]:
    """Keep the new contact point of whoever asked for it, and is signed in."""
    ctx = context()
    with ctx.database.transaction() as writing:
        outcome = adding.confirm_by_link(writing, ctx, locked(writing, session)[0], link, now=ctx.now())
    if isinstance(outcome, Refusal):
        return render_template("ui/contact_expired.html"), 410
    return redirect(f"{_PAGE}?done=added", 303)


# --- one of them ---


@bp.get("/account/contacts/<contact_id>")
@for_fresh_residents
def one(session: SignedIn, contact_id: str) -> str:
    """One address or number, and what may be done with it."""
    return _one_page(session, contact_id, [])


@bp.post("/account/contacts/<contact_id>/main")
@for_fresh_residents
def make_main(session: SignedIn, contact_id: str) -> Response | tuple[str, int]:
    """Have services told this one."""
    return _change(session, contact_id, service.make_main, "main")


@bp.post("/account/contacts/<contact_id>/sign-in")
@for_fresh_residents
def sign_in_with(session: SignedIn, contact_id: str) -> Response | tuple[str, int]:
    """Sign in with this one from now on."""
    return _change(session, contact_id, partial(service.sign_in_with, keep=session.sid), "sign-in")


@bp.post("/account/contacts/<contact_id>/remove")
@for_fresh_residents
def remove(session: SignedIn, contact_id: str) -> Response | tuple[str, int]:
    """Forget this one."""
    return _change(session, contact_id, partial(service.remove, keep=session.sid), "removed")


@bp.post("/account/contacts/stop")
@for_residents
def stop(session: SignedIn) -> Response:
    """Stop the change that waits."""
    ctx = context()
    with ctx.database.transaction() as writing:
        stopped = service.stop(writing, ctx, locked(writing, session)[0].id, now=ctx.now())
    return redirect(f"{_PAGE}?done=stopped" if stopped else _PAGE, 303)


# Messages stand at addresses that take forms only; a link to the same page in another language leads back.


@bp.get("/account/contacts/<contact_id>/<any(main, remove):action>")
@bp.get("/account/contacts/<contact_id>/sign-in", defaults={"action": "sign-in"})
def back_to_one(contact_id: str, action: str) -> Response:  # noqa: ARG001 - the address has it
    """The page of this contact point."""
    return redirect(url_for("contacts.one", contact_id=contact_id), 303)


# --- what the former address is asked; no sign-in, for it is the owner who reads there ---


@bp.get("/contact-change/<link>")
def ask_former(link: str) -> str | tuple[str, int]:
    """Say what is about to change; nothing happens by looking."""
    ctx = context()
    with ctx.database.reading() as reading:
        change = service.by_link(reading, link)
    if change is None:
        return render_template("ui/contact_expired.html"), 410
    return render_template("ui/contact_change.html", change=change, link=link)


@bp.post("/contact-change/<link>")
def answer_former(link: str) -> str | tuple[str, int]:
    """Stop the change, or let it happen at once."""
    ctx = context()
    act = service.stop_by_link if request.form.get("answer") == "stop" else service.agree_by_link
    with ctx.database.transaction() as writing:
        act(writing, ctx, link, now=ctx.now())
        change = service.by_link(writing, link)
    if change is None:
        return render_template("ui/contact_expired.html"), 410
    return render_template("ui/contact_change.html", change=change, link=link)


# --- pieces ---


def _resident(reading: Session, signed_in: SignedIn) -> Resident:
    return reading.get_one(Resident, signed_in.resident_id)


def _kind(unverified_kind: str) -> str:
    if unverified_kind not in ("email", "phone"):
        abort(404)
    if unverified_kind == "phone" and not context().settings.sms.enabled:
        abort(404)
    return unverified_kind


def _pending(session: SignedIn, change_id: str) -> Pending:
    ctx = context()
    with ctx.database.reading() as reading:
        found = adding.pending(reading, ctx, _resident(reading, session), change_id, now=ctx.now())
    if found is None:
        abort(404)
    return found


def _change(session: SignedIn, contact_id: str, act: Any, done: str) -> Response | tuple[str, int]:
    ctx = context()
    with ctx.database.transaction() as writing:
        outcome: Done | Refusal = act(writing, ctx, locked(writing, session)[0], contact_id, now=ctx.now())
    if outcome is Refusal.GONE:
        abort(404)
    if isinstance(outcome, Refusal):
        return _one_page(session, contact_id, [("", refusal_text(outcome))]), 422
    return redirect(f"{_PAGE}?done={done if outcome.due_at is None else 'waits'}", 303)


def _new_page(kind: str, value: str, errors: Errors) -> str:
    country = context().settings.accounts.country
    return render_template("ui/contact_new.html", kind=kind, value=value, country=country, errors=errors)


def _code_page(waiting: Pending, errors: Errors) -> str:
    return render_template("ui/contact_code.html", waiting=waiting, errors=errors)


def _one_page(session: SignedIn, contact_id: str, errors: Errors) -> str:
    ctx = context()
    with ctx.database.reading() as reading:
        found: Contact | None = contacts.find(reading, ctx.vault, _resident(reading, session), contact_id)
    if found is None:
        abort(404)
    wait = kept_name(ctx.settings.accounts.contact_change_wait_for)
    return render_template("ui/contact.html", contact=found, wait=wait, errors=errors)
