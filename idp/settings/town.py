"""`[town]`: how the town shows itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from idp.settings.section import Section, check_mailbox

LANGUAGES: tuple[Literal["en", "fr"], ...] = ("en", "fr")


class TownSettings(Section):
    """How the town shows itself."""

    name: str = Field(min_length=1, max_length=80, description="Name of the town as residents know it.")
    colour: str = Field("#0b6e4f", pattern=r"^#[0-9a-fA-F]{6}$", description="Main colour, as #rrggbb.")
    crest: str = Field("", description="Address path of the crest image; empty: a plain shield.")
    contact_email: str = Field(description="Where residents turn when something does not work.")
    languages: tuple[Literal["en", "fr"], ...] = Field(
        LANGUAGES, min_length=1, description="Languages offered, the first one by default."
    )
    time_zone: str = Field("UTC", description="Time zone in which residents and staff read times.")

    _mailbox = field_validator("contact_email")(check_mailbox)

    @field_validator("time_zone")
    @classmethod
    def _check_zone(cls, value: str) -> str:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("no such time zone; write one such as Europe/Paris") from error
        return value
