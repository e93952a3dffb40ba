"""`[database]` and `[keys]`: where the data lives, and what opens it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from idp.settings.section import Seconds, Section


class DatabaseSettings(Section):
    """Where the data lives."""

    url: str = Field(
        "sqlite:///denizen.sqlite",
        description="sqlite:///PATH for one machine, or postgresql://USER:PASSWORD@HOST/NAME.",
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
