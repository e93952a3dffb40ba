"""Receipts where a resident finds them: to read, to keep, to print; and the keys and the page that check them."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from pypdf import PdfReader
from sqlalchemy import text

from consent.receipts.ports import NoPaper
from consent.receipts.verifying import read_keys, verify
from idp.paper import receipts as printing
from idp.upkeep import integrate_log, turn_keys
from tests.support.town import ISSUER, Proof

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tests.support.town import Browser, Town

DAY = 86_400


def agreed(town: Town) -> tuple[Browser, str]:
    """Maria's browser after she has agreed to the library's request, and the number of her receipt."""
    browser = town.browser()
    browser.code(town.library, town.maria, "openid profile email", Proof())
    integrate_log(town.context, now=int(town.clock()))
    return browser, last_event(town)


def last_event(town: Town) -> str:
    with town.context.database.reading() as session:
        uid: bytes = (
            session.execute(text("SELECT uid FROM consent_record ORDER BY id DESC")).scalars().first()
        )
    return bytes(uid).hex()


def published(town: Town) -> bytes:
    town.app.extensions["denizen.oidc"].forget()
    return town.app.test_client().get("/receipts/jwks", base_url=ISSUER).data


def test_the_page_says_what_was_agreed_and_how_it_is_proved(town: Town) -> None:
    """27560: who, what, when, in which words; with the fingerprint of the notice and the place in the log."""
    browser, uid = agreed(town)
    page = browser.get(f"/privacy/receipts/{uid}")
    assert page.status_code == 200
    for part in (
        "Riverton Public Library",
        "You agreed.",
        "Your e-mail address",
        "So that the service works",
        uid,
    ):
        assert part in page.text
    assert "Entry " in page.text
    assert "<script" not in page.text


@pytest.mark.parametrize("kind", ["jwt", "json"])
def test_a_file_verifies_with_the_published_keys_alone(town: Town, kind: str) -> None:
    """A receipt that is downloaded holds in every point: signature, words, notice, place in the log."""
    browser, uid = agreed(town)
    answer = browser.get(f"/privacy/receipts/{uid}.{kind}")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "no-store" in answer.headers["Cache-Control"]
    verdict = verify(answer.data, read_keys(published(town)))
    assert {one.state for one in verdict.checks} == {"holds"}, verdict.checks
    assert verdict.facts["issuer"] == ISSUER


def test_another_residents_receipt_is_not_found(town: Town) -> None:
    """K34: the same answer as for one that never was, in every form."""
    _, uid = agreed(town)
    other = town.browser()
    other.sign_in(town.jun)
    for number in (uid, "00" * 16, "x" * 32, uid[:-1], uid.upper(), f"{uid}x"):
        for form in ("", ".jwt", ".json", ".pdf"):
            assert other.get(f"/privacy/receipts/{number}{form}").status_code == 404, (number, form)
    assert other.get(f"/privacy/receipts/{uid}.exe").status_code == 404


def test_nobody_gets_a_receipt_without_signing_in(town: Town) -> None:
    """The way leads to the sign-in page."""
    _, uid = agreed(town)
    answer = town.browser().get(f"/privacy/receipts/{uid}.json")
    assert answer.status_code == 303
    assert "/login" in answer.headers["Location"]


def test_an_erased_resident_has_no_receipts(town: Town) -> None:
    """Their key is destroyed: what would open the leaf cannot be made any more."""
    browser, uid = agreed(town)
    with town.context.database.transaction() as session:
        session.execute(
            text("UPDATE accounts_resident SET data_key = NULL WHERE id = :id"),
            {"id": town.maria.resident_id},
        )
    answer = browser.get(f"/privacy/receipts/{uid}.json")
    assert answer.status_code in (303, 404)
    assert b"jws" not in answer.data


def test_the_page_speaks_the_readers_language_and_the_notice_its_own(town: Town) -> None:
    """The receipt's own words follow the page; the notice is quoted, in the language in which it was shown."""
    browser, uid = agreed(town)
    page = browser.get(f"/privacy/receipts/{uid}?lang=fr")
    assert '<html lang="fr"' in page.text
    assert '<dd lang="en" dir="auto">So that the service works.</dd>' in page.text


def test_paper_says_the_same_and_its_code_verifies(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sheet of PDF/UA, and on it a code with the signed receipt that holds without any network."""
    codes: list[str] = []
    make = printing.qr_svg
    monkeypatch.setattr(printing, "qr_svg", lambda code: codes.append(code) or make(code))
    browser, uid = agreed(town)
    answer = browser.get(f"/privacy/receipts/{uid}.pdf")
    assert answer.content_type == "application/pdf"
    reader = PdfReader(io.BytesIO(answer.data))
    root: Mapping[str, Any] = reader.trailer["/Root"]
    assert len(reader.pages) == 1
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()
    words = reader.pages[0].extract_text()
    for part in (
        "Riverton Public Library",
        "You agreed.",
        "Your e-mail address",
        uid,
        "So that the service works.",
    ):
        assert part in words
    assert codes[0].startswith(f"{ISSUER}/receipts/verify#")
    verdict = verify(codes[0].encode(), read_keys(published(town)))
    assert verdict.is_good
    assert verdict.facts["chosen"] == ["name", "email"]


def test_paper_in_another_language_and_direction(town: Town) -> None:
    """The sheet follows the reader, as the page does."""
    browser, uid = agreed(town)
    answer = browser.get(f"/privacy/receipts/{uid}.pdf?lang=fr")
    reader = PdfReader(io.BytesIO(answer.data))
    assert reader.trailer["/Root"]["/Lang"] == "fr"


def test_too_many_sheets_at_once_are_asked_to_wait(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typesetting costs half a second: it is bounded, and who comes then gets a page that says so."""
    browser, uid = agreed(town)

    def busy(*_args: Any, **_more: Any) -> bytes:
        raise NoPaper("busy")

    ports = town.app.extensions["consent.receipts"]
    object.__setattr__(ports, "pdf", busy)
    answer = browser.get(f"/privacy/receipts/{uid}.pdf")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert f"/privacy/receipts/{uid}" in answer.text


def test_the_printer_takes_two_at_a_time(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third is refused at once, and the place is free again afterwards, even after a failure."""
    printed = printing.receipt_printer(town.settings, lambda: 0)
    inner: list[str] = []

    def nested(*_args: Any, **_more: Any) -> bytes:
        inner.append("")
        return printed({"code": ""}, "en")

    monkeypatch.setattr(printing, "render", nested)
    for _ in range(2):
        with pytest.raises(NoPaper, match="at once"):
            printed({"code": ""}, "en")
    assert len(inner) == 2 * printing.AT_ONCE


def test_retired_keys_are_published_for_ever(town: Town) -> None:
    """Decision 0029: receipts are kept for life; a key says since when and until when it signed."""
    browser, uid = agreed(town)
    old = browser.get(f"/privacy/receipts/{uid}.jwt").data
    signed_by = json.loads(published(town))["keys"][0]
    for _ in range(90):
        town.clock.advance(DAY)
        turn_keys(town.context, now=int(town.clock()))
    town.clock.advance(5)
    keys = read_keys(later := fresh(town))
    assert len(keys.receipts) >= 3
    kept = next(key for key in json.loads(later)["keys"] if key["kid"] == signed_by["kid"])
    assert kept["exp"] > kept["iat"]
    assert all("d" not in key for key in keys.receipts)
    assert verify(old, keys).is_good


def fresh(town: Town) -> bytes:
    """The keys as a process reads them that has just started."""
    from idp.app import create_app

    return create_app(town.context).test_client().get("/receipts/jwks", base_url=ISSUER).data


def test_the_keys_of_receipts_sign_nothing_else(town: Town) -> None:
    """They are not among the keys of tokens, and the reverse."""
    client = town.app.test_client()
    tokens = {key["kid"] for key in client.get("/jwks", base_url=ISSUER).json["keys"]}
    answer = client.get("/receipts/jwks", base_url=ISSUER)
    receipts = {key["kid"] for key in answer.json["keys"]}
    assert receipts
    assert not tokens & receipts
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    again = client.get("/receipts/jwks", base_url=ISSUER, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_the_page_for_checking_runs_our_own_script_and_no_other(town: Town) -> None:
    """Anybody may open it, signed in or not; nothing but our own files, and nowhere to send a receipt but to us."""
    answer = town.browser().get("/receipts/verify")
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "<noscript>" in answer.text
    assert "denizen receipt verify" in answer.text
