"""The main job: a code, tokens, userinfo (OIDC Core §3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from joserfc import jwt
from joserfc.jwk import KeySet

from tests.support.town import ISSUER, Proof, answer_parameters

if TYPE_CHECKING:
    from tests.support.town import Town


def test_a_resident_signs_in_agrees_and_the_client_learns_who_it_is(town_both_ways: Town) -> None:
    """OIDC Core §3.1: the ID token says who signed in, userinfo says what was agreed."""
    town = town_both_ways
    tokens = town.tokens(town.library, town.maria)
    keys = KeySet.import_key_set(town.app.test_client().get("/jwks", base_url=ISSUER).json)
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["ES256"]).claims
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (ISSUER, "library", "no")
    assert claims["amr"] == ["pwd"]
    userinfo = town.userinfo(tokens["access_token"]).json
    assert userinfo["sub"] == claims["sub"]
    assert (userinfo["name"], userinfo["email"]) == ("Maria Okafor", "maria@example.org")
    assert userinfo["email_verified"] is True
    assert "birthdate" not in userinfo
    assert "name" not in claims


def test_a_second_partner_needs_no_second_sign_in(town: Town) -> None:
    """Journey 1: one login; the other service's page is shown at once."""
    browser = town.browser()
    browser.code(town.library, town.maria, "openid profile", Proof())
    answer = browser.follow(browser.authorize(town.tax, "openid email", Proof()))
    assert 'action="/consent"' in answer.text
    assert "code" in answer_parameters(browser.follow(browser.allow()))


def test_two_partners_of_different_sectors_know_different_subjects(town: Town) -> None:
    """OIDC Core §8.1: pairwise subjects cannot be joined."""
    one = town.userinfo(town.tokens(town.library, town.maria)["access_token"]).json["sub"]
    other = town.userinfo(town.tokens(town.tax, town.maria)["access_token"]).json["sub"]
    again = town.userinfo(town.tokens(town.library, town.maria)["access_token"]).json["sub"]
    assert one != other
    assert one == again


def test_a_request_sent_partly_in_the_address_leads_to_the_sign_in_page(town_both_ways: Town) -> None:
    """OIDC Core §3.1.2.1: a POST counts with both its parts, also when a person must act first."""
    town, proof = town_both_ways, Proof()
    browser = town.browser()
    body = {
        "response_type": "code",
        "redirect_uri": town.library.redirect_uri,
        "scope": "openid",
        "code_challenge": proof.challenge,
        "code_challenge_method": "S256",
    }
    answer = browser.follow(browser.post(f"/authorize?client_id={town.library.client_id}", body))
    assert 'action="/login"' in answer.text
