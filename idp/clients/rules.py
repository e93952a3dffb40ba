"""Which addresses may be registered, and which redirect URI a request may use; pure."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography.x509 import Name

from idp.web.addresses import is_host, is_public

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv4Address, IPv6Address

#: Levels of sign-in that a client may demand (`acr`), lowest first; what each is worth says `idp.login.levels`.
SIGN_IN_LEVELS = ("basic", "strong", "phr")

_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::[0-9]{1,5})?(/[!-~]*)?")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
# Whatever else a URL parser lets pass as a host would end a directive of the page policy.
_AUTHORITY = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]*)?", re.IGNORECASE)


def is_registered_redirect(unverified_uri: str, registered: Sequence[str], *, native: bool) -> bool:
    """Whether a requested redirect URI is a registered one: the same bytes (RFC 9700 §2.1).

    A native client's loopback IP address may come with any port (RFC 8252 §7.3), nothing else may vary.
    """
    if unverified_uri in registered:
        return True
    if not native:
        return False
    asked = _LOOPBACK.fullmatch(unverified_uri)
    if asked is None:
        return False
    for uri in registered:
        known = _LOOPBACK.fullmatch(uri)
        if known is not None and known.groups() == asked.groups():
            return True
    return False


def sector_of(uris: Iterable[str]) -> str | None:
    """The host that all of a client's addresses share (OIDC Core §8.1); None when there is no such host.

    Whoever is answered at an https address has its host; in a scheme of its own an app may write any host it likes. A
    resident's own machine is nobody's sector: every native app's partner would share it with all others.
    """
    found = {(parts.scheme, parts.hostname) for parts in map(urlsplit, uris)}
    scheme, host = found.pop() if len(found) == 1 else ("", None)
    return None if scheme != "https" or host in _LOCAL_HOSTS else host


def redirect_problem(uri: str, *, native: bool) -> str | None:
    """Why a redirect URI cannot be registered, in the partner's words; None when it can."""
    if not uri.isascii() or any(letter <= " " or letter in '\\"<>`*\x7f' for letter in uri):
        return "has spaces, control characters, wildcards or letters outside ASCII"
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not an address"
    if "#" in uri:
        return "has a fragment (#…)"
    if parts.username is not None or "@" in parts.netloc:
        return "has a user name"
    if host and not _AUTHORITY.fullmatch(parts.netloc):
        return "has a host that is no host name"
    is_web = (parts.scheme == "https" and host) or (parts.scheme == "http" and host in _LOCAL_HOSTS)
    is_own_scheme = native and _PRIVATE_SCHEME.fullmatch(parts.scheme)
    return None if is_web or is_own_scheme else "must begin with https://"


def is_in_the_clear(uri: str, *, native: bool) -> bool:
    """Whether what goes to a redirect URI is not encrypted; at a native client's loopback IP it never leaves (RFC 8252 §7.3)."""
    return urlsplit(uri).scheme == "http" and not (native and _LOOPBACK.fullmatch(uri))


def is_on_this_machine(uri: str) -> bool:
    """Whether an address is on the machine of whoever opens it."""
    return urlsplit(uri).hostname in _LOCAL_HOSTS


def highest_level(levels: Iterable[str]) -> str:
    """The highest of some levels of sign-in; one that is not known stands above all, so that nothing meets it."""
    return max(
        levels, key=lambda one: SIGN_IN_LEVELS.index(one) if one in SIGN_IN_LEVELS else len(SIGN_IN_LEVELS)
    )


def link_problem(uri: str, *, allow_loopback: bool = False) -> str | None:
    """Why an address cannot be shown to residents or opened by their browser; None when it can, or is empty."""
    if not uri:
        return None
    problem = redirect_problem(uri, native=False)
    if problem is None and not allow_loopback and urlsplit(uri).scheme != "https":
        return "must begin with https://"
    return problem


def fetchable_problem(uri: str, *, allow_loopback: bool = False) -> str | None:
    """Why we would never fetch an address that a partner names (K17); None when we might, once it is resolved."""
    problem = redirect_problem(uri, native=False)
    if problem:
        return problem
    parts = urlsplit(uri)
    host = parts.hostname or ""
    if allow_loopback and host in _LOCAL_HOSTS:
        return None
    if parts.scheme != "https":
        return "must begin with https://"
    if not is_host(host) or host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return "must be at a public host"
    is_literal = ":" in host or host.replace(".", "").isdigit()
    return "must be at a public host" if is_literal and not is_public(host) else None


@lru_cache(maxsize=256)
def origin_of(uri: str) -> str:
    """The origin of a web address as browsers write it: lower case, no usual port (RFC 6454 §6.2); "" for any other address."""
    parts = urlsplit(uri)
    if parts.scheme not in ("https", "http"):
        return ""
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    usual = {"https": 443, "http": 80}[parts.scheme]
    port = "" if parts.port in (None, usual) else f":{parts.port}"
    return f"{parts.scheme}://{shown}{port}"


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """An IP address as it is compared, not as it is written (RFC 8705 §2.1.2, RFC 5952 §8); None when it is none."""
    try:
        return ip_address(text) if "%" not in text else None
    except ValueError:
        return None


def is_distinguished_name(text: str) -> bool:
    """Whether a text is the name of a certificate's subject (RFC 4514)."""
    try:
        Name.from_rfc4514_string(text)
    except ValueError:
        return False
    return True
