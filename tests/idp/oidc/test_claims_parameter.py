"""Claims asked for by name: where they come out, what they need, and what a partner cannot get by them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt

from consent.models import Record, Release
from idp.accounts.models import Resident
from idp.accounts.service import set_attribute
from idp.clients.metadata import Details, NewClient
from idp.oidc.claims_request import NOTHING_ASKED, NotReadable, read, read_kept
from idp.oidc.models import Authorization
from idp.oidc.request import AuthorizationRequest
from idp.oidc.rules import CLAIMS, SCOPE_CLAIMS, claim_values
from tests.idp.oidc.test_step_up import demand
from tests.support.settled import Settled, assert_refused_back, parameters
from tests.support.town import START, Browser, Partner, Proof, Town, choices, code_of

if TYPE_CHECKING:
    from collections.abc import Mapping

OFFLINE = "openid offline_access"


def asking(*, userinfo: Any = None, id_token: Any = None) -> str:
    """A `claims` parameter."""
    both = {"userinfo": userinfo, "id_token": id_token}
    return json.dumps({place: asked for place, asked in both.items() if asked is not None})


def said(town: Town, tokens: Mapping[str, Any]) -> dict[str, Any]:
    """What the ID token of an answer says."""
    ring = town.app.extensions["denizen.oidc"].keys.ring
    return dict(jwt.decode(tokens["id_token"], ring.verify_keys, algorithms=["ES256", "RS256"]).claims)


def told(town: Town, tokens: Mapping[str, Any]) -> dict[str, Any]:
    """What userinfo says, without the subject."""
    answer = town.userinfo(tokens["access_token"])
    assert answer.status_code == 200, answer.text
    found = dict(answer.json)
    found.pop("sub")
    return found


def released(town: Town) -> list[tuple[str, list[str]]]:
    rows = sorted(town.rows(Release), key=lambda row: row.id)
    return [(row.kind, orjson.loads(row.claims)) for row in rows]


def redeemed(town: Town, partner: Partner, browser: Browser, **change: str) -> dict[str, Any]:
    """Tokens for Maria, who agrees to everything that she is asked in this browser."""
    proof = Proof()
    code = browser.code(partner, town.maria, change.pop("scope", "openid"), proof, **change)
    answer = town.redeem(partner, code, proof)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


# --- where they come out ---


def test_a_claim_asked_for_at_userinfo_is_there_and_nowhere_else(settled: Settled) -> None:
    """OIDC Core §5.5: each place by itself, and nothing that was not asked for beside it."""
    asked = asking(userinfo={"name": {"essential": True}})
    tokens = settled.tokens(settled.town.library, scope="openid", claims=asked)
    assert told(settled.town, tokens) == {"name": "Maria Okafor"}
    assert "name" not in said(settled.town, tokens)


def test_a_claim_asked_for_in_the_id_token_is_there_and_nowhere_else(settled: Settled) -> None:
    """OIDC Core §5.5; and it is a release that names what was handed over."""
    before = len(released(settled.town))
    asked = asking(id_token={"email": None, "email_verified": None, "auth_time": {"essential": True}})
    tokens = settled.tokens(settled.town.tax, scope="openid", claims=asked)
    found = said(settled.town, tokens)
    assert (found["email"], found["email_verified"]) == ("maria@example.org", True)
    assert isinstance(found["auth_time"], int)
    assert told(settled.town, tokens) == {}
    assert released(settled.town)[before:] == [("id_token", ["email", "email_verified"]), ("userinfo", [])]


def test_scopes_and_names_add_up(settled: Settled) -> None:
    """OIDC Core §5.5: the parameter adds to what the scopes stand for."""
    asked = asking(userinfo={"email": None}, id_token={"name": None})
    tokens = settled.tokens(settled.town.tax, scope="openid profile", claims=asked)
    assert sorted(told(settled.town, tokens)) == ["email", "name", "updated_at"]
    assert said(settled.town, tokens)["name"] == "Maria Okafor"


def test_a_refreshed_id_token_says_it_again(town: Town) -> None:
    """A refresh hands over anew, by what is agreed then, and is written down anew."""
    browser = town.browser()
    asked = asking(id_token={"name": None, "email": None}, userinfo={"email": None})
    first = redeemed(town, town.library, browser, scope=OFFLINE, claims=asked)
    later = town.refresh(town.library, first["refresh_token"]).json
    assert {"name", "email"} <= said(town, later).keys()
    assert told(town, later) == {"email": "maria@example.org"}
    expected = ("id_token", ["email", "name"])
    assert released(town) == [expected, expected, ("userinfo", ["email"])]

    browser.follow(browser.authorize(town.library, "openid", Proof(), prompt="consent", claims=asked))
    browser.allow(share=[])
    narrowed = town.refresh(town.library, later["refresh_token"]).json
    assert "name" in said(town, narrowed)
    assert "email" not in said(town, narrowed)
    assert told(town, narrowed) == {}


def test_what_goes_with_a_claim_can_be_had_without_it(settled: Settled) -> None:
    """GDPR Art. 5(1)(c): whether the address is confirmed is less than the address."""
    asked = asking(userinfo={"email_verified": None}, id_token={"updated_at": None})
    tokens = settled.tokens(settled.town.library, scope="openid", claims=asked)
    assert told(settled.town, tokens) == {"email_verified": True}
    assert "email" not in said(settled.town, tokens)
    assert said(settled.town, tokens)["updated_at"] == START


def test_what_goes_with_a_claim_needs_the_leave_for_that_claim(town: Town) -> None:
    """Whether an address is confirmed says that there is one."""
    browser, proof = town.browser(), Proof()
    asked = asking(userinfo={"email_verified": None})
    browser.follow(browser.authorize(town.library, "openid", proof, claims=asked))
    page = browser.follow(browser.sign_in(town.maria))
    assert choices(page.text) == ["email"]
    tokens = town.redeem(town.library, code_of(browser.allow(share=["email"])), proof).json
    assert told(town, tokens) == {"email_verified": True}


def test_claims_without_a_scope_of_their_own_can_be_asked_for(town: Town) -> None:
    """An age is asked for where a date of birth would say too much."""
    club = NewClient("Club", ("https://club.example/cb",), client_id="club", scopes=("openid",))
    partner = town.add_client(club, required=("age_over_65",))
    town.fresh()
    tokens = redeemed(town, partner, town.browser(), claims=asking(id_token={"age_over_65": None}))
    assert said(town, tokens)["age_over_65"] is False
    assert "birthdate" not in said(town, tokens)


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_signed_userinfo_says_them_too(town: Town, alg: str) -> None:
    """OIDC Core §5.3.2, §5.5."""
    details = Details(userinfo_signed_response_alg=alg)
    new = NewClient("Signed", ("https://signed.example/cb",), client_id="signed", details=details)
    partner = town.add_client(new, required=("name",))
    town.fresh()
    tokens = redeemed(town, partner, town.browser(), claims=asking(userinfo={"name": None}))
    answer = town.userinfo(tokens["access_token"])
    assert answer.mimetype == "application/jwt"
    ring = town.app.extensions["denizen.oidc"].keys.ring
    found = jwt.decode(answer.text, ring.verify_keys, algorithms=[alg]).claims
    assert found["name"] == "Maria Okafor"


# --- what they need ---


def test_a_claim_without_a_purpose_is_never_released(town: Town) -> None:
    """A name in a request is no reason to have the data: no page, no answer and no record speaks of it."""
    asked = {"district": {"essential": True}, "birthdate": None, "name": None}
    browser = town.browser()
    browser.follow(browser.authorize(town.library, OFFLINE, Proof(), claims=asking(userinfo=asked)))
    page = browser.follow(browser.sign_in(town.maria)).text
    assert "Your full name" in page
    assert "district" not in page
    assert "birth" not in page
    browser.allow()
    more = asking(userinfo={**asked, "phone_number": None})
    at_once = browser.authorize(town.library, OFFLINE, Proof(), prompt="none", claims=more)
    assert "code=" in at_once.headers["Location"], "nobody is asked about what can never be given"
    tokens = redeemed(
        town, town.library, browser, scope=OFFLINE, claims=asking(userinfo=asked, id_token=asked)
    )
    later = town.refresh(town.library, tokens["refresh_token"]).json
    for each in (tokens, later):
        assert told(town, each) == {"name": "Maria Okafor"}
        assert not {"district", "birthdate"} & said(town, each).keys()
        body = town.introspect(town.library, each["access_token"]).json
        assert not {"district", "birthdate"} & body.keys()
    assert not any("district" in row.claims or "birthdate" in row.claims for row in town.rows(Release))
    assert not any("district" in row.claims_offered for row in town.rows(Record))


def test_a_claim_that_is_new_is_asked_about_and_the_choice_holds_everywhere(town: Town) -> None:
    """Consent is per claim; asked for by name is asked for like a scope's."""
    browser = town.browser()
    redeemed(town, town.library, browser, scope="openid profile")
    asked = asking(userinfo={"email": {"essential": True}}, id_token={"email": None})
    refused = browser.authorize(town.library, "openid", Proof(), prompt="none", claims=asked)
    assert_refused_back(refused, "consent_required")
    proof = Proof()
    page = browser.follow(browser.authorize(town.library, "openid", proof, claims=asked))
    assert choices(page.text) == ["email"]
    tokens = town.redeem(town.library, code_of(browser.allow(share=[])), proof).json
    again = redeemed(town, town.library, browser, claims=asked)
    for each in (tokens, again):
        assert told(town, each) == {}
        assert "email" not in said(town, each)
    browser.follow(browser.authorize(town.library, "openid", proof, claims=asked, prompt="consent"))
    browser.allow(share=["email"])
    assert told(town, redeemed(town, town.library, browser, claims=asked)) == {"email": "maria@example.org"}


def test_a_request_by_name_does_not_take_back_what_another_asked_for(town: Town) -> None:
    """Tokens that are out keep what was agreed: each request adds to the grant."""
    browser = town.browser()
    first = redeemed(town, town.library, browser, claims=asking(userinfo={"email": None}))
    redeemed(town, town.library, browser, scope="openid profile")
    assert told(town, first) == {"email": "maria@example.org"}


def test_a_purpose_demands_its_level_for_claims_asked_for_by_name(town: Town) -> None:
    """The rule holds for the claims, however they are asked for."""
    browser = town.browser()
    redeemed(town, town.library, browser, scope=OFFLINE, claims=asking(id_token={"name": None}))
    demand(town, town.library, purpose_acr={"main": "strong"})
    asked = asking(userinfo={"name": None})
    refused = browser.authorize(town.library, "openid", Proof(), prompt="none", claims=asked)
    assert_refused_back(refused, "login_required")
    plain = browser.authorize(town.library, "openid", Proof(), prompt="none")
    assert "code=" in plain.headers["Location"]


def test_a_higher_level_empties_refreshed_id_tokens_of_weak_sign_ins(town: Town) -> None:
    """RFC 9470: what userinfo would refuse, the ID token does not say either."""
    asked = asking(id_token={"name": None}, userinfo={"name": None})
    tokens = redeemed(town, town.library, town.browser(), scope=OFFLINE, claims=asked)
    assert "name" in said(town, tokens)
    demand(town, town.library, purpose_acr={"main": "strong"})
    later = town.refresh(town.library, tokens["refresh_token"]).json
    assert "name" not in said(town, later)
    assert town.userinfo(later["access_token"]).status_code == 401


def test_a_withdrawal_ends_them_at_once(town: Town) -> None:
    """GDPR Art. 7(3)."""
    browser = town.browser()
    asked = asking(id_token={"name": None}, userinfo={"name": None})
    tokens = redeemed(town, town.library, browser, scope=OFFLINE, claims=asked)
    browser.get("/privacy/services/library")
    browser.submit("/privacy/services/library/withdraw")
    assert town.userinfo(tokens["access_token"]).status_code == 401
    assert town.refresh(town.library, tokens["refresh_token"]).json["error"] == "invalid_grant"
    refused = browser.authorize(town.library, "openid", Proof(), prompt="none", claims=asked)
    assert_refused_back(refused, "consent_required")


def test_a_client_that_waits_for_approval_gets_nothing_by_name(town: Town) -> None:
    """RFC 7591 §5: who registered itself has no purpose yet."""
    new = NewClient("Newcomer", ("https://new.example/cb",), client_id="newcomer")
    partner = town.add_client(new, required=("name",))
    with town.context.database.transaction() as session:
        from idp.clients.models import ClientRow
        from idp.jobs.stamps import CLIENTS, bump

        session.get_one(ClientRow, "newcomer").approved_at = None
        bump(session, CLIENTS)
    town.fresh()
    asked = asking(userinfo={"name": None}, id_token={"name": None})
    tokens = redeemed(town, partner, town.browser(), claims=asked)
    assert told(town, tokens) == {}
    assert "name" not in said(town, tokens)


# --- sub, acr, auth_time ---


def test_only_the_resident_with_that_sub_may_answer(settled: Settled) -> None:
    """OIDC Core §3.1.2.2 step 4: as for id_token_hint, never a positive answer for somebody else."""
    town = settled.town
    mine = said(town, settled.tokens(town.library))["sub"]
    for sub in ({"value": mine}, {"values": ["nobody", mine]}):
        for place in ("id_token", "userinfo"):
            asked = asking(**{place: {"sub": sub}})
            assert "code=" in settled.ask(parameters(town.library, claims=asked)).location
    other = asking(id_token={"sub": {"value": "somebody-else", "essential": True}})
    assert_refused_back(settled.ask(parameters(town.library, prompt="none", claims=other)), "login_required")
    page = settled.browser.follow(settled.ask(parameters(town.library, claims=other)))
    assert 'action="/login"' in page.text


def test_whoever_signs_in_instead_is_sent_back_with_an_error(town: Town) -> None:
    """OIDC Core §3.1.2.2: Jun signs in where Maria was asked for."""
    sub = said(town, town.tokens(town.library, town.maria))["sub"]
    browser = town.browser()
    asked = asking(id_token={"sub": {"value": sub}})
    browser.follow(browser.authorize(town.library, "openid", Proof(), claims=asked))
    town.clock.advance(2)
    assert_refused_back(browser.follow(browser.sign_in(town.jun)), "login_required")


@pytest.mark.parametrize(
    "sub", [{"value": 7}, {"value": ""}, {"value": "é"}, {"value": "s" * 256}, {"values": ["a", None]}]
)
def test_a_sub_that_cannot_be_one_is_refused(settled: Settled, sub: dict[str, Any]) -> None:
    """OIDC Core §2, §5.5.1: the value must be a valid one for the claim."""
    asked = asking(id_token={"sub": sub})
    assert_refused_back(settled.ask(parameters(settled.town.library, claims=asked)), "invalid_request")


def test_two_different_subjects_are_refused(settled: Settled) -> None:
    """Nobody could ever answer."""
    asked = asking(id_token={"sub": {"value": "a"}}, userinfo={"sub": {"value": "b"}})
    assert_refused_back(settled.ask(parameters(settled.town.library, claims=asked)), "invalid_request")


# --- reading the parameter ---

IGNORED = [
    {},
    {"userinfo": None, "id_token": None},
    {"id_token": {"name#fr": None, "family_name#ja-Hani-JP": {"essential": True}}},
    {"id_token": {"https://partner.example/points": {"value": {"a": [1]}}}},
    {"userinfo": {"acr": None, "iss": None, "verified_claims": {"claims": {"name": None}}}},
    {"verifiable_presentation": {"id_token": 1}},
    {"userinfo": {"favourite_colour": {"essential": True, "purpose": "why not"}}},
]


@pytest.mark.parametrize("asked", IGNORED, ids=lambda one: json.dumps(one)[:50])
def test_what_is_not_known_is_passed_over(settled: Settled, asked: dict[str, Any]) -> None:
    """OIDC Core §5.5: members and claims that are not understood MUST be ignored."""
    tokens = settled.tokens(settled.town.library, scope="openid", claims=json.dumps(asked))
    assert told(settled.town, tokens) == {}
    usual = {"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"}
    assert set(said(settled.town, tokens)) <= usual


MALFORMED = [
    "",
    "{",
    "name",
    "[]",
    "null",
    '"userinfo"',
    '{"userinfo": []}',
    '{"userinfo": "name"}',
    '{"id_token": {"name": true}}',
    '{"id_token": {"name": []}}',
    '{"id_token": {"name": {"essential": "yes"}}}',
    '{"id_token": {"name": {"essential": null}}}',
    '{"id_token": {"name": {"values": "Maria"}}}',
    '{"id_token": {"name": "\\ud800"}}',
    '{"userinfo": {"name": NaN}}',
    "[" * 4000,
    '{"userinfo": {"' + "n" * 8192 + '": null}}',
]


@pytest.mark.parametrize("text", MALFORMED, ids=lambda one: one[:40])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    """OIDC Core §5.5, §3.1.2.6 invalid_request; the refusal repeats nothing of it."""
    with pytest.raises(NotReadable) as refused:
        read(text)
    assert "Maria" not in str(refused.value)
    assert not set('"\\\r\n') & set(str(refused.value))


def test_a_parameter_that_cannot_be_read_goes_back_as_an_error(settled: Settled) -> None:
    """And not as a page, once the redirect URI is proven."""
    for text in MALFORMED[1:]:
        assert_refused_back(settled.ask(parameters(settled.town.library, claims=text)), "invalid_request")


def test_only_known_names_are_kept_with_the_request() -> None:
    """What a partner writes there, such as an address to compare with, is not ours to keep."""
    asked = read(
        asking(userinfo={"email": {"value": "maria@example.org"}, "x": None}, id_token={"sub": None})
    )
    assert asked.kept() == '{"userinfo":["email"]}'
    assert read_kept(asked.kept()).userinfo == {"email"}
    assert NOTHING_ASKED.kept() is None


def test_a_request_kept_before_claims_could_be_asked_for_is_read() -> None:
    """Waiting requests outlive an upgrade."""
    kept = json.dumps(
        {"client_id": "c", "redirect_uri": "https://c.example", "scope": ["openid"], "code_challenge": "x"}
    )
    request = AuthorizationRequest.from_json(kept)
    assert (request.claims, request.authorization_details, request.sub_values) == (None, None, ())


def test_a_request_without_claims_keeps_none(settled: Settled) -> None:
    """Nothing is stored, and nothing is read, for those who do not ask."""
    settled.tokens(settled.town.library)
    row = max(settled.town.rows(Authorization), key=lambda one: one.id)
    assert (row.asked_claims, row.authorization_details) == (None, None)


_NAMES = st.sampled_from(
    [*CLAIMS, "sub", "acr", "auth_time", "name#fr", "userinfo", "essential", "verified_claims"]
) | st.text(max_size=12)
_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | _NAMES
)
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=8,
)
_WISH = st.none() | st.fixed_dictionaries(
    {}, optional={"essential": st.booleans() | _SCALARS, "value": _ANYTHING, "values": _ANYTHING}
)
_PLACE = st.dictionaries(_NAMES, _WISH | _ANYTHING, max_size=4)
_PARAMETER = (
    st.fixed_dictionaries({}, optional={"userinfo": _PLACE, "id_token": _PLACE, "other": _ANYTHING})
    .map(json.dumps)
) | st.text(max_size=60) | _ANYTHING.map(json.dumps)  # fmt: skip
_PROTOCOL = {"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"}
#: What the library's purpose covers and Maria agreed to, with what goes with it.
_AGREED = {"name", "updated_at", "email", "email_verified"}


@settings(max_examples=40)
@given(text=_PARAMETER)
def test_whatever_is_asked_the_answer_is_a_code_an_error_or_a_page(settled: Settled, text: str) -> None:
    """No input gives a 500, and no code gives more than was agreed."""
    town, proof = settled.town, Proof()
    answer = settled.ask(parameters(town.library, proof, scope="openid", claims=text))
    assert answer.status_code == 303, (answer.status_code, answer.text[:500])
    location = answer.headers["Location"]
    if location.startswith("/authorize/continue"):
        return
    assert location.startswith(town.library.redirect_uri)
    found = parse_qs(urlsplit(location).query)
    if "error" in found:
        assert found["error"][0] in {"invalid_request", "unmet_authentication_requirements"}
        return
    tokens = town.redeem(town.library, found["code"][0], proof).json
    assert said(town, tokens).keys() <= _PROTOCOL | _AGREED
    assert told(town, tokens).keys() <= _AGREED


# --- all that a resident can have ---

EVERYTHING: dict[str, Any] = {
    "given_name": "Maria",
    "family_name": "Okafor",
    "middle_name": "Adaeze",
    "nickname": "Mari",
    "preferred_username": "maria",
    "profile": "https://maria.example/",
    "picture": "https://maria.example/me.jpg",
    "website": "https://maria.example/",
    "gender": "female",
    "birthdate": "1984-02-29",
    "zoneinfo": "Europe/Paris",
    "locale": "fr-CA",
    "phone_number": "+15550142",
    "address": {"formatted": "12 Bridge Street", "locality": "Riverton", "country": ""},
}


def test_a_resident_can_have_every_standard_claim_with_its_type(town: Town) -> None:
    """OIDC Core §5.1, §5.4: texts, true or false, a number, an object of texts; by scope and by name alike."""
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        assert resident.data_key is not None
        data_key = town.context.vault.open_data_key(resident.data_key)
        for name, value in EVERYTHING.items():
            set_attribute(
                session, data_key, resident, name, value, source="desk", verified_at=START, now=START
            )
    wanted = [one for scope in ("profile", "email", "phone", "address") for one in SCOPE_CLAIMS[scope]]
    base = tuple(
        one for one in wanted if one not in {"email_verified", "phone_number_verified", "updated_at"}
    )
    scopes = ("openid", "profile", "email", "phone", "address")
    new = NewClient("Hall", ("https://hall.example/cb",), client_id="hall", scopes=scopes)
    partner = town.add_client(new, basis="public_task", required=base)
    town.fresh()
    browser = town.browser()
    by_scope = told(town, redeemed(town, partner, browser, scope=" ".join(scopes)))
    asked = dict.fromkeys(wanted)
    tokens = redeemed(town, partner, browser, claims=asking(userinfo=asked, id_token=asked))
    for found in (by_scope, told(town, tokens), said(town, tokens)):
        assert set(wanted) <= found.keys()
        assert found["address"] == {"formatted": "12 Bridge Street", "locality": "Riverton"}
        assert type(found["updated_at"]) is int
        assert (found["email_verified"], found["phone_number_verified"]) == (True, True)
        for name in EVERYTHING.keys() - {"address"}:
            assert found[name] == EVERYTHING[name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", ""),
        ("email", 7),
        ("resident", "yes"),
        ("address", []),
        ("address", {}),
        ("address", {"formatted": ""}),
        ("address", {"planet": "Earth"}),
        ("given_name", None),
        ("locale", ["en"]),
    ],
)
def test_a_value_of_another_type_is_left_out(name: str, value: Any) -> None:
    """OIDC Core §5.3.2: left out, never null or empty; nobody is told the wrong type."""
    assert claim_values([name], {name: value}, frozenset(), changed_at=0, now=START) == {}


def test_one_text_is_a_whole_address() -> None:
    """OIDC Core §5.1.1 formatted."""
    found = claim_values(["address"], {"address": "1 Mill Lane"}, frozenset(), changed_at=0, now=START)
    assert found == {"address": {"formatted": "1 Mill Lane"}}


def test_nothing_is_verified_that_is_not_there() -> None:
    """A flag about an address that nobody has would be a lie."""
    asked = ["email_verified", "phone_number_verified"]
    assert claim_values(asked, {}, frozenset(), changed_at=0, now=START) == {}
    known = {"email": "m@example.org"}
    assert claim_values(asked, known, frozenset(), changed_at=0, now=START) == {"email_verified": False}


# --- beside it ---


@pytest.mark.parametrize(
    "extra",
    [
        {"claims_locales": "fr-CA se"},
        {"ui_locales": "se"},
        {"display": "page"},
        {"display": "popup"},
        {"display": "touch"},
        {"display": "wap"},
        {"display": "hologram"},
        {"login_hint": "buffy@sunnydale.example"},
    ],
    ids=str,
)
def test_wishes_about_the_pages_never_fail(settled: Settled, extra: dict[str, str]) -> None:
    """OIDC Core §3.1.2.1, §5.2: asked for, not demanded."""
    assert settled.tokens(settled.town.library, **extra)["id_token"]


def test_discovery_says_what_can_be_asked_for(settled: Settled) -> None:
    """OIDC Discovery §3: exactly the claims that can come out."""
    found = settled.browser.get("/.well-known/openid-configuration").json
    assert found["claims_parameter_supported"] is True
    assert found["claim_types_supported"] == ["normal"]
    assert set(found["claims_supported"]) == {
        *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid"),
        *CLAIMS,
    }
    assert len(found["claims_supported"]) == len(set(found["claims_supported"]))
    assert found["display_values_supported"] == ["page", "popup", "touch", "wap"]
