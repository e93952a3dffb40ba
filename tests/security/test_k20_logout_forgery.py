"""K20: nobody is signed out by another site; without proof a page asks first."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from idp.clients.metadata import Details, NewClient
from idp.login.models import BrowserSession
from idp.oidc.subjects import sid_for
from tests.support.town import ISSUER, START, Proof, hidden_fields

if TYPE_CHECKING:
    from tests.support.town import Browser, Town


@pytest.fixture
def signed_in(town: Town) -> tuple[Browser, str]:
    """Maria's browser, and the ID token that the library got for this very session."""
    browser, proof = town.browser(), Proof()
    code = browser.code(town.library, town.maria, "openid profile", proof)
    return browser, town.redeem(town.library, code, proof).json["id_token"]


def hints(town: Town, id_token: str) -> dict[str, str]:
    """ID token hints that prove nothing about this session."""
    head, body, signature = id_token.split(".")
    claims = {"iss": ISSUER, "aud": "library", "sid": "x" * 22, "exp": START + 600, "iat": START, "sub": "x"}
    sid = sid_for(town.context.vault, "library", town.rows(BrowserSession)[0].sid)
    stolen = {**claims, "sid": sid}
    other = ECKey.generate_key("P-256")
    return {
        "no hint": "",
        "another resident's": town.tokens(town.library, town.jun, "openid")["id_token"],
        "broken signature": f"{head}.{body}.{'A' * len(signature)}",
        "no signature": f"{head}.{body}.",
        "another key": jwt.encode({"alg": "ES256"}, stolen, other),
        "no JWT": "a.b.c",
        "long": "A" * 20_000,
        "not ASCII": "é" * 40,
    }


def test_without_proof_a_page_asks_and_the_session_lives(town: Town, signed_in: tuple[Browser, str]) -> None:
    """RP-Initiated Logout §2: no hint, or one that is forged or somebody else's, ends nothing."""
    browser, id_token = signed_in
    for name, hint in hints(town, id_token).items():
        values = {"id_token_hint": hint, "post_logout_redirect_uri": "https://rp.example/bye"}
        answers = [browser.post("/logout", values)]
        if len(hint) < 10_000:
            answers.append(browser.get(f"/logout?{urlencode(values)}"))
        for answer in answers:
            assert answer.status_code == 200, name
            assert 'id="logout-confirm"' in answer.text, name
            assert not answer.headers.getlist("Set-Cookie"), name
    assert browser.get("/account").status_code == 200


def test_an_expired_hint_is_no_proof(town: Town, signed_in: tuple[Browser, str]) -> None:
    """A token from the browser's history does not end today's session."""
    browser, id_token = signed_in
    town.clock.advance(town.settings.tokens.id_token_for + 1)
    answer = browser.get(f"/logout?{urlencode({'id_token_hint': id_token})}")
    assert 'id="logout-confirm"' in answer.text
    assert browser.get("/account").status_code == 200


def test_a_hint_of_an_earlier_session_is_no_proof(town: Town, signed_in: tuple[Browser, str]) -> None:
    """The hint must be of this very session, not only of this resident."""
    browser, id_token = signed_in
    browser.get("/login")
    browser.sign_in(town.maria)
    answer = browser.get(f"/logout?{urlencode({'id_token_hint': id_token})}")
    assert 'id="logout-confirm"' in answer.text
    assert browser.get("/account").status_code == 200


def test_the_sessions_own_fresh_hint_ends_it_and_leads_back(
    town: Town, signed_in: tuple[Browser, str]
) -> None:
    """The resident pressed sign out at the partner: that is answered without a question."""
    browser, id_token = signed_in
    values = {"id_token_hint": id_token, "post_logout_redirect_uri": "https://rp.example/bye", "state": "s t"}
    answer = browser.get(f"/logout?{urlencode(values)}")
    assert answer.headers["Location"] == "https://rp.example/bye?state=s+t"
    assert browser.get("/account").status_code == 303


def test_the_confirmation_cannot_come_from_another_site(signed_in: tuple[Browser, str]) -> None:
    """`confirm=yes` counts only with this browser's form token, from a page of ours."""
    browser, _ = signed_in
    token = hidden_fields(browser.get("/logout").text, "/logout")["csrf_token"]
    for sent, headers in (
        (None, {}),
        ("0" * 64, {}),
        (token, {"Origin": "https://evil.example"}),
        (token, {"Sec-Fetch-Site": "cross-site"}),
    ):
        fields = {"confirm": "yes", **({"csrf_token": sent} if sent else {})}
        answer = browser.post("/logout", fields, headers=headers)
        assert 'id="logout-confirm"' in answer.text, (sent, headers)
        assert browser.get("/account").status_code == 200


def test_a_cross_site_post_does_not_make_the_browser_forget_its_session(
    town: Town, signed_in: tuple[Browser, str]
) -> None:
    """CVE-2020-10734: such a POST comes without the Lax cookie, but its answer could still remove that cookie."""
    _, id_token = signed_in
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for values in ({}, {"id_token_hint": id_token}, {"confirm": "yes", "id_token_hint": id_token}):
        client = town.app.test_client(use_cookies=False)
        answer = client.post("/logout", base_url=ISSUER, data=values, headers=foreign)
        assert answer.status_code in (200, 303)
        assert not [c for c in answer.headers.getlist("Set-Cookie") if "denizen-session" in c], values
    assert town.rows(BrowserSession)[0].ended_at is None


TARGETS = [
    "https://evil.example/",
    "https://rp.example/bye/",
    "https://rp.example/bye?x=1",
    "https://rp.example@evil.example/bye",
    "//evil.example",
    "/x",
]


def test_logout_leads_to_registered_addresses_only(town: Town, signed_in: tuple[Browser, str]) -> None:
    """RP-Initiated Logout §3: an address is compared byte by byte, or nobody is sent anywhere and nothing ends."""
    browser, id_token = signed_in
    for target in TARGETS:
        values = {"id_token_hint": id_token, "post_logout_redirect_uri": target}
        answer = browser.get(f"/logout?{urlencode(values)}")
        assert answer.status_code == 400, target
        assert "Location" not in answer.headers
        assert "evil.example" not in answer.headers["Content-Security-Policy"]
        assert 'http-equiv="refresh"' not in answer.text
    assert browser.get("/account").status_code == 200


def test_nobody_is_led_away_by_a_request_without_proof(town: Town, signed_in: tuple[Browser, str]) -> None:
    """Not even to a registered address, where the hint is none of ours: neither before the question nor after it."""
    browser, id_token = signed_in
    values = {"post_logout_redirect_uri": "https://rp.example/bye"}
    for name, hint in hints(town, id_token).items():
        asked = {**values, **({"id_token_hint": hint} if hint else {})}
        if name != "another resident's" and len(hint) < 10_000:
            answer = town.browser().get(f"/logout?{urlencode(asked)}")
            assert answer.headers["Location"] == "/logged-out", name
    browser.get(f"/logout?{urlencode({**values, 'id_token_hint': 'a.b.c', 'client_id': 'library'})}")
    assert browser.submit("/logout").headers["Location"] == "/logged-out"


def test_no_partner_is_told_before_the_resident_has_confirmed(
    town: Town, signed_in: tuple[Browser, str]
) -> None:
    """A forced sign-out would else reach every partner of the session, by frames or behind the browser."""
    uri = "https://pool.example/front"
    pool = NewClient(
        "Pool", ("https://pool.example/cb",), client_id="pool", details=Details(frontchannel_logout_uri=uri)
    )
    partner = town.add_client(pool, basis="public_task", required=("name",))
    town.fresh()
    browser, _ = signed_in
    browser.code(partner, town.maria, "openid", Proof())
    for fields in ({}, {"confirm": "yes"}, {"confirm": "yes", "csrf_token": "0" * 64}):
        answer = browser.post("/logout", fields, headers={"Sec-Fetch-Site": "cross-site"})
        assert uri not in answer.text
        assert "frame-src" not in answer.headers["Content-Security-Policy"]
    assert all(row.ended_at is None and row.told_at is None for row in town.rows(BrowserSession))
    browser.get("/logout")
    answer = browser.submit("/logout")
    assert f'src="{uri}?iss=' in answer.text
    assert "frame-src https://pool.example; " in answer.headers["Content-Security-Policy"]
    assert 'sandbox="allow-same-origin allow-scripts"' in answer.text
