"""Browser sessions: rows of ours, named by a random cookie that changes with every sign-in and every rise of level."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, and_, bindparam, case, insert, or_, select, type_coerce, update

from idp.accounts.models import Resident
from idp.login.keeping import SEEN_STEP, Keeping
from idp.login.levels import LEVELS, carried
from idp.login.limits import absolute_limit, block_of, idle_limit
from idp.login.models import BrowserSession
from idp.statements import prepared, quiet
from idp.web.cookies import digest, new_secret

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.login.levels import Proof
    from idp.settings import SessionSettings
    from keys.columns import SealedBytes
    from keys.envelope import DataKey, Vault

#: A page shows no more than this, the latest first.
LISTED = 100

COLUMNS = (
    BrowserSession.id_hash,
    BrowserSession.sid,
    BrowserSession.resident_id,
    BrowserSession.authenticated_at,
    BrowserSession.acr,
    BrowserSession.amr,
    BrowserSession.seen_at,
    BrowserSession.expires_at,
    BrowserSession.ended_at,
    # As the database has it: turning 0 and 1 into truth values costs every hot request.
    type_coerce(BrowserSession.is_shared, Integer).label("is_shared"),
    Resident.state.label("resident_state"),
)
_FIND = prepared(
    select(*COLUMNS)
    .join(Resident, Resident.id == BrowserSession.resident_id)
    .where(BrowserSession.id_hash == bindparam("cookie_hash"))
)
_LIVING = (BrowserSession.sid == bindparam("known_as"), BrowserSession.ended_at.is_(None))
_LIVES = prepared(select(BrowserSession.sid).where(*_LIVING))
_IN_TURN = prepared(select(Resident.id).where(Resident.id == bindparam("owner_id")).with_for_update())
_PROVED = select(BrowserSession.acr, BrowserSession.amr, BrowserSession.proofs).where(*_LIVING)
_BEGIN = quiet(prepared(insert(BrowserSession)))
_KEEPING = Keeping(BrowserSession)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A resident signed in in this browser, as proved.

    `closes_at` is when the session ends if it is not used again, `expires_at` when it ends in any case.
    """

    id_hash: bytes
    sid: str
    resident_id: str
    authenticated_at: int
    acr: str
    amr: str
    is_shared: bool = False
    closes_at: int = 0
    expires_at: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody signs in: the address of the peer, kept coarse and sealed, and whether others sit there too."""

    address: str = ""
    is_shared: bool = False


def begin(
    session: Any,
    resident_id: str,
    *,
    amr: str,
    acr: str,
    proofs: str | None = None,
    device: str,
    settings: SessionSettings,
    now: int,
    place: Place = Place(),
    data_key: DataKey | None = None,
    former_sid: str | None = None,
) -> str:
    """Begin a session and return its cookie value, always a new one (K18); `data_key` seals the place.

    `proofs` is what it can bring along when it is raised (`levels.noted`), `former_sid` the session that it takes the
    place of (`endings.take_over`).
    """
    cookie_value = new_secret()
    sid = secrets.token_urlsafe(16)
    session.execute(
        _BEGIN,
        {
            "id_hash": digest(cookie_value),
            "sid": sid,
            "resident_id": resident_id,
            "authenticated_at": now,
            "acr": acr,
            "amr": amr,
            "proofs": proofs,
            "device": device,
            "place": _sealed_place(data_key, sid, place),
            "is_shared": place.is_shared,
            "created_at": now,
            "seen_at": now,
            "expires_at": now + absolute_limit(settings, acr, is_shared=place.is_shared),
            "ended_at": None,
            "former_sid": former_sid,
            "told_at": None,
        },
    )
    return cookie_value


def rise(
    session: Any,
    former_hash: bytes,
    resident_id: str,
    *,
    amr: str,
    acr: str,
    proofs: str,
    authenticated_at: int,
    is_shared: bool = False,
    settings: SessionSettings,
    now: int,
) -> str | None:
    """Raise a session: another cookie value, the old one dead (K18). None when it is over or another resident's.

    It keeps its public name, because partners know it by that, and the age of its oldest proof. With `is_shared` it
    becomes one of a shared computer, whose time runs from now; one that is stays one.
    """
    cookie_value = new_secret()
    kept = session.execute(
        update(BrowserSession)
        .where(
            BrowserSession.id_hash == former_hash,
            BrowserSession.resident_id == resident_id,
            BrowserSession.ended_at.is_(None),
            BrowserSession.expires_at > now,
        )
        .values(
            id_hash=digest(cookie_value),
            acr=acr,
            amr=amr,
            proofs=proofs,
            authenticated_at=authenticated_at,
            seen_at=now,
        )
        .returning(type_coerce(BrowserSession.is_shared, Integer).label("is_shared")),
        execution_options={"synchronize_session": False},
    ).first()
    if kept is None:
        return None
    until = authenticated_at + absolute_limit(settings, acr, is_shared=bool(kept.is_shared))
    becomes_shared = is_shared and not kept.is_shared
    if becomes_shared:
        until = min(until, now + absolute_limit(settings, acr, is_shared=True))
    _shorten(session, digest(cookie_value), until, becomes_shared=becomes_shared)
    return cookie_value


def _shorten(session: Any, id_hash: bytes, until: int, *, becomes_shared: bool) -> None:
    """A higher level ends no later than its limit says; on a shared computer it ends when it would have ended."""
    expires_at = case((BrowserSession.expires_at > until, until), else_=BrowserSession.expires_at)
    session.execute(
        update(BrowserSession)
        .where(BrowserSession.id_hash == id_hash)
        .values(expires_at=expires_at, **({"is_shared": True} if becomes_shared else {})),
        execution_options={"synchronize_session": False},
    )


def _sealed_place(data_key: DataKey | None, sid: str, place: Place) -> SealedBytes | None:
    block = block_of(place.address)
    return data_key.seal(block, _context(sid)) if data_key and block else None


def _context(sid: str) -> str:
    return f"session|{sid}|place"


def find(connection: Any, unverified_cookie: str, *, settings: SessionSettings, now: int) -> SignedIn | None:
    """The live session behind a cookie, or None."""
    row = connection.execute(_FIND, {"cookie_hash": digest(unverified_cookie)}).first()
    return None if row is None else as_signed_in(connection, row, settings=settings, now=now)


def peek(connection: Any, unverified_cookie: str, *, settings: SessionSettings, now: int) -> SignedIn | None:
    """As `find`, but looking does not count as use."""
    row = connection.execute(_FIND, {"cookie_hash": digest(unverified_cookie)}).first()
    if row is None or row.ended_at is not None or row.resident_state != "active":
        return None
    found = _signed_in(row, row.seen_at, idle_limit(settings, row.acr, is_shared=row.is_shared))
    return found if now < found.closes_at else None


def was_shared(connection: Any, unverified_cookie: str) -> bool:
    """Whether a cookie is one of a session at a shared computer, which may be over."""
    row = connection.execute(_FIND, {"cookie_hash": digest(unverified_cookie)}).first()
    return row is not None and bool(row.is_shared)


def as_signed_in(connection: Any, row: Any, *, settings: SessionSettings, now: int) -> SignedIn | None:
    """Judge a row that has `COLUMNS`, and note that the session was used."""
    if row.resident_state != "active":
        return None
    idle_for = idle_limit(settings, row.acr, is_shared=row.is_shared)
    # Where seconds count, each use is noted.
    step = 1 if row.is_shared else SEEN_STEP
    if not _KEEPING.is_live(connection, row, idle_for=idle_for, step=step, now=now):
        return None
    return _signed_in(row, now, idle_for)


def _signed_in(row: Any, seen_at: int, idle_for: int) -> SignedIn:
    return SignedIn(
        row.id_hash,
        row.sid,
        row.resident_id,
        row.authenticated_at,
        row.acr,
        row.amr,
        bool(row.is_shared),
        min(seen_at + idle_for, row.expires_at),
        row.expires_at,
    )


def hold(session: Session, owner: SignedIn) -> Resident | None:
    """The resident of a session, locked, for a change that it asked for; None when it has ended in this very moment.

    Changes come one after the other, and one that ends sessions ends what they had begun, too: whoever is sent away while
    they add a key of their own has added none. Call it before anything else is written.
    """
    resident = session.get_one(Resident, owner.resident_id, with_for_update=True)
    return resident if session.execute(_LIVES, {"known_as": owner.sid}).first() else None


def is_held(connection: Any, owner: SignedIn) -> bool:
    """As `hold`, for whoever needs nothing of the resident."""
    connection.execute(_IN_TURN, {"owner_id": owner.resident_id})
    return connection.execute(_LIVES, {"known_as": owner.sid}).first() is not None


def proofs_of(session: Any, sid: str) -> tuple[Proof, ...]:
    """What a session brings along when it is raised; nothing when it has ended, or when its proofs were not noted."""
    row = session.execute(_PROVED, {"known_as": sid}).first()
    return carried(row.acr, row.amr, row.proofs) if row else ()


def end(session: Any, sid: str, *, now: int) -> bool:
    """End one session, whatever its cookie is by now; False when it had ended already.

    Take the resident's turn first (`hold`, `is_held`): what is minted in it, or raises it, in this very moment is then seen.
    """
    return bool(_KEEPING.end(session, BrowserSession.sid == sid, now=now))


def end_all(session: Any, resident_id: str, *, but: str | None = None, now: int) -> list[bytes]:
    """End every session of a resident, but for one if its public name is given; the hashes of those that ended."""
    which = [BrowserSession.resident_id == resident_id]
    if but is not None:
        which.append(BrowserSession.sid != but)
    return _KEEPING.end(session, *which, now=now)


def end_expired(session: Any, *, settings: SessionSettings, since: int, now: int) -> int:
    """End what the clock ended, so that no clock that is set back revives it (K40); how many.

    What idled out is ended whenever it did, what came to its limit only since then.
    """
    expired = (BrowserSession.expires_at > since, BrowserSession.expires_at <= now)
    ended = _KEEPING.end(session, *expired, now=now)
    return len(ended) + len(_KEEPING.end(session, *_idle(settings, now=now), now=now))


def _idle(settings: SessionSettings, *, now: int) -> tuple[Any, ...]:
    """Not used for longer than their level allows; the first condition is the one that an index answers."""
    shared = idle_limit(settings, "", is_shared=True)
    limits = {level: idle_limit(settings, level, is_shared=False) for level in LEVELS}
    own = [
        and_(BrowserSession.acr == level, BrowserSession.seen_at <= now - limit)
        for level, limit in limits.items()
    ]
    return (
        BrowserSession.seen_at <= now - min(shared, *limits.values()),
        or_(and_(BrowserSession.is_shared, BrowserSession.seen_at <= now - shared), *own),
    )


def list_live(session: Any, resident_id: str, *, settings: SessionSettings, now: int) -> list[BrowserSession]:
    """Every live session of a resident, the latest first."""
    rows = session.execute(
        select(BrowserSession)
        .where(
            BrowserSession.resident_id == resident_id,
            BrowserSession.ended_at.is_(None),
            BrowserSession.expires_at > now,
        )
        .order_by(BrowserSession.created_at.desc())
        .limit(LISTED)
    ).scalars()

    def is_used(one: BrowserSession) -> bool:
        return now - one.seen_at < idle_limit(settings, one.acr, is_shared=one.is_shared)

    return [one for one in rows if is_used(one)]


def place_of(vault: Vault, data_key: bytes | None, one: BrowserSession) -> str:
    """The block of addresses a session began in, for its resident alone; "" when it is not known."""
    if one.place is None or data_key is None:
        return ""
    return vault.open_data_key(data_key).open(one.place, _context(one.sid))


def find_by_sid(session: Any, resident_id: str, sid: str) -> BrowserSession | None:
    """A session of this very resident by its public name (K34)."""
    found: BrowserSession | None = session.execute(
        select(BrowserSession).where(BrowserSession.sid == sid, BrowserSession.resident_id == resident_id)
    ).scalar_one_or_none()
    return found
