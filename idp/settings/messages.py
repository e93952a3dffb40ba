"""`[messages]`: quiet hours and limits, for mail and text messages alike."""

from __future__ import annotations

from pydantic import Field

from idp.settings.section import Section


class MessageSettings(Section):
    """Quiet hours and limits, for mail and text messages alike."""

    quiet_from: int = Field(
        21, ge=0, le=23, description="Hour of the town's clock from which reminders wait until morning."
    )
    quiet_until: int = Field(
        8,
        ge=0,
        le=23,
        description="Hour at which reminders leave again; the same as quiet_from: no quiet hours.",
    )
    codes_per_ten_minutes: int = Field(
        3,
        ge=1,
        le=100,
        description="Messages with a code or link that one address gets in ten minutes at most, for each resident reached there; as many again that no stranger asked for.",
    )
    codes_per_day: int = Field(
        10,
        ge=1,
        le=1000,
        description="Messages with a code or link that one address gets in a day at most, for each resident reached there; as many again that no stranger asked for.",
    )
