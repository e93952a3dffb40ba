"""K36: whatever stands in a path, a query or a form is a value, never a part of a statement, and never a mistake of ours."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from idp.accounts.models import Resident
from idp.clients.metadata import DEVICE_GRANT, NewClient
from idp.oidc.views.confirmations import PATH as CONFIRMATIONS
from idp.signals import events
from tests.admin.office import open_office
from tests.support.town import ISSUER, Partner, Proof, hidden_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from werkzeug.test import TestResponse

    from tests.support.town import Town

ROOT = Path(__file__).parents[2]
#: What upsets statements, paths, numbers and texts; a forged cursor, and limits that nobody means.
HOSTILE = (
    "' OR '1'='1",
    '"; DROP TABLE accounts_resident; --',
    "1) UNION SELECT username_index FROM accounts_resident --",
    "\x00",
    "%00%27",
    "-1",
    "1000000000",
    "9223372036854775808",
    "²³",
    "2026-02-31",
    "\ud7ff\uffff\U0001f600" * 9,
    "{{7*7}}${7*7}",
    "a" * 3000,
)
_READ = re.compile(r"""(?:args|form|values|data|cookies)(?:\.get|\.getlist|\.pop)?[(\[]\s*"(\w{1,40})\"""")
_NAMED = re.compile(r'name="(\w{1,40})"')
_NEVER = re.compile(r"sqlite3?\.|psycopg|sqlalchemy|Traceback|syntax error", re.IGNORECASE)
#: These end the session that the others are tried in.
_LEAVING = ("/logout", "/account/devices", "/account/close", "/account/password", "/recover", "/not-me")


@cache
def names() -> tuple[str, ...]:
    """Every name that any page of ours reads or sends, but that of the form token."""
    found: set[str] = set()
    for package in ("idp", "consent", "admin"):
        for path in (ROOT / package).rglob("*"):
            if path.suffix == ".py":
                found |= set(_READ.findall(path.read_text(encoding="utf-8")))
            elif path.suffix == ".html":
                found |= set(_NAMED.findall(path.read_text(encoding="utf-8")))
    assert {"before", "username", "client_id"} <= found
    return tuple(sorted(found - {"csrf_token"}))


def places(app: Flask, method: str) -> Iterator[str]:
    """The rules of an app, but for files and for what would end the session."""
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or ()) and "static" not in rule.rule:
            yield rule.rule


def filled(rule: str, value: str) -> str:
    return re.sub(r"<[^>]+>", quote(value, safe=""), rule)


def fine(answer: TestResponse, place: str, value: str) -> None:
    """An answer of any kind, but no failure, and nothing of the database in it."""
    assert answer.status_code < 500, (place, value[:40], answer.status_code)
    assert not _NEVER.search(answer.text), (place, value[:40])


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_no_value_on_a_residents_page_is_taken_for_anything_else(town: Town, value: str) -> None:
    """By address, query and form, signed in: every page of the residents' app and every endpoint for partners."""
    browser = town.browser()
    browser.sign_in(town.maria)
    everything = dict.fromkeys(names(), value)
    for rule in places(town.app, "GET"):
        if not rule.startswith(_LEAVING):
            fine(browser.get(filled(rule, value), query_string=everything), rule, value)
    assert browser.get("/account").status_code == 200, (
        "signed out, so that nothing of what follows would be looked at"
    )
    token = hidden_fields(browser.get("/login").text, "/login")["csrf_token"]
    for rule in places(town.app, "POST"):
        if not rule.startswith(_LEAVING):
            form: dict[str, Any] = {**everything, "csrf_token": token}
            fine(browser.post(filled(rule, value), form), rule, value)
    assert len(town.rows(Resident)) == len({one.id for one in town.rows(Resident)}) > 1


def asked_by_partners(town: Town) -> Iterator[tuple[str, Partner, dict[str, str]]]:
    """What partners send, as it would be answered: the endpoint, who asks, the form."""
    proof, library = Proof(), town.library
    tokens = town.tokens(library, town.maria, "openid profile offline_access")
    code = {"redirect_uri": library.redirect_uri, "code_verifier": proof.verifier}
    more = {"resource": ISSUER, "authorization_details": '[{"type": "x"}]', "scope": "openid"}
    yield "/token", library, {"grant_type": "authorization_code", "code": "x" * 43, **code, **more}
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "scope": "openid"}
    yield "/token", library, refresh
    yield "/token", library, {**refresh, "resource": ISSUER}
    yield "/token", library, {**refresh, "authorization_details": "[]"}
    yield "/token", town.service, {"grant_type": "client_credentials", "resource": ISSUER}
    yield "/token", town.service, {"grant_type": "client_credentials", "scope": "reports:write"}
    device = Partner("kiosk", None, "none", "")
    yield "/token", device, {"grant_type": DEVICE_GRANT, "device_code": "x" * 43, "resource": ISSUER}
    optional = dict.fromkeys(
        ("login_hint", "id_token_hint", "acr_values", "ui_locales", "claims_locales", "display", "dpop_jkt"),
        "",
    )
    request = {
        **library.request("openid", proof),
        "response_mode": "query",
        "prompt": "login",
        "max_age": "1",
    }
    request |= {"claims": "{}", "resource": ISSUER, "authorization_details": "", **optional}
    yield "/par", library, {**request, "request": ""}
    yield "/device_authorization", device, {name: request[name] for name in ("scope", "nonce", *optional)}
    yield "/device_authorization", device, {"scope": "openid", "claims": "{}", "max_age": "1"}
    for path in ("/introspect", "/revoke"):
        yield path, library, {"token": "x" * 43, "token_type_hint": "access_token"}
    yield "/consent/requests", library, {"purpose": "main", "sub": "x"}
    yield "/consent/decisions", library, {"purpose": "main", "sub": "x"}
    yield "/consent/decisions", library, {"purpose": "main", "subs": "x y"}
    for outcome, reason in (("deleted", ""), ("kept_by_law", "Art. 5, until 2030")):
        yield CONFIRMATIONS, library, {"txn": told_of(town), "outcome": outcome, "reason": reason}


def told_of(town: Town) -> str:
    """Something that the library was told about Maria."""
    details = {"purposes": ["main"], "claims": ["name"], "partial": False}
    with town.context.database.transaction() as session:
        return events.tell(
            session,
            event="consent-withdrawn",
            client_id="library",
            resident_id=town.maria.resident_id,
            details=details,
            confirm_within=1000,
            now=int(town.clock()),
        )


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_no_value_that_a_partner_sends_is_taken_for_anything_else(town: Town, value: str) -> None:
    """Of partners who proved who they are, one field at a time, so that all others lead there; and where they sign in."""
    kiosk = NewClient(
        "Kiosk", client_id="kiosk", token_endpoint_auth_method="none", grant_types=(DEVICE_GRANT,)
    )
    town.add_client(kiosk, basis=None)
    town.fresh()
    for path, partner, form in asked_by_partners(town):
        for name in form:
            fine(town.call(path, partner, {**form, name: value}), f"{path} {name}", value)
        fine(town.call(path, Partner(value, value, partner.method, ""), form), path, value)
    for method in ("GET", "PUT", "DELETE"):
        answer = town.app.test_client().open(
            f"/register/{quote(value, safe='')}",
            method=method,
            headers={"Authorization": "Bearer x"},
            json={"client_id": value},
            base_url=ISSUER,
        )
        fine(answer, f"{method} /register", value)


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_no_value_in_a_request_for_a_sign_in_is_taken_for_anything_else(town: Town, value: str) -> None:
    """One field at a time, at once and by way of the pages; and where somebody signs out."""
    browser, proof = town.browser(), Proof()
    browser.code(town.library, town.maria, "openid profile", proof)
    request = {**town.library.request("openid", proof), "resource": ISSUER, "claims": "{}"}
    others = ("login_hint", "id_token_hint", "acr_values", "ui_locales", "display", "prompt", "max_age")
    for name in (*request, *others, "response_mode", "dpop_jkt", "authorization_details", "request_uri"):
        place = f"/authorize {name}"
        fine(browser.get("/authorize", query_string={**request, name: value}), place, value)
        asked = {**request, "prompt": "login", name: value}
        fine(browser.follow(browser.get("/authorize", query_string=asked)), place, value)
    for name in ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"):
        asked = {"client_id": "library", "post_logout_redirect_uri": "https://rp.example/bye", name: value}
        fine(town.browser().get("/logout", query_string=asked), f"/logout {name}", value)


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_no_value_on_a_page_of_staff_is_taken_for_anything_else(town: Town, value: str) -> None:
    """The officer's search, exports and queues have most of the fields there are."""
    office = open_office(town)
    desk = office.signed_in("officer")
    everything = dict.fromkeys(names(), value)
    for rule in places(office.app, "GET"):
        fine(desk.get(filled(rule, value), query_string=everything), rule, value)
    token = hidden_fields(desk.get("/login").text, "/login")["csrf_token"]
    for rule in places(office.app, "POST"):
        if not rule.startswith(_LEAVING):
            fine(desk.post(filled(rule, value), {**everything, "csrf_token": token}), rule, value)
