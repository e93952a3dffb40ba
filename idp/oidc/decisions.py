"""Whether a resident must be asked before a client gets an answer, and what a decision becomes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import insert, select, update

from consent import records, rules
from idp.clients.models import ClientRow
from idp.oidc import authorization_details, holds, lasting
from idp.oidc.claims_request import read_kept
from idp.oidc.errors import Refusal
from idp.oidc.models import Grant
from idp.oidc.rules import claims_of, needed_for
from idp.oidc.service import revoke_grants
from idp.oidc.subjects import known_subject

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from consent.purposes import Notice
    from idp.clients.registry import Client
    from idp.login.sessions import SignedIn
    from idp.oidc.provider import ClientPurposes, Provider
    from idp.oidc.request import AuthorizationRequest


def is_covered(
    grant: Any, scope: Collection[str], claims: Collection[str], notices_hash: bytes, *, now: int
) -> bool:
    """Whether a live grant answers this request without a question; `grant` is a row of it or None."""
    return (
        grant is not None
        and grant.notices_hash == notices_hash
        and set(scope).issubset(grant.scope.split())
        and set(claims).issubset(grant.decided_claims.split())
        and not lasting.has_lapsed(grant, now=now)
    )


class AskedFor(NamedTuple):
    """What a request asks for, and for which purposes: these cover its permissions, too."""

    claims: frozenset[str]
    purposes: ClientPurposes


def asked_for(provider: Provider, request: AuthorizationRequest) -> AskedFor:
    """The claims of a request's scopes, and those it names, that the client has a purpose for (OIDC Core §5.4, §5.5).

    With them the names of the permissions for single matters that it asks for (RFC 9396).
    """
    purposes = provider.purposes_of(request.client_id)
    claims = claims_of(request.scope)
    if request.claims is not None:
        claims |= needed_for(read_kept(request.claims).anywhere)
    claims &= purposes.claims
    if request.authorization_details is None:
        return AskedFor(claims, purposes)
    details = request.authorization_details
    return AskedFor(
        claims | authorization_details.names_of(details),
        authorization_details.covered_by(provider, purposes, details),
    )


def live_grant(connection: Any, resident_id: str, client_id: str) -> Any:
    """The row of what a resident has authorised for a client now, or None."""
    return connection.execute(
        select(
            Grant.id,
            Grant.resident_id,
            Grant.scope,
            Grant.claims,
            Grant.purposes,
            Grant.decided_claims,
            Grant.notices_hash,
            Grant.subject,
            Grant.ends_at,
            Grant.lapses,
        ).where(Grant.resident_id == resident_id, Grant.client_id == client_id, Grant.revoked_at.is_(None))
    ).first()


def subject_of(provider: Provider, connection: Any, client: Client, resident_id: str, *, now: int) -> str:
    """The `sub` that an answer about a resident has: that of the live grant, which outlasts a change of the client's sector."""
    grant = live_grant(connection, resident_id, client.client_id)
    if grant is None or lasting.is_over(provider, connection, client.client_id, grant, now=now):
        return known_subject(connection, provider.context.vault, client, resident_id)
    subject: str = grant.subject
    return subject


@dataclass(frozen=True, slots=True)
class Decision:
    """What stands on file for a resident and a client, and what is still to be asked."""

    choices: Mapping[str, rules.Choice]
    outcome: rules.Covered | rules.Ask
    #: How long an answer to each purpose lasts, in seconds; None: until it is taken back.
    valid_for: Mapping[str, int | None]

    @property
    def sections(self) -> tuple[rules.Section, ...]:
        """The questions of the release page; none when everything is on file."""
        return self.outcome.sections if isinstance(self.outcome, rules.Ask) else ()


def decide(
    provider: Provider,
    connection: Any,
    request: AuthorizationRequest,
    resident_id: str,
    *,
    again: bool = False,
) -> Decision:
    """Judge a request by the resident's records; `again` asks about what is on file, too.

    A permission for a single matter is a question of its own: a no of before to anything else does not answer it.
    """
    choices = records.current_choices(connection, resident_id, request.client_id, provider.context.now())
    claims, purposes = asked_for(provider, request)
    terms = [one.terms for one in purposes.purposes]
    outcome = rules.decide(terms, claims, choices, again=again or "consent" in request.prompt)
    is_silent = not isinstance(outcome, rules.Ask)
    # What was on file has been stopped as a whole; it does not come back without being seen.
    is_stopped = is_silent and live_grant(connection, resident_id, request.client_id) is None
    if is_stopped or not _speaks_of(outcome, authorization_details.names_of(request.authorization_details)):
        outcome = rules.decide(terms, claims, choices, again=True)
    return Decision(choices, outcome, {one.purpose_id: one.valid_for for one in terms})


def _speaks_of(outcome: rules.Covered | rules.Ask, names: frozenset[str]) -> bool:
    covered = outcome.covered if isinstance(outcome, rules.Ask) else outcome
    sections = outcome.sections if isinstance(outcome, rules.Ask) else ()
    return names.issubset(covered.claims + tuple(name for one in sections for name in one.offered))


@dataclass(frozen=True, slots=True)
class Expressed:
    """How a resident answered the release page."""

    agreed: bool
    ticked: frozenset[str]
    language: str


def record_answers(  # noqa: PLR0917
    connection: Any,
    log_key: bytes,
    request: AuthorizationRequest,
    signed_in: SignedIn,
    decision: Decision,
    notices: Mapping[str, Notice],
    expressed: Expressed,
    *,
    now: int,
) -> None:
    """Append one consent event per section of the page. `decision` says how long the answers last."""
    lasts = decision.valid_for
    for section in decision.sections:
        said = rules.answer(
            section,
            decision.choices.get(section.purpose_id),
            agreed=expressed.agreed,
            ticked=expressed.ticked,
        )
        if not expressed.agreed and not section.gives_choice:
            continue  # turning back from an information page is no event of consent
        records.append_event(
            connection,
            log_key=log_key,
            resident_id=signed_in.resident_id,
            client_id=request.client_id,
            purpose_id=section.purpose_id,
            event=said.event,
            claims_offered=said.claims_offered,
            claims_chosen=said.claims_chosen,
            notice_hash=notices[section.purpose_id].body_hash,
            valid_until=rules.valid_until(said.event, lasts.get(section.purpose_id), now=now),
            language=expressed.language,
            control="allow-button" if expressed.agreed else "deny-button",
            authentication={
                "acr": signed_in.acr,
                "amr": signed_in.amr.split(),
                "auth_time": signed_in.authenticated_at,
            },
            now=now,
        )


def settle_grant(
    provider: Provider,
    connection: Any,
    client: Client,
    request: AuthorizationRequest,
    resident_id: str,
    *,
    now: int,
) -> str:
    """Write what the records allow now into the grant, and return its id.

    A grant that was revoked stays dead with its tokens: a new decision makes a new one.

    Raises:
        Refusal: invalid_authorization_details for a permission that no purpose covers any more; access_denied for a
            client that the resident has stopped; temporarily_unavailable for one that moves to another sector just now.
    """
    if holds.is_held(connection, resident_id, client.client_id):
        raise Refusal("access_denied", "The resident has stopped this service")
    old = _standing(provider, connection, client, resident_id, now=now)
    scope = set(request.scope) | set(old.scope.split() if old else ())
    before = frozenset(old.decided_claims.split() if old else ())
    claims, purposes = asked_for(provider, replace(request, scope=tuple(scope)))
    decided = claims | (before & purposes.claims)
    choices = records.current_choices(connection, resident_id, client.client_id, now)
    outcome = rules.decide([one.terms for one in purposes.purposes], decided, choices)
    covered = outcome.covered if isinstance(outcome, rules.Ask) else outcome
    if not authorization_details.names_of(request.authorization_details).issubset(covered.claims):
        raise authorization_details.refusal("A permission asked for is not covered by a purpose any more")
    values = {
        "scope": " ".join(sorted(scope)),
        "claims": " ".join(sorted(covered.claims)),
        "decided_claims": " ".join(sorted(decided)),
        "purposes": " ".join(covered.purpose_ids),
        "notices_hash": purposes.notices_hash,
        "granted_at": now,
        **lasting.columns(covered.purpose_ids, covered.claims, choices),
    }
    if old is not None:
        connection.execute(update(Grant).where(Grant.id == old.id).values(**values))
        grant_id: str = old.id
        return grant_id
    grant_id = secrets.token_urlsafe(16)
    subject = known_subject(connection, provider.context.vault, client, resident_id)
    connection.execute(
        insert(Grant).values(
            id=grant_id,
            resident_id=resident_id,
            client_id=client.client_id,
            subject=subject,
            revoked_at=None,
            **values,
        )
    )
    return grant_id


def _standing(provider: Provider, connection: Any, client: Client, resident_id: str, *, now: int) -> Any:
    """The live grant on which something is left; None where a new one is to be made, after the end of one that is over."""
    old = live_grant(connection, resident_id, client.client_id)
    if old is not None and not lasting.is_over(provider, connection, client.client_id, old, now=now):
        return old
    _see_that_sector_stands(connection, client)
    if old is not None:
        revoke_grants(connection, resident_id, client_id=client.client_id, now=now)
    return None


def _see_that_sector_stands(connection: Any, client: Client) -> None:
    """See that a client, which may be as it was a second ago, has not moved to another sector.

    Until the grant is written it cannot: it ends those whose subject it was not told when it moves.
    """
    found = select(ClientRow.sector, ClientRow.is_pairwise).where(ClientRow.client_id == client.client_id)
    row = connection.execute(found.with_for_update(read=True)).first()
    if row is None or (row.sector, row.is_pairwise) != (client.sector, client.is_pairwise):
        raise Refusal("temporarily_unavailable", "The client has changed meanwhile")
