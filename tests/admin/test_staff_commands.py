"""`denizen staff`: accounts are made, listed, reset and switched off on the machine itself."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from admin.cli import main
from admin.staff.service import StaffRefused
from tests.admin.office import Member, add_member

if TYPE_CHECKING:
    from pathlib import Path

    from tests.admin.office import Office

PASSWORD = "seven quiet lanterns glow"


@pytest.fixture
def config(office: Office, database_url: str, tmp_path: Path) -> Path:
    """A settings file for the office's own database."""
    path = tmp_path / "denizen.toml"
    server = office.town.settings.server
    path.write_text(
        f'[server]\nissuer = "{server.issuer}"\nstaff_url = "{server.staff_url}"\n'
        f'[town]\nname = "Riverton"\ncontact_email = "help@riverton.example"\n'
        f'[database]\nurl = "{database_url}"\n[keys]\nfile = "{tmp_path}/denizen.key"\n',
        encoding="utf-8",
    )
    return path


def staff(config: Path, *arguments: str, typed: str = "") -> Result:
    """Run `denizen staff …`."""
    return CliRunner().invoke(main, ["--config", str(config), "staff", *arguments], input=typed)


def printed(result: Result, name: str) -> str:
    """A value that the command printed."""
    assert result.exit_code == 0, result.output
    return re.findall(rf"^{name}:\s+(\S+)$", result.output, re.MULTILINE)[0]


def test_a_new_account_can_sign_in_with_what_is_printed(office: Office, config: Path) -> None:
    """The password and the secret are shown once, and they work."""
    result = staff(config, "add", "Kim", "--role", "officer", "--generate")
    member = Member("kim", printed(result, "Password"), printed(result, "Code secret"))
    assert printed(result, "User name") == "kim"
    link = urlsplit(printed(result, "As a link"))
    assert link.scheme == "otpauth"
    assert parse_qs(link.query) == {"secret": [member.secret], "issuer": ["Riverton staff"]}
    desk = office.desk()
    assert desk.sign_in(member).status_code == 303
    assert desk.get("/officer").status_code == 200


def test_a_typed_password_is_never_printed(office: Office, config: Path) -> None:
    """Asked for twice, and not echoed."""
    result = staff(config, "add", "kim", "--role", "clerk", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    member = Member("kim", PASSWORD, printed(result, "Code secret"))
    assert office.desk().sign_in(member).status_code == 303


@pytest.mark.parametrize("password", ["short", "a" * 20, "riverton denizen", "x" * 257])
def test_a_weak_password_is_refused(config: Path, password: str) -> None:
    """The same rules as for residents; nothing is made."""
    result = staff(config, "add", "kim", "--role", "clerk", typed=f"{password}\n{password}\n")
    assert result.exit_code == 1
    assert "Error: The password" in result.output
    assert "kim" not in staff(config, "list").output


@pytest.mark.parametrize("name", ["officer", "OFFICER", "no", "two words", "ｏｆｆｉｃｅｒ"])
def test_a_name_that_is_taken_or_badly_formed_is_refused(config: Path, name: str) -> None:
    """One account a name, in plain letters (K24)."""
    result = staff(config, "add", name, "--role", "clerk", "--generate")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")


def test_an_unknown_role_is_refused(office: Office, config: Path) -> None:
    """By the command, and by the service that others call."""
    assert staff(config, "add", "kim", "--role", "mayor", "--generate").exit_code == 2
    with pytest.raises(StaffRefused, match="role"):
        add_member(office.town, "kim", "mayor")


def test_accounts_are_listed(config: Path) -> None:
    """For people and for scripts; nothing secret in either."""
    staff(config, "disable", "clerk")
    lines = [line.split() for line in staff(config, "list").output.splitlines()]
    assert [(line[0], line[1], line[3]) for line in lines] == [
        ("clerk", "disabled", "clerk"),
        ("officer", "active", "officer"),
        ("operator", "active", "operator"),
    ]
    found: list[dict[str, Any]] = json.loads(staff(config, "list", "--json").output)
    assert [one["username"] for one in found] == ["clerk", "officer", "operator"]
    assert set(found[0]) == {"username", "role", "created_at", "disabled_at"}


def test_a_disabled_account_is_out(office: Office, config: Path) -> None:
    """At once, in the session that is open, and for good."""
    desk = office.signed_in("officer")
    assert staff(config, "disable", "officer").exit_code == 0
    assert desk.get("/").headers["Location"] == "/login"
    office.town.clock.advance(30)
    assert office.desk().sign_in(office.officer).status_code == 422
    assert staff(config, "disable", "officer").exit_code == 1
    assert staff(config, "reset", "officer", "--generate").exit_code == 1


def test_a_reset_ends_what_was(office: Office, config: Path) -> None:
    """A lost phone: new password, new secret, every session ended."""
    desk = office.signed_in("officer")
    result = staff(config, "reset", "officer", "--generate")
    member = Member("officer", printed(result, "Password"), printed(result, "Code secret"))
    assert desk.get("/").headers["Location"] == "/login"
    office.town.clock.advance(30)
    assert office.desk().sign_in(office.officer).status_code == 422
    assert office.desk().sign_in(member).status_code == 303
    assert staff(config, "reset", "nobody", "--generate").exit_code == 1


def test_changes_of_staff_stand_in_the_log(office: Office, config: Path) -> None:
    """Whoever makes themselves an officer leaves a trace that cannot be removed quietly."""
    from sqlalchemy import text

    staff(config, "add", "kim", "--role", "officer", "--generate")
    staff(config, "reset", "kim", "--generate")
    staff(config, "disable", "kim")
    with office.town.context.database.reading() as session:
        found = session.execute(text("SELECT kind FROM consent_act WHERE kind LIKE 'staff%' ORDER BY id"))
        assert [row.kind for row in found][-3:] == ["staff_added", "staff_reset", "staff_disabled"]
