"""`denizen client`: a client on paper becomes a client that signs residents in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from admin.cli import main
from idp.cli import TEMPLATE
from idp.clients.models import ClientRow
from idp.schema import upgrade_database
from keys.envelope import create_key_file
from tests.support.town import make_town

if TYPE_CHECKING:
    from click.testing import Result

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "library.toml"


@pytest.fixture
def command(tmp_path: Path) -> Any:
    """Runs `denizen` on a migrated town of its own."""
    url = f"sqlite:///{tmp_path}/denizen.sqlite"
    upgrade_database(url)
    create_key_file(tmp_path / "denizen.key")
    config = tmp_path / "denizen.toml"
    text = TEMPLATE.format(
        issuer="http://localhost:8400",
        staff_url="http://localhost:8401",
        town="Riverton",
        contact="help@riverton.example",
        folder=tmp_path,
    )
    config.write_text(text)

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(config), *words])

    return run


def test_the_example_is_registered_and_its_secret_is_shown_once(command: Any) -> None:
    """docs/examples/library.toml is what a town copies, so it must work as it stands."""
    made = json.loads(command("client", "add", str(EXAMPLE), "--json").stdout)
    assert len(made["client_secret"]) == 43
    listed = command("client", "list").stdout
    assert made["client_id"] in listed
    assert made["client_secret"] not in listed
    assert made["client_secret"] not in command("client", "list", "--json").stdout


@pytest.mark.parametrize(
    ("right", "wrong", "named"),
    [
        ('basis = "consent"', 'basis = "because"', "purpose.0.basis"),
        ('basis = "consent"', 'basis = "public_task"', "optional claims rest on consent"),
        ('key = "account"', 'key = "Account 1"', "purpose.0.key"),
        ('required = ["name"]', 'required = ["na me"]', "no name of a claim"),
        ('partner = "Riverton Public Library"', "", "partner"),
        ("https://library.riverton.example/callback", "https://*.example/callback", "wildcards"),
        ('name = "Library account"', 'name = "Library account"\nis_admin = true', "is_admin"),
        ('partner = "Riverton', "partner = Riverton", "Invalid value"),
        ('name = "Library account"', f'name = "Library account"\nsector = "{"x" * 256}"', "sector"),
    ],
)
def test_a_mistake_in_the_file_is_named_and_nothing_is_registered(
    command: Any, tmp_path: Path, right: str, wrong: str, named: str
) -> None:
    """Bad input gets a clear error in the caller's words, and nothing is half-written."""
    assert right in EXAMPLE.read_text()
    path = tmp_path / "wrong.toml"
    path.write_text(EXAMPLE.read_text().replace(right, wrong))
    result = command("client", "add", str(path))
    assert result.exit_code == 1
    assert named in result.stderr
    assert command("client", "list").stdout == ""


def test_a_client_without_a_purpose_is_refused(command: Any, tmp_path: Path) -> None:
    """A client asks for claims only through purposes (design/consent)."""
    path = tmp_path / "bare.toml"
    path.write_text(EXAMPLE.read_text().partition("[[purpose]]")[0])
    result = command("client", "add", str(path))
    assert result.exit_code == 1
    assert "purpose" in result.stderr


def test_a_file_may_demand_levels_of_sign_in_and_the_operator_may_change_them(
    command: Any, tmp_path: Path
) -> None:
    """`minimum_acr` of the client and of one purpose; a level that there is not is refused."""
    from idp.cli import context_of
    from idp.clients.registry import ClientRegistry

    text = EXAMPLE.read_text(encoding="utf-8")
    demanding = tmp_path / "demanding.toml"
    demanding.write_text(
        text.replace("\n[[purpose]]\n", '\nminimum_acr = "strong"\n\n[[purpose]]\nminimum_acr = "phr"\n', 1),
        encoding="utf-8",
    )
    name = json.loads(command("client", "add", str(demanding), "--json").stdout)["client_id"]
    context = context_of(tmp_path / "denizen.toml")
    found = ClientRegistry(context.database).find(name)
    assert found is not None
    assert (found.minimum_acr, dict(found.purpose_acr)) == ("strong", {"account": "phr"})
    assert command("client", "minimum", name, "basic").exit_code == 0
    found = ClientRegistry(context.database).find(name)
    assert found is not None
    assert found.minimum_acr == "basic"
    assert command("client", "minimum", name, "strong", "--purpose", "account").exit_code == 0
    assert "no purpose other" in command("client", "minimum", name, "phr", "--purpose", "other").stderr
    found = ClientRegistry(context.database).find(name)
    assert found is not None
    assert (found.minimum_acr, dict(found.purpose_acr)) == ("basic", {"account": "strong"})
    assert command("client", "minimum", name, "gold").exit_code == 2
    assert command("client", "minimum", "nobody", "basic").exit_code == 1
    demanding.write_text(text.replace("\n[[purpose]]\n", '\nminimum_acr = "gold"\n\n[[purpose]]\n', 1))
    assert "minimum_acr" in command("client", "add", str(demanding)).stderr
    context.database.close()


def test_a_disabled_client_is_refused_within_a_second(database_url: str, tmp_path: Path) -> None:
    """K16: switching a client off kills what it holds."""
    from idp.clients.service import disable_client

    town = make_town(database_url, tmp_path)
    tokens = town.tokens(town.library, town.maria)
    with town.context.database.transaction() as session:
        assert disable_client(session, "library", now=int(town.clock()))
        assert not disable_client(session, "nobody", now=int(town.clock()))
    town.fresh()
    assert town.userinfo(tokens["access_token"]).status_code == 401
    assert [row.client_id for row in town.rows(ClientRow) if row.disabled_at] == ["library"]
    town.context.database.close()


def test_a_token_for_registering_is_shown_once_and_an_approved_client_gets_purposes(
    command: Any, tmp_path: Path
) -> None:
    """`denizen client token` and `approve`: what stands behind registration over HTTP."""
    from idp.clients.models import InitialToken
    from idp.clients.service import NewClient, add_partner, register_client
    from idp.db import Database

    made = command("client", "token", "Swimming Club", "--uses", "2", "--profile", "fapi2")
    assert made.exit_code == 0
    assert len(made.stdout.strip()) == 43
    assert "closed" in made.stderr
    database = Database(f"sqlite:///{tmp_path}/denizen.sqlite")
    with database.transaction() as session:
        kept = session.query(InitialToken).one()
        assert (kept.uses_left, kept.profile) == (2, "fapi2")
        new = NewClient("Pool", ("https://pool.example/cb",), client_id="pool")
        register_client(session, add_partner(session, "P", now=1), new, now=1, is_pending=True)
    listed = json.loads(command("client", "list", "--json").stdout)
    assert [(one["client_id"], one["pending"]) for one in listed] == [("pool", True)]
    assert command("client", "approve", "pool", "--purposes", str(EXAMPLE)).exit_code == 0
    again = command("client", "approve", "pool", "--purposes", str(EXAMPLE))
    assert (again.exit_code, "has one of these purposes already" in again.stderr) == (1, True)
    assert command("client", "approve", "nobody").exit_code == 1
    listed = json.loads(command("client", "list", "--json").stdout)
    assert listed[0]["pending"] is False
    with database.reading() as session:
        from consent.purposes import purposes_for_client

        assert [one.key for one in purposes_for_client(session, "pool")] == ["account"]
    database.close()


@pytest.mark.parametrize("partner", ["", " ", "x" * 121, "a\nb"], ids=["none", "space", "long", "line"])
def test_a_token_is_for_a_partner_whose_name_residents_can_read(
    command: Any, tmp_path: Path, partner: str
) -> None:
    """As in a manifest: it stands on their pages, and PostgreSQL keeps no more than 120 characters."""
    from idp.clients.models import InitialToken, Partner
    from idp.db import Database

    result = command("client", "token", partner)
    assert result.exit_code == 2
    assert "PARTNER must have 1 to 120 characters" in result.stderr
    database = Database(f"sqlite:///{tmp_path}/denizen.sqlite")
    with database.reading() as session:
        assert session.query(Partner).count() == session.query(InitialToken).count() == 0
    database.close()


def test_an_id_may_begin_with_a_dash(command: Any) -> None:
    """Ids are random: one in sixty-four begins with a dash, and is no option for that."""
    for words in (
        ("client", "minimum", "-_YN-cHd8ZVtQKA0", "basic"),
        ("client", "disable", "-cHd8"),
        ("keys", "retire", "-x"),
        ("client", "disable", "-pOszsfSEhlOtP6H8UDXYQ"),
    ):
        refused = command(*words)
        assert refused.exit_code == 1, refused.output
        assert words[2] in refused.output
