"""How a session is told to its resident: how they signed in, how safe that was, from where."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from flask_babel import gettext

from idp.login.levels import Method

if TYPE_CHECKING:
    from collections.abc import Iterable

    from idp.login.levels import Proof
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


def how_signed_in(proofs: Iterable[Proof]) -> str:
    """What was proved for a session, in words, joined. Its amr does not tell: a provider upstream says `pin`, too."""
    code, elsewhere = gettext("one-time code"), gettext("another digital identity")
    names = {
        Method.PASSKEY: gettext("passkey"),
        Method.CARD: gettext("card of the town"),
        Method.PASSWORD: gettext("password"),
        Method.SMS_CODE: gettext("code by text message"),
        Method.UPSTREAM: elsewhere,
    }
    return _SEPARATOR.join(dict.fromkeys(names.get(proof.method, code) for proof in proofs)) or elsewhere


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
