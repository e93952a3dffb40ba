"""`[log]`: who watches that the town's log only grows."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from idp.settings.section import Section, is_loopback


class Witness(Section):
    """Somebody who cosigns the town's checkpoints, `[[log.witnesses]]`."""

    name: str = Field(description="Short name in the published policy: no spaces.")
    url: str = Field(
        description="Address before /add-checkpoint, beginning with https:// unless on this machine."
    )
    vkey: str = Field(description="Its verifier key, as `denizen witness init` there printed it.")

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if not re.fullmatch(r"[^\s#][^\s]{0,63}", value) or not value.isprintable() or value == "none":
            raise ValueError("use up to 64 characters without spaces, and not the word none")
        return value

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(value))
        if not is_safe or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError("write an address that begins with https://")
        return value.rstrip("/")

    @field_validator("vkey")
    @classmethod
    def _check_vkey(cls, value: str) -> str:
        from consent.log.verifiers import COSIGNATURES, parse_verifier

        if parse_verifier(value).type not in COSIGNATURES:
            raise ValueError("this is the key of a log, not of a witness")
        return value

    @property
    def key_name(self) -> str:
        """The name in its key: it stands before its cosignatures."""
        return self.vkey.partition("+")[0]


class LogSettings(Section):
    """Who watches that the town's log only grows."""

    witnesses: tuple[Witness, ...] = Field(
        (), description="Who cosigns checkpoints, each a [[log.witnesses]] with the settings below."
    )
    quorum: int = Field(
        1,
        ge=1,
        le=32,
        description="How many of them must have cosigned a checkpoint, says the published policy.",
    )

    @model_validator(mode="after")
    def _check_quorum(self) -> LogSettings:
        if self.witnesses and self.quorum > len(self.witnesses):
            raise ValueError(f"quorum is {self.quorum}, and there are only {len(self.witnesses)} witnesses")
        for what, values in (
            ("name", [one.name for one in self.witnesses]),
            ("key", [one.key_name for one in self.witnesses]),
        ):
            if len(set(values)) < len(values):
                raise ValueError(f"two witnesses have the same {what}")
        return self
