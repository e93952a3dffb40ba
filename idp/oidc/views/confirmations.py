"""`POST /consent/confirmations`: a partner says what it has done about something it was told.

Denizen's own; clients authenticate as at the token endpoint. Saying the same twice changes nothing, so a partner that
does not know whether it was heard simply says it again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from consent.withdrawals import service as withdrawals
from consent.withdrawals.rules import confirmation_problem
from consent.withdrawals.service import Confirmed
from idp.accounts.evidence import subject_key
from idp.oidc.authenticate import authenticate_client
from idp.oidc.errors import Refusal
from idp.oidc.views.token import refused
from idp.web.answers import Answer, json_answer

if TYPE_CHECKING:
    from consent.withdrawals.rules import Matter, Outcome
    from idp.clients.registry import Client
    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming

log = logging.getLogger("denizen.oidc")

PATH = "/consent/confirmations"
_CONFLICT = 409
_UNKNOWN = 404


def answer(provider: Provider, incoming: Incoming) -> Answer:
    """Take a confirmation: `txn` of the event, `outcome`, and a `reason` where the law wants the data kept."""
    try:
        client = authenticate_client(provider, incoming, path=PATH)
        if client.is_public:
            raise Refusal("invalid_client", "A client without a secret cannot confirm anything", status=401)
        return json_answer(200, _confirmed(provider, client, incoming))
    except Refusal as refusal:
        return refused(refusal, incoming)


def _confirmed(provider: Provider, client: Client, incoming: Incoming) -> dict[str, Any]:
    form, ctx = incoming.form, provider.context
    txn, outcome, reason = form.get("txn", ""), form.get("outcome", ""), form.get("reason", "")
    problem = confirmation_problem(outcome, reason)
    if problem is not None:
        raise Refusal("invalid_request", problem)
    now = ctx.now()
    with ctx.database.transaction() as session:
        # PostgreSQL would not even compare a text with NUL in it.
        matter = withdrawals.find(session, txn) if txn.isprintable() else None
        if matter is None or matter.client_id != client.client_id:
            raise Refusal("invalid_request", "txn is none of yours", status=_UNKNOWN)
        done = withdrawals.confirm(
            session,
            matter,
            outcome=cast("Outcome", outcome),
            reason=reason,
            key=subject_key(session, ctx.vault, matter.resident_id),
            now=now,
        )
        stands = withdrawals.find(session, txn)
    assert stands is not None
    if done is Confirmed.CONTRADICTED:
        raise Refusal("invalid_request", f"It stands as {stands.outcome}", status=_CONFLICT)
    if done is Confirmed.NEW:
        log.info("confirmed client=%s outcome=%s", client.client_id, outcome)
    return _told(stands)


def _told(matter: Matter) -> dict[str, Any]:
    assert matter.confirmed_at is not None
    return {
        "txn": matter.id,
        "outcome": matter.outcome,
        "confirmed_at": matter.confirmed_at,
        "late": matter.confirmed_at > matter.due_at,
    }
