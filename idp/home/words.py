"""How a session is told to its resident: how they signed in, how safe that was, from where."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from flask_babel import gettext

if TYPE_CHECKING:
    from idp.login.models import BrowserSession

_SEPARATOR = " + "


def level_name(acr: str) -> str:
    """What a page calls a level."""
    names = {
        "basic": gettext("Simple sign-in"),
        "strong": gettext("Safer sign-in"),
        "phr": gettext("Safest sign-in"),
    }
    return str(names.get(acr, acr))


def how_signed_in(amr: str) -> str:
    """The methods of a session (RFC 8176) in words, joined; what is not known to us came from another provider."""
    said = set(amr.split())
    names = {
        "swk": gettext("passkey"),
        "hwk": gettext("passkey"),
        "pin": gettext("card of the town"),
        "pwd": gettext("password"),
        "otp": gettext("one-time code"),
        "sms": gettext("code by text message"),
    }
    found = dict.fromkeys(str(name) for value, name in names.items() if value in said)
    return _SEPARATOR.join(found) or str(gettext("another digital identity"))


def place_name(one: BrowserSession, block: str) -> str:
    """Where a session began: a shared computer, or the network, as far as we keep it; "" when we know nothing."""
    if one.is_shared:
        return str(gettext("a shared computer"))
    if not block:
        return ""
    network = ip_network(block)
    start = str(network.network_address)
    short = start.rpartition(".")[0] + ".*" if network.version == 4 else start.rstrip(":") + ":*"  # noqa: PLR2004
    return str(gettext("network %(block)s", block=short))
