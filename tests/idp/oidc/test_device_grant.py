"""Devices without a keyboard (RFC 8628): codes, polling, pages, tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet

from idp.clients.metadata import DEVICE_GRANT, ClientRefused, Details
from idp.clients.service import NewClient
from idp.oidc.device import rules
from idp.oidc.device.models import DeviceRequest
from idp.oidc.models import Authorization
from idp.upkeep import end_expired_sign_ins
from tests.support import devices as support
from tests.support.devices import allow, ask, begin, confirm, enter, screen
from tests.support.proving import dpop, jwks, key_for
from tests.support.town import ISSUER, choices, hidden_fields

if TYPE_CHECKING:
    from tests.support.devices import Devices
    from tests.support.proving import Proving
    from tests.support.town import Town

devices = support.devices


def test_a_resident_signs_in_on_another_screen_and_the_device_gets_its_tokens(town: Town) -> None:
    """RFC 8628 §3: from both codes to userinfo, refresh and the history of releases."""
    partner = screen(town)
    town.fresh()
    device = begin(town, partner, nonce="n-1")
    told = device.told
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", told["user_code"])
    assert told["verification_uri"] == f"{ISSUER}/device"
    assert told["verification_uri_complete"] == f"{ISSUER}/device?user_code={told['user_code']}"
    assert (told["expires_in"], told["interval"]) == (600, 5)
    assert device.error() == "authorization_pending"

    browser = town.browser()
    page = enter(browser, device.user_code.lower().replace("-", " "))
    assert 'action="/login"' in page.text
    assert "Riverton Screens" in page.text
    page = browser.follow(browser.sign_in(town.maria))
    for shown in ("Riverton Screens", "Riverton Town Hall", device.user_code, "Maria Okafor"):
        assert shown in page.text
    assert "Only go on if you started this yourself on a device in front of you" in page.text
    page = confirm(browser)
    assert 'action="/consent"' in page.text
    town.clock.advance(5)
    assert device.error() == "authorization_pending"
    page = browser.follow(browser.allow(share=choices(page.text)))
    assert (page.status_code, page.request.path) == (200, "/device/done")
    assert "You can go back to the device" in page.text

    tokens = device.tokens()
    keys = KeySet.import_key_set(town.app.test_client().get("/jwks", base_url=ISSUER).json)
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["ES256"]).claims
    assert (claims["aud"], claims["amr"], claims["nonce"]) == ("screens", ["pwd"], "n-1")
    assert (tokens["token_type"], tokens["scope"]) == ("Bearer", "email offline_access openid profile")
    userinfo = town.userinfo(tokens["access_token"]).json
    assert (userinfo["sub"], userinfo["name"]) == (claims["sub"], "Maria Okafor")
    again = town.refresh(partner, tokens["refresh_token"]).json
    assert town.userinfo(again["access_token"]).json["email"] == "maria@example.org"
    assert device.error() == "invalid_grant"
    assert town.userinfo(again["access_token"]).status_code == 200  # asking once more ends nothing
    history = browser.get("/privacy").text
    assert "Riverton Screens" in history


def test_who_agreed_before_confirms_again_every_time(devices: Devices) -> None:
    """RFC 8628 §5.4: neither the address with the code nor an earlier yes lets a device in."""
    device = devices.begin()
    page = devices.maria.get(device.address)
    assert f'value="{device.user_code}"' in page.text
    assert device.error() == "authorization_pending"
    page = devices.maria.follow(devices.maria.submit("/device", user_code=device.user_code))
    assert 'action="/device/confirm"' in page.text
    assert device.user_code in page.text
    handle = hidden_fields(page.text, "/device/confirm")["flow"]
    for around in (f"/authorize/continue?flow={handle}", f"/consent?flow={handle}", f"/login?flow={handle}"):
        assert 'action="/device/confirm"' in devices.maria.follow(devices.maria.get(around)).text
    page = confirm(devices.maria)
    assert "You can go back to the device" in page.text
    assert device.tokens()["access_token"]


@pytest.mark.parametrize("where", ["sign-in", "confirmation", "release"])
def test_turning_back_anywhere_is_told_to_the_device(devices: Devices, where: str) -> None:
    """RFC 8628 §3.5 access_denied, for good."""
    device = devices.begin(devices.new_terminal() if where == "release" else None)
    browser = devices.town.browser() if where == "sign-in" else devices.maria
    enter(browser, device.user_code)
    if where == "sign-in":
        page = browser.follow(browser.submit("/login", cancel="1"))
    elif where == "confirmation":
        page = browser.follow(browser.submit("/device/confirm", decision="cancel"))
    else:
        confirm(browser)
        page = browser.follow(browser.deny())
    assert "The device does not get in" in page.text
    assert device.error() == "access_denied"
    assert device.error() == "access_denied"
    assert enter(devices.town.browser(), device.user_code).status_code == 409


def test_the_code_is_for_whoever_says_first_that_it_is_theirs(devices: Devices) -> None:
    """A second browser reads plainly what happened, before and after its sign-in, and can neither allow nor refuse."""
    town, device = devices.town, devices.begin(partner := devices.new_terminal())
    early, late = town.browser(), town.browser()
    enter(early, device.user_code)
    early.follow(early.sign_in(town.jun))  # Jun sees the question, and waits
    enter(devices.maria, device.user_code)
    confirm(devices.maria)
    page = early.follow(early.submit("/device/confirm", decision="go"))
    assert (page.status_code, "This code is used already" in page.text) == (409, True)
    page = enter(late, device.user_code)
    assert (page.status_code, "This code is used already" in page.text) == (409, True)
    enter(devices.maria, device.user_code)
    confirm(devices.maria)  # Maria herself, in another tab
    assert 'action="/consent"' in devices.maria.last.text  # type: ignore[union-attr]
    devices.maria.follow(devices.maria.allow())
    sub = town.userinfo(device.tokens()["access_token"]).json["sub"]
    again = devices.begin(partner)
    allow(devices.maria, again)
    assert town.userinfo(again.tokens()["access_token"]).json["sub"] == sub


def test_nobody_else_refuses_what_is_somebody_s(devices: Devices) -> None:
    """Whoever reads the code over a shoulder cannot end what its owner confirmed."""
    town, device = devices.town, devices.begin(devices.new_terminal())
    other = town.browser()
    enter(other, device.user_code)
    enter(devices.maria, device.user_code)
    confirm(devices.maria)
    cancelled = other.follow(other.submit("/login", cancel="1"))
    assert "Nothing was allowed here" in cancelled.text
    devices.maria.follow(devices.maria.allow())
    assert device.tokens()["access_token"]


def test_a_resident_in_another_session_is_asked_again(devices: Devices) -> None:
    """What one browser confirmed is not confirmed in another, be it the same resident's."""
    device = devices.begin(devices.new_terminal())
    enter(devices.maria, device.user_code)
    confirm(devices.maria)
    second = devices.town.browser()
    second.sign_in(devices.town.maria)
    assert 'action="/device/confirm"' in enter(second, device.user_code).text


def test_a_device_that_asks_too_often_must_slow_down(town: Town) -> None:
    """RFC 8628 §3.5: five seconds more, for good, each time."""
    partner = screen(town)
    town.fresh()
    device = begin(town, partner)
    assert device.error() == "authorization_pending"
    assert device.error() == "slow_down"
    town.clock.advance(5)
    assert device.error() == "slow_down"  # ten it is now, and now fifteen
    town.clock.advance(15)
    assert device.error() == "authorization_pending"
    town.clock.advance(14)
    assert device.error() == "authorization_pending"  # a second of leeway
    town.clock.advance(13)
    assert device.error() == "slow_down"
    (row,) = town.rows(DeviceRequest)
    assert row.poll_every == 20
    allow(town.browser(), device)
    assert device.tokens()["access_token"]


def test_codes_end_with_their_time(town: Town) -> None:
    """RFC 8628 §3.5 expired_token; K40: the last second is the end, and no clock that is set back revives one."""
    partner = screen(town)
    town.fresh()
    device, allowed, asked = (begin(town, partner) for _ in range(3))
    browser = town.browser()
    allow(browser, allowed)
    enter(browser, asked.user_code)
    town.clock.advance(599)
    assert device.error() == "authorization_pending"
    town.clock.advance(1)
    assert (device.error(), allowed.error()) == ("expired_token", "expired_token")
    page = enter(town.browser(), device.user_code)
    assert (page.status_code, "too old" in page.text) == (422, True)
    assert browser.submit("/device/confirm", decision="go").status_code == 410
    end_expired_sign_ins(town.context, now=int(town.clock()))
    town.clock.advance(-300)
    assert (device.error(), allowed.error()) == ("expired_token", "expired_token")
    assert enter(town.browser(), device.user_code).status_code == 422
    assert not any(row.spent_at for row in town.rows(Authorization))


def test_signing_out_before_the_device_asks_gives_it_nothing(town: Town) -> None:
    """What is allowed in a session ends with it, unless it was agreed that it outlives it."""
    partner = screen(town)
    town.fresh()
    browser = town.browser()
    short, lasting = begin(town, partner, "openid profile"), begin(town, partner)
    for device in (short, lasting):
        allow(browser, device)
    browser.get("/logout")
    browser.submit("/logout")
    assert short.error() == "access_denied"
    assert lasting.tokens()["refresh_token"]


def test_nothing_kept_is_either_code(devices: Devices) -> None:
    """Whoever reads the table can neither poll nor enter anything."""
    device = devices.begin()
    rows = [row for row in devices.town.rows(DeviceRequest) if row.decided_at is None]
    kept = repr([{c.key: getattr(row, c.key) for c in DeviceRequest.__table__.columns} for row in rows])
    plain = device.user_code.replace("-", "")
    assert rows
    for secret in (device.told["device_code"], device.user_code, plain):
        assert secret not in kept
    assert plain.encode() not in b"".join(row.user_code_index for row in rows)


# --- who may ask, and for what ---


def test_a_device_proves_itself_as_at_the_token_endpoint(devices: Devices) -> None:
    """RFC 8628 §3.1: public clients by their name, others by their one method."""
    town = devices.town
    client = town.app.test_client(use_cookies=False)
    form = {"scope": "openid", "client_id": "terminal"}
    answer = client.post("/device_authorization", data=form, base_url=ISSUER)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    answer = client.post("/device_authorization", data={"scope": "openid"}, base_url=ISSUER)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert client.get("/device_authorization", base_url=ISSUER).status_code == 405
    device = devices.begin(devices.terminal)
    form = {**device.poll_form(), "client_id": "terminal"}
    assert client.post("/token", data=form, base_url=ISSUER).json["error"] == "invalid_client"


def test_the_code_of_another_client_is_no_code(devices: Devices) -> None:
    """RFC 6749 §5.2 invalid_grant, and its owner's stays good."""
    device = devices.begin()
    for partner in (devices.terminal, devices.town.library):
        answer = devices.town.call("/token", partner, device.poll_form())
        assert answer.json["error"] in ("invalid_grant", "unauthorized_client")
    assert devices.town.call("/token", devices.terminal, device.poll_form()).json["error"] == "invalid_grant"
    allow(devices.maria, device)
    assert devices.town.call("/token", devices.terminal, device.poll_form()).json["error"] == "invalid_grant"
    assert device.tokens()["access_token"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"scope": "lights:read"}, "invalid_scope"),
        ({"resource": "https://nowhere.example"}, "invalid_target"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"claims": "{"}, "invalid_request"),
        ({"request": "x.y.z"}, "invalid_request"),
        ({"request_uri": "urn:x"}, "invalid_request"),
        ({"nonce": "n" * 513}, "invalid_request"),
    ],
)
def test_what_is_asked_for_is_checked_at_once(devices: Devices, change: dict[str, str], error: str) -> None:
    """As at the authorization endpoint: the device learns its mistake before anybody types anything."""
    answer = ask(devices.town, devices.screen, **{"scope": "openid", **change})
    assert (answer.status_code, answer.json["error"]) == (400, error)


def test_a_client_without_the_grant_has_no_devices(devices: Devices) -> None:
    """Per client: `grant_types`."""
    answer = ask(devices.town, devices.town.library, "openid")
    assert (answer.status_code, answer.json["error"]) == (400, "unauthorized_client")
    device = devices.begin()
    answer = devices.town.call("/token", devices.town.library, device.poll_form())
    assert answer.json["error"] == "unauthorized_client"


def test_no_profile_of_fapi_has_it(devices: Devices) -> None:
    """FAPI 2.0 §5.3: the resident's browser and the device are not tied to each other."""
    new = NewClient(
        "Bank",
        ("https://bank.example/cb",),
        grant_types=("authorization_code", DEVICE_GRANT),
        token_endpoint_auth_method="private_key_jwt",
        profile="fapi2",
        details=Details(jwks=jwks(key_for("ES256"))),
    )
    with pytest.raises(ClientRefused, match="device_code is not for clients of this profile"):
        devices.town.add_client(new)


def test_a_device_may_ask_for_a_safer_sign_in(devices: Devices) -> None:
    """The level is owed before anything is confirmed, as for every request."""
    device = devices.begin(devices.terminal, claims='{"id_token":{"acr":{"essential":true,"value":"phr"}}}')
    page = enter(devices.maria, device.user_code)
    assert page.request.path == "/authorize/level"
    page = devices.maria.follow(devices.maria.submit("/authorize/level", level="back"))
    assert "The device does not get in" in page.text
    assert device.error() == "access_denied"


def test_a_fresh_sign_in_is_had_when_the_device_asks_for_it(devices: Devices) -> None:
    """`max_age=0`: the session that there is does not count."""
    device = devices.begin(devices.terminal, max_age="0")
    browser = devices.town.browser()
    browser.sign_in(devices.town.maria)
    page = enter(browser, device.user_code)
    assert 'action="/login"' in page.text
    page = browser.follow(browser.sign_in(devices.town.maria))
    assert 'action="/device/confirm"' in page.text


def test_tokens_of_a_device_are_bound_to_its_key(proving: Proving) -> None:
    """RFC 9449 §5: for this grant as for others."""
    town, key, other = proving.town, key_for("ES256", "wallet"), key_for("ES256", "thief")
    partner = town.add_client(
        NewClient(
            "Kiosk",
            client_id="kiosk",
            token_endpoint_auth_method="none",
            grant_types=(DEVICE_GRANT, "refresh_token"),
            scopes=support.SCOPES,
            details=Details(dpop_bound_access_tokens=True),
        ),
        basis="public_task",
        required=("name",),
    )
    town.fresh()
    device, browser = begin(town, partner), town.browser()
    assert device.error() == "invalid_request"
    allow(browser, device)
    tokens = device.poll({"DPoP": dpop(key, now=proving.now)}).json
    assert tokens["token_type"] == "DPoP"

    def refreshed(with_key: Any) -> int:
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        return town.call(
            "/token", partner, form, headers={"DPoP": dpop(with_key, now=proving.now)}
        ).status_code

    assert (refreshed(other), refreshed(key)) == (400, 200)


def test_discovery_tells_of_it(devices: Devices) -> None:
    """RFC 8628 §4, RFC 8414 §2."""
    client = devices.town.app.test_client()
    told = client.get("/.well-known/openid-configuration", base_url=ISSUER).json
    assert told["device_authorization_endpoint"] == f"{ISSUER}/device_authorization"
    assert DEVICE_GRANT in told["grant_types_supported"]


def test_the_authorization_behind_it_is_no_code_of_a_redirect(devices: Devices) -> None:
    """Nothing that the browser ever sees can be redeemed: pages lead to pages of ours only."""
    device = devices.begin()
    enter(devices.maria, device.user_code)
    answer = devices.maria.submit("/device/confirm", decision="go")
    answer = devices.maria.get(answer.headers["Location"])
    assert answer.headers["Location"].startswith("/device/done?request=")
    assert set(parse_qs(urlsplit(answer.headers["Location"]).query)) == {"request", "run"}


# --- the code itself ---


@given(st.binary(min_size=32, max_size=32), st.sampled_from([" ", "-", ".", " - ", "\u2009", "\u2011"]))
def test_a_code_is_read_however_it_is_typed(mac: bytes, separator: str) -> None:
    """RFC 8628 §6.1: case and separators are of no matter; it has the letters it should."""
    code = rules.code_from(mac)
    assert (len(code), set(code) <= set(rules.ALPHABET)) == (rules.LENGTH, True)
    typed = separator.join(rules.shown(code).lower())
    assert rules.typed(typed if len(typed) <= 40 else rules.shown(code)) == code


@given(st.text(max_size=60))
def test_whatever_else_is_typed_is_no_code_and_breaks_nothing(text: str) -> None:
    """Only eight letters of the alphabet ever reach the database."""
    code = rules.typed(text)
    assert code is None or (len(code) == rules.LENGTH and set(code) <= set(rules.ALPHABET))
