"""A provider, or somebody between us and it, that does what it must not: nobody is signed in, and what waits waits on."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from joserfc.jwk import ECKey

from idp.login.budgets.rules import PLANS
from idp.login.models import BrowserSession
from idp.login.upstream.models import UpstreamArrival, UpstreamIdentity, UpstreamState
from tests.idp.login.upstream.provider import KEYS, Provider, connected_town
from tests.idp.login.upstream.test_signing_in import link
from tests.support.nodes import another_node
from tests.support.town import Proof, Town, code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from werkzeug.test import TestResponse

    from tests.support.tls import Authority
    from tests.support.town import Browser

    Connect = Callable[..., tuple[Town, Provider]]

HOUR = 3600


def encoded(value: object) -> str:
    text = json.dumps(value).encode() if not isinstance(value, bytes) else value
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def unsigned(alg: str) -> Callable[[dict[str, Any]], str]:
    return lambda claims: f"{encoded({'alg': alg, 'typ': 'JWT'})}.{encoded(claims)}."


def by_hmac(key: bytes) -> Callable[[dict[str, Any]], str]:
    """The classic confusion: the public key taken as a shared secret (CVE-2024-37568)."""

    def sign(claims: dict[str, Any]) -> str:
        text = f"{encoded({'alg': 'HS256', 'kid': KEYS[0].kid})}.{encoded(claims)}"
        return f"{text}.{encoded(hmac.digest(key, text.encode(), hashlib.sha256))}"

    return sign


def by_stranger(**header: Any) -> Callable[[dict[str, Any]], str]:
    """Signed by a key that the token itself brings along (CVE-2026-27962)."""
    key = ECKey.generate_key("P-256", {"kid": KEYS[0].kid})

    def sign(claims: dict[str, Any]) -> str:
        from joserfc.jws import JWSRegistry

        brought = {"jwk": key.as_dict(private=False)} if header.get("jwk") else {}
        head = {"alg": "ES256", "kid": KEYS[0].kid, **header, **brought}
        text = f"{encoded(head)}.{encoded(claims)}"
        return f"{text}.{encoded(JWSRegistry.algorithms['ES256'].sign(text.encode(), key))}"

    return sign


def assert_nobody_came_in(
    town: Town, browser: Browser, answer: TestResponse, problem: str = "refused"
) -> None:
    """Back at the sign-in page with one text for all causes; no session, no connection, no newcomer."""
    assert answer.status_code == 303, answer.text[:3000]
    assert answer.headers["Location"].startswith("/login?"), answer.headers["Location"]
    assert f"problem={problem}" in answer.headers["Location"]
    assert browser.follow(answer).status_code == 200
    for model in (BrowserSession, UpstreamIdentity, UpstreamArrival):
        assert town.rows(model) == [], model


CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "the issuer with a slash": {"iss": "SELF/"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "somebody-else"},
    "an audience more": {"aud": ["riverton", "somebody-else"]},
    "no audience": {"aud": None},
    "an empty audience": {"aud": []},
    "another authorized party": {"azp": "somebody-else"},
    "another nonce": {"nonce": "n" * 43},
    "no nonce": {"nonce": None},
    "a nonce that is no text": {"nonce": 7},
    "no exp": {"exp": None},
    "exp in the past": {"exp": 1_800_000_000 - 61},
    "exp a text": {"exp": "2100-01-01"},
    "exp true": {"exp": True},
    "exp not a number": {"exp": float("nan")},
    "exp infinite": {"exp": float("inf")},
    "iat in the future": {"iat": 1_800_000_000 + 61},
    "iat before we asked": {"iat": 1_800_000_000 - 61},
    "no iat": {"iat": None},
    "nbf in the future": {"nbf": 1_800_000_000 + 61},
    "an old sign-in although a new one was asked for": {"auth_time": 1_800_000_000 - HOUR},
    "a sign-in before we asked": {"auth_time": 1_800_000_000 - 61},
    "a sign-in to come": {"auth_time": 1_800_000_000 + 61},
    "no time of the sign-in although a new one was asked for": {"auth_time": None},
    "the time of the sign-in a text": {"auth_time": "1800000000"},
    "no sub": {"sub": None},
    "an empty sub": {"sub": ""},
    "sub a number": {"sub": 7},
    "sub too long": {"sub": "x" * 256},
    "sub in other letters": {"sub": "pérson"},
    "another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
def test_an_id_token_with_a_wrong_claim_is_refused(connect: Connect, claims: dict[str, Any]) -> None:
    """OIDC Core §3.1.3.7, each step; K40: numbers only, a minute of leeway."""
    town, provider = connect()
    provider.claims = {
        name: provider.issuer + "/" if value == "SELF/" else value for name, value in claims.items()
    }
    browser = town.browser()
    assert_nobody_came_in(town, browser, provider.sign_in(browser))


def test_who_brings_made_up_codes_is_sent_back_before_the_provider_hears_of_them(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else strangers would have the provider shut out the whole town. Others, and known devices beside them, come in."""
    monkeypatch.setitem(PLANS, "upstream", replace(PLANS["upstream"], source=5))
    town, provider = connect()
    home = link(town, provider, town.maria)
    before = provider.hits.count("/token")
    answer = 400, {"Content-Type": "application/json"}, b'{"error": "invalid_grant"}'
    provider.responses["/token"] = answer
    for number in range(8):
        problem = "refused" if number < 5 else "throttled"
        assert f"problem={problem}" in provider.sign_in(browser := town.browser()).headers["Location"]
    assert "There is a problem" in browser.follow().text
    assert provider.hits.count("/token") == before + 5
    del provider.responses["/token"]
    assert provider.sign_in(home).headers["Location"] == "/account"
    elsewhere = town.browser()
    elsewhere.http.environ_base["REMOTE_ADDR"] = "198.51.100.7"
    assert provider.sign_in(elsewhere).headers["Location"] == "/account"


TOKENS: dict[str, Callable[[dict[str, Any]], str]] = {
    "none": unsigned("none"),
    "nOnE": unsigned("nOnE"),
    "HS256 by the public key as PEM": by_hmac(KEYS[0].as_pem(private=False)),
    "HS256 by the public key as JWK": by_hmac(json.dumps(KEYS[0].as_dict(private=False)).encode()),
    "HS256 by our secret": by_hmac(b"s3cret & more"),
    "HS256 by nothing": by_hmac(b""),
    "a key of its own in the header": by_stranger(jwk=True),
    "a key at an address in the header": by_stranger(jku="https://evil.example/jwks"),
    "a certificate at an address": by_stranger(x5u="https://evil.example/cert"),
    "another key under the same name": by_stranger(),
    "kid of a path": by_stranger(kid="../../dev/null"),
    "kid of 10 KB": by_stranger(kid="k" * 10_000),
    "kid no text": by_stranger(kid={"a": 1}),
    "no token at all": lambda _: "hello",
    "empty parts": lambda _: "..",
    "five parts": lambda _: "a.b.c.d.e",
    "header no object": lambda claims: f"{encoded([1])}.{encoded(claims)}.",
    "header no JSON": lambda claims: f"{encoded(b'{')}.{encoded(claims)}.",
    "letters that are no base64url": lambda _: "é.é.é",
}


@pytest.mark.parametrize("make", TOKENS.values(), ids=TOKENS)
def test_an_id_token_that_is_not_signed_by_the_published_key_is_refused(
    connect: Connect, make: Callable[[dict[str, Any]], str]
) -> None:
    """K11: the algorithm is fixed by the operator, the key chosen by us from the published set."""
    town, provider = connect()
    provider.make_id_token = make
    browser = town.browser()
    assert_nobody_came_in(town, browser, provider.sign_in(browser))
    assert set(provider.hits) <= {"/.well-known/openid-configuration", "/token", "/jwks"}


@pytest.mark.parametrize(
    "header",
    [{"typ": "logout+jwt"}, {"typ": "at+jwt"}, {"typ": 7}, {"crit": ["b64"], "b64": False}, {"alg": "ES384"}],
    ids=str,
)
def test_a_well_signed_token_of_another_kind_is_refused(connect: Connect, header: dict[str, Any]) -> None:
    """RFC 8725 §3.11, RFC 7515 §4.1.11."""
    town, provider = connect()
    provider.header = header
    browser = town.browser()
    assert_nobody_came_in(town, browser, provider.sign_in(browser))


JSON = {"Content-Type": "application/json"}
RESPONSES: dict[str, tuple[str, tuple[int, dict[str, str], bytes], str]] = {
    "the code is refused": ("/token", (400, JSON, b'{"error": "invalid_grant"}'), "refused"),
    "no ID token": ("/token", (200, JSON, b'{"access_token": "at", "token_type": "Bearer"}'), "refused"),
    "no JSON": ("/token", (200, JSON, b"<html>"), "silent"),
    "a list": ("/token", (200, JSON, b"[]"), "silent"),
    "a redirect": ("/token", (302, {"Location": "https://localhost/elsewhere"}, b"{}"), "refused"),
    "out of order": ("/token", (500, JSON, b"oops"), "silent"),
    "too much": ("/token", (200, JSON, b'{"id_token": "' + b"x" * 70_000 + b'"}'), "silent"),
    "no keys": ("/jwks", (200, JSON, b'{"keys": []}'), "refused"),
    "keys that are none": ("/jwks", (200, JSON, b'{"keys": [1, {"kty": "EC"}, {"kty": "oct"}]}'), "refused"),
    "a key set that is none": ("/jwks", (200, JSON, b"[]"), "silent"),
    "a key set out of order": ("/jwks", (503, JSON, b"{}"), "silent"),
}


@pytest.mark.parametrize(("path", "response", "problem"), RESPONSES.values(), ids=RESPONSES)
def test_an_endpoint_that_answers_badly_is_no_fault_of_ours(
    connect: Connect, path: str, response: tuple[int, dict[str, str], bytes], problem: str
) -> None:
    """Whatever a provider answers, the resident is back at the sign-in page, and nothing fails here."""
    town, provider = connect()
    provider.responses[path] = response
    browser = town.browser()
    assert_nobody_came_in(town, browser, provider.sign_in(browser), problem)


METADATA: dict[str, dict[str, Any]] = {
    "another issuer": {"issuer": "https://evil.example"},
    "the issuer with a slash": {"issuer": "SELF/"},
    "no issuer": {"issuer": None},
    "no token endpoint": {"token_endpoint": None},
    "a plain token endpoint": {"token_endpoint": "http://localhost/token"},
    "an authorization endpoint that is a script": {"authorization_endpoint": "javascript:alert(1)"},
    "an authorization endpoint without a host": {"authorization_endpoint": "https:///authorize"},
    "keys in a file": {"jwks_uri": "file:///etc/passwd"},
    "no PKCE": {"code_challenge_methods_supported": ["plain"]},
}


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA)
def test_a_discovery_document_that_does_not_fit_sends_nobody_anywhere(
    connect: Connect, metadata: dict[str, Any]
) -> None:
    """OIDC Discovery §4.3: the issuer letter by letter; https everywhere; PKCE with S256."""
    town, provider = connect()
    provider.metadata = {k: provider.issuer + "/" if v == "SELF/" else v for k, v in metadata.items()}
    browser = town.browser()
    browser.get("/login")
    answer = browser.get("/login/upstream/neighbour?flow=&next=&wanted=")
    assert_nobody_came_in(town, browser, answer, "silent")


def test_a_provider_that_is_away_is_left_alone_for_a_while(connect: Connect) -> None:
    """A silent provider costs one of our threads once, not once a visitor; then it is asked again."""
    town, provider = connect()
    provider.server.__exit__()
    browser = town.browser()
    upstream = town.app.extensions["denizen.upstream"]["neighbour"]
    asked: list[str] = []
    get = upstream._fetcher.get

    def counted(url: str, **more: Any) -> Any:
        asked.append(url)
        return get(url, **more)

    object.__setattr__(upstream._fetcher, "get", counted)
    for _ in range(3):
        assert_nobody_came_in(town, browser, browser.get("/login/upstream/neighbour"), "silent")
    assert len(asked) == 1
    upstream._silent_since -= 11
    browser.get("/login/upstream/neighbour")
    assert len(asked) == 2
    provider.server = type(provider.server)(provider.authority, provider._respond)
    with provider.server:
        pass


# --- the answer that the browser brings ---


def test_a_mix_up_is_noticed_before_the_code_goes_anywhere(connect: Connect) -> None:
    """RFC 9700 §4.4, RFC 9207: an answer in another issuer's name is worth nothing; no token request is made."""
    town, provider = connect()
    browser = town.browser()
    for iss in ("https://evil.example", provider.issuer + "/", ""):
        assert_nobody_came_in(town, browser, provider.sign_in(browser, iss=iss or "-"))
    assert provider.forms == []


def test_a_provider_that_names_itself_must_do_so_always(connect: Connect) -> None:
    """RFC 9207 §2.4: who announces `iss` and leaves it out is somebody else."""
    town, provider = connect()
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    browser = town.browser()
    assert_nobody_came_in(town, browser, provider.sign_in(browser, iss=None))
    assert provider.forms == []


def test_a_state_is_good_in_its_browser_at_its_provider_and_once(
    database_url: str, tmp_path: Path, authority: Authority
) -> None:
    """Login CSRF, code injection, mix-up, replay: no token request for any of them (RFC 9700 §4.5, §4.7)."""
    provider = Provider(authority, lambda: town.clock())  # noqa: PLW0108 - the town is made afterwards
    other = Provider(authority, lambda: town.clock())  # noqa: PLW0108
    with provider.server, other.server:
        town = connected_town(database_url, tmp_path, authority, provider, other)
        browser, thief = town.browser(), town.browser()
        provider.leave(browser)
        thief.get("/login")
        for answer in (
            provider.come_back(thief),
            provider.come_back(browser, "other", iss=other.issuer),
            provider.come_back(browser, state=secrets.token_urlsafe(32)),
            provider.come_back(browser, state=None),
            provider.come_back(browser, state="x" * 5000),
            browser.get(f"/login/upstream/neighbour/callback?state=x&state={provider.asked['state']}&code=c"),
            browser.get(f"/login/upstream/neighbour/callback?state={provider.asked['state']}&code=c&code=d"),
        ):
            assert answer.status_code == 400, answer.headers
        assert provider.forms == other.forms == []
        assert provider.come_back(browser).status_code == 303
        assert len(provider.forms) == 1
        again = provider.come_back(browser)
        assert again.status_code in (303, 400)
        assert len(provider.forms) == 1
        town.context.database.close()


def test_an_answer_that_comes_too_late_is_refused(connect: Connect) -> None:
    """Half an hour at the provider is enough; a clock that is set back revives nothing (K40)."""
    town, provider = connect()
    browser = town.browser()
    provider.leave(browser)
    town.clock.advance(1800)
    assert provider.come_back(browser).status_code == 400
    town.clock.advance(-HOUR)
    assert provider.come_back(browser).status_code == 400
    assert provider.forms == []
    town.clock.advance(HOUR)
    provider.leave(browser)
    assert provider.come_back(browser).status_code == 303
    town.clock.advance(-HOUR)
    assert provider.come_back(browser).status_code in (303, 400)
    assert len(provider.forms) == 1


def test_two_nodes_spend_a_state_once(connect: Connect) -> None:
    """The state is a row of the town, not of a process."""
    town, provider = connect()
    browser = town.browser()
    provider.leave(browser)
    with another_node(town) as node:
        node.app.extensions["denizen.upstream"] = town.app.extensions["denizen.upstream"]
        elsewhere = node.browser()
        elsewhere.http._cookies = browser.http._cookies
        assert provider.come_back(elsewhere).status_code == 303
        provider.come_back(browser)
    assert len(provider.forms) == 1
    assert [row.spent_at is not None for row in town.rows(UpstreamState)] == [True]


def test_after_a_refusal_the_partner_is_still_served(connect: Connect) -> None:
    """The original request is never lost: another way in answers it."""
    town, provider = connect()
    provider.claims = {"nonce": "other"}
    browser, proof = town.browser(), Proof()
    page = browser.follow(browser.authorize(town.library, "openid", proof))
    browser.follow(provider.sign_in(browser, page))
    answer = browser.follow(browser.sign_in(town.maria))
    if 'action="/consent"' in answer.text:
        answer = browser.follow(browser.allow())
    assert town.redeem(town.library, code_of(answer), proof).status_code == 200


def test_userinfo_about_another_person_is_refused(connect: Connect) -> None:
    """OIDC Core §5.3.2: the same sub, or nothing of it is used."""
    town, provider = connect(newcomers="create")
    provider.userinfo = {"sub": "somebody-else", "email": "zoe@example.org"}
    browser = town.browser()
    assert_nobody_came_in(town, browser, provider.sign_in(browser))


def test_an_unlisted_level_is_refused_where_the_town_says_so(connect: Connect) -> None:
    """other_levels = refuse: an unknown acr, or none, signs nobody in."""
    town, provider = connect(other_levels="refuse")
    browser = town.browser()
    for acr in ("unheard-of", None, ["two-factors"]):
        provider.claims = {"acr": acr}
        assert_nobody_came_in(town, browser, provider.sign_in(browser))


def test_somebody_elses_arrival_is_of_no_use(connect: Connect) -> None:
    """Session fixation the other way round: a handle of the attacker's browser connects nothing in the resident's."""
    town, provider = connect()
    attacker = town.browser()
    landed = provider.sign_in(attacker)
    arrival = landed.headers["Location"].partition("arrival=")[2].partition("#")[0]
    victim = town.browser()
    victim.sign_in(town.maria)
    assert victim.get(f"/login/upstream/neighbour/new?arrival={arrival}").status_code == 400
    assert victim.get(f"/account/connect/{arrival}").status_code == 400
    assert town.rows(UpstreamIdentity) == []


@pytest.fixture(autouse=True)
def _nothing_fails_here(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No refusal is an error of ours, and no log line holds what was exchanged."""
    yield
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "failed reference" not in said
    assert "the-code" not in said
    assert "person-1" not in said
