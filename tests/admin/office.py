"""A town's staff: the staff app on the town of `tests.support.town`, its people, and browsers without a screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyotp
from sqlalchemy import select, text

from admin.app import create_app
from admin.models import Staff
from admin.staff.service import add_staff
from idp.login.passwords import Passwords
from tests.support.town import STAFF, hidden_fields

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from idp.web.pages import WebApp
    from tests.support.town import Town

ROLES = ("clerk", "officer", "operator")
SESSION = "__Host-denizen-staff-session"
RESIDENT_SESSION = "__Host-denizen-session"
REASON = "access request 2026-114"


@dataclass(frozen=True)
class Member:
    """A member of staff who can sign in."""

    username: str
    password: str
    secret: str

    def code(self, at: float) -> str:
        """What the authenticator app shows at an instant."""
        return pyotp.TOTP(self.secret).at(int(at))


@dataclass
class Office:
    """The staff app, and one member of staff for each role, under the name of the role."""

    town: Town
    app: WebApp
    members: dict[str, Member]

    @property
    def officer(self) -> Member:
        return self.members["officer"]

    def desk(self, source: str = "192.0.2.7") -> Desk:
        """A fresh browser at the staff address."""
        return Desk(self, source)

    def signed_in(self, role: str) -> Desk:
        """A fresh browser in which that role is signed in; a step later, so that its code is a new one."""
        self.town.clock.advance(30)
        desk = self.desk()
        answer = desk.sign_in(self.members[role])
        assert answer.status_code == 303, answer.text
        return desk

    def add(self, username: str, role: str) -> Member:
        """Another member of staff."""
        member = add_member(self.town, username, role)
        self.members[username] = member
        return member

    def row(self, username: str) -> Staff:
        """The account as the database has it."""
        with self.town.context.database.reading() as session:
            return session.execute(select(Staff).where(Staff.username == username)).scalar_one()

    def change(self, username: str, **values: Any) -> None:
        """Change an account behind the app's back."""
        with self.town.context.database.transaction() as session:
            row = session.execute(select(Staff).where(Staff.username == username)).scalar_one()
            for name, value in values.items():
                setattr(row, name, value)

    def run(self, statement: str) -> None:
        """Run SQL behind the app's back."""
        with self.town.context.database.transaction() as session:
            session.execute(text(statement))


class Desk:
    """A browser at the staff address."""

    def __init__(self, office: Office, source: str) -> None:
        self.office = office
        self.http = office.app.test_client()
        self.http.environ_base["REMOTE_ADDR"] = source
        self.last: TestResponse | None = None

    def get(self, path: str, **more: Any) -> TestResponse:
        self.last = self.http.get(path, base_url=STAFF, **more)
        return self.last

    def post(self, path: str, data: dict[str, Any]) -> TestResponse:
        """A POST as it stands, without adding what a form would carry."""
        self.last = self.http.post(path, data=data, base_url=STAFF)
        return self.last

    def submit(self, path: str, **fields: Any) -> TestResponse:
        """Load the page with the form that posts to `path`, and send it with its hidden fields."""
        page = self.get("/" if path == "/logout" else path).text
        return self.post(path, {**hidden_fields(page, path), **fields})

    def submit_last(self, path: str, **fields: Any) -> TestResponse:
        """Send the form of the page shown last that posts to `path`, with its hidden fields."""
        assert self.last is not None
        return self.post(path, {**hidden_fields(self.last.text, path), **fields})

    def sign_in(self, member: Member, **change: str) -> TestResponse:
        """Sign in; `change` replaces what is typed."""
        typed = {
            "username": member.username,
            "password": member.password,
            "code": member.code(self.office.town.clock()),
        }
        return self.submit("/login", **{**typed, **change})

    def find(self, person: str, reason: str = REASON) -> TestResponse:
        """Search for a person."""
        return self.submit("/officer", person=person, reason=reason)

    def open(self, person: str, reason: str = REASON) -> str:
        """Search for a person; the address of their page."""
        answer = self.find(person, reason)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def cookie(self) -> str | None:
        """The value of the staff session's cookie."""
        found = self.http.get_cookie(SESSION, "staff.riverton.example")
        return None if found is None else found.value

    def take_cookie(self, value: str, name: str = SESSION) -> None:
        """Put a cookie into this browser."""
        self.http.set_cookie(name, value, domain="staff.riverton.example", secure=True)


def open_office(town: Town) -> Office:
    """The staff app of a town."""
    members = {role: add_member(town, role, role) for role in ROLES}
    return Office(town, create_app(town.context), members)


def add_member(town: Town, username: str, role: str) -> Member:
    """Make a staff account."""
    context = town.context
    passwords = Passwords(context.settings.passwords, context.vault.subkey("password-pepper"))
    password = f"{username} keeps nine grey stamps"
    with context.database.transaction() as session:
        secret = add_staff(
            session,
            context.vault,
            passwords,
            username=username,
            role=role,
            password=password,
            now=int(town.clock()),
        )
    return Member(username, password, secret)
