"""`[consent]`: what partners owe once a resident has decided."""

from __future__ import annotations

from pydantic import Field

from idp.settings.section import Section


class ConsentSettings(Section):
    """Confirmations; durations in seconds."""

    confirm_within: int = Field(
        14 * 86_400,
        ge=3600,
        description="A partner must confirm within this time what it did about a withdrawal.",
    )
