"""What the web server in front says of a request, under which names, and who may say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def headers_of_proxy(secret: str) -> tuple[str, str, str]:
    """Where a request's environment has what the proxy says: the source, the certificate and its chain.

    WSGI reads `Client_Cert` as `Client-Cert`, and of the two only one is left, so that a client could write what the
    proxy is to say by the spelling that the proxy lets through. It cannot write a name that it does not know.
    """
    end = f"_{secret.upper()}" if secret else ""
    return f"HTTP_X_FORWARDED_FOR{end}", f"HTTP_CLIENT_CERT{end}", f"HTTP_CLIENT_CERT_CHAIN{end}"


def source_named(forwarded: str) -> str:
    """The address that the nearest proxy names, the last of the list; without the port that some write as well."""
    last = forwarded.rpartition(",")[2].strip()
    if last.startswith("["):
        return last[1:].partition("]")[0]
    return last.partition(":")[0] if last.count(":") == 1 else last


def spellings_of(addresses: Iterable[str]) -> Iterator[str]:
    """As the server may name these peers: one that listens for IPv6 names IPv4 ones by an address around theirs."""
    for one in addresses:
        yield one
        if "." in one:
            yield f"::ffff:{one}"
