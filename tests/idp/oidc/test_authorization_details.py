"""Permissions for single matters: registered by an API, shown in plain words, agreed to as they stand, carried by tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from pydantic import ValidationError

from consent.models import Record
from idp.clients.details_types import DetailsType
from idp.clients.manifest import enrol, read_manifest
from idp.clients.metadata import GRANT_TYPES, ClientRefused, Details, NewClient
from idp.oidc.models import AccessToken, Grant
from tests.support.settled import SCOPE, assert_refused_back, parameters
from tests.support.town import ISSUER, Browser, Partner, Proof, Town, answer_parameters, code_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ERROR = "invalid_authorization_details"
API = "https://tax.example/api"
RETURN = DetailsType(
    type="tax_return",
    purpose="main",
    text={"en": "Send in a tax return in your name.", "fr": "Envoyer une déclaration en votre nom."},
    field={
        "year": {"kind": "integer", "required": True, "label": {"en": "Tax year", "fr": "Année"}},
        "actions": {
            "kind": "texts",
            "label": {"en": "What it may do"},
            "values": {"draft": {"en": "prepare it"}, "file": {"en": "send it in"}},
        },
        "note": {"label": {"en": "Note"}},
        "joint": {"kind": "boolean", "label": {"en": "Together with your partner"}},
    },
)
CAR = DetailsType(type="https://roads.example/car", purpose="main", text={"en": "Look up your car."})
LAST_YEAR = {"type": "tax_return", "year": 2025, "actions": ["draft", "file"]}
THIS_YEAR = {"type": "tax_return", "year": 2026}


#: Resource servers, by the address of their town's database and their client_id.
OFFICES: dict[tuple[str, str], Partner] = {}


def details(*several: dict[str, Any]) -> str:
    """An `authorization_details` parameter."""
    return json.dumps(list(several))


def advisor_in(town: Town, **more: Any) -> Partner:
    """A tax advisor that may ask for the tax office's permissions; the office's API understands them."""
    office = Details(resource=API, access_token_format="jwt", authorization_details_type=(RETURN,))
    roads = Details(authorization_details_type=(CAR,))
    api = {"grant_types": ("client_credentials",), "scopes": ()}
    for name, client_id, described in (("Tax API", "tax-api", office), ("Roads", "roads", roads)):
        server = NewClient(name, client_id=client_id, details=described, **api)
        OFFICES[town.settings.database.url, client_id] = town.add_client(server, basis=None)
    types = ("tax_return", "https://roads.example/car", "never_registered")
    new = NewClient(
        "Advisor",
        ("https://advisor.example/cb",),
        client_id="advisor",
        grant_types=("authorization_code", "refresh_token"),
        scopes=("openid", "profile", "email", "offline_access"),
        details=Details(authorization_details_types=types, **more.pop("details", {})),
    )
    partner = town.add_client(
        new, **{"basis": "consent", "required": ("name",), "optional": ("email",), **more}
    )
    town.fresh()
    return partner


@pytest.fixture
def advised(town: Town) -> tuple[Town, Partner]:
    return town, advisor_in(town)


def office_of(town: Town, client_id: str = "tax-api") -> Partner:
    """A resource server of the advisor's town that introspects."""
    return OFFICES[town.settings.database.url, client_id]


def visit(town: Town, partner: Partner, browser: Browser, asked: str, **change: str) -> dict[str, Any]:
    """Tokens for Maria, who allows what she is asked."""
    proof, form = Proof(), change.pop("form", None)
    scope = change.pop("scope", "openid offline_access")
    code = browser.code(partner, town.maria, scope, proof, authorization_details=asked, **change)
    answer = town.redeem(partner, code, proof, **(json.loads(form) if form else {}))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def page_of(town: Town, partner: Partner, browser: Browser, asked: str, **extra: str) -> str:
    """The page that Maria sees."""
    extra = {"scope": "openid", **extra, "authorization_details": asked}
    answer = browser.follow(browser.authorize(partner, extra.pop("scope"), Proof(), **extra))
    if 'action="/login"' in answer.text:
        answer = browser.follow(browser.sign_in(town.maria))
    return answer.text


# --- shown, agreed to, carried ---


def test_the_resident_reads_in_plain_words_what_the_service_may_do(advised: tuple[Town, Partner]) -> None:
    """RFC 9396 §14, GDPR Art. 7(2): the text of the type, each field with its label, values in words."""
    town, partner = advised
    asked = details({**LAST_YEAR, "joint": True, "note": "<b>second</b> try"}, {"type": CAR.type})
    browser = town.browser()
    page = page_of(town, partner, browser, asked)
    for words in ("Send in a tax return in your name.", "Tax year", "2025", "prepare it, send it in"):
        assert words in page
    for words in ("Together with your partner", "Yes", "&lt;b&gt;second&lt;/b&gt; try", "Look up your car."):
        assert words in page
    for never in ("tax_return", "permission:", "<b>second", "authorization_details"):
        assert never not in page
    french = page_of(town, partner, browser, asked, ui_locales="fr")
    assert "Envoyer une déclaration en votre nom." in french
    assert "Année" in french


def test_it_comes_with_the_tokens_and_where_they_are_looked_at(advised: tuple[Town, Partner]) -> None:
    """RFC 9396 §7, §9.2: token answer, refresh, introspection by the client itself."""
    town, partner = advised
    tokens = visit(town, partner, town.browser(), details(LAST_YEAR))
    later = town.refresh(partner, tokens["refresh_token"]).json
    for each in (tokens, later):
        assert each["authorization_details"] == [LAST_YEAR]
        assert town.introspect(partner, each["access_token"]).json["authorization_details"] == [LAST_YEAR]
    assert "authorization_details" not in town.tokens(town.library, town.maria)


def test_a_resource_server_is_told_of_its_own_types_alone(advised: tuple[Town, Partner]) -> None:
    """RFC 9396 §9.2, data minimisation: the roads office learns nothing of a tax return."""
    town, partner = advised
    tokens = visit(town, partner, town.browser(), details(LAST_YEAR, {"type": CAR.type}))
    roads = town.introspect(office_of(town, "roads"), tokens["access_token"]).json
    assert roads["active"] is True
    assert roads["authorization_details"] == [{"type": CAR.type}]
    assert "scope" not in roads
    nobody = town.introspect(town.service, tokens["access_token"])
    assert nobody.json == {"active": False}


def test_a_token_for_an_api_is_a_jwt_with_its_permissions(advised: tuple[Town, Partner]) -> None:
    """RFC 8707 §2.2, RFC 9396 §9.1: a permission of its type is reason enough for a token, without a scope."""
    town, partner = advised
    asked = details(LAST_YEAR, {"type": CAR.type})
    form = json.dumps({"resource": API})
    tokens = visit(town, partner, town.browser(), asked, form=form)
    ring = town.app.extensions["denizen.oidc"].keys.ring
    found = jwt.decode(tokens["access_token"], ring.verify_keys, algorithms=["ES256", "RS256"])
    assert found.header["typ"] == "at+jwt"
    assert found.claims["aud"] == API
    assert found.claims["authorization_details"] == tokens["authorization_details"] == [LAST_YEAR]
    assert "scope" not in found.claims
    assert "scope" not in tokens
    assert town.introspect(office_of(town), tokens["access_token"]).json["authorization_details"] == [
        LAST_YEAR
    ]
    assert town.introspect(office_of(town, "roads"), tokens["access_token"]).json == {"active": False}


def test_an_api_without_a_permission_or_scope_of_its_own_gets_no_token(advised: tuple[Town, Partner]) -> None:
    """RFC 8707 §2.2 invalid_target."""
    town, partner = advised
    proof = Proof()
    browser = town.browser()
    code = browser.code(
        partner, town.maria, "openid", proof, authorization_details=details({"type": CAR.type})
    )
    assert town.redeem(partner, code, proof, resource=API).json["error"] == "invalid_target"


def test_the_same_permission_is_not_asked_about_twice_and_another_one_is(
    advised: tuple[Town, Partner],
) -> None:
    """RFC 9396 §9: what was agreed to is this very permission, not all of its type."""
    town, partner = advised
    browser = town.browser()
    visit(town, partner, browser, details(LAST_YEAR))
    spaced = '[ {"year":2025, "actions":["draft","file"], "type":"tax_return"} ]'
    answer = browser.authorize(partner, "openid", Proof(), prompt="none", authorization_details=spaced)
    assert "code" in answer_parameters(answer)
    for other in (THIS_YEAR, {**LAST_YEAR, "actions": ["file"]}, {**LAST_YEAR, "note": "x"}):
        refused = browser.authorize(
            partner, "openid", Proof(), prompt="none", authorization_details=details(other)
        )
        assert_refused_back(refused, "consent_required")
    page = page_of(town, partner, browser, details(THIS_YEAR))
    assert "2026" in page
    assert "2025" not in page


def test_a_no_sends_back_and_gives_nothing(advised: tuple[Town, Partner]) -> None:
    """RFC 6749 §4.1.2.1 access_denied; the next request asks again."""
    town, partner = advised
    browser = town.browser()
    visit(town, partner, browser, details(LAST_YEAR))
    page_of(town, partner, browser, details(THIS_YEAR))
    assert_refused_back(browser.follow(browser.deny()), "access_denied")
    asked = details(THIS_YEAR)
    refused = browser.authorize(partner, "openid", Proof(), prompt="none", authorization_details=asked)
    assert_refused_back(refused, "consent_required")
    assert "2026" in page_of(town, partner, browser, asked)
    assert "code" in answer_parameters(browser.follow(browser.allow()))


def test_after_a_no_while_another_purpose_holds_it_is_still_asked_about(town: Town) -> None:
    """A purpose refused before is not asked about again by itself; a permission always is."""
    partner = advisor_in(town, required=(), optional=("email",))
    with town.context.database.transaction() as session:
        from consent.purposes import NoticeText, declare_purpose, publish_notice
        from idp.jobs.stamps import PURPOSES, bump

        log_key, now = town.context.vault.subkey("log"), int(town.clock())
        purpose_id = declare_purpose(
            session,
            log_key=log_key,
            client_id="advisor",
            key="account",
            basis="contract",
            required_claims=("name",),
            now=now,
        )
        text = {"en": NoticeText("Your account", "So that it works.", "One year.", "Nobody else.")}
        publish_notice(session, log_key=log_key, purpose_id=purpose_id, texts=text, material=True, now=now)
        bump(session, PURPOSES)
    town.fresh()
    browser = town.browser()
    browser.follow(browser.authorize(partner, "openid profile email", Proof()))
    browser.follow(browser.sign_in(town.maria))
    assert "code" in answer_parameters(browser.follow(browser.allow(share=[])))
    assert {row.event for row in town.rows(Record)} == {"refused", "informed"}
    page = page_of(town, partner, browser, details(LAST_YEAR), scope="openid profile email")
    assert "2025" in page
    tokens_code = answer_parameters(browser.follow(browser.allow()))
    assert "code" in tokens_code


def test_what_was_agreed_to_is_on_record_and_in_the_residents_history(advised: tuple[Town, Partner]) -> None:
    """ISO/IEC TS 27560: the event names the permission, by a digest and not by what stands in it."""
    town, partner = advised
    browser = town.browser()
    visit(town, partner, browser, details({**LAST_YEAR, "note": "my secret"}), scope="openid profile")
    row = town.rows(Record)[-1]
    assert row.event == "given"
    assert '"permission:' in row.claims_chosen
    assert "my secret" not in row.claims_chosen
    page = browser.get("/privacy/services/advisor").text
    assert "<li>A permission: tax return</li>" in page
    assert "Your full name, A permission: tax return" in page
    browser.submit("/privacy/services/advisor/withdraw")
    done = browser.get("/privacy/services/advisor/withdrawn").text
    assert "No longer passed on: Your full name<" in done
    assert "No longer allowed: A permission: tax return" in done


@pytest.mark.parametrize("basis", ["consent", "public_task"])
def test_a_withdrawal_ends_it(town: Town, basis: str) -> None:
    """RFC 9396 §7, GDPR Art. 7(3): all tokens are dead, and the permission is asked about again."""
    partner = advisor_in(town, basis=basis, optional=())
    browser = town.browser()
    tokens = visit(town, partner, browser, details(LAST_YEAR))
    if basis == "consent":
        browser.get("/privacy/services/advisor")
        browser.submit("/privacy/services/advisor/withdraw")
    else:
        with town.context.database.transaction() as session:
            from idp.oidc.service import revoke_grants

            revoke_grants(session, town.maria.resident_id, client_id="advisor", now=int(town.clock()))
    assert town.introspect(partner, tokens["access_token"]).json == {"active": False}
    assert town.introspect(office_of(town), tokens["access_token"]).json == {"active": False}
    assert town.refresh(partner, tokens["refresh_token"]).json["error"] == "invalid_grant"
    refused = browser.authorize(
        partner, "openid", Proof(), prompt="none", authorization_details=details(LAST_YEAR)
    )
    assert_refused_back(refused, "consent_required")


def test_the_purpose_that_covers_it_demands_its_level(advised: tuple[Town, Partner]) -> None:
    """Step-up: `minimum_acr` of a purpose holds for its permissions, though no claim of it is asked for."""
    from tests.idp.oidc.test_step_up import demand

    town, partner = advised
    browser = town.browser()
    visit(town, partner, browser, details(LAST_YEAR), scope="openid")
    demand(town, partner, purpose_acr={"main": "strong"})
    refused = browser.authorize(
        partner, "openid", Proof(), prompt="none", authorization_details=details(LAST_YEAR)
    )
    assert_refused_back(refused, "login_required")


# --- narrowed at the token endpoint ---

PARTS = [
    [LAST_YEAR],
    [{**LAST_YEAR, "actions": ["draft"]}],
    [{**LAST_YEAR, "actions": ["file"]}, THIS_YEAR],
]
MORE = [
    [{"type": "tax_return", "year": 2024}],
    [{"type": "tax_return", "year": True}],
    [{**LAST_YEAR, "year": 2025.0}],
    [{**LAST_YEAR, "actions": []}],
    [{**LAST_YEAR, "actions": ["draft", "burn"]}],
    [{"type": "tax_return", "year": 2025}],
    [{**THIS_YEAR, "note": "x"}],
    [LAST_YEAR, {"type": CAR.type}],
    [],
    "x",
    {"type": "tax_return"},
]


def test_a_token_can_carry_less(advised: tuple[Town, Partner]) -> None:
    """RFC 9396 §6: less for this token; the refresh token keeps the whole."""
    town, partner = advised
    browser = town.browser()
    asked = details(LAST_YEAR, THIS_YEAR)
    first = visit(
        town, partner, browser, asked, form=json.dumps({"authorization_details": json.dumps(PARTS[1])})
    )
    assert first["authorization_details"] == PARTS[1]
    assert town.introspect(partner, first["access_token"]).json["authorization_details"] == PARTS[1]
    token = first["refresh_token"]
    for part in PARTS:
        later = town.refresh(partner, token, authorization_details=json.dumps(part)).json
        assert later["authorization_details"] == part
        assert town.introspect(partner, later["access_token"]).json["authorization_details"] == part
        token = later["refresh_token"]
    assert town.refresh(partner, token).json["authorization_details"] == [LAST_YEAR, THIS_YEAR]


def test_a_token_never_carries_more(advised: tuple[Town, Partner]) -> None:
    """RFC 9396 §6; a refusal spends nothing, so the client may correct itself."""
    town, partner = advised
    first_year = {"type": "tax_return", "year": 1}
    tokens = visit(town, partner, town.browser(), details(LAST_YEAR, THIS_YEAR, first_year))
    before = len(town.rows(AccessToken))
    for more in MORE:
        refused = town.refresh(partner, tokens["refresh_token"], authorization_details=json.dumps(more))
        assert (refused.status_code, refused.json["error"]) == (400, ERROR), more
    assert len(town.rows(AccessToken)) == before
    assert town.refresh(partner, tokens["refresh_token"]).status_code == 200


def test_a_family_without_permissions_gets_none_at_the_token_endpoint(town: Town) -> None:
    """Nobody has agreed to anything there; and a client of its own has no resident who could."""
    proof = Proof()
    code = town.browser().code(town.library, town.maria, SCOPE, proof)
    refused = town.redeem(town.library, code, proof, authorization_details=details(LAST_YEAR))
    assert (refused.status_code, refused.json["error"]) == (400, ERROR)
    own = {"grant_type": "client_credentials", "authorization_details": details(LAST_YEAR)}
    assert town.call("/token", town.service, own).json["error"] == ERROR


# --- refused ---

REFUSED = [
    "x",
    "{}",
    "[]",
    "null",
    "[1]",
    "[{}]",
    '[{"type": 1}]',
    details({"type": "unheard_of", "year": 2025}),
    details({"type": "never_registered"}),
    details({"type": "tax_return"}),
    details({"type": "tax_return", "year": "2025"}),
    details({"type": "tax_return", "year": True}),
    details({"type": "tax_return", "year": 2025.5}),
    details({"type": "tax_return", "year": 2**60}),
    details({**LAST_YEAR, "colour": "red"}),
    details({**LAST_YEAR, "actions": ["burn"]}),
    details({**LAST_YEAR, "actions": "file"}),
    details({**LAST_YEAR, "actions": []}),
    details({**LAST_YEAR, "joint": "yes"}),
    details({**LAST_YEAR, "note": ""}),
    details({**LAST_YEAR, "note": "a\u0000b"}),
    details({**LAST_YEAR, "note": "\u202efile"}),
    details({**LAST_YEAR, "note": "n" * 201}),
    details({**LAST_YEAR, "note": None}),
    details(LAST_YEAR, {"type": "unheard_of"}),
    details(*({**THIS_YEAR, "year": year} for year in range(11))),
    "[" * 4000,
    '[{"type": "tax_return", "year": ' + "[" * 300 + "]" * 300 + "}]",
    details({**LAST_YEAR, "note": "n" * 8192}),
]


@pytest.fixture(scope="module")
def counsel(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Town, Browser, Partner]]:
    """The advisor's town, set up once, with Maria signed in."""
    from tests.support.settled import _database
    from tests.support.town import make_town

    folder = tmp_path_factory.mktemp("counsel")
    for url in _database(request, "sqlite", folder):
        town = make_town(url, folder)
        partner, browser = advisor_in(town), town.browser()
        visit(town, partner, browser, details(LAST_YEAR))
        yield town, browser, partner
        town.context.database.close()


@pytest.mark.parametrize("text", REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_what_does_not_conform_to_its_type_is_refused(
    counsel: tuple[Town, Browser, Partner], text: str
) -> None:
    """RFC 9396 §5: unknown types and fields, wrong kinds and values, missing fields; nothing is repeated."""
    _, browser, partner = counsel
    answer = browser.authorize(partner, "openid", Proof(), authorization_details=text)
    assert_refused_back(answer, ERROR)
    assert not set('"\\\r\n\t') & set(answer_parameters(answer)["error_description"])


def test_a_client_that_does_not_list_a_type_cannot_ask_for_it(
    counsel: tuple[Town, Browser, Partner],
) -> None:
    """RFC 9396 §10 authorization_details_types of the client."""
    town, browser, _ = counsel
    answer = browser.authorize(town.library, SCOPE, Proof(), authorization_details=details(LAST_YEAR))
    assert_refused_back(answer, ERROR)


def test_a_client_without_the_purpose_cannot_ask_for_it(town: Town) -> None:
    """No permission without a purpose that covers it, whoever lists the type."""
    advisor_in(town)
    new = NewClient(
        "Other",
        ("https://other.example/cb",),
        client_id="other",
        details=Details(authorization_details_types=("tax_return",)),
    )
    partner = town.add_client(new, basis=None)
    town.fresh()
    answer = town.browser().authorize(partner, "openid", Proof(), authorization_details=details(LAST_YEAR))
    assert_refused_back(answer, ERROR)


def test_a_type_whose_api_is_switched_off_while_the_resident_decides_is_not_given(
    advised: tuple[Town, Partner],
) -> None:
    """Fail closed: what nobody can put into words is agreed to by nobody."""
    from idp.clients.service import disable_client

    town, partner = advised
    browser = town.browser()
    page_of(town, partner, browser, details(LAST_YEAR))
    with town.context.database.transaction() as session:
        disable_client(session, "tax-api", now=int(town.clock()))
    town.fresh()
    shown_again = browser.follow(browser.allow())  # what stood there is not what would be agreed to now
    assert shown_again.status_code == 200
    assert shown_again.request.path == "/consent"
    assert not town.rows(Grant)
    assert_refused_back(browser.follow(browser.allow()), ERROR)
    assert not [row for row in town.rows(Grant) if row.client_id == "advisor"]


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=5,
)
_NAMES = st.sampled_from(["type", *RETURN.field]) | st.text(max_size=8)
_OBJECTS = st.dictionaries(_NAMES, _VALUES, max_size=4).map(lambda one: {"type": "tax_return", **one})
_LISTS = st.lists(_OBJECTS | _VALUES, max_size=3) | _VALUES


@settings(max_examples=60)
@given(text=_LISTS.map(json.dumps) | st.text(max_size=40))
def test_whatever_is_asked_the_answer_is_a_redirect(
    counsel: tuple[Town, Browser, Partner], text: str
) -> None:
    """No input gives a 500."""
    town, browser, partner = counsel
    query = parameters(partner, scope="openid", authorization_details=text)
    answer = browser.get("/authorize", query_string=query)
    assert answer.status_code == 303, (answer.status_code, answer.text[:300])
    location = answer.headers["Location"]
    if location.startswith("/authorize/continue"):
        assert browser.follow(answer).status_code == 200
    elif text:
        assert answer_parameters(answer)["error"] == ERROR
    assert town.settings.server.issuer == ISSUER


# --- pushed ---


def test_pushed_permissions_are_judged_when_they_are_pushed(advised: tuple[Town, Partner]) -> None:
    """RFC 9126 §2.1, RFC 9396 §4."""
    town, partner = advised
    proof = Proof()
    query = parameters(partner, proof, scope="openid")
    bad = town.call("/par", partner, {**query, "authorization_details": details({"type": "unheard_of"})})
    assert (bad.status_code, bad.json["error"]) == (400, ERROR)
    pushed = town.call("/par", partner, {**query, "authorization_details": details(LAST_YEAR)})
    assert pushed.status_code == 201, pushed.text
    browser = town.browser()
    brought = {"client_id": partner.client_id, "request_uri": pushed.json["request_uri"]}
    page = browser.follow(browser.get("/authorize", query_string=brought))
    page = browser.follow(browser.sign_in(town.maria))
    assert "2025" in page.text
    code = code_of(browser.follow(browser.allow()))
    assert town.redeem(partner, code, proof).json["authorization_details"] == [LAST_YEAR]


def test_a_permission_can_be_all_that_is_asked_for(advised: tuple[Town, Partner]) -> None:
    """RFC 9396 §3: it may come instead of a scope; then there is no ID token, and userinfo says nothing."""
    town, partner = advised
    browser, proof = town.browser(), Proof()
    asked = {**partner.request("", proof), "authorization_details": details(THIS_YEAR)}
    for form in (asked, {name: value for name, value in asked.items() if name != "scope"}):
        code = browser.go_through(town.maria, browser.get(f"/authorize?{urlencode(form)}"))
        tokens = town.redeem(partner, code, proof).json
        assert tokens["authorization_details"] == [THIS_YEAR]
        assert not {"scope", "id_token", "refresh_token"} & tokens.keys()
        assert town.userinfo(tokens["access_token"]).status_code == 403
        known = town.introspect(office_of(town), tokens["access_token"]).json
        assert (known["active"], known["authorization_details"]) == (True, [THIS_YEAR])
        assert town.call("/par", partner, form).status_code == 201
    for wrong in ({**asked, "scope": "fish"}, {**asked, "authorization_details": ""}):
        answer = answer_parameters(browser.get(f"/authorize?{urlencode(wrong)}"))
        assert answer["error"] == "invalid_scope"


# --- registered ---


def test_discovery_names_the_types(advised: tuple[Town, Partner]) -> None:
    """RFC 9396 §10, RFC 9728 §2; what is switched off is not named."""
    town, _ = advised
    name = "authorization_details_types_supported"
    for path in ("/.well-known/openid-configuration", "/.well-known/oauth-protected-resource"):
        assert town.browser().get(path).json[name] == [CAR.type, "tax_return"]
    with town.context.database.transaction() as session:
        from idp.clients.service import disable_client

        disable_client(session, "roads", now=int(town.clock()))
    town.fresh()
    assert town.browser().get("/.well-known/openid-configuration").json[name] == ["tax_return"]


def test_a_town_without_types_says_nothing_of_them(town: Town) -> None:
    """Nothing is announced that is not there."""
    assert (
        "authorization_details_types_supported"
        not in town.browser().get("/.well-known/openid-configuration").json
    )


def test_a_type_has_one_meaning(advised: tuple[Town, Partner]) -> None:
    """Two APIs cannot speak differently of the same permission; none may come under another's words."""
    town, _ = advised
    copy = Details(authorization_details_type=(RETURN,))
    with pytest.raises(ClientRefused, match="registered already"):
        town.add_client(NewClient("Copy", ("https://c.example/cb",), details=copy), basis=None)
    with town.context.database.transaction() as session:
        from idp.clients.service import disable_client

        disable_client(session, "tax-api", now=int(town.clock()))
    town.add_client(NewClient("Successor", ("https://c.example/cb",), details=copy), basis=None)
    twice = Details(authorization_details_type=(CAR.model_copy(update={"type": "x"}),) * 2)
    with pytest.raises(ClientRefused, match="registered already"):
        town.add_client(NewClient("Twice", ("https://t.example/cb",), details=twice), basis=None)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "two words"},
        {"type": ""},
        {"purpose": "Not a key"},
        {"text": {}},
        {"text": {"en": ""}},
        {"text": {"en": "\u202e"}},
        {"text": {"english": "x" * 201}},
        {"field": {"type": {"label": {"en": "x"}}}},
        {"field": {"a b": {"label": {"en": "x"}}}},
        {"field": {"a": {"label": {}}}},
        {"field": {"a": {"label": {"en": "x"}, "kind": "object"}}},
        {"schema": {}},
    ],
    ids=str,
)
def test_a_type_that_residents_could_not_read_is_not_registered(change: dict[str, Any]) -> None:
    """Every field has words; names are names."""
    good = {"type": "x", "purpose": "main", "text": {"en": "Words."}}
    DetailsType(**good)
    with pytest.raises(ValidationError):
        DetailsType(**{**good, **change})


MANIFEST = """
partner = "Tax Office"
name = "Tax API"
client_id = "tax-api"
grant_types = ["client_credentials"]
protects_scopes = ["tax:read"]
resource = "https://tax.example/api"

[[authorization_details_type]]
type = "tax_return"
purpose = "tax-help"
text = { en = "Send in a tax return in your name.", fr = "Envoyer une déclaration en votre nom." }

[authorization_details_type.field.year]
kind = "integer"
required = true
label = { en = "Tax year", fr = "Année" }

[authorization_details_type.field.actions]
kind = "texts"
label = { en = "What it may do", fr = "Ce qu’il peut faire" }
values.draft = { en = "prepare it", fr = "la préparer" }
values.file = { en = "send it in", fr = "l’envoyer" }
"""


def test_a_manifest_registers_a_type(town: Town, tmp_path: Path) -> None:
    """What a town's office writes is one file."""
    path = tmp_path / "tax.toml"
    path.write_text(MANIFEST, encoding="utf-8")
    with town.context.database.transaction() as session:
        enrol(session, town.context.vault.subkey("log"), read_manifest(path), now=int(town.clock()))
    town.fresh()
    found = town.app.extensions["denizen.oidc"].clients.find_details_type("tax_return")
    assert found.client_id == "tax-api"
    assert found.type.problem({"type": "tax_return", "year": 2025, "actions": ["file"]}) is None
    assert found.type.problem({"type": "tax_return", "year": 2025, "actions": ["burn"]}) is not None


def test_a_client_that_registers_itself_cannot_register_a_type() -> None:
    """Words that residents read are the town's to accept."""
    from idp.oidc.registration import described

    values = {
        "redirect_uris": ["https://c.example/cb"],
        "authorization_details_type": [RETURN.model_dump()],
        "authorization_details_types": ["tax_return"],
    }
    found = described(values, profile="standard", grants=GRANT_TYPES)
    assert found.details.authorization_details_type == ()
    assert found.details.authorization_details_types == ("tax_return",)
