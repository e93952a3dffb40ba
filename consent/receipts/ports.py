"""What the host hands to receipts besides :class:`consent.ports.Ports`: names, a signature, and paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import current_app

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Flask


class NoPaper(Exception):
    """No PDF can be made just now; trying again later may help."""


@dataclass(frozen=True, slots=True)
class ReceiptPorts:
    """The host's side. ``service_key`` is the 32-byte log key of what concerns no resident."""

    issuer: str
    town: str
    service_key: bytes
    sign: Callable[[Any, Mapping[str, Any], str], str]
    """A compact JWS by the key that signs receipts now: connection, payload and ``typ``."""
    pdf: Callable[[Mapping[str, Any], str], bytes]
    """A PDF of what :mod:`consent.receipts.words` says, in a language. Raises :class:`NoPaper`."""


def init_app(app: Flask, ports: ReceiptPorts) -> None:
    """Give ``app`` its ports; the blueprint is :data:`consent.receipts.views.bp`."""
    app.extensions["consent.receipts"] = ports


def receipt_ports() -> ReceiptPorts:
    """The ports of the app at work."""
    ports = current_app.extensions["consent.receipts"]
    assert isinstance(ports, ReceiptPorts)
    return ports
