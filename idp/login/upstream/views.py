"""To a provider and back, `/login/upstream`; what those can do whom we do not know yet.

A provider's answer comes by GET (response_mode query), because the cookies that bind it to this browser are Lax:
providers that insist on form_post are not supported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import Blueprint, abort, current_app, g, redirect, render_template, request
from flask_babel import gettext
from werkzeug.wrappers import Response

from idp.login import attempts, steps
from idp.login.current import signed_in
from idp.login.ports import ports
from idp.login.settling import Failure, Goal
from idp.login.upstream import arrivals, identities, service
from idp.login.upstream.provider import ProviderSilent
from idp.login.upstream.service import Problem, Turned
from idp.login.upstream.states import Place
from idp.login.upstream.texts import problem_text
from idp.login.views import kept, read_entry
from idp.web.context import context
from idp.web.csrf import browser_id
from idp.web.languages import current_language
from idp.web.pages import error_page, incoming

if TYPE_CHECKING:
    from idp.login.attempts import Attempt
    from idp.login.upstream.arrivals import Arrival
    from idp.login.upstream.provider import Upstream
    from idp.login.upstream.service import Came
    from idp.login.views import Entry

bp = Blueprint("upstream", __name__)

CHOICE = "/login/upstream"
CONNECT = "/account/connect"
_ANSWER = ("state", "iss", "code", "error")


def upstreams() -> dict[str, Upstream]:
    """The providers of this app."""
    found: dict[str, Upstream] = current_app.extensions["denizen.upstream"]
    return found


def named(provider: str) -> Upstream:
    """A provider by its id; the page of an address without anything when there is none."""
    found = upstreams().get(provider)
    if found is None:
        abort(404)
    return found


@bp.app_context_processor
def _for_the_sign_in_page() -> dict[str, Any]:
    """The providers as the sign-in page offers them, and what went wrong at one."""

    def buttons() -> list[tuple[str, str]]:
        return [(one.settings.id, one.settings.name_in(current_language())) for one in upstreams().values()]

    def problems() -> list[tuple[str, str]]:
        upstream = upstreams().get(request.args.get("provider", ""))
        if upstream is None:
            return []
        text = problem_text(request.args.get("problem", ""), upstream.settings.name_in(current_language()))
        return [("", text)] if text else []

    return {"upstream_buttons": buttons, "upstream_problems": problems}


# --- there ---


@bp.get(CHOICE)
def choose() -> str | Response:
    """Every provider, for a sign-in under way; at a shared computer, if somebody says so."""
    entry = read_entry()
    if isinstance(entry, Response):
        return entry
    if not upstreams():
        abort(404)
    return render_template(
        "ui/login_upstream.html",
        client_name=entry.flow.client_name if entry.flow else None,
        query=_query(entry),
        is_shared="shared" in request.args or bool(entry.attempt and entry.attempt.is_shared),
    )


@bp.post(f"{CHOICE}/<provider>")
def set_out(provider: str) -> str | Response:
    """From the sign-in page, whose form says whether others use this computer: to `start`, by way of a page of ours.

    The form's policy names no provider (CSP `form-action`), and holds for every redirect after it.
    """
    named(provider)
    entry = read_entry()
    if isinstance(entry, Response):
        return entry
    return _onward(steps.address(f"{CHOICE}/{provider}", kept(entry)))


@bp.get(f"{CHOICE}/<provider>")
def start(provider: str) -> Response:
    """Send the browser to a provider."""
    upstream = named(provider)
    entry = read_entry()
    if isinstance(entry, Response):
        return entry
    ctx = context()
    now = ctx.now()
    handle = entry.handle or _begin(entry.goal, is_shared=False, now=now)
    if "shared" in request.args:
        _share(handle, now=now)
    try:
        place = Place(browser_id(), provider)
        target = service.send(ctx, upstream, place, attempt=handle, language=current_language(), now=now)
    except ProviderSilent as silent:
        service.log_silence(provider, silent)
        return _back(provider, handle, Problem.SILENT)
    return redirect(target, 303)


def _query(entry: Entry) -> dict[str, str]:
    goal = entry.goal
    if entry.handle:
        return {"attempt": entry.handle}
    return {"flow": goal.flow_handle, "next": goal.next_path, "wanted": goal.wanted_acr}


def _begin(goal: Goal, *, is_shared: bool, now: int) -> str:
    """A sign-in of its own for whoever goes away and comes back."""
    with context().database.transaction() as writing:
        return steps.settler(now=now).begin(writing, goal, is_shared=is_shared)


def _share(handle: str, *, now: int) -> None:
    """Note that the session is to leave nothing behind; links carry it, because forms must not lead to other sites."""
    with context().database.transaction() as writing:
        attempt = attempts.find(writing, handle, browser=browser_id(), now=now)
        if attempt is not None:
            attempts.share(writing, attempt)


# --- and back ---


@bp.get(f"{CHOICE}/<provider>/callback")
def come_back(provider: str) -> Response:
    """Whoever comes from a provider: signed in, a newcomer, or back at the sign-in page with the reason."""
    return _apart(_came_back(provider))


def _apart(response: Response) -> Response:
    """The way on to a partner begins with a page of ours.

    A form of the provider's led here, and browsers hold its policy (CSP `form-action`) against every address to which
    they are redirected from there. It names ours, but no partner's.
    """
    target = response.headers.get("Location", "")
    if target.startswith("/authorize/continue?"):
        response.status_code = 200
        del response.headers["Location"]
        response.content_type = "text/html; charset=utf-8"
        response.set_data(_onward(target))
    return response


def _onward(target: str) -> str:
    return render_template("ui/onward.html", target=target, languages=[])


def _came_back(provider: str) -> Response:
    upstream = named(provider)
    ctx = context()
    now, place = ctx.now(), Place(browser_id(), provider)
    query = incoming().query
    if query.repeated.intersection(_ANSWER):
        return steps.attempt_is_over("")
    came = service.receive(ctx, upstream, place, query, steps.guess_of_anybody("upstream"), now=now)
    if isinstance(came, Turned):
        return _turned(provider, place, came, query.get("state", ""))
    if came.asked.resident_id:
        return _connects(came, place, now=now)
    if came.resident_id is None:
        return _newcomer(upstream, came, place, now=now)
    return _known(provider, came, now=now)


def _turned(provider: str, place: Place, turned: Turned, unverified_state: str) -> Response:
    """Back to where they came from; a page loaded twice leads on to what came of it first."""
    asked = turned.asked
    if asked is None:
        ctx = context()
        with ctx.database.reading() as session:
            former = service.former_attempt(session, ctx.vault, place, unverified_state)
        return steps.attempt_is_over(former)
    if asked.resident_id:
        return redirect(f"/account/sign-in?{urlencode(_said(provider, turned.problem))}#main", 303)
    return _back(provider, asked.attempt, turned.problem)


def _back(provider: str, handle: str, problem: Problem) -> Response:
    """The page that the sign-in is at, with the reason; what waits stays as it is."""
    ctx = context()
    with ctx.database.reading() as session:
        attempt = attempts.find(session, handle, browser=browser_id(), now=ctx.now())
    if attempt is None:
        return steps.attempt_is_over(handle)
    page = CHOICE if attempt.proofs else "/login"
    query = urlencode({"attempt": handle, **_said(provider, problem)})
    return redirect(f"{page}?{query}#main", 303)


def _said(provider: str, problem: Problem) -> dict[str, str]:
    return {"provider": provider, "problem": problem.value}


class _NotSignedIn(Exception):
    """Nothing of this proof is to stay: a frozen account, or another resident's sign-in."""


def _known(provider: str, came: Came, *, now: int) -> Response:
    """A resident: what was proved upstream goes into the sign-in that waits."""
    settler = steps.settler(now=now)
    handle = came.asked.attempt
    try:
        with settler.writing(came.resident_id) as writing:
            attempt = attempts.find(writing, handle, browser=browser_id(), now=now)
            if attempt is None:
                return steps.attempt_is_over(handle)
            used = identities.use(writing, came.who, provider=provider, level=came.proof.level, now=now)
            outcome = settler.next(writing, attempt, came.proof, used) if used else Failure.WRONG
            if isinstance(outcome, Failure):
                raise _NotSignedIn
    except _NotSignedIn:
        return _back(provider, handle, Problem.REFUSED)
    return steps.answer(outcome, Goal(attempt.flow_handle, attempt.next_path, attempt.wanted_acr))


def _newcomer(upstream: Upstream, came: Came, place: Place, *, now: int) -> Response:
    """Somebody whom only the provider knows: they choose what to do, if the town lets them."""
    ctx = context()
    handle = came.asked.attempt
    with ctx.database.transaction() as writing:
        attempt = attempts.find(writing, handle, browser=place.browser, now=now)
        is_free = attempt is not None and attempt.resident_id is None
        if not is_free or upstream.settings.newcomers == "refuse":
            return _back(place.provider, handle, Problem.UNKNOWN)
        arrival = arrivals.keep(
            writing, ctx.vault, place, came.who, came.person, attempt=handle, level=came.proof.level, now=now
        )
    return redirect(f"{CHOICE}/{place.provider}/new?{urlencode({'arrival': arrival})}#main", 303)


def _connects(came: Came, place: Place, *, now: int) -> Response:
    """A resident who connects: they see once more with which account, and say yes."""
    session = signed_in()
    if session is None or session.resident_id != came.asked.resident_id:
        return steps.attempt_is_over("")
    if came.resident_id is not None:
        problem = "connected" if came.resident_id == session.resident_id else Problem.OTHER.value
        query = urlencode({"provider": place.provider, "problem": problem})
        return redirect(f"/account/sign-in?{query}#main", 303)
    ctx = context()
    with ctx.database.transaction() as writing:
        arrival = arrivals.keep(
            writing, ctx.vault, place, came.who, came.person, attempt="", level=came.proof.level, now=now
        )
    return redirect(f"{CONNECT}/{arrival}", 303)


# --- newcomers ---


@bp.get(f"{CHOICE}/<provider>/new")
def newcomer(provider: str) -> str | Response:
    """What somebody can do who has no account that we know of."""
    found = _arrived(provider)
    if isinstance(found, Response):
        return found
    arrival, attempt = found
    flow = ports().describe(attempt.flow_handle) if attempt.flow_handle else None
    g.form_targets = flow.form_targets if flow else ""
    settings = named(provider).settings
    return render_template(
        "ui/upstream_new.html",
        client_name=flow.client_name if flow else None,
        provider=settings.name_in(current_language()),
        action=f"{CHOICE}/{provider}/new",
        arrival=arrival.handle,
        may_create=settings.newcomers == "create",
    )


@bp.post(f"{CHOICE}/<provider>/new")
def newcomer_chose(provider: str) -> Response:
    """Sign in and connect, create an account, or turn back."""
    found = _arrived(provider)
    if isinstance(found, Response):
        return found
    arrival, attempt = found
    if "cancel" in request.form:
        return steps.cancelled(attempt)
    if "create" in request.form and named(provider).settings.newcomers == "create":
        query = {"arrival": arrival.handle, **({"flow": attempt.flow_handle} if attempt.flow_handle else {})}
        return redirect(f"/signup?{urlencode(query)}#main", 303)
    # A sign-in of its own: connecting needs the account's own ways in, and a look at which account it is.
    goal = Goal(next_path=f"{CONNECT}/{arrival.handle}")
    handle = _begin(goal, is_shared=attempt.is_shared, now=context().now())
    return redirect(steps.address("/login", handle), 303)


def _arrived(provider: str) -> tuple[Arrival, Attempt] | Response:
    """Who waits, and the sign-in that waits for them; or the page that says it is over."""
    named(provider)
    ctx = context()
    now, browser = ctx.now(), browser_id()
    with ctx.database.reading() as session:
        arrival = arrivals.find(
            session, ctx.vault, request.values.get("arrival", ""), browser=browser, now=now
        )
        attempt = (
            attempts.find(session, arrival.attempt, browser=browser, now=now)
            if arrival is not None and arrival.provider == provider
            else None
        )
    if arrival is None:
        return connecting_is_over()
    return (arrival, attempt) if attempt is not None else steps.attempt_is_over(arrival.attempt)


def connecting_is_over() -> Response:
    """A connection that was made already, that waited too long, or that another browser began."""
    return error_page(
        400,
        gettext("This has ended"),
        gettext("It was finished already, it waited too long, or it began in another browser."),
        gettext("Start again, or go back to the service you came from."),
        oauth_error="invalid_request arrival",
    )
