"""Authorization requests that wait for a person: rows of ours, bound to one browser (K09)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select, update

from idp.login.attempts import CLOCK_LEEWAY
from idp.oidc import login_hints, pushed
from idp.oidc.models import Interaction
from idp.oidc.request import AuthorizationRequest
from idp.statements import prepared
from idp.web.cookies import VALUE_LENGTH, digest, new_secret

if TYPE_CHECKING:
    from keys.envelope import Vault

WAIT_FOR = 3600
_SEALED_AS = "interaction"

_FIND = prepared(
    select(
        Interaction.id_hash,
        Interaction.request,
        Interaction.login_hint,
        Interaction.signed_in_at,
        Interaction.confirmed_sid,
        Interaction.keeps_level,
    ).where(
        Interaction.id_hash == bindparam("handle_hash"),
        Interaction.browser_hash == bindparam("this_browser"),
        Interaction.finished_at.is_(None),
        Interaction.expires_at > bindparam("at"),
        Interaction.created_at <= bindparam("latest"),  # a clock that was set back revives none (K40)
    )
)
_KEEP = prepared(insert(Interaction))
_FINISH = prepared(
    update(Interaction)
    .where(Interaction.id_hash == bindparam("handle_hash"), Interaction.finished_at.is_(None))
    .values(finished_at=bindparam("at"))
    .returning(Interaction.request)
)
_MARK = prepared(
    update(Interaction)
    .where(Interaction.id_hash == bindparam("handle_hash"))
    .values(signed_in_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits, and whether its resident signed in for it."""

    id_hash: bytes
    request: AuthorizationRequest
    login_hint: str
    signed_in_at: int | None
    #: The session in which its resident said to go on as themselves, on a shared computer.
    confirmed_sid: str | None = None
    #: Whether its resident goes on without the level that the partner would like.
    keeps_level: bool = False


class State(Enum):
    """Why a browser cannot go on with a request."""

    FOREIGN = "it waits for another browser"
    EXPIRED = "it waited too long"
    OVER = "it was answered"


@dataclass(frozen=True, slots=True)
class Lost:
    """A request that does not wait for the browser that asks; `is_own` when that is where it began."""

    id_hash: bytes
    request: AuthorizationRequest
    state: State
    is_own: bool


def begin(
    connection: Any, vault: Vault, request: AuthorizationRequest, *, browser: str, login_hint: str, now: int
) -> str:
    """Keep a request and return the handle under which this browser finds it again."""
    handle = new_secret()
    connection.execute(
        _KEEP,
        {
            "id_hash": digest(handle),
            "browser_hash": digest(browser),
            "client_id": request.client_id,
            "request": request.to_json(),
            "login_hint": login_hints.sealed(vault, login_hint, _SEALED_AS),
            "signed_in_at": None,
            "confirmed_sid": None,
            "keeps_level": False,
            "created_at": now,
            "expires_at": now + WAIT_FOR,
            "finished_at": None,
        },
    )
    return handle


def find(connection: Any, vault: Vault, unverified_handle: str, *, browser: str, now: int) -> Waiting | None:
    """The request behind a handle, if it waits still and began in this very browser."""
    if len(unverified_handle) != VALUE_LENGTH:
        return None
    asked = {
        "handle_hash": digest(unverified_handle),
        "this_browser": digest(browser),
        "at": now,
        "latest": now + CLOCK_LEEWAY,
    }
    row = connection.execute(_FIND, asked).first()
    if row is None:
        return None
    hint = login_hints.opened(vault, row.login_hint, _SEALED_AS)
    return Waiting(
        row.id_hash,
        AuthorizationRequest.from_json(row.request),
        hint,
        row.signed_in_at,
        row.confirmed_sid,
        row.keeps_level,
    )


def find_lost(connection: Any, unverified_handle: str, *, browser: str, now: int) -> Lost | None:
    """What became of a request that `find` does not give; None when there was none, or when it waits here still."""
    if len(unverified_handle) != VALUE_LENGTH:
        return None
    row = connection.execute(
        select(
            Interaction.id_hash,
            Interaction.browser_hash,
            Interaction.request,
            Interaction.expires_at,
            Interaction.finished_at,
        ).where(Interaction.id_hash == digest(unverified_handle))
    ).first()
    if row is None:
        return None
    is_own = row.browser_hash == digest(browser)
    state = (
        State.OVER
        if row.finished_at is not None
        else State.EXPIRED
        if row.expires_at <= now
        else State.FOREIGN
    )
    if is_own and state is State.FOREIGN:
        return None
    return Lost(row.id_hash, AuthorizationRequest.from_json(row.request), state, is_own)


def move(connection: Any, vault: Vault, handle: str, *, browser: str, now: int) -> str | None:
    """Take a waiting request away from its browser and give it to another: its new handle there, or None.

    Only for a resident who showed both browsers to be theirs, as by a link in their own mail. Nobody is signed in
    for it any more.
    """
    row = connection.execute(
        select(Interaction.request, Interaction.expires_at).where(Interaction.id_hash == digest(handle))
    ).first()
    if row is None or row.expires_at <= now or not _end(connection, digest(handle), now=now):
        return None
    asked = AuthorizationRequest.from_json(row.request)
    return begin(connection, vault, asked, browser=browser, login_hint="", now=now)


def mark_signed_in(connection: Any, id_hash: bytes, *, now: int) -> None:
    """Note that the resident signed in for this request."""
    connection.execute(_MARK, {"handle_hash": id_hash, "at": now})


def confirm(connection: Any, id_hash: bytes, sid: str) -> None:
    """Note that the resident of this session wants to go on as themselves."""
    connection.execute(update(Interaction).where(Interaction.id_hash == id_hash).values(confirmed_sid=sid))


def keep_level(connection: Any, id_hash: bytes) -> None:
    """Note that the resident goes on at the level they have."""
    connection.execute(update(Interaction).where(Interaction.id_hash == id_hash).values(keeps_level=True))


def finish(connection: Any, id_hash: bytes, *, now: int) -> bool:
    """End a waiting request, for its answer; true for exactly one of parallel callers.

    Of a pushed request, which may wait in several tabs, only one answer is given (RFC 9126 §7.3).
    """
    ended = _end(connection, id_hash, now=now)
    if ended is None:
        return False
    reference = AuthorizationRequest.from_json(ended.request).pushed
    return reference is None or pushed.spend(connection, reference, now=now)


def _end(connection: Any, id_hash: bytes, *, now: int) -> Any:
    return connection.execute(_FINISH, {"handle_hash": id_hash, "at": now}).first()
