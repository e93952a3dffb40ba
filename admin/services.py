"""What services and their partners are called on the staff pages: also those that are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import current_app

if TYPE_CHECKING:
    from flask import Flask

    from idp.clients.registry import ClientRegistry

_NAME = "denizen.officer"


def keep_registry(app: Flask, clients: ClientRegistry) -> None:
    """Let the views of `app` find its registry."""
    app.extensions[_NAME] = clients


def registry() -> ClientRegistry:
    """The registry of this app."""
    found: ClientRegistry = current_app.extensions[_NAME]
    return found


def names_of(client_id: str) -> tuple[str, str]:
    """What a service is called, and who runs it; empty where nobody is known."""
    service, partner = registry().name_of(client_id)
    return service, partner


def service_name(client_id: str) -> str:
    """What a service is called."""
    return names_of(client_id)[0]


def partner_name(client_id: str) -> str:
    """Who runs a service; the service's own name where nobody is known."""
    service, partner = names_of(client_id)
    return partner or service
