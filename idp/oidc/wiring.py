"""How the protocol's pages find their provider, and what the layers below are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import current_app

if TYPE_CHECKING:
    from idp.oidc.provider import Provider


def provider() -> Provider:
    """The provider of the current app."""
    found: Provider = current_app.extensions["denizen.oidc"]
    return found
