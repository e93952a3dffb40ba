"""Which addresses a fetch may go to: public unicast ones, and no disguise of any other (K17); pure.

The lists follow the IANA special-purpose registries (RFC 6890 and what was added since). IPv6 is allowed by
exception: only global unicast, and of that nothing with an IPv4 address inside but NAT64's, which is judged by it.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_CLOSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; one cloud's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # another cloud's own services, at a public address
        "169.254.0.0/16",  # link-local; most clouds' metadata service
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # documentation, here and twice below
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, among them Teredo
        "2001:db8::/32",  # documentation, here and below
        "2002::/16",  # 6to4
        "3fff::/20",
    )
)
_PRIVATE_V4 = tuple(IPv4Network(network) for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_PRIVATE_V6 = IPv6Network("fc00::/7")
_NAT64 = IPv6Network("64:ff9b::/96")
_V4_BITS = 0xFFFFFFFF

_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
#: A last label that some parsers read as a number: 2130706433, 127.1, 0x7f.1 (WHATWG URL §3.5).
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)")


def is_host(host: str) -> bool:
    """Whether a host is a plain address or a plain name: lower case, no final dot, no number in disguise."""
    try:
        return "%" not in host and str(ip_address(host)) == host
    except ValueError:
        return _NAME.fullmatch(host) is not None and _ENDS_IN_NUMBER.fullmatch(host) is None


def is_public(address: str) -> bool:
    """Whether an address is one that anybody on the Internet could reach."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        return _is_public_v6(parsed)
    return not any(parsed in network for network in _CLOSED_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return is_public(str(IPv4Address(int(address) & _V4_BITS)))
    return address in _GLOBAL_V6 and not any(address in network for network in _CLOSED_V6)


def is_private_address(address: str) -> bool:
    """Whether an address is of a private network (RFC 1918, RFC 4193), undisguised."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        return parsed.scope_id is None and parsed in _PRIVATE_V6
    return any(parsed in network for network in _PRIVATE_V4)


def is_loopback_address(address: str) -> bool:
    """Whether an address is this machine itself, undisguised."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return parsed == IPv6Address("::1") or (isinstance(parsed, IPv4Address) and parsed.is_loopback)
