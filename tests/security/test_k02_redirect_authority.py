"""K02: nothing that merely looks like the registered host gets an answer, and nothing unparsable breaks us."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.settled import assert_refused_here, footprint, parameters

if TYPE_CHECKING:
    from tests.support.settled import Settled

LOOKALIKES = (
    "https://rp.example@evil.test/cb",
    "https://rp.example:443@evil.test/cb",
    "https://rp.example%40evil.test/cb",
    "https://a@b@evil.test/cb",
    "https://evil.test\\@rp.example/cb",
    "https://evil.test/@rp.example/cb",
    "https://evil.test#@rp.example/cb",
    "https://evil.test?@rp.example/cb",
    "https://rp.example.evil.test/cb",
    "https://rpAexample/cb",
    "https://rp-example/cb",
    "https://sub.rp.example/cb",
    "https://evil.test/https://rp.example/cb",
    "https://rp.example,evil.test/cb",
    "http://[",
    "https://[::1]x/cb",
    "https://[rp.example]/cb",
    "https://rp.example:99999999999999999999/cb",
    "https://rp.example:port/cb",
    "javascript:alert(1)//https://rp.example/cb",
    "data:text/html,https://rp.example/cb",
    "https:",
    ":",
    "%",
    "\ufffd",
    "x" * 12_000,
)
UNREADABLE = ("%ff%fe", "%c0%af", "%ed%a0%80", "%f8%88%80%80%80")


@pytest.mark.parametrize("uri", LOOKALIKES, ids=lambda uri: repr(uri[:50]))
def test_a_lookalike_authority_is_refused_here(settled: Settled, uri: str) -> None:
    """CVE-2026-7504, CVE-2024-52289, CVE-2022-36087: no parser between what was registered and what was sent."""
    before = footprint(settled.town)
    assert_refused_here(settled.ask(parameters(settled.town.library, redirect_uri=uri)))
    assert_refused_here(settled.ask(parameters(settled.town.public, redirect_uri=uri)))
    assert footprint(settled.town) == before


@pytest.mark.parametrize("encoded", UNREADABLE)
def test_bytes_that_are_no_text_are_refused(settled: Settled, encoded: str) -> None:
    """Unparsable gives 400, not 500, at both endpoints that take an address."""
    town = settled.town
    before = footprint(town)
    assert_refused_here(settled.ask(f"client_id=library&redirect_uri={encoded}"))
    answer = town.app.test_client().post(
        "/token",
        data=f"grant_type=authorization_code&redirect_uri={encoded}",
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == 400
    assert answer.json["error"] == "invalid_request"
    assert footprint(town) == before
