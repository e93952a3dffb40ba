"""K08: no code without an S256 challenge, no token without its verifier, whoever the client is."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.support.settled import assert_refused_back, footprint, parameters
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.support.settled import Settled

CLIENTS = ("library", "tax", "public")

DOWNGRADES: dict[str, dict[str, str | None]] = {
    "no challenge": {"code_challenge": None, "code_challenge_method": None},
    "no challenge but a method": {"code_challenge": None},
    "empty challenge": {"code_challenge": ""},
    "plain": {"code_challenge_method": "plain"},
    "method omitted, which means plain": {"code_challenge_method": None},
    "method in small letters": {"code_challenge_method": "s256"},
    "unknown method": {"code_challenge_method": "S512"},
    "both methods": {"code_challenge_method": "S256 plain"},
    "42 characters": {"code_challenge": "x" * 42},
    "44 characters": {"code_challenge": "x" * 44},
    "padded": {"code_challenge": "x" * 43 + "="},
    "not base64url": {"code_challenge": "x" * 42 + "+"},
    "line break after": {"code_challenge": "x" * 43 + "\n"},
    "foreign letters": {"code_challenge": "х" * 43},
}


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@pytest.mark.parametrize("partner", CLIENTS)
@pytest.mark.parametrize("change", DOWNGRADES.values(), ids=DOWNGRADES)
def test_the_authorization_endpoint_insists_on_s256(
    settled: Settled, partner: str, change: dict[str, str | None]
) -> None:
    """RFC 9700 §2.1.1, §4.8.2; CVE-2023-48228, CVE-2024-23647."""
    before = footprint(settled.town)
    answer = settled.ask(parameters(getattr(settled.town, partner), **change))
    assert_refused_back(answer, "invalid_request")
    assert footprint(settled.town) == before


WRONG = {
    "another verifier": Proof().verifier,
    "42 characters": "v" * 42,
    "129 characters": "v" * 129,
    "forbidden letter": "v" * 42 + "+",
    "foreign letters": "ѵ" * 43,
    "space at the end": "v" * 43 + " ",
    "line break at the end": "v" * 43 + "\n",
    "NUL": "v" * 43 + "\0",
}


@pytest.mark.parametrize("partner", CLIENTS)
@pytest.mark.parametrize("verifier", WRONG.values(), ids=WRONG)
def test_a_wrong_verifier_gets_nothing_and_burns_nothing(
    settled: Settled, partner: str, verifier: str
) -> None:
    """RFC 7636 §4.1, §4.6; afterwards the right one still works."""
    town, proof = settled.town, Proof()
    client = getattr(town, partner)
    code = settled.code(client, proof)
    before = footprint(town)
    answer = town.redeem(client, code, proof, code_verifier=verifier)
    assert answer.status_code == 400
    assert answer.json["error"] in ("invalid_grant", "invalid_request")
    assert footprint(town) == before
    assert town.redeem(client, code, proof).status_code == 200


@pytest.mark.parametrize("partner", CLIENTS)
@pytest.mark.parametrize("verifier", [None, ""])
def test_the_verifier_cannot_be_left_out(settled: Settled, partner: str, verifier: str | None) -> None:
    """RFC 9700 §4.8.2: CVE-2024-22258 let a client without one pass when none was asked for."""
    town, proof = settled.town, Proof()
    client = getattr(town, partner)
    form = {
        "grant_type": "authorization_code",
        "code": settled.code(client, proof),
        "redirect_uri": client.redirect_uri,
    }
    before = footprint(town)
    answer = town.call("/token", client, form if verifier is None else {**form, "code_verifier": verifier})
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert footprint(town) == before


@pytest.mark.parametrize("partner", CLIENTS)
def test_knowing_the_challenge_is_not_enough(settled: Settled, partner: str) -> None:
    """`plain` by the back door: the challenge went through the browser, so the thief of the code knows it."""
    town, proof = settled.town, Proof()
    client = getattr(town, partner)
    code = settled.code(client, proof)
    answer = town.redeem(client, code, proof, code_verifier=proof.challenge)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    before = footprint(town)
    for name in ("code_challenge", "code_challenge_method"):
        answer = town.redeem(client, code, Proof(), **{name: "plain"})
        assert answer.json["error"] == "invalid_grant"
    assert footprint(town) == before


def test_every_lawful_verifier_works(settled: Settled) -> None:
    """Against refusing everything: both lengths at the edge, and every letter that RFC 7636 §4.1 allows."""
    town = settled.town
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    for verifier in ("v" * 43, "v" * 128, letters):
        code = settled.code(town.library, Proof(), code_challenge=_challenge(verifier))
        assert town.redeem(town.library, code, Proof(verifier)).status_code == 200
