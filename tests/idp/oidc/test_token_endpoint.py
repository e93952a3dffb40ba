"""What the token endpoint answers, well and badly (RFC 6749 §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jws, jwt

from idp.clients.service import NewClient
from idp.jose.encoding import half_hash
from tests.support.settled import SCOPE, footprint
from tests.support.town import ISSUER, START

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.settled import Settled
    from tests.support.town import Town

FORM = "application/x-www-form-urlencoded"


def _post(town: Town, path: str, data: Any, content_type: str | None = FORM) -> TestResponse:
    client = town.app.test_client(use_cookies=False)
    return client.post(path, data=data, content_type=content_type, base_url=ISSUER)


def _assert_private_json(answer: TestResponse) -> None:
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert "Set-Cookie" not in answer.headers
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_tokens_come_with_their_kind_life_and_scope(settled: Settled) -> None:
    """RFC 6749 §5.1, OIDC Core §3.1.3.3."""
    town = settled.town
    answer = settled.tokens(town.library)
    assert set(answer) == {
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "scope",
        "id_token",
    }
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", town.settings.tokens.access_for)
    assert set(answer["scope"].split()) == set(SCOPE.split())
    assert "refresh_token" not in settled.tokens(town.library, scope="openid profile")


@pytest.mark.parametrize(("name", "algorithm"), [("library", "ES256"), ("tax", "RS256"), ("public", "ES256")])
def test_the_id_token_says_who_when_and_how_and_is_signed_as_registered(
    settled: Settled, name: str, algorithm: str
) -> None:
    """OIDC Core §2, §3.1.3.7: every claim a client has to check."""
    town = settled.town
    tokens = settled.tokens(getattr(town, name))
    ring = town.app.extensions["denizen.oidc"].keys.ring
    token = jwt.decode(tokens["id_token"], ring.verify_keys, algorithms=[algorithm])
    assert token.header["alg"] == algorithm
    assert token.header["kid"] == ring.current(algorithm).kid
    claims = dict(token.claims)
    sub, sid = claims.pop("sub"), claims.pop("sid")
    assert claims == {
        "iss": ISSUER,
        "aud": getattr(town, name).client_id,
        "iat": START,
        "exp": START + town.settings.tokens.id_token_for,
        "auth_time": START,
        "acr": "basic",
        "amr": ["pwd"],
        "nonce": "no",
        "at_hash": half_hash(tokens["access_token"], "ES256"),
    }
    assert sub == town.userinfo(tokens["access_token"]).json["sub"]
    assert len(sub) <= 255
    assert sid
    assert town.maria.resident_id not in str(token.claims)


def test_the_key_in_the_header_is_among_the_published_ones(settled: Settled) -> None:
    """OIDC Core §10.1: a client finds the key by its kid."""
    town = settled.town
    published = {key["kid"]: key for key in town.app.test_client().get("/jwks", base_url=ISSUER).json["keys"]}
    for partner in (town.library, town.tax):
        header = jws.extract_compact(settled.tokens(partner)["id_token"].encode()).headers()
        assert published[header["kid"]]["alg"] == header["alg"]
        assert set(header) <= {"alg", "kid", "typ"}


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password", "username": "maria", "password": "x"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x" * 43}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x" * 43}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x\0" * 43}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "é😀"}, "invalid_grant"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
    ],
    ids=str,
)
def test_a_bad_request_is_told_what_is_wrong(settled: Settled, form: dict[str, str], error: str) -> None:
    """RFC 6749 §5.2: 400, the error and a sentence; nothing is written."""
    before = footprint(settled.town)
    answer = settled.town.call("/token", settled.town.library, form)
    assert (answer.status_code, answer.json["error"]) == (400, error)
    assert set(answer.json) <= {"error", "error_description"}
    assert not set('"\\') & set(answer.json.get("error_description", ""))
    _assert_private_json(answer)
    assert "WWW-Authenticate" not in answer.headers
    assert footprint(settled.town) == before


def test_an_error_description_never_repeats_what_was_sent(settled: Settled) -> None:
    """RFC 6749 §5.2 allows few characters there; and nothing of the sender's should be in our answers."""
    for form in (
        {"grant_type": '<script>"\\é'},
        {"grant_type": "refresh_token", "refresh_token": "x" * 43, "scope": '<script>"\\é'},
    ):
        answer = settled.town.call("/token", settled.town.library, form)
        assert "<" not in answer.json["error_description"]
        assert answer.text.isascii()


def test_an_unauthenticated_client_is_told_how(settled: Settled) -> None:
    """RFC 6749 §5.2, RFC 7617: 401 with a challenge."""
    for path in ("/token", "/introspect", "/revoke"):
        answer = _post(settled.town, path, {"grant_type": "refresh_token", "token": "x"})
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="denizen", charset="UTF-8"'
        _assert_private_json(answer)


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"grant_type":"refresh_token"}', "application/json", 415),
        (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x", 415),
        (b"grant_type=refresh_token", "text/plain", 415),
        (b"\xff\xfe", FORM, 400),
        (b"a=%ff", FORM, 400),
        (b"&".join(b"a%d=1" % n for n in range(200)), FORM, 400),
        (b"a=" + b"x" * 70_000, FORM, 413),
    ],
    ids=["json", "multipart", "text", "no text", "no text, encoded", "many fields", "large"],
)
def test_a_body_that_is_no_form_is_refused_as_json(
    settled: Settled, path: str, body: bytes, content_type: str, status: int
) -> None:
    """RFC 6749 §3.2: form-encoded UTF-8, of a bounded size; the caller is a program, so no page."""
    answer = _post(settled.town, path, body, content_type)
    assert (answer.status_code, answer.json["error"]) == (status, "invalid_request")
    _assert_private_json(answer)


def test_a_charset_beside_the_content_type_does_no_harm(settled: Settled) -> None:
    """Many libraries send one."""
    answer = _post(settled.town, "/token", b"grant_type=refresh_token", f"{FORM}; charset=UTF-8")
    assert answer.json["error"] == "invalid_client"


def test_a_client_acts_for_itself_within_its_own_scopes(town: Town) -> None:
    """RFC 6749 §4.4: no refresh token, no ID token, and no scope that speaks of residents."""
    form = {"grant_type": "client_credentials"}
    tokens = town.call("/token", town.service, form).json
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope"}
    assert tokens["scope"] == "reports:write"
    for scope in ("openid", "profile", "reports:write email", "tax:read", "offline_access", "fish"):
        answer = town.call("/token", town.service, {**form, "scope": scope})
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
    mixed = town.add_client(
        NewClient(
            "Mixed", client_id="mixed", grant_types=("client_credentials",), scopes=("openid", "email", "api")
        ),
        basis=None,
    )
    town.fresh()
    assert town.call("/token", mixed, form).json["scope"] == "api"
    found = town.introspect(mixed, town.call("/token", mixed, form).json["access_token"]).json
    assert (found["sub"], found["aud"], found["scope"]) == ("mixed", "mixed", "api")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_userinfo_names_the_way_to_authenticate(settled: Settled, method: str) -> None:
    """RFC 6750 §3: no error code when nothing was sent, invalid_token for one that is not valid."""
    client = settled.town.app.test_client(use_cookies=False)
    answer = client.open("/userinfo", method=method, base_url=ISSUER)
    assert (answer.status_code, answer.json) == (401, {})
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="denizen", resource_metadata=')
    assert "error" not in challenge
    for token in ("x" * 43, "x", "é", "a b"):
        headers = {"Authorization": f"Bearer {token}"}
        answer = client.open("/userinfo", method=method, base_url=ISSUER, headers=headers)
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        _assert_private_json(answer)


def test_userinfo_takes_the_token_from_header_or_form(settled: Settled) -> None:
    """RFC 6750 §2.1, §2.2; OIDC Core §5.3.1: GET and POST."""
    token = settled.tokens(settled.town.library)["access_token"]
    client = settled.town.app.test_client(use_cookies=False)
    headers = {"Authorization": f"bearer {token}"}
    answers = [
        client.get("/userinfo", headers=headers, base_url=ISSUER),
        client.post("/userinfo", headers=headers, base_url=ISSUER),
        client.post("/userinfo", data={"access_token": token}, base_url=ISSUER),
    ]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.data for answer in answers}) == 1
    for answer in answers:
        _assert_private_json(answer)


def test_an_access_token_ends_to_the_second(town: Town) -> None:
    """K40: an instant equal to the end is the end, at userinfo and at introspection alike."""
    token = town.tokens(town.library, town.maria)["access_token"]
    town.clock.advance(town.settings.tokens.access_for - 1)
    assert town.userinfo(token).status_code == 200
    assert town.introspect(town.library, token).json["active"] is True
    town.clock.advance(1)
    assert town.userinfo(token).status_code == 401
    assert town.introspect(town.library, token).json == {"active": False}
