"""`/authorize` (RFC 6749 §3.1, OIDC Core §3.1.2): at once for who is known, else by way of a person.

`answer` is the short way: session, grant and code in two statements. Whatever needs a page (an error that
may not be redirected, a sign-in, a release to agree to) gives None, and the pages below take over.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import redirect
from flask_babel import gettext
from sqlalchemy import and_, bindparam, select

from idp.accounts.models import Resident
from idp.login import sessions
from idp.login.current import session_cookie
from idp.login.models import BrowserSession
from idp.oidc import decisions, interactions, pushed, step_up
from idp.oidc.checks import run_checks
from idp.oidc.drafts import draft_of
from idp.oidc.errors import Refusal
from idp.oidc.granted import grant_request, writing
from idp.oidc.models import Grant
from idp.oidc.response import needs_page, refuse, respond
from idp.oidc.views.interaction import contradiction, is_expected
from idp.oidc.views.lost import over
from idp.oidc.wiring import provider as current_provider
from idp.web.cookies import digest
from idp.web.csrf import browser_cookie_of, browser_id
from idp.web.languages import prefer
from idp.web.pages import as_response, error_page, incoming

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from idp.clients.registry import Client
    from idp.oidc.provider import Provider
    from idp.oidc.request import AuthorizationRequest, Draft
    from idp.web.answers import Answer
    from idp.web.context import Context
    from idp.web.incoming import Incoming

log = logging.getLogger("denizen.oidc")

_SESSION_AND_GRANT = (
    select(
        *sessions.COLUMNS,
        Grant.id.label("grant_id"),
        Grant.scope,
        Grant.decided_claims,
        Grant.notices_hash,
        Grant.ends_at,
        Grant.lapses,
    )
    .select_from(BrowserSession)
    .join(Resident, Resident.id == BrowserSession.resident_id)
    .outerjoin(
        Grant,
        and_(
            Grant.resident_id == BrowserSession.resident_id,
            Grant.client_id == bindparam("client_id_"),
            Grant.revoked_at.is_(None),
        ),
    )
    .where(BrowserSession.id_hash == bindparam("cookie_hash"))
)


class _Known(NamedTuple):
    """Who can be answered for at once: under which grant, and at which level."""

    grant_id: str
    session: sessions.SignedIn
    acr: str


def answer(provider: Provider, found: Incoming) -> Answer | None:
    """Answer without a person where the rules allow it; None hands over to `page`, and has written nothing."""
    draft = draft_of(provider, found)
    try:
        run_checks(draft)
        if needs_page(draft.response_mode):
            return None
        return _answer_at_once(provider, draft, found)
    except Refusal as refusal:
        if draft.redirect_uri is None or needs_page(draft.response_mode):
            return None
        return _refused(provider, draft, refusal)


def _refused(provider: Provider, draft: Draft, refusal: Refusal) -> Answer:
    """To the client, whose address is proven."""
    log.info("refused path=/authorize error=%s reason=%s", refusal.error, refusal.public)
    assert draft.client is not None
    return refuse(provider, draft.client, draft, refusal)


def _answer_at_once(provider: Provider, draft: Draft, found: Incoming) -> Answer | None:
    """What a resident gets who is signed in and has decided before; None, or a refusal for `prompt=none`."""
    client, request = draft.client, draft.frozen()
    assert client is not None
    if request.prompt not in ((), ("none",)):
        return None
    now = provider.context.now()
    known = _known(provider, client, request, found, now=now)
    if known is None:
        return None  # the page takes over
    with writing(provider, request) as connection:
        # Whoever redeems a code sees whether its session lives; what passes the browser is good at once.
        if request.response_type != "code" and not sessions.is_held(connection, known.session):
            _person_needed(request, "login_required", "The resident was signed out in this very moment")
            return None
        if not _is_first_answer(provider.context, connection, request, found, now=now):
            return None  # the page says that it was answered
        granted = grant_request(
            provider,
            connection,
            client,
            request,
            grant_id=known.grant_id,
            signed_in=known.session,
            acr=known.acr,
            now=now,
        )
    parameters = granted.parameters(provider, client, request, now=now)
    return respond(provider, client, request, parameters, sid=known.session.sid)


def _known(
    provider: Provider, client: Client, request: AuthorizationRequest, found: Incoming, *, now: int
) -> _Known | None:
    """Who is signed in as the request demands and has agreed to all that it asks for."""
    ctx = provider.context
    row, session = _session_and_grant(ctx, request, found, now=now)
    claims, purposes = decisions.asked_for(provider, request)
    demand = step_up.demand_of(client, request, step_up.minimum_acr(client, purposes, claims))
    if not demand.can_be_met:
        raise contradiction()
    owed = step_up.owed(
        request,
        demand,
        session,
        signed_in_at=None,
        strong_for=ctx.settings.sessions.strong_for,
        now=now,
        keeps_level="none" in request.prompt,  # what is only liked is no reason to refuse
    )
    if session is None or owed is not step_up.Owed.NOTHING:
        return _person_needed(request, "login_required", "The resident must sign in")
    if not is_expected(provider, request, session):
        return _person_needed(request, "login_required", "Somebody else is signed in")
    if session.is_shared:
        return _person_needed(request, "interaction_required", "The resident is at a shared computer")
    grant = row if row.grant_id is not None else None
    if not decisions.is_covered(grant, request.scope, claims, purposes.notices_hash, now=now):
        return _person_needed(request, "consent_required", "The resident must be asked")
    return _Known(row.grant_id, session, step_up.stated_acr(demand, session.acr))


def _is_first_answer(
    ctx: Context, connection: Any, request: AuthorizationRequest, found: Incoming, *, now: int
) -> bool:
    """Whether no answer was given before: a pushed request is spent, before anything is minted (RFC 9126 §7.3)."""
    if request.pushed is None:
        return True
    browser = browser_cookie_of("denizen", secure=ctx.settings.is_secure).read(found.cookies) or ""
    return pushed.spend_at_once(connection, request.pushed, browser=browser, now=now)


def _session_and_grant(
    ctx: Context, request: AuthorizationRequest, found: Incoming, *, now: int
) -> tuple[Any, sessions.SignedIn | None]:
    """The row of this browser's session with the grant for this client, and the session if it is live."""
    cookie = session_cookie(secure=ctx.settings.is_secure).read(found.cookies)
    if cookie is None:
        return None, None
    connection = ctx.database.fast
    row = connection.execute(
        _SESSION_AND_GRANT, {"cookie_hash": digest(cookie), "client_id_": request.client_id}
    ).first()
    if row is None:
        return None, None
    return row, sessions.as_signed_in(connection, row, settings=ctx.settings.sessions, now=now)


def _person_needed(request: AuthorizationRequest, error: str, public: str) -> _Known | None:
    """The page takes over, unless the client forbade it (OIDC Core §3.1.2.6)."""
    if "none" in request.prompt:
        raise Refusal(error, public)
    return None


def page() -> Response:
    """Where the answer is a page, or a person must act: keep the request on our side and begin."""
    provider = current_provider()
    draft = draft_of(provider, incoming())
    try:
        run_checks(draft)
        at_once = _answer_at_once(provider, draft, incoming()) if needs_page(draft.response_mode) else None
    except Refusal as refusal:
        if draft.redirect_uri is None:
            unverified_uri = draft.unverified.get("request_uri", "")
            is_over = refusal.error == "invalid_request_uri" and pushed.is_reference(unverified_uri)
            return over(refusal.error) if is_over else _refusal_page(refusal)
        at_once = _refused(provider, draft, refusal)
    return _begin(draft) if at_once is None else as_response(at_once)


def _begin(draft: Draft) -> Response:
    ctx = current_provider().context
    prefer(draft.ui_locales)
    with ctx.database.transaction() as session:
        if draft.pushed is not None and not pushed.claim(session, draft.pushed, browser=browser_id()):
            return over("invalid_request_uri")
        handle = interactions.begin(
            session,
            ctx.vault,
            draft.frozen(),
            browser=browser_id(),
            login_hint=draft.unverified.get("login_hint", ""),
            now=ctx.now(),
        )
    return redirect(f"/authorize/continue?flow={handle}", 303)


def _refusal_page(refusal: Refusal) -> Response:
    """The address to go back to is not proven, so nobody is sent anywhere."""
    log.info("refused path=/authorize error=%s reason=%s", refusal.error, refusal.public)
    return error_page(
        400,
        gettext("You cannot sign in from there"),
        gettext(
            "The service that sent you here made a mistake in its request, or is not registered with us."
        ),
        gettext("Go back to the service and tell its helpdesk what is written below."),
        oauth_error=f"{refusal.error}: {refusal.public}",
    )
