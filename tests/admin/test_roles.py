"""Every page of the staff app opens for its roles and for nobody else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from admin.staff.current import OPEN_ENDPOINTS, check_every_view, for_everyone, for_roles
from tests.admin.office import ROLES
from tests.support.town import hidden_fields

if TYPE_CHECKING:
    from werkzeug.routing import Rule

    from tests.admin.office import Desk, Office

EVERYBODY = frozenset(ROLES)
#: Who may do what, written down once more on purpose: a change of a decorator must show here.
MATRIX: dict[tuple[str, str], frozenset[str] | None] = {
    ("GET", "/"): EVERYBODY,
    ("GET", "/login"): None,
    ("POST", "/login"): None,
    ("POST", "/logout"): EVERYBODY,
    ("GET", "/officer"): frozenset({"officer"}),
    ("POST", "/officer"): frozenset({"officer"}),
    ("GET", "/officer/people/<reference>"): frozenset({"officer"}),
    ("GET", "/officer/people/<reference>/timeline"): frozenset({"officer"}),
    ("GET", "/officer/people/<reference>/as-of"): frozenset({"officer"}),
    ("GET", "/officer/people/<reference>/page"): frozenset({"officer"}),
    ("POST", "/officer/people/<reference>/export"): frozenset({"officer"}),
    ("GET", "/officer/records"): frozenset({"officer"}),
    ("GET", "/officer/record"): frozenset({"officer"}),
    ("POST", "/officer/record"): frozenset({"officer"}),
    ("GET", "/officer/export"): frozenset({"officer"}),
    ("POST", "/officer/export"): frozenset({"officer"}),
    ("GET", "/officer/exports"): frozenset({"officer"}),
    ("GET", "/officer/exports/signature"): frozenset({"officer"}),
    ("GET", "/officer/proof"): frozenset({"officer"}),
    ("GET", "/officer/integrity"): frozenset({"officer"}),
    ("POST", "/officer/integrity"): frozenset({"officer"}),
    ("GET", "/officer/mine"): frozenset({"officer"}),
    ("GET", "/officer/figures"): frozenset({"officer"}),
    ("GET", "/officer/over-asking"): frozenset({"officer"}),
    ("GET", "/officer/register"): frozenset({"officer"}),
    ("GET", "/officer/register.csv"): frozenset({"officer"}),
    ("GET", "/officer/incidents"): frozenset({"officer"}),
    ("POST", "/officer/incidents"): frozenset({"officer"}),
    ("GET", "/officer/incident"): frozenset({"officer"}),
    ("POST", "/officer/incident"): frozenset({"officer"}),
    ("GET", "/requests"): frozenset({"officer"}),
    ("GET", "/requests/<request_id>"): frozenset({"officer"}),
    ("POST", "/requests/<request_id>"): frozenset({"officer"}),
    ("POST", "/requests/<request_id>/open"): frozenset({"officer"}),
    ("GET", "/confirmations"): frozenset({"officer"}),
    ("POST", "/confirmations/<matter_id>/remind"): frozenset({"officer"}),
    ("POST", "/confirmations/<matter_id>/close"): frozenset({"officer"}),
    ("GET", "/notices"): frozenset({"officer"}),
    ("POST", "/notices/purposes/<purpose_id>/draft"): frozenset({"officer"}),
    ("GET", "/notices/purposes/<purpose_id>/end"): frozenset({"officer"}),
    ("POST", "/notices/purposes/<purpose_id>/end"): frozenset({"officer"}),
    ("GET", "/notices/drafts/<draft_id>"): frozenset({"officer"}),
    ("POST", "/notices/drafts/<draft_id>"): frozenset({"officer"}),
    ("GET", "/notices/drafts/<draft_id>/page"): frozenset({"officer"}),
    ("POST", "/notices/drafts/<draft_id>/page"): frozenset({"officer"}),
    ("POST", "/notices/drafts/<draft_id>/send-back"): frozenset({"officer"}),
    ("POST", "/notices/drafts/<draft_id>/discard"): frozenset({"officer"}),
    ("POST", "/notices/drafts/<draft_id>/publish"): frozenset({"officer"}),
}


def pages(office: Office) -> list[tuple[str, Rule]]:
    """Every method and rule of the app but its own files."""
    rules = [rule for rule in office.app.url_map.iter_rules() if rule.endpoint not in OPEN_ENDPOINTS]
    return [
        (method, rule) for rule in rules for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def call(desk: Desk, method: str, rule: Rule) -> int:
    """Use a page as a browser would that has one of our pages open."""
    path = re.sub(r"<\w+>", "A" * 22, rule.rule)
    if method == "GET":
        return desk.get(path).status_code
    token = hidden_fields(desk.get("/login").text, "/login")["csrf_token"]
    return desk.post(path, {"csrf_token": token}).status_code


def test_the_matrix_names_every_page(office: Office) -> None:
    """A new page is not reachable before somebody wrote down who it is for."""
    assert {(method, rule.rule) for method, rule in pages(office)} == set(MATRIX)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_its_pages_and_no_other(office: Office, role: str) -> None:
    """K35: every route of the URL map for every role; 403 outside the matrix."""
    desk = office.signed_in(role)
    for method, rule in sorted(pages(office), key=lambda page: page[1].rule == "/logout"):
        allowed = MATRIX[method, rule.rule]
        status = call(desk, method, rule)
        if allowed is None or role in allowed:
            assert status in (200, 303, 404, 422), (method, rule.rule, status)
        else:
            assert status == 403, (method, rule.rule, status)


def test_signed_out_every_page_leads_to_the_sign_in(office: Office) -> None:
    """K35: without a session there is the sign-in page and nothing else."""
    for method, rule in pages(office):
        desk = office.desk()
        status = call(desk, method, rule)
        if MATRIX[method, rule.rule] is None:
            assert status in (200, 422)
        else:
            assert desk.last is not None
            assert (status, desk.last.headers["Location"]) == (303, "/login"), (method, rule.rule)


def test_a_lost_role_is_lost_at_the_next_request(office: Office) -> None:
    """K35: demotion bites at once, though the session goes on."""
    desk = office.signed_in("officer")
    assert desk.get("/officer").status_code == 200
    office.change("officer", role="clerk")
    assert desk.get("/officer").status_code == 403
    assert "Find a person" not in desk.get("/").text


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH"])
def test_other_methods_open_nothing(office: Office, method: str) -> None:
    """K34, K35: a clerk gets no further with another method, nor with a header that names one."""
    desk = office.signed_in("clerk")
    answer = desk.http.open("/officer", method=method, base_url="https://staff.riverton.example")
    assert answer.status_code in (403, 405)
    override = {"X-HTTP-Method-Override": method}
    assert desk.get("/officer", headers=override).status_code == 403


def test_an_app_with_an_unmarked_page_does_not_start() -> None:
    """A view that forgets to name its roles is a mistake that shows at once."""
    app = Flask("unmarked", static_folder=None)
    app.add_url_rule("/fine", view_func=for_everyone(lambda: ""), endpoint="fine")
    app.add_url_rule("/limited", view_func=for_roles("clerk")(lambda _: ""), endpoint="limited")
    check_every_view(app)
    app.add_url_rule("/open", view_func=lambda: "", endpoint="open")
    with pytest.raises(RuntimeError, match="open"):
        check_every_view(app)


def test_mistakes_show_in_the_staff_layout(office: Office) -> None:
    """An error page of the staff app has no links into the residents' app."""
    for answer in (office.signed_in("officer").get("/nothing"), office.signed_in("clerk").get("/officer")):
        assert "For staff of the town only" in answer.text
        assert 'href="/help"' not in answer.text
        assert 'href="/privacy"' not in answer.text
