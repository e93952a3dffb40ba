"""Signing in with a provider: connecting once, then in with what was proved there and no more."""

from __future__ import annotations

import base64
import re
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import orjson
import pytest
from sqlalchemy import delete, select, update

from idp.accounts.models import ContactPoint, Resident
from idp.accounts.service import read_attributes
from idp.clients.service import demand_level
from idp.login.models import BrowserSession, LoginAttempt, Password
from idp.login.upstream.models import UpstreamArrival, UpstreamIdentity, UpstreamState
from idp.messaging.models import Message
from idp.messaging.service import open_message
from tests.idp.login.upstream.provider import KEYS, Provider, challenge_of
from tests.support.factors import attempt_of
from tests.support.town import ISSUER, Browser, Person, Proof, Town, answer_parameters, code_of, hidden_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    Connect = Callable[..., tuple[Town, Provider]]


def link(town: Town, provider: Provider, person: Person) -> Browser:
    """Have a resident connect by signing in once; their browser, signed out again."""
    browser = town.browser()
    provider.sign_in(browser)
    connect_by_password(browser, person)
    browser.http.delete_cookie("__Host-denizen-session", domain="id.riverton.example")
    return browser


def connect_by_password(browser: Browser, person: Person) -> Any:
    browser.follow()
    action = re.findall(r'action="(/login/upstream/[^"]+/new)"', browser.last.text)[0]
    page = browser.follow(browser.submit(action, link="1"))
    page = browser.follow(browser.sign_in(person))
    action = re.findall(r'action="(/account/connect/[^"]+)"', page.text)[0]
    return browser.submit(action)


def take_apart(browser: Browser, connection: str) -> Any:
    token = re.findall(r'name="csrf_token" value="([^"]+)"', browser.get("/logout").text)[0]
    return browser.post("/account/connect/remove", {"csrf_token": token, "connection": connection})


def id_token(town: Town, answer: Any, proof: Proof) -> dict[str, Any]:
    tokens = town.redeem(town.library, code_of(answer), proof).json
    payload = tokens["id_token"].split(".")[1]
    found: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def test_a_connected_resident_is_signed_in_for_the_partner_who_waits(connect: Connect) -> None:
    """OIDC Core §3.1: there and back, and on to the partner; acr and amr say what the provider proved."""
    town, provider = connect()
    link(town, provider, town.maria)
    browser, proof = town.browser(), Proof()
    page = browser.follow(browser.authorize(town.library, "openid", proof))
    answer = browser.follow(provider.sign_in(browser, page))
    if 'action="/consent"' in answer.text:
        answer = browser.follow(browser.allow())
    claims = id_token(town, answer, proof)
    assert (claims["acr"], claims["amr"]) == ("strong", ["pwd", "otp"])
    assert claims["auth_time"] == int(town.clock())


def test_the_way_on_to_the_partner_begins_with_a_page_of_ours(connect: Connect) -> None:
    """CSP3 form-action: the provider's page allows its form our address and no partner's, through every redirect."""
    town, provider = connect()
    link(town, provider, town.maria)
    town.tokens(town.library, town.maria, "openid")
    browser, proof = town.browser(), Proof()
    page = browser.follow(browser.authorize(town.library, "openid", proof))
    answer = provider.sign_in(browser, page)
    assert (answer.status_code, "Location" in answer.headers) == (200, False)
    assert 'href="/authorize/continue?flow=' in answer.text
    assert id_token(town, browser.follow(answer), proof)["acr"] == "strong"


def test_the_request_carries_what_binds_the_answer(connect: Connect) -> None:
    """Code flow with PKCE S256, state and nonce of their own (RFC 9700 §2.1.1), and what the operator asks for."""
    town, provider = connect(scopes=["openid", "profile"], acr_values=["two-factors", "one"])
    browser = town.browser()
    provider.leave(browser)
    first = dict(provider.asked)
    provider.leave(browser)
    second = provider.asked
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
        assert len(first[name]) == 43
    kept = {name: value for name, value in first.items() if name not in ("state", "nonce", "code_challenge")}
    assert kept == {
        "response_type": "code",
        "client_id": "riverton",
        "redirect_uri": f"{ISSUER}/login/upstream/neighbour/callback",
        "scope": "openid profile",
        "code_challenge_method": "S256",
        "acr_values": "two-factors one",
        "ui_locales": "en",
        "prompt": "login",
        "max_age": "0",
    }
    provider.come_back(browser)
    form = provider.forms[0]
    assert challenge_of(form["code_verifier"]) == second["code_challenge"]
    assert form["redirect_uri"] == kept["redirect_uri"]
    assert "client_secret" not in form
    pair = base64.b64decode(provider.authorizations[0].removeprefix("Basic ")).decode()
    assert [unquote_plus(part) for part in pair.split(":")] == ["riverton", "s3cret & more"]


def test_a_town_may_let_a_provider_answer_at_once(connect: Connect) -> None:
    """Without ask_anew who is signed in there need not prove it again, however long ago that was."""
    town, provider = connect(ask_anew=False)
    browser = link(town, provider, town.maria)
    provider.claims = {"auth_time": int(town.clock()) - 86_400}
    assert provider.sign_in(browser).headers["Location"] == "/account"
    assert not {"prompt", "max_age"} & provider.asked.keys()


def test_nothing_of_the_request_is_kept_in_the_clear(connect: Connect) -> None:
    """State, nonce, verifier and subject are of use to nobody who reads the database."""
    town, provider = connect()
    link(town, provider, town.maria)
    rows = [
        vars(row) for model in (UpstreamState, UpstreamIdentity, UpstreamArrival) for row in town.rows(model)
    ]
    text = repr(rows)
    secrets = [provider.asked["state"], provider.asked["nonce"], provider.forms[0]["code_verifier"]]
    assert len(rows) == 3
    assert not [one for one in [*secrets, provider.subject, "maria@example.org"] if one in text]
    assert town.rows(UpstreamArrival)[0].kept is None


@pytest.mark.parametrize(
    ("acr", "level", "amr"),
    [
        ("two-factors", "strong", ["pwd", "otp"]),
        ("unheard-of", "basic", None),
        (None, "basic", None),
        (["two-factors"], "basic", None),
        ("TWO-FACTORS", "basic", None),
        ("phr", "basic", None),
    ],
)
def test_a_level_is_never_more_than_the_operator_says_of_it(
    connect: Connect, acr: Any, level: str, amr: list[str] | None
) -> None:
    """identity.md: an unknown acr is worth the lowest level, and its amr is not believed."""
    town, provider = connect()
    link(town, provider, town.maria)
    provider.claims = {"acr": acr}
    provider.sign_in(town.browser())
    session = max(town.rows(BrowserSession), key=lambda row: (row.created_at, row.amr != "pwd"))
    found = [(row.acr, row.amr) for row in town.rows(BrowserSession) if row.ended_at is None]
    assert (level, " ".join(amr or [])) in found, (found, session.acr)


def test_a_partner_that_demands_more_is_not_given_a_lower_level(connect: Connect) -> None:
    """What the provider proved is too little for this partner, so no code leaves before more is proved here."""
    town, provider = connect()
    link(town, provider, town.maria)
    with town.context.database.transaction() as session:
        demand_level(session, "library", "strong")
    town.fresh()
    provider.claims = {"acr": "unheard-of"}
    browser = town.browser()
    page = browser.follow(browser.authorize(town.library, "openid", Proof()))
    answer = browser.follow(provider.sign_in(browser, page))
    assert answer.status_code == 200
    assert 'action="/consent"' not in answer.text, "a page of ours says that more is needed"
    provider.claims = {}
    browser, proof = town.browser(), Proof()
    page = browser.follow(browser.authorize(town.library, "openid", proof))
    answer = browser.follow(provider.sign_in(browser, page))
    if 'action="/consent"' in answer.text:
        answer = browser.follow(browser.allow())
    assert id_token(town, answer, proof)["acr"] == "strong"


@pytest.mark.parametrize("has_agreed", [False, True])
def test_a_person_we_do_not_know_signs_in_once_to_connect(connect: Connect, *, has_agreed: bool) -> None:
    """The account's own way in comes first, the resident sees which account it is, and is told by message."""
    town, provider = connect()
    if has_agreed:
        town.tokens(town.library, town.maria, "openid")
        with town.context.database.transaction() as session:
            session.execute(delete(BrowserSession))
    browser, proof = town.browser(), Proof()
    page = browser.follow(browser.authorize(town.library, "openid", proof))
    provider.sign_in(browser, page)
    assert town.rows(BrowserSession) == []
    done = connect_by_password(browser, town.maria)
    identity = town.rows(UpstreamIdentity)[0]
    assert (identity.resident_id, identity.provider) == (town.maria.resident_id, "neighbour")
    assert [row.name for row in town.rows(Message)].count("upstream_connected") == 1
    answer = browser.follow(done)
    if 'action="/consent"' in answer.text:
        answer = browser.follow(browser.allow())
    assert id_token(town, answer, proof)["acr"] == "basic", "the password was what signed in this time"


def test_the_same_address_connects_nothing(connect: Connect) -> None:
    """Never by e-mail: a provider that calls Maria's address verified gets nowhere near her account (Logto CVE-2026-15611)."""
    town, provider = connect(newcomers="create", trust_email=True, claims={"given_name": "given_name"})
    browser = town.browser()
    page = browser.follow(provider.sign_in(browser))
    assert town.rows(UpstreamIdentity) == []
    page = browser.follow(browser.submit("/login/upstream/neighbour/new", create="1"))
    assert page.request.path == "/signup", "a mail says that there is an account, nothing else does"
    assert "maria@example.org" in page.text
    browser.submit("/signup", email="maria@example.org")
    assert [row.name for row in town.rows(Message)] == ["already_signed_up"]
    assert town.rows(BrowserSession) == []


def test_a_newcomer_creates_an_account_with_what_the_provider_says(connect: Connect) -> None:
    """Filled in and changeable; the address is confirmed by the provider that the town trusts for it."""
    town, provider = connect(
        newcomers="create",
        trust_email=True,
        claims={"given_name": "given_name", "surname": "family_name", "birthdate": "birthdate"},
    )
    provider.userinfo = {
        "given_name": "Zoë",
        "surname": "Brahimi",
        "birthdate": "1990-01-31",
        "email": "zoe@example.org",
        "email_verified": True,
        "resident": True,
        "district": "4",
    }
    browser = town.browser()
    browser.follow(provider.sign_in(browser))
    page = browser.follow(browser.submit("/login/upstream/neighbour/new", create="1"))
    assert page.request.path == "/signup/confirm"
    assert 'value="Zoë"' in page.text
    assert 'value="Brahimi"' in page.text
    done = browser.submit(
        "/signup/confirm", given_name="Zoé", family_name="Brahimi", password="seven otters cross the river"
    )
    assert done.status_code == 303, done.text[:3000]
    identity = town.rows(UpstreamIdentity)[0]
    with town.context.database.reading() as session:
        resident = session.get(Resident, identity.resident_id)
        assert resident is not None
        known = read_attributes(session, town.context.vault, resident)
    assert (known["given_name"], known["birthdate"], known["email"]) == (
        "Zoé",
        "1990-01-31",
        "zoe@example.org",
    )
    assert "district" not in known
    assert "resident" not in known
    again = town.browser()
    assert again.follow(provider.sign_in(again)).status_code == 200
    assert town.rows(UpstreamIdentity)[0].used_at == int(town.clock())


def test_an_address_that_is_not_trusted_is_confirmed_by_mail(connect: Connect) -> None:
    """The link in the mail leads on in the same browser, and the identity is connected in the end."""
    town, provider = connect(newcomers="create")
    provider.userinfo = {"email": "zoe@example.org", "email_verified": True}
    browser = town.browser()
    browser.follow(provider.sign_in(browser))
    page = browser.follow(browser.submit("/login/upstream/neighbour/new", create="1"))
    assert 'value="zoe@example.org"' in page.text
    browser.submit("/signup", email="zoe@example.org")
    with town.context.database.reading() as session:
        message = session.execute(select(Message)).scalar_one()
        address = open_message(town.context.vault, message).values["link"]
    browser.get(address.removeprefix(ISSUER))
    browser.submit("/signup/confirm", given_name="Zoë", password="seven otters cross the river")
    assert len(town.rows(UpstreamIdentity)) == 1


@pytest.mark.parametrize("elsewhere", [False, True], ids=["other tab", "other browser"])
def test_an_identity_that_is_connected_meanwhile_makes_no_account(
    connect: Connect, *, elsewhere: bool
) -> None:
    """It opens another account by now: who creates one would never get in with it, so they are told before."""
    town, provider = connect(newcomers="create", trust_email=True)
    provider.userinfo = {"email": "zoe@example.org", "email_verified": True}
    browser = town.browser()
    page = browser.follow(browser.authorize(town.library, "openid", Proof()))
    browser.follow(provider.sign_in(browser, page))
    new = browser.last
    form = browser.follow(browser.submit("/login/upstream/neighbour/new", create="1"))
    assert form.request.path == "/signup/confirm"
    if elsewhere:
        link(town, provider, town.maria)
    else:
        browser.last = new
        browser.follow(browser.submit("/login/upstream/neighbour/new", link="1"))
        page = browser.follow(browser.sign_in(town.maria))
        browser.submit(re.findall(r'action="(/account/connect/[^"]+)"', page.text)[0])
        browser.http.delete_cookie("__Host-denizen-session", domain="id.riverton.example")
    browser.last, before = form, len(town.rows(Resident))
    answer = browser.submit("/signup/confirm", given_name="Zoë", password="seven otters cross the river")
    page = browser.follow(answer)
    assert page.request.path == "/login"
    assert "is connected with an account here already" in page.text
    assert len(town.rows(Resident)) == before
    assert "welcome" not in {row.name for row in town.rows(Message)}
    page = browser.follow(provider.sign_in(browser, page))
    assert 'action="/consent"' in page.text, "as Maria, whose it is, and on with what waits"


def test_where_newcomers_are_refused_they_are_told_how_to_connect(connect: Connect) -> None:
    """Back to the sign-in page, and nothing is kept of them (newcomers = "refuse")."""
    town, provider = connect(newcomers="refuse")
    browser = town.browser()
    page = browser.follow(provider.sign_in(browser))
    assert page.request.path == "/login"
    assert "not connected with an account here" in page.text
    assert town.rows(UpstreamArrival) == []
    assert "/userinfo" not in provider.hits


def test_a_resident_connects_and_disconnects_on_their_account_page(connect: Connect) -> None:
    """Signed in lately, there and back, a look at the account, yes; and apart again, told both times."""
    town, provider = connect(newcomers="refuse")
    browser, elsewhere = town.browser(), town.browser()
    browser.sign_in(town.maria)
    elsewhere.sign_in(town.maria)
    sent = browser.get("/account/connect/with/neighbour")
    provider.asked = answer_parameters(sent)
    page = browser.follow(provider.come_back(browser))
    assert "Maria" in page.text
    browser.submit(page.request.path)
    assert (browser.get("/account").status_code, elsewhere.get("/account").status_code) == (200, 303)
    identity = town.rows(UpstreamIdentity)[0]
    assert identity.resident_id == town.maria.resident_id
    thief = town.browser()
    thief.sign_in(town.jun)
    thief.get("/account/passkeys/new")
    token = re.findall(r'name="csrf_token" value="([^"]+)"', thief.get("/logout").text)[0]
    thief.post("/account/connect/remove", {"csrf_token": token, "connection": identity.id})
    assert len(town.rows(UpstreamIdentity)) == 1, "another resident's connection stays (K34)"
    provider.sign_in(browser)
    take_apart(browser, identity.id)
    assert town.rows(UpstreamIdentity) == []
    names = sorted(row.name for row in town.rows(Message))
    assert names.count("upstream_connected") == names.count("upstream_removed") == 1


def test_an_identity_belongs_to_one_resident(connect: Connect) -> None:
    """Whoever connects an identity that is somebody else's is refused, and nothing changes."""
    town, provider = connect()
    link(town, provider, town.maria)
    browser = town.browser()
    browser.sign_in(town.jun)
    provider.asked = answer_parameters(browser.get("/account/connect/with/neighbour"))
    answer = provider.come_back(browser)
    assert "problem=other" in answer.headers["Location"]
    page = browser.follow(answer).text
    assert "is connected with another account here" in page
    assert "does not answer" not in page
    assert [row.resident_id for row in town.rows(UpstreamIdentity)] == [town.maria.resident_id]


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ("declined", "You did not sign in with Neighbouring town."),
        ("silent", "Neighbouring town does not answer at the moment."),
        ("refused", "Signing in with Neighbouring town did not work."),
        ("connected", "Neighbouring town is connected with your account already."),
    ],
)
def test_the_page_of_ones_ways_in_says_why_nothing_was_connected(
    connect: Connect, problem: str, said: str
) -> None:
    """Each reason in its own words, and none for an address that was made up."""
    town, _ = connect()
    browser = town.browser()
    browser.sign_in(town.maria)
    assert said in browser.get(f"/account/sign-in?provider=neighbour&problem={problem}").text
    assert "There is a problem" not in browser.get("/account/sign-in?provider=neighbour&problem=x").text


def test_turning_back_while_connecting_is_not_a_fault_of_the_provider(connect: Connect) -> None:
    """From the account page there and back without signing in."""
    town, provider = connect()
    browser = town.browser()
    browser.sign_in(town.maria)
    provider.asked = answer_parameters(browser.get("/account/connect/with/neighbour"))
    page = browser.follow(provider.come_back(browser, code=None, error="access_denied")).text
    assert "You did not sign in with Neighbouring town" in page
    assert "does not answer" not in page


def test_two_tabs_connect_two_people_and_only_the_first_counts(connect: Connect) -> None:
    """An arrival is spent once; an identity that was free when it came may be taken when it is confirmed."""
    town, provider = connect()
    first, second = town.browser(), town.browser()
    provider.sign_in(first)
    provider.sign_in(second)
    connect_by_password(first, town.maria)
    refused = connect_by_password(second, town.jun)
    assert refused.status_code == 409
    assert [row.resident_id for row in town.rows(UpstreamIdentity)] == [town.maria.resident_id]


def test_a_frozen_account_is_not_entered(connect: Connect) -> None:
    """A freeze holds, whatever the provider proved; the page says no more than that it did not work."""
    town, provider = connect()
    link(town, provider, town.maria)
    with town.context.database.transaction() as session:
        session.execute(update(Resident).where(Resident.id == town.maria.resident_id).values(state="frozen"))
    browser = town.browser()
    page = browser.follow(provider.sign_in(browser))
    assert page.request.path == "/login"
    assert "did not work" in page.text
    assert "__Host-denizen-session" not in {cookie.key for cookie in browser.http._cookies.values()}


def test_turning_back_there_leads_to_the_sign_in_page_and_the_partner_still_waits(connect: Connect) -> None:
    """access_denied from upstream ends nothing here: another way in serves the same request."""
    town, provider = connect()
    browser, proof = town.browser(), Proof()
    page = browser.follow(browser.authorize(town.library, "openid", proof))
    page = browser.follow(provider.sign_in(browser, page, code=None, error="access_denied"))
    assert page.request.path == "/login"
    assert "You did not sign in with Neighbouring town" in page.text
    assert "/token" not in provider.hits
    answer = browser.follow(browser.sign_in(town.maria))
    if 'action="/consent"' in answer.text:
        answer = browser.follow(browser.allow())
    assert code_of(answer)


@pytest.mark.parametrize("begun", [False, True])
def test_the_choice_of_providers_has_the_ways_out_of_every_page(connect: Connect, begun: bool) -> None:
    """Cancel tells the partner, with an attempt or before there is one; and help stands below."""
    town, _ = connect()
    browser = town.browser()
    page = browser.follow(browser.authorize(town.library, "openid", Proof()))
    query = page.request.query_string.decode()
    if begun:
        query = f"attempt={attempt_of(browser.follow(browser.get(f'/login/other?{query}')))}"
    page = browser.get(f"/login/upstream?{query}")
    assert 'href="/help/sign-in"' in page.text
    answer = browser.submit("/login/other", cancel="1")
    assert answer_parameters(answer)["error"] == "access_denied"


def test_cancelling_as_a_newcomer_tells_the_partner(connect: Connect) -> None:
    """The way out of every page of a sign-in: access_denied."""
    town, provider = connect()
    browser = town.browser()
    page = browser.follow(browser.authorize(town.library, "openid", Proof()))
    browser.follow(provider.sign_in(browser, page))
    answer = browser.follow(browser.submit("/login/upstream/neighbour/new", cancel="1"))
    assert answer_parameters(answer)["error"] == "access_denied"


def test_keys_that_rotated_are_asked_for_once(connect: Connect) -> None:
    """An unknown kid makes us ask again, but not more than once a minute."""
    town, provider = connect()
    link(town, provider, town.maria)
    provider.published, provider.signs_with = KEYS, KEYS[1]
    upstream = town.app.extensions["denizen.upstream"]["neighbour"]
    upstream._keys.at -= 61
    browser = town.browser()
    assert browser.follow(provider.sign_in(browser)).request.path == "/account"
    assert provider.hits.count("/jwks") == 2
    provider.header = {"kid": "stranger"}
    for _ in range(3):
        assert "did not work" in (browser := town.browser()).follow(provider.sign_in(browser)).text
    assert provider.hits.count("/jwks") == 2


def test_the_choice_of_other_ways_leads_to_the_providers(connect: Connect) -> None:
    """Besides the buttons: the page that lists every way."""
    town, provider = connect()
    browser = town.browser()
    page = browser.follow(browser.get("/login/other?flow=&next=&wanted="))
    assert "/login/upstream?" in page.text
    page = browser.get("/login/upstream")
    assert "Sign in with Neighbouring town" in page.text
    provider.leave(browser, page)


def test_the_choice_of_providers_in_another_language_is_of_the_same_sign_in(connect: Connect) -> None:
    """With whatever waits for it, and with what was said of the computer."""
    town, provider = connect()
    link(town, provider, town.maria)
    browser = town.browser()
    page = browser.follow(browser.authorize(town.library, "openid", Proof()))
    flow = hidden_fields(page.text, "/login")["flow"]
    page = browser.get(f"/login/upstream?flow={flow}&shared=1")
    (french,) = re.findall(r'<a href="([^"]*)" lang="fr"', page.text)
    page = browser.get(f"/login/upstream{unescape(french)}")
    assert "La ville voisine" in page.text
    assert hidden_fields(page.text, "/login/other")["flow"] == flow
    provider.sign_in(browser, page)
    assert [row.is_shared for row in town.rows(LoginAttempt) if row.flow == flow] == [True]


def test_a_town_without_providers_has_no_such_pages(town: Town) -> None:
    """Nothing is offered that is not there."""
    browser = town.browser()
    assert "upstream" not in browser.get("/login").text
    assert browser.get("/login/upstream").status_code == 404
    assert browser.get("/login/upstream/neighbour").status_code == 404
    assert browser.get("/login/upstream/neighbour/callback?state=x").status_code == 404


def test_whoever_cannot_connect_goes_on_with_what_waits(connect: Connect) -> None:
    """The page that refuses is a page still: in another language, and with its way on to the partner."""
    town, provider = connect()
    provider.claims = {"acr": "unheard-of"}  # worth no more than the password, which may connect then
    link(town, provider, town.maria)
    provider.subject = "person-2"
    browser = town.browser()
    page = browser.follow(browser.authorize(town.library, "openid", Proof()))
    provider.sign_in(browser, page)
    refused = connect_by_password(browser, town.maria)
    assert refused.status_code == 409
    assert "La ville voisine" in browser.get(f"{refused.request.path}?lang=fr").text
    answer = browser.follow(browser.submit(refused.request.path, cancel="1"))
    if 'action="/consent"' in answer.text:
        answer = browser.follow(browser.allow())
    assert code_of(answer)
    assert len(town.rows(UpstreamIdentity)) == 1


def test_the_only_way_in_is_not_taken_apart(connect: Connect) -> None:
    """Nobody locks themselves out: without any other way in, a connection stays."""
    town, provider = connect()
    link(town, provider, town.maria)
    with town.context.database.transaction() as session:
        for model in (Password, ContactPoint):  # to whom mail goes, codes go, too
            session.execute(delete(model).where(model.resident_id == town.maria.resident_id))
    browser = town.browser()
    page = browser.follow(provider.sign_in(browser))
    assert page.request.path == "/account"
    browser.get("/account/sign-in")
    assert browser.submit("/account/connect/remove").status_code == 409
    assert len(town.rows(UpstreamIdentity)) == 1


def test_whoever_connects_is_the_same_resident_there_and_back(connect: Connect) -> None:
    """Begun as Maria and come back as Jun, in the same browser: nobody is connected."""
    town, provider = connect()
    browser = town.browser()
    browser.sign_in(town.maria)
    provider.asked = answer_parameters(browser.get("/account/connect/with/neighbour"))
    browser.get("/login")
    browser.sign_in(town.jun)
    assert provider.come_back(browser).status_code == 400
    assert town.rows(UpstreamArrival) == town.rows(UpstreamIdentity) == []


def test_connecting_needs_a_sign_in_of_this_moment(connect: Connect) -> None:
    """A session that was left open is not enough (ASVS 7.5.1), neither to begin nor to say yes."""
    town, provider = connect()
    browser = town.browser()
    browser.sign_in(town.maria)
    provider.asked = answer_parameters(browser.get("/account/connect/with/neighbour"))
    page = browser.follow(provider.come_back(browser))
    town.clock.advance(301)
    answer = browser.submit(page.request.path)
    assert answer.headers["Location"].startswith("/login?again=1")
    assert browser.get("/account/connect/with/neighbour").headers["Location"].startswith("/login?again=1")
    assert town.rows(UpstreamIdentity) == []


def test_a_session_at_a_shared_computer_is_one_by_this_way_too(connect: Connect) -> None:
    """identity.md: kiosk mode leaves nothing behind, whichever way somebody signs in."""
    town, provider = connect()
    link(town, provider, town.maria)
    browser = town.browser()
    page = browser.get("/login/upstream")
    page = browser.get(unescape(re.findall(r'href="([^"]*shared=1[^"]*)"', page.text)[0]))
    assert "nothing of your visit stays" in page.text
    provider.sign_in(browser, page)
    live = [row.is_shared for row in town.rows(BrowserSession) if row.ended_at is None]
    assert True in live


def test_a_yes_that_is_sent_twice_connects_once(connect: Connect) -> None:
    """An arrival is spent; the second press says that it is over and undoes nothing."""
    town, provider = connect(levels={})
    browser = town.browser()
    provider.sign_in(browser)
    connect_by_password(browser, town.maria)
    sent = browser.last
    assert sent is not None
    page = sent.request.path
    token = re.findall(r'name="csrf_token" value="([^"]+)"', browser.get("/logout").text)[0]
    assert browser.post(page, {"csrf_token": token}).status_code == 400
    assert browser.get(page).status_code == 400
    assert len(town.rows(UpstreamIdentity)) == 1


def test_the_sign_in_that_connects_serves_a_partner_who_wants_a_new_one(connect: Connect) -> None:
    """prompt=login: whoever signed in to connect is not asked a third time, and no sign-in is left open."""
    town, provider = connect()
    browser = town.browser()
    page = browser.follow(browser.authorize(town.library, "openid", Proof(), prompt="login"))
    provider.sign_in(browser, page)
    answer = browser.follow(connect_by_password(browser, town.maria))
    if 'action="/consent"' in answer.text:
        answer = browser.follow(browser.allow())
    assert code_of(answer)
    assert all(row.ended_at is not None for row in town.rows(LoginAttempt) if row.flow)


def test_a_session_from_before_does_not_pass_for_a_new_sign_in(connect: Connect) -> None:
    """prompt=login: connecting with a session that was there already lets nobody off signing in."""
    town, provider = connect()
    browser = town.browser()
    browser.sign_in(town.maria)
    town.clock.advance(120)
    page = browser.follow(browser.authorize(town.library, "openid", Proof(), prompt="login"))
    landed = provider.sign_in(browser, page)
    arrival = landed.headers["Location"].partition("arrival=")[2].partition("#")[0]
    browser.get(f"/account/connect/{arrival}")
    answer = browser.follow(browser.submit(f"/account/connect/{arrival}"))
    assert len(town.rows(UpstreamIdentity)) == 1
    assert answer.request.path == "/login"
