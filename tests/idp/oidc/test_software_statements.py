"""Software statements (RFC 7591 §2.3): what somebody whom the town trusts has signed about a client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.idp.oidc.test_registration_endpoint import CALLBACK, call, register
from tests.support.proving import jwks, key_for, sign
from tests.support.town import ISSUER, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.town import Town

STATE = "https://software.state.example"
OWN = key_for("ES256", "statements")
#: A set as it grows from rotation to rotation, with the key of now at its end.
PUBLISHED = [*(key_for("ES256", f"former {number}") for number in range(6)), key_for("RS256", "other"), OWN]


@pytest.fixture
def trusting(database_url: str, founding: Founding, tmp_path: Path) -> Iterator[Town]:
    """A town in which anybody may register, and the statements of the state count."""
    keys = tmp_path / "state.json"
    keys.write_text(json.dumps(jwks(*PUBLISHED)))
    issuers = [{"issuer": STATE, "jwks_file": keys}]
    made = make_town(
        database_url,
        tmp_path,
        founding=founding,
        registration={"mode": "open", "per_source": 1000, "statement_issuers": issuers},
    )
    yield made
    made.context.database.close()


def statement(
    town: Town, *, key: Any = OWN, alg: str = "ES256", kid: str | None = OWN.kid, **change: Any
) -> str:
    """A statement; a claim that is changed to None is left out, `kid` likewise."""
    now = int(town.clock())
    claims = {"iss": STATE, "iat": now, "exp": now + 60, "client_name": "Pool of the State", **change}
    claims = {name: value for name, value in claims.items() if value is not None}
    return sign(claims, key, {"alg": alg, **({"kid": kid} if kid else {})})


def test_what_is_vouched_for_counts_more_than_what_the_client_says(trusting: Town) -> None:
    """RFC 7591 §2.3: the values in the statement take precedence; §3.2.1: it is told back unchanged."""
    text = statement(trusting, software_id="pool-1", redirect_uris=[CALLBACK], client_id="library")
    answer = register(
        trusting, software_statement=text, client_name="Another", redirect_uris=["https://evil.example/cb"]
    )
    made = answer.json
    assert answer.status_code == 201
    assert (made["client_name"], made["software_id"]) == ("Pool of the State", "pool-1")
    assert made["redirect_uris"] == [CALLBACK]
    assert made["software_statement"] == text
    assert made["client_id"] != "library"
    token, path = made["registration_access_token"], made["registration_client_uri"].removeprefix(ISSUER)
    assert call(trusting, "GET", path, token).json["software_statement"] == text


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"iss": "https://elsewhere.example"}, "unapproved_software_statement"),
        ({"iss": None}, "unapproved_software_statement"),
        ({"iss": [STATE]}, "unapproved_software_statement"),
        ({"key": key_for("ES256", "somebody's")}, "invalid_software_statement"),
        ({"key": key_for("RS256"), "alg": "RS256"}, "invalid_software_statement"),
        ({"kid": PUBLISHED[1].kid}, "invalid_software_statement"),
        ({"kid": "unknown"}, "invalid_software_statement"),
        ({"kid": None}, "invalid_software_statement"),
        ({"kid": PUBLISHED[6].kid}, "invalid_software_statement"),
        ({"alg": "none"}, "invalid_software_statement"),
        ({"exp": 1}, "invalid_software_statement"),
        ({"nbf": 4_000_000_000}, "invalid_software_statement"),
        ({"aud": "https://other.example"}, "invalid_software_statement"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"scope": {"no": "text"}}, "invalid_client_metadata"),
    ],
)
def test_a_statement_that_does_not_hold_registers_nobody(
    trusting: Town, change: dict[str, Any], error: str
) -> None:
    """RFC 7591 §3.2.2; the signature is checked before anything in it counts."""
    answer = register(trusting, software_statement=statement(trusting, **change))
    assert (answer.status_code, answer.json["error"]) == (400, error)
    assert "registration_client_uri" not in answer.json


def test_a_statement_is_checked_with_the_key_that_it_names(trusting: Town) -> None:
    """RFC 7515 §4.1.4: of several keys the one of its kid; without one, the only key there is of its algorithm."""
    former, other = PUBLISHED[1], PUBLISHED[6]
    for more in ({}, {"key": former, "kid": former.kid}, {"key": other, "alg": "RS256", "kid": None}):
        answer = register(trusting, software_statement=statement(trusting, **more))
        assert answer.status_code == 201, answer.json


def test_two_keys_of_one_kid_are_none(trusting: Town) -> None:
    """Which of them is meant, nobody can tell (RFC 7517 §4.5)."""
    twin = {**key_for("ES256", "twin").as_dict(private=False), "kid": OWN.kid}
    (issuer,) = trusting.context.settings.registration.statement_issuers
    issuer.jwks_file.write_text(json.dumps({"keys": [*jwks(OWN)["keys"], twin]}))
    answer = register(trusting, software_statement=statement(trusting))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_software_statement")


def test_what_is_no_statement_is_refused_by_name(trusting: Town) -> None:
    """Neither a text of another kind, nor an unsigned one, nor none at all."""
    unsigned = statement(trusting).rpartition(".")[0] + "."
    for text in (1, "", "x", "e30.e30.x", unsigned, {"iss": STATE}):
        answer = register(trusting, software_statement=text)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_software_statement"), text


def test_without_readable_keys_nothing_is_believed(trusting: Town) -> None:
    """The file is gone: fail closed, and everybody else registers as before."""
    trusting.context.settings.registration.statement_issuers[0].jwks_file.unlink()
    answer = register(trusting, software_statement=statement(trusting))
    assert answer.json["error"] == "invalid_software_statement"
    assert register(trusting).status_code == 201
