"""`/authorize` (RFC 6749 §3.1, OIDC Core §3.1.2): at once for who is known, else by way of a person.

`answer` is the short way: session, grant and code in two statements. Whatever needs a page (an error that
may not be redirected, a sign-in, a release to agree to) gives None, and the pages below take over.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import redirect
from flask_babel import gettext
from sqlalchemy import and_, bindparam, select

from idp.accounts.models import Resident
from idp.login import sessions
from idp.login.current import session_cookie
from idp.login.models import BrowserSession
from idp.oidc import decisions, interactions, service, step_up
from idp.oidc.checks import run_checks
from idp.oidc.errors import Refusal
from idp.oidc.hints import read_hint
from idp.oidc.models import Grant
from idp.oidc.request import AuthorizationRequest, Draft
from idp.oidc.response import code_answer, error_url
from idp.oidc.views.interaction import contradiction, is_expected
from idp.oidc.wiring import provider as current_provider
from idp.web.answers import Answer, redirect_answer
from idp.web.cookies import digest
from idp.web.csrf import browser_id
from idp.web.incoming import Parameters
from idp.web.languages import prefer
from idp.web.pages import error_page, incoming

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from idp.clients.registry import Client
    from idp.oidc.provider import Provider
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


def answer(provider: Provider, found: Incoming) -> Answer | None:
    """Answer without a person where the rules allow it; None hands over to `page`."""
    draft = _draft(provider, found)
    try:
        run_checks(draft)
        assert draft.client is not None
        return _answer_at_once(provider, draft.client, draft.frozen(), found)
    except Refusal as refusal:
        return _refused(provider, draft, refusal)


def _draft(provider: Provider, found: Incoming) -> Draft:
    return Draft(
        _parameters(found),
        provider.clients.find,
        partial(read_hint, provider),
        provider.clients.find_resource,
    )


def _parameters(found: Incoming) -> Parameters:
    """Query and body together (OIDC Core §3.1.2.1); a name in both counts as sent twice."""
    if found.method != "POST":
        return found.query
    # A new value: the page reads the same request again, and must not find our merging in it.
    merged = Parameters(found.query | found.form)
    in_both = found.form.keys() & found.query.keys()
    merged.repeated = found.form.repeated | found.query.repeated | in_both
    return merged


def _refused(provider: Provider, draft: Draft, refusal: Refusal) -> Answer | None:
    """To the client where its address is proven, else to the page."""
    log.info("refused path=/authorize error=%s reason=%s", refusal.error, refusal.public)
    if draft.redirect_uri is None:
        return None
    return redirect_answer(error_url(draft.redirect_uri, provider.issuer, draft.state, refusal))


def _answer_at_once(
    provider: Provider, client: Client, request: AuthorizationRequest, found: Incoming
) -> Answer | None:
    """A code for a resident who is signed in and has decided before; None, or a refusal for `prompt=none`."""
    if request.prompt not in ((), ("none",)):
        return None
    ctx = provider.context
    now = ctx.now()
    row, session = _session_and_grant(ctx, request, found, now=now)
    purposes = provider.purposes_of(client.client_id)
    claims = decisions.requested_claims(request.scope, purposes)
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
    if not decisions.is_covered(grant, request.scope, claims, purposes.notices_hash):
        return _person_needed(request, "consent_required", "The resident must be asked")
    code = service.add_authorization(
        ctx.database.fast,
        request,
        grant_id=row.grant_id,
        signed_in=session,
        acr=step_up.stated_acr(demand, session.acr),
        settings=ctx.settings.tokens,
        now=now,
    )
    return code_answer(request.redirect_uri, provider.issuer, request.state, code)


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


def _person_needed(request: AuthorizationRequest, error: str, public: str) -> Answer | None:
    """The page takes over, unless the client forbade it (OIDC Core §3.1.2.6)."""
    if "none" in request.prompt:
        raise Refusal(error, public)
    return None


def page() -> Response:
    """Where a person must act: keep the request on our side and begin."""
    provider = current_provider()
    draft = _draft(provider, incoming())
    try:
        run_checks(draft)
    except Refusal as refusal:
        return _refusal_page(refusal)
    ctx = provider.context
    prefer(draft.ui_locales)
    with ctx.database.transaction() as session:
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
    return error_page(
        400,
        gettext("You cannot sign in from there"),
        gettext(
            "The service that sent you here made a mistake in its request, or is not registered with us."
        ),
        gettext("Go back to the service and tell its helpdesk what is written below."),
        oauth_error=f"{refusal.error}: {refusal.public}",
    )
