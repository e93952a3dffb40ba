"""`POST /consent/requests` and `POST /consent/decisions`: consent outside a sign-in.

Denizen's own; clients authenticate as at the token endpoint and name residents by the `sub` they know. A request is
answered the same whoever it is about and whatever they said before. A decision is yes or no, and nothing else: a
resident who is unknown, gone, or has stopped the client is a no like any other, read by the same two statements.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, exists, select

from consent.purposes import all_purposes
from consent.questions import service as questions
from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.oidc.authenticate import authenticate_client
from idp.oidc.errors import Refusal
from idp.oidc.models import Grant, Hold
from idp.oidc.views.token import refused
from idp.web.answers import Answer, json_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consent.purposes import Purpose
    from idp.clients.registry import Client
    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming

log = logging.getLogger("denizen.oidc")

REQUESTS: Final = "/consent/requests"
DECISIONS: Final = "/consent/decisions"
LIMIT: Final = 1000
_ACCEPTED: Final = 202
_SUB: Final = re.compile(r"[\x21-\x7e]{1,255}")
_NOBODY: Final = ""

_WHO = (
    select(Grant.subject, Grant.resident_id)
    .join(Resident, Resident.id == Grant.resident_id)
    .where(
        Grant.client_id == bindparam("client_id_"),
        Grant.subject.in_(bindparam("subjects", expanding=True)),
        Resident.state == "active",
        ~exists().where(
            Hold.resident_id == Grant.resident_id, Hold.client_id.in_(("", bindparam("client_id_")))
        ),
    )
    .distinct()
)
_CONNECTED = _WHO.where(Grant.revoked_at.is_(None))


def ask(provider: Provider, incoming: Incoming) -> Answer:
    """Put a question to a resident: `purpose` (the client's own short name for it) and `sub`."""
    try:
        client = _authenticated(provider, incoming, REQUESTS)
        purpose = _purpose(provider, client, incoming)
        (subject,) = _subjects(incoming, many=False)
        _ask(provider, client, purpose, subject)
    except Refusal as refusal:
        return refused(refusal, incoming)
    return json_answer(_ACCEPTED, {"status": "accepted"})


def decide(provider: Provider, incoming: Incoming) -> Answer:
    """Whether residents agree to a `purpose`: one by `sub`, or as many as a thousand by `subs`, separated by spaces.

    To one that has ended nobody agrees.
    """
    try:
        client = _authenticated(provider, incoming, DECISIONS)
        purpose = _ended(provider, client, incoming) or _purpose(provider, client, incoming)
        is_one = "sub" in incoming.form
        subjects = _subjects(incoming, many=not is_one)
        agreed = _agreed(provider, client, purpose, subjects)
    except Refusal as refusal:
        return refused(refusal, incoming)
    if is_one:
        return json_answer(200, {"decision": subjects[0] in agreed})
    return json_answer(200, {"decisions": {one: one in agreed for one in subjects}})


def _authenticated(provider: Provider, incoming: Incoming, path: str) -> Client:
    client = authenticate_client(provider, incoming, path=path)
    if client.is_public:
        raise Refusal("invalid_client", "A client without a secret cannot ask", status=401)
    return client


def _purpose(provider: Provider, client: Client, incoming: Incoming) -> Purpose:
    key = incoming.form.get("purpose", "")
    found = [one for one in provider.purposes_of(client.client_id).purposes if one.key == key]
    if not found or not questions.may_be_asked(found[0]):
        raise Refusal("invalid_request", "purpose is none of yours that can be asked about without a sign-in")
    return found[0]


def _ended(provider: Provider, client: Client, incoming: Incoming) -> Purpose | None:
    """The question that the client names, if it is one that the town has ended."""
    key = incoming.form.get("purpose", "")
    if any(one.key == key for one in provider.purposes_of(client.client_id).purposes):
        return None
    with provider.context.database.reading() as session:
        found = [one for one in all_purposes(session, client.client_id) if one.key == key]
    return found[0] if found and found[0].is_question and found[0].state == "ended" else None


def _subjects(incoming: Incoming, *, many: bool) -> Sequence[str]:
    given = incoming.form.get("subs" if many else "sub", "")
    if many and "sub" in incoming.form:
        raise Refusal("invalid_request", "sub or subs, not both")
    found = list(dict.fromkeys(given.split(" "))) if many else [given]
    if len(found) > LIMIT:
        raise Refusal("invalid_request", f"at most {LIMIT} subs at once")
    if not all(_SUB.fullmatch(one) for one in found):
        raise Refusal("invalid_request", "sub or subs is missing, or is no list of subs")
    return found


def _ask(provider: Provider, client: Client, purpose: Purpose, subject: str) -> None:
    ctx = provider.context
    with ctx.database.transaction() as session:
        row = session.execute(_CONNECTED, {"client_id_": client.client_id, "subjects": [subject]}).first()
        resident = session.get(Resident, row.resident_id, with_for_update=True) if row else None
        log_key = accounts.log_key(ctx.vault, resident) if resident else None
        if resident is None or log_key is None:
            log.info("question for nobody client=%s", client.client_id)
            return
        questions.ask(
            session,
            log_key=log_key,
            resident_id=resident.id,
            purpose=purpose,
            language=resident.language,
            fallback=ctx.settings.town.languages[0],
            now=ctx.now(),
        )


def _agreed(provider: Provider, client: Client, purpose: Purpose, subjects: Sequence[str]) -> set[str]:
    """The subs of those who agree. Whoever is not known is looked for, too: as nobody, who never said anything."""
    ctx = provider.context
    with ctx.database.reading() as session:
        rows = session.execute(_WHO, {"client_id_": client.client_id, "subjects": list(subjects)})
        found: dict[str, str] = {row.subject: row.resident_id for row in rows}
        whom = [found.get(one, _NOBODY) for one in subjects]
        agree = questions.decisions(session, purpose, whom, now=ctx.now())
    return {one for one, resident_id in found.items() if resident_id in agree}
