"""Rotation: takes the steps the rules find due, and says what happened.

Every step is one conditional statement whose outcome is checked, so that two nodes may tick at once: the one
that comes second changes nothing and reports nothing. The caller logs the events in the same transaction.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Executable, Update, bindparam, select, text, update

from keys.columns import Sealed
from keys.envelope import Connection, Vault
from keys.models import SigningKey
from keys.rules import (
    Create,
    KeyState,
    Promote,
    Retire,
    RotationRefused,
    RotationSchedule,
    State,
    Step,
    Withdraw,
    by_hand,
    due,
)
from keys.signing import ALGORITHMS, DEFAULT_ALGORITHMS, make_key

__all__ = [
    "KeyCreated",
    "KeyEvent",
    "KeyInfo",
    "KeyRetired",
    "KeyRotated",
    "KeyStillSigns",
    "KeyWithdrawn",
    "KeysChanged",
    "RotationRefused",
    "RotationSchedule",
    "UnknownKey",
    "list_keys",
    "retire",
    "rotate",
    "tick",
]

_ROWS = select(
    SigningKey.kid,
    SigningKey.alg,
    SigningKey.use,
    SigningKey.state,
    SigningKey.public_jwk,
    SigningKey.created_at,
    SigningKey.activated_at,
    SigningKey.demoted_at,
    SigningKey.retired_at,
).order_by(SigningKey.use, SigningKey.alg, SigningKey.created_at, SigningKey.kid)

# The partial unique indexes decide which of two nodes creates. The clause reads the same on both engines.
_ADD: Executable = text(
    "INSERT INTO keys_signing_key (kid, alg, use, state, public_jwk, private_sealed, created_at, activated_at) "
    "VALUES (:kid, :alg, :use, :state, :public_jwk, :private_sealed, :created_at, :activated_at) "
    "ON CONFLICT DO NOTHING"
).bindparams(bindparam("private_sealed", type_=Sealed()))


def _turn(before: State, after: State, **changes: Any) -> Update:
    """One key's step from a state to another; returns its kid only if it was in that state."""
    return (
        update(SigningKey)
        .where(SigningKey.kid == bindparam("this_kid"), SigningKey.state == before)
        .values(state=after, **changes)
        .returning(SigningKey.kid)
        .execution_options(synchronize_session=False)
    )


_DEMOTE = _turn("current", "previous", demoted_at=bindparam("at"), private_sealed=None)
_PROMOTE = _turn("next", "current", activated_at=bindparam("at"))
_RETIRE = {
    state: _turn(state, "retired", retired_at=bindparam("at"), private_sealed=None)
    for state in ("next", "previous")
}


@dataclass(frozen=True, slots=True)
class KeyCreated:
    """A key was made and is published from now on; whether it signs already is its row's business."""

    kid: str
    alg: str
    use: str
    at: int


@dataclass(frozen=True, slots=True)
class KeyRotated:
    """The key `kid` signs from now on, and the key before it does not."""

    kid: str
    alg: str
    use: str
    at: int


@dataclass(frozen=True, slots=True)
class KeyRetired:
    """The key is not published any more; what it signed no longer verifies."""

    kid: str
    alg: str
    use: str
    at: int


@dataclass(frozen=True, slots=True)
class KeyWithdrawn:
    """The key does not sign any more, nor does another of its algorithm; it is published still."""

    kid: str
    alg: str
    use: str
    at: int


KeyEvent = KeyCreated | KeyRotated | KeyRetired | KeyWithdrawn


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be shown of a key. `public_jwk` is kept for retired keys too: old checkpoints still verify."""

    kid: str
    alg: str
    use: str
    state: State
    public_jwk: Mapping[str, Any]
    created_at: int
    activated_at: int | None
    demoted_at: int | None
    retired_at: int | None


class KeysChanged(Exception):
    """Another process changed the keys half-way. Roll back; the next tick finds things in order."""


class UnknownKey(LookupError):
    """No signing key has this kid."""


class KeyStillSigns(Exception):
    """The current key is not retired: rotate first, then retire it."""


def tick(
    connection: Connection,
    vault: Vault,
    schedule: RotationSchedule,
    *,
    uses: Iterable[str],
    algorithms: Mapping[str, Sequence[str]] = DEFAULT_ALGORITHMS,
    now: int,
) -> list[KeyEvent]:
    """Take every step that is due: make missing keys, promote, withdraw, retire. Nothing is due right after it.

    Call it at start and every few minutes; `uses` are among "tokens", "log" and "receipts", `algorithms` what each of them is to
    sign with, among `ALGORITHMS`. On an empty database it makes a current and a next key for every algorithm at once.
    """
    slots = [(use, alg) for use in uses for alg in algorithms[use]]
    if unknown := [alg for use, alg in slots if alg not in ALGORITHMS[use]]:
        raise ValueError(f"no keys are made for {', '.join(unknown)}")
    steps = due(_states(connection), schedule, slots=slots, now=now)
    return _take(connection, vault, steps, now)


def rotate(
    connection: Connection,
    vault: Vault,
    schedule: RotationSchedule,
    *,
    use: str = "tokens",
    alg: str | None = None,
    force: bool = False,
    now: int,
) -> list[KeyEvent]:
    """Let the next key of `alg`, or of every algorithm that signs for `use`, sign from now on.

    Raises RotationRefused, and has written nothing, when a next key is missing or has not been published for
    `schedule.publish_for`; its `allowed_at` says when it may. `force` skips the wait: for a stolen key.
    """
    if alg is not None and alg not in ALGORITHMS[use]:
        raise ValueError(f"{use} are not signed with {alg}")
    keys = _states(connection)
    signs = {key.alg for key in keys if (key.use, key.state) == (use, "current")} if alg is None else {alg}
    slots = [(use, each) for each in ALGORITHMS[use] if each in signs]
    steps = by_hand(keys, schedule, slots=slots, force=force, now=now)
    return _take(connection, vault, steps, now)


def retire(connection: Connection, kid: str, *, now: int) -> list[KeyEvent]:
    """Stop publishing a next or previous key at once; what it signed no longer verifies.

    Raises UnknownKey, or KeyStillSigns for a current key. A retired key stays retired: no events.
    """
    key = next((key for key in list_keys(connection) if key.kid == kid), None)
    if key is None:
        raise UnknownKey(f"There is no signing key {kid}.")
    if key.state == "current":
        raise KeyStillSigns(
            f"The key {kid} signs at the moment. Rotate to another key first, then retire it."
        )
    if key.state == "retired" or not _turned(connection, _RETIRE[key.state], kid, now):
        return []
    return [KeyRetired(kid, key.alg, key.use, now)]


def list_keys(connection: Connection) -> list[KeyInfo]:
    """Every signing key there has ever been, ordered by use, algorithm and age."""
    return [
        KeyInfo(kid, alg, use, state, json.loads(public_jwk), *instants)
        for kid, alg, use, state, public_jwk, *instants in connection.execute(_ROWS).all()
    ]


def _states(connection: Connection) -> list[KeyState]:
    return [
        KeyState(key.kid, key.use, key.alg, key.state, key.created_at, key.activated_at, key.demoted_at)
        for key in list_keys(connection)
    ]


def _take(connection: Connection, vault: Vault, steps: Sequence[Step], now: int) -> list[KeyEvent]:
    taken = (_take_one(connection, vault, step, now) for step in steps)
    return [event for event in taken if event is not None]


def _take_one(connection: Connection, vault: Vault, step: Step, now: int) -> KeyEvent | None:
    match step:
        case Create():
            return _create(connection, vault, step, now)
        case Promote():
            return _promote(connection, step, now)
        case Withdraw(use, alg, kid):
            return KeyWithdrawn(kid, alg, use, now) if _turned(connection, _DEMOTE, kid, now) else None
        case Retire(use, alg, kid, state):
            return KeyRetired(kid, alg, use, now) if _turned(connection, _RETIRE[state], kid, now) else None


def _create(connection: Connection, vault: Vault, step: Create, now: int) -> KeyCreated | None:
    key = make_key(vault, step.alg)
    row = {
        "kid": key.kid,
        "alg": step.alg,
        "use": step.use,
        "state": step.state,
        "public_jwk": key.public_jwk,
        "private_sealed": key.private_sealed,
        "created_at": now,
        "activated_at": now if step.state == "current" else None,
    }
    if connection.execute(_ADD, row).rowcount != 1:
        return None  # another node was first: its key stands
    return KeyCreated(key.kid, step.alg, step.use, now)


def _promote(connection: Connection, step: Promote, now: int) -> KeyRotated | None:
    # Demoting comes first: there is never more than one current key, and the node that demotes is the one
    # that promotes.
    if step.replaces is not None and not _turned(connection, _DEMOTE, step.replaces, now):
        return None
    if _turned(connection, _PROMOTE, step.kid, now):
        return KeyRotated(step.kid, step.alg, step.use, now)
    if step.replaces is None:
        return None
    raise KeysChanged(step.kid)


def _turned(connection: Connection, turn: Executable, kid: str, now: int) -> bool:
    return connection.execute(turn, {"this_kid": kid, "at": now}).first() is not None
