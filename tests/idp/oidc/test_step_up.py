"""How well a resident must have proved who they are: enforced by us, whatever the client asks or forgets.

Requirements: OIDC Core §3.1.2.1 and §5.5.1.1, OpenID Connect Core Error Code unmet_authentication_requirements 1.0,
RFC 9470; identity.md: per-client and per-purpose minimum level, fail closed on an unknown acr.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwt
from sqlalchemy import delete, update

from idp.clients.models import ClientRow
from idp.clients.rules import SIGN_IN_LEVELS
from idp.clients.service import ClientRefused, NewClient, demand_level
from idp.jobs.stamps import CLIENTS, bump
from idp.login.cards.models import PaperCode
from idp.login.codes.models import SentCode
from idp.login.levels import LEVELS, Method
from idp.login.models import BrowserSession, LoginProof, Password
from idp.login.ways import Found
from idp.oidc.step_up import Missing, can_reach, missing
from idp.oidc.subjects import sid_for
from tests.idp.login.cards.conftest import issue
from tests.support.authenticator import Authenticator
from tests.support.factors import ask_for_code, attempt_of, sent_code, with_app
from tests.support.factors import shown as app_shows
from tests.support.passkeys import add_passkey, hand_over, options, sign_in
from tests.support.settled import assert_refused_back, parameters
from tests.support.town import CALLBACK, START, Proof, choices, code_of, hidden_fields

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.settled import Settled
    from tests.support.town import Browser, Partner, Town

M = Method
SCOPE = "openid profile email"
PASSKEY_PAGE = 'action="/login/passkey"'


def demand(town: Town, partner: Partner, **columns: Any) -> None:
    """Change what a client is registered with."""
    with town.context.database.transaction() as session:
        session.execute(update(ClientRow).where(ClientRow.client_id == partner.client_id).values(**columns))
        bump(session, CLIENTS)
    town.fresh()


def essential(*values: str) -> str:
    """A `claims` parameter that makes one of these levels essential."""
    return json.dumps({"id_token": {"acr": {"essential": True, "values": list(values)}}})


def claims(town: Town, partner: Partner, code: str, proof: Proof) -> dict[str, Any]:
    """The claims of the ID token that a code gives."""
    answer = town.redeem(partner, code, proof)
    assert answer.status_code == 200, answer.text
    return said_of(town, answer.json["id_token"])


def said_of(town: Town, id_token: str) -> dict[str, Any]:
    """The claims of an ID token."""
    ring = town.app.extensions["denizen.oidc"].keys.ring
    return dict(jwt.decode(id_token, ring.verify_keys, algorithms=["ES256", "RS256"]).claims)


def shown(browser: Browser, answer: TestResponse) -> str:
    """The page that a resident sees: by the path its first form posts to, or "" for none."""
    text = browser.follow(answer).text
    found = re.findall(r'<form[^>]* action="([^"]*)"', text)
    return found[0] if found else ""


def prove_with(browser: Browser, device: Authenticator) -> TestResponse:
    """Use a passkey on the sign-in page shown last."""
    assert browser.last is not None
    fields = hidden_fields(browser.last.text, "/login/passkey")
    made = device.get(options(browser, "/login/passkey", fields))
    return hand_over(browser, "/login/passkey", fields, made)


@pytest.fixture
def device() -> Authenticator:
    """Maria's telephone."""
    return Authenticator()


@pytest.fixture
def known(town_both_ways: Town, device: Authenticator) -> tuple[Town, Browser]:
    """Maria at level basic, agreed with the library; she has a passkey and has not used it. A minute ago."""
    browser = town_both_ways.browser()
    browser.sign_in(town_both_ways.maria)
    add_passkey(browser, device)
    browser.code(town_both_ways.library, town_both_ways.maria, SCOPE, Proof())
    town_both_ways.clock.advance(60)
    return town_both_ways, browser


@pytest.fixture
def plain(town_both_ways: Town) -> tuple[Town, Browser]:
    """Maria at level basic, agreed with the library, without a second way to prove anything."""
    browser = town_both_ways.browser()
    browser.code(town_both_ways.library, town_both_ways.maria, SCOPE, Proof())
    town_both_ways.clock.advance(60)
    return town_both_ways, browser


# --- what the client is registered with ---


def test_a_client_below_whose_minimum_nobody_gets_sends_to_one_more_proof(
    known: tuple[Town, Browser], device: Authenticator
) -> None:
    """The client asks for nothing in particular; we ask all the same, and the code comes after the proof alone."""
    town, browser = known
    demand(town, town.library, minimum_acr="phr")
    proof = Proof()
    page = browser.follow(browser.authorize(town.library, SCOPE, proof))
    assert PASSKEY_PAGE in page.text
    said = claims(town, town.library, code_of(browser.follow(prove_with(browser, device))), proof)
    assert said["acr"] == "phr"
    assert {"pwd", "hwk"} <= set(said["amr"])
    assert said["auth_time"] == START  # no younger than its oldest proof


@pytest.mark.parametrize("later", [-45, 0, 1])
def test_a_level_that_is_raised_at_once_is_no_younger_either(town: Town, later: int) -> None:
    """OIDC Core §2 `auth_time`: the session goes on under its name, whatever the clock of this node says."""
    browser = town.browser()
    browser.sign_in(town.maria)
    town.clock.advance(later)
    demand(town, town.library, minimum_acr="strong")
    browser.follow(browser.authorize(town.library, "openid", Proof()))
    browser.follow(browser.submit("/login/email-code", send="1"))
    town.clock.advance(200)
    browser.follow(browser.submit("/login/email-code", code=sent_code(town)))
    (session,) = town.rows(BrowserSession)
    assert (session.acr, session.amr) == ("strong", "pwd otp mfa")
    assert session.authenticated_at == START
    assert session.ended_at is None


def test_a_session_that_is_raised_twice_says_what_was_proved_in_all(
    known: tuple[Town, Browser], device: Authenticator
) -> None:
    """Password, code, passkey, a minute between each: one session, as old as its password."""
    town, browser = known
    demand(town, town.library, minimum_acr="strong")
    browser.follow(browser.authorize(town.library, SCOPE, Proof()))
    browser.follow(browser.submit("/login/email-code", send="1"))
    code_of(browser.follow(browser.submit("/login/email-code", code=sent_code(town))))
    town.clock.advance(60)
    proof = Proof()
    page = browser.follow(browser.authorize(town.library, SCOPE, proof, claims=essential("phr")))
    assert PASSKEY_PAGE in page.text
    carried = {(row.method, row.level) for row in town.rows(LoginProof) if row.proved_at < START + 60}
    assert carried == {("password", "basic"), ("email-code", "basic")}
    said = claims(town, town.library, code_of(browser.follow(prove_with(browser, device))), proof)
    assert (said["acr"], said["auth_time"]) == ("phr", START)
    assert {"pwd", "otp", "mfa", "hwk"} <= set(said["amr"])
    (session,) = [row for row in town.rows(BrowserSession) if row.acr == "phr"]
    assert sid_for(town.context.vault, town.library.client_id, session.sid) == said["sid"]
    assert set(str(session.proofs).split()) == {"password=basic", "email-code=basic", "passkey=phr"}


def test_the_password_alone_never_reaches_a_higher_minimum(known: tuple[Town, Browser]) -> None:
    """Opening the next page by hand, signing in again with the password, or prompt=none lead no further."""
    town, browser = known
    demand(town, town.library, minimum_acr="phr")
    answer = browser.authorize(town.library, SCOPE, Proof(), prompt="none")
    assert_refused_back(answer, "login_required")
    handle = browser.authorize(town.library, SCOPE, Proof()).headers["Location"].partition("flow=")[2]
    for path in ("/authorize/continue", "/consent"):
        assert "code=" not in str(browser.follow(browser.get(f"{path}?flow={handle}")).headers)
    fresh = town.browser()
    answer = fresh.follow(fresh.authorize(town.library, SCOPE, Proof()))
    answer = fresh.follow(fresh.sign_in(town.maria))
    assert answer.status_code == 200
    assert PASSKEY_PAGE in answer.text


def test_who_has_no_way_to_the_minimum_reads_why_and_the_client_is_told(plain: tuple[Town, Browser]) -> None:
    """Unmet Authentication Requirements 1.0 §2: a failed sign-in, not a weaker one; the resident is not left alone."""
    town, browser = plain
    demand(town, town.library, minimum_acr="phr")
    assert shown(browser, browser.authorize(town.library, SCOPE, Proof())) == "/authorize/level"
    assert browser.last is not None
    assert "City Library" not in browser.last.headers.get("Location", "")
    assert "needs a safer sign-in" in browser.last.text
    answer = browser.submit("/authorize/level", level="back")
    assert_refused_back(answer, "unmet_authentication_requirements")


def test_who_has_codes_of_every_kind_and_no_password_is_told_to_choose_one(town: Town) -> None:
    """An app and a code by e-mail are two codes: to set up an app would not help."""
    town.tokens(town.library, town.maria, SCOPE)
    secret = with_app(town, town.maria)
    with town.context.database.transaction() as session:
        session.execute(delete(Password).where(Password.resident_id == town.maria.resident_id))
    demand(town, town.library, minimum_acr="strong")
    browser = town.browser()
    start = browser.follow(browser.authorize(town.library, SCOPE, Proof()))
    ask_for_code(browser, "maria", query=f"?{start.request.query_string.decode()}")
    browser.follow(browser.submit("/login/email-code", code=sent_code(town)))
    page = browser.follow(browser.submit("/login/totp", code=app_shows(town, secret)))
    assert page.request.path == "/authorize/level"
    assert "You can add a password or a passkey" in page.text
    assert "a code from an app" not in page.text
    browser.get("/account/password")
    new = "eleven grey herons waiting"
    assert browser.submit("/account/password", password=new).status_code == 303
    page = browser.follow(browser.authorize(town.library, SCOPE, Proof()))
    code_of(browser.follow(browser.submit("/login", username="maria", password=new)))


@pytest.mark.parametrize(
    ("enrolled", "alone", "rests_on", "wanted", "lacks"),
    [
        ({M.PASSWORD}, {M.PASSWORD}, "", "phr", Missing.PASSKEY),
        ({M.PASSWORD}, {M.PASSWORD}, "", "strong", Missing.SECOND),
        ({M.EMAIL_CODE}, {M.EMAIL_CODE}, "", "strong", Missing.SECOND),
        ({M.EMAIL_CODE, M.TOTP}, {M.EMAIL_CODE}, "", "strong", Missing.PASSWORD),
        ({M.EMAIL_CODE, M.SMS_CODE}, {M.EMAIL_CODE}, "", "strong", Missing.PASSWORD),
        ({M.UPSTREAM, M.EMAIL_CODE}, {M.UPSTREAM}, "", "strong", Missing.PASSWORD),
        ({M.CARD}, {M.CARD}, "", "strong", Missing.SECOND),
        ({M.PASSWORD, M.EMAIL_CODE}, {M.PASSWORD}, M.EMAIL_CODE, "strong", Missing.OTHER_CODES),
    ],
)
def test_what_is_advised_leads_to_the_level(
    enrolled: set[Method], alone: set[Method], rests_on: str, wanted: str, lacks: Missing
) -> None:
    """A password that would rest on the only code there is, is none that helps."""
    found = Found("active", None, frozenset(enrolled), frozenset(), frozenset(alone), rests_on)
    assert not can_reach(found, wanted)
    assert missing(found, wanted) is lacks


def test_keeping_the_level_is_no_way_around_the_minimum(plain: tuple[Town, Browser]) -> None:
    """The button for what is only liked, pressed by hand where the level is demanded."""
    town, browser = plain
    demand(town, town.library, minimum_acr="phr")
    browser.follow(browser.authorize(town.library, SCOPE, Proof()))
    answer = browser.follow(browser.submit("/authorize/level", level="keep"))
    assert answer.status_code == 200
    assert "needs a safer sign-in" in answer.text


def test_a_purpose_demands_its_level_only_where_its_claims_are_asked_for(known: tuple[Town, Browser]) -> None:
    """The library's purpose covers name and e-mail: `openid` alone needs no more than a password."""
    town, browser = known
    demand(town, town.library, purpose_acr={"main": "phr"})
    code_of(browser.authorize(town.library, "openid", Proof()))
    assert PASSKEY_PAGE in browser.follow(browser.authorize(town.library, SCOPE, Proof())).text


def test_a_level_counts_for_so_long(known: tuple[Town, Browser], device: Authenticator) -> None:
    """[sessions] strong_for: after that a client that demands the level asks for a sign-in of its own."""
    town, browser = known
    demand(town, town.library, minimum_acr="phr")
    sign_in(browser, device)
    at = int(town.clock())
    code_of(browser.authorize(town.library, SCOPE, Proof()))
    sessions = town.settings.sessions
    while town.clock() < at + sessions.strong_for:
        town.clock.advance(min(sessions.phr_idle_for - 60, at + sessions.strong_for - town.clock()))
        browser.get("/account")
    code_of(browser.authorize(town.library, SCOPE, Proof()))
    town.clock.advance(1)
    proof = Proof()
    assert PASSKEY_PAGE in browser.follow(browser.authorize(town.library, SCOPE, proof)).text
    said = claims(town, town.library, code_of(browser.follow(prove_with(browser, device))), proof)
    assert (said["acr"], said["auth_time"]) == ("phr", int(town.clock()))


# --- what the request asks for ---


def test_an_essential_level_must_be_reached(known: tuple[Town, Browser], device: Authenticator) -> None:
    """OIDC Core §5.5.1.1: the acr in the answer matches one of the values asked for."""
    town, browser = known
    asked = essential("phr")
    answer = browser.authorize(town.library, SCOPE, Proof(), prompt="none", claims=asked)
    assert_refused_back(answer, "login_required")
    proof = Proof()
    assert PASSKEY_PAGE in browser.follow(browser.authorize(town.library, SCOPE, proof, claims=asked)).text
    said = claims(town, town.library, code_of(browser.follow(prove_with(browser, device))), proof)
    assert said["acr"] == "phr"


@pytest.mark.parametrize(
    ("values", "stated"),
    [
        (("basic",), "basic"),
        (("strong", "phr"), "strong"),
        (("gold", "phr"), "phr"),
        (("phr", "basic"), "phr"),
    ],
)
def test_of_essential_levels_the_best_liked_one_is_stated_and_never_more_than_was_proved(
    known: tuple[Town, Browser], device: Authenticator, values: tuple[str, ...], stated: str
) -> None:
    """OIDC Core §5.5.1: values are in order of preference; §2: what the sign-in satisfied."""
    town, browser = known
    sign_in(browser, device)
    proof = Proof()
    code = code_of(browser.authorize(town.library, SCOPE, proof, claims=essential(*values)))
    assert claims(town, town.library, code, proof)["acr"] == stated


def test_essential_levels_that_nobody_knows_fail_closed(settled: Settled) -> None:
    """Before any page, with and without prompt=none."""
    for extra in ({}, {"prompt": "none"}, {"acr_values": "basic"}):
        asked = parameters(settled.town.library, claims=essential("gold", "silver"), **extra)
        assert_refused_back(settled.ask(asked), "unmet_authentication_requirements")


def test_essential_levels_below_the_clients_own_minimum_contradict_it(
    known: tuple[Town, Browser], device: Authenticator
) -> None:
    """No answer could be both: an acr among the values, and as high as the client is registered with."""
    town, browser = known
    demand(town, town.library, minimum_acr="strong")
    sign_in(browser, device)
    answer = browser.authorize(town.library, SCOPE, Proof(), claims=essential("basic"))
    assert_refused_back(answer, "unmet_authentication_requirements")
    fresh = town.browser()
    answer = fresh.follow(fresh.authorize(town.library, SCOPE, Proof(), claims=essential("basic")))
    assert_refused_back(answer, "unmet_authentication_requirements")


def test_a_level_that_is_only_liked_is_offered_and_may_be_declined(known: tuple[Town, Browser]) -> None:
    """acr_values is a voluntary claim: the resident may go on as they are, and the ID token says so."""
    town, browser = known
    proof = Proof()
    answer = browser.authorize(town.library, SCOPE, proof, acr_values="gold phr")
    assert shown(browser, answer) == "/authorize/level"
    code = code_of(browser.follow(browser.submit("/authorize/level", level="keep")))
    assert claims(town, town.library, code, proof)["acr"] == "basic"


def test_a_level_that_is_only_liked_is_reached_by_who_wants_to(
    known: tuple[Town, Browser], device: Authenticator
) -> None:
    """One more proof, and the ID token says what was proved."""
    town, browser = known
    proof = Proof()
    browser.follow(browser.authorize(town.library, SCOPE, proof, acr_values="phr"))
    browser.follow(browser.submit("/authorize/level", level="raise"))
    code = code_of(browser.follow(prove_with(browser, device)))
    assert claims(town, town.library, code, proof)["acr"] == "phr"


@pytest.mark.parametrize("values", ["gold silver", "gold basic", "phr strong basic", "basic phr"])
def test_levels_that_are_unknown_or_reached_ask_for_nothing(settled: Settled, values: str) -> None:
    """Any one of the values will do; those that are not known are ignored."""
    town, proof = settled.town, Proof()
    code = settled.code(town.library, proof, acr_values=values)
    assert claims(town, town.library, code, proof)["acr"] == "basic"


def test_what_is_only_liked_stops_nobody(plain: tuple[Town, Browser]) -> None:
    """Neither a resident who has no way to it, nor a silent request."""
    town, browser = plain
    for extra in ({"prompt": "none"}, {}):
        answer = browser.follow(browser.authorize(town.library, SCOPE, Proof(), acr_values="phr", **extra))
        assert code_of(answer)


def test_a_client_may_like_a_level_by_default(known: tuple[Town, Browser]) -> None:
    """OpenID Connect Registration 1.0 §2 default_acr_values; the request overrules it."""
    town, browser = known
    demand(town, town.library, default_acr_values=["phr"])
    assert shown(browser, browser.authorize(town.library, SCOPE, Proof())) == "/authorize/level"
    code_of(browser.authorize(town.library, SCOPE, Proof(), acr_values="basic"))


def test_a_client_may_limit_the_age_of_a_sign_in_by_default(known: tuple[Town, Browser]) -> None:
    """OpenID Connect Registration 1.0 §2 default_max_age; the request overrules it."""
    town, browser = known
    demand(town, town.library, default_max_age=59)
    assert shown(browser, browser.authorize(town.library, SCOPE, Proof())) == "/login"
    code_of(browser.authorize(town.library, SCOPE, Proof(), max_age="60"))


def test_max_age_zero_asks_even_within_the_same_second(town_both_ways: Town) -> None:
    """OIDC Core §3.1.2.1: the same as prompt=login, whatever the clock says."""
    town, browser = town_both_ways, town_both_ways.browser()
    browser.code(town.library, town.maria, SCOPE, Proof())
    answer = browser.authorize(town.library, SCOPE, Proof(), prompt="none", max_age="0")
    assert_refused_back(answer, "login_required")
    assert shown(browser, browser.authorize(town.library, SCOPE, Proof(), max_age="0")) == "/login"
    assert code_of(browser.follow(browser.sign_in(town.maria)))


def test_one_more_proof_does_not_make_an_old_sign_in_young(
    known: tuple[Town, Browser], device: Authenticator
) -> None:
    """max_age and a level at once: what the session proved is too old to count, so everything is proved anew."""
    town, browser = known
    proof = Proof()
    answer = browser.authorize(town.library, SCOPE, proof, max_age="30", claims=essential("phr"))
    assert PASSKEY_PAGE in browser.follow(answer).text
    code = code_of(browser.follow(prove_with(browser, device)))
    said = claims(town, town.library, code, proof)
    assert (said["acr"], said["auth_time"]) == ("phr", START + 60)


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", '"x"', '{"id_token": []}', '{"id_token": {"acr": []}}', '{"id_token": {"acr": "phr"}}',
        '{"id_token": {"acr": {"essential": true, "values": "phr"}}}',
        '{"id_token": {"acr": {"essential": true, "values": [1]}}}',
        '{"id_token": {"acr": {"value": {}}}}',
        "[" * 5000, '{"id_token": ' * 600 + "1" + "}" * 600, " " * 8193,
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_a_claims_parameter_that_cannot_be_read_is_refused(settled: Settled, text: str) -> None:
    """Never a guess, never a failure of ours."""
    assert_refused_back(settled.ask(parameters(settled.town.library, claims=text)), "invalid_request")


@pytest.mark.parametrize(
    "text",
    [
        "{}", '{"userinfo": {"name": null}}', '{"id_token": null}', '{"id_token": {"acr": null, "name": null}}',
        '{"id_token": {"acr": {"essential": true}}}', '{"id_token": {"acr": {"values": ["gold"]}}}',
        '{"id_token": {"acr": {"essential": true, "value": "basic"}}}',
    ],
)  # fmt: skip
def test_a_claims_parameter_that_asks_for_no_level_changes_nothing(settled: Settled, text: str) -> None:
    """What else it asks for is not looked at yet, and acr is always in the ID token."""
    town, proof = settled.town, Proof()
    code = settled.code(town.library, proof, claims=text)
    assert claims(town, town.library, code, proof)["acr"] == "basic"


# --- at the protected resource ---


def test_userinfo_asks_for_a_step_up_when_the_sign_in_is_too_weak(
    known: tuple[Town, Browser], device: Authenticator
) -> None:
    """RFC 9470 §3: which level would do; nothing is released, and a better sign-in opens it again."""
    town, browser = known
    proof = Proof()
    token = town.redeem(town.library, code_of(browser.authorize(town.library, SCOPE, proof)), proof).json
    with town.context.database.transaction() as session:
        assert demand_level(session, town.library.client_id, "phr")
    town.fresh()
    answer = town.userinfo(token["access_token"])
    challenge = answer.headers["WWW-Authenticate"]
    assert answer.status_code == 401
    assert challenge.startswith('Bearer realm="denizen", error="insufficient_user_authentication"')
    assert 'acr_values="phr"' in challenge
    assert "max_age" not in challenge
    assert set(answer.json) == {"error", "error_description"}
    sign_in(browser, device)
    proof = Proof()
    token = town.redeem(town.library, code_of(browser.authorize(town.library, SCOPE, proof)), proof).json
    assert town.userinfo(token["access_token"]).status_code == 200


NAMED = json.dumps({"id_token": {"name": None}})


def test_what_a_request_says_about_the_age_of_a_sign_in_holds_for_its_tokens(
    known: tuple[Town, Browser],
) -> None:
    """OpenID Connect Registration 1.0 §2: max_age overrules default_max_age, so nothing is kept back for it afterwards."""
    town, browser = known
    demand(town, town.library, default_max_age=60)
    browser.code(town.library, town.maria, SCOPE, Proof(), claims=NAMED)
    town.clock.advance(300)
    proof = Proof()
    answer = browser.authorize(town.library, SCOPE, proof, max_age="100000", claims=NAMED)
    tokens = town.redeem(town.library, code_of(answer), proof).json
    assert "name" in said_of(town, tokens["id_token"])
    assert town.userinfo(tokens["access_token"]).json["name"]


def test_what_was_agreed_to_for_later_does_not_end_with_the_age_of_a_sign_in(
    known: tuple[Town, Browser],
) -> None:
    """OIDC Core §11: offline_access is for when nobody is there; max_age speaks of who comes now (§3.1.2.1)."""
    town, _ = known
    demand(town, town.library, default_max_age=120)
    tokens = town.tokens(town.library, town.maria, f"{SCOPE} offline_access", claims=NAMED)
    town.clock.advance(599)
    renewed = town.refresh(town.library, tokens["refresh_token"]).json
    assert town.userinfo(renewed["access_token"]).status_code == 200
    assert "name" in said_of(town, renewed["id_token"])


def test_a_purpose_of_a_higher_level_closes_its_claims_to_weak_tokens(known: tuple[Town, Browser]) -> None:
    """A token for `openid` alone reads its sub all the same."""
    town, browser = known
    tokens = {}
    for scope in ("openid", SCOPE):
        proof = Proof()
        tokens[scope] = town.redeem(
            town.library, code_of(browser.authorize(town.library, scope, proof)), proof
        ).json["access_token"]
    demand(town, town.library, purpose_acr={"main": "strong"})
    assert town.userinfo(tokens["openid"]).status_code == 200
    assert town.userinfo(tokens[SCOPE]).status_code == 401


def test_introspection_says_how_and_when_the_resident_signed_in(known: tuple[Town, Browser]) -> None:
    """RFC 9470 §6.2: acr and auth_time, of access and refresh tokens."""
    town, _ = known
    tokens = town.tokens(town.library, town.maria, f"{SCOPE} offline_access")
    for name in ("access_token", "refresh_token"):
        said = town.introspect(town.library, tokens[name]).json
        assert (said["acr"], said["auth_time"]) == ("basic", int(town.clock())), name


# --- registration and discovery ---


def test_discovery_names_the_levels(town: Town) -> None:
    """OIDC Discovery §3 acr_values_supported, lowest first."""
    found = town.browser().get("/.well-known/openid-configuration").json
    assert found["acr_values_supported"] == ["basic", "strong", "phr"]
    assert found["claims_parameter_supported"] is True


def test_levels_are_the_same_for_clients_and_for_sign_in() -> None:
    """Two rooms name them, because neither may look into the other."""
    assert SIGN_IN_LEVELS == LEVELS


@pytest.mark.parametrize(
    "change",
    [{"minimum_acr": "gold"}, {"purpose_acr": {"main": ""}}, {"default_acr_values": ("phr", "gold")},
     {"default_max_age": -1}],
)  # fmt: skip
def test_a_client_cannot_demand_what_there_is_not(town: Town, change: dict[str, Any]) -> None:
    """Refused at registration, so that nobody is locked out later."""
    with pytest.raises(ClientRefused):
        town.add_client(NewClient("Odd", (CALLBACK,), **change))


def test_a_new_client_with_a_minimum_is_asked_for_the_level_after_the_first_sign_in(
    town_both_ways: Town, device: Authenticator
) -> None:
    """No session, nothing agreed: password, passkey, release page, code."""
    town = town_both_ways
    owner = town.browser()
    owner.sign_in(town.maria)
    add_passkey(owner, device)
    health = town.add_client(
        NewClient("Health record", (CALLBACK,), scopes=("openid", "email"), minimum_acr="phr"),
        required=("email",),
    )
    town.fresh()
    browser, proof = town.browser(), Proof()
    browser.follow(browser.authorize(health, "openid email", proof))
    assert PASSKEY_PAGE in browser.follow(browser.sign_in(town.maria)).text
    page = browser.follow(prove_with(browser, device))
    assert 'action="/consent"' in page.text
    code = code_of(browser.follow(browser.allow(share=choices(page.text))))
    assert claims(town, health, code, proof)["acr"] == "phr"
    live = [row for row in town.rows(BrowserSession) if row.ended_at is None and row.acr == "phr"]
    assert len(live) == 1


def test_a_session_that_ends_while_it_is_raised_costs_no_code(town: Town) -> None:
    """The code is neither spent nor called wrong: the sign-in begins anew, for the same request."""
    holder = issue(town, town.jun.resident_id)
    browser = town.browser()
    browser.get("/login/card")
    browser.submit("/login/card", card_number=holder.printed.number)
    browser.submit("/login/card", pin=holder.printed.pin, shared="1")
    demand(town, town.tax, minimum_acr="strong")
    browser.follow(browser.authorize(town.tax, "openid profile", Proof()))
    town.clock.advance(400)
    answer = browser.follow(holder.code(browser, 1))
    assert answer.request.path == "/login"
    assert answer.request.args["flow"]
    assert all(row.spent_at is None for row in town.rows(PaperCode))


def test_a_session_that_another_one_replaced_is_not_raised(town: Town) -> None:
    """Signed in again in another tab: that session is raised instead, and the code of the former one is not spent."""
    browser = town.browser()
    browser.code(town.library, town.maria, SCOPE, Proof())
    demand(town, town.library, minimum_acr="strong")
    town.clock.advance(60)
    browser.follow(browser.authorize(town.library, SCOPE, Proof()))
    page = browser.follow(browser.submit("/login/email-code", send="1"))
    browser.get("/login?again=1")
    browser.submit("/login", username="maria", password=town.maria.password)
    browser.last = page
    answer = browser.follow(browser.submit("/login/email-code", code=sent_code(town)))
    assert (answer.status_code, answer.request.path) == (200, "/login/email-code")
    assert attempt_of(answer) != attempt_of(page)
    assert [row.spent_at for row in town.rows(SentCode)] == [None]
