"""K05: who answers, to which request, and never a token in front of the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt

from tests.support.front import MODES, TYPES, read
from tests.support.settled import SCOPE, assert_refused_back, footprint, parameters
from tests.support.town import CALLBACK, ISSUER, Proof

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.front import Front
    from tests.support.settled import Settled
    from tests.support.town import Browser, Town

#: Every character from U+0001 to U+00FF once: 255 of them, with all that HTML, URLs and headers treat specially.
ODD = "".join(map(chr, range(1, 256)))
STATES = {
    "255 odd characters": ODD,
    "NUL": "a\0b",
    "header injection": "x\r\nSet-Cookie: a=b\r\n\r\n<script>",
    "looks like parameters": "a&iss=https://evil.test&code=stolen&state=b#code=c",
    "encoded already": "%26iss=%3D%25%2B+%20",
    "other scripts": "名前 \U0001f600 \u202e ﷽ é e\u0301",
    "longest": "s" * 2048,
}
#: What nobody may have, and what this client may not.
UNKNOWN_TYPES = ("token", "none", "code none", "token token", "code code", "Code", " code")
FORBIDDEN_TYPES = (*(one for one in TYPES if one != "code"), "token code")


def _told(answer: TestResponse) -> dict[str, str]:
    """What the client is told, each parameter once, with exactly one issuer, and never a token."""
    told = read(answer).values
    assert told["iss"] == ISSUER
    assert not {"access_token", "id_token", "token_type"}.intersection(told)
    return told


def _waiting(town: Town, *, state: str) -> Browser:
    """A browser at the sign-in page of a request with this state."""
    browser = town.browser()
    answer = browser.get(f"/authorize?{urlencode(parameters(town.library, state=state))}")
    assert 'action="/login"' in browser.follow(answer).text
    return browser


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_state_comes_back_byte_by_byte_with_exactly_one_issuer(settled: Settled, state: str) -> None:
    """RFC 6749 §4.1.2, RFC 9207 §2: in success and in error."""
    told = _told(settled.ask(parameters(settled.town.library, state=state)))
    assert set(told) == {"code", "state", "iss"}
    assert told["state"] == state
    told = _told(settled.ask(parameters(settled.town.library, state=state, response_type="fish")))
    assert set(told) == {"error", "error_description", "state", "iss"}
    assert told["state"] == state


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(state=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255))
def test_any_state_comes_back(settled: Settled, state: str) -> None:
    """The same for whatever text a client may send."""
    assert _told(settled.ask(parameters(settled.town.library, state=state)))["state"] == state


def test_without_a_state_there_is_none(settled: Settled) -> None:
    """An empty one counts as left out (RFC 6749 §3.1)."""
    for state in (None, ""):
        assert set(_told(settled.ask(parameters(settled.town.library, state=state)))) == {"code", "iss"}


def test_a_registered_query_is_kept_as_it_is(town: Town) -> None:
    """RFC 6749 §3.1.2: the query of a registered address must be retained when adding parameters."""
    from idp.clients.service import NewClient

    uri = "https://query.example/cb?town=Riverton%20Hills&a=b%2Fc"
    partner = town.add_client(NewClient("Query", (uri,), client_id="query"), basis="public_task")
    browser, proof = town.browser(), Proof()
    browser.code(partner, town.maria, "openid", proof)
    answer = browser.authorize(partner, "openid", proof)
    assert answer.headers["Location"].startswith(f"{uri}&")
    assert {"code", "iss", "town", "a"} <= set(_told(answer))


@pytest.mark.parametrize("response_mode", [None, "fragment"])
@pytest.mark.parametrize("response_type", [*FORBIDDEN_TYPES, *UNKNOWN_TYPES])
def test_no_token_passes_through_the_browser(
    settled: Settled, response_type: str, response_mode: str | None
) -> None:
    """RFC 9700 §2.1.2; CVE-2026-7571: for clients of a usual profile, however old software is served."""
    before = footprint(settled.town)
    asked = parameters(settled.town.library, response_type=response_type, response_mode=response_mode)
    answer = settled.ask(asked)
    unknown = response_type in UNKNOWN_TYPES
    assert_refused_back(answer, "unsupported_response_type" if unknown else "unauthorized_client")
    assert not {"code", "access_token", "id_token"}.intersection(_told(answer))
    assert footprint(settled.town) == before


@pytest.mark.parametrize("response_mode", ["web_message", "web_message.jwt", "fish", "query.fish", "jwt.jwt"])
def test_an_answer_travels_in_a_known_mode_or_not_at_all(settled: Settled, response_mode: str) -> None:
    """A mode that discovery does not list is refused, not obeyed."""
    answer = settled.ask(parameters(settled.town.library, response_mode=response_mode))
    assert_refused_back(answer, "invalid_request")
    _told(answer)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("response_type", TYPES)
def test_every_answer_in_every_mode_says_who_answers_and_to_which_request(
    front: Front, response_type: str, mode: str
) -> None:
    """RFC 9207 §2, JARM §2.1: one issuer and the state as it was, in success and in error."""
    state = ODD if mode != "form_post" else "".join(one for one in ODD if one not in "\r\n")
    for change in ({}, {"prompt": "none login"}):
        told = front.told("old", response_type=response_type, response_mode=mode, state=state, **change)
        assert (told.values["iss"], told.values["state"]) == (ISSUER, state)
        assert ("error" in told.values) == (
            bool(change) or (mode.startswith("query") and response_type != "code")
        )
        assert not ({"access_token", "id_token"} & set(told.values) and told.carrier == "query")


def test_an_id_token_of_the_browser_is_tied_to_its_request(front: Front) -> None:
    """OIDC Core §3.3.2.11: nonce, and the hashes of code, token and state, so that none of them can be exchanged."""
    first, second = (
        front.told("old", response_type="code id_token token", state=state, nonce=state).values
        for state in ("one", "two")
    )
    told = [front.opened(one["id_token"], front.clients["old"]) for one in (first, second)]
    assert [one["nonce"] for one in told] == ["one", "two"]
    for name in ("c_hash", "at_hash", "s_hash"):
        assert told[0][name] != told[1][name]


def test_the_nonce_of_the_request_is_in_the_id_token(settled: Settled) -> None:
    """OIDC Core §3.1.3.7 rule 11: the client can tell its own answer from a replayed one."""
    town = settled.town
    ring = town.app.extensions["denizen.oidc"].keys.ring
    for nonce in ("n", "x" * 512, 'odd "nonce" \\ é 😀'):
        token = settled.tokens(town.library, nonce=nonce)["id_token"]
        assert jwt.decode(token, ring.verify_keys, algorithms=["ES256"]).claims["nonce"] == nonce
    token = settled.tokens(town.library, nonce=None)["id_token"]
    assert "nonce" not in jwt.decode(token, ring.verify_keys, algorithms=["ES256"]).claims


def test_every_post_of_the_flow_is_answered_by_303(town_both_ways: Town) -> None:
    """RFC 9700 §4.12: 307 would make the browser send the password on to the client."""
    town = town_both_ways
    browser = _waiting(town, state=ODD)
    signed_in = browser.sign_in(town.maria)
    assert signed_in.status_code == 303
    assert 'action="/consent"' in browser.follow(signed_in).text
    told = _told(browser.allow())
    assert told["state"] == ODD
    assert set(told) == {"code", "state", "iss"}
    answer = browser.post("/authorize", parameters(town.library, state=ODD, scope="openid profile"))
    assert _told(answer)["state"] == ODD


def test_a_refusal_of_the_resident_carries_state_and_issuer_too(town_both_ways: Town) -> None:
    """RFC 9207 §2: error responses as well; so does cancelling the sign-in."""
    town = town_both_ways
    browser = _waiting(town, state=ODD)
    told = _told(browser.submit("/login", cancel="1"))
    assert (told["error"], told["state"]) == ("access_denied", ODD)
    browser = _waiting(town, state=ODD)
    browser.follow(browser.sign_in(town.maria))
    answer = browser.deny()
    told = _told(answer)
    assert (told["error"], told["state"]) == ("access_denied", ODD)
    assert answer.headers["Location"].startswith(f"{CALLBACK}?")
    told = _told(browser.get(f"/authorize?{urlencode(parameters(town.library, state=ODD, prompt='none'))}"))
    assert (told["error"], told["state"]) == ("consent_required", ODD)
    told = _told(
        town.browser().get(f"/authorize?{urlencode(parameters(town.library, state=ODD, prompt='none'))}")
    )
    assert (told["error"], told["state"]) == ("login_required", ODD)


def test_a_code_belongs_to_the_request_it_answers(settled: Settled) -> None:
    """RFC 9700 §4.5: a code injected into another run of the same client fails on the other run's verifier."""
    town, mine, other = settled.town, Proof(), Proof()
    stolen = settled.code(town.library, other)
    answer = town.redeem(town.library, stolen, mine)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    assert town.redeem(town.library, stolen, other).status_code == 200


def test_the_redirect_with_a_code_is_kept_nowhere(settled: Settled) -> None:
    """RFC 9700 §4.2.4: no cache, no referrer to other sites."""
    answer = settled.ask(parameters(settled.town.library, scope=SCOPE))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer")
    assert "Access-Control-Allow-Origin" not in answer.headers
