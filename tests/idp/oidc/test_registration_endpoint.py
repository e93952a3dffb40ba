"""Clients that register themselves, look after their registration, and wait for approval where nobody vouches for them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from idp.clients.initial_tokens import make_initial_token
from idp.clients.metadata import DEVICE_GRANT
from idp.clients.models import ClientRow, InitialToken, Partner
from idp.clients.service import add_partner, approve_client
from idp.oidc.models import Grant
from idp.oidc.service import revoke_grants
from tests.support import town as towns
from tests.support.proving import jwks, key_for
from tests.support.town import ISSUER, Proof, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from werkzeug.test import TestResponse

    from tests.support.founding import Founding
    from tests.support.town import Town

CALLBACK = "https://pool.example/cb"
POOL: dict[str, Any] = {"client_name": "Pool", "redirect_uris": [CALLBACK]}
#: What a client may not have, and the error it is told (RFC 7591 §3.2.2).
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no address": ({"redirect_uris": None}, "invalid_client_metadata"),
    "an address with a fragment": ({"redirect_uris": [CALLBACK + "#x"]}, "invalid_redirect_uri"),
    "an address that is script": ({"redirect_uris": ["JaVaScRiPt:alert(1)"]}, "invalid_redirect_uri"),
    "an address that is data": ({"redirect_uris": ["data:text/html,x"]}, "invalid_redirect_uri"),
    "any address": ({"redirect_uris": ["https://*.example/cb"]}, "invalid_redirect_uri"),
    "a user name": ({"redirect_uris": ["https://pool.example@evil.example/"]}, "invalid_redirect_uri"),
    "plain http": ({"redirect_uris": ["http://pool.example/cb"]}, "invalid_redirect_uri"),
    "addresses that are no array": ({"redirect_uris": CALLBACK}, "invalid_redirect_uri"),
    "addresses that are no texts": ({"redirect_uris": [1]}, "invalid_redirect_uri"),
    "an address with NUL": ({"redirect_uris": ["https://pool.example/\0"]}, "invalid_redirect_uri"),
    "a text with NUL": ({"software_id": "a\0b"}, "invalid_client_metadata"),
    "keys that are nested too deeply": (
        {"jwks": {**jwks(key_for("ES256")), "z": json.loads("[" * 252 + "]" * 252)}},
        "invalid_client_metadata",
    ),
    "no algorithm": ({"id_token_signed_response_alg": "none"}, "invalid_client_metadata"),
    "a symmetric algorithm": ({"id_token_signed_response_alg": "HS256"}, "invalid_client_metadata"),
    "unsigned request objects": ({"request_object_signing_alg": "none"}, "invalid_client_metadata"),
    "unsigned assertions": (
        {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "none"},
        "invalid_client_metadata",
    ),
    "a public subject": ({"subject_type": "public"}, "invalid_client_metadata"),
    "tokens of its own": ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
    "a password grant": ({"grant_types": ["password"]}, "invalid_client_metadata"),
    "tokens in front of the browser": (
        {"response_types": ["id_token token"], "grant_types": ["implicit"]},
        "invalid_client_metadata",
    ),
    "types that do not match grants": (
        {"response_types": ["code id_token"]},
        "invalid_client_metadata",
    ),
    "keys in two places": (
        {"jwks": jwks(key_for("ES256")), "jwks_uri": "https://pool.example/jwks"},
        "invalid_client_metadata",
    ),
    "a private key": (
        {"jwks": {"keys": [key_for("ES256").as_dict(private=True)]}},
        "invalid_client_metadata",
    ),
    "keys that are none": ({"jwks": {"keys": [{"kty": "x"}]}}, "invalid_client_metadata"),
    "assertions without keys": ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
    "an unknown method": ({"token_endpoint_auth_method": "magic"}, "invalid_client_metadata"),
    "third-party sign-in by plain http": (
        {"initiate_login_uri": "http://pool.example/login"},
        "invalid_client_metadata",
    ),
    "a script as policy": ({"policy_uri": "javascript:alert(1)"}, "invalid_client_metadata"),
    "a name that turns the line around": ({"client_name": "Tax\u202eeciffo"}, "invalid_client_metadata"),
    "a name of nothing": ({"client_name": "   "}, "invalid_client_metadata"),
    "an endless name": ({"client_name": "x" * 121}, "invalid_client_metadata"),
    "a name that is a number": ({"client_name": 1}, "invalid_client_metadata"),
    "a time that is none": ({"default_max_age": -1}, "invalid_client_metadata"),
    "a flag that is none": ({"dpop_bound_access_tokens": "perhaps"}, "invalid_client_metadata"),
    "a software statement": ({"software_statement": "e30.e30.x"}, "invalid_software_statement"),
}


@pytest.fixture
def opened(database_url: str, founding: Founding, tmp_path: Path) -> Iterator[Town]:
    """A town in which anybody may register a client."""
    made = make_town(
        database_url, tmp_path, founding=founding, registration={"mode": "open", "per_source": 1000}
    )
    yield made
    made.context.database.close()


@pytest.fixture
def guarded(database_url: str, founding: Founding, tmp_path: Path) -> Iterator[Town]:
    """A town in which whoever holds a token may register a client."""
    made = make_town(database_url, tmp_path, founding=founding, registration={"mode": "token"})
    yield made
    made.context.database.close()


def call(town: Town, method: str, path: str, token: str | None = None, json: Any = None) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return town.app.test_client(use_cookies=False).open(
        path, method=method, headers=headers, json=json, base_url=ISSUER
    )


def register(town: Town, token: str | None = None, **change: Any) -> TestResponse:
    return call(town, "POST", "/register", token, {**POOL, **change})


def initial_token(town: Town, *, uses: int = 1, profile: str = "standard") -> str:
    now = int(town.clock())
    with town.context.database.transaction() as session:
        partner = add_partner(session, "Swimming Club", now=now)
        return make_initial_token(session, partner, profile=profile, uses=uses, expires_at=now + 100, now=now)


def _partner(made: dict[str, Any]) -> towns.Partner:
    return towns.Partner(
        made["client_id"], made.get("client_secret"), made["token_endpoint_auth_method"], CALLBACK
    )


def _manage(town: Town, made: dict[str, Any], method: str, token: str | None = None, json: Any = None) -> Any:
    path = made["registration_client_uri"].removeprefix(ISSUER)
    return call(town, method, path, token or made["registration_access_token"], json)


def test_nobody_registers_where_registration_is_closed(town: Town) -> None:
    """The default: the town registers clients."""
    assert register(town).status_code == 403
    assert register(town, initial_token(town)).status_code == 403
    assert "registration_endpoint" not in call(town, "GET", "/.well-known/openid-configuration").json


def test_a_registered_client_signs_a_resident_in_but_learns_nothing_before_it_is_approved(
    opened: Town,
) -> None:
    """RFC 7591 §3.2.1, K33: pending, so no purpose counts; its name and address are known to nobody yet."""
    answer = register(opened, scope="openid email profile")
    made = answer.json
    assert answer.status_code == 201
    assert made["client_secret_expires_at"] == 0
    assert len(made["client_secret"]) == len(made["registration_access_token"]) == 43
    assert made["registration_client_uri"] == f"{ISSUER}/register/{made['client_id']}"
    assert (made["redirect_uris"], made["subject_type"]) == ([CALLBACK], "pairwise")
    assert made["id_token_signed_response_alg"] == "RS256"
    declare(opened, made["client_id"])
    tokens = opened.tokens(_partner(made), opened.maria, "openid email profile")
    assert set(opened.userinfo(tokens["access_token"]).json) == {"sub"}
    with opened.context.database.transaction() as session:
        assert approve_client(session, made["client_id"], now=1)
        assert not approve_client(session, "nobody", now=1)
    opened.fresh()
    tokens = opened.tokens(_partner(made), opened.maria, "openid email profile")
    assert opened.userinfo(tokens["access_token"]).json["email"] == "maria@example.org"


def declare(town: Town, client_id: str) -> None:
    """A purpose, such as a review gives."""
    from consent.purposes import NoticeText, declare_purpose, publish_notice

    now, key = int(town.clock()), town.context.vault.subkey("log")
    with town.context.database.transaction() as session:
        purpose = declare_purpose(
            session,
            log_key=key,
            client_id=client_id,
            key="main",
            basis="public_task",
            required_claims=("email",),
            optional_claims=(),
            now=now,
        )
        text = {"en": NoticeText("Pool", "Because.", "A year.", "Nobody.")}
        publish_notice(session, log_key=key, purpose_id=purpose, texts=text, material=True, now=now)
    town.fresh()


def test_what_is_asked_for_is_echoed_and_kept(opened: Town) -> None:
    """RFC 7591 §2, §2.2, OIDC Registration §2, RFC 9126, 9449: all of it, in every language."""
    wanted = {
        "client_name#fr": "Piscine",
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "PS256",
        "jwks": jwks(key_for("PS256")),
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "contacts": ["help@pool.example"],
        "logo_uri": "https://pool.example/logo.png",
        "policy_uri": "https://pool.example/policy",
        "tos_uri#de-CH": "https://pool.example/agb",
        "initiate_login_uri": "https://pool.example/login",
        "request_uris": ["https://pool.example/request#x"],
        "userinfo_signed_response_alg": "ES256",
        "id_token_encrypted_response_alg": "RSA-OAEP",
        "default_max_age": 300,
        "require_auth_time": True,
        "default_acr_values": ["strong"],
        "dpop_bound_access_tokens": True,
        "require_pushed_authorization_requests": True,
        "frontchannel_logout_uri": "https://pool.example/front",
        "backchannel_logout_uri": "https://pool.example/back",
        "backchannel_logout_session_required": True,
        "post_logout_redirect_uris": ["https://pool.example/bye"],
        "authorization_details_types": ["payment"],
        "software_id": "pool-1",
    }
    made = register(opened, **wanted, unheard_of="x", is_admin=True).json
    for name, value in wanted.items():
        assert made[name] == value, name
    assert "client_secret" not in made
    read = _manage(opened, made, "GET").json
    assert {name: read[name] for name in wanted} == wanted
    assert not {"unheard_of", "is_admin"} & (made.keys() | read.keys())


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_honoured_is_refused_with_its_error(opened: Town, name: str) -> None:
    """RFC 7591 §3.2.2; nothing is written."""
    before = len(opened.rows(ClientRow)), len(opened.rows(Partner))
    change, error = REFUSED[name]
    answer = register(opened, **change)
    assert (answer.status_code, answer.json["error"]) == (400, error), answer.json
    assert not set('"\\\r\n') & set(answer.json["error_description"])
    assert (len(opened.rows(ClientRow)), len(opened.rows(Partner))) == before


@pytest.mark.parametrize("body", ["", "x", "[]", "1", '{"a":' * 2000, "[" * 20_000], ids=range(6))
def test_what_is_no_json_object_is_refused(opened: Town, body: str) -> None:
    """Never a failure of ours."""
    answer = opened.app.test_client(use_cookies=False).post(
        "/register", data=body, content_type="application/json", base_url=ISSUER
    )
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_client_metadata")
    form = opened.app.test_client(use_cookies=False).post("/register", data=POOL, base_url=ISSUER)
    assert form.status_code == 400


def test_privileges_are_nothing_that_a_client_can_give_itself(opened: Town) -> None:
    """K32: whatever only an operator decides is passed over."""
    made = register(
        opened,
        profile="legacy",
        protects_scopes=["tax:read"],
        scope="openid tax:read admin",
        minimum_acr="basic",
        sector="rp.example",
        partner_id="x",
        approved_at=1,
        resource="https://api.example/",
        access_token_format="jwt",
        client_id="library",
        client_secret="known",
        purpose=[{"key": "x"}],
        localized={"client_name#fr": "x"},
    ).json
    row = next(row for row in opened.rows(ClientRow) if row.client_id == made["client_id"])
    assert made["client_id"] != "library"
    assert made["client_secret"] != "known"
    assert (row.profile, row.protects_scopes, row.scopes) == ("standard", [], ["openid"])
    assert (row.sector, row.approved_at, row.is_pairwise) == ("pool.example", None, True)
    assert not {"resource", "access_token_format", "localized"} & row.details.keys()


def test_a_token_registers_as_many_clients_as_it_says_for_its_partner(guarded: Town) -> None:
    """RFC 7591 §3: approved at once; a refused request does not use it up."""
    assert register(guarded).status_code == 401
    assert register(guarded, "x" * 43).status_code == 401
    token = initial_token(guarded, uses=2)
    assert register(guarded, token, redirect_uris=["x"]).status_code == 400
    made = register(guarded, token, grant_types=["client_credentials"], redirect_uris=[]).json
    assert guarded.call("/token", _partner(made), {"grant_type": "client_credentials"}).status_code == 200
    assert register(guarded, token).status_code == 201
    assert register(guarded, token).status_code == 401
    row = next(row for row in guarded.rows(ClientRow) if row.client_id == made["client_id"])
    assert row.approved_at == row.created_at
    assert guarded.app.extensions["denizen.oidc"].clients.name_of(row.client_id)[1] == "Swimming Club"
    late = initial_token(guarded)
    guarded.clock.advance(101)
    assert register(guarded, late).status_code == 401
    assert all(token.encode() not in bytes(row.token_hash) for row in guarded.rows(InitialToken))


def test_a_token_names_the_profile_of_its_clients(guarded: Town) -> None:
    """FAPI 2.0 clients prove themselves with a key; nothing weaker is registered for them."""
    token = initial_token(guarded, profile="fapi2")
    assert register(guarded, token).status_code == 400
    assert register(guarded, token, token_endpoint_auth_method="client_secret_basic").status_code == 400
    made = register(guarded, token, jwks=jwks(key_for("ES256"))).json
    assert made["token_endpoint_auth_method"] == "private_key_jwt"
    assert made["id_token_signed_response_alg"] == "ES256"


def test_a_client_reads_and_replaces_its_registration(opened: Town) -> None:
    """RFC 7592 §2.1, §2.2, §3: its token is, the secret never again; what is left out is gone."""
    made = register(opened, logo_uri="https://pool.example/l.png").json
    read = _manage(opened, made, "GET").json
    assert "client_secret" not in read
    assert read["registration_access_token"] == made["registration_access_token"]
    assert read["logo_uri"] == "https://pool.example/l.png"
    new = {**POOL, "client_id": made["client_id"], "client_name": "Pool II"}
    for wrong in (POOL, {**new, "client_id": "library"}, {**new, "client_secret": "x"}):
        assert _manage(opened, made, "PUT", json=wrong).status_code == 400
    put = _manage(opened, made, "PUT", json={**new, "client_secret": made["client_secret"]})
    assert (put.status_code, put.json["client_name"]) == (200, "Pool II")
    assert not {"client_secret", "logo_uri"} & put.json.keys()
    assert put.json["registration_access_token"] == made["registration_access_token"]
    opened.fresh()
    assert opened.call("/revoke", _partner(made), {"token": "x"}).status_code == 200
    changed = _manage(opened, made, "PUT", json={**new, "token_endpoint_auth_method": "client_secret_post"})
    assert changed.json["client_secret"] != made["client_secret"]
    opened.fresh()
    assert opened.call("/revoke", _partner(made), {"token": "x"}).status_code == 401


SAID = {
    "a device": {"grant_types": [DEVICE_GRANT, "refresh_token"], "token_endpoint_auth_method": "none"},
    "a device without more": {"grant_types": [DEVICE_GRANT], "redirect_uris": []},
    "for itself": {"grant_types": ["client_credentials"], "redirect_uris": []},
    "for residents": {"grant_types": ["authorization_code", "refresh_token"], "default_max_age": 60},
}


@pytest.mark.parametrize("name", SAID)
def test_what_a_client_reads_it_may_say_again(guarded: Town, name: str) -> None:
    """RFC 7592 §2.2: as it stands, and nothing changes; but no grant more than what somebody vouched for."""
    made = register(guarded, initial_token(guarded), **SAID[name]).json
    read = _manage(guarded, made, "GET").json
    put = _manage(guarded, made, "PUT", json=read)
    assert (put.status_code, put.json) == (200, read)
    more = {**read, "grant_types": [DEVICE_GRANT, "client_credentials"]}
    assert _manage(guarded, made, "PUT", json=more).status_code == 400
    assert _manage(guarded, made, "GET").json == read


def test_a_client_that_changes_after_its_review_waits_for_the_next(opened: Town) -> None:
    """K33: what was approved is what stands there."""
    made = register(opened).json
    opened.clock.advance(10)
    with opened.context.database.transaction() as session:
        approve_client(session, made["client_id"], now=int(opened.clock()))
    _manage(opened, made, "PUT", json={**POOL, "client_id": made["client_id"], "client_name": "Tax office"})
    row = next(row for row in opened.rows(ClientRow) if row.client_id == made["client_id"])
    assert row.approved_at is None


def test_a_client_cannot_take_anothers_sector_along(opened: Town) -> None:
    """OIDC Core §8.1: whoever moves to another host is another sector, or it would learn the subjects of the first."""
    made = register(opened, redirect_uris=["https://rp.example/x"]).json
    moved = {**POOL, "client_id": made["client_id"], "redirect_uris": ["https://evil.example/cb"]}
    assert _manage(opened, made, "PUT", json=moved).status_code == 200
    row = next(row for row in opened.rows(ClientRow) if row.client_id == made["client_id"])
    assert row.sector == "evil.example"


def _moved(town: Town, made: dict[str, Any], host: str) -> towns.Partner:
    """The same client at another host."""
    uri = f"https://{host}/cb"
    said = {**POOL, "client_id": made["client_id"], "redirect_uris": [uri]}
    assert _manage(town, made, "PUT", json=said).status_code == 200
    town.fresh()
    return replace(_partner(made), redirect_uri=uri)


def _sub(town: Town, partner: towns.Partner, browser: towns.Browser) -> str:
    proof = Proof()
    tokens = town.redeem(partner, browser.code(partner, town.maria, "openid", proof), proof).json
    found: str = town.userinfo(tokens["access_token"]).json["sub"]
    return found


def test_a_host_that_a_client_never_had_leaves_it_no_subject(opened: Town) -> None:
    """OIDC Core §8.1: a resident agrees while the client names another's host, which alone is answered; then it moves."""
    known = _sub(opened, _partner(register(opened).json), opened.browser())
    made = register(opened).json
    browser = opened.browser()
    assert browser.code(_partner(made), opened.maria, "openid", Proof())
    assert _sub(opened, _moved(opened, made, "evil.example"), browser) != known


def test_a_subject_that_a_client_was_told_stays_when_it_moves(opened: Town) -> None:
    """It had the host when it redeemed the code; its residents stay who they are, and are not asked again."""
    made = register(opened).json
    browser = opened.browser()
    known = _sub(opened, _partner(made), browser)
    moved = _moved(opened, made, "gym.example")
    proof = Proof()
    code = towns.code_of(browser.authorize(moved, "openid", proof, prompt="none"))
    tokens = opened.redeem(moved, code, proof).json
    assert opened.userinfo(tokens["access_token"]).json["sub"] == known


def test_who_still_knows_a_client_in_its_former_sector_gives_it_no_grant(opened: Town) -> None:
    """Nodes read clients again within a second: a grant for the former sector must not come after the move."""
    made = register(opened).json
    partner, browser = _partner(made), opened.browser()
    browser.follow(browser.authorize(partner, "openid", Proof()))
    page = browser.follow(browser.sign_in(opened.maria))
    assert 'action="/consent"' in page.text
    with opened.context.database.transaction() as session:  # another node, of which this one has not heard
        session.get_one(ClientRow, made["client_id"]).sector = "gym.example"
    answer = browser.follow(browser.allow())
    assert towns.answer_parameters(answer)["error"] == "temporarily_unavailable"
    assert opened.rows(Grant) == []


UNPROVEN: dict[str, dict[str, Any]] = {
    "a device": {"grant_types": [DEVICE_GRANT], "response_types": []},
    "a device besides": {"grant_types": ["authorization_code", DEVICE_GRANT]},
    "never answered": {"response_types": []},
    "refreshing alone": {"grant_types": ["refresh_token"]},
    "another host is told of sign-outs": {"backchannel_logout_uri": "https://evil.example/out"},
    "another host is told of withdrawals": {"events_uri": "https://evil.example/events"},
    "a scheme": {"redirect_uris": ["com.evil.app://pool.example/cb"], "application_type": "native"},
}


@pytest.mark.parametrize("name", UNPROVEN)
def test_a_host_is_the_sector_of_those_alone_who_learn_of_residents_there(guarded: Town, name: str) -> None:
    """OIDC Core §8.1: whoever could learn a `sub` elsewhere need not have the host, so it is a sector of its own."""
    made = register(guarded, initial_token(guarded), **UNPROVEN[name]).json
    proven = register(
        guarded,
        initial_token(guarded),
        backchannel_logout_uri="https://pool.example:8443/out",
        events_uri="https://pool.example/events",
    ).json
    sectors = {row.client_id: row.sector for row in guarded.rows(ClientRow)}
    assert sectors[made["client_id"]] == made["client_id"]
    assert sectors[proven["client_id"]] == "pool.example"


def test_a_client_without_a_name_is_called_by_what_it_has(opened: Town) -> None:
    """A host behind a scheme of its own is anybody's, so residents do not read it."""
    assert register(opened, client_name="").json["client_name"] == "pool.example"
    app = {"redirect_uris": ["com.evil.app://pool.example/cb"], "application_type": "native"}
    assert register(opened, client_name="", **app).json["client_name"] == "com.evil.app"


def test_the_registration_token_is_its_clients_own(opened: Town) -> None:
    """RFC 7592 §2, K33: the same answer for a wrong token, another's, and no such client."""
    one, other = register(opened).json, register(opened).json
    body = {**POOL, "client_id": one["client_id"]}
    tokens = (other["registration_access_token"], "x" * 43, one["client_secret"])
    answers = [
        _manage(opened, one, method, token, json=body)
        for method in ("GET", "PUT", "DELETE")
        for token in tokens
    ]
    answers += [call(opened, "GET", path, tokens[0]) for path in ("/register/nobody", "/register/library")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.data for answer in answers}) == 1
    told = {answer.headers["WWW-Authenticate"] for answer in answers}
    assert told == {'Bearer realm="denizen", error="invalid_token"'}
    assert _manage(opened, one, "GET").status_code == 200


def test_who_sends_no_token_is_told_of_no_error(opened: Town) -> None:
    """RFC 6750 §3.1: how to authenticate, and nothing more; the same whether there is such a client or not."""
    one = register(opened).json
    http, body = opened.app.test_client(), {**POOL, "client_id": one["client_id"]}
    path, basic = f"/register/{one['client_id']}", {"Authorization": "Basic eDp5"}
    answers = [http.open(path, method=name, json=body, base_url=ISSUER) for name in ("GET", "PUT", "DELETE")]
    answers += [http.get("/register/nobody", base_url=ISSUER), http.get(path, base_url=ISSUER, headers=basic)]
    for answer in answers:
        assert (answer.status_code, answer.json) == (401, {})
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="denizen"'


def test_who_registers_without_the_token_it_takes_is_told_of_no_error(guarded: Town) -> None:
    """RFC 6750 §3.1, RFC 7591 §3."""
    answer = call(guarded, "POST", "/register", json=POOL)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="denizen"')
    wrong = call(guarded, "POST", "/register", "x" * 43, POOL)
    assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uris": ["https://rp.ex\u00e4mple/cb"]},
        {"redirect_uris": ['https://rp.example/\\cb"\n']},
        {"tos_uri#\u00e4": "https://rp.example/"},
        {"policy_uri": "https://\u00e4.example/\u2028"},
        {"token_endpoint_auth_method": "m\u00e4gic"},
    ],
)
def test_a_refusal_says_why_in_ascii(opened: Town, change: dict[str, Any]) -> None:
    """RFC 7591 §3.2.2, RFC 6749 §5.2: whatever was sent and is told of."""
    answer = register(opened, **change)
    assert answer.status_code == 400
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", answer.json["error_description"])


def test_a_client_ends_itself(opened: Town) -> None:
    """RFC 7592 §2.3: 204, and neither it nor its tokens are worth anything after."""
    made = register(opened).json
    tokens = opened.tokens(_partner(made), opened.maria, "openid")
    assert _manage(opened, made, "DELETE").status_code == 204
    assert _manage(opened, made, "GET").status_code == 401
    assert opened.userinfo(tokens["access_token"]).status_code == 401
    assert opened.call("/revoke", _partner(made), {"token": "x"}).status_code == 401


def test_discovery_names_the_endpoint_where_anybody_may_use_it(opened: Town) -> None:
    """RFC 8414 §2."""
    found = call(opened, "GET", "/.well-known/openid-configuration").json
    assert found["registration_endpoint"] == f"{ISSUER}/register"
    assert opened.browser().authorize(opened.library, "openid", Proof()).status_code in (200, 303)


def test_a_client_that_moved_keeps_the_sub_it_was_told_also_after_a_withdrawal(opened: Town) -> None:
    """docs/partners.md: of every resident for whom it has redeemed a code, whatever became of that grant."""
    made = register(opened).json
    known = _sub(opened, _partner(made), opened.browser())
    moved = _moved(opened, made, "gym.example")
    with opened.context.database.transaction() as session:
        revoke_grants(session, opened.maria.resident_id, client_id=made["client_id"], now=int(opened.clock()))
    assert _sub(opened, moved, opened.browser()) == known
