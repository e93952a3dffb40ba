"""What a receipt says: ISO/IEC TS 27560 in the Data Privacy Vocabulary, profile ``receipt-eu-gdpr``. Pure.

A receipt is made of *evidence*, rows as the log committed to them, and of nothing else but a few names. The same
function builds it for the person and, years later, for whoever checks it: what differs then was never in the log.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from consent import rules
from consent.canonical import moment
from consent.facts import Asked, Party, Processing, asked_from, processing_from
from consent.receipts.values import duration, listed

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Final = 1
"""Raised when a receipt of the same evidence would come out otherwise; a verifier knows every schema there was."""
RECORD, NOTICE, PURPOSE = "consent_record", "consent_notice", "consent_purpose"
_PROFILE: Final = "https://w3id.org/dpv/schema/dpv-27560#"
#: Written out, so that no reader need fetch anything to know what is meant.
CONTEXT: Final[Mapping[str, Any]] = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "evidence": {"@id": "urn:denizen:receipt:evidence", "@type": "@json"},
    "dct:provenance": {"@type": "@json"},
    **{
        key: {"@type": "@id"}
        for key in (
            "dct:conformsTo",
            "dpv:hasApplicableLaw",
            "dpv:hasLegalBasis",
            "dpv:hasNecessity",
            "dpv:isExercisedAt",
            "dpv:isIndicatedBy",
        )
    },
    **{key: {"@type": "xsd:dateTime"} for key in ("dct:created", "dct:issued", "dpv:isIndicatedAtTime")},
    "dpv:hasDuration": {"@type": "xsd:duration"},
}
_BASES: Final = {
    "consent": "eu-gdpr:A6-1-a",
    "contract": "eu-gdpr:A6-1-b",
    "legal_obligation": "eu-gdpr:A6-1-c",
    "vital_interests": "eu-gdpr:A6-1-d",
    "public_task": "eu-gdpr:A6-1-e",
    "legitimate_interests": "eu-gdpr:A6-1-f",
}
_ACTORS: Final = {
    "self": "dpv:DataSubject",
    "parent": "dpv:ParentOfDataSubject",
    "representative": "dpv:Representative",
}


@dataclass(frozen=True, slots=True)
class Names:
    """What a receipt says that no row holds: the town's address and name, the service's and its partner's."""

    issuer: str
    town: str
    service: str
    partner: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The rows of one event, as the log committed to them: the event, the notice that was shown, and its purpose."""

    record: Mapping[str, Any]
    notice: Mapping[str, Any]
    purpose: Mapping[str, Any]


def receipt_id(issuer: str, uid: str) -> str:
    """The address of a receipt; ``uid`` is 32 hexadecimal digits."""
    return f"{issuer}/privacy/receipts/{uid}"


def document(evidence: Evidence, uid: str, names: Names, created: int) -> dict[str, Any]:
    """The receipt as JSON-LD, but for the evidence itself. ``created`` is in Unix seconds."""
    address = receipt_id(names.issuer, uid)
    return {
        "@context": dict(CONTEXT),
        "@id": address,
        "@type": "dpv:ConsentReceipt",
        "schema": SCHEMA,
        "iss": names.issuer,
        "iat": created,
        "jti": uid,
        "dct:conformsTo": f"{_PROFILE}receipt-eu-gdpr",
        "dct:identifier": uid,
        "dct:created": moment(created),
        "dct:publisher": {"@id": names.issuer, "@type": "dpv:LegalEntity", "dpv:hasName": names.town},
        "dpv:hasRecordOfActivity": _record(evidence, uid, names),
    }


def _record(evidence: Evidence, uid: str, names: Names) -> dict[str, Any]:
    row = evidence.record
    told = processing_from(json.loads(evidence.notice.get("processing") or "null"))
    controllers = told.controllers or (Party(names.partner),)
    return {
        "@id": f"{receipt_id(names.issuer, uid)}#record",
        "@type": "dpv:ConsentRecord",
        "dct:conformsTo": f"{_PROFILE}record-eu-gdpr",
        "dct:identifier": uid,
        "dpv:hasDataSubject": {
            "@id": f"urn:denizen:resident:{row['resident_id']}",
            "@type": "dpv:DataSubject",
            "dct:identifier": row["resident_id"],
        },
        "dpv:hasDataController": [_party(one, "dpv:DataController") for one in controllers],
        **_filled({"dpv:hasJurisdiction": told.jurisdiction}),
        "dpv:hasApplicableLaw": "eu-gdpr:GDPR",
        **_filled({"dpv:hasAuthority": _authority(told)}),
        "dpv:hasService": {
            "@type": "dpv:Service",
            "dct:identifier": row["client_id"],
            "dct:title": names.service,
            "dpv:hasProvider": names.partner,
        },
        "dpv:hasProcess": _process(evidence, told),
        **_controls(evidence, names),
        "dpv:hasNotice": _notice(evidence),
        "dpv:hasConsentStatus": _status(evidence, names),
    }


def _process(evidence: Evidence, told: Processing) -> dict[str, Any]:
    notice, purpose = evidence.notice, evidence.purpose
    return {
        "@type": "dpv:Process",
        "dpv:hasPurpose": {
            "@id": f"urn:denizen:purpose:{purpose['id']}",
            "@type": "dpv:Purpose",
            "dct:identifier": purpose["id"],
            "dct:title": notice["title"],
            "dct:description": notice["why"],
        },
        "dpv:hasLegalBasis": _BASES[purpose["basis"]],
        "dpv:hasPersonalData": _personal_data(evidence),
        "dpv:hasRecipient": [notice["recipients"], *told.recipients],
        "dpv:hasStorageCondition": _storage(evidence, told),
        **_filled(
            {
                "dpv:hasDataSource": told.collection_method,
                "dpv:hasProcessing": told.processing_method,
                "dpv:hasLocation": told.processing_locations,
                "dpv:hasRule": told.geographic_restrictions,
                "dpv:hasOrganisationalMeasure": told.codes_of_conduct,
                "dpv:hasImpactAssessment": told.impact_assessment,
            }
        ),
    }


def _personal_data(evidence: Evidence) -> list[dict[str, Any]]:
    """Every claim that was offered: what it is called, whether the service needs it, and what became of it."""
    chosen = listed(evidence.record, "claims_chosen")
    optional = asked_of(evidence).optional_claims
    return [
        {
            "@type": "dpv:PersonalData",
            "dct:identifier": claim,
            "dpv:hasNecessity": "dpv:Optional" if claim in optional else "dpv:Required",
            "dpv:hasStatus": "chosen" if claim in chosen else "not chosen",
        }
        for claim in listed(evidence.record, "claims_offered")
    ]


def _storage(evidence: Evidence, told: Processing) -> list[dict[str, Any]]:
    kept = asked_of(evidence).retention_for
    words = {"dct:description": evidence.notice["retention_text"]}
    found = [
        {"@type": "dpv:StorageDuration", **_filled({"dpv:hasDuration": kept and duration(kept)}), **words}
    ]
    places = told.storage_locations
    return [*found, {"@type": "dpv:StorageLocation", "dpv:hasLocation": list(places)}] if places else found


def _controls(evidence: Evidence, names: Names) -> dict[str, Any]:
    """How to withdraw, and which rights the basis gives (GDPR Art. 7(3), 15 to 22)."""
    basis = evidence.purpose["basis"]
    found: dict[str, Any] = {}
    if basis == rules.CONSENT:
        found["dpv:hasConsentControl"] = {
            "@type": "dpv:WithdrawConsent",
            "dpv:isExercisedAt": f"{names.issuer}/privacy/services/{evidence.record['client_id']}",
        }
    found["dpv:hasRight"] = [
        {
            "@type": ["dpv:DataSubjectRight", f"eu-gdpr:A{right.article.replace('(', '-').rstrip(')')}"],
            "dpv:isExercisedAt": f"{names.issuer}/privacy/rights",
        }
        for right in rules.rights_for(basis)
    ]
    return found


def _notice(evidence: Evidence) -> dict[str, Any]:
    notice, record = evidence.notice, evidence.record
    is_consent = evidence.purpose["basis"] == rules.CONSENT
    return {
        "@id": f"urn:sha256:{record['notice_hash']}",
        "@type": "dpv:ConsentNotice" if is_consent else "dpv:PrivacyNotice",
        "dct:identifier": record["notice_hash"],
        "dct:hasVersion": str(notice["version"]),
        "dct:language": notice["language"],
        "dct:issued": moment(notice["published_at"]),
        "dct:title": notice["title"],
    }


def _status(evidence: Evidence, names: Names) -> dict[str, Any]:
    record = evidence.record
    until = record.get("valid_until")
    return {
        "@type": _kinds(evidence),
        "dct:type": record["event"],
        "dpv:isIndicatedAtTime": moment(record["at"]),
        "dpv:isIndicatedBy": _actor(record["actor"], names),
        "dpv:hasIndicationMethod": record["control"],
        "dct:language": record["language"],
        "dct:valid": f"{moment(record['at'])}/{moment(until)}" if until else "until it is withdrawn or ends",
        "dct:provenance": json.loads(record["authentication"]),
    }


def _actor(actor: str, names: Names) -> str:
    return names.issuer if actor == "town" else _ACTORS.get(actor, f"urn:denizen:actor:{actor}")


def _kinds(evidence: Evidence) -> list[str]:
    """The state of consent after the event, and how it was expressed, in DPV's words."""
    record = evidence.record
    state = f"dpv:{rules.dpv_state(record['event'])}"
    if evidence.purpose["basis"] != rules.CONSENT:
        return [state]
    ticked = bool(set(listed(record, "claims_chosen")) & set(asked_of(evidence).optional_claims))
    return [state, f"dpv:{rules.event_type(record['event'], record['control'], ticked=ticked)}Consent"]


def _party(party: Party, role: str) -> dict[str, Any]:
    contacts = [one for one in (party.contact, party.url, party.email, party.phone) if one]
    return {
        "@type": role,
        "dpv:hasName": party.name,
        **_filled({"dpv:hasAddress": party.address, "dpv:hasContact": contacts}),
        "dct:type": party.type,
    }


def _authority(told: Processing) -> dict[str, Any] | None:
    return _party(told.authority, "dpv:DataProtectionAuthority") if told.authority else None


def asked_of(evidence: Evidence) -> Asked:
    """Which data the notice asked for, and the times it named; a notice that says neither means the purpose's own."""
    terms, purpose = evidence.notice.get("terms"), evidence.purpose
    if terms is not None:
        return asked_from(json.loads(terms))
    required, optional = (tuple(listed(purpose, f"{which}_claims")) for which in ("required", "optional"))
    return Asked(required, optional, purpose["retention_for"], purpose.get("valid_for"))


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items() if value
    }


def paper_claims(evidence: Evidence, uid: str, names: Names, *, opening: str, created: int) -> dict[str, Any]:
    """The least that proves a receipt on paper: the row, what opens its leaf, and two names for whoever reads it."""
    return {
        "iss": names.issuer,
        "iat": created,
        "jti": uid,
        "service": names.service,
        "title": evidence.notice["title"],
        "record": dict(evidence.record),
        "opening": opening,
    }
