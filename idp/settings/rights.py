"""`[rights]` and `[retention]`: the calendar of requests, where one complains, and what is kept although it is to be erased."""

from __future__ import annotations

from datetime import date

from pydantic import Field, field_validator

from idp.settings.section import Section

_DAY = 86_400
_LEAP_YEAR = 2024


class RightsSettings(Section):
    """Requests under GDPR Art. 15 to 21."""

    holidays: tuple[str, ...] = Field(
        (),
        description="Public holidays, on which no time limit ends: 2026-04-06 for one day, 12-25 for every year.",
    )
    soon_for: int = Field(
        7 * _DAY, ge=0, description="Seconds before its last day from which a request stands in amber."
    )
    authority_name: str = Field(
        "", max_length=200, description="The supervisory authority with which residents may complain."
    )
    authority_contact: str = Field(
        "",
        max_length=400,
        description="How it is reached: postal address, telephone number, address on the web.",
    )

    @field_validator("holidays")
    @classmethod
    def _check_holidays(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                date.fromisoformat(one if len(one) > len("12-25") else f"{_LEAP_YEAR}-{one}")
            except ValueError as error:
                raise ValueError(f"{one} is no day; write 2026-04-06 or 12-25") from error
        return value


class Kept(Section):
    """One kind of data that a law keeps although its resident wants it erased."""

    what: str = Field(min_length=1, max_length=200, description="What is kept, in words that residents read.")
    reason: str = Field(min_length=1, max_length=400, description="The law or duty for which it is kept.")
    keep_for: int = Field(gt=0, description="Seconds for which it is kept after the erasure.")


class RetentionSettings(Section):
    """What outlives an erasure, why, and until when."""

    requests_for: int = Field(
        5 * 365 * _DAY,
        ge=_DAY,
        description="A request and its steps are kept this long after its end, unreadable once the account is erased.",
    )
    backups_for: int = Field(
        35 * _DAY,
        ge=0,
        description="The oldest backup is at most this old; until then it holds what was erased.",
    )
    kept: tuple[Kept, ...] = Field(
        (), description="What else the town must keep; each with what, reason and keep_for."
    )
