"""`[accounts]`: how long people may take, and when an account ends."""

from __future__ import annotations

from pydantic import Field, field_validator

from idp.settings.section import Section

_DAY = 86_400


class AccountSettings(Section):
    """Contact points, recovery and the end of accounts; durations in seconds."""

    country: str = Field(
        "",
        pattern=r"^([A-Z]{2})?$",
        description="Two-letter country of phone numbers typed without +; empty: every number needs its +.",
    )
    contact_change_wait_for: int = Field(
        72 * 3600,
        ge=3600,
        description="The former sign-in address may stop a change of it for this long.",
    )
    recovery_wait_for: int = Field(
        72 * 3600,
        ge=3600,
        description="After a trusted person has confirmed, the owner may stop a recovery for this long.",
    )
    letter_code_for: int = Field(
        21 * _DAY, ge=7 * _DAY, description="A code sent by post works for this long."
    )
    letter_pause_for: int = Field(
        _DAY, ge=_DAY, description="Two letters to one resident are at least this far apart."
    )
    not_me_for: int = Field(
        14 * _DAY, ge=_DAY, description='The "This wasn\'t me" link in a notice works for this long.'
    )
    close_grace_for: int = Field(
        30 * _DAY, ge=_DAY, description="A resident may keep an account this long after closing it."
    )
    close_reminder_for: int = Field(
        3 * _DAY, ge=3600, description="They are reminded this long before it is closed for good."
    )
    dormant_after: int = Field(
        730 * _DAY,
        ge=0,
        description="An account without a sign-in for this long is dormant and will be closed; 0: never.",
    )
    dormant_notice_for: int = Field(
        30 * _DAY,
        ge=_DAY,
        description="Time between the two warnings to a dormant account, and then its end.",
    )

    @field_validator("country")
    @classmethod
    def _check_country(cls, value: str) -> str:
        from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

        if value and not any(value in regions for regions in COUNTRY_CODE_TO_REGION_CODE.values()):
            raise ValueError("no such country; write two capital letters such as FR")
        return value
