"""`denizen receipt`: anybody checks a receipt, on a machine that has nothing of ours but the program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from admin.cli import main
from tests.support.receipts import keep_of_a_town

if TYPE_CHECKING:
    from collections.abc import Callable

DENIZEN = Path(sys.executable).with_name("denizen")


@pytest.fixture(scope="module")
def kept(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a resident has kept: receipt.json, receipt.jwt, keys.json, log.vkey; the town is gone."""
    return keep_of_a_town(sqlite_template, tmp_path_factory.mktemp("town"), tmp_path_factory.mktemp("kept"))


@pytest.fixture
def receipt(kept: Path) -> Callable[..., tuple[int, str]]:
    """Runs `denizen receipt verify` on a file of the folder; exit code, and what is said."""

    def run(file: str, *options: str) -> tuple[int, str]:
        found = [str(kept / one) if (kept / one).exists() else one for one in options]
        done = CliRunner().invoke(main, ["receipt", "verify", str(kept / file), *found])
        return done.exit_code, done.output

    return run


@pytest.mark.parametrize("file", ["receipt.json", "receipt.jwt"])
def test_a_receipt_that_holds_is_told_in_plain_words(receipt: Callable[..., Any], file: str) -> None:
    """Exit 0, every question answered."""
    code, said = receipt(file, "--jwks", "keys.json")
    assert code == 0, said
    for part in ("Riverton Public Library", "✓ The town signed it", "in the log: entry", "can be believed."):
        assert part in said
    assert "✗" not in said
    assert "?" not in said


def test_scripts_get_json(receipt: Callable[..., Any]) -> None:
    """The same answers, each with its name."""
    code, said = receipt("receipt.jwt", "--jwks", "keys.json", "--json")
    found = json.loads(said)
    assert (code, found["good"]) == (0, True)
    assert {one["state"] for one in found["checks"]} == {"holds"}
    assert found["facts"]["event"] == "given"


def test_the_key_of_the_log_may_come_by_itself(receipt: Callable[..., Any], kept: Path) -> None:
    """As a file of lines, or as one line; without it the place in the log is not checked, and that is said."""
    code, said = receipt("receipt.jwt", "--jwks", "bare.json")
    assert code == 0
    assert "its place was not checked" in said
    for vkey in ("log.vkey", (kept / "log.vkey").read_text().splitlines()[0]):
        code, said = receipt("receipt.jwt", "--jwks", "bare.json", "--vkey", vkey)
        assert "in the log: entry" in said, said
        assert code == 0


def test_witnesses_may_be_asked_for(receipt: Callable[..., Any], kept: Path) -> None:
    """A policy that nobody meets is no yes."""
    vkey = (kept / "log.vkey").read_text().splitlines()[0]
    (kept / "lenient").write_text(f"log {vkey}\nquorum none\n")
    (kept / "strict").write_text(f"log {vkey}\ngroup all any\nquorum all\n")
    assert receipt("receipt.jwt", "--jwks", "keys.json", "--policy", "lenient")[0] == 0
    assert receipt("receipt.jwt", "--jwks", "keys.json", "--policy", "strict")[0] == 1


def test_without_keys_there_is_no_yes(receipt: Callable[..., Any]) -> None:
    """Exit 1: nobody knows who signed it."""
    code, said = receipt("receipt.jwt")
    assert code == 1
    assert "nobody knows who signed it" in said
    assert "can NOT be believed" in said


def test_a_changed_receipt_is_told_with_the_place(receipt: Callable[..., Any], kept: Path) -> None:
    """The value that was changed in the file is named."""
    found = json.loads((kept / "receipt.json").read_bytes())
    found["receipt"]["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"]["dct:type"] = "refused"
    (kept / "changed.json").write_text(json.dumps(found))
    code, said = receipt("changed.json", "--jwks", "keys.json")
    assert code == 1
    assert "dpv:hasRecordOfActivity/dpv:hasConsentStatus/dct:type" in said


@pytest.mark.parametrize(
    ("content", "options", "why"),
    [
        (b"", [], "nothing in it"),
        (b"%PDF-1.7\xff", [], "Give the .jwt or .json file"),
        (b"a.b.c", ["--jwks", "receipt.json"], "no key set"),
        (b"a.b.c", ["--vkey", "nonsense"], "key of the log cannot be used"),
        (b"a.b.c", ["--policy", "receipt.json"], "policy cannot be used"),
        (b"a.b.c", ["--jwks", "keys.json"], "base64url"),
        (b'{"jws": "x", "jws": "x", "receipt": {}}', [], "twice"),
    ],
)
def test_bad_input_is_told_in_a_sentence(
    receipt: Callable[..., Any], kept: Path, content: bytes, options: list[str], why: str
) -> None:
    """Exit 1 and a reason, for people and for scripts."""
    (kept / "bad").write_bytes(content)
    for more in ([], ["--json"]):
        code, said = receipt("bad", *options, *more)
        assert code == 1
        assert why in said
        assert "Traceback" not in said


def test_it_runs_where_there_is_no_town(kept: Path, tmp_path: Path) -> None:
    """No settings, no key file, no database, no network: another machine."""
    command = [DENIZEN, "receipt", "verify", kept / "receipt.json", "--jwks", kept / "keys.json"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert not list(tmp_path.iterdir())


def test_the_page_is_written_with_all_it_needs(tmp_path: Path) -> None:
    """Three files, none of which names another place; in a language of the town, and in no other."""
    folder = tmp_path / "page"
    done = CliRunner().invoke(main, ["receipt", "page", str(folder)])
    assert done.exit_code == 0, done.output
    assert sorted(one.name for one in folder.iterdir()) == [
        "receipt-check.css",
        "receipt-check.html",
        "receipt-check.js",
    ]
    page = (folder / "receipt-check.html").read_text()
    assert "://" not in page
    french = CliRunner().invoke(main, ["receipt", "page", str(folder), "--language", "fr"])
    assert french.exit_code == 0, french.output
    assert '<html lang="fr"' in (folder / "receipt-check.html").read_text()
    for language in ("xx-nonsense", "tlh", "../.."):
        done = CliRunner().invoke(main, ["receipt", "page", str(folder), "--language", language])
        assert done.exit_code == 1, done.output
        assert "Traceback" not in done.output
