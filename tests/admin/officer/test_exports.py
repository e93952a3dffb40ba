"""Files for courts and people: whole, signed, on record, and harmless in a spreadsheet."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pypdf import PdfReader

from admin.audit.files import csv_blocks
from admin.audit.rules import safe_cell
from consent import acts
from consent.log import commitment, leaf_bytes, proofs
from consent.log.notes import parse_vkey
from idp.upkeep import integrate_log, note_signers
from tests.admin.office import REASON
from tests.support.town import Proof, hidden_fields

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.admin.office import Desk, Office
    from tests.support.town import Browser


def export(desk: Desk, wanted: str, query: str = "client=library", reason: str = REASON) -> TestResponse:
    return desk.submit(f"/officer/export?{query}", format=wanted, reason=reason)


def done(office: Office, kind: str = "records_exported") -> list[acts.Act]:
    with office.town.context.database.reading() as session:
        return acts.of_kind(session, kind)


def agreed(office: Office) -> Desk:
    town = office.town
    town.tokens(town.library, town.maria)
    town.tokens(town.library, town.jun)
    integrate_log(town.context, now=int(town.clock()))
    return office.signed_in("officer")


@pytest.mark.parametrize("wanted", ["csv", "json", "jsonld", "pdf"])
def test_what_is_found_leaves_as_a_file(office: Office, wanted: str) -> None:
    """Every form holds the same records, and nobody's name."""
    desk = agreed(office)
    answer = export(desk, wanted)
    assert answer.status_code == 200, answer.text
    data = answer.data
    if wanted == "csv":
        held = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
        assert [one["event"] for one in held] == ["given", "given"]
        assert held[0]["chosen"] == "name email"
    elif wanted == "json":
        assert [one["event"] for one in json.loads(data)["records"]] == ["given", "given"]
    elif wanted == "jsonld":
        statuses = [one["dpv:hasConsentStatus"]["@id"] for one in json.loads(data)["@graph"]]
        assert statuses == ["dpv:ConsentGiven", "dpv:ConsentGiven"]
    else:
        said = "".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)
        assert said.count("given") == 2
    assert b"Okafor" not in data
    assert office.town.maria.resident_id.encode() not in data
    (act,) = done(office)
    assert (act.details["rows"], act.details["format"], act.details["reason"]) == (2, wanted, REASON)
    assert act.details["filter"] == {"client": "library"}
    assert act.details["sha256"] == hashlib.sha256(data).hexdigest()


def test_anybody_can_check_the_signature_with_the_published_key(office: Office) -> None:
    """RFC 7515 Appendix F: the detached JWS over the SHA-256, by hand and with the log's verifier key alone."""
    desk = agreed(office)
    data = export(desk, "csv").data
    page = desk.get("/officer/exports").text
    sidecar = desk.get(re.findall(r'href="(/officer/exports/signature[^"]*)"', page)[0])
    assert sidecar.headers["Content-Disposition"].endswith('.csv.jws"')
    header, payload, signature = sidecar.text.strip().split(".")
    assert payload == ""
    with office.town.context.database.reading() as session:
        signer, _ = note_signers(session, office.town.context)
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).hexdigest().encode()).rstrip(b"=")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    _, public = parse_vkey(signer.vkey)[:2]
    Ed25519PublicKey.from_public_bytes(public).verify(raw, header.encode() + b"." + digest)
    assert json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["alg"] == "EdDSA"


def test_without_a_reason_or_a_form_no_file_is_made(office: Office) -> None:
    """The same reasons as for a look-up."""
    desk = agreed(office)
    for wanted, reason in [("csv", "because"), ("csv", ""), ("exe", REASON), ("", REASON)]:
        assert export(desk, wanted, reason=reason).status_code == 422
    assert done(office) == []


def test_when_the_export_cannot_be_recorded_nothing_leaves(office: Office) -> None:
    """K38: no act, no file."""
    desk = agreed(office)
    place = "/officer/export?client=library"
    fields = hidden_fields(desk.get(place).text, place)
    office.run("ALTER TABLE consent_act RENAME TO elsewhere")
    answer = desk.post(place, {**fields, "format": "csv", "reason": REASON})
    assert answer.status_code >= 500
    assert "given" not in answer.text
    office.run("ALTER TABLE elsewhere RENAME TO consent_act")


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|'/c calc'!A1", "＝1", "＋1"]
)
def test_no_cell_is_taken_for_a_formula(text: str) -> None:
    """K37 (OWASP, CSV injection): an apostrophe stands before what a spreadsheet would compute."""
    assert safe_cell(text) == f"'{text}"
    (cell,) = list(csv.reader(io.StringIO(b"".join(csv_blocks([{"a": text}])).decode(), newline="")))[1]
    assert cell == f"'{text}"


@pytest.mark.parametrize("text", ["1+1", "a=b", "", "Anna-Maria", "'quoted'", 'say "no"', "2027-01-15"])
def test_harmless_cells_stay_as_they_are(text: str) -> None:
    """Nothing is added where nothing threatens, and quotes survive the file."""
    (row,) = csv.DictReader(io.StringIO(b"".join(csv_blocks([{"a": text, "b": 1}])).decode(), newline=""))
    assert row == {"a": text, "b": "1"}


def test_a_timeline_leaves_with_what_proves_it(office: Office) -> None:
    """In JSON each choice has its leaf, its opening and its proof: a court needs no database of ours."""
    town = office.town
    desk = agreed(office)
    place = desk.open("maria")
    desk.get(place + "/timeline")
    assert desk.last is not None
    answer = desk.post(
        place + "/export", {**hidden_fields(desk.last.text, place + "/export"), "format": "json"}
    )
    assert answer.status_code == 200, answer.text
    (given,) = [one for one in json.loads(answer.data)["records"] if one["kind"] == "event"]
    with town.context.database.reading() as session:
        signer, _ = note_signers(session, town.context)
    leaf = given["evidence"]["leaf"].encode()
    assert proofs.parse(given["evidence"]["proof"]).verify(leaf, signer.vkey).size > 0
    assert len(bytes.fromhex(given["evidence"]["opening"])) == 32
    assert leaf_bytes is not commitment
    (act,) = done(office, "file_exported")
    assert act.resident_id == town.maria.resident_id
    assert act.details["reason"] == REASON


def test_an_export_and_a_receipt_name_the_same_state(office: Office) -> None:
    """Agreed to, then to less, and informed without a choice; what is no event of consent names none."""
    town, browser = office.town, office.town.browser()
    browser.code(town.library, town.maria, "openid profile email", Proof())
    page = browser.get("/privacy/services/library").text
    browser.submit(re.findall(r'action="([^"]*/narrow)"', page)[0], share=[])
    town.tokens(town.tax, town.maria)
    desk = office.signed_in("officer")
    place = desk.open("maria")
    fields = hidden_fields(desk.get(place + "/timeline").text, place + "/export")
    rows = json.loads(desk.post(place + "/export", {**fields, "format": "jsonld"}).data)["@graph"]
    states = [one["dpv:hasConsentStatus"]["@id"] for one in rows if one["dct:type"] == "event"]
    assert states == ["dpv:ConsentUnknown", "dpv:RenewedConsentGiven", "dpv:ConsentGiven"]
    assert states == [_on_receipt(browser, one["@id"]) for one in rows if one["dct:type"] == "event"]
    assert not any("dpv:hasConsentStatus" in one for one in rows if one["dct:type"] != "event")


def _on_receipt(browser: Browser, urn: str) -> str:
    """The state that the receipt of an event names."""
    receipt = json.loads(browser.get(f"/privacy/receipts/{urn.removeprefix('urn:uid:')}.json").data)
    status = receipt["receipt"]["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"]
    return str(status["@type"][0])


def test_the_files_of_a_timeline_are_those_of_an_open_file(office: Office) -> None:
    """Closed, there is nothing to export."""
    desk = agreed(office)
    place = desk.open("maria")
    fields = hidden_fields(desk.get(place + "/timeline").text, place + "/export")
    assert desk.post(place + "/export", {**fields, "format": "exe"}).status_code == 404
    office.town.clock.advance(1801)
    assert desk.post(place + "/export", {**fields, "format": "csv"}).status_code in (303, 410)
    assert done(office, "file_exported") == []
