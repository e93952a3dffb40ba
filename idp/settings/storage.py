"""`[database]` and `[keys]`: where the data lives, and what opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from idp.settings.section import Seconds, Section


class DatabaseSettings(Section):
    """Where the data lives."""

    url: str = Field(
        "sqlite:///denizen.sqlite",
        description="sqlite:///PATH for one machine, or postgresql://USER:PASSWORD@HOST/NAME.",
    )
    wait_for: int = Field(
        5,
        ge=1,
        le=300,
        description="Seconds a request waits for one answer of PostgreSQL; then it ends with 503. Half as long for a lock, twelve times for staff; jobs and commands wait as long as it takes.",
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if value.startswith("postgresql://"):
            return "postgresql+psycopg://" + value.removeprefix("postgresql://")
        if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("write sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME")
        return value


class KeySettings(Section):
    """The key file, and how long a signing key lives."""

    file: Path = Field(Path("denizen.key"), description="The key file that `denizen init` makes.")
    publish_for: Seconds = Field(86_400, description="Seconds a signing key is published before it signs.")
    sign_for: Seconds = Field(30 * 86_400, description="Seconds a signing key signs.")
    keep_for: Seconds = Field(7 * 86_400, description="Seconds a key stays published after it signed last.")
    algorithms: tuple[Literal["RS256", "ES256", "PS256", "EdDSA"], ...] = Field(
        ("RS256", "ES256"),
        description="What tokens can be signed with; RS256 and ES256 are always among it, EdDSA is Ed25519.",
    )

    @field_validator("algorithms")
    @classmethod
    def _check_algorithms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not {"RS256", "ES256"}.issubset(value) or len(set(value)) != len(value):
            raise ValueError("name each algorithm once, RS256 and ES256 among them: clients rely on both")
        return value
