"""A receipt of a town with the tables of consent alone, on both engines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from joserfc.jwk import ECKey

from consent.purposes import Asked, Party, Processing, declare_purpose, publish_notice
from consent.receipts import rules, service
from consent.receipts.signed import PAPER, RECEIPT
from consent.receipts.verifying import Keys, Verdict, verify
from keys.signing import Signer
from tests.consent.town import HOUR, NOW, SERVICE_KEY, Town, key_of, words

if TYPE_CHECKING:
    from collections.abc import Mapping

ISSUER = "https://riverton.example"
NAMES = rules.Names(ISSUER, "Riverton", "Street reports", "Roads office")
CREATED = NOW + 2 * HOUR
PROCESSING = Processing(
    controllers=(Party("Town of Riverton", "1 Main Street", "privacy@riverton.example", "public_authority"),),
    storage_locations=("Riverton",),
    processing_locations=("Riverton",),
    jurisdiction="IE",
    recipients=("Roads office",),
    collection_method="from the person",
    processing_method="by hand",
    geographic_restrictions=("European Union",),
    codes_of_conduct=("EU Cloud Code of Conduct",),
    impact_assessment="https://riverton.example/dpia",
    authority=Party("Data Protection Commission", "Dublin", "info@dpc.example", "public_authority"),
)


class SigningKey:
    """A key for receipts, as a town has one."""

    def __init__(self, kid: str = "r1") -> None:
        private = generate_private_key(SECP256R1())
        self.signer = Signer(kid, "ES256", private)
        public: Any = ECKey.import_key(private.public_key()).as_dict(private=False)
        self.jwk: dict[str, Any] = {**public, "kid": kid, "alg": "ES256", "use": "sig", "iat": NOW - HOUR}

    def sign(self, claims: Mapping[str, Any], typ: str = RECEIPT) -> bytes:
        return self.signer.sign(claims, typ).encode()


@dataclass
class Desk:
    """Where receipts are made and checked."""

    town: Town
    key: SigningKey
    uid: bytes

    def make(self, **changed: Any) -> service.Receipt | None:
        values: dict[str, Any] = {
            "resident_id": "r1",
            "log_key": key_of("r1"),
            "service_key": SERVICE_KEY,
            "names_of": lambda _client_id: NAMES,
            "now": CREATED,
        }
        return service.make(self.town.connection, self.uid, **values | changed)

    @property
    def receipt(self) -> service.Receipt:
        found = self.make()
        assert found is not None
        return found

    @property
    def keys(self) -> Keys:
        return Keys((self.key.jwk,), (self.town.signer.vkey,), issuer=ISSUER)

    def jwt(self) -> bytes:
        return self.key.sign(self.receipt.claims)

    def json(self) -> bytes:
        return service.file_of(self.receipt.claims, self.jwt().decode())

    def paper(self) -> bytes:
        return self.key.sign(self.receipt.paper, PAPER)

    def check(self, content: bytes, **changed: Any) -> Verdict:
        return verify(content, replace(self.keys, **changed))


@pytest.fixture
def desk(town: Town) -> Desk:
    """A resident agreed to the district and not to the e-mail address, under a notice with all its facts."""
    purpose_id = declare_purpose(
        town.connection,
        log_key=SERVICE_KEY,
        client_id="reports",
        key="reports",
        basis="consent",
        required_claims=["district"],
        optional_claims=["email"],
        retention_for=365 * 86_400,
        now=town.now,
    )
    publish_notice(
        town.connection,
        log_key=SERVICE_KEY,
        purpose_id=purpose_id,
        texts={"en": words()},
        material=True,
        processing=PROCESSING,
        asked=Asked(("district",), ("email",), 365 * 86_400, None),
        now=town.now,
    )
    town.now += HOUR
    uid = town.event(purpose_id, claims_offered=["district", "email"], claims_chosen=["district"])
    assert town.integrate()
    return Desk(town, SigningKey(), uid)
