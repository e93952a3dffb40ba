"""A recovery code instead of the second factor, `/login/recovery-code`, and one's own, `/account/sign-in/recovery-codes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, render_template, request
from flask_babel import gettext
from werkzeug.wrappers import Response

from idp.accounts.models import Resident
from idp.login import budgets, steps
from idp.login.changes import follow, locked, told_of
from idp.login.current import for_fresh_residents
from idp.login.levels import Method, typical
from idp.login.recovery_codes import service
from idp.login.recovery_codes.rules import grouped, normal_code
from idp.login.settling import Failure
from idp.login.texts import too_many
from idp.web.context import context

if TYPE_CHECKING:
    from idp.login.sessions import SignedIn
    from idp.login.settling import Outcome
    from idp.login.steps import Underway

    Errors = list[tuple[str, str]]

bp = Blueprint("recovery_codes", __name__)


# --- signing in ---


@bp.get("/login/recovery-code")
def show() -> str | Response:
    """Ask for a recovery code."""
    underway = steps.expect(Method.RECOVERY_CODE)
    return underway if isinstance(underway, Response) else _page(underway, [])


@bp.post("/login/recovery-code")
def submit() -> str | Response | tuple[str, int]:
    """Check and spend it."""
    underway = steps.expect(Method.RECOVERY_CODE)
    if isinstance(underway, Response):
        return underway
    code = normal_code(request.form.get("code", ""))
    if code is None:
        text = gettext("Enter one of your recovery codes: sixteen letters and digits")
        return _page(underway, [("code", text)]), 422
    outcome = _spend(underway, code)
    if outcome is Failure.THROTTLED:
        return _page(underway, [("code", too_many())]), 429
    if outcome is Failure.WRONG:
        text = gettext("The code is not right, or it was used already. Take another one of your list.")
        return _page(underway, [("code", text)]), 422
    return steps.answer(outcome, underway.goal)


def _spend(underway: Underway, code: str) -> Outcome:
    """Count the guess, then look at it; the owner is told when one is used."""
    ctx, attempt = context(), underway.attempt
    now, resident_id = ctx.now(), attempt.resident_id or ""
    settler = steps.settler(now=now)
    with ctx.database.reading() as session:
        guess = settler.guess(
            session, "recovery-code", authenticator=resident_id, name=resident_id, whose=resident_id
        )
    if not budgets.spend(ctx, guess, now=now):
        return Failure.THROTTLED
    with settler.writing(resident_id) as session:
        if not service.spend(session, ctx.vault, resident_id, code, now=now):
            return Failure.WRONG
        budgets.refund(ctx, guess, now=now, connection=session)
        left, _ = service.left(session, resident_id)
        told_of(session, session.get_one(Resident, resident_id), "recovery_code_used", left=left)
        return settler.next(session, attempt, typical(Method.RECOVERY_CODE), resident_id)


def _page(underway: Underway, errors: Errors) -> str:
    return render_template(
        "ui/login_recovery_code.html",
        client_name=underway.flow.client_name if underway.flow else None,
        attempt=underway.attempt.handle,
        has_other_ways=len(underway.offers) > 1,
        errors=errors,
    )


# --- one's own codes ---


@bp.get("/account/sign-in/recovery-codes")
@for_fresh_residents
def explain(session: SignedIn) -> str:
    """What they are for, and how many are left."""
    with context().database.reading() as reading:
        left, made_at = service.left(reading, session.resident_id)
    return render_template("ui/recovery_codes.html", codes=[], left=left, made_at=made_at, is_made=False)


@bp.post("/account/sign-in/recovery-codes")
@for_fresh_residents
def make(session: SignedIn) -> str | tuple[str, int]:
    """A new set, shown this once; the former one is worth nothing any more.

    The form says beside which set it was shown, so that a page that is loaded again makes no other codes than those that
    its reader has just written down.
    """
    ctx = context()
    now = ctx.now()
    with ctx.database.transaction() as writing:
        resident, _ = locked(writing, session)
        left, made_at = service.left(writing, resident.id)
        if request.form.get("beside", "") != str(made_at or ""):
            page = render_template(
                "ui/recovery_codes.html", codes=[], left=left, made_at=made_at, is_made=True
            )
            return page, 409
        codes = service.make(writing, ctx.vault, resident.id, now=now)
        budgets.restore(writing, ctx.vault, "recovery-code", resident.id)
        follow(writing, session, resident, "recovery_codes_made")
    shown = [grouped(code) for code in codes]
    return render_template(
        "ui/recovery_codes.html", codes=shown, left=len(codes), made_at=now, is_made=False, languages=[]
    )
