"""`[tokens]`: how long what partners hold is good."""

from __future__ import annotations

from pydantic import Field

from idp.settings.section import Section


class TokenSettings(Section):
    """Lifetimes of what partners hold, in seconds."""

    code_for: int = Field(
        60, ge=5, le=60, description="Life of an authorization code (FAPI 2.0: at most 60)."
    )
    device_for: int = Field(
        600, ge=60, le=1800, description="Life of the codes of a device without a keyboard."
    )
    access_for: int = Field(600, ge=60, le=86_400, description="Life of an access token.")
    id_token_for: int = Field(600, ge=60, le=86_400, description="Life of an ID token.")
    dpop_nonce: bool = Field(
        False, description="Whether every DPoP proof must carry a nonce that Denizen gave out."
    )
    refresh_for: int = Field(30 * 86_400, ge=600, description="Life of a refresh token family, from sign-in.")
