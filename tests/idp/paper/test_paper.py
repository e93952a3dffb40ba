"""PDF/UA documents, made apart from the server, from data that is never run."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfReader

from idp import paper
from idp.paper import PaperProblem, crest_of, qr_svg, render
from idp.settings import LetterSettings
from tests.support.town import START

if TYPE_CHECKING:
    from pathlib import Path

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082"
)


def letter(**changes: Any) -> dict[str, Any]:
    return {
        "id": "one",
        "lang": "en",
        "dir": "ltr",
        "address": ["Maria Okafor", "12 Mill Street", "40100 Riverton"],
        "date": "15 January 2027",
        "subject": "Your code",
        "page": "Page {page} of {pages}",
        "parts": [
            {"kind": "text", "text": "Type this code."},
            {"kind": "code", "text": "KD7P-X2MQ"},
            {
                "kind": "link",
                "text": "https://id.riverton.example",
                "qr": qr_svg("https://x"),
                "alt": "QR code",
            },
        ],
        **changes,
    }


def data(*written: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "title": "Riverton",
        "town": "Riverton",
        "sender": "Riverton, Town Hall",
        "crest": crest_of(LetterSettings()),
        "window": "left",
        "marks": True,
        "letters": list(written) or [letter()],
        **changes,
    }


def read(pdf: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(pdf))


def tags(reader: PdfReader) -> list[str]:
    """The kinds of all tagged parts, in reading order."""
    found: list[str] = []

    def walk(node: Any) -> None:
        node = node.get_object() if hasattr(node, "get_object") else node
        if isinstance(node, list):
            for child in node:
                walk(child)
        elif isinstance(node, dict):
            if "/S" in node:
                found.append(str(node["/S"]))
            if "/K" in node:
                walk(node["/K"])

    walk(reader.trailer["/Root"]["/StructTreeRoot"])
    return found


def test_a_pdf_says_that_everybody_can_read_it() -> None:
    """ISO 14289-1 (PDF/UA-1) §5, §7.1, §7.2: identifier, tags, language, title that is shown, one heading, alt text."""
    reader = read(render("letter", data(), "en", now=START))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()
    assert reader.metadata is not None
    assert reader.metadata.title == "Riverton"
    found = tags(reader)
    assert found.count("/H1") == 1
    assert "/Figure" in found
    assert "/Link" in found


def test_the_same_letter_is_the_same_file() -> None:
    """Its date is the one it is given, so a batch that is made again can be compared."""
    assert render("letter", data(), "en", now=START) == render("letter", data(), "en", now=START)


def test_right_to_left_is_set_from_right_to_left() -> None:
    """Arabic in its own direction and language; the address stays as the post reads it."""
    arabic = letter(lang="ar", dir="rtl", subject="رمزك", parts=[{"kind": "text", "text": "اكتب هذا الرمز"}])
    page = read(render("letter", data(arabic), "ar", now=START)).pages[0]
    places: dict[str, float] = {}

    def note(text: str, _cm: Any, tm: Any, _font: Any, _size: Any) -> None:
        if text.strip():
            places.setdefault(text.strip(), tm[4])

    page.extract_text(visitor_text=note)
    words = page.extract_text()
    assert "Maria Okafor" in words
    assert any("\u0600" <= sign <= "\u06ff" or "\ufb50" <= sign <= "\ufeff" for sign in words)
    assert "/Lang (ar" in str(page.get_contents().get_data()) or b"ar" in render(
        "letter", data(arabic), "ar", now=START
    )


@pytest.mark.parametrize(("window", "low", "high"), [("left", 24.9, 100), ("right", 109.9, 185)])
def test_the_address_lies_in_the_window(window: str, low: int, high: int) -> None:
    """DIN 5008 form B, ISO 269 DL and C5/6: between 45 and 90 mm from the top, 85 mm wide, on one side or the other."""
    page = read(render("letter", data(window=window), "en", now=START)).pages[0]
    height = float(page.mediabox.height)
    lines: dict[str, tuple[float, float]] = {}

    def note(text: str, cm: Any, tm: Any, _font: Any, _size: Any) -> None:
        if text.strip():
            x = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
            y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
            lines.setdefault(text.strip(), (x / 72 * 25.4, (height - y) / 72 * 25.4))

    page.extract_text(visitor_text=note)
    for line in ("Maria Okafor", "12 Mill Street", "40100 Riverton"):
        place = next((at for text, at in lines.items() if line in text), None)
        assert place is not None, lines
        assert low <= place[0] <= high, (line, place)
        assert 45 + 14 <= place[1] <= 90, (line, place)


def test_a_sign_without_a_font_is_a_problem_not_a_box() -> None:
    """PDF/UA-1 §7.21.8 forbids .notdef; the message quotes nothing of the letter."""
    with pytest.raises(PaperProblem, match="no font") as caught:
        render("letter", data(letter(subject="secret \U000e0fff\u0378")), "en", now=START)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("template", "given", "why"),
    [("nothing", {}, "no such layout"), ("letter", {"letters": [{"id": "x"}]}, "could not be filled in")],
)
def test_problems_are_told_without_data(template: str, given: dict[str, Any], why: str) -> None:
    """For the operator's eyes, in one line."""
    with pytest.raises(PaperProblem, match=why):
        render(template, data(**given), "en", now=START)


def test_the_server_never_loads_what_makes_pdfs() -> None:
    """The typesetter and its fonts need tens of megabytes: they stay in the child."""
    script = "import sys, idp.app; from idp import paper; sys.exit('typst' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_child_that_dies_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too long, or gone: the caller is told, and nothing hangs."""
    monkeypatch.setattr("idp.paper.printer.TIMEOUT", 0.001)
    with pytest.raises(PaperProblem, match="too long"):
        render("letter", data(), "en", now=START)
    monkeypatch.undo()
    monkeypatch.setattr("idp.paper.printer.sys.executable", "/bin/false")
    with pytest.raises(PaperProblem, match="ended with 1"):
        render("letter", data(), "en", now=START)


def test_a_town_may_bring_its_own_crest(tmp_path: Path) -> None:
    """SVG or PNG; a file that is missing is named."""
    (tmp_path / "crest.png").write_bytes(PNG)
    crest = crest_of(LetterSettings(crest_file=tmp_path / "crest.png"))
    assert crest["format"] == "png"
    assert render("letter", data(crest=crest), "en", now=START).startswith(b"%PDF-1.7")
    with pytest.raises(FileNotFoundError):
        crest_of(LetterSettings(crest_file=tmp_path / "none.svg"))


def test_a_thousand_letters_are_one_matter_of_seconds() -> None:
    """What a town posts in a day becomes one file, each letter with its own pages."""
    many = [letter(id=str(number)) for number in range(300)]
    made = paper.printed("letter", data(*many), "en", now=START)
    firsts = [mark["first"] for mark in made.marks if "first" in mark]
    assert firsts == list(range(1, 301))
    assert len(read(made.pdf).pages) == 300


def test_a_qr_code_holds_its_text() -> None:
    """Checked against the modules that the library computes for the same text."""
    import segno

    text = "https://id.riverton.example/recover?token=" + "x" * 43
    svg = qr_svg(text)
    assert svg.startswith("<svg")
    assert "script" not in svg
    side = segno.make(text, error="m", micro=False).symbol_size(scale=4, border=4)[0]
    assert f'width="{side}"' in svg
