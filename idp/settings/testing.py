"""`[testing]`: switches for unattended runs on this machine."""

from __future__ import annotations

from pydantic import Field

from idp.settings.section import Section


class TestingSettings(Section):
    """Switches for unattended conformance runs; refused with a public issuer."""

    enabled: bool = Field(False, description="Lifts throttles for conformance runs on this machine.")
