"""Sign-in by passkey: no name is typed, the person is verified by their own device, and nothing can be phished."""

from __future__ import annotations

import hashlib
import hmac
import logging
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, exists, select, update

from idp.login import ceremony, challenges
from idp.login.ceremony import CeremonyRefused
from idp.login.levels import PHR, Method, Proof
from idp.login.models import Passkey
from idp.login.passkeys import of_resident, relying_party, spend
from idp.login.settling import Failure
from idp.login.ways import RESIDENT, Way
from idp.statements import prepared

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.fast import Order
    from idp.login.attempts import Attempt
    from idp.login.ceremony import Answer, Use
    from idp.login.challenges import Setting, Spent
    from idp.login.passkeys import Handed
    from idp.login.settling import Goal, Outcome, Settler
    from idp.web.context import Context

log = logging.getLogger("denizen.login")

#: RFC 8176 §2: a key kept by one device or one that its owner's devices share, and a person who was there.
_AMR = {False: "hwk user", True: "swk user"}

_FIND = prepared(select(Passkey).where(Passkey.credential_hash == bindparam("used_hash")))
#: §7.2 step 22, compared and set at once: of two answers with one count only the first goes on.
_COUNT_ON = prepared(
    update(Passkey)
    .where(
        Passkey.credential_hash == bindparam("used_hash"),
        (Passkey.sign_count < bindparam("count")) | ((Passkey.sign_count == 0) & (bindparam("count") == 0)),
    )
    .values(sign_count=bindparam("count"), is_synced=bindparam("synced"), used_at=bindparam("at"))
    .returning(Passkey.id)
)


def way(domain: str) -> Way:
    """Passkeys of this domain as a way in; those of a domain that the town has left open nothing."""
    has = exists().where(Passkey.resident_id == RESIDENT, Passkey.rp_id == domain)
    return Way(Method.PASSKEY, "/login", has=has, alone=has)


def begin(ctx: Context, setting: Setting, *, resident_id: str | None, now: int) -> dict[str, Any]:
    """The options with which a browser asks for a passkey; with `resident_id` only for one of that resident's.

    Whoever is not signed in is told nothing about anybody's passkeys: the list of allowed ones is empty then.
    """
    challenge = challenges.give_out(ctx.database.fast.unhurried, setting, resident_id=resident_id, now=now)
    allow: list[Passkey] = []
    if resident_id:
        with ctx.database.reading() as session:
            allow = of_resident(session, resident_id)
    return ceremony.request_options(relying_party(ctx.settings), challenge, allow)


def sign_in(ctx: Context, handed: Handed, settler: Settler, goal: Goal, attempt: Attempt | None) -> Outcome:
    """Verify an answer and note the proof (WebAuthn L3 §7.2). From outside every refusal looks the same."""
    try:
        answer = ceremony.read_answer(handed.unverified_answer)
        spent, (found,) = spend(ctx, handed, answer, now=settler.now, beside=[_to_find(answer)])
        passkey = found.first()
        if passkey is None or passkey.rp_id != ctx.settings.passkey_domain:
            raise CeremonyRefused("no such passkey")
        _check_owner(passkey, answer, spent)
        use = ceremony.check_use(relying_party(ctx.settings), answer, answer.challenge, passkey)
        with settler.writing(passkey.resident_id) as session:
            ways = settler.ways.ask(session, passkey.resident_id) if attempt is None else None
            _count_on(session, passkey, use, now=settler.now)
            proof = Proof(Method.PASSKEY, PHR, _AMR[passkey.may_sync], passkey.id)
            if attempt is not None:
                return settler.next(session, attempt, proof, passkey.resident_id)
            return settler.first(session, goal, proof, passkey.resident_id, ways)
    except CeremonyRefused as refused:
        log.info("passkey refused purpose=get reason=%.200r", str(refused))
        return Failure.WRONG


def _to_find(answer: Answer) -> Order:
    """What finds the credential record that the answer names (§7.2 step 6): a row with the columns of `Passkey`."""
    return _FIND, {"used_hash": hashlib.sha256(answer.credential_id).digest()}


def _check_owner(passkey: Any, answer: Answer, spent: Spent) -> None:
    """The passkey is the named resident's, and the device means the same person (§7.2 step 6, K30)."""
    if spent.resident_id is not None and passkey.resident_id != spent.resident_id:
        raise CeremonyRefused("another resident was to answer")
    if answer.user_handle is None:
        if spent.resident_id is None:
            raise CeremonyRefused("no user handle, and nobody was named")
    elif not hmac.compare_digest(answer.user_handle, passkey.user_handle):
        raise CeremonyRefused("the user handle is another's")


def _count_on(session: Session, passkey: Any, use: Use, *, now: int) -> None:
    """Take the counter on, if it is greater than the one on record (§7.2 step 22)."""
    counted = session.execute(
        _COUNT_ON,
        {
            "used_hash": passkey.credential_hash,
            "count": use.sign_count,
            "synced": use.is_synced,
            "at": now,
        },
    ).first()
    if counted is None:
        # Either a copy of the key is in use, or the passkey was removed or used this very moment.
        log.warning("passkey sign count not greater passkey=%s received=%d", passkey.id, use.sign_count)
        raise CeremonyRefused("the sign count is not greater")
