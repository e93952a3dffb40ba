"""Sign-in by passkey: no name is typed, the person is verified by their own device, and nothing can be phished."""

from __future__ import annotations

import hashlib
import hmac
import logging
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from idp.accounts.models import Resident
from idp.login import ceremony, challenges, sessions
from idp.login.ceremony import CeremonyRefused
from idp.login.models import Passkey
from idp.login.passkeys import Refusal, give_back, of_resident, relying_party, spend
from idp.login.service import Failure, Success

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.login.ceremony import Answer, Use
    from idp.login.challenges import Setting, Spent
    from idp.login.passkeys import Handed
    from idp.web.context import Context

log = logging.getLogger("denizen.login")

#: What a passkey proves: two factors in one, bound to our origin.
ACR_STRONG = "strong"
#: RFC 8176 §2: a key kept by one device or one that its owner's devices share, and a person who was there.
_AMR = {False: "hwk user", True: "swk user"}

#: §7.2 step 22, compared and set at once: of two answers with one count only the first goes on.
_COUNT_ON = (
    update(Passkey)
    .where(
        Passkey.credential_hash == bindparam("used_hash"),
        (Passkey.sign_count < bindparam("count")) | ((Passkey.sign_count == 0) & (bindparam("count") == 0)),
    )
    .values(sign_count=bindparam("count"), is_synced=bindparam("synced"), used_at=bindparam("at"))
    .returning(Passkey.id)
)


def begin(ctx: Context, setting: Setting, *, resident_id: str | None, now: int) -> dict[str, Any]:
    """The options with which a browser asks for a passkey; with `resident_id` only for one of that resident's.

    Whoever is not signed in is told nothing about anybody's passkeys: the list of allowed ones is empty then.
    """
    with ctx.database.transaction() as session:
        challenge = challenges.give_out(session, setting, resident_id=resident_id, now=now)
        allow = of_resident(session, resident_id) if resident_id else []
    return ceremony.request_options(relying_party(ctx.settings), challenge, allow)


def sign_in(ctx: Context, handed: Handed, *, now: int) -> Success | Failure:
    """Verify an answer and begin a session (WebAuthn L3 §7.2). From outside every refusal looks the same."""
    try:
        answer = ceremony.read_answer(handed.unverified_answer)
        spent = spend(ctx, handed, answer, now=now)
        if isinstance(spent, Refusal):
            return Failure.THROTTLED
        with ctx.database.reading() as session:
            passkey = _found(session, ctx, answer)
        _check_owner(passkey, answer, spent)
        use = ceremony.check_use(relying_party(ctx.settings), answer, answer.challenge, passkey)
        with ctx.database.transaction() as session:
            return _begin_session(session, ctx, handed, passkey, use, now=now)
    except CeremonyRefused as refused:
        log.info("passkey refused purpose=get reason=%.200r", str(refused))
        return Failure.WRONG


def _found(session: Session, ctx: Context, answer: Answer) -> Passkey:
    """The credential record that the answer names (§7.2 step 6)."""
    passkey = session.get(Passkey, hashlib.sha256(answer.credential_id).digest())
    if passkey is None or passkey.rp_id != ctx.settings.passkey_domain:
        raise CeremonyRefused("no such passkey")
    return passkey


def _check_owner(passkey: Passkey, answer: Answer, spent: Spent) -> None:
    """The passkey is the named resident's, and the device means the same person (§7.2 step 6, K30)."""
    if spent.resident_id is not None and passkey.resident_id != spent.resident_id:
        raise CeremonyRefused("another resident was to answer")
    if answer.user_handle is None:
        if spent.resident_id is None:
            raise CeremonyRefused("no user handle, and nobody was named")
    elif not hmac.compare_digest(answer.user_handle, passkey.user_handle):
        raise CeremonyRefused("the user handle is another's")


def _begin_session(
    session: Session, ctx: Context, handed: Handed, passkey: Passkey, use: Use, *, now: int
) -> Success | Failure:
    """Count on, give the attempt back, begin: one transaction."""
    state = session.execute(select(Resident.state).where(Resident.id == passkey.resident_id)).scalar()
    if state != "active":
        log.info("passkey refused purpose=get reason=the account is not active")
        return Failure.WRONG
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
        return Failure.WRONG
    give_back(session, handed)
    cookie_value = sessions.begin(
        session,
        passkey.resident_id,
        amr=_AMR[passkey.may_sync],
        acr=ACR_STRONG,
        device=handed.device,
        settings=ctx.settings.sessions,
        now=now,
    )
    return Success(cookie_value, passkey.resident_id)
