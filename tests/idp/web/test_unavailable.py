"""A database that cannot be used now: 503 and when to come again, nothing half-written, and healing by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from idp.login.models import BrowserSession
from idp.messaging.models import Message
from idp.oidc.models import AccessToken, Authorization
from idp.signup.models import SignUpLink
from tests.support.faults import ALL_FAILS, WRITES_FAIL, fault, restart
from tests.support.town import Proof, code_of, hidden_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from tests.support.town import Browser, Town


class Visit:
    """A resident and a partner in the middle of everything, with what they need for their next step."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.tokens = town.tokens(town.library, town.maria, "openid profile offline_access")
        self.browser: Browser = town.browser()
        self.proof = Proof()
        self.code = self.browser.code(town.library, town.maria, "openid profile offline_access", self.proof)
        self.token = hidden_fields(self.browser.get("/login").text, "/login")["csrf_token"]

    def post(self, path: str, **fields: str) -> TestResponse:
        return self.browser.post(path, {"csrf_token": self.token, **fields})

    def writes(self) -> dict[str, Callable[[], TestResponse]]:
        """Requests that cannot be answered without a write, by name; a sign-in ends the session of the code."""
        town, maria = self.town, self.town.maria
        return {
            "code": lambda: town.redeem(town.library, self.code, self.proof),
            "sign in": lambda: self.post("/login", username="maria", password=maria.password),
            "sign up": lambda: self.post("/signup", email="new@example.org"),
            "authorize": lambda: self.browser.authorize(town.library, "openid profile", Proof()),
            "begin": lambda: town.browser().authorize(town.library, "openid profile", Proof()),
            "refresh": lambda: town.refresh(town.library, self.tokens["refresh_token"]),
            "client credentials": lambda: town.call(
                "/token", town.service, {"grant_type": "client_credentials", "scope": "reports:write"}
            ),
            "first userinfo": lambda: town.userinfo(self.tokens["access_token"]),
            "revoke": lambda: town.call("/revoke", town.library, {"token": self.tokens["access_token"]}),
        }

    def reads(self) -> dict[str, Callable[[], TestResponse]]:
        """Requests that look into the database, by name."""
        return {
            "account": lambda: self.browser.get("/account"),
            "privacy": lambda: self.browser.get("/privacy"),
            "introspect": lambda: self.town.introspect(self.town.library, self.tokens["access_token"]),
            "link": lambda: self.browser.get(f"/signup/confirm?token={'A' * 43}"),
            "health": lambda: self.browser.get("/health"),
        }


def assert_unavailable(name: str, answer: TestResponse) -> None:
    """503 with Retry-After, in the form that the caller reads, and a reference instead of detail."""
    assert answer.status_code == 503, (name, answer.status_code, answer.text[:300])
    assert int(answer.headers["Retry-After"]) > 0, name
    assert "Reference" in answer.text, name
    assert not any(word in answer.text for word in ("Traceback", "sqlite3", "psycopg", "SELECT")), name
    if answer.is_json:
        assert answer.json["error"] == "temporarily_unavailable", name
    else:
        assert "try again" in answer.text.lower(), name


def rows(town: Town) -> list[Any]:
    """Everything that the requests above could have left behind."""
    models = (BrowserSession, SignUpLink, Message, AccessToken, Authorization)
    columns = [(model, [column.name for column in model.__table__.columns]) for model in models]
    return [
        sorted(repr([getattr(row, name) for name in names]) for row in town.rows(model))
        for model, names in columns
    ]


@pytest.mark.parametrize(("database_url", "name"), WRITES_FAIL, indirect=["database_url"])
def test_when_nothing_can_be_written_reads_go_on_and_writes_are_refused_whole(
    town_both_ways: Town, name: str
) -> None:
    """F04: 503 for what must be written; nothing of it stands; afterwards the very same requests succeed."""
    town = town_both_ways
    visit = Visit(town)
    before = rows(town)
    with fault(town.context.database, name):
        for what, send in visit.writes().items():
            assert_unavailable(what, send())
        for what, read in visit.reads().items():
            assert read().status_code == (410 if what == "link" else 200), what
    assert rows(town) == before
    for what, send in visit.writes().items():
        assert send().status_code in (200, 303), what


@pytest.mark.parametrize(("database_url", "name"), ALL_FAILS, indirect=["database_url"])
def test_when_the_database_is_gone_every_request_says_so_and_it_heals(
    town_both_ways: Town, name: str
) -> None:
    """F06: only 503, no 500; once the database is back no restart is needed."""
    town = town_both_ways
    visit = Visit(town)
    before = rows(town)
    everything = {**visit.reads(), **visit.writes()}
    with fault(town.context.database, name):
        for what, send in everything.items():
            assert_unavailable(what, send())
        for path in ("/login", "/help", "/signup", "/accessibility"):
            assert town.app.test_client().get(path, base_url="https://id.riverton.example").status_code == 200
    assert rows(town) == before
    for what, send in everything.items():
        assert send().status_code == (410 if what == "link" else 200) or what in visit.writes(), what


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_full_disk_keeps_each_sign_up_whole_or_not_at_all(town: Town) -> None:
    """F04: what was acknowledged is there, what was refused is not; with room again it goes on."""
    browser = town.browser()
    token = hidden_fields(browser.get("/signup").text, "/signup")["csrf_token"]
    sent = []

    def sign_up() -> int:
        browser.http.environ_base["REMOTE_ADDR"] = f"192.0.2.{len(sent) % 250}"
        fields = {"csrf_token": token, "email": f"resident{len(sent)}@example.org"}
        answer = browser.post("/signup", fields)
        sent.append(answer.status_code)
        if answer.status_code != 200:
            assert_unavailable("sign up", answer)
        return answer.status_code

    with fault(town.context.database, "full"):
        while sent[-3:] != [503] * 3:
            sign_up()
            assert len(sent) < 200
        assert browser.get("/health").status_code == 200
    assert sign_up() == 200
    assert len(town.rows(SignUpLink)) == len(town.rows(Message)) == sent.count(200)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_after_a_restart_of_the_server_connections_heal(town_both_ways: Town) -> None:
    """F06: reads go on at once; a write is refused once per connection at most, never half done, never a 500."""
    town = town_both_ways
    visit = Visit(town)
    for what, send in {**visit.reads(), **visit.writes()}.items():
        restart(town.context.database)
        answer = send()
        if answer.status_code == 503:
            assert what in visit.writes(), what
            assert_unavailable(what, answer)
            answer = send()
        assert answer.status_code in (200, 303, 410), (what, answer.text)
    assert code_of(visit.browser.authorize(town.library, "openid profile", Proof()))
