"""K10: a client proves itself in exactly one way, the one it registered, at every back-channel endpoint."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.support.settled import footprint, parameters
from tests.support.town import ISSUER, Proof

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.settled import Settled
    from tests.support.town import Town

ASSERTION = {
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "client_assertion": "e30.e30.c2ln",
}
#: Every endpoint at which a client proves itself, with a request that is sound but for that.
CONSENT = ("/consent/requests", "/consent/decisions", "/consent/confirmations")
PATHS = ("/token", "/introspect", "/revoke", "/par", "/device_authorization", *CONSENT)


def basic(client_id: str, secret: str | None) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


@dataclass(frozen=True)
class Attempt:
    """What is sent, and what is answered."""

    status: int
    error: str
    form: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def attempts(town: Town) -> dict[str, Attempt]:
    """Every confusion; `library` is registered for Basic, `tax` for the form, `streets` has no secret."""
    library, tax = str(town.library.secret), str(town.tax.secret)
    own, foreign = basic("library", library), basic("library", tax)
    body = {"client_id": "library", "client_secret": library}
    raw = {"Authorization": "Basic %%%"}
    invalid, both = (401, "invalid_client"), (400, "invalid_request")
    return {
        "nothing": Attempt(*invalid),
        "basic and secret in the form": Attempt(*both, body, own),
        "basic and another secret in the form": Attempt(*both, {"client_secret": "x"}, own),
        "basic and assertion": Attempt(*both, ASSERTION, own),
        "secret in the form and assertion": Attempt(
            *both, {"client_id": "tax", "client_secret": tax, **ASSERTION}
        ),
        "assertion alone": Attempt(*invalid, ASSERTION),
        "assertion type alone": Attempt(
            *invalid,
            {"client_id": "streets", "client_assertion_type": ASSERTION["client_assertion_type"]},
        ),
        "two client ids": Attempt(*both, {"client_id": "tax"}, own),
        "two client ids, one public": Attempt(*both, {"client_id": "streets"}, own),
        "the other method, form for Basic": Attempt(*invalid, body),
        "the other method, Basic for form": Attempt(*invalid, {}, basic("tax", tax)),
        "another client's secret": Attempt(*invalid, {}, foreign),
        "wrong secret": Attempt(*invalid, {}, basic("library", library[:-1])),
        "secret and more": Attempt(*invalid, {}, basic("library", library + "x")),
        "empty secret": Attempt(*invalid, {}, basic("library", "")),
        "empty secret in the form": Attempt(*invalid, {"client_id": "tax", "client_secret": ""}),
        "hash instead of secret": Attempt(*invalid, {}, basic("library", "0" * 64)),
        "confidential client as a public one": Attempt(*invalid, {"client_id": "library"}),
        "public client with a secret": Attempt(*invalid, {"client_id": "streets", "client_secret": "x"}),
        "public client by Basic": Attempt(*invalid, {}, basic("streets", "")),
        "unknown client": Attempt(*invalid, {"client_id": "nobody"}),
        "unknown client by Basic": Attempt(*invalid, {}, basic("nobody", library)),
        "client id with a NUL": Attempt(*invalid, {}, basic("library\0", library)),
        "client id in capitals": Attempt(*invalid, {}, basic("LIBRARY", library)),
        "another scheme": Attempt(*invalid, {}, {"Authorization": f"Bearer {library}"}),
        "no scheme": Attempt(*invalid, {}, {"Authorization": library}),
        "unreadable base64": Attempt(*invalid, {}, raw),
        "no colon": Attempt(*invalid, {}, {"Authorization": "Basic bGlicmFyeQ=="}),
        "no text": Attempt(*invalid, {}, {"Authorization": "Basic //79OnA="}),
        "percent without digits": Attempt(*invalid, {}, basic("library%zz", library)),
        "bytes that are no text, encoded": Attempt(*invalid, {}, basic("%ff", library)),
    }


def _post(
    town: Town, path: str, form: dict[str, str], headers: dict[str, str], query: str = ""
) -> TestResponse:
    client = town.app.test_client(use_cookies=False)
    return client.post(path + query, data=form, headers=headers, base_url=ISSUER)


def test_no_confusion_of_methods_gets_a_token(settled: Settled) -> None:
    """RFC 6749 §2.3, ASVS 10.4.10; with a code that would be good, and none of them burns it."""
    town, proof = settled.town, Proof()
    codes = {partner.client_id: settled.code(partner, proof) for partner in (town.library, town.tax)}
    before = footprint(town)
    for name, attempt in attempts(town).items():
        for partner in (town.library, town.tax):
            form = {
                "grant_type": "authorization_code",
                "code": codes[partner.client_id],
                "redirect_uri": partner.redirect_uri,
                "code_verifier": proof.verifier,
                **attempt.form,
            }
            _assert_refused(name, _post(town, "/token", form, attempt.headers), attempt)
    assert footprint(town) == before
    for partner in (town.library, town.tax):
        assert town.redeem(partner, codes[partner.client_id], proof).status_code == 200


@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
def test_nor_is_a_token_shown_or_revoked(settled: Settled, path: str) -> None:
    """RFC 7662 §2.1, RFC 7009 §2.1: the same authentication everywhere."""
    town = settled.town
    tokens = settled.tokens(town.library)
    before = footprint(town)
    for name, attempt in attempts(town).items():
        form = {"token": tokens["access_token"], **attempt.form}
        _assert_refused(name, _post(town, path, form, attempt.headers), attempt)
    assert footprint(town) == before
    assert all(settled.is_alive(town.library, tokens).values())


@pytest.mark.parametrize("path", ["/par", "/device_authorization", *CONSENT])
def test_nor_is_anything_else_begun_asked_or_confirmed(settled: Settled, path: str) -> None:
    """RFC 9126 §2.1, RFC 8628 §3.1, and our own endpoints: whoever is refused has written nothing."""
    town = settled.town
    sub = town.userinfo(settled.tokens(town.library)["access_token"]).json["sub"]
    form = {**parameters(town.library), "purpose": "main", "sub": sub, "txn": "x", "outcome": "deleted"}
    del form["client_id"]
    before = footprint(town)
    for name, attempt in attempts(town).items():
        _assert_refused(name, _post(town, path, {**form, **attempt.form}, attempt.headers), attempt)
    assert footprint(town) == before
    own = _post(town, path, form, basic("library", town.library.secret))
    assert own.status_code != 401
    assert own.json.get("error") != "invalid_client"


def _assert_refused(name: str, answer: TestResponse, attempt: Attempt) -> None:
    assert (answer.status_code, answer.json["error"]) == (attempt.status, attempt.error), name
    assert set(answer.json) == {"error", "error_description"}
    assert ("WWW-Authenticate" in answer.headers) == (attempt.status == 401)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", PATHS)
def test_a_secret_in_the_address_is_no_authentication(settled: Settled, path: str) -> None:
    """RFC 6749 §2.3.1."""
    town = settled.town
    query = f"?client_id=tax&client_secret={town.tax.secret}"
    form = {"grant_type": "client_credentials", "token": "x"}
    answer = _post(town, path, form, {}, query)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    answer = _post(town, path, {**form, "client_id": "tax"}, {}, query)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


def test_an_unknown_client_and_a_wrong_secret_are_told_apart_by_nothing(settled: Settled) -> None:
    """RFC 6749 §5.2: the same answer to the byte, so that client ids cannot be tried out."""
    town = settled.town
    answers = [
        _post(town, "/token", {"grant_type": "client_credentials"}, headers)
        for headers in (basic("library", "x"), basic("nobody", "x"), basic("tax", "x"), basic("streets", "x"))
    ]
    assert len({answer.data for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {401}


def test_the_registered_way_works_also_with_the_client_id_repeated_in_the_form(settled: Settled) -> None:
    """Against refusing everything; many libraries send client_id beside Basic, and that is one method."""
    town, proof = settled.town, Proof()
    code = settled.code(town.library, proof)
    assert town.redeem(town.library, code, proof, client_id="library").status_code == 200
    headers = basic("library", town.library.secret)
    headers["Authorization"] = headers["Authorization"].replace("Basic", "bASIC")
    assert _post(town, "/introspect", {"token": "x"}, headers).json == {"active": False}
