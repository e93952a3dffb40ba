"""Rotation in the database: the life of keys and of what they signed, and two nodes at once."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from keys.rotation import (
    KeyCreated,
    KeyEvent,
    KeyRetired,
    KeyRotated,
    KeysChanged,
    KeyStillSigns,
    KeyWithdrawn,
    RotationRefused,
    RotationSchedule,
    UnknownKey,
    list_keys,
    retire,
    rotate,
    tick,
)
from keys.signing import DEFAULT_ALGORITHMS, load_ring
from tests.keys.conftest import NOW, Interrupted

if TYPE_CHECKING:
    from keys.envelope import Vault

SCHEDULE = RotationSchedule(publish_for=10, sign_for=100, keep_for=50)
LOG = ["log"]  # one algorithm, quick to generate


def states(connection: Connection, use: str = "log") -> dict[str, str]:
    return {key.kid: key.state for key in list_keys(connection) if key.use == use}


def kid_of(connection: Connection, state: str, alg: str = "Ed25519") -> str:
    (kid,) = [key.kid for key in list_keys(connection) if (key.state, key.alg) == (state, alg)]
    return kid


def assert_one_of_each(connection: Connection, use: str = "log") -> None:
    counted = Counter((key.alg, key.state) for key in list_keys(connection) if key.use == use)
    assert {count for (_, state), count in counted.items() if state in {"next", "current"}} == {1}


# --- the schedule in the database ---


def test_the_first_tick_makes_a_current_and_a_next_key_of_each_algorithm(
    connection: Connection, vault: Vault
) -> None:
    """An empty database signs and pre-publishes from the first second; each key is reported once."""
    events = tick(connection, vault, SCHEDULE, uses=["tokens", "log"], now=NOW)
    listed = list_keys(connection)
    assert [
        (key.use, key.alg, key.state) for key in sorted(listed, key=lambda key: (key.use, key.alg, key.state))
    ] == [
        ("log", "Ed25519", "current"),
        ("log", "Ed25519", "next"),
        ("tokens", "ES256", "current"),
        ("tokens", "ES256", "next"),
        ("tokens", "RS256", "current"),
        ("tokens", "RS256", "next"),
    ]
    expected = {KeyCreated(key.kid, key.alg, key.use, NOW) for key in listed}
    assert len(events) == 6
    assert set(events) == expected


MORE = {**DEFAULT_ALGORITHMS, "tokens": ("RS256", "ES256", "PS256", "EdDSA")}


def test_more_algorithms_turn_like_the_usual_ones(connection: Connection, vault: Vault) -> None:
    """PS256 and EdDSA (FAPI 2.0 §5.4.1) are made where they are wanted, turn, retire and are listed as all others."""
    tick(connection, vault, SCHEDULE, uses=["tokens"], algorithms=MORE, now=NOW)
    before = load_ring(connection, vault)
    assert before.algorithms == MORE["tokens"]
    assert_one_of_each(connection, "tokens")
    assert {(jwk["kty"], jwk["alg"]) for jwk in before.jwks()["keys"]} == {
        ("RSA", "RS256"),
        ("EC", "ES256"),
        ("RSA", "PS256"),
        ("OKP", "EdDSA"),
    }
    events = rotate(connection, vault, SCHEDULE, now=NOW + 10)
    assert {event.alg for event in events if isinstance(event, KeyRotated)} == set(MORE["tokens"])
    after = load_ring(connection, vault)
    for alg in ("PS256", "EdDSA"):
        assert before.current(alg).kid != after.current(alg).kid
        assert before.current(alg).kid in {jwk["kid"] for jwk in after.jwks()["keys"]}
    retired = {
        event.alg
        for event in tick(connection, vault, SCHEDULE, uses=["tokens"], algorithms=MORE, now=NOW + 60)
        if isinstance(event, KeyRetired)
    }
    assert retired == set(MORE["tokens"])


def test_an_algorithm_that_is_not_wanted_any_more_signs_no_more(connection: Connection, vault: Vault) -> None:
    """Its key stays published for `keep_for`, so that what it signed verifies; the next one, which signed nothing, goes."""
    tick(connection, vault, SCHEDULE, uses=["tokens", "log"], algorithms=MORE, now=NOW)
    kid, upcoming = kid_of(connection, "current", "PS256"), kid_of(connection, "next", "PS256")
    fewer = {**MORE, "tokens": ("RS256", "ES256", "EdDSA")}
    events = tick(connection, vault, SCHEDULE, uses=["tokens", "log"], algorithms=fewer, now=NOW + 1)
    assert len(events) == 2
    assert set(events) == {
        KeyWithdrawn(kid, "PS256", "tokens", NOW + 1),
        KeyRetired(upcoming, "PS256", "tokens", NOW + 1),
    }
    ring = load_ring(connection, vault)
    assert ring.algorithms == fewer["tokens"]
    published = {jwk["kid"] for jwk in ring.jwks()["keys"]}
    assert kid in published
    assert upcoming not in published
    assert tick(connection, vault, SCHEDULE, uses=["tokens"], algorithms=fewer, now=NOW + 1) == []
    assert tick(connection, vault, SCHEDULE, uses=["tokens"], algorithms=fewer, now=NOW + 51) == [
        KeyRetired(kid, "PS256", "tokens", NOW + 51)
    ]
    assert states(connection, "log"), "keys of another use are nobody's business here"


def test_an_algorithm_that_cannot_be_signed_with_is_refused(connection: Connection, vault: Vault) -> None:
    """Before anything is written."""
    with pytest.raises(ValueError, match="HS256"):
        tick(connection, vault, SCHEDULE, uses=["tokens"], algorithms={"tokens": ("RS256", "HS256")}, now=NOW)
    assert list_keys(connection) == []


def test_a_second_tick_at_the_same_time_does_nothing(connection: Connection, vault: Vault) -> None:
    """A tick may be repeated as often as one likes."""
    tick(connection, vault, SCHEDULE, uses=LOG, now=NOW)
    before = list_keys(connection)
    assert tick(connection, vault, SCHEDULE, uses=LOG, now=NOW) == []
    assert tick(connection, vault, SCHEDULE, uses=LOG, now=NOW + 99) == []
    assert list_keys(connection) == before


def test_a_key_lives_through_all_its_states(connection: Connection, vault: Vault) -> None:
    """The states next, current, previous, retired: each with its instant and its event."""
    tick(connection, vault, SCHEDULE, uses=LOG, now=NOW)
    first, second = kid_of(connection, "current"), kid_of(connection, "next")

    events = tick(connection, vault, SCHEDULE, uses=LOG, now=NOW + 100)
    third = kid_of(connection, "next")
    assert events == [
        KeyRotated(second, "Ed25519", "log", NOW + 100),
        KeyCreated(third, "Ed25519", "log", NOW + 100),
    ]
    assert states(connection) == {first: "previous", second: "current", third: "next"}

    assert tick(connection, vault, SCHEDULE, uses=LOG, now=NOW + 149) == []
    assert tick(connection, vault, SCHEDULE, uses=LOG, now=NOW + 150) == [
        KeyRetired(first, "Ed25519", "log", NOW + 150)
    ]
    retired = next(key for key in list_keys(connection) if key.kid == first)
    assert (retired.state, retired.created_at, retired.activated_at) == ("retired", NOW, NOW)
    assert (retired.demoted_at, retired.retired_at) == (NOW + 100, NOW + 150)
    assert retired.public_jwk["kid"] == first


def test_a_key_that_signs_no_more_has_no_private_half(connection: Connection, vault: Vault) -> None:
    """It is destroyed at the turn: a later break-in cannot use it."""
    tick(connection, vault, SCHEDULE, uses=LOG, now=NOW)
    tick(connection, vault, SCHEDULE, uses=LOG, now=NOW + 100)
    kept = connection.execute(
        text("SELECT state FROM keys_signing_key WHERE private_sealed IS NOT NULL")
    ).scalars()
    assert sorted(kept) == ["current", "next"]


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_a_token_verifies_after_rotation_and_not_after_retirement(
    connection: Connection, vault: Vault, alg: str
) -> None:
    """Rotation is unnoticed by whoever holds a token; retirement ends it."""
    tick(connection, vault, SCHEDULE, uses=["tokens"], now=NOW)
    old = load_ring(connection, vault).current(alg).sign({"sub": "ada"})

    tick(connection, vault, SCHEDULE, uses=["tokens"], now=NOW + 100)
    rotated = load_ring(connection, vault)
    new = rotated.current(alg).sign({"sub": "bob"})
    assert jwt.decode(old, rotated.verify_keys, algorithms=[alg]).claims == {"sub": "ada"}
    assert jwt.decode(new, rotated.verify_keys, algorithms=[alg]).claims == {"sub": "bob"}

    tick(connection, vault, SCHEDULE, uses=["tokens"], now=NOW + 150)
    retired = load_ring(connection, vault)
    with pytest.raises(InvalidKeyIdError):
        jwt.decode(old, retired.verify_keys, algorithms=[alg])
    assert jwt.decode(new, retired.verify_keys, algorithms=[alg]).claims == {"sub": "bob"}


def test_a_relying_party_knows_a_key_before_it_signs(connection: Connection, vault: Vault) -> None:
    """Pre-publication: the key set fetched before the turn verifies tokens signed after it."""
    tick(connection, vault, SCHEDULE, uses=["tokens"], now=NOW)
    cached = load_ring(connection, vault).verify_keys
    tick(connection, vault, SCHEDULE, uses=["tokens"], now=NOW + 100)
    signer = load_ring(connection, vault).current("ES256")
    assert jwt.decode(signer.sign({"a": 1}), cached, algorithms=["ES256"]).claims == {"a": 1}


def test_a_session_serves_as_well_as_a_connection(engine: Engine, vault: Vault) -> None:
    """The caller's transaction decides: rolled back, nothing has happened."""
    with Session(engine) as session:
        tick(session, vault, SCHEDULE, uses=LOG, now=NOW)
        rotate(session, vault, SCHEDULE, use="log", force=True, now=NOW + 1)
        assert len(list_keys(session)) == 3
        assert load_ring(session, vault, use="log").algorithms == ("Ed25519",)
        session.rollback()
        assert list_keys(session) == []


# --- by hand ---


def test_an_operator_rotates_one_algorithm_or_all(connection: Connection, vault: Vault) -> None:
    """Before the current key's time is over, once the next one was published for long enough."""
    tick(connection, vault, SCHEDULE, uses=["tokens"], now=NOW)
    upcoming = kid_of(connection, "next", "ES256")
    events = rotate(connection, vault, SCHEDULE, alg="ES256", now=NOW + 10)
    assert events[0] == KeyRotated(upcoming, "ES256", "tokens", NOW + 10)
    assert {event.alg for event in events} == {"ES256"}
    events = rotate(connection, vault, SCHEDULE, now=NOW + 20)
    assert [(type(event), event.alg) for event in events] == [
        (KeyRotated, "RS256"),
        (KeyCreated, "RS256"),
        (KeyRotated, "ES256"),
        (KeyCreated, "ES256"),
    ]
    assert_one_of_each(connection, "tokens")


def test_an_early_rotation_is_refused_and_writes_nothing(connection: Connection, vault: Vault) -> None:
    """The refusal says when it may be; `force` does it now."""
    tick(connection, vault, SCHEDULE, uses=LOG, now=NOW)
    before = list_keys(connection)
    with pytest.raises(RotationRefused) as refused:
        rotate(connection, vault, SCHEDULE, use="log", now=NOW + 9)
    assert refused.value.allowed_at == NOW + 10
    assert list_keys(connection) == before
    assert rotate(connection, vault, SCHEDULE, use="log", force=True, now=NOW + 9) != []


def test_an_algorithm_of_another_use_is_not_rotated(connection: Connection, vault: Vault) -> None:
    """A slip in the command does not rotate nothing silently."""
    with pytest.raises(ValueError, match="Ed25519"):
        rotate(connection, vault, SCHEDULE, alg="Ed25519", now=NOW)


def test_the_current_key_is_retired_only_after_a_replacement_signs(
    connection: Connection, vault: Vault
) -> None:
    """The answer to a stolen key: rotate by force, then retire it at once."""
    tick(connection, vault, SCHEDULE, uses=["tokens"], now=NOW)
    stolen = kid_of(connection, "current", "ES256")
    token = load_ring(connection, vault).current("ES256").sign({"sub": "ada"})
    with pytest.raises(KeyStillSigns):
        retire(connection, stolen, now=NOW + 1)
    rotate(connection, vault, SCHEDULE, alg="ES256", force=True, now=NOW + 1)
    assert retire(connection, stolen, now=NOW + 2) == [KeyRetired(stolen, "ES256", "tokens", NOW + 2)]
    with pytest.raises(InvalidKeyIdError):
        jwt.decode(token, load_ring(connection, vault).verify_keys, algorithms=["ES256"])


def test_a_next_key_may_be_retired_and_is_replaced(connection: Connection, vault: Vault) -> None:
    """It never signs; the next tick publishes another."""
    tick(connection, vault, SCHEDULE, uses=LOG, now=NOW)
    unwanted = kid_of(connection, "next")
    assert retire(connection, unwanted, now=NOW + 1) == [KeyRetired(unwanted, "Ed25519", "log", NOW + 1)]
    with pytest.raises(RotationRefused):
        rotate(connection, vault, SCHEDULE, use="log", force=True, now=NOW + 1)
    (created,) = tick(connection, vault, SCHEDULE, uses=LOG, now=NOW + 2)
    assert created == KeyCreated(kid_of(connection, "next"), "Ed25519", "log", NOW + 2)


def test_retiring_again_or_the_unknown(connection: Connection, vault: Vault) -> None:
    """Retired stays retired, with its first instant; a kid that never was is said to be unknown."""
    tick(connection, vault, SCHEDULE, uses=LOG, now=NOW)
    kid = kid_of(connection, "next")
    retire(connection, kid, now=NOW + 1)
    assert retire(connection, kid, now=NOW + 2) == []
    assert next(key for key in list_keys(connection) if key.kid == kid).retired_at == NOW + 1
    with pytest.raises(UnknownKey):
        retire(connection, "no such key", now=NOW)


# --- two nodes at once ---


@pytest.mark.parametrize("later", [0, 100, 150])
def test_a_node_that_comes_second_changes_nothing(engine: Engine, vault: Vault, later: int) -> None:
    """One node reads, another takes all the steps, the first then writes: its conditions fail, it reports nothing.

    At the first start (0), at a turn (100), and when a key retires (150).
    """
    for instant in range(0, later, 50):
        with engine.begin() as connection:
            tick(connection, vault, SCHEDULE, uses=LOG, now=NOW + instant)
    by_the_other: list[KeyEvent] = []

    def other_node() -> None:
        with engine.begin() as connection:
            by_the_other.extend(tick(connection, vault, SCHEDULE, uses=LOG, now=NOW + later))

    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        mine = tick(Interrupted(connection, other_node), vault, SCHEDULE, uses=LOG, now=NOW + later)
        assert by_the_other != []
        assert mine == []
        assert_one_of_each(connection)
        assert tick(connection, vault, SCHEDULE, uses=LOG, now=NOW + later) == []


def test_two_operators_rotating_at_once_rotate_once(engine: Engine, vault: Vault) -> None:
    """Both saw the same current key; only one turn happens, even when forced."""
    with engine.begin() as connection:
        tick(connection, vault, SCHEDULE, uses=LOG, now=NOW)

    def other_operator() -> None:
        with engine.begin() as connection:
            assert rotate(connection, vault, SCHEDULE, use="log", force=True, now=NOW) != []

    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        mine = Interrupted(connection, other_operator)
        assert rotate(mine, vault, SCHEDULE, use="log", force=True, now=NOW) == []
        assert sorted(states(connection).values()) == ["current", "next", "previous"]


def test_a_turn_whose_next_key_has_gone_is_called_off(engine: Engine, vault: Vault) -> None:
    """Another node retired the next key half-way: the turn is rolled back, so that a key goes on signing."""
    with engine.begin() as connection:
        tick(connection, vault, SCHEDULE, uses=LOG, now=NOW)
        current = kid_of(connection, "current")

    with engine.connect() as connection:
        mine = Interrupted(connection, lambda: retire(connection, kid_of(connection, "next"), now=NOW))
        with pytest.raises(KeysChanged):
            rotate(mine, vault, SCHEDULE, use="log", force=True, now=NOW)
    with engine.connect() as connection:
        assert kid_of(connection, "current") == current


@pytest.mark.parametrize("later", [0, 100])
def test_many_nodes_ticking_at_once_take_each_step_once(engine: Engine, vault: Vault, later: int) -> None:
    """Real transactions that wait for each other; together they report what one alone would have."""
    if later:
        with engine.begin() as connection:
            tick(connection, vault, SCHEDULE, uses=LOG, now=NOW)
    events: list[KeyEvent] = []
    start = threading.Barrier(4)

    def node() -> None:
        start.wait()
        with engine.begin() as connection:
            found = tick(connection, vault, SCHEDULE, uses=LOG, now=NOW + later)
        events.extend(found)

    threads = [threading.Thread(target=node) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        assert_one_of_each(connection)
    expected = [KeyCreated, KeyRotated] if later else [KeyCreated, KeyCreated]
    assert sorted((type(event) for event in events), key=lambda kind: kind.__name__) == expected
