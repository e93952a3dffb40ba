"""How long a session lives at each level, and how coarse its place is kept; pure."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from idp.login.levels import BASIC, STRONG

if TYPE_CHECKING:
    from idp.settings import SessionSettings

#: So coarse that an address block says no more than the provider and, at most, the quarter.
_BLOCK = {4: 24, 6: 48}


def idle_limit(settings: SessionSettings, acr: str, *, is_shared: bool) -> int:
    """Seconds without use after which a session of this level ends; an unknown level has the least."""
    if is_shared:
        return settings.shared_idle_for
    if acr == BASIC:
        return settings.idle_for
    return settings.strong_idle_for if acr == STRONG else settings.phr_idle_for


def absolute_limit(settings: SessionSettings, acr: str, *, is_shared: bool) -> int:
    """Seconds after which a session of this level ends in any case; an unknown level has the least."""
    if is_shared:
        return settings.shared_absolute_for
    if acr == BASIC:
        return settings.absolute_for
    return settings.strong_absolute_for if acr == STRONG else settings.phr_absolute_for


def block_of(address: str) -> str:
    """The block an address lies in: IPv4 /24, IPv6 /48 (RFC 6177 §2: what one site gets); "" for no address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(parsed, "ipv4_mapped", None)
    found = mapped or parsed
    return str(ip_network((found.packed, _BLOCK[found.version]), strict=False))
