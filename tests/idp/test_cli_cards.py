"""`denizen card`: a card on paper, and nothing of its secrets anywhere else."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from admin.cli import main
from idp.cli import TEMPLATE
from idp.login.cards import printing
from idp.login.cards.models import Card, PaperCode
from idp.login.models import BrowserSession
from idp.messaging.models import Message
from tests.idp.login.cards.conftest import issue
from tests.idp.recovery.steps import app_code, give_app
from tests.support.town import make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

    from idp.login.cards.service import Printed
    from tests.support.town import Town


@pytest.fixture
def town(database_url: str, tmp_path: Path) -> Iterator[Town]:
    """A town whose key and database the command finds by its settings, too."""
    made = make_town(database_url, tmp_path)
    made.clock.at = 2_000_000_000  # the command has the clock of this machine, which must not be ahead
    yield made
    made.context.database.close()


@pytest.fixture
def command(town: Town, database_url: str, tmp_path: Path) -> Any:
    """Runs `denizen card` beside the town."""
    config = tmp_path / "denizen.toml"
    text = TEMPLATE.format(
        issuer="http://localhost:8400",
        staff_url="http://localhost:8401",
        town="Riverton",
        contact="help@riverton.example",
        folder=tmp_path,
    )
    config.write_text(text.replace(f"sqlite:///{tmp_path}/denizen.sqlite", database_url))

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(config), "card", *words])

    return run


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[Printed]:
    """What went on paper: the command shows it to nobody, so it is noted on its way there."""
    kept: list[Printed] = []
    render = printing.card_pdf

    def note(one: Printed, *args: Any, **more: Any) -> bytes:
        kept.append(one)
        return render(one, *args, **more)

    monkeypatch.setattr(printing, "card_pdf", note)
    return kept


def live(town: Town) -> list[Card]:
    return [card for card in town.rows(Card) if card.revoked_at is None]


def test_a_card_is_printed_for_its_owner_and_shown_to_nobody(
    town: Town, command: Any, printed: list[Printed], tmp_path: Path
) -> None:
    """design/identity.md: the clerk never learns a secret; the file is its owner's alone to read."""
    out = tmp_path / "card.pdf"
    result = command("issue", "jun", "--out", str(out))
    assert result.exit_code == 0, result.output
    assert out.read_bytes().startswith(b"%PDF-")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    (one,) = printed
    listed = command("list").output + command("list", "--json").output
    for secret in (one.pin, one.number, *one.codes):
        assert secret not in result.output + listed
        assert not any(secret in row.pin_verifier for row in town.rows(Card))
        assert not any(secret in row.verifier for row in town.rows(PaperCode))
    assert one.number[-4:] in listed
    issued = json.loads(command("list", "--json").output)[0]["issued_at"]
    day = datetime.fromtimestamp(issued, UTC).date().isoformat()
    assert f"issued {day}  not used " in command("list").output
    assert [message.name for message in town.rows(Message)].count("card_issued") == 1


def test_two_cards_at_once_are_refused_and_a_replacement_ends_the_first(
    town: Town, command: Any, tmp_path: Path
) -> None:
    """One card that works for a resident; with the former one end its list and every session."""
    assert command("issue", "jun", "--out", str(tmp_path / "first.pdf")).exit_code == 0
    refused = command("issue", "jun", "--out", str(tmp_path / "second.pdf"))
    assert refused.exit_code == 1
    assert "--replace" in refused.stderr
    assert not (tmp_path / "second.pdf").exists(), "no PDF without its card"
    town.browser().sign_in(town.jun)
    (first,) = live(town)
    made = command("issue", "jun", "--replace", "--json", "--out", str(tmp_path / "third.pdf"))
    said = json.loads(made.stdout)
    assert said["resident"] == town.jun.resident_id
    (now_live,) = live(town)
    assert now_live.id == said["card"] != first.id
    assert all(session.ended_at is not None for session in town.rows(BrowserSession))


def test_a_card_is_revoked(town: Town, command: Any, tmp_path: Path) -> None:
    """A lost card opens nothing within the same transaction, and its owner is told."""
    command("issue", "--resident", town.jun.resident_id, "--out", str(tmp_path / "card.pdf"))
    (card,) = live(town)
    result = command("revoke", "jun@example.org")
    assert f"ends in {card.ending}" in result.stdout
    assert not live(town)
    assert [message.name for message in town.rows(Message)].count("card_revoked") == 1
    assert command("revoke", "jun").exit_code == 1
    assert json.loads(command("list", "--json").stdout) == []
    (listed,) = json.loads(command("list", "--all", "--json").stdout)
    assert listed["revoked_at"] is not None


def test_what_a_revoked_card_had_proved_is_worth_nothing(town: Town, command: Any, tmp_path: Path) -> None:
    """Whoever stands at the second factor with it stands there in vain."""
    holder, secret = issue(town, town.jun.resident_id), give_app(town, town.jun)
    browser = town.browser()
    assert "/login/totp" in holder.sign_in(browser).headers["Location"]
    browser.follow()
    assert command("revoke", "jun").exit_code == 0
    browser.submit("/login/totp", code=app_code(town, secret))
    assert town.rows(BrowserSession) == []


def test_bad_input_is_told_in_one_line_and_issues_nothing(town: Town, command: Any, tmp_path: Path) -> None:
    """Unknown people, no name, a file in the way: exit 1 or 2, and no card."""
    there = tmp_path / "there.pdf"
    there.write_text("mine")
    for words, said in (
        (("issue", "nobody", "--out", str(tmp_path / "a.pdf")), "There is no resident nobody"),
        (("issue", "--out", str(tmp_path / "a.pdf")), "Say whose card"),
        (("issue", "jun", "--resident", "x", "--out", str(tmp_path / "a.pdf")), "Say whose card"),
        (("issue", "jun", "--out", str(there)), "is there already"),
        (("issue", "jun", "--out", str(tmp_path / "absent" / "a.pdf")), "cannot be written"),
    ):
        result = command(*words)
        assert result.exit_code in (1, 2)
        assert said in result.stderr, words
    assert there.read_text() == "mine"
    assert not town.rows(Card)


def test_no_card_without_its_sheets(
    town: Town, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the PDF cannot be made, nothing is issued and no file is left."""
    from idp.paper import PaperProblem

    def fail(*_: Any, **__: Any) -> bytes:
        raise PaperProblem("no font has a letter that is needed")

    monkeypatch.setattr(printing, "card_pdf", fail)
    result = command("issue", "jun", "--out", str(tmp_path / "card.pdf"))
    assert result.exit_code == 1
    assert "No card was issued" in result.stderr
    assert not (tmp_path / "card.pdf").exists()
    assert not town.rows(Card)


def test_the_sheets_are_in_the_language_of_their_reader(
    town: Town, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resident's own language, unless another one is asked for."""
    asked: list[str] = []

    def note(*_: Any, language: str, **__: Any) -> bytes:
        asked.append(language)
        return b"%PDF-"

    monkeypatch.setattr(printing, "card_pdf", note)
    command("issue", "jun", "--out", str(tmp_path / "a.pdf"))
    command("issue", "maria", "--language", "fr", "--out", str(tmp_path / "b.pdf"))
    assert asked == ["en", "fr"]
    with town.context.database.reading() as session:
        assert len(session.execute(select(Card)).scalars().all()) == 2
