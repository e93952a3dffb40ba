"""What the FAPI 2.0 plans accept as a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conformance.transport import Got


def assert_refused(got: Got, *errors: str) -> None:
    """One of these errors, by 400; invalid_client by 401."""
    assert got.json["error"] in errors, got.text
    assert got.status == (401 if got.json["error"] == "invalid_client" else 400)
    assert '"' not in got.json["error_description"]


def assert_not_pushed(got: Got, *errors: str) -> None:
    """Refused at the endpoint for pushed requests, with one of these errors."""
    assert got.status in ({401} if got.json["error"] == "invalid_client" else {400}), got.text
    assert got.json["error"] in errors
