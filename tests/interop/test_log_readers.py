"""The published log is read by software that others wrote: Go's transparency log packages, of the Go checksum database.

The reader (tests/interop/log_reader) checks the signature of the checkpoint, every tile against its root, inclusion of
entries, consistency with older sizes, and tlog-proofs.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from consent import log
from consent.log import proofs
from consent.log.entries import INSERT_ENTRY
from idp.cli_log import export
from idp.upkeep import integrate_log
from tests.consent.town import filler
from tests.house.repository import ROOT
from tests.support.commands import commands_on

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.riverton import Riverton
    from tests.support.town import Town

READER = ROOT / ".cache" / "log_reader"
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SIZE = 1100


@pytest.fixture(autouse=True)
def _reader() -> None:
    if not READER.is_file():
        pytest.skip("the reader was not built: run tests/support/go.sh where go is installed")


def read(*arguments: str) -> dict[str, Any]:
    """What the reader found; AssertionError with its complaint otherwise."""
    done = subprocess.run([READER, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def exported(town: Town, tmp_path: Path) -> Path:
    """A log of four full tiles and a bit, carried away as files."""
    now = int(town.clock())
    with town.context.database.transaction() as session:
        session.execute(INSERT_ENTRY, filler(0, SIZE, now))
    integrate_log(town.context, now=now)
    url = town.context.database.engine.url.render_as_string(hide_password=False)
    code, said = commands_on(url, town.context.settings.keys.file.parent)(
        "log", str(export.name), str(tmp_path / "log")
    )
    assert code == 0, said
    return tmp_path / "log"


@ON_SQLITE
def test_an_exported_log_is_read_by_others(exported: Path) -> None:
    found = read(str(exported))
    assert found["origin"].endswith("/log")
    assert found["size"] > SIZE
    assert found["records"] > SIZE // 37


@ON_SQLITE
def test_our_proofs_hold_for_others(exported: Path, town: Town, tmp_path: Path) -> None:
    """tlog-proof, at both ends of the tree and at the edges of its tiles."""
    arguments = []
    with town.context.database.reading() as session:
        for number in (0, 255, 256, 1023, 1024, SIZE - 1):
            uid = number.to_bytes(16, "big")
            wanted = text("SELECT kind, hour, commitment FROM consent_log_entry WHERE uid = :uid")
            row = session.execute(wanted, {"uid": uid}).one()
            proof, entry = tmp_path / f"{number}.tlog-proof", tmp_path / f"{number}.entry"
            proof.write_text(proofs.proof_for(session, uid) or "", encoding="utf-8")
            entry.write_bytes(log.leaf_bytes(row.kind, row.hour, bytes(row.commitment)))
            arguments += [str(proof), str(entry)]
    assert read(str(exported), *arguments)["proofs"] == 6
    arguments[1], arguments[3] = arguments[3], arguments[1]
    with pytest.raises(AssertionError, match="invalid"):
        read(str(exported), *arguments)


@ON_SQLITE
def test_others_see_a_tile_that_was_touched(exported: Path) -> None:
    """One bit of a full tile, of a partial one, of the tile above, of a bundle."""
    above, last = (max((exported / "tile" / level).rglob("*")) for level in "10")
    for path in (exported / "tile/0/000", last, above, exported / "tile/entries/002"):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(AssertionError):
            read(str(exported))
        path.write_bytes(content)
    read(str(exported))


def test_the_served_log_is_read_by_others(riverton: Riverton) -> None:
    """Over HTTP, from a town as it runs."""
    found = read(f"{riverton.issuer}/log")
    assert found["origin"] == riverton.issuer.partition("://")[2] + "/log"
    assert found["records"] > 0
