"""K08: no code without an S256 challenge, no token without its verifier, whoever the client is."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.support.settled import assert_refused_back, footprint, parameters
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.support.front import Front
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
    """RFC 9700 §4.8.2, RFC 7636 §4.6: CVE-2024-22258 let a client without one pass when none was asked for."""
    town, proof = settled.town, Proof()
    client = getattr(town, partner)
    form = {
        "grant_type": "authorization_code",
        "code": settled.code(client, proof),
        "redirect_uri": client.redirect_uri,
    }
    before = footprint(town)
    answer = town.call("/token", client, form if verifier is None else {**form, "code_verifier": verifier})
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
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


@pytest.mark.parametrize("name", ["old", "oldapp", "new"])
def test_codes_without_pkce_are_for_old_software_that_keeps_a_secret(front: Front, name: str) -> None:
    """RFC 9700 §2.1.1: a public client has nothing else that says the code is its own; nor may a standard one do without."""
    bare = {"code_challenge": None, "code_challenge_method": None}
    told = front.told(name, **bare).values
    if name != "old":
        assert told["error"] == "invalid_request"
        return
    town, partner = front.town, front.clients["old"]
    form = {"grant_type": "authorization_code", "redirect_uri": partner.redirect_uri}
    assert town.call("/token", partner, {**form, "code": told["code"]}).status_code == 200
    # RFC 9700 §4.8.2: a verifier for a code without a challenge is wrong, and none for one with it.
    code = front.told(name, **bare).values["code"]
    assert town.redeem(partner, code, Proof()).json["error"] == "invalid_grant"
    code = front.told(name).values["code"]
    answer = town.call("/token", partner, {**form, "code": code})
    assert answer.json["error"] == "invalid_grant"
    for change in ({"code_challenge": None}, {"code_challenge_method": None}):
        assert front.told(name, **change).values["error"] == "invalid_request"
    assert front.told(name, code_challenge_method="plain").values["error"] == "invalid_request"


def test_a_response_without_a_code_needs_no_challenge(front: Front) -> None:
    """There is nothing to bind; a code in a hybrid answer is bound like any other."""
    bare = {"code_challenge": None, "code_challenge_method": None}
    for name in ("old", "oldapp"):
        assert "id_token" in front.told(name, response_type="id_token", **bare).values
    assert front.told("oldapp", response_type="code id_token", **bare).values["error"] == "invalid_request"
    proof = Proof()
    told = front.told("old", response_type="code id_token", code_challenge=proof.challenge).values
    assert front.town.redeem(front.clients["old"], told["code"], Proof()).json["error"] == "invalid_grant"
    assert front.town.redeem(front.clients["old"], told["code"], proof).status_code == 200
