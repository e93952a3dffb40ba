"""Getting back in, `/recover…`. Every page works out from rows where the recovery stands (K27)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask_babel import gettext

from idp.accounts.contacts import counted_name
from idp.accounts.models import Resident
from idp.accounts.reach import greeting
from idp.login import budgets
from idp.login.budgets import Limit
from idp.login.current import signed_in
from idp.login.devices import device_cookie
from idp.login.new_password import new_password_error, shortest
from idp.login.password_change import words_about
from idp.login.ports import ports
from idp.login.rules import network_of
from idp.login.steps import asker, flow_here
from idp.login.texts import too_many
from idp.recovery import service
from idp.recovery.answering import ask_also
from idp.recovery.codes import derived
from idp.recovery.finishing import finish, standing
from idp.recovery.rules import WISHES, grouped, tidy_code, tidy_digits
from idp.recovery.second import Tried, try_second
from idp.recovery.stopped import stopped_by
from idp.recovery.words import keepable_names, second_label
from idp.web.context import context
from idp.web.csrf import browser_id
from idp.web.pages import incoming

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from idp.recovery.finishing import Standing
    from idp.recovery.service import Underway

    Errors = list[tuple[str, str]]

bp = Blueprint("recovery", __name__)

#: Codes typed from one place; each code has its own few tries besides.
CODES_PER_SOURCE = Limit("recover-code-source", 60, 900)


@bp.app_context_processor
def _for_every_page() -> dict[str, Any]:
    """Whether this sign-in has stopped a recovery: for the pages on which a resident comes in."""

    def recovery_was_stopped() -> bool:
        session, ctx = signed_in(), context()
        if session is None:
            return False
        with ctx.database.reading() as reading:
            return stopped_by(reading, session, now=ctx.now())

    return {"recovery_was_stopped": recovery_was_stopped}


@bp.get("/recover")
def show() -> str:
    """Ask who it is, and how they would like to get back in."""
    return _ask_page("", WISHES[0], [])


@bp.post("/recover")
def ask() -> Response | tuple[str, int]:
    """Keep what was asked for; the answer is the same for every name (K23)."""
    name, wish = request.form.get("name", ""), request.form.get("wish", "")
    wish = wish if wish in WISHES else WISHES[0]
    if not name.strip():
        text = gettext("Enter your e-mail address, phone number or user name")
        return _ask_page(name, wish, [("name", text)]), 422
    ctx = context()
    now = ctx.now()
    whose = counted_name(name, ctx.settings.accounts.country)
    if not budgets.take(ctx, *budgets.mail_asked(asker(), whose), now=now):
        text = gettext("There were too many requests. Wait an hour, then try again.")
        return _ask_page(name, wish, [("name", text)]), 429
    with ctx.database.transaction() as session:
        handle = service.ask(
            session,
            ctx.settings,
            ctx.vault,
            name=name,
            wish=wish,
            flow=request.form.get("flow", ""),
            browser=browser_id(),
            device=device_cookie(secure=ctx.settings.is_secure).read(request.cookies),
            now=now,
        )
    return redirect(url_for("recovery.case", handle=handle), 303)


@bp.get("/recover/case/<handle>")
def case(handle: str) -> str | Response | tuple[str, int]:
    """Where this recovery stands, and what to do next."""
    found = _find(handle)
    show = request.args.get("show", "")
    return _over() if found is None else _case_page(found, [], show if show in WISHES else "")


@bp.post("/recover/case/<handle>/code")
def try_code(handle: str) -> Response | tuple[str | Response, int]:
    """Check the digits that were sent."""
    found = _find(handle)
    if found is None:
        return _over()
    ctx, now = context(), context().now()
    if not budgets.take(ctx, (CODES_PER_SOURCE, network_of(incoming().remote_address)), now=now):
        return _case_page(found, [("code", too_many())], "message"), 429
    with ctx.database.transaction() as session:
        digits = tidy_digits(request.form.get("code", ""))
        is_right = service.try_digits(session, ctx.vault, found, digits, now=now)
    if not is_right:
        text = gettext("The code is not right, or it works no more. You can ask for a new one.")
        return _case_page(found, [("code", text)], "message"), 422
    return redirect(url_for("recovery.case", handle=handle), 303)


# --- links, letters, coming back: they go on in whatever browser they are used in ---


@bp.get("/recover/link/<link>")
def open_link(link: str) -> str | tuple[str, int]:
    """The link was opened: ask for a click, because mail scanners open links too."""
    ctx = context()
    with ctx.database.reading() as session:
        resident_id = service.peek_link(session, link, now=ctx.now())
        resident = session.get(Resident, resident_id) if resident_id else None
        person = greeting(session, ctx.vault, resident) if resident else ""
    if resident_id is None:
        return _over()
    return render_template("ui/recover_link.html", link=link, person=person)


@bp.post("/recover/link/<link>")
def use_link(link: str) -> Response | tuple[str, int]:
    """Spend the link, and go on in this browser."""
    ctx = context()
    with ctx.database.transaction() as session:
        handle = service.spend_link(session, link, browser=browser_id(), now=ctx.now())
    return _over() if handle is None else redirect(url_for("recovery.case", handle=handle), 303)


@bp.get("/recover/letter")
def letter() -> str:
    """Ask for the code of the letter."""
    return render_template("ui/recover_letter.html", errors=[])


@bp.post("/recover/letter")
def use_letter() -> Response | tuple[str, int]:
    """Spend the code of the letter, and go on in this browser."""
    return _typed_code("ui/recover_letter.html", service.spend_letter)


@bp.get("/recover/return")
def come_back() -> str:
    """Ask for the code that was shown when somebody's help was asked for."""
    return render_template("ui/recover_return.html", errors=[])


@bp.post("/recover/return")
def use_return() -> Response | tuple[str, int]:
    """Go on in this browser."""
    return _typed_code("ui/recover_return.html", service.come_back)


def _typed_code(template: str, act: Callable[..., str | None]) -> Response | tuple[str, int]:
    ctx, now = context(), context().now()
    if not budgets.take(ctx, (CODES_PER_SOURCE, network_of(incoming().remote_address)), now=now):
        return render_template(template, errors=[("code", too_many())]), 429
    code, handle = tidy_code(request.form.get("code", "")), None
    if code:
        with ctx.database.transaction() as session:
            handle = act(session, code, browser=browser_id(), now=now)
    if handle is None:
        text = gettext("The code is not right, or it works no more. Check every letter.")
        return render_template(template, errors=[("code", text)]), 422
    return redirect(url_for("recovery.case", handle=handle), 303)


# --- the second factor, and the new password ---


@bp.get("/recover/case/<handle>/second")
def second(handle: str) -> str | Response | tuple[str, int]:
    """Ask for the second factor."""
    found = _find(handle)
    if found is None:
        return _over()
    stands = _stands(found)
    return _second_page(found, stands, []) if stands.owes_second else _to_case(found)


@bp.post("/recover/case/<handle>/second")
def prove_second(handle: str) -> str | Response | tuple[str, int]:
    """Check and spend it."""
    found = _find(handle)
    if found is None:
        return _over()
    stands = _stands(found)
    if not stands.owes_second:
        return _to_case(found)
    ctx = context()
    network = network_of(incoming().remote_address)
    tried = try_second(ctx, found, request.form.get("code", ""), network=network, now=ctx.now())
    if tried is Tried.THROTTLED:
        return _second_page(found, stands, [("code", too_many())]), 429
    if tried is Tried.WRONG:
        text = gettext("The code is not right, or it was used already. Wait for the next one.")
        return _second_page(found, stands, [("code", text)]), 422
    return _to_case(found)


@bp.get("/recover/case/<handle>/other")
def other(handle: str) -> str | Response | tuple[str, int]:
    """Offer other proofs to whoever has lost the second factor as well."""
    found = _find(handle)
    if found is None:
        return _over()
    stands = _stands(found)
    if not stands.owes_second:
        return _to_case(found)
    return render_template("ui/recover_other.html", handle=handle, offered=stands.would_do, errors=[])


@bp.post("/recover/case/<handle>/other")
def ask_other(handle: str) -> str | Response | tuple[str, int]:
    """Send what was chosen, if it would be enough beside what is proved."""
    found = _find(handle)
    if found is None:
        return _over()
    stands, wish = _stands(found), request.form.get("wish", "")
    if not stands.owes_second or wish not in stands.would_do:
        return _to_case(found)
    ctx, now = context(), context().now()
    if not budgets.take(ctx, (budgets.MAIL_PER_ADDRESS, found.resident_id or found.id), now=now):
        page = render_template(
            "ui/recover_other.html", handle=handle, offered=stands.would_do, errors=[("wish", too_many())]
        )
        return page, 429
    with ctx.database.transaction() as session:
        ask_also(session, ctx, found, wish, now=now)
    return redirect(url_for("recovery.case", handle=handle, show=wish), 303)


@bp.get("/recover/case/<handle>/password")
def password(handle: str) -> str | Response | tuple[str, int]:
    """Ask for a new password, and what of the former ways in the resident still has."""
    found = _find(handle)
    if found is None:
        return _over()
    stands = _stands(found)
    return _password_page(found, stands, []) if stands.is_enough else _to_case(found)


@bp.post("/recover/case/<handle>/password")
def set_password(handle: str) -> str | Response | tuple[str, int]:
    """Keep the new password; what is not kept dies, and the account is signed out everywhere."""
    found = _find(handle)
    if found is None:
        return _over()
    stands = _stands(found)
    if not stands.is_enough:
        return _to_case(found)
    ctx, chosen = context(), request.form.get("password", "")
    with ctx.database.reading() as session:
        about = words_about(session, ctx, found.resident_id or "")
    problem = new_password_error(ctx.settings, chosen, about=about)
    if problem:
        return _password_page(found, stands, [("password", problem)]), 422
    encoded, keep = ports().passwords.hash(chosen), request.form.getlist("keep")
    with ctx.database.transaction() as session:
        is_done = finish(session, ctx, ports().ways, found, encoded=encoded, keep=keep, now=ctx.now())
        if is_done:
            ports().stop_changes(session, found.resident_id or "", ctx.now())
            flow = flow_here(session, found.flow, now=ctx.now())
    if not is_done:
        return _over()
    return redirect(url_for("recovery.done", flow=flow or None), 303)


@bp.get("/recover/done")
def done() -> str:
    """Say that it is done, and where to sign in."""
    return render_template("ui/recover_done.html", flow=request.args.get("flow", ""))


# Messages stand at addresses that take forms only; a link to the same page in another language leads back.


@bp.get("/recover/case/<handle>/code")
def back_to_case(handle: str) -> Response:
    """The page of this recovery."""
    return redirect(url_for("recovery.case", handle=handle), 303)


# --- pieces ---


def _find(handle: str) -> Underway | None:
    """The recovery of this handle, if it goes on in this browser, and its account may be recovered."""
    ctx = context()
    with ctx.database.reading() as session:
        found = service.find(session, handle, browser=browser_id(), now=ctx.now())
        is_lost = found is not None and found.resident_id and service.owner(session, found) is None
    return None if is_lost else found


def _stands(found: Underway) -> Standing:
    ctx = context()
    with ctx.database.reading() as session:
        return standing(session, ports().ways, found, now=ctx.now())


def _to_case(found: Underway) -> Response:
    return redirect(url_for("recovery.case", handle=found.handle), 303)


def _over() -> tuple[str, int]:
    return render_template("ui/recover_over.html"), 410


def _ask_page(name: str, wish: str, errors: Errors) -> str:
    unverified_flow = request.values.get("flow", "")
    flow = ports().describe(unverified_flow) if unverified_flow else None
    g.form_targets = flow.form_targets if flow else ""
    return render_template(
        "ui/recover.html", name=name, wish=wish, flow=unverified_flow if flow else "", errors=errors
    )


def _case_page(found: Underway, errors: Errors, show: str = "") -> str | Response:
    """The next step. What is shown before anything was proved is the same whether or not the name is anybody's."""
    stands = _stands(found)
    if stands.is_enough and not errors:
        return redirect(url_for("recovery.password", handle=found.handle), 303)
    if stands.owes_second and not errors and not show:
        return redirect(url_for("recovery.second", handle=found.handle), 303)
    compare, return_code = derived(context().vault, found.handle)
    return render_template(
        "ui/recover_case.html",
        handle=found.handle,
        wish=show or found.wish,
        compare=compare,
        return_code=grouped(return_code),
        is_first_browser=_is_first_browser(found, return_code),
        ripe_at=found.proved.ripe_at,
        errors=errors,
    )


def _is_first_browser(found: Underway, return_code: str) -> bool:
    """Whether the codes can be shown again: they follow from the handle of the browser that asked."""
    ctx = context()
    with ctx.database.reading() as session:
        return service.has_return_code(session, found, return_code)


def _second_page(found: Underway, stands: Standing, errors: Errors) -> str:
    return render_template(
        "ui/recover_second.html",
        handle=found.handle,
        label=second_label(stands.found.enrolled),
        may_send="message" in stands.would_do,
        errors=errors,
    )


def _password_page(found: Underway, stands: Standing, errors: Errors) -> str:
    settings = context().settings
    return render_template(
        "ui/recover_password.html",
        handle=found.handle,
        keepable=keepable_names(stands.keepable),
        chosen=request.form.getlist("keep"),
        minimum=shortest(settings, has_second=False),
        errors=errors,
    )
