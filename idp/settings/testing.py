"""`[testing]`: switches for unattended runs on this machine."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it

from pydantic import Field

from idp.settings.section import Section


class TestingSettings(Section):
    """Switches for unattended conformance runs; refused with a public issuer."""

    enabled: bool = Field(False, description="Lifts throttles for conformance runs on this machine.")
    allow_loopback: bool = Field(
        False, description="Lets Denizen fetch from this machine itself, by plain http as well."
    )
    extra_ca: Path | None = Field(
        None,
        description="File with one more certificate authority that Denizen believes when it fetches (PEM).",
    )

    @property
    def is_off(self) -> bool:
        """Whether nothing is switched on."""
        return not (self.enabled or self.allow_loopback or self.extra_ca)
