"""The resident of a conformance run: somebody who has every standard claim (OIDC Core §5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from admin.sandbox.passphrases import new_passphrase
from idp.accounts.service import NewResident, create_resident, set_attribute
from idp.login.passwords import Passwords, set_password

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.web.context import Context

USERNAME: Final = "buffy"
EMAIL: Final = "buffy@riverton.example"
CLAIMS: Final[dict[str, Any]] = {
    "given_name": "Buffy",
    "family_name": "Okonkwo",
    "middle_name": "Anne",
    "nickname": "Bee",
    "preferred_username": USERNAME,
    "profile": "https://riverton.example/people/buffy",
    "picture": "https://riverton.example/people/buffy.png",
    "website": "https://buffy.riverton.example/",
    "gender": "female",
    "birthdate": "1981-01-19",
    "zoneinfo": "Europe/Paris",
    "locale": "en-GB",
    "phone_number": "+15550142",
    "address": {
        "formatted": "12 Bridge Street\n40110 Riverton",
        "street_address": "12 Bridge Street",
        "locality": "Riverton",
        "postal_code": "40110",
        "country": "Utopia",
    },
}


def add_resident(session: Session, context: Context, *, now: int) -> dict[str, Any]:
    """Add the resident; with what they sign in, and what there is to know about them."""
    vault = context.vault
    resident = create_resident(session, vault, NewResident("en", {}, EMAIL, USERNAME), now=now)
    assert resident.data_key is not None
    data_key = vault.open_data_key(resident.data_key)
    for name, value in CLAIMS.items():
        set_attribute(session, data_key, resident, name, value, source="register", verified_at=now, now=now)
    password = new_passphrase()
    passwords = Passwords(context.settings.passwords, vault.subkey("password-pepper"))
    set_password(session, passwords, resident.id, password, now=now)
    return {"username": USERNAME, "password": password, "claims": {**CLAIMS, "email": EMAIL}}
