"""Every paper is read by software that others wrote: veraPDF finds nothing in it that breaks PDF/UA, ZXing reads its code.

The reader (tests/interop/paper_reader) looks at each page as a plain scanner or a telephone would.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from consent.receipts.verifying import read_keys, verify
from idp.login.cards.printing import card_pdf, scanned
from idp.login.cards.service import Printed
from idp.messaging.letters import make_batch
from idp.paper.printer import TEMPLATES
from tests.admin.office import REASON, open_office
from tests.house.repository import ROOT
from tests.idp.messaging.outbox import write_letter
from tests.idp.rights.test_copies import take
from tests.idp.test_receipt_pages import agreed, published
from tests.support.town import START

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.town import Town

    Reader = Callable[[bytes], str]

LIBRARIES = ROOT / ".cache" / "paper_reader"
NUMBER = "12345678ABCD"
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """What the code on an accessible paper says; empty for a paper without one."""
    if not (LIBRARIES / "PaperReader.class").is_file():
        pytest.skip("the reader was not built: run tests/support/java.sh where Java and Maven are installed")

    def reader(pdf: bytes) -> str:
        file = tmp_path / "paper.pdf"
        file.write_bytes(pdf)
        command = ["java", "-cp", f"{LIBRARIES}:{LIBRARIES}/libraries/*", "PaperReader", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        *found, last = done.stdout.splitlines()
        assert last == f"read {file}"
        assert [line for line in found if line.startswith("broken ")] == []
        return "".join(line.removeprefix("code ") for line in found)

    return reader


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_receipt_is_accessible_and_its_code_proves_it(town: Town, read: Reader, language: str) -> None:
    browser, uid = agreed(town)
    code = read(browser.get(f"/privacy/receipts/{uid}.pdf?lang={language}").data)
    verdict = verify(code.encode(), read_keys(published(town)))
    assert verdict.is_good
    assert verdict.facts["chosen"] == ["name", "email"]


def test_a_copy_of_everything_held_is_accessible(town: Town, read: Reader) -> None:
    browser, _ = agreed(town)
    assert not read(take(browser, "pdf").data)


def test_a_letter_is_accessible_and_its_code_is_its_link(town: Town, read: Reader, tmp_path: Path) -> None:
    link = "https://id.riverton.example/recover"
    write_letter(
        town, name="recovery_letter", values={"link": link, "code": "KD7P-X2MQ-4RTW", "until": START}
    )
    made = make_batch(town.context, tmp_path, now=int(town.clock()))
    assert made is not None
    assert read(made.pdf.read_bytes()) == link


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
def test_a_card_is_accessible_and_is_scanned(town: Town, read: Reader, language: str) -> None:
    settings = town.context.settings
    printed = Printed(NUMBER, "480613", ("123456",) * 50)
    pdf = card_pdf(printed, settings, name="Maria Okafor", language=language, now=START)
    assert read(pdf) == scanned(settings.server.issuer, NUMBER)


def test_an_officers_table_is_accessible(town: Town, read: Reader) -> None:
    agreed(town)
    desk = open_office(town).signed_in("officer")
    answer = desk.submit("/officer/export?client=library", format="pdf", reason=REASON)
    assert not read(answer.data)


def test_no_layout_is_forgotten(database_url: str) -> None:
    layouts = {path.stem for path in TEMPLATES.glob("*.typ")} - {"lib"}
    assert layouts == {"receipt", "held", "letter", "card", "table"}, "each has a test above"
