"""K07: a code is good for the client it was given to, at the address it was sent to, and for nobody else."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from idp.clients.profiles import PROFILES
from tests.support.proving import Prover
from tests.support.settled import footprint
from tests.support.town import Partner, Proof

if TYPE_CHECKING:
    from tests.support.profiles import Pair
    from tests.support.settled import Settled

OWNERS = ("library", "tax", "public")


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("thief", OWNERS)
@pytest.mark.parametrize("whose_address", ["the owner's", "the thief's"])
def test_another_clients_code_is_worth_nothing(
    settled: Settled, owner: str, thief: str, whose_address: str
) -> None:
    """RFC 6749 §4.1.3, CVE-2026-16089; nor can the thief burn it: its owner redeems it afterwards."""
    if owner == thief:
        return
    town, proof = settled.town, Proof()
    one, other = getattr(town, owner), getattr(town, thief)
    code = settled.code(one, proof)
    before = footprint(town)
    address = (one if whose_address == "the owner's" else other).redirect_uri
    answer = town.redeem(other, code, proof, redirect_uri=address)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    assert footprint(town) == before
    assert town.redeem(one, code, proof).status_code == 200


def test_a_public_client_cannot_pass_for_a_confidential_one(settled: Settled) -> None:
    """CVE-2026-55672: `client_id=library` without the library's secret is nobody."""
    town, proof = settled.town, Proof()
    code = settled.code(town.library, proof)
    before = footprint(town)
    pretender = Partner("library", None, "none", town.library.redirect_uri)
    answer = town.redeem(pretender, code, proof)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert footprint(town) == before
    assert town.redeem(town.library, code, proof).status_code == 200


@pytest.mark.parametrize(
    "uri",
    [
        "https://rp.example/cb/",
        "https://rp.example/CB",
        "https://evil.test/cb",
        "https://rp.example/cb?",
        "https://tax.example/cb",
        "https://rp.example/cb\0",
    ],
)
def test_the_address_must_be_the_one_of_the_request(settled: Settled, uri: str) -> None:
    """RFC 6749 §4.1.3: identical to the one in the authorization request."""
    town, proof = settled.town, Proof()
    code = settled.code(town.library, proof)
    before = footprint(town)
    answer = town.redeem(town.library, code, proof, redirect_uri=uri)
    assert answer.status_code == 400
    assert answer.json["error"] == ("invalid_request" if "\0" in uri else "invalid_grant")
    assert footprint(town) == before
    assert town.redeem(town.library, code, proof).status_code == 200


@pytest.mark.parametrize("profile", PROFILES)
def test_in_every_profile_a_code_is_good_for_its_client_and_its_address_alone(
    pairs: dict[str, Pair], profile: str
) -> None:
    """Whatever a client must prove besides, another one of the same profile proves it, too."""
    pair, proof = pairs[profile], Proof()
    owner, thief, code = pair.owner, pair.thief, pair.code(proof)
    before = footprint(pair.proving.town)
    for whose in (owner, thief):
        answer = pair.redeem(thief, code, proof, redirect_uri=whose.partner.redirect_uri)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    for uri in (f"{owner.partner.redirect_uri}/", "https://evil.test/cb", thief.partner.redirect_uri):
        answer = pair.redeem(owner, code, proof, redirect_uri=uri)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    for nothing in ("", None):
        answer = pair.redeem(owner, code, proof, redirect_uri=nothing)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    pretender = Prover(owner.partner)  # no more than the name of the owner
    answer = pair.redeem(pretender, code, proof)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert footprint(pair.proving.town) == before
    assert pair.redeem(owner, code, proof).status_code == 200


def test_a_loopback_port_is_part_of_the_address_once_chosen(settled: Settled) -> None:
    """RFC 8252 §7.3 frees the port at the authorization endpoint; the code is bound to what was used there."""
    town, proof = settled.town, Proof()
    code = settled.code(town.public, proof, redirect_uri="http://127.0.0.1:5000/callback")
    answer = town.redeem(town.public, code, proof, redirect_uri="http://127.0.0.1:5001/callback")
    assert answer.json["error"] == "invalid_grant"
    answer = town.redeem(town.public, code, proof, redirect_uri="http://127.0.0.1:5000/callback")
    assert answer.status_code == 200


@pytest.mark.parametrize("uri", ["", None])
def test_the_address_cannot_be_left_out(settled: Settled, uri: str | None) -> None:
    """RFC 6749 §4.1.3: required when the authorization request had it, and ours always has."""
    town, proof = settled.town, Proof()
    form = {
        "grant_type": "authorization_code",
        "code": settled.code(town.library, proof),
        "code_verifier": proof.verifier,
    }
    before = footprint(town)
    answer = town.call("/token", town.library, form if uri is None else {**form, "redirect_uri": uri})
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert footprint(town) == before


def test_the_log_names_client_and_reason_and_no_secret(
    settled: Settled, caplog: pytest.LogCaptureFixture
) -> None:
    """ASVS 16.3: attempts leave a trace, without codes and secrets in it (16.2.5)."""
    town, proof = settled.town, Proof()
    code = settled.code(town.library, proof)
    with caplog.at_level(logging.DEBUG):
        town.redeem(town.tax, code, proof)
        town.redeem(town.library, code, proof)
        town.redeem(town.library, code, proof)
    lines = [r.getMessage() for r in caplog.records if r.name == "denizen.oidc"]
    assert any("client=tax" in line and "code_unknown" in line for line in lines), lines
    assert any("client=library" in line and "code_replayed" in line for line in lines), lines
    for secret in (code, proof.verifier, town.tax.secret, town.library.secret):
        assert str(secret) not in caplog.text
