"""`/authorize/continue`: the next thing that a waiting request needs of its resident.

It is worked out anew each time, from rows of ours alone, so tabs, reloads and back buttons are harmless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flask import Blueprint, redirect, request

from idp.login import sessions
from idp.login.current import signed_in
from idp.login.ports import ports
from idp.oidc import decisions, interactions, step_up
from idp.oidc.device.service import is_claimed
from idp.oidc.errors import Refusal
from idp.oidc.granted import grant_request
from idp.oidc.response import refuse, respond
from idp.oidc.step_up import Owed
from idp.oidc.views.lost import client_of, lost
from idp.oidc.wiring import provider as current_provider
from idp.web.csrf import browser_id
from idp.web.languages import prefer
from idp.web.pages import as_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from idp.clients.registry import Client
    from idp.login.sessions import SignedIn
    from idp.login.ways import Found
    from idp.oidc.granted import Granted
    from idp.oidc.interactions import Waiting
    from idp.oidc.provider import Provider
    from idp.oidc.request import AuthorizationRequest
    from idp.oidc.step_up import Demand
    from idp.web.answers import Answer

bp = Blueprint("interaction", __name__)

#: OpenID Connect Core Error Code unmet_authentication_requirements 1.0.
UNMET = "unmet_authentication_requirements"


class Ready(NamedTuple):
    """A request whose resident is signed in as it demands."""

    waiting: Waiting
    session: SignedIn
    client: Client
    demand: Demand


class Standing(NamedTuple):
    """What a request demands of a sign-in, and what is still owed."""

    demand: Demand
    owed: Owed


def waiting_request(unverified_handle: str) -> Waiting | None:
    """The request behind a handle, if it waits and is this browser's; pages are then in its language."""
    ctx = current_provider().context
    waiting = interactions.find(
        ctx.database.fast, ctx.vault, unverified_handle, browser=browser_id(), now=ctx.now()
    )
    if waiting is not None:
        prefer(waiting.request.ui_locales)
    return waiting


def ready(unverified_handle: str) -> Ready | Response:
    """What a page works with; or where to go, when the flow is over, or a sign-in or a confirmation is owed."""
    found = signed_in_for(unverified_handle)
    if isinstance(found, Ready) and found.waiting.request.device:
        fast, resident_id = current_provider().context.database.fast, found.session.resident_id
        if not is_claimed(fast, found.waiting.request, resident_id):
            return redirect(f"/device/confirm?flow={unverified_handle}#main", 303)
    return found


def signed_in_for(unverified_handle: str) -> Ready | Response:
    """As `ready`, whether or not the resident said that a device which asks is theirs."""
    provider = current_provider()
    waiting = waiting_request(unverified_handle)
    client = client_of(waiting.request) if waiting else None
    if waiting is None or client is None:
        return lost(unverified_handle)
    session = signed_in()
    demand, owed = standing(provider, waiting, client, session)
    if not demand.can_be_met:
        return answered_with(unverified_handle, contradiction())
    if session is None or owed is not Owed.NOTHING:
        return _to_sign_in(unverified_handle, session, demand, owed)
    if not is_expected(provider, waiting.request, session):
        return _unexpected(unverified_handle, waiting)
    if _is_somebody_elses(waiting, session):
        return redirect(f"/authorize/as?flow={unverified_handle}#main", 303)
    return Ready(waiting, session, client, demand)


def _unexpected(handle: str, waiting: Waiting) -> Response:
    """Not whom the client's hint names: they may sign in, once."""
    if waiting.signed_in_at is not None:
        return answered_with(handle, Refusal("login_required", "Somebody else signed in"))
    return redirect(f"/login?flow={handle}#main", 303)


def _to_sign_in(handle: str, session: SignedIn | None, demand: Demand, owed: Owed) -> Response:
    """To the sign-in page; first to a question, where one more proof is not what the resident must and can give."""
    asks = session is not None and owed is Owed.LEVEL and not _goes_on_by_itself(session, demand)
    return redirect(f"/{'authorize/level' if asks else 'login'}?flow={handle}#main", 303)


def standing(provider: Provider, waiting: Waiting, client: Client, session: SignedIn | None) -> Standing:
    """Judge a session by what a waiting request demands; a level that is only liked counts where it can be reached."""
    asked = waiting.request
    claims, purposes = decisions.asked_for(provider, asked)
    demand = step_up.demand_of(client, asked, step_up.minimum_acr(client, purposes, claims))
    owed = step_up.owed(
        asked,
        demand,
        session,
        signed_in_at=waiting.signed_in_at,
        strong_for=provider.context.settings.sessions.strong_for,
        now=provider.context.now(),
        keeps_level=waiting.keeps_level,
    )
    if session is not None and owed is Owed.LEVEL and not _is_firm(demand, session):
        owed = Owed.LEVEL if can_raise(session, demand.liked) else Owed.NOTHING
    return Standing(demand, owed)


def can_raise(session: SignedIn, wanted: str) -> bool:
    """Whether the resident of a session has the means to reach a level."""
    return step_up.can_reach(ways_of(session), wanted)


def ways_of(session: SignedIn) -> Found:
    """The ways in of the resident of a session."""
    with current_provider().context.database.reading() as reading:
        return ports().ways.of(reading, session.resident_id)


def _is_firm(demand: Demand, session: SignedIn) -> bool:
    return demand.lacks(session.acr, keeps_level=True) != ""


def _goes_on_by_itself(session: SignedIn, demand: Demand) -> bool:
    """Whether the resident is asked for one more proof at once: not when they have none, nor when they need not."""
    return _is_firm(demand, session) and can_raise(session, demand.firm)


def _is_somebody_elses(waiting: Waiting, session: SignedIn) -> bool:
    """Whether a session at a shared computer could be the one before's: it did not begin for this request."""
    is_own = waiting.signed_in_at is not None and session.authenticated_at >= waiting.signed_in_at
    return session.is_shared and not is_own and waiting.confirmed_sid != session.sid


def contradiction() -> Refusal:
    """The request names only levels below what its client is registered with."""
    return Refusal(UNMET, "No acr value asked for is as high as this client needs")


def is_met(provider: Provider, waiting: Waiting, client: Client) -> bool:
    """Whether the session of this browser answers a waiting request, so that nobody need sign in for it."""
    session = signed_in()
    if session is None or not is_expected(provider, waiting.request, session):
        return False
    return standing(provider, waiting, client, session).owed is Owed.NOTHING


def wanted_level(provider: Provider, waiting: Waiting, client: Client) -> str:
    """The level to which the session of this browser must be raised for a waiting request; "" where that is not it."""
    session = signed_in()
    demand, owed = standing(provider, waiting, client, session)
    if session is None or owed is not Owed.LEVEL or not is_expected(provider, waiting.request, session):
        return ""
    return demand.lacks(session.acr, keeps_level=waiting.keeps_level)


def is_expected(provider: Provider, asked: AuthorizationRequest, session: SignedIn) -> bool:
    """Whether this is the resident whom the client's id_token_hint or claims name, if they name one."""
    if asked.subject is None and not asked.sub_values:
        return True
    client = provider.clients.find(asked.client_id)
    if client is None:
        return False
    ctx = provider.context
    with ctx.database.reading() as reading:
        subject = decisions.subject_of(provider, reading, client, session.resident_id, now=ctx.now())
    return asked.subject in (None, subject) and (not asked.sub_values or subject in asked.sub_values)


@bp.get("/authorize/continue")
def go_on() -> Response:
    """To the sign-in page, to the release page, or back to the client with what it asked for."""
    handle = request.args.get("flow", "")
    found = ready(handle)
    if not isinstance(found, Ready):
        return found
    provider, asked = current_provider(), found.waiting.request
    ctx = provider.context
    claims, purposes = decisions.asked_for(provider, asked)
    with ctx.database.reading() as reading:
        grant = decisions.live_grant(reading, found.session.resident_id, asked.client_id)
    covered = decisions.is_covered(grant, asked.scope, claims, purposes.notices_hash, now=ctx.now())
    if covered and "consent" not in asked.prompt:
        return granted_with(handle, found, lambda _: grant.id)
    if grant is not None and "consent" not in asked.prompt and _is_on_file(found):
        return granted_with(handle, found, lambda writing: _settled(writing, found, now=ctx.now()))
    return redirect(f"/consent?flow={handle}#main", 303)


def _is_on_file(found: Ready) -> bool:
    """Whether the records answer a request that the grant does not: something was renewed, or has ended, elsewhere."""
    provider = current_provider()
    with provider.context.database.reading() as reading:
        decision = decisions.decide(provider, reading, found.waiting.request, found.session.resident_id)
    return not decision.sections


def _settled(writing: Session, found: Ready, *, now: int) -> str:
    return decisions.settle_grant(
        current_provider(), writing, found.client, found.waiting.request, found.session.resident_id, now=now
    )


def granted_with(handle: str, found: Ready, settle: Callable[[Session], str | Refusal]) -> Response:
    """End a waiting request with what its client asked for.

    `settle` runs in the same transaction and gives the grant under which it stands, or why there is none.
    """
    provider = current_provider()
    now = provider.context.now()
    try:
        with provider.context.database.transaction() as writing:
            if sessions.hold(writing, found.session) is None:
                return redirect(f"/authorize/continue?flow={handle}#main", 303)
            if not interactions.finish(writing, found.waiting.id_hash, now=now):
                return lost(handle)
            settled = settle(writing)
            granted = settled if isinstance(settled, Refusal) else _grant(writing, found, settled, now=now)
    except Refusal as refusal:  # nothing of it stands, so the request waits still
        return answered_with(handle, refusal)
    return as_response(_told(found, granted, now=now))


def _grant(writing: Session, found: Ready, grant_id: str, *, now: int) -> Granted:
    return grant_request(
        current_provider(),
        writing,
        found.client,
        found.waiting.request,
        grant_id=grant_id,
        signed_in=found.session,
        acr=step_up.stated_acr(found.demand, found.session.acr),
        now=now,
    )


def _told(found: Ready, granted: Granted | Refusal, *, now: int) -> Answer:
    """Outside the transaction: signing may be slow, and encrypting may fetch the client's keys."""
    provider, client, asked = current_provider(), found.client, found.waiting.request
    if isinstance(granted, Refusal):
        return refuse(provider, client, asked, granted)
    try:
        parameters = granted.parameters(provider, client, asked, now=now)
    except Refusal as refusal:
        return refuse(provider, client, asked, refusal)
    return respond(provider, client, asked, parameters, sid=found.session.sid)


def cancel(unverified_handle: str) -> Response:
    """The resident turned back: the client learns so (OIDC Core §3.1.2.6 access_denied)."""
    return answered_with(unverified_handle, Refusal("access_denied", "The resident cancelled"))


def answered_with(unverified_handle: str, refusal: Refusal) -> Response:
    """End a waiting request with an error for its client."""
    provider = current_provider()
    ctx = provider.context
    waiting = waiting_request(unverified_handle)
    client = client_of(waiting.request) if waiting else None
    if waiting is None or client is None:
        return lost(unverified_handle)
    with ctx.database.transaction() as session:
        if not interactions.finish(session, waiting.id_hash, now=ctx.now()):
            return lost(unverified_handle)
    return as_response(refuse(provider, client, waiting.request, refusal))
