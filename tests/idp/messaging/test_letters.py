"""Letters: one PDF of all that wait, with a number, marked as sent once, and made again after a crash."""

from __future__ import annotations

import hashlib
import io
import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfReader
from sqlalchemy import update

from idp.messaging import letters
from idp.messaging.letters import make_batch
from idp.messaging.models import Batch, Message
from idp.messaging.ports import PostalAddress
from idp.paper import PaperProblem
from tests.idp.messaging.outbox import reached, row, write_letter
from tests.support.town import START

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.town import Town

CODE = {"link": "https://id.riverton.example/recover", "code": "KD7P-X2MQ-4RTW", "until": START + 21 * 86_400}


def text_of(pdf: bytes, page: int | None = None) -> str:
    """The words of a PDF, or of one page from 1, with single blanks."""
    pages = PdfReader(io.BytesIO(pdf)).pages
    chosen = pages if page is None else [pages[page - 1]]
    return " ".join(" ".join(one.extract_text() for one in chosen).split())


def run(town: Town, folder: Path) -> Any:
    return make_batch(town.context, folder, now=int(town.clock()))


def test_every_letter_that_waits_becomes_one_pdf(town: Town, tmp_path: Path) -> None:
    """Each with its address, in its reader's language; the list names nobody."""
    ids = [write_letter(town, PostalAddress("Maria Okafor", ("12 Mill Street", "40100 Riverton")))]
    town.clock.advance(1)
    ids.append(write_letter(town, PostalAddress("Élodie Martin", ("3 quai du Port",)), language="fr"))
    made = run(town, tmp_path / "out")
    assert (made.number, made.letters, made.is_again) == (1, 2, False)
    content = made.pdf.read_bytes()
    assert made.pdf.name == "letters-000001.pdf"
    first, second = text_of(content, 1), text_of(content, 2)
    assert "Maria Okafor 12 Mill Street 40100 Riverton" in first
    assert "15 January 2027" in first
    assert "Élodie Martin 3 quai du Port" in second
    assert "15 janvier 2027" in second
    listed = json.loads(made.manifest.read_text())
    assert listed["sha256"] == hashlib.sha256(content).hexdigest()
    assert [(one["id"], one["first_page"], one["pages"]) for one in listed["letters"]] == [
        (ids[0], 1, 1),
        (ids[1], 2, 1),
    ]
    assert not any(word in made.manifest.read_text() for word in ("Maria", "Okafor", "Mill", "sEcReT"))
    assert [stat.S_IMODE(path.stat().st_mode) for path in (made.pdf, made.manifest)] == [0o600, 0o600]
    assert {(row(town, one).state, row(town, one).content, row(town, one).batch) for one in ids} == {
        ("sent", None, 1)
    }


def test_a_code_is_large_and_a_link_has_a_qr_code(town: Town, tmp_path: Path) -> None:
    """Journey 5: the letter says what to do with it; the QR code is described for who cannot see it."""
    write_letter(town, name="recovery_letter", values=CODE)
    made = run(town, tmp_path)
    content = made.pdf.read_bytes()
    assert "KD7P-X2MQ-4RTW" in text_of(content)
    assert "https://id.riverton.example/recover" in text_of(content)
    assert "5 February 2027" in text_of(content)
    assert b"QR code of the address beside it" in content or "QR code" in str(_alternatives(content))


def test_nothing_waits_nothing_is_written(town: Town, tmp_path: Path) -> None:
    """No number is used up, and no transaction is begun."""
    write_letter(town, expires_at=START - 1)
    assert run(town, tmp_path / "out") is None
    assert run(town, tmp_path / "out") is None
    assert not (tmp_path / "out").exists()
    assert town.rows(Batch) == []
    assert [one.state for one in town.rows(Message)] == ["expired"]


def test_a_letter_is_printed_once(town: Town, tmp_path: Path) -> None:
    """The next run has only what came since."""
    write_letter(town)
    assert run(town, tmp_path).number == 1
    assert run(town, tmp_path) is None
    write_letter(town, PostalAddress("Jun", ("5 Dam Road",)))
    made = run(town, tmp_path)
    assert made.number == 2
    assert "Maria" not in text_of(made.pdf.read_bytes())


@pytest.mark.parametrize("moment", ["_written", "_keep", "_finish"])
def test_a_run_that_was_cut_off_is_made_again(
    moment: str, town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F02: before, while and after writing the file: same number, same letters, and none is lost or left over."""
    first = write_letter(town)
    with monkeypatch.context() as patch:
        patch.setattr(letters, moment, lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(town, tmp_path)
    assert row(town, first).state == "waiting"
    later = write_letter(town, PostalAddress("Jun", ("5 Dam Road",)))
    made = run(town, tmp_path)
    assert (made.number, made.letters, made.is_again) == (1, 1, True)
    assert "Maria Okafor" in text_of(made.pdf.read_bytes())
    assert row(town, later).state == "waiting", "a letter that came later is not slipped into an old number"
    assert run(town, tmp_path).number == 2
    assert [path.name for path in sorted(tmp_path.glob("letters-*.pdf"))] == [
        "letters-000001.pdf",
        "letters-000002.pdf",
    ]


def test_two_runs_at_once_make_one_batch(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one finds the first one's unfinished number, and every letter is marked once."""
    write_letter(town)
    keep, inner = letters._keep, []

    def meanwhile(path: Path, content: bytes) -> None:
        if not inner:
            inner.append(None)
            inner[0] = run(town, tmp_path / "other")
        keep(path, content)

    monkeypatch.setattr(letters, "_keep", meanwhile)
    outer = run(town, tmp_path / "one")
    assert outer.number == inner[0].number == 1
    assert outer.pdf.read_bytes() == inner[0].pdf.read_bytes()
    (batch,) = town.rows(Batch)
    assert (batch.letters, batch.finished_at) == (1, START)


def test_a_protected_address_never_prints(town: Town, tmp_path: Path) -> None:
    """identity.md: asked again at the printer, however long the letter has waited, and after a crash, too."""
    guarded = write_letter(town, resident_id="guarded")
    other = write_letter(town, PostalAddress("Jun", ("5 Dam Road",)), resident_id="jun")
    reached(town, may_print=lambda _session, resident_id: resident_id != "guarded")
    made = run(town, tmp_path)
    assert "Maria" not in text_of(made.pdf.read_bytes())
    assert (row(town, guarded).state, row(town, guarded).content) == ("withheld", None)
    assert row(town, guarded).trouble == "protected address"
    assert row(town, other).state == "sent"


def test_a_letter_in_a_script_without_a_font_stops_no_other(town: Town, tmp_path: Path) -> None:
    """It is a dead letter that the operator sees; tofu is never posted."""
    unwritable = write_letter(
        town, PostalAddress("\U0001f9d1\U00012000\U00016fe4\U0001f574", ("12 Mill Street",))
    )
    other = write_letter(town, PostalAddress("Jun", ("5 Dam Road",)))
    with town.context.database.transaction() as session:  # no font has a sign that is not assigned
        content = town.context.vault.service_data_key("outbox").seal(
            json.dumps({"to": {"name": "\U000e0fff\u0378", "lines": []}, "values": row_values()}),
            f"messaging_outbox.content {unwritable}",
        )
        session.execute(update(Message).where(Message.id == unwritable).values(content=content))
    made = run(town, tmp_path)
    assert made.letters == 1
    assert row(town, other).state == "sent"
    assert (row(town, unwritable).state, row(town, unwritable).batch) == ("dead", None)
    assert "no font" in row(town, unwritable).trouble
    assert row(town, unwritable).content is not None


def row_values() -> dict[str, Any]:
    return {"link": "https://id.riverton.example/account", "device": "Firefox", "at": START}


def test_when_no_letter_can_be_printed_all_wait_on(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without the means to print loses nothing."""
    message_id = write_letter(town)
    with monkeypatch.context() as patch:
        patch.setattr("idp.paper.printer.TIMEOUT", 0.0001)
        with pytest.raises(PaperProblem):
            run(town, tmp_path)
    assert row(town, message_id).state == "waiting"
    assert run(town, tmp_path).letters == 1


def test_what_a_letter_says_is_never_run(town: Town, tmp_path: Path) -> None:
    """A name is a name, whatever the layout's language would make of it."""
    name = '#read("/etc/passwd") $x$ *bold* \\ <mark> "] #panic() // _u_'
    write_letter(town, PostalAddress(name, ("#sys.inputs.data",)))
    made = run(town, tmp_path)
    words = text_of(made.pdf.read_bytes())
    assert "#read(" in words
    assert "*bold*" in words
    assert "#sys.inputs.data" in words
    assert "root:" not in words


def test_a_long_letter_has_its_own_page_numbers(town: Town, tmp_path: Path) -> None:
    """And the next letter begins on a fresh page with 1."""
    write_letter(town, values={**row_values(), "device": "a very long name " * 400})
    town.clock.advance(1)
    write_letter(town, PostalAddress("Jun", ("5 Dam Road",)))
    made = run(town, tmp_path)
    first, second = json.loads(made.manifest.read_text())["letters"]
    content = made.pdf.read_bytes()
    assert first["pages"] > 1
    assert f"Page 2 of {first['pages']}" in text_of(content, 2)
    assert second["first_page"] == first["pages"] + 1
    assert "Page 1 of 1" in text_of(content, second["first_page"])


def _alternatives(pdf: bytes) -> list[str]:
    """Every alternative text in the tags of a PDF."""
    found: list[str] = []

    def walk(node: Any) -> None:
        node = node.get_object() if hasattr(node, "get_object") else node
        if isinstance(node, list):
            for child in node:
                walk(child)
        elif isinstance(node, dict):
            if "/Alt" in node:
                found.append(str(node["/Alt"]))
            if "/K" in node:
                walk(node["/K"])

    walk(PdfReader(io.BytesIO(pdf)).trailer["/Root"]["/StructTreeRoot"])
    return found
