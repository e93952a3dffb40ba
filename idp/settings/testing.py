"""`[testing]`: switches for unattended runs on this machine or in a closed network."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it

from pydantic import Field, field_validator

from idp.settings.section import Section

_LEAST_SECRET = 32


class TestingSettings(Section):
    """Switches for unattended conformance runs; refused with a public address of the town."""

    enabled: bool = Field(False, description="Lifts throttles for conformance runs on this machine.")
    allow_loopback: bool = Field(
        False,
        description="Lets Denizen fetch from this machine itself, by plain http as well, and lets implicit clients be there.",
    )
    allow_private: bool = Field(
        False, description="Lets Denizen fetch from private networks, such as that of a container beside it."
    )
    extra_ca: Path | None = Field(
        None,
        description="File with one more certificate authority that Denizen believes when it fetches (PEM).",
    )
    purpose_for_registered: bool = Field(
        False,
        description="Declares a purpose with every claim for each client that registers with a token.",
    )
    hook_secret: str = Field(
        "",
        description="Bearer token for `POST /testing/rotate-keys`, which turns the signing keys at once; with it, `GET /testing/resource` answers whoever brings a live token. Empty: there are no such addresses.",
    )

    @field_validator("hook_secret")
    @classmethod
    def _check_secret(cls, value: str) -> str:
        if value and len(value) < _LEAST_SECRET:
            raise ValueError(f"take at least {_LEAST_SECRET} characters")
        return value

    @property
    def is_off(self) -> bool:
        """Whether nothing is switched on."""
        return not any(self.model_dump().values())
