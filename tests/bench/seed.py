"""Fills a migrated town with the benchmark's residents and clients, through the product's own services.

Run as `python -m tests.bench.seed SETTINGS`, it prints the clients' secrets as JSON, by client id.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from joserfc.jwk import ECKey

from consent.purposes import NoticeText, declare_purpose, publish_notice
from idp.accounts.service import NewResident, create_resident
from idp.clients.metadata import Details
from idp.clients.service import NewClient, add_partner, register_client
from idp.db import Database
from idp.login.passwords import Passwords, set_password
from idp.settings import load
from keys.envelope import load_key_file, open_vault
from tests.bench.target import PARTNERS, REDIRECT_URI, Partner, Resident, claims_of, email_of, residents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from keys.envelope import Vault

#: What the scopes of LIBRARY release.
RELEASED = ("name", "given_name", "family_name", "birthdate", "email")


def seed(config_path: Path, people: Sequence[Resident], partners: Sequence[Partner]) -> dict[str, str]:
    """Add residents with passwords, and clients with what they may ask for.

    Returns the clients' secrets by client id; of one that proves itself with a key, its private JWK.
    """
    settings, now = load(config_path), int(time.time())
    database = Database(settings.database.url)
    try:
        with database.transaction() as session:
            vault = open_vault(session, load_key_file(settings.keys.file), now=now)
            passwords = Passwords(settings.passwords, vault.subkey("password-pepper"))
            for resident in people:
                _add_resident(session, vault, passwords, resident, now=now)
            log_key = vault.subkey("log")
            return {
                partner.client_id: _add_client(session, partner, log_key, now=now) for partner in partners
            }
    finally:
        database.close()


def _add_resident(
    session: Session, vault: Vault, passwords: Passwords, resident: Resident, *, now: int
) -> None:
    new = NewResident(
        language="en",
        # We make the full name of its parts.
        attributes={name: value for name, value in claims_of(resident).items() if name != "name"},
        email=email_of(resident),
        username=resident.username,
    )
    kept = create_resident(session, vault, new, now=now)
    set_password(session, passwords, kept.id, resident.password, now=now)


def _add_client(session: Session, partner: Partner, log_key: bytes, *, now: int) -> str:
    signs_in = "authorization_code" in partner.grants
    new = NewClient(
        name=partner.client_id,
        client_id=partner.client_id,
        redirect_uris=(REDIRECT_URI,) if signs_in else (),
        grant_types=partner.grants,
        scopes=partner.scope.split(),
    )
    key = ECKey.generate_key("P-256", {"kid": partner.client_id}) if partner.is_fapi else None
    if key is not None:
        details = Details(jwks={"keys": [key.as_dict(private=False)]}, dpop_bound_access_tokens=True)
        new = replace(new, profile="fapi2", token_endpoint_auth_method="private_key_jwt", details=details)
    secret = register_client(session, add_partner(session, "Riverton bench", now=now), new, now=now)
    if signs_in:
        _add_purpose(session, partner, log_key, now=now)
    return json.dumps(key.as_dict(private=True)) if key is not None else secret or ""


def _add_purpose(session: Session, partner: Partner, log_key: bytes, *, now: int) -> None:
    """A purpose by consent with its notice, so that the first sign-in passes the release page."""
    purpose_id = declare_purpose(
        session,
        log_key=log_key,
        client_id=partner.client_id,
        key="account",
        basis="consent",
        required_claims=RELEASED if "profile" in partner.scope else (),
        now=now,
    )
    text = NoticeText(
        title="Your account",
        why="So that the service knows who you are.",
        retention_text="As long as you use the service.",
        recipients="Nobody else.",
    )
    publish_notice(
        session, log_key=log_key, purpose_id=purpose_id, texts={"en": text}, material=True, now=now
    )


if __name__ == "__main__":
    print(json.dumps(seed(Path(sys.argv[1]), residents(), PARTNERS)))
