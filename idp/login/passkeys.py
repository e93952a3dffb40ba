"""A resident's passkeys: adding, naming and removing them. The owner is told of the first and the last by mail.

No try at a ceremony is counted: nobody guesses a signature, each challenge is good for one, and a count that anybody
could fill would keep owners out (K28).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.accounts.rules import display_name
from idp.jose.encoding import base64url
from idp.login import ceremony, challenges
from idp.login.ceremony import Answer, CeremonyRefused, NewCredential, RelyingParty
from idp.login.levels import Method
from idp.login.models import Passkey
from idp.login.sessions import hold
from idp.messaging.service import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.orm import Session

    from idp.fast import Order
    from idp.login.challenges import Setting
    from idp.login.sessions import SignedIn
    from idp.login.ways import Ways
    from idp.settings import Settings
    from idp.statements import FastResult
    from idp.web.context import Context
    from keys.envelope import DataKey

log = logging.getLogger("denizen.login")

#: More than anybody needs, and too few to fill a database with.
LIMIT = 20


class Refusal(Enum):
    """Why a passkey was not added or removed."""

    FAILED = "failed"
    TOO_MANY = "too_many"
    LAST_WAY_IN = "last_way_in"


@dataclass(frozen=True, slots=True)
class Handed:
    """What a browser handed over, and how its device is called."""

    unverified_answer: str
    setting: Setting
    device: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A passkey as its resident sees it."""

    id: str
    name: str
    is_synced: bool
    created_at: int
    used_at: int | None


def relying_party(settings: Settings) -> RelyingParty:
    """We, as passkeys know us."""
    return RelyingParty(settings.passkey_domain, settings.server.issuer, settings.town.name)


def begin_creation(ctx: Context, resident_id: str, setting: Setting, *, now: int) -> dict[str, Any]:
    """The options with which a browser makes a passkey for a resident."""
    with ctx.database.transaction() as session:
        resident = session.get_one(Resident, resident_id)
        challenge = challenges.give_out(session, setting, resident_id=resident_id, now=now)
        has = of_resident(session, resident_id)
        user = _user(session, ctx, resident)
    return ceremony.creation_options(relying_party(ctx.settings), challenge, user, has)


def _user(session: Session, ctx: Context, resident: Resident) -> dict[str, str]:
    """What the device shows of its owner, and the handle by which it knows them (§5.4.3): no name of ours."""
    known = accounts.read_attributes(session, ctx.vault, resident)
    shown = display_name(known.get("given_name", ""), known.get("family_name"))
    name = known.get("email") or known.get("preferred_username") or shown
    handle = user_handle(ctx, resident.id)
    return {"id": base64url(handle), "name": name, "displayName": shown}


def user_handle(ctx: Context, resident_id: str) -> bytes:
    """The same for all passkeys of a resident, so that one device keeps one of them; it tells nobody else anything."""
    return hmac.new(ctx.vault.subkey("passkey-user"), resident_id.encode(), hashlib.sha256).digest()


def finish_creation(
    ctx: Context,
    owner: SignedIn,
    handed: Handed,
    *,
    name: str,
    then: Callable[[Session], None] = lambda _session: None,
    now: int,
) -> Passkey | Refusal:
    """Verify a new passkey and keep it, if it is its owner's answer to our challenge (WebAuthn L3 §7.1).

    `then` is what follows a change of credentials, in the same transaction.
    """
    try:
        answer = ceremony.read_answer(handed.unverified_answer)
        spent, _ = spend(ctx, handed, answer, now=now)
        if spent.resident_id != owner.resident_id:
            raise CeremonyRefused("the challenge is another resident's")
        made = ceremony.check_creation(relying_party(ctx.settings), answer, answer.challenge)
        return _keep(ctx, owner, made, handed, name=name, then=then, now=now)
    except CeremonyRefused as refused:
        log.info("passkey refused purpose=create reason=%.200r", str(refused))
        return Refusal.FAILED


def spend(
    ctx: Context, handed: Handed, answer: Answer, *, now: int, beside: Sequence[Order] = ()
) -> tuple[challenges.Spent, list[FastResult]]:
    """Spend the challenge of an answer, before anything of it is verified; and the answers to what is asked `beside`.

    Raises:
        CeremonyRefused: when the challenge is not one of ours that waits for this browser.
    """
    # Whatever comes of it is written after it, so what is durable then makes this durable too.
    spending = challenges.to_spend(answer.challenge, now=now)
    first, *others = ctx.database.fast.unhurried.execute_all(spending, *beside)
    spent = challenges.spent(first, handed.setting, now=now)
    if spent is None:
        raise CeremonyRefused("the challenge is unknown, used, too old or of another browser")
    return spent, others


def _keep(
    ctx: Context,
    owner: SignedIn,
    made: NewCredential,
    handed: Handed,
    *,
    name: str,
    then: Callable[[Session], None],
    now: int,
) -> Passkey | Refusal:
    """Add the passkey and tell its owner; a credential that anybody has already is refused (§7.1 step 26)."""
    try:
        with ctx.database.transaction() as session:
            resident = hold(session, owner)
            if resident is None or resident.state != "active" or resident.data_key is None:
                raise CeremonyRefused("the session has ended, or the account is not active")
            if len(of_resident(session, resident.id)) >= LIMIT:
                return Refusal.TOO_MANY
            data_key = ctx.vault.open_data_key(resident.data_key)
            passkey = _row(ctx, resident.id, made, data_key, name=name, now=now)
            session.add(passkey)
            session.flush()
            then(session)
            _tell(session, ctx, resident, "passkey_added", handed.device, now=now)
    except IntegrityError:
        raise CeremonyRefused("the credential is registered already") from None
    log.info("passkey added passkey=%s", passkey.id)
    return passkey


def _row(
    ctx: Context, resident_id: str, made: NewCredential, data_key: DataKey, *, name: str, now: int
) -> Passkey:
    passkey_id = secrets.token_urlsafe(16)
    return Passkey(
        credential_hash=hashlib.sha256(made.credential_id).digest(),
        id=passkey_id,
        resident_id=resident_id,
        credential_id=made.credential_id,
        public_key=made.public_key,
        sign_count=made.sign_count,
        user_handle=user_handle(ctx, resident_id),
        rp_id=ctx.settings.passkey_domain,
        name=data_key.seal(name, _context(passkey_id)),
        transports=made.transports,
        may_sync=made.may_sync,
        is_synced=made.is_synced,
        aaguid=made.aaguid,
        created_at=now,
        used_at=None,
    )


def of_resident(session: Session, resident_id: str) -> list[Passkey]:
    """Every passkey of a resident, the oldest first."""
    found = select(Passkey).where(Passkey.resident_id == resident_id)
    return list(session.execute(found.order_by(Passkey.created_at, Passkey.id)).scalars())


def listed(session: Session, ctx: Context, resident_id: str) -> list[Listed]:
    """Every passkey of a resident with its name, for the account page."""
    found = of_resident(session, resident_id)
    resident = session.get(Resident, resident_id) if found else None
    if resident is None or resident.data_key is None:
        return []
    data_key = ctx.vault.open_data_key(resident.data_key)
    return [_listed(one, data_key) for one in found]


def _listed(passkey: Passkey, data_key: DataKey) -> Listed:
    name = data_key.open(passkey.name, _context(passkey.id))
    return Listed(passkey.id, name, passkey.is_synced, passkey.created_at, passkey.used_at)


def find(session: Session, ctx: Context, resident_id: str, passkey_id: str) -> Listed | None:
    """A passkey of this very resident by its name in addresses (K30, K34)."""
    return next((one for one in listed(session, ctx, resident_id) if one.id == passkey_id), None)


def rename(session: Session, data_key: DataKey, resident_id: str, passkey_id: str, name: str) -> bool:
    """Give a passkey of this resident another name; False when it is not theirs."""
    renamed = session.execute(
        update(Passkey)
        .where(Passkey.id == passkey_id, Passkey.resident_id == resident_id)
        .values(name=data_key.seal(name, _context(passkey_id)))
        .returning(Passkey.id)
    ).first()
    return renamed is not None


def remove(
    session: Session, ctx: Context, ways: Ways, owner: SignedIn, passkey_id: str, *, device: str, now: int
) -> Refusal | bool:
    """Remove a passkey of its owner's; False when it is not theirs, a refusal when nothing else would be left."""
    resident, resident_id = hold(session, owner), owner.resident_id
    if resident is None or find(session, ctx, resident_id, passkey_id) is None:
        return False
    domain = ctx.settings.passkey_domain
    others = [
        one for one in of_resident(session, resident_id) if one.id != passkey_id and one.rp_id == domain
    ]
    if not others and not ways.of(session, resident_id).left_without(Method.PASSKEY):
        return Refusal.LAST_WAY_IN
    session.execute(delete(Passkey).where(Passkey.id == passkey_id, Passkey.resident_id == resident_id))
    _tell(session, ctx, resident, "passkey_removed", device, now=now)
    log.info("passkey removed passkey=%s", passkey_id)
    return True


def _context(passkey_id: str) -> str:
    return f"passkey|{passkey_id}"


def _tell(session: Session, ctx: Context, resident: Resident, message: str, device: str, *, now: int) -> None:
    """On every channel, in the transaction that changes something (identity.md)."""
    values = {"link": f"{ctx.settings.server.issuer}/account", "device": device, "at": now}
    tell(session, ctx.vault, resident, message, values, now=now)
