"""To a provider and back: what somebody proved there, and what comes of it here."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from idp.accounts.models import Resident
from idp.jose.encoding import s256
from idp.login import budgets
from idp.login.levels import Method, Proof
from idp.login.upstream import arrivals, identities, rules, states
from idp.login.upstream.provider import ProviderSilent, Upstream
from idp.login.upstream.rules import AnswerRefused, Expected
from idp.messaging.service import tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from idp.login.budgets import Guess
    from idp.login.upstream.arrivals import Arrival
    from idp.login.upstream.provider import Verified
    from idp.login.upstream.rules import Newcomer
    from idp.login.upstream.states import Asked, Place
    from idp.settings import Settings
    from idp.web.context import Context
    from idp.web.fetcher import Fetcher
    from keys.columns import IndexBytes
    from keys.envelope import Vault

log = logging.getLogger("denizen.login")

Upstreams = dict[str, Upstream]


class Problem(StrEnum):
    """Why somebody who came back from a provider is not signed in."""

    DECLINED = "declined"
    SILENT = "silent"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    OTHER = "other"
    THROTTLED = "throttled"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True)
class Came:
    """Somebody whom the provider knows, and what they proved there. `resident_id` is None for a newcomer."""

    asked: Asked
    who: IndexBytes
    proof: Proof
    resident_id: str | None
    person: Newcomer


@dataclass(frozen=True, slots=True)
class Turned:
    """Somebody who came back with nothing. `asked` is None when we never sent them, or they came twice."""

    asked: Asked | None
    problem: Problem


def open_upstreams(settings: Settings, fetcher: Fetcher) -> Upstreams:
    """Every provider of the settings. Nothing is fetched yet."""
    at = f"{settings.server.issuer}/login/upstream"
    return {
        one.id: Upstream(one, fetcher, redirect_uri=f"{at}/{one.id}/callback")
        for one in settings.upstream.providers
    }


def send(
    ctx: Context,
    upstream: Upstream,
    place: Place,
    *,
    attempt: str = "",
    resident_id: str = "",
    language: str,
    now: int,
) -> str:
    """The address at the provider to send a browser to (OIDC Core §3.1.2.1, RFC 7636).

    Raises:
        ProviderSilent: when the provider cannot be reached.
    """
    metadata = upstream.metadata()
    with ctx.database.transaction() as session:
        state, asked = states.begin(
            session, ctx.vault, place, attempt=attempt, resident_id=resident_id, now=now
        )
    ours = upstream.settings
    parameters = {
        "response_type": "code",
        "client_id": ours.client_id,
        "redirect_uri": upstream.redirect_uri,
        "scope": " ".join(ours.scopes),
        "state": state,
        "nonce": asked.nonce,
        "code_challenge": s256(asked.verifier),
        "code_challenge_method": "S256",
        "ui_locales": language,
        **({"acr_values": " ".join(ours.acr_values)} if ours.acr_values else {}),
        # Both ask for the same; with max_age the provider must say as well when it was (OIDC Core §2, auth_time).
        **({"prompt": "login", "max_age": "0"} if ours.ask_anew else {}),
    }
    return rules.with_query(metadata.authorization_endpoint, parameters)


def receive(
    ctx: Context,
    upstream: Upstream,
    place: Place,
    unverified: Mapping[str, str],
    guess: Guess,
    *,
    now: int,
) -> Came | Turned:
    """Read what a browser brings back. The request is spent first, whatever comes of it; then the code is counted."""
    with ctx.database.transaction() as session:
        spent = states.spend(session, ctx.vault, place, unverified.get("state", ""), now=now)
    if spent is None:
        return Turned(None, Problem.REFUSED)
    asked, asked_at = spent
    try:
        rules.check_sender(unverified.get("iss"), upstream.metadata(), issuer=upstream.settings.issuer)
        if "error" in unverified:
            return _declined(upstream, asked, unverified["error"])
        return _counted(ctx, upstream, asked, asked_at, unverified.get("code", ""), guess=guess, now=now)
    except ProviderSilent as silent:
        log_silence(place.provider, silent)
        return Turned(asked, Problem.SILENT)
    except AnswerRefused as refused:
        log.warning("upstream refused provider=%s cause=%.200r", place.provider, str(refused))
        return Turned(asked, Problem.REFUSED)


def _declined(upstream: Upstream, asked: Asked, error: str) -> Turned:
    """The provider, or the person there, said no (OIDC Core §3.1.2.6)."""
    log.info("upstream declined provider=%s error=%.40r", upstream.settings.id, error)
    return Turned(asked, Problem.DECLINED if error == "access_denied" else Problem.REFUSED)


def _counted(
    ctx: Context, upstream: Upstream, asked: Asked, asked_at: int, code: str, *, guess: Guess, now: int
) -> Came | Turned:
    """Count the code before the provider hears of it; one that was good was no guess, nor one that met silence."""
    if not budgets.spend(ctx, guess, now=now):
        return Turned(asked, Problem.THROTTLED)
    try:
        came = _identified(ctx, upstream, asked, asked_at, code, now=now)
    except ProviderSilent:
        budgets.refund(ctx, guess, now=now)
        raise
    budgets.refund(ctx, guess, now=now)
    return came


def _identified(
    ctx: Context, upstream: Upstream, asked: Asked, asked_at: int, code: str, *, now: int
) -> Came:
    """Redeem the code, verify who it is, weigh it."""
    if not code:
        raise AnswerRefused("no code")
    ours = upstream.settings
    answer = upstream.redeem(code, asked.verifier, now=now)
    expected = Expected(ours.issuer, ours.client_id, asked.nonce, asked_at, ours.ask_anew)
    verified = upstream.verify(answer, expected, now=now)
    level = rules.level_for(verified.claims.get("acr"), ours.levels, ours.other_levels)
    amr = rules.amr_for(
        verified.claims.get("amr"), is_listed=verified.claims.get("acr") in tuple(ours.levels)
    )
    who = identities.subject_index(ctx.vault, ours.issuer, verified.subject)
    with ctx.database.reading() as session:
        resident_id = identities.owner(session, who)
    person = rules.read_person({}, {})
    if resident_id is None and ours.newcomers == "create":
        person = _person(upstream, verified)
    return Came(asked, who, Proof(Method.UPSTREAM, level, amr, ours.id), resident_id, person)


def _person(upstream: Upstream, verified: Verified) -> Newcomer:
    """What the provider says of a newcomer; asked only when it is of use."""
    claims = {**verified.claims, **upstream.userinfo(verified)}
    return rules.read_person(claims, upstream.settings.claims)


def log_silence(provider: str, silent: ProviderSilent) -> None:
    """One line for the operator: which provider, and why."""
    log.warning("upstream silent provider=%s cause=%.200s", provider, silent)


def former_attempt(session: Session, vault: Vault, place: Place, unverified_state: str) -> str:
    """The sign-in of a request that this browser has spent already; "" when it made none such."""
    asked = states.find_spent(session, vault, place, unverified_state)
    return asked.attempt if asked else ""


def link(
    session: Session, ctx: Context, arrival: Arrival, resident_id: str, *, browser: str, now: int
) -> bool:
    """Connect a newcomer with an account, and tell its resident; False when either of them is connected already."""
    is_first = arrivals.spend(session, arrival, browser=browser, now=now)
    who, provider, level = arrival.subject_index, arrival.provider, arrival.level
    if not is_first or not identities.link(
        session, who, provider=provider, level=level, resident_id=resident_id, now=now
    ):
        return False
    _tell(session, ctx, resident_id, provider, now=now)
    return True


def _tell(session: Session, ctx: Context, resident_id: str, provider: str, *, now: int) -> None:
    resident = session.get(Resident, resident_id)
    if resident is None:
        return
    values: dict[str, Any] = {
        "provider": provider_name(ctx.settings, provider, resident.language),
        "at": now,
        "link": f"{ctx.settings.server.issuer}/account/sign-in",
    }
    tell(session, ctx.vault, resident, "upstream_connected", values, now=now)


def provider_name(settings: Settings, provider: str, language: str) -> str:
    """How residents call a provider; its id when it is gone from the settings."""
    found = next((one for one in settings.upstream.providers if one.id == provider), None)
    return found.name_in(language) if found else provider
