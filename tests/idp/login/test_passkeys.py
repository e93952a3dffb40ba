"""Passkeys: added, used, named and removed by their owner, on both databases."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import delete, update

from idp.accounts.models import ContactPoint, Resident
from idp.app import create_app
from idp.login import passkeys
from idp.login.models import BrowserSession, Challenge, Passkey, Password
from idp.settings import ServerSettings
from idp.upkeep import clear_over
from tests.support.authenticator import Authenticator, b64, unb64
from tests.support.passkeys import (
    ADD,
    SIGN_IN,
    add_passkey,
    enrol,
    hand_over,
    new_page,
    open_sign_in,
    options,
    sign_in,
)
from tests.support.told import told
from tests.support.town import ISSUER, Proof, code_of, hidden_fields, make_town

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.town import Town

HOST = "id.riverton.example"
WRONG = "Signing in with a passkey did not work. Try again, or use your password."


def claims(town: Town, id_token: str) -> dict[str, Any]:
    """The claims of an ID token, its signature checked."""
    keys = KeySet.import_key_set(town.app.test_client().get("/jwks", base_url=ISSUER).json)
    found: dict[str, Any] = jwt.decode(id_token, keys, algorithms=["ES256", "RS256"]).claims
    return found


# --- signing in ---


@pytest.mark.parametrize(("synced", "amr"), [(False, "hwk user"), (True, "swk user")])
def test_a_resident_signs_in_with_a_passkey_alone(town: Town, synced: bool, amr: str) -> None:
    """identity.md: discoverable, no name is typed; the session says what was proved (RFC 8176), and no more."""
    device = Authenticator(synced=synced)
    enrol(town.browser(), town.maria, device)
    browser = town.browser()
    answer = sign_in(browser, device)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    assert "Maria Okafor" in browser.get("/account").text
    (begun,) = [row for row in town.rows(BrowserSession) if row.ended_at is None]
    assert (begun.resident_id, begun.acr, begun.amr) == (town.maria.resident_id, "phr", amr)
    assert sign_in(town.browser(), device).status_code == 303, "and again"


def test_a_partner_learns_how_strong_the_sign_in_was(town: Town) -> None:
    """The request that waited is continued; acr and amr say what was proved in this session."""
    device = Authenticator()
    enrol(town.browser(), town.maria, device)
    browser, proof = town.browser(), Proof()
    browser.follow(browser.authorize(town.tax, "openid profile", proof))
    answer = sign_in(browser, device, browser.last.request.full_path)  # type: ignore[union-attr]
    assert answer.headers["Location"].startswith("/authorize/continue?flow=")
    answer = browser.follow(answer)
    if 'action="/consent"' in answer.text:
        answer = browser.follow(browser.allow())
    tokens = town.redeem(town.tax, code_of(answer), proof).json
    said = claims(town, tokens["id_token"])
    assert (said["acr"], said["amr"]) == ("phr", ["hwk", "user"])
    assert said["auth_time"] == int(town.clock())
    assert "phr" in browser.get("/.well-known/openid-configuration").json["acr_values_supported"]


def test_a_password_stays_basic_where_there_is_a_passkey(town: Town) -> None:
    """To own a passkey proves nothing: acr says what was used."""
    browser = town.browser()
    enrol(browser, town.maria, Authenticator())
    browser.get("/login")
    browser.sign_in(town.maria)
    assert {(row.acr, row.amr) for row in town.rows(BrowserSession)} == {("basic", "pwd")}


def test_a_sign_in_for_a_request_meets_prompt_login(town: Town) -> None:
    """`prompt=login` is answered by a passkey as by a password."""
    device, browser = Authenticator(), town.browser()
    enrol(browser, town.maria, device)
    sign_in(browser, device)
    town.clock.advance(60)
    browser.follow(browser.authorize(town.tax, "openid", Proof(), prompt="login"))
    asked = browser.last
    assert asked is not None
    assert 'action="/login"' in asked.text
    answer = browser.follow(sign_in(browser, device, asked.request.full_path))
    assert 'action="/login"' not in answer.text


def test_every_sign_in_gives_a_new_session_and_ends_the_former(town: Town) -> None:
    """K18, as with a password."""
    device, browser = Authenticator(), town.browser()
    enrol(browser, town.maria, device)
    browser.get("/login")
    browser.sign_in(town.jun)
    former = browser.http.get_cookie("__Host-denizen-session", domain=HOST)
    sign_in(browser, device)
    latter = browser.http.get_cookie("__Host-denizen-session", domain=HOST)
    assert former is not None
    assert latter is not None
    assert former.value != latter.value
    live = [row.resident_id for row in town.rows(BrowserSession) if row.ended_at is None]
    assert live == [town.maria.resident_id]


def test_it_leads_on_only_to_pages_of_ours(town: Town) -> None:
    """As with a password: `next` names a page of ours or counts for nothing."""
    device = Authenticator()
    enrol(town.browser(), town.maria, device)
    assert sign_in(town.browser(), device, "/login?next=/privacy").headers["Location"] == "/privacy"
    for foreign in ("https://evil.example", "//evil.example", "/authorize"):
        assert sign_in(town.browser(), device, f"/login?next={foreign}").headers["Location"] == "/account"


@pytest.mark.parametrize("state", ["frozen", "closed"])
def test_only_active_residents_sign_in(town: Town, state: str) -> None:
    """A frozen or closed account looks like any failure."""
    device = Authenticator()
    enrol(town.browser(), town.maria, device)
    with town.context.database.transaction() as session:
        session.execute(update(Resident).where(Resident.id == town.maria.resident_id).values(state=state))
    answer = sign_in(town.browser(), device)
    assert answer.status_code == 422
    assert WRONG in answer.text
    unknown = Authenticator()
    unknown.create(options_for_nobody())
    assert page_of(sign_in(town.browser(), unknown)) == page_of(answer)


def options_for_nobody() -> dict[str, Any]:
    """As if the town had once made a passkey for somebody who is gone."""
    return {"rp": {"id": HOST}, "user": {"id": b64(b"x" * 32)}, "challenge": b64(b"y" * 32)}


def page_of(answer: Any) -> tuple[int, str]:
    """Status and text but for the form token."""
    token = hidden_fields(answer.text, "/login")["csrf_token"]
    return answer.status_code, answer.text.replace(token, "")


def test_without_an_answer_the_page_says_so(town: Town) -> None:
    """A browser that could not fetch options sends the form as it is."""
    browser = town.browser()
    answer = hand_over(browser, SIGN_IN, open_sign_in(browser), "")
    assert answer.status_code == 422
    assert WRONG in answer.text


def test_options_name_nobody_and_ask_for_a_verified_person(town: Town) -> None:
    """No list of credentials: whoever is not signed in learns nothing about anybody's passkeys (K23)."""
    enrol(town.browser(), town.maria, Authenticator())
    browser = town.browser()
    found = options(browser, SIGN_IN, open_sign_in(browser))
    assert found["allowCredentials"] == []
    assert (found["rpId"], found["userVerification"]) == (HOST, "required")
    assert len(unb64(found["challenge"])) == 32
    kept = [value for row in town.rows(Challenge) for value in vars(row).values()]
    assert unb64(found["challenge"]) not in kept
    assert hashlib.sha256(unb64(found["challenge"])).digest() in kept


# --- adding ---


def test_options_for_a_new_passkey_say_what_it_must_be(town: Town) -> None:
    """Discoverable, the person verified, no attestation, none that the resident has already (§5.4)."""
    browser, device = town.browser(), Authenticator()
    enrol(browser, town.maria, device)
    sign_in(browser, device)
    found = options(browser, ADD, new_page(browser))
    assert found["rp"] == {"id": HOST, "name": "Riverton"}
    assert found["user"]["name"] == "maria@example.org"
    assert unb64(found["user"]["id"]) == device.credentials[0].user_handle
    assert town.maria.resident_id not in found["user"]["id"]
    assert found["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert found["attestation"] == "none"
    assert [one["id"] for one in found["excludeCredentials"]] == [b64(device.credentials[0].id)]
    assert found["excludeCredentials"][0]["transports"] == ["hybrid", "internal"]


def test_what_is_kept_of_a_passkey(town: Town) -> None:
    """The credential record (§4); its name is sealed, since residents write names into it."""
    browser, device = town.browser(), Authenticator(synced=True)
    enrol(browser, town.maria, device, "Marias Telefon")
    (row,) = town.rows(Passkey)
    assert (row.resident_id, row.rp_id, row.sign_count) == (town.maria.resident_id, HOST, 0)
    assert (row.may_sync, row.is_synced, row.transports) == (True, True, "hybrid internal")
    assert row.credential_id == device.credentials[0].id
    assert row.public_key == device.credentials[0].cose
    assert b"Marias" not in row.name
    sign_in(browser, device)
    page = browser.get("/account/sign-in").text
    assert "Marias Telefon" in page
    assert "On all your devices" in page


def test_a_resident_may_have_several(town: Town) -> None:
    """identity.md: several per resident, each named; each opens the account."""
    browser, devices = town.browser(), [Authenticator(), Authenticator(synced=True)]
    browser.sign_in(town.maria)
    for number, device in enumerate(devices):
        town.clock.advance(1)
        add_passkey(browser, device, f"Device {number}")
        sign_in(browser, device)
    page = browser.get("/account/sign-in").text
    assert page.index("Device 0") < page.index("Device 1")
    assert [sign_in(town.browser(), device).status_code for device in devices] == [303, 303]


def test_adding_and_removing_ask_who_did_not_sign_in_lately_to_do_so_again(town: Town) -> None:
    """ASVS 7.5.1: an unlocked telephone on a table is not enough to add a key of one's own."""
    browser, device = town.browser(), Authenticator()
    enrol(browser, town.maria, device)
    sign_in(browser, device)
    (row,) = town.rows(Passkey)
    fields = new_page(browser)
    town.clock.advance(301)
    again = browser.get(f"{ADD}/new")
    assert again.headers["Location"] == f"/login?again=1&wanted=phr&next={ADD}/new"
    posted = browser.post(f"{ADD}/options", fields)
    assert posted.headers["Location"] == "/login?again=1&wanted=phr&next=/account/sign-in"
    assert browser.post(f"{ADD}/{row.id}/remove", fields).status_code == 303
    assert hand_over(browser, ADD, fields, "", name="Key").headers["Location"] == f"{ADD}/new"
    assert len(town.rows(Passkey)) == 1
    page = browser.follow(again)
    assert "sign in once more" in page.text
    answer = sign_in(browser, device, again.headers["Location"])
    assert answer.headers["Location"] == f"{ADD}/new"
    assert browser.follow(answer).status_code == 200
    assert browser.post(f"{ADD}/options", fields).status_code == 200


def test_a_stolen_password_adds_no_passkey_beside_one(town: Town) -> None:
    """Changes need all that the resident signs in with: after the password the passkey is still asked for (K27)."""
    device, thief = Authenticator(), town.browser()
    enrol(town.browser(), town.maria, device)
    thief.get("/login")
    assert thief.sign_in(town.maria).status_code == 303
    page = thief.follow(thief.get(f"{ADD}/new"))
    assert "sign in once more" in page.text
    answer = thief.submit("/login", username="maria", password=town.maria.password)
    page = thief.follow(answer)
    assert "To go on, use a passkey of yours" in page.text
    assert thief.get(f"{ADD}/new").status_code == 303


def test_whoever_has_a_passkey_proves_themselves_with_it_again(town: Town) -> None:
    """The second sign-in names the resident, so the device is told which of its passkeys to use."""
    browser, device = town.browser(), Authenticator()
    enrol(browser, town.maria, device)
    sign_in(browser, device)
    town.clock.advance(301)
    path = browser.get(f"{ADD}/new").headers["Location"]
    fields = open_sign_in(browser, path)
    found = options(browser, SIGN_IN, fields)
    assert [one["id"] for one in found["allowCredentials"]] == [b64(device.credentials[0].id)]
    answer = hand_over(browser, SIGN_IN, fields, device.get(found))
    assert answer.headers["Location"] == f"{ADD}/new"


def test_pages_of_passkeys_need_a_resident(town: Town) -> None:
    """Nobody who is not signed in gets an option, a page or a change."""
    browser = town.browser()
    token = {"csrf_token": hidden_fields(browser.get("/login").text, "/login")["csrf_token"]}
    for path in (f"{ADD}/new", f"{ADD}/x"):
        assert browser.get(path).headers["Location"].startswith("/login?next=")
    for path in (f"{ADD}/options", ADD, f"{ADD}/x", f"{ADD}/x/remove"):
        assert browser.post(path, token).headers["Location"].startswith("/login?next=")
    assert (town.rows(Challenge), town.rows(Passkey)) == ([], [])


def test_every_form_needs_its_token(town: Town) -> None:
    """K20: another site cannot add a passkey, remove one, or sign somebody in as somebody else."""
    browser = town.browser()
    browser.sign_in(town.maria)
    for path in (f"{SIGN_IN}/options", SIGN_IN, f"{ADD}/options", ADD, f"{ADD}/x", f"{ADD}/x/remove"):
        assert browser.post(path, {}).status_code == 403, path


@pytest.mark.parametrize("name", ["", "   ", "a" * 101, "bad\x07bell"])
def test_a_name_must_be_one(town: Town, name: str) -> None:
    browser, device = town.browser(), Authenticator()
    browser.sign_in(town.maria)
    fields = new_page(browser)
    made = device.create(options(browser, ADD, fields))
    answer = hand_over(browser, ADD, fields, made, name=name)
    assert answer.status_code == 422
    assert "Enter a name of at most 100 letters" in answer.text
    assert town.rows(Passkey) == []
    assert hand_over(browser, ADD, fields, made, name="Now good").status_code == 303, (
        "the challenge is unspent"
    )


def test_nobody_has_more_passkeys_than_a_person_needs(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """K39: a resident cannot fill the database."""
    monkeypatch.setattr(passkeys, "LIMIT", 2)
    browser = town.browser()
    browser.sign_in(town.maria)
    for device in (Authenticator(), Authenticator()):
        add_passkey(browser, device)
        sign_in(browser, device)
    fields = new_page(browser)
    answer = hand_over(
        browser, ADD, fields, Authenticator().create(options(browser, ADD, fields)), name="Third"
    )
    assert answer.status_code == 422
    assert "too many passkeys" in answer.text
    assert len(town.rows(Passkey)) == 2


# --- naming and removing ---


def test_a_passkey_gets_another_name(town: Town) -> None:
    browser = town.browser()
    browser.sign_in(town.maria)
    add_passkey(browser, Authenticator(), "Old name")
    (row,) = town.rows(Passkey)
    page = browser.get(f"{ADD}/{row.id}").text
    assert "Old name" in page
    assert "Not used yet" in page
    answer = browser.submit(f"{ADD}/{row.id}", name="  Blue   key ")
    assert answer.headers["Location"] == "/account/sign-in?done=passkey-renamed"
    page = browser.follow(answer).text
    assert "Blue key" in page
    assert "Old name" not in page
    browser.get(f"{ADD}/{row.id}")
    assert browser.submit(f"{ADD}/{row.id}", name="").status_code == 422


def test_a_removed_passkey_opens_nothing(town: Town) -> None:
    browser, device = town.browser(), Authenticator()
    enrol(browser, town.maria, device)
    sign_in(browser, device)
    (row,) = town.rows(Passkey)
    browser.get(f"{ADD}/{row.id}")
    answer = browser.submit(f"{ADD}/{row.id}/remove")
    assert answer.headers["Location"] == "/account/sign-in?done=passkey-removed"
    assert "The passkey is removed" in browser.follow(answer).text
    assert town.rows(Passkey) == []
    assert sign_in(town.browser(), device).status_code == 422
    assert browser.post(f"{ADD}/{row.id}/remove", new_page(browser)).status_code == 404


def test_the_last_way_in_is_never_removed(town: Town) -> None:
    """A resident without a password and an address keeps one passkey at least."""
    browser, devices = town.browser(), [Authenticator(), Authenticator()]
    browser.sign_in(town.maria)
    for device in devices:
        add_passkey(browser, device)
        sign_in(browser, device)
    with town.context.database.transaction() as session:
        session.execute(delete(Password).where(Password.resident_id == town.maria.resident_id))
        session.execute(delete(ContactPoint).where(ContactPoint.resident_id == town.maria.resident_id))
    answers = []
    for row in town.rows(Passkey):
        browser.get(f"{ADD}/{row.id}")
        answers.append(browser.submit(f"{ADD}/{row.id}/remove"))
    assert [answer.status_code for answer in answers] == [303, 422]
    assert "your only way to sign in" in answers[1].text
    assert len(town.rows(Passkey)) == 1


def test_a_change_signs_out_whoever_else_had_got_in(town: Town) -> None:
    """identity.md: other sessions and the tokens that outlive them die with every change of a credential."""
    tokens = town.tokens(town.library, town.maria, "openid offline_access")
    stranger, browser, device = town.browser(), town.browser(), Authenticator()
    stranger.sign_in(town.maria)
    browser.sign_in(town.maria)
    add_passkey(browser, device)
    assert stranger.get("/account").status_code == 303
    assert browser.get("/account").status_code == 200
    assert town.refresh(town.library, tokens["refresh_token"]).json["error"] == "invalid_grant"
    sign_in(browser, device)
    stranger.get("/login")
    stranger.sign_in(town.maria)
    (row,) = town.rows(Passkey)
    browser.get(f"{ADD}/{row.id}")
    assert browser.submit(f"{ADD}/{row.id}/remove").status_code == 303
    assert stranger.get("/account").status_code == 303
    assert browser.get("/account").status_code == 200


def test_the_owner_is_told_on_every_channel(town: Town) -> None:
    """identity.md: every change of a credential is told on the other channels; a name that a thief chose is not."""
    browser, device = town.browser(), Authenticator()
    browser.http.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (Windows NT 10.0) Firefox/150.0"
    browser.sign_in(town.maria)
    add_passkey(browser, device, "call 555-0100 now")
    sign_in(browser, device)
    (row,) = town.rows(Passkey)
    browser.get(f"{ADD}/{row.id}")
    browser.submit(f"{ADD}/{row.id}/remove")
    found = [one for one in told(town) if one.name.startswith("passkey_")]
    assert [(one.name, one.to) for one in found] == [
        ("passkey_added", town.maria.email),
        ("passkey_removed", town.maria.email),
    ]
    for one in found:
        assert one.values["device"] == "Firefox, Windows"
        assert one.values["at"] == int(town.clock())
        assert one.link.startswith("/account")
        assert "555" not in str(one.values)


def test_a_message_can_be_read_in_another_language(town: Town) -> None:
    """The language links of a page that a form led to open a page, not an error."""
    browser, device = town.browser(), Authenticator()
    enrol(browser, town.maria, device)
    sign_in(browser, device)
    (row,) = town.rows(Passkey)
    leads = {
        f"{SIGN_IN}?next=/privacy&lang=fr": "/login?next=/privacy&lang=fr",
        f"{ADD}?lang=fr": f"{ADD}/new",
        f"{ADD}/{row.id}/remove?lang=fr": f"{ADD}/{row.id}",
    }
    for path, page in leads.items():
        assert browser.get(path).headers["Location"] == page
        assert 'lang="fr"' in browser.get(page).text


# --- upkeep, settings ---


def test_old_challenges_are_cleared_away(town: Town) -> None:
    browser = town.browser()
    options(browser, SIGN_IN, open_sign_in(browser))
    clear_over(town.context, now=int(town.clock()))
    assert len(town.rows(Challenge)) == 1
    clear_over(town.context, now=int(town.clock()) + 3600)
    assert town.rows(Challenge) == []


@pytest.mark.parametrize(
    ("server", "domain"),
    [
        ({"issuer": "https://id.riverton.example", "rp_id": "riverton.example"}, "riverton.example"),
        ({"issuer": "http://localhost:8400"}, "localhost"),
        ({"issuer": "http://127.0.0.1:8400"}, ""),
    ],
)
def test_the_domain_of_passkeys(
    database_url: str, tmp_path: Path, server: dict[str, str], domain: str
) -> None:
    """The issuer's host, or a domain above it that the operator names; an IP address has no passkeys."""
    town = make_town(database_url, tmp_path, server={**server, "staff_url": "http://localhost:8401"})
    client = town.app.test_client()
    page = client.get("/login", base_url=server["issuer"])
    if not domain:
        assert "passkey" not in page.text.lower()
        assert "script" not in page.headers["Content-Security-Policy"]
        token = hidden_fields(page.text, "/login")
        assert client.post(SIGN_IN, data=token, base_url=server["issuer"]).status_code == 404
        configuration = client.get("/.well-known/openid-configuration", base_url=server["issuer"]).json
        assert configuration["acr_values_supported"] == ["basic", "strong"]
    else:
        fields = hidden_fields(page.text, SIGN_IN)
        found = client.post(f"{SIGN_IN}/options", data=fields, base_url=server["issuer"]).json
        assert found["rpId"] == domain
    town.context.database.close()


def test_passkeys_belong_to_the_domain_for_which_they_were_made(
    town: Town,
) -> None:
    """A town that takes another domain: its old passkeys are no answer, even where a device sends one."""
    device = Authenticator()
    enrol(town.browser(), town.maria, device)
    device.credentials[0].rp_id = "riverton.example"
    settings = town.settings.model_copy(
        update={"server": town.settings.server.model_copy(update={"rp_id": "riverton.example"})}
    )
    moved = replace(town, settings=settings, context=replace(town.context, settings=settings))
    moved.app = create_app(moved.context)
    assert sign_in(moved.browser(), device).status_code == 422
    fresh = Authenticator()
    enrol(moved.browser(), town.maria, fresh)
    assert sign_in(moved.browser(), fresh).status_code == 303


@pytest.mark.parametrize(
    ("issuer", "rp_id", "fits"),
    [
        ("https://id.riverton.example", "", True),
        ("https://id.riverton.example", "id.riverton.example", True),
        ("https://id.riverton.example", "riverton.example", True),
        ("https://id.riverton.example", "example", False),
        ("https://id.riverton.example", "d.riverton.example", False),
        ("https://id.riverton.example", "x.id.riverton.example", False),
        ("https://id.riverton.example", "evil.example", False),
        ("https://id.riverton.example", "Riverton.example", False),
        ("https://192.0.2.7", "2.7", False),
        ("http://localhost:8400", "localhost", True),
    ],
)
def test_the_domain_must_be_one_that_browsers_take(issuer: str, rp_id: str, fits: bool) -> None:
    """WebAuthn L3 §5.1.3 step 8: the issuer's host, or a domain above it, and never a whole top-level domain."""
    values = {"issuer": issuer, "staff_url": "https://staff.riverton.example", "rp_id": rp_id}
    if fits:
        assert ServerSettings(**values).rp_id == rp_id
    else:
        with pytest.raises(ValueError, match="rp_id must be the host name of issuer or a domain above it"):
            ServerSettings(**values)


def test_a_script_may_run_only_where_a_passkey_needs_one(town: Town) -> None:
    """CSP: our own file and our own addresses, on two pages; everywhere else no script at all."""
    browser = town.browser()
    with_script = [browser.get("/login")]
    browser.sign_in(town.maria)
    with_script.append(browser.get(f"{ADD}/new"))
    for answer in with_script:
        policy = answer.headers["Content-Security-Policy"].split("; ")
        assert "script-src 'self'" in policy
        assert "connect-src 'self'" in policy
        assert "default-src 'none'" in policy
        assert not any(word in ";".join(policy) for word in ("unsafe", "*", "data: script"))
    add_passkey(browser, Authenticator())
    for path in ("/", "/account", "/privacy", f"{ADD}/{town.rows(Passkey)[0].id}", "/help", "/nothing"):
        answer = browser.get(path)
        assert "script-src" not in answer.headers["Content-Security-Policy"], path
        assert "<script" not in answer.text, path


def test_start_up_does_without_the_library() -> None:
    """performance.md: what is rarely needed is imported when it is."""
    code = "import sys, idp.app; sys.exit('webauthn' in sys.modules or 'cbor2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_answer_that_is_json_but_no_answer_is_refused(town: Town) -> None:
    """Whatever is sent, the answer is a page that says so, never an error of ours."""
    device = Authenticator()
    enrol(town.browser(), town.maria, device)
    browser = town.browser()
    good = device.get(options(browser, SIGN_IN, open_sign_in(browser)))
    odd: list[Any] = [
        "",
        "null",
        "[]",
        "{}",
        "x",
        "1e999",
        '{"id":1}',
        "\ud800",
        '{"response":[]}',
        "[" * 9000,
    ]
    odd += [
        {**good, "response": {**good["response"], member: value}}
        for member in ("clientDataJSON", "authenticatorData", "signature", "userHandle")
        for value in ("", "=", "a", "AAAA", "é", None, 7, [], "A" * 50_000)
        if (member, value) != ("userHandle", None)
    ]
    odd += [
        {**good, member: value}
        for member in ("id", "rawId", "type", "response")
        for value in ("", None, 7, [], {}, "AAAA")
    ]
    for one in odd:
        text = one if isinstance(one, str) else json.dumps(one)
        answer = browser.post(
            SIGN_IN, {**open_sign_in(browser), "credential": text.encode("utf-8", "replace")}
        )
        assert answer.status_code in (422, 429), (answer.status_code, text[:200])
    assert town.rows(Passkey)[0].used_at is None
