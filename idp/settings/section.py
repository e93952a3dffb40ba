"""What every section is, and the checks that several of them use."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[int, Field(ge=0)]
_HIGHEST_PORT = 65535
_IPV6 = 6
_USUAL_PORTS = {"https": 443, "http": 80}
#: A name as browsers and certificates have it; one whose last label is a number would be an address to them.
_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!\d+\Z|0x[0-9a-f]*\Z)"
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_PRIVATE_NETWORKS = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))


class Section(BaseModel):
    """One `[section]` of the file: frozen, and an unknown name in it is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine itself, so that plain http is harmless."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return is_address(host) and ip_address(host).is_loopback


def is_internal(url: str) -> bool:
    """Whether a URL can only name something inside: this machine, a private network, or a name nobody can own.

    What is not surely inside is outside (RFC 1918, RFC 4193, RFC 6761, and `.internal`, which is kept for this).
    """
    host = (urlsplit(url).hostname or "").lower()
    if not is_address(host):
        return host == "localhost" or host.endswith((".localhost", ".test", ".internal"))
    address = ip_address(host)
    return address.is_loopback or any(
        address.version == network.version and address in network for network in _PRIVATE_NETWORKS
    )


def is_address(host: str) -> bool:
    """Whether a host is an IP address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def check_origin(url: str) -> str:
    """An origin in its one spelling; plain http on this machine alone."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or not _has_good_port(parts.netloc):
        raise ValueError("write a full address such as https://id.example.org")
    if url != url.lower():
        raise ValueError("write the address in lower case, as browsers send it")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
        raise ValueError("write the address without path, query, fragment or user name")
    if parts.scheme == "http" and not is_loopback(url):
        raise ValueError("a public address must begin with https://")
    one = _one_spelling(parts)
    if url.rstrip("/") != one:
        raise ValueError(f"write the address as {one}, as browsers send it")
    return one


def _one_spelling(parts: SplitResult) -> str:
    """An origin as browsers write it (RFC 6454 §6.1, WHATWG URL §3.5): what is compared as text has no other spelling."""
    host = parts.hostname or ""
    if is_address(host):
        address = ip_address(host)
        if "%" in host or getattr(address, "ipv4_mapped", None):
            raise ValueError("write a plain address, without a zone and without an IPv4 address inside")
        host = f"[{address}]" if address.version == _IPV6 else str(address)
    elif not host.isascii():
        raise ValueError("write the host name as it stands in the DNS, in ASCII (xn--…)")
    elif not _NAME.fullmatch(host):
        raise ValueError("write a full address such as https://id.example.org, with the name of one host")
    port = parts.port
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, _USUAL_PORTS[parts.scheme]) else "")


def as_address(text: str) -> str:
    """An IP address in its one spelling; an IPv4 address inside an IPv6 one is that.

    Raises:
        ValueError: when it is none.
    """
    address = ip_address(text)
    return str(getattr(address, "ipv4_mapped", None) or address)


def _has_good_port(netloc: str) -> bool:
    port = re.search(r":(\d*)$", netloc)
    return netloc.endswith("]") or ":" not in netloc or (port is not None and is_port(port[1]))


def is_port(text: str) -> bool:
    """Whether a text is the number of a port."""
    return text.isascii() and text.isdigit() and 0 < int(text) <= _HIGHEST_PORT


def check_mailbox(value: str) -> str:
    """An e-mail address, with or without a name before it."""
    if not re.fullmatch(r"[^\s<>@]+@[^\s<>@]+|[^\r\n<>@]*<[^\s<>@]+@[^\s<>@]+>", value):
        raise ValueError("write an e-mail address such as help@example.org")
    return value
