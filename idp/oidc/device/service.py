"""Device requests: what is written and read (RFC 8628 §3).

Every function takes a connection and `now`, and never commits. What can happen once, a claim, a decision, a
redemption, is one conditional write.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, or_, select, text, update

from idp.oidc.device.models import DeviceRequest
from idp.oidc.device.rules import POLL_EVERY, POLL_LEEWAY, SLOWER_BY, code_from
from idp.oidc.models import Authorization
from idp.oidc.request import AuthorizationRequest
from idp.oidc.service import CLOCK_LEEWAY, FAMILY
from idp.web.cookies import digest, new_secret

if TYPE_CHECKING:
    from keys.envelope import Vault

_INDEX = "device-user-code"
_ID = re.compile(r"[A-Za-z0-9_-]{22}")

# The unique index decides; the clause reads the same on both engines.
_INSERT = text(
    "INSERT INTO oidc_device_request (id, device_code_hash, user_code_index, client_id, request, poll_every, "
    "polls_from, created_at, expires_at) VALUES (:id, :device_code_hash, :user_code_index, :client_id, :request, "
    ":poll_every, :polls_from, :created_at, :expires_at) ON CONFLICT DO NOTHING"
)

_ROW = (
    DeviceRequest.id,
    DeviceRequest.request,
    DeviceRequest.resident_id,
    DeviceRequest.run,
    DeviceRequest.code_hash,
    DeviceRequest.created_at,
    DeviceRequest.expires_at,
    DeviceRequest.decided_at,
    DeviceRequest.ended_at,
)
_FIND_POLLED = select(*_ROW).where(
    DeviceRequest.device_code_hash == bindparam("device_code_hash_"),
    DeviceRequest.client_id == bindparam("client_id_"),
)
_FIND_TYPED = select(*_ROW).where(DeviceRequest.user_code_index == bindparam("user_code_index_"))
_FIND = select(*_ROW).where(DeviceRequest.id == bindparam("id_"))
_IS_OPEN = (
    DeviceRequest.id == bindparam("id_"),
    DeviceRequest.decided_at.is_(None),
    DeviceRequest.ended_at.is_(None),
    DeviceRequest.expires_at > bindparam("at"),
    DeviceRequest.created_at
    <= bindparam("at") + CLOCK_LEEWAY,  # a clock that was set back revives none (K40)
)
_CLAIM = (
    update(DeviceRequest)
    .where(
        *_IS_OPEN,
        or_(DeviceRequest.resident_id.is_(None), DeviceRequest.resident_id == bindparam("whose")),
    )
    .values(resident_id=bindparam("whose"), run=bindparam("this_run"))
)
_ALLOW = (
    update(DeviceRequest)
    .where(*_IS_OPEN, DeviceRequest.run == bindparam("this_run"))
    .values(decided_at=bindparam("at"), code_hash=bindparam("new_code_hash"))
)
#: Nobody refuses for the resident who said that it is theirs.
_REFUSE = (
    update(DeviceRequest)
    .where(*_IS_OPEN, or_(DeviceRequest.run.is_(None), DeviceRequest.run == bindparam("this_run")))
    .values(decided_at=bindparam("at"))
)
_ON_TIME = (
    update(DeviceRequest)
    .where(DeviceRequest.id == bindparam("id_"), DeviceRequest.polls_from <= bindparam("at") + POLL_LEEWAY)
    .values(polls_from=bindparam("at") + DeviceRequest.poll_every)
)
_TOO_SOON = (
    update(DeviceRequest)
    .where(DeviceRequest.id == bindparam("id_"))
    .values(
        poll_every=DeviceRequest.poll_every + SLOWER_BY,
        polls_from=bindparam("at") + DeviceRequest.poll_every + SLOWER_BY,
    )
)
_SPEND = (
    update(DeviceRequest)
    .where(
        DeviceRequest.id == bindparam("id_"),
        DeviceRequest.code_hash.is_not(None),
        DeviceRequest.ended_at.is_(None),
        DeviceRequest.expires_at > bindparam("at"),
        DeviceRequest.created_at <= bindparam("at") + CLOCK_LEEWAY,
    )
    .values(ended_at=bindparam("at"))
    .returning(DeviceRequest.code_hash)
)
_SPEND_FAMILY = (
    update(Authorization)
    .where(
        Authorization.code_hash == bindparam("code_hash_"),
        Authorization.spent_at.is_(None),
        Authorization.revoked_at.is_(None),
    )
    .values(spent_at=bindparam("at"))
    .returning(*FAMILY)
)
_END_EXPIRED = (
    update(DeviceRequest)
    .where(
        DeviceRequest.expires_at > bindparam("since"),
        DeviceRequest.expires_at <= bindparam("at"),
        DeviceRequest.ended_at.is_(None),
    )
    .values(ended_at=bindparam("at"))
    .execution_options(synchronize_session=False)
)


class State(Enum):
    """Where a device request stands."""

    OPEN = "nobody has decided"
    ALLOWED = "the resident allowed it"
    REFUSED = "the resident refused it"
    EXPIRED = "its time is over"
    OVER = "the device has its tokens"


class Spent(Enum):
    """Why a redeemed request gives no tokens."""

    BEFORE = "a parallel poll was first"
    IN_VAIN = "what was allowed has ended, as by signing out"


@dataclass(frozen=True, slots=True)
class Codes:
    """What a device is told; this is the only time that the device code is known in the clear."""

    device_code: str
    user_code: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A device request as it stands. `resident_id` is who said, in the run of this name, that it is their device."""

    id: str
    request: AuthorizationRequest
    resident_id: str | None
    run: str | None
    state: State


def begin(connection: Any, vault: Vault, request: AuthorizationRequest, *, lives_for: int, now: int) -> Codes:
    """Keep the request of a device and return its codes (RFC 8628 §3.2)."""
    device_code = new_secret()
    while True:
        request_id = secrets.token_urlsafe(16)
        user_code = user_code_of(vault, request_id)
        values = {
            "id": request_id,
            "device_code_hash": digest(device_code),
            "user_code_index": _index(vault, user_code),
            "client_id": request.client_id,
            "request": request.to_json(),
            "poll_every": POLL_EVERY,
            "polls_from": now,
            "created_at": now,
            "expires_at": now + lives_for,
        }
        # Two of some billions are alike once in a long while; then another one is drawn.
        if connection.execute(_INSERT, values).rowcount == 1:
            return Codes(device_code, user_code)


def user_code_of(vault: Vault, request_id: str) -> str:
    """The user code of a request, made of its id under a key of ours: a page can show it, and no row holds it."""
    return code_from(hmac.digest(vault.subkey(_INDEX), request_id.encode(), "sha256"))


def _index(vault: Vault, user_code: str) -> bytes:
    return bytes(vault.blind_index(_INDEX, user_code))


def find_typed(connection: Any, vault: Vault, unverified_code: str, *, now: int) -> Asked | None:
    """The request of a user code, whatever became of it; None when there is none. Spend a guess before."""
    row = connection.execute(_FIND_TYPED, {"user_code_index_": _index(vault, unverified_code)}).first()
    return None if row is None else _asked(row, now=now)


def find(connection: Any, unverified_id: str, *, now: int) -> Asked | None:
    """A request by its id; none has an id with anything else than letters, digits, hyphens and underscores in it."""
    if not _ID.fullmatch(unverified_id):
        return None
    row = connection.execute(_FIND, {"id_": unverified_id}).first()
    return None if row is None else _asked(row, now=now)


def _asked(row: Any, *, now: int) -> Asked:
    request = AuthorizationRequest.from_json(row.request)
    return Asked(row.id, request, row.resident_id, row.run, _state(row, now=now))


def _state(row: Any, *, now: int) -> State:
    is_late = row.expires_at <= now or row.created_at > now + CLOCK_LEEWAY
    if row.ended_at is not None and row.code_hash is not None and row.ended_at < row.expires_at:
        return State.OVER
    if row.decided_at is not None and row.code_hash is None:
        return State.REFUSED
    if row.ended_at is not None or is_late:
        return State.EXPIRED
    return State.OPEN if row.decided_at is None else State.ALLOWED


def for_pages(asked: Asked) -> AuthorizationRequest:
    """The request as it waits for its resident: an authorization request like any other, in a run of its own."""
    return replace(asked.request, device=(asked.id, secrets.token_urlsafe(16)))


def claim(connection: Any, request: AuthorizationRequest, resident_id: str, *, now: int) -> bool:
    """Note that a resident says it is their device; false when somebody else did, or nothing waits any more."""
    request_id, run = request.device
    values = {"id_": request_id, "whose": resident_id, "this_run": run, "at": now}
    return bool(connection.execute(_CLAIM, values).rowcount == 1)


def is_claimed(connection: Any, request: AuthorizationRequest, resident_id: str) -> bool:
    """Whether this resident said, in this very run, that it is their device."""
    request_id, run = request.device
    row = connection.execute(_FIND, {"id_": request_id}).first()
    return row is not None and (row.resident_id, row.run) == (resident_id, run)


def decide(connection: Any, request: AuthorizationRequest, code: str | None, *, now: int) -> bool:
    """What the resident said: `code` is that of the authorization given, None for a refusal; false when it is too late.

    The device learns it at its next poll. Nobody but us ever has the code.
    """
    request_id, run = request.device
    values: dict[str, Any] = {"id_": request_id, "this_run": run, "at": now}
    if code is None:
        return bool(connection.execute(_REFUSE, values).rowcount == 1)
    return bool(connection.execute(_ALLOW, {**values, "new_code_hash": digest(code)}).rowcount == 1)


def find_polled(connection: Any, unverified_device_code: str, *, client_id: str, now: int) -> Asked | None:
    """The request behind a device code of this client, or None."""
    wanted = {"device_code_hash_": digest(unverified_device_code), "client_id_": client_id}
    row = connection.execute(_FIND_POLLED, wanted).first()
    return None if row is None else _asked(row, now=now)


def is_on_time(connection: Any, request_id: str, *, now: int) -> bool:
    """Count a poll; false when it came too soon, and then all later ones must be slower (RFC 8628 §3.5)."""
    if connection.execute(_ON_TIME, {"id_": request_id, "at": now}).rowcount == 1:
        return True
    connection.execute(_TOO_SOON, {"id_": request_id, "at": now})
    return False


def spend(connection: Any, request_id: str, *, now: int) -> Any:
    """Redeem an allowed request: the row of its authorization for one of parallel callers, else why there is none.

    A poll after it is refused and ends nothing: a device that lost the answer asks again, as RFC 8628 §3.5 tells it.
    """
    spent = connection.execute(_SPEND, {"id_": request_id, "at": now}).first()
    if spent is None:
        return Spent.BEFORE
    family = connection.execute(_SPEND_FAMILY, {"code_hash_": spent.code_hash, "at": now}).first()
    return family or Spent.IN_VAIN


def end_expired(connection: Any, *, since: int, now: int) -> None:
    """End what expired since then, so that no clock that is set back revives it (K40)."""
    connection.execute(_END_EXPIRED, {"since": since, "at": now})
