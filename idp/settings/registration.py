"""`[registration]`: who may register clients over HTTP."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it
from typing import Literal

from pydantic import Field

from idp.settings.section import Section


class StatementIssuer(Section):
    """Somebody who vouches for software, `[[registration.statement_issuers]]`."""

    issuer: str = Field(min_length=1, description="Its name as its statements have it (iss).")
    jwks_file: Path = Field(description="File with its public keys (JSON Web Key Set).")


class RegistrationSettings(Section):
    """Who may register clients over HTTP (RFC 7591); whatever is registered stays as it is when this changes."""

    mode: Literal["closed", "token", "open"] = Field(
        "closed",
        description="closed: nobody; token: who holds a token of `denizen client token`; open: anybody, without personal data until approved.",
    )
    profile: Literal["standard", "fapi2", "fapi2-signed", "legacy"] = Field(
        "standard", description="Security profile of clients that register without a token."
    )
    per_source: int = Field(
        20, ge=1, description="Registrations that one network address may try in an hour without a token."
    )
    per_town: int = Field(200, ge=1, description="Registrations without a token in an hour, in all.")
    statement_issuers: tuple[StatementIssuer, ...] = Field(
        (),
        description="Whose software statements count, each a [[registration.statement_issuers]] with the settings below.",
    )
