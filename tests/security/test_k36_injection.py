"""K36: whatever stands in a path, a query or a form is a value, never a part of a statement, and never a mistake of ours."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from idp.accounts.models import Resident
from tests.admin.office import open_office
from tests.support.town import hidden_fields

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
    token = hidden_fields(browser.get("/login").text, "/login")["csrf_token"]
    for rule in places(town.app, "POST"):
        if not rule.startswith(_LEAVING):
            form: dict[str, Any] = {**everything, "csrf_token": token}
            fine(browser.post(filled(rule, value), form), rule, value)
    assert len(town.rows(Resident)) == len({one.id for one in town.rows(Resident)}) > 1


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
