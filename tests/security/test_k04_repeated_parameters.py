"""K04: no parameter twice, wherever its copies stand; the address of the token endpoint is never read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.support.settled import assert_refused_back, assert_refused_here, footprint, parameters
from tests.support.town import ISSUER, Proof, answer_parameters, code_of

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.settled import Settled

FORM = "application/x-www-form-urlencoded"
#: Every parameter of an authorization request that any specification of ours names, with an innocent value.
AUTHORIZE = {
    "response_type": "code",
    "client_id": "library",
    "redirect_uri": "https://rp.example/cb",
    "scope": "openid",
    "state": "st",
    "nonce": "no",
    "code_challenge": "x" * 43,
    "code_challenge_method": "S256",
    "prompt": "login",
    "max_age": "60",
    "response_mode": "query",
    "display": "page",
    "ui_locales": "en",
    "claims_locales": "en",
    "id_token_hint": "x.y.z",
    "login_hint": "maria",
    "acr_values": "basic",
    "claims": "{}",
    "request": "x.y.z",
    "request_uri": "https://rp.example/request",
    "registration": "{}",
    "unheard_of": "1",
}
#: Until these two are known once, nobody can be sent back.
ADDRESS = {"client_id", "redirect_uri"}
#: Those of them that are pushed.
PUSHED = {
    name: value
    for name, value in AUTHORIZE.items()
    if name not in {"id_token_hint", "acr_values", "request", "request_uri", "registration"}
}
TOKEN = ("grant_type", "code", "redirect_uri", "code_verifier", "client_id", "scope", "unheard_of")


def _assert_repeated(answer: TestResponse, name: str) -> None:
    if name in ADDRESS:
        assert_refused_here(answer)
        return
    assert_refused_back(answer, "invalid_request")
    assert ("state" in answer_parameters(answer)) == (name != "state")


@pytest.mark.parametrize(("name", "value"), AUTHORIZE.items(), ids=AUTHORIZE)
def test_an_authorization_parameter_twice_is_refused(settled: Settled, name: str, value: str) -> None:
    """RFC 6749 §3.1: twice alike, twice different, once empty."""
    before = footprint(settled.town)
    asked = urlencode({**parameters(settled.town.library), name: value})
    for copy in (value, "other", ""):
        _assert_repeated(settled.ask(f"{asked}&{urlencode({name: copy})}"), name)
        _assert_repeated(settled.ask(f"{urlencode({name: copy})}&{asked}"), name)
    assert footprint(settled.town) == before


@pytest.mark.parametrize(("name", "value"), AUTHORIZE.items(), ids=AUTHORIZE)
def test_a_copy_in_the_body_counts_as_well(settled: Settled, name: str, value: str) -> None:
    """OIDC Core §3.1.2.1 lets requests be posted; the query and the body are one request."""
    before = footprint(settled.town)
    asked = {**parameters(settled.town.library), name: value}
    for copy in (value, "other"):
        answer = settled.browser.post(f"/authorize?{urlencode({name: copy})}", asked)
        _assert_repeated(answer, name)
    twice = f"{urlencode(asked)}&{urlencode({name: value})}"
    _assert_repeated(settled.browser.http.post("/authorize", base_url=ISSUER, **_body(twice)), name)
    assert footprint(settled.town) == before


def test_a_request_split_over_address_and_body_is_one_request(settled: Settled) -> None:
    """Against refusing everything: no parameter is repeated, so the code is given."""
    asked = parameters(settled.town.library)
    in_address = {name: asked.pop(name) for name in ("client_id", "state")}
    assert code_of(settled.browser.post(f"/authorize?{urlencode(in_address)}", asked))


@pytest.mark.parametrize("name", TOKEN)
def test_a_token_parameter_twice_is_refused(settled: Settled, name: str) -> None:
    """RFC 6749 §3.2; the code is not spent by it."""
    town, proof = settled.town, Proof()
    code = settled.code(town.tax, proof)
    form = {**_redeeming(settled, code, proof), "scope": "openid", "unheard_of": "1"}
    before = footprint(town)
    for copy in (form[name], "other", ""):
        for body in (
            f"{urlencode(form)}&{urlencode({name: copy})}",
            f"{urlencode({name: copy})}&{urlencode(form)}",
        ):
            answer = _post(settled, "/token", body)
            assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert footprint(town) == before
    assert town.redeem(town.tax, code, proof).status_code == 200


@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
@pytest.mark.parametrize("name", ["token", "token_type_hint", "client_id", "client_secret"])
def test_the_other_back_channel_endpoints_refuse_it_too(settled: Settled, path: str, name: str) -> None:
    """RFC 7662 §2.1 and RFC 7009 §2.1 take over the rule of RFC 6749 §3.2."""
    town = settled.town
    tokens = settled.tokens(town.tax)
    form = {
        "token": tokens["access_token"],
        "token_type_hint": "access_token",
        "client_id": town.tax.client_id,
        "client_secret": str(town.tax.secret),
    }
    answer = _post(settled, path, f"{urlencode(form)}&{urlencode({name: form[name]})}")
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert settled.is_alive(town.tax, tokens)["userinfo"]


@pytest.mark.parametrize("name", [*PUSHED, "client_secret"])
@pytest.mark.parametrize("path", ["/par", "/device_authorization"])
def test_a_request_over_the_back_channel_has_none_twice(settled: Settled, path: str, name: str) -> None:
    """RFC 9126 §2.1, RFC 8628 §3.1: as at the authorization endpoint; nothing is kept."""
    town = settled.town
    proved = {"client_id": town.tax.client_id, "client_secret": str(town.tax.secret)}
    form = {**PUSHED, "redirect_uri": str(town.tax.redirect_uri), **proved}
    before = footprint(town)
    for copy in (form[name], "other", ""):
        for body in (
            f"{urlencode(form)}&{urlencode({name: copy})}",
            f"{urlencode({name: copy})}&{urlencode(form)}",
        ):
            answer = _post(settled, path, body)
            told = (answer.status_code, answer.json["error"], answer.json["error_description"])
            assert told == (400, "invalid_request", "A parameter is given more than once")
    assert footprint(town) == before
    if path == "/par":
        assert _post(settled, path, urlencode(form)).status_code == 201


@pytest.mark.parametrize("name", ["code[]", "code[0]", "code%5B%5D", "code.0", "Code", "code "])
def test_spellings_of_other_frameworks_are_other_parameters(settled: Settled, name: str) -> None:
    """`code[]=` is no code: neither read as one, nor a list."""
    town, proof = settled.town, Proof()
    code = settled.code(town.tax, proof)
    form = _redeeming(settled, code, proof)
    before = footprint(town)
    del form["code"]
    answer = _post(settled, "/token", f"{urlencode(form)}&{name}={code}")
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert footprint(town) == before


@pytest.mark.parametrize("name", ["grant_type", "code", "redirect_uri", "code_verifier"])
def test_a_token_parameter_in_the_address_is_not_read(settled: Settled, name: str) -> None:
    """RFC 6749 §3.2, Keycloak CVE-2026-9689: addresses end up in logs."""
    town, proof = settled.town, Proof()
    form = _redeeming(settled, settled.code(town.tax, proof), proof)
    before = footprint(town)
    moved = urlencode({name: form.pop(name)})
    answer = _post(settled, f"/token?{moved}", urlencode(form))
    # A code whose verifier is missing is a grant that does not hold (RFC 7636 §4.6).
    expected = "invalid_grant" if name == "code_verifier" else "invalid_request"
    assert (answer.status_code, answer.json["error"]) == (400, expected)
    assert footprint(town) == before


@pytest.mark.parametrize("names", [("client_secret",), ("client_id",), ("client_id", "client_secret")])
def test_a_secret_in_the_address_is_not_read_either(settled: Settled, names: tuple[str, ...]) -> None:
    """RFC 6749 §2.3.1: credentials MUST NOT be included in the request URI."""
    town, proof = settled.town, Proof()
    form = _redeeming(settled, settled.code(town.tax, proof), proof)
    before = footprint(town)
    moved = urlencode({name: form.pop(name) for name in names})
    for path in ("/token", "/introspect", "/revoke"):
        answer = _post(settled, f"{path}?{moved}", urlencode({**form, "token": "x"}))
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert footprint(town) == before


def test_what_stands_in_the_address_cannot_change_what_the_body_says(settled: Settled) -> None:
    """The address is not even compared: a foreign copy in it changes nothing."""
    town, proof = settled.town, Proof()
    form = _redeeming(settled, settled.code(town.tax, proof), proof)
    answer = _post(settled, "/token?code=other&grant_type=password&client_id=library", urlencode(form))
    assert answer.status_code == 200


def _redeeming(settled: Settled, code: str, proof: Proof) -> dict[str, str]:
    tax = settled.town.tax
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": tax.redirect_uri,
        "code_verifier": proof.verifier,
    }
    return tax.authentication(form)[0]


def _body(encoded: str) -> dict[str, Any]:
    return {"data": encoded, "content_type": FORM}


def _post(settled: Settled, path: str, encoded: str) -> TestResponse:
    client = settled.town.app.test_client(use_cookies=False)
    return client.post(path, base_url=ISSUER, **_body(encoded))
