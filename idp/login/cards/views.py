"""The pages for a printed card, `/login/card`, and for the code of its paper list, `/login/paper-code`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, g, redirect, render_template, request
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response

from idp.login import steps
from idp.login.cards import service
from idp.login.cards.rules import (
    CODE_LENGTH,
    FEW_LEFT,
    NUMBER_LENGTH,
    PIN_LENGTH,
    are_digits,
    grouped,
    normal_digits,
    normal_number,
)
from idp.login.cards.sign_in import with_card, with_code
from idp.login.ports import ports
from idp.login.settling import Failure
from idp.login.views import is_again, is_shared_already, read_entry
from idp.web.context import context

if TYPE_CHECKING:
    from idp.login.cards.service import Asked
    from idp.login.steps import Underway
    from idp.login.views import Entry

    Errors = list[tuple[str, str]]

bp = Blueprint("cards", __name__)


# --- the card and its PIN ---


@bp.get("/login/card")
def show() -> str | Response:
    """Ask for the number on the card; a scanner may type it."""
    entry = read_entry()
    return entry if isinstance(entry, Response) else _card_page(entry, [])


@bp.post("/login/card")
def submit() -> str | Response | tuple[str, int]:
    """Take the number, then ask for the PIN; every number gets that far, whether there is such a card or not."""
    entry = read_entry()
    if isinstance(entry, Response):
        return entry
    typed = request.form.get("card_number", "")
    number = normal_number(typed)
    if number is None:
        return _card_page(entry, [("card_number", _number_problem(typed))], typed=typed), 422
    return _check_pin(entry, number) if "pin" in request.form else _pin_page(entry, number, [])


def _check_pin(entry: Entry, number: str) -> Response | tuple[str, int]:
    pin = normal_digits(request.form["pin"])
    if not are_digits(pin, PIN_LENGTH):
        text = gettext("Enter the PIN: %(number)s digits", number=PIN_LENGTH)
        return _pin_page(entry, number, [("pin", text)]), 422
    settler = steps.settler(now=context().now())
    outcome = with_card(settler, ports().passwords, number, pin, goal=entry.goal, attempt=entry.attempt)
    if outcome is Failure.THROTTLED:
        return _pin_page(entry, number, [("pin", _too_many())]), 429
    if outcome is Failure.WRONG:
        text = gettext("The card number or the PIN is not right")
        return _pin_page(entry, number, [("pin", text)]), 422
    return steps.answer(outcome, entry.goal)


def _number_problem(typed: str) -> str:
    text: str = (
        gettext(
            "This is not the number of a card. It has %(number)s letters and digits; look for a typing mistake.",
            number=NUMBER_LENGTH,
        )
        if typed.strip()
        else gettext("Enter the number of your card")
    )
    return text


def _card_page(entry: Entry, errors: Errors, *, typed: str = "") -> str:
    g.runs_script = True  # takes the number from an address that a phone has scanned; nothing needs it
    typed = typed[:200]
    return render_template(
        "ui/login_card.html", asks_pin=False, card_number=typed, errors=errors, **_kept(entry)
    )


def _pin_page(entry: Entry, number: str, errors: Errors) -> str:
    shown = grouped(number)
    return render_template(
        "ui/login_card.html", asks_pin=True, card_number=shown, errors=errors, **_kept(entry)
    )


def _kept(entry: Entry) -> dict[str, object]:
    """What a page of a sign-in carries on: its attempt, or what an attempt would begin with."""
    return {
        "client_name": entry.flow.client_name if entry.flow else None,
        "attempt": entry.handle,
        "flow": entry.goal.flow_handle,
        "next": entry.goal.next_path,
        "wanted": entry.goal.wanted_acr,
        "again": is_again(),
        "is_shared": is_shared_already(entry),
    }


# --- the code of the paper list ---


@bp.get("/login/paper-code")
def show_list() -> str | Response:
    """Ask for the code whose turn it is, by its number on the list."""
    found = _asked()
    return found if isinstance(found, Response) else _list_page(*found, [])


@bp.post("/login/paper-code")
def submit_code() -> str | Response | tuple[str, int]:
    """Check and spend the code."""
    found = _asked()
    if isinstance(found, Response):
        return found
    underway, asked = found
    if request.form.get("place") != str(asked.place):
        text = gettext("That code was used meanwhile. Enter code number %(number)s.", number=asked.place)
        return _list_page(underway, asked, [("code", text)]), 409
    code = normal_digits(request.form.get("code", ""))
    if not are_digits(code, CODE_LENGTH):
        text = gettext(
            "Enter code number %(place)s: %(number)s digits", place=asked.place, number=CODE_LENGTH
        )
        return _list_page(underway, asked, [("code", text)]), 422
    attempt = underway.attempt
    settler = steps.settler(now=context().now())
    outcome = with_code(settler, ports().passwords, asked, code, attempt)
    if outcome is Failure.THROTTLED:
        return _list_page(underway, asked, [("code", _too_many())]), 429
    if outcome is Failure.WRONG:
        text = gettext("The code is not right. Take number %(number)s of your list.", number=asked.place)
        return _list_page(underway, asked, [("code", text)]), 422
    return steps.answer(outcome, underway.goal)


def _asked() -> tuple[Underway, Asked] | Response:
    """The sign-in under way and the code it is asked for; or where to go, when there is none."""
    underway = steps.enter()
    if isinstance(underway, Response):
        return underway
    attempt = underway.attempt
    if attempt.resident_id is None:
        return redirect(steps.address("/login", attempt.handle), 303)
    if steps.is_complete(underway):
        return steps.go_on(attempt.handle)
    with context().database.reading() as session:
        asked = service.asked_code(session, attempt.resident_id)
    if asked is None:
        return redirect(steps.address(steps.OTHER_WAYS, attempt.handle), 303)
    return underway, asked


def _list_page(underway: Underway, asked: Asked, errors: Errors) -> str:
    return render_template(
        "ui/login_paper_code.html",
        client_name=underway.flow.client_name if underway.flow else None,
        attempt=underway.attempt.handle,
        place=asked.place,
        left=_few_left(asked),
        errors=errors,
    )


def _few_left(asked: Asked) -> str:
    """A word in time, before the list is used up."""
    if asked.left > FEW_LEFT:
        return ""
    text: str = ngettext(
        "This is the last code of your list. Ask the town for a new card and list.",
        "%(num)s codes of your list are left. Ask the town for a new card and list in time.",
        asked.left,
    )
    return text


def _too_many() -> str:
    text: str = gettext(
        "There were too many attempts. Wait 15 minutes, then try again. If it still does not work, ask the town "
        "for a new card."
    )
    return text
