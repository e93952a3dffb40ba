"""`[throttle]`: how many guesses there are, and how many passwords are checked at once."""

from __future__ import annotations

from importlib.util import find_spec

from pydantic import Field, field_validator

from idp.settings.section import Section


class ThrottleSettings(Section):
    """How many wrong guesses there are, and how many passwords are checked at the same time."""

    redis_url: str = Field(
        "",
        description="Redis or Valkey that counts guesses for several nodes, redis://HOST:PORT/NUMBER; empty: the database counts.",
    )
    per_source: int = Field(
        100, ge=10, description="Wrong guesses that one network address may make in 15 minutes."
    )
    per_town: int = Field(
        2000,
        ge=160,
        description="Wrong guesses in 15 minutes from all devices that nobody signed in with before; then those devices wait.",
    )
    hashes: int = Field(
        0,
        ge=0,
        le=256,
        description="Passwords that one server process checks at the same time; 0: as many as its share of the machine allows.",
    )
    longest_wait: int = Field(
        2,
        ge=1,
        le=30,
        description="Seconds for which a sign-in may wait for its password check; whoever would wait longer is asked to come back.",
    )

    @field_validator("redis_url")
    @classmethod
    def _check_redis(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("write redis://HOST:PORT/NUMBER, rediss:// or unix://PATH")
        if value and find_spec("redis") is None:
            raise ValueError("install the extra that speaks to it first: pip install 'denizen[redis]'")
        return value
