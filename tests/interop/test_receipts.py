"""Receipts in the hands of software that others wrote: jose verifies the signature with the published keys."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from idp.upkeep import integrate_log
from tests.interop.scripts import HERE, need
from tests.support.town import ISSUER, Proof

if TYPE_CHECKING:
    from tests.support.town import Town


def read_by_jose(**order: Any) -> dict[str, Any]:
    done = subprocess.run(
        ["node", "receipt.mjs"], cwd=HERE, input=json.dumps(order), capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_jose_verifies_a_receipt_with_the_published_keys(town: Town) -> None:
    """RFC 7515, RFC 7517: the extra members of the key set disturb nobody, and a changed text is refused."""
    need("jose")
    browser = town.browser()
    browser.code(town.library, town.maria, "openid profile email", Proof())
    integrate_log(town.context, now=int(town.clock()))
    with town.context.database.reading() as session:
        uid = bytes(
            session.execute(text("SELECT uid FROM consent_record ORDER BY id DESC")).scalars().first()
        )
    jws = browser.get(f"/privacy/receipts/{uid.hex()}.jwt").text.strip()
    jwks = town.app.test_client().get("/receipts/jwks", base_url=ISSUER).json
    found = read_by_jose(jws=jws, jwks=jwks, typ="consent-receipt+jwt")
    assert found["payload"]["@type"] == "dpv:ConsentReceipt"
    assert found["payload"]["jti"] == uid.hex()
    header, payload, signature = jws.split(".")
    changed = f"{header}.{payload[:-4]}AAAA.{signature}"
    assert read_by_jose(jws=changed, jwks=jwks, typ="consent-receipt+jwt") == {
        "problem": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"
    }
