"""`/register` (RFC 7591, RFC 7592, OpenID Connect Dynamic Client Registration 1.0)."""

from __future__ import annotations

import hmac
import logging
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from idp.clients.initial_tokens import find_initial_token, spend_initial_token
from idp.clients.metadata import GRANT_TYPES, ClientRefused
from idp.clients.models import ClientRow
from idp.clients.sectors import check_sector
from idp.clients.service import add_partner, disable_client, register_client, replace_client
from idp.login.budgets import Limit, take
from idp.login.rules import network_of
from idp.oidc.every_claim import declare_every_claim
from idp.oidc.registration import OPEN_GRANTS, as_json, described, read_metadata
from idp.oidc.software_statements import with_statement
from idp.oidc.subjects import end_untold
from idp.web.answers import Answer, empty_answer, json_answer
from idp.web.cookies import digest, new_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from idp.clients.metadata import NewClient
    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming

log = logging.getLogger("denizen.oidc")

PATH = "/register"
_HOUR = 3600
#: What no error_description has (RFC 6749 §5.2).
_NOT_SAID = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
#: The partner of a client that registered without a token, until somebody reviews it.
_NOBODYS = "{} (not reviewed)"


@dataclass(frozen=True, slots=True)
class Registrant:
    """Who registers: with a token the partner to whom it was given, else nobody in particular."""

    profile: str
    partner_id: str | None = None
    token: str = ""


def create(provider: Provider, incoming: Incoming) -> Answer:
    """`POST /register`: a new client (RFC 7591 §3)."""
    now = provider.context.now()
    registrant = _registrant(provider, incoming, now=now)
    if isinstance(registrant, Answer):
        return registrant
    try:
        values = _said(provider, incoming, now=now)
        grants = GRANT_TYPES if registrant.token else OPEN_GRANTS
        new = described(values, profile=registrant.profile, grants=grants)
        check_sector(provider.fetcher, new, owner=registrant.partner_id or "")
        return _created(provider, incoming, registrant, new, now=now)
    except ClientRefused as refusal:
        return _refused(refusal)


def _said(provider: Provider, incoming: Incoming, *, now: int) -> dict[str, Any]:
    """What the client says of itself, and what others say of it in a statement that they signed."""
    values = read_metadata(incoming.body, incoming.header("CONTENT_TYPE"))
    settings = provider.context.settings.registration
    return with_statement(values, settings, issuer=provider.issuer, now=now)


def _registrant(provider: Provider, incoming: Incoming, *, now: int) -> Registrant | Answer:
    """Who may register here and now, or why nobody."""
    settings = provider.context.settings.registration
    unverified_token = incoming.bearer()
    if settings.mode == "closed":
        return json_answer(
            403, {"error": "access_denied", "error_description": "Clients are registered by the town"}
        )
    if unverified_token is not None:
        with provider.context.database.reading() as session:
            found = find_initial_token(session, unverified_token, now=now)
        return (
            _unauthorized(incoming)
            if found is None
            else Registrant(found.profile, found.partner_id, unverified_token)
        )
    if settings.mode == "token" or incoming.header("HTTP_AUTHORIZATION"):
        return _unauthorized(incoming)
    return _counted(provider, incoming, now=now) or Registrant(settings.profile)


def _counted(provider: Provider, incoming: Incoming, *, now: int) -> Answer | None:
    """Count one try of somebody unknown; an answer when there were too many (K33)."""
    settings = provider.context.settings.registration
    source = Limit("register-source", settings.per_source, _HOUR)
    verdict = take(provider.context, (source, network_of(incoming.remote_address)), now=now)
    if verdict:  # so that one source cannot use up everybody's
        verdict = take(provider.context, (Limit("register-town", settings.per_town, _HOUR), ""), now=now)
    if verdict:
        return None
    body = {
        "error": "temporarily_unavailable",
        "error_description": "Too many registrations. Try again later",
    }
    return json_answer(429, body, ("Retry-After", str(verdict.retry_after)))


def _created(
    provider: Provider, incoming: Incoming, registrant: Registrant, new: NewClient, *, now: int
) -> Answer:
    ctx = provider.context
    registration_token = new_secret()
    with ctx.database.transaction() as session:
        partner_id = registrant.partner_id
        if registrant.token and not spend_initial_token(session, registrant.token, now=now):
            return _unauthorized(incoming)  # a parallel request was first
        if partner_id is None:
            partner_id = add_partner(session, _NOBODYS.format(new.client_id), now=now)
        secret = register_client(
            session,
            partner_id,
            new,
            now=now,
            vault=ctx.vault,
            allow_loopback=ctx.settings.testing.allow_loopback,
            algorithms=ctx.settings.keys.algorithms,
            registration_token=registration_token,
            is_pending=not registrant.token,
        )
        if registrant.token and ctx.settings.testing.purpose_for_registered:
            declare_every_claim(session, ctx.vault.subkey("log"), new.client_id, now=now)
        body = _as_kept(provider, session, new.client_id)
    provider.clients.forget()
    log.info("registered client=%s pending=%s", new.client_id, not registrant.token)
    return json_answer(201, {**body, **_secret(secret), "registration_access_token": registration_token})


def manage(provider: Provider, incoming: Incoming) -> Answer:
    """`GET`, `PUT` and `DELETE /register/<client_id>` with the registration access token (RFC 7592)."""
    client_id = incoming.environ["PATH_INFO"].removeprefix(f"{PATH}/")
    unverified_token = incoming.bearer()
    ctx = provider.context
    with ctx.database.reading() as session:
        row = session.get(ClientRow, client_id)
        if not _is_its_token(row, unverified_token):
            return _unauthorized(incoming)
        if incoming.method in ("GET", "HEAD"):
            return json_answer(200, _told(provider, incoming, session, client_id))
    change = _deleted if incoming.method == "DELETE" else _replaced
    try:
        return change(provider, incoming, client_id)
    except ClientRefused as refusal:
        return _refused(refusal)
    finally:
        provider.clients.forget()


def _replaced(provider: Provider, incoming: Incoming, client_id: str) -> Answer:
    """All metadata anew (RFC 7592 §2.2); what is left out is as it is for a new client."""
    values = _said(provider, incoming, now=provider.context.now())
    if values.get("client_id") != client_id:
        raise ClientRefused("client_id must be the one of this registration")
    with provider.context.database.reading() as session:
        row = session.get(ClientRow, client_id)
        if row is None:
            return _unauthorized(incoming)
        told = _described_anew(row, values)
        owner = row.partner_id if row.approved_at else ""
    check_sector(provider.fetcher, told, owner=owner)

    def put(session: Session, row: ClientRow) -> Answer:
        ctx = provider.context
        new = _described_anew(row, values)  # what the town decided while a file was fetched stays, too
        if row.approved_at != row.created_at:
            row.approved_at = None  # what somebody reviewed is no longer there
        former = row.sector
        secret = replace_client(
            session,
            row,
            new,
            vault=ctx.vault,
            allow_loopback=ctx.settings.testing.allow_loopback,
            algorithms=ctx.settings.keys.algorithms,
        )
        if row.sector != former:
            end_untold(session, client_id, now=ctx.now())
        return json_answer(200, {**_told(provider, incoming, session, client_id), **_secret(secret)})

    return _changed(provider, incoming, client_id, put)


def _described_anew(row: ClientRow, values: dict[str, Any]) -> NewClient:
    """What a client says of itself now; what others decided about it stays."""
    sent = values.get("client_secret")
    if sent is not None and not (
        isinstance(sent, str) and row.secret_hash and hmac.compare_digest(digest(sent), row.secret_hash)
    ):
        raise ClientRefused("client_secret is not the one of this client")
    # What it has, somebody vouched for; the client may say all of it again (RFC 7592 §2.2).
    new = described(values, profile=row.profile, grants=OPEN_GRANTS.union(row.grant_types))
    return replace(
        new,
        client_id=row.client_id,
        is_pairwise=row.is_pairwise,
        minimum_acr=row.minimum_acr,
        purpose_acr=row.purpose_acr,
        protects_scopes=tuple(row.protects_scopes),
    )


def _deleted(provider: Provider, incoming: Incoming, client_id: str) -> Answer:
    """Switched off, with all its tokens; its name stays for those who read what it received (RFC 7592 §2.3)."""

    def end(session: Session, row: ClientRow) -> Answer:
        disable_client(session, row.client_id, now=provider.context.now())
        return empty_answer(204)

    return _changed(provider, incoming, client_id, end)


def _changed(
    provider: Provider, incoming: Incoming, client_id: str, change: Callable[[Session, ClientRow], Answer]
) -> Answer:
    """Change a registration in one transaction, if the token still is its own there."""
    with provider.context.database.transaction() as session:
        row = session.get(ClientRow, client_id, with_for_update=True)
        if row is None or not _is_its_token(row, incoming.bearer()):
            return _unauthorized(incoming)
        return change(session, row)


def _is_its_token(row: ClientRow | None, unverified_token: str | None) -> bool:
    expected_hash = row.registration_hash if row is not None and row.disabled_at is None else None
    return hmac.compare_digest(digest(unverified_token or ""), expected_hash or bytes(32))


def _told(provider: Provider, incoming: Incoming, session: Session, client_id: str) -> dict[str, Any]:
    """What a client is told of its registration, with the token that it uses: there is no other (RFC 7592 §3)."""
    body = _as_kept(provider, session, client_id)
    return {**body, "registration_access_token": incoming.bearer()}


def _as_kept(provider: Provider, session: Session, client_id: str) -> dict[str, Any]:
    row = session.get_one(ClientRow, client_id)
    return as_json(row, f"{provider.issuer}{PATH}/{quote(client_id, safe='')}")


def _secret(secret: str | None) -> dict[str, Any]:
    """A secret is good until the client is switched off or changes its method (RFC 7591 §3.2.1)."""
    return {} if secret is None else {"client_secret": secret, "client_secret_expires_at": 0}


def _refused(refusal: ClientRefused) -> Answer:
    """RFC 7591 §3.2.2: in ASCII, whatever the client sent and is told of."""
    description = _NOT_SAID.sub("?", str(refusal).replace('"', "'"))
    log.info("refused path=%s error=%s", PATH, refusal.code)
    return json_answer(400, {"error": refusal.code, "error_description": description})


def _unauthorized(incoming: Incoming) -> Answer:
    """RFC 7592 §2: the same for every token that is not the right one; no error where none came (RFC 6750 §3.1)."""
    if incoming.bearer() is None:
        return json_answer(401, {}, ("WWW-Authenticate", 'Bearer realm="denizen"'))
    body = {"error": "invalid_token", "error_description": "The token is missing or not valid here"}
    return json_answer(401, body, ("WWW-Authenticate", 'Bearer realm="denizen", error="invalid_token"'))
