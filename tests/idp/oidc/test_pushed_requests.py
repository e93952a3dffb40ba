"""Requests that are pushed before the resident comes (RFC 9126), and what FAPI 2.0 asks besides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from idp.app import create_app
from idp.clients.metadata import Details, NewClient
from idp.oidc.dpop import current_nonce, thumbprint
from idp.oidc.interactions import WAIT_FOR
from idp.oidc.models import Authorization, PushedRequest
from idp.upkeep import purge
from idp.web.cookies import digest
from tests.support.proving import PROXY, dpop, key_for
from tests.support.settled import footprint
from tests.support.town import ISSUER, Proof, answer_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.test import TestResponse

    from tests.support.proving import Prover, Proving

KEY, OTHER = key_for("ES256", "wallet"), key_for("ES256", "thief")
PREFIX = "urn:ietf:params:oauth:request_uri:"
ENDED = "This sign-in has ended"


@pytest.fixture
def later(proving: Proving) -> Iterator[Proving]:
    """The town of proofs, for a test that moves its clock."""
    began = proving.town.clock.at
    yield proving
    proving.town.clock.at = began


def _row(proving: Proving, pushed: TestResponse) -> PushedRequest:
    wanted = digest(pushed.json["request_uri"].removeprefix(PREFIX))
    (row,) = [row for row in proving.town.rows(PushedRequest) if row.id_hash == wanted]
    found: PushedRequest = row
    return found


def _is_over(answer: TestResponse) -> bool:
    """A page that sends nobody anywhere and says what to do."""
    assert "Location" not in answer.headers
    assert ENDED in answer.text
    assert "Go back to the service you came from" in answer.text
    return answer.status_code == 400


# --- pushing ---


def test_a_push_is_answered_with_a_reference_of_which_only_a_hash_is_kept(proving: Proving) -> None:
    """RFC 9126 §2.2: 201, a life by the client's profile, nothing for caches."""
    for name, lasts_for in (("fapi", 90), ("pkjwt", 600)):
        answer = proving.push(proving.provers[name], Proof(), login_hint="maria@example.org")
        assert (answer.status_code, answer.json["expires_in"]) == (201, lasts_for), answer.json
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.content_type == "application/json"
        assert answer.json.keys() == {"request_uri", "expires_in"}
        reference = answer.json["request_uri"].removeprefix(PREFIX)
        assert len(reference) == 43
        row = _row(proving, answer)
        assert (row.client_id, row.expires_at) == (name, int(proving.now) + lasts_for)
        kept = " ".join(map(str, vars(row).values()))
        assert reference not in kept
        assert "maria@example.org" not in kept


def test_every_client_pushes_in_its_own_way(proving: Proving) -> None:
    """RFC 9126 §2: authenticated as at the token endpoint, public clients by their name; by both ways in."""
    town = proving.town
    for partner in (town.library, town.tax, town.public):
        form, headers = partner.authentication(partner.request("openid", Proof()))
        assert proving.post("/par", form, headers).status_code == 201
    for name in ("pkjwt", "fapi", "secretjwt", "pocket"):
        assert proving.push(proving.provers[name], Proof()).status_code == 201
    headers = proving.certificates["self"].headers
    assert proving.push(proving.provers["self"], Proof(), headers).status_code == 201
    assert proving.push(proving.provers["self"], Proof()).status_code == 401
    slow = create_app(town.context, hot=False).test_client(use_cookies=False)
    slow.environ_base["REMOTE_ADDR"] = PROXY
    fapi = proving.provers["fapi"]
    form = proving.authenticated(fapi, fapi.partner.request("openid", Proof()))
    answer = slow.post("/par", data=form, base_url=ISSUER)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")


@pytest.mark.parametrize(
    ("name", "audience", "status"),
    [
        ("fapi", ISSUER, 201),
        ("fapi", [ISSUER], 401),
        ("fapi", f"{ISSUER}/par", 401),
        ("fapi", f"{ISSUER}/token", 401),
        ("fapi", f"{ISSUER}/", 401),
        ("fapi", None, 401),
        ("pkjwt", ISSUER, 201),
        ("pkjwt", [ISSUER, f"{ISSUER}/par"], 201),
        ("pkjwt", f"{ISSUER}/par", 201),
        ("pkjwt", f"{ISSUER}/token", 201),
        ("pkjwt", f"{ISSUER}/userinfo", 401),
    ],
)
def test_the_audience_of_an_assertion_is_judged_by_the_profile(
    proving: Proving, name: str, audience: Any, status: int
) -> None:
    """FAPI 2.0 §5.3.2.1: the issuer, as a text; RFC 9126 §2: otherwise the issuer or an endpoint."""
    prover = proving.provers[name]
    form = prover.form(proving.now, prover.partner.request("openid", Proof()), aud=audience)
    answer = proving.post("/par", form)
    assert answer.status_code == status, answer.json
    assert status == 201 or answer.json["error"] == "invalid_client"


def test_a_mistake_is_told_as_json_and_never_by_a_redirect(proving: Proving) -> None:
    """RFC 9126 §2.3: the errors of the authorization endpoint, at once; nothing is kept."""
    fapi = proving.provers["fapi"]
    before = footprint(proving.town)
    mistakes: list[tuple[dict[str, str | None], str]] = [
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/cb"}, "invalid_request"),
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "code id_token"}, "unauthorized_client unsupported_response_type"),
        ({"response_type": "token"}, "unauthorized_client unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "tax:nothing"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"resource": "https://nobody.example/"}, "invalid_target"),
        ({"dpop_jkt": "x"}, "invalid_request"),
        ({"claims": "{"}, "invalid_request"),
        ({"state": "s" * 2049}, "invalid_request"),
        ({"request_uri": f"{PREFIX}{'x' * 43}"}, "invalid_request"),
        ({"request_uri": "https://fapi.example/object"}, "invalid_request"),
        ({"client_id": "pkjwt"}, "invalid_client"),
        ({"client_secret": "x"}, "invalid_request"),
    ]
    for change, errors in mistakes:
        answer = proving.push(fapi, Proof(), **change)
        assert answer.status_code == (401 if errors == "invalid_client" else 400), change
        assert answer.json["error"] in errors.split(), (change, answer.json)
        assert answer.json["error_description"]
        assert "Location" not in answer.headers
    assert footprint(proving.town) == before


def test_what_is_no_push_is_refused(proving: Proving) -> None:
    """RFC 9126 §2.3: 405 for another method, 413 for too much, 401 for nobody, 400 for a parameter given twice."""
    fapi = proving.provers["fapi"]
    client = proving.town.app.test_client(use_cookies=False)
    form = fapi.form(proving.now, fapi.partner.request("openid", Proof()))
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert client.open("/par", method=method, data=form, base_url=ISSUER).status_code == 405
    too_much = proving.post("/par", {**form, "ui_locales": "e" * 66_000})
    assert (too_much.status_code, too_much.json["error"]) == (413, "invalid_request")
    nobody = proving.post("/par", fapi.partner.request("openid", Proof()))
    assert (nobody.status_code, nobody.json["error"]) == (401, "invalid_client")
    twice = client.post(
        "/par", data=urlencode([*form.items(), ("nonce", "x")]), content_type=FORM, base_url=ISSUER
    )
    assert (twice.status_code, twice.json["error"]) == (400, "invalid_request")
    in_address = client.post(f"/par?{urlencode(form)}", base_url=ISSUER)
    assert in_address.status_code == 401


FORM = "application/x-www-form-urlencoded"


# --- bringing ---


def test_a_request_is_answered_once_and_only_what_was_pushed_counts(proving: Proving) -> None:
    """RFC 9126 §4, §7.3; FAPI 2.0 §5.3.2.2: whatever stands in the address besides, is nothing."""
    fapi, proof, browser = proving.provers["fapi"], Proof(), proving.town.browser()
    pushed = proving.push(fapi, proof, state="pushed")
    more = {
        "redirect_uri": "https://evil.example/cb",
        "state": "address",
        "scope": "openid",
        "response_type": "token",
        "prompt": "none",
        "code_challenge": "x",
    }
    query = {"client_id": "fapi", "request_uri": pushed.json["request_uri"], **more}
    code = browser.go_through(proving.town.maria, browser.get(f"/authorize?{urlencode(query)}"))
    assert browser.last is not None
    assert browser.last.headers["Location"].startswith("https://fapi.example/cb?")
    found = answer_parameters(browser.last)
    assert (found["state"], found["iss"], found["code"]) == ("pushed", ISSUER, code)
    assert _row(proving, pushed).spent_at is not None
    before = footprint(proving.town)
    assert _is_over(proving.bring(fapi, pushed, browser))
    assert _is_over(proving.bring(fapi, pushed, proving.town.browser()))
    assert footprint(proving.town) == before
    tokens = proving.redeem(fapi, code, proof, {"DPoP": dpop(KEY, now=proving.now)}).json
    assert "profile" in tokens["scope"].split()


def test_a_request_for_somebody_who_is_signed_in_is_spent_by_its_answer(proving: Proving) -> None:
    """The short way: no page, so the answer itself spends; by POST as by GET."""
    fapi = proving.provers["fapi"]
    proving.pushed_code(fapi, Proof())
    before = len(proving.town.rows(Authorization))
    pushed = proving.push(fapi, Proof())
    answer = proving.browser.post(
        "/authorize", {"client_id": "fapi", "request_uri": pushed.json["request_uri"]}
    )
    assert answer.status_code == 303
    assert "code" in answer_parameters(answer)
    assert _is_over(proving.bring(fapi, pushed))
    assert len(proving.town.rows(Authorization)) == before + 1


def test_the_page_may_be_loaded_again_until_there_is_an_answer(proving: Proving) -> None:
    """FAPI 2.0 §5.3.2.2 note: a reload breaks nothing, and of two tabs one gets the answer."""
    fapi, town = proving.provers["fapi"], proving.town
    browser, before = town.browser(), len(town.rows(Authorization))
    pushed = proving.push(fapi, Proof(), login_hint="maria")
    first = browser.follow(proving.bring(fapi, pushed, browser))
    assert 'action="/login"' in first.text
    assert 'value="maria"' in first.text
    first_tab = browser.last
    second = browser.follow(proving.bring(fapi, pushed, browser))
    assert 'action="/login"' in second.text
    assert browser.go_through(town.maria, second)
    browser.last = first_tab
    assert _is_over(browser.follow(browser.sign_in(town.maria)))
    assert len(town.rows(Authorization)) == before + 1


def test_a_request_that_has_begun_goes_on_in_no_other_browser(proving: Proving) -> None:
    """Whoever began cannot hand it to somebody else to finish, signed in or not."""
    fapi, town = proving.provers["fapi"], proving.town
    proving.pushed_code(fapi, Proof())
    pushed = proving.push(fapi, Proof())
    theirs = town.browser()
    assert 'action="/login"' in theirs.follow(proving.bring(fapi, pushed, theirs)).text
    before = footprint(town)
    assert _is_over(proving.bring(fapi, pushed))
    assert _is_over(proving.bring(fapi, pushed, town.browser()))
    assert footprint(town) == before
    assert 'action="/login"' in theirs.follow(proving.bring(fapi, pushed, theirs)).text


def test_a_resident_who_turns_back_has_answered_too(proving: Proving) -> None:
    """access_denied is an answer: the reference is spent, with state and iss as in any other."""
    fapi, browser = proving.provers["fapi"], proving.town.browser()
    pushed = proving.push(fapi, Proof())
    browser.follow(proving.bring(fapi, pushed, browser))
    answer = browser.follow(browser.submit("/login", cancel="1"))
    assert answer_parameters(answer)["error"] == "access_denied"
    assert (answer_parameters(answer)["state"], answer_parameters(answer)["iss"]) == ("st", ISSUER)
    assert _is_over(proving.bring(fapi, pushed, browser))


def test_what_is_unknown_foreign_or_late_ends_on_a_page(later: Proving) -> None:
    """RFC 9126 §2.2, §4: bound to its client, for its time; K40: the instant of its end is the end."""
    fapi, pkjwt, browser = later.provers["fapi"], later.provers["pkjwt"], later.town.browser()
    pushed = later.push(fapi, Proof())
    reference = pushed.json["request_uri"]
    wrong = [
        ("pkjwt", reference),
        ("fapi", reference[:-1]),
        ("fapi", reference.swapcase()),
        ("fapi", PREFIX),
        ("fapi", f"{PREFIX}{'x' * 43}"),
        ("fapi", f"{PREFIX}{reference}"),
    ]
    before = footprint(later.town)
    for client_id, uri in wrong:
        answer = browser.get(f"/authorize?{urlencode({'client_id': client_id, 'request_uri': uri})}")
        assert answer.status_code == 400, uri
        assert "Location" not in answer.headers
        assert "invalid_request_uri" in answer.text
    for query in (
        [("request_uri", reference)],
        [("client_id", "fapi"), ("request_uri", reference), ("request_uri", reference)],
        [("client_id", "fapi"), ("request_uri", reference), ("request", "x")],
    ):
        answer = browser.get(f"/authorize?{urlencode(query)}")
        assert (answer.status_code, answer.headers.get("Location")) == (400, None)
    assert footprint(later.town) == before
    later.town.clock.advance(89)
    assert later.bring(fapi, pushed, browser).status_code == 303
    later.town.clock.advance(1)
    assert _is_over(later.bring(fapi, pushed, browser))
    slow = later.push(pkjwt, Proof())
    later.town.clock.advance(599)
    assert later.bring(pkjwt, slow, browser).status_code == 303


def test_whoever_came_in_time_may_sign_in_slowly(later: Proving) -> None:
    """The life of a reference ends at the door: what follows has an hour as any other sign-in."""
    fapi, browser, town = later.provers["fapi"], later.town.browser(), later.town
    page = browser.follow(later.bring(fapi, later.push(fapi, Proof()), browser))
    assert 'action="/login"' in page.text
    town.clock.advance(WAIT_FOR - 60)
    purge(town.context, now=int(town.clock()))
    assert browser.go_through(town.maria, page)


def test_a_reference_is_its_clients_alone(proving: Proving) -> None:
    """RFC 9126 §2.2: also where two clients have one address."""
    town, fapi = proving.town, proving.provers["fapi"]
    twin = town.add_client(NewClient("Twin", (fapi.partner.redirect_uri,)))
    town.fresh()
    form, headers = twin.authentication(twin.request("openid", Proof()))
    theirs = proving.post("/par", form, headers).json["request_uri"]
    own = proving.push(fapi, Proof()).json["request_uri"]
    for client_id, uri in ((twin.client_id, own), ("fapi", theirs)):
        query = urlencode({"client_id": client_id, "request_uri": uri})
        assert _is_over(town.browser().get(f"/authorize?{query}"))


def test_a_spent_reference_says_nothing_about_who_is_signed_in(proving: Proving) -> None:
    """With prompt=none every answer would be a redirect; what is over is over before anybody is looked for."""
    fapi = proving.provers["fapi"]
    proving.pushed_code(fapi, Proof())
    pushed = proving.push(fapi, Proof(), prompt="none")
    assert "code" in answer_parameters(proving.bring(fapi, pushed))
    for browser in (proving.browser, proving.town.browser()):
        assert _is_over(proving.bring(fapi, pushed, browser))


def test_prompt_none_is_answered_and_may_be_tried_again(proving: Proving) -> None:
    """OIDC Core §3.1.2.6: an error without a page is no answer of a resident's; nobody was asked."""
    fapi, browser = proving.provers["fapi"], proving.town.browser()
    pushed = proving.push(fapi, Proof(), prompt="none", state="s t&a=t%")
    for _ in range(2):
        found = answer_parameters(proving.bring(fapi, pushed, browser))
        assert (found["error"], found["state"], found["iss"]) == ("login_required", "s t&a=t%", ISSUER)


def test_a_client_that_must_push_is_refused_otherwise(proving: Proving) -> None:
    """RFC 9126 §5, §6; FAPI 2.0 §5.3.2.2: by its profile, or by its own wish; told to the client."""
    wish = proving.town.add_client(
        NewClient(
            "Pusher",
            ("https://pusher.example/cb",),
            details=Details(require_pushed_authorization_requests=True),
        )
    )
    proving.town.fresh()
    for partner in (proving.provers["fapi"].partner, wish):
        found = answer_parameters(proving.town.browser().authorize(partner, "openid", Proof()))
        assert (found["error"], found["state"], found["iss"]) == ("invalid_request", "st", ISSUER)
    form, headers = wish.authentication(wish.request("openid", Proof()))
    assert proving.post("/par", form, headers).status_code == 201


def test_a_redirect_uri_that_was_taken_away_meanwhile_is_not_used(proving: Proving) -> None:
    """What was checked at the push is checked again where it could have changed."""
    from sqlalchemy import update

    from idp.clients.models import ClientRow
    from idp.jobs.stamps import CLIENTS, bump

    town = proving.town
    partner = town.add_client(NewClient("Mover", ("https://mover.example/cb",)))
    town.fresh()
    form, headers = partner.authentication(partner.request("openid", Proof()))
    pushed = proving.post("/par", form, headers)
    with town.context.database.transaction() as session:
        row = update(ClientRow).where(ClientRow.client_id == partner.client_id)
        session.execute(row.values(redirect_uris=["https://mover.example/new"]))
        bump(session, CLIENTS)
    town.fresh()
    query = {"client_id": partner.client_id, "request_uri": pushed.json["request_uri"]}
    assert _is_over(town.browser().get(f"/authorize?{urlencode(query)}"))


# --- DPoP ---


def test_a_proof_at_the_push_binds_the_code(proving: Proving) -> None:
    """RFC 9449 §10.1: to its key, without dpop_jkt or with the same one; a thief with everything else gets nothing."""
    fapi = proving.provers["fapi"]
    for change in ({}, {"dpop_jkt": thumbprint(KEY)}):
        proof = Proof()
        code = proving.pushed_code(
            fapi, proof, {"DPoP": dpop(KEY, now=proving.now, path="/par")}, scope="openid", **change
        )
        stolen = proving.redeem(fapi, code, proof, {"DPoP": dpop(OTHER, now=proving.now)})
        assert (stolen.status_code, stolen.json["error"]) == (400, "invalid_grant")
        good = proving.redeem(fapi, code, proof, {"DPoP": dpop(KEY, now=proving.now)})
        assert (good.status_code, good.json["token_type"]) == (200, "DPoP")


def test_a_proof_that_does_not_fit_the_push_is_refused(proving: Proving) -> None:
    """RFC 9449 §4.3, §10.1."""
    fapi = proving.provers["fapi"]
    other = proving.push(
        fapi, Proof(), {"DPoP": dpop(KEY, now=proving.now, path="/par")}, dpop_jkt=thumbprint(OTHER)
    )
    assert (other.status_code, other.json["error"]) == (400, "invalid_dpop_proof")
    for proof in (dpop(KEY, now=proving.now), dpop(KEY, now=proving.now, path="/par", method="GET"), "x"):
        answer = proving.push(fapi, Proof(), {"DPoP": proof})
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_dpop_proof")
    nonce = current_nonce(proving.town.context.vault, now=int(proving.now))
    answer = proving.push(fapi, Proof(), {"DPoP": dpop(KEY, now=proving.now, path="/par", nonce="x")})
    assert (answer.json["error"], answer.headers["DPoP-Nonce"]) == ("use_dpop_nonce", nonce)
    answer = proving.push(fapi, Proof(), {"DPoP": dpop(KEY, now=proving.now, path="/par", nonce=nonce)})
    assert (answer.status_code, answer.headers["DPoP-Nonce"]) == (201, nonce)


# --- the whole way, and the end ---


def _message_signed(proving: Proving, prover: Prover, proof: Proof) -> str:
    request = prover.request_object(proving.now, proof)
    headers = {"DPoP": dpop(KEY, now=proving.now, path="/par")}
    pushed = proving.post("/par", proving.authenticated(prover, {"request": request}), headers)
    return proving.browser.go_through(proving.town.maria, proving.bring(prover, pushed))


@pytest.mark.parametrize("name", ["fapi", "signed"])
def test_a_fapi_client_goes_the_whole_way(proving: Proving, name: str) -> None:
    """FAPI 2.0: push, signed where that is asked, DPoP and private_key_jwt; code; tokens; userinfo; refresh."""
    prover, proof, town = proving.provers[name], Proof(), proving.town
    if name == "signed":
        code = _message_signed(proving, prover, proof)
    else:
        code = proving.pushed_code(prover, proof, {"DPoP": dpop(KEY, now=proving.now, path="/par")})
    tokens = proving.redeem(prover, code, proof, {"DPoP": dpop(KEY, now=proving.now)}).json
    assert tokens["token_type"] == "DPoP", tokens
    access_token = tokens["access_token"]
    own = dpop(KEY, now=proving.now, path="/userinfo", method="GET", token=access_token)
    answer = proving.userinfo({"Authorization": f"DPoP {access_token}", "DPoP": own})
    assert (answer.status_code, answer.json["email"]) == (200, town.maria.email)
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    again = proving.post("/token", prover.form(proving.now, form), {"DPoP": dpop(OTHER, now=proving.now)})
    assert (again.status_code, again.json["token_type"]) == (200, "DPoP"), again.json


def test_what_ended_is_cleared_away_when_nobody_can_be_signing_in_for_it(later: Proving) -> None:
    """The table does not grow for ever; a resident who signs in slowly still finds their request."""
    town = later.town
    row = _row(later, later.push(later.provers["fapi"], Proof()))
    ended = row.expires_at + 2 * WAIT_FOR
    for at, is_there in ((ended, True), (ended + 1, False)):
        purge(town.context, now=at)
        assert (row.id_hash in [one.id_hash for one in town.rows(PushedRequest)]) == is_there


def test_discovery_tells_where_to_push(proving: Proving) -> None:
    """RFC 9126 §5, RFC 8705 §5: also at the host that asks for certificates."""
    town = proving.town
    told = town.app.test_client().get("/.well-known/openid-configuration", base_url=ISSUER).json
    assert told["pushed_authorization_request_endpoint"] == f"{ISSUER}/par"
    assert told["require_pushed_authorization_requests"] is False
    from idp.oidc.views.discovery import metadata

    server = town.settings.server.model_copy(update={"mtls_url": "https://mtls.riverton.example"})
    aliases = metadata(town.settings.model_copy(update={"server": server}))["mtls_endpoint_aliases"]
    assert aliases["pushed_authorization_request_endpoint"] == "https://mtls.riverton.example/par"
    assert set(aliases) <= set(told)


def test_a_kept_request_comes_back_whole() -> None:
    """Every field of a request that is kept has its place in a draft, so that nothing is dropped on the way."""
    from dataclasses import fields

    from idp.oidc.request import AuthorizationRequest, Draft

    kept = {one.name for one in fields(AuthorizationRequest)} - {"client_id"}
    assert kept <= {one.name for one in fields(Draft)}
    asked = AuthorizationRequest("c", "https://c.example/", ("openid",), "x" * 43, pushed="00", nonce="n")
    assert AuthorizationRequest.from_json(asked.to_json()) == asked
    assert replace(asked, pushed=None) != asked
