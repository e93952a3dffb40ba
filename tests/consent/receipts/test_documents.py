"""What a receipt says: every field of ISO/IEC TS 27560:2023 that the GDPR makes mandatory, in DPV's words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from consent import rules as consent_rules
from consent.models import BASES, EVENTS
from consent.receipts import rules
from consent.receipts.values import differences, duration
from tests.consent.receipts.conftest import CREATED, ISSUER, NAMES
from tests.consent.town import HOUR, NOW, key_of, words

if TYPE_CHECKING:
    from tests.consent.receipts.conftest import Desk


def record(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = desk.receipt.claims["dpv:hasRecordOfActivity"]
    return found


def test_the_header_names_profile_receipt_and_record(desk: Desk) -> None:
    """27560 §6: schema version and identifier of the receipt, of the record, and of the person; DPV guide: created."""
    claims = desk.receipt.claims
    assert claims["@type"] == "dpv:ConsentReceipt"
    assert claims["dct:conformsTo"] == "https://w3id.org/dpv/schema/dpv-27560#receipt-eu-gdpr"
    assert claims["dct:identifier"] == desk.uid.hex()
    assert claims["dct:created"] == rules.moment(CREATED)
    assert claims["dct:publisher"]["dpv:hasName"] == "Riverton"
    assert record(desk)["@type"] == "dpv:ConsentRecord"
    assert record(desk)["dct:conformsTo"] == "https://w3id.org/dpv/schema/dpv-27560#record-eu-gdpr"
    assert record(desk)["dpv:hasDataSubject"]["dct:identifier"] == "r1"


def test_the_processing_fields_are_all_there(desk: Desk) -> None:
    """27560, processing: notice, language, purpose, basis, data, controllers, places, times, rights, authority."""
    found = record(desk)
    process = found["dpv:hasProcess"]
    assert process["dpv:hasPurpose"]["dct:title"] == "Street reports"
    assert process["dpv:hasLegalBasis"] == "eu-gdpr:A6-1-a"
    assert [
        (one["dct:identifier"], one["dpv:hasNecessity"], one["dpv:hasStatus"])
        for one in process["dpv:hasPersonalData"]
    ] == [("district", "dpv:Required", "chosen"), ("email", "dpv:Optional", "not chosen")]
    assert process["dpv:hasStorageCondition"] == [
        {"@type": "dpv:StorageDuration", "dpv:hasDuration": "P365D", "dct:description": "Kept for a year."},
        {"@type": "dpv:StorageLocation", "dpv:hasLocation": ["Riverton"]},
    ]
    for term in (
        "dpv:hasDataSource",
        "dpv:hasProcessing",
        "dpv:hasLocation",
        "dpv:hasRule",
        "dpv:hasRecipient",
        "dpv:hasOrganisationalMeasure",
        "dpv:hasImpactAssessment",
    ):
        assert process[term], term
    assert found["dpv:hasDataController"] == [
        {
            "@type": "dpv:DataController",
            "dpv:hasName": "Town of Riverton",
            "dpv:hasAddress": "1 Main Street",
            "dpv:hasContact": ["privacy@riverton.example"],
            "dct:type": "public_authority",
        }
    ]
    assert found["dpv:hasJurisdiction"] == "IE"
    assert found["dpv:hasAuthority"]["dpv:hasName"] == "Data Protection Commission"
    assert found["dpv:hasService"]["dct:title"] == "Street reports"
    assert found["dpv:hasConsentControl"]["dpv:isExercisedAt"] == f"{ISSUER}/privacy/services/reports"
    articles = {one["@type"][1] for one in found["dpv:hasRight"]}
    assert {"eu-gdpr:A7-3", "eu-gdpr:A15", "eu-gdpr:A20"} <= articles
    assert found["dpv:hasNotice"]["dct:hasVersion"] == "1"
    assert found["dpv:hasNotice"]["dct:language"] == "en"


def test_the_event_fields_say_who_when_and_how(desk: Desk) -> None:
    """27560, events: time, validity, entity, type and state; DPV adds the control that was used."""
    status = record(desk)["dpv:hasConsentStatus"]
    assert status["@type"] == ["dpv:ConsentGiven", "dpv:ExpressedConsent"]
    assert status["dpv:isIndicatedAtTime"] == rules.moment(NOW + HOUR)
    assert status["dpv:isIndicatedBy"] == "dpv:DataSubject"
    assert status["dpv:hasIndicationMethod"] == "allow-button"
    assert status["dct:valid"]
    assert status["dct:provenance"]["acr"] == "basic"


def test_a_ticked_box_is_explicit_and_an_end_is_said(desk: Desk) -> None:
    """27560: the type of a consent says how it was expressed, its validity until when it lasts."""
    row = desk.receipt.evidence.record
    both = ["district", "email"]
    uid = desk.town.event(
        row["purpose_id"], claims_offered=both, claims_chosen=both, valid_until=NOW + 2 * HOUR
    )
    receipt = replace(desk, uid=uid).receipt
    status = receipt.claims["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"]
    assert status["@type"] == ["dpv:ConsentGiven", "dpv:ExplicitlyExpressedConsent"]
    assert status["dct:valid"].endswith(f"/{rules.moment(NOW + 2 * HOUR)}")
    notice = receipt.evidence.notice
    assert (notice["title"], notice["body_hash"]) == (words().title, row["notice_hash"])


def test_no_context_has_to_be_fetched(desk: Desk) -> None:
    """JSON-LD 1.1 §3.1: every prefix that the document uses is defined in it."""
    claims = desk.receipt.claims
    context = claims["@context"]
    own = {"schema", "iss", "iat", "jti", "@context", "@id", "@type"}

    def names(value: Any) -> set[str]:
        if isinstance(value, dict):
            return {*value} | {
                name for key, one in value.items() if key != "dct:provenance" for name in names(one)
            }
        return {name for one in value for name in names(one)} if isinstance(value, list) else set()

    said = {name: value for name, value in claims.items() if name not in ("@context", "evidence")}
    used = names(said) - own
    assert not {name for name in used if name.partition(":")[0] not in context}
    prefixes = [one for one in context.values() if isinstance(one, str)]
    assert all(one.startswith("http") and one.endswith(("/", "#")) for one in prefixes)
    typed = [one["@type"] for one in context.values() if isinstance(one, dict)]
    assert all(one.startswith("@") or one.partition(":")[0] in context for one in typed)
    assert context["evidence"]["@type"] == "@json", "plain JSON, whatever its members are called"


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("basis", BASES)
def test_every_event_on_every_basis_has_a_receipt(event: str, basis: str) -> None:
    """Pure: what the tables allow, a receipt can say."""
    row = {
        "resident_id": "r", "client_id": "c", "purpose_id": "p", "event": event, "claims_offered": '["email"]',
        "claims_chosen": "[]", "notice_hash": "00", "language": "en", "control": "x", "authentication": "{}",
        "actor": "town", "at": NOW,
    }  # fmt: skip
    notice = {
        "purpose_id": "p", "version": 1, "language": "en", "material": True, "title": "t", "why": "w",
        "retention_text": "r", "recipients": "n", "body_hash": "00", "published_at": NOW,
    }  # fmt: skip
    purpose = {"id": "p", "client_id": "c", "basis": basis, "required_claims": '["email"]', "optional_claims": "[]",
               "retention_for": None}  # fmt: skip
    found = rules.document(rules.Evidence(row, notice, purpose), "ab" * 16, NAMES, NOW)
    status = found["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"]
    assert status["@type"][0] == f"dpv:{consent_rules.dpv_state(event)}"
    assert len(status["@type"]) == (2 if basis == "consent" else 1)
    json.dumps(found)


def test_a_receipt_is_its_owners(desk: Desk) -> None:
    """Of another resident, or of nothing, there is none."""
    assert desk.make(resident_id="r2", log_key=key_of("r2")) is None
    assert desk.make(resident_id="r1") is not None
    desk.uid = b"\0" * 16
    assert desk.make() is None


def test_durations_are_iso_8601() -> None:
    """Whole days as days, anything else in seconds."""
    assert (duration(86_400 * 30), duration(90)) == ("P30D", "PT90S")


def test_differences_are_named_by_their_path() -> None:
    """So that a person can be told where to look."""
    one = {"a": {"b": [1, {"c": 2}]}, "d": 1}
    assert differences(one, one) == []
    assert differences({"a": {"b": [1, {"c": 3}]}, "e": 1}, one) == ["a/b/1/c", "e", "d"]
    assert differences({"a": True}, {"a": 1}) == ["a"]
    assert differences([1], [1, 2], "a") == ["a"]
