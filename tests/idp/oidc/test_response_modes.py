"""How an answer travels to a client: query, fragment, form post, and each of them signed (JARM)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from idp.clients.metadata import Details, NewClient
from tests.support.front import CARRIERS, ISSUER, MODES, SCOPE, TYPES, read, settle
from tests.support.proving import key_for
from tests.support.settled import footprint
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.support.front import Front
    from tests.support.town import Town

STATE = 'a "b" <c> &amp; \' é 名前 %20 + ?#='


@pytest.mark.parametrize("mode", MODES)
def test_a_code_and_an_error_come_in_the_mode_asked_for(front: Front, mode: str) -> None:
    """OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode §2, JARM §2.3; RFC 9207 §2."""
    carrier = mode.partition(".")[0]
    told = front.told("new", response_mode=mode, state=STATE)
    assert (told.carrier, told.address) == (carrier, "https://new.example/cb")
    assert set(told.values) == {"code", "state", "iss"}
    assert (told.values["state"], told.values["iss"]) == (STATE, ISSUER)
    assert bool(told.jwt) == mode.endswith(".jwt")
    wrong = front.told("new", response_mode=mode, state=STATE, code_challenge=None)
    assert (wrong.carrier, wrong.values["error"]) == (carrier, "invalid_request")
    assert set(wrong.values) == {"error", "error_description", "state", "iss"}
    assert (wrong.values["state"], wrong.values["iss"]) == (STATE, ISSUER)
    assert bool(wrong.jwt) == mode.endswith(".jwt")


def test_a_code_that_was_posted_or_signed_is_as_good_as_any(front: Front) -> None:
    """The mode is of no matter to the token endpoint."""
    for mode in ("form_post", "jwt", "fragment"):
        proof = Proof()
        told = front.told("new", response_mode=mode, code_challenge=proof.challenge)
        assert front.town.redeem(front.clients["new"], told.values["code"], proof).status_code == 200


@pytest.mark.parametrize("response_type", TYPES)
def test_without_a_mode_tokens_come_in_the_fragment_and_codes_in_the_query(
    front: Front, response_type: str
) -> None:
    """OAuth 2.0 Multiple Response Types §5; the same for JARM's short name (JARM §2.3.4), and for errors."""
    default = "query" if response_type == "code" else "fragment"
    for mode in (None, "jwt"):
        told = front.told("old", response_type=response_type, response_mode=mode)
        assert told.carrier == default
        assert bool(told.jwt) == (mode == "jwt")
        wrong = front.told("old", response_type=response_type, response_mode=mode, scope="fish")
        assert (wrong.carrier, wrong.values["error"]) == (default, "invalid_scope")
        assert bool(wrong.jwt) == (mode == "jwt")


@pytest.mark.parametrize("mode", ["query", "query.jwt", "web_message", "fish", "Query", "fragment form_post"])
def test_tokens_never_come_in_the_query_and_an_unknown_mode_is_told_in_the_default_one(
    front: Front, mode: str
) -> None:
    """OAuth 2.0 Multiple Response Types §3.0.1: nothing is minted, and the error is readable for the client."""
    before = footprint(front.town)
    for response_type in ("id_token", "id_token token", "code id_token", "token code"):
        told = front.told("old", response_type=response_type, response_mode=mode)
        assert (told.carrier, told.values["error"]) == ("fragment", "invalid_request")
        assert set(told.values) == {"error", "error_description", "state", "iss"}
    if not mode.startswith("query"):
        told = front.told("old", response_mode=mode)
        assert (told.carrier, told.values["error"]) == ("query", "invalid_request")
    assert footprint(front.town) == before


def test_an_error_comes_in_the_mode_asked_for_whatever_is_wrong_besides(front: Front) -> None:
    """As soon as client and address are proven; a parameter sent twice, or a state without end, included."""
    for change in (
        {"response_type": "fish"},
        {"response_type": None},
        {"prompt": "none login"},
        {"state": "s" * 3000},
        {"nonce": "n" * 600},
        {"scope": None},
        {"request": "no.signed.request"},
        {"registration": "{}"},
    ):
        for mode in ("fragment", "form_post", "form_post.jwt"):
            told = front.told("new", response_mode=mode, **change)
            assert told.carrier == mode.partition(".")[0]
            assert "error" in told.values
    answer = front.ask("new", response_mode="form_post")
    repeated = front.browser.get(f"{answer.request.full_path}&prompt=login&prompt=login")
    assert read(repeated).values["error"] == "invalid_request"
    twice = front.browser.get(f"{answer.request.full_path}&response_mode=fragment")
    assert (read(twice).carrier, read(twice).values["error"]) == ("query", "invalid_request")


def test_a_form_post_is_a_page_that_may_lead_to_its_client_alone(front: Front) -> None:
    """Form Post Response Mode §2, §5: kept nowhere, framed nowhere, no script but ours, and a button without it."""
    answer = front.ask("new", response_mode="form_post")
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Frame-Options"] == "DENY"
    policy = answer.headers["Content-Security-Policy"]
    assert "form-action 'self' https://new.example;" in f"{policy};"
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert re.findall(r"<script[^>]*>", answer.text) == re.findall(
        r'<script src="/static/form-post\.[0-9a-f]{8}\.js" defer>', answer.text
    )
    assert not re.search(r"\son[a-z]+=", answer.text)
    assert '<button class="ds-button" type="submit" id="form-post-go">' in answer.text
    assert "Service new" in answer.text
    assert answer.text.count("<h1") == 1
    assert "csrf_token" not in answer.text


def test_a_state_that_no_form_can_carry_is_refused_before_anything_is_minted(front: Front) -> None:
    """HTML changes line breaks and NUL in forms, so it would not come back byte by byte; in a JWT it does."""
    before = footprint(front.town)
    for state in ("a\nb", "a\rb", "a\0b"):
        told = front.told("new", response_mode="form_post", state=state)
        assert (told.values["error"], "state" in told.values) == ("invalid_request", False)
    assert footprint(front.town) == before
    assert front.told("new", response_mode="form_post.jwt", state="a\nb").values["state"] == "a\nb"


def test_every_end_of_the_flow_answers_in_the_mode_asked_for(town_both_ways: Town) -> None:
    """After sign-in and release, when the resident cancels or refuses, after too long, and when silence fails."""
    town = town_both_ways
    for mode in ("fragment", "form_post", "query.jwt", "form_post.jwt"):
        carrier = mode.partition(".")[0]
        extra = {"response_mode": mode, "state": STATE}
        browser = town.browser()
        browser.follow(browser.authorize(town.library, SCOPE, Proof(), **extra))
        told = read(browser.submit("/login", cancel="1"))
        assert told.carrier == carrier
        if "jwt" not in mode:
            assert (told.values["error"], told.values["state"]) == ("access_denied", STATE)
        browser.follow(browser.authorize(town.library, SCOPE, Proof(), **extra))
        browser.follow(browser.sign_in(town.maria))
        assert read(browser.deny()).carrier == carrier
        silent = read(browser.authorize(town.library, SCOPE, Proof(), **extra, prompt="none"))
        assert silent.carrier == carrier
        flow = browser.follow(browser.authorize(town.library, SCOPE, Proof(), **extra)).request.url
        town.clock.advance(4000)
        assert read(browser.get(flow)).carrier == carrier
        browser = town.browser()
        browser.follow(browser.authorize(town.library, SCOPE, Proof(), **extra, prompt="consent"))
        browser.follow(browser.sign_in(town.jun))
        told = read(browser.allow())
        assert told.carrier == carrier
        assert set(told.values) == ({"response"} if "jwt" in mode else {"code", "state", "iss"})


def test_a_silent_refusal_is_signed_too(front: Front) -> None:
    """JARM §2.1: errors as well."""
    told = front.read(
        front.ask("new", front.town.browser(), response_mode="jwt", prompt="none"), front.clients["new"]
    )
    assert (told.carrier, told.values["error"]) == ("query", "login_required")
    assert told.jwt["aud"] == "new"


def test_an_answer_is_encrypted_to_a_client_that_registered_for_it(front: Front) -> None:
    """JARM §2.2, §3: signed first, with the algorithm it registered, then encrypted."""
    for mode in ("query.jwt", "fragment.jwt", "form_post.jwt"):
        told = read(front.ask("sealed", response_mode=mode, state=STATE))
        assert told.values["response"].count(".") == 4
        claims = front.opened(told.values["response"], front.clients["sealed"])
        assert (claims["iss"], claims["aud"], claims["state"]) == (ISSUER, "sealed", STATE)
        assert "code" in claims


def test_an_answer_that_cannot_be_encrypted_is_not_told_at_all(town_both_ways: Town) -> None:
    """Fail closed: the key is for signing, so the resident reads what happened and the client gets nothing."""
    key = key_for("ES256", "no-use").as_dict(private=False) | {"use": "sig"}
    details = Details(
        authorization_signed_response_alg="ES256",
        authorization_encrypted_response_alg="ECDH-ES",
        jwks={"keys": [key]},
    )
    new = NewClient("Blind", ("https://blind.example/cb",), client_id="blind", details=details)
    partner = town_both_ways.add_client(new, basis="public_task")
    town_both_ways.fresh()
    browser = town_both_ways.browser()
    settle(town_both_ways, browser, partner, "openid")
    answer = browser.authorize(partner, "openid", Proof(), response_mode="jwt")
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "response=" not in answer.text
    assert "Reference" in answer.text


def test_signed_answers_are_rs256_unless_the_client_registered_otherwise(front: Front) -> None:
    """JARM §3: the default of `authorization_signed_response_alg`."""
    from joserfc import jws

    for name, alg in (("old", "RS256"), ("new", "ES256")):
        text = read(front.ask(name, response_mode="jwt")).values["response"]
        header = jws.extract_compact(text.encode()).headers()
        assert header["alg"] == alg
        assert header["kid"]


def test_the_carriers_are_what_discovery_says(front: Front) -> None:
    """JARM §4, OIDC Discovery §3."""
    found = front.browser.get("/.well-known/openid-configuration").json
    assert set(found["response_modes_supported"]) == {*MODES, "jwt"}
    assert set(CARRIERS) <= set(found["response_modes_supported"])
    assert {"RS256", "ES256"} <= set(found["authorization_signing_alg_values_supported"])
    assert "ECDH-ES" in found["authorization_encryption_alg_values_supported"]
    assert "A128CBC-HS256" in found["authorization_encryption_enc_values_supported"]
