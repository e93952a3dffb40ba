"""A request as the protocol sees it: parameters read once, bounded, and never twice the same."""

from __future__ import annotations

import io
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Mapping

BODY_LIMIT = 64 * 1024
QUERY_LIMIT = 16 * 1024
FIELD_LIMIT = 100
FORM = "application/x-www-form-urlencoded"


class BadRequest(Exception):
    """A request that cannot be read. `public` may be shown to the caller."""

    def __init__(self, public: str, *, status: int = 400) -> None:
        super().__init__(public)
        self.public = public
        self.status = status


class Parameters(dict[str, str]):
    """Parameters by name; empty ones are left out (RFC 6749 §3.1). `repeated` names those sent twice."""

    repeated: frozenset[str] = frozenset()


def parse_parameters(encoded: str) -> Parameters:
    """Decode `application/x-www-form-urlencoded` text.

    Raises:
        BadRequest: for more than 100 fields or bytes that are not UTF-8.
    """
    found = Parameters()
    if encoded.count("&") >= FIELD_LIMIT:
        raise _unreadable()
    seen: set[str] = set()
    for pair in encoded.split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            name, value = _decoded(name), _decoded(value)
        if name in seen:
            found.repeated |= {name}
        seen.add(name)
        if value:
            found[name] = value
    return found


def _decoded(text: str) -> str:
    try:
        return form_decoded(text)
    except UnicodeDecodeError:
        raise _unreadable() from None


def _unreadable() -> BadRequest:
    return BadRequest("The parameters could not be read.")


class Incoming:
    """One request, read from the WSGI environment on demand."""

    __slots__ = ("__dict__", "environ")

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ

    @property
    def method(self) -> str:
        """The HTTP method."""
        method: str = self.environ["REQUEST_METHOD"]
        return method

    @property
    def remote_address(self) -> str:
        """The address of the peer; behind a trusted proxy, the address that the proxy names."""
        address: str = self.environ.get("REMOTE_ADDR", "")
        return address

    def header(self, name: str) -> str:
        """A request header by its WSGI name, such as HTTP_ORIGIN; empty when absent."""
        value: str = self.environ.get(name, "")
        return value

    @cached_property
    def query(self) -> Parameters:
        """Parameters of the address."""
        encoded = self.environ.get("QUERY_STRING", "")
        if len(encoded) > QUERY_LIMIT:
            raise BadRequest("The address is too long.", status=414)
        return parse_parameters(encoded)

    @cached_property
    def form(self) -> Parameters:
        """Parameters of a form body of at most 64 KiB."""
        kind = self.environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        body = self.body
        if not body and not kind:
            return Parameters()
        if kind != FORM:
            raise BadRequest(f"The body must be {FORM}.", status=415)
        try:
            return parse_parameters(body.decode())
        except UnicodeDecodeError as error:
            raise BadRequest("The body is not UTF-8.") from error

    @cached_property
    def body(self) -> bytes:
        """The body; refused when it is larger than 64 KiB, whatever its Content-Length says."""
        try:
            length = int(self.environ.get("CONTENT_LENGTH") or 0)
        except ValueError as error:
            raise BadRequest("The Content-Length is not a number.") from error
        if length > BODY_LIMIT:
            raise BadRequest("The request is too large.", status=413)
        chunked = "chunked" in self.environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        if length <= 0 and not chunked:
            return b""
        body: bytes = self.environ["wsgi.input"].read(BODY_LIMIT + 1 if chunked else length)
        if len(body) > BODY_LIMIT:
            raise BadRequest("The request is too large.", status=413)
        self.environ["wsgi.input"] = io.BytesIO(body)  # a page behind us can read it again
        return body

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """Cookies by name; of a name sent twice the first counts."""
        found: dict[str, str] = {}
        for pair in self.environ.get("HTTP_COOKIE", "").split(";"):
            name, separator, value = pair.strip().partition("=")
            if separator and name not in found:
                found[name] = value.strip('"')
        return found

    @property
    def client_certificate(self) -> tuple[str, str]:
        """Client-Cert and Client-Cert-Chain (RFC 9440 §2), as a trusted proxy sent them; else two empty texts."""
        found: tuple[str, str] = self.environ.get("denizen.client_certificate", ("", ""))
        return found

    def presented(self) -> tuple[str, str] | None:
        """Scheme in lower case and token, still unchecked, of an Authorization header for resources; else None.

        The schemes are Bearer (RFC 6750 §2.1) and DPoP (RFC 9449 §7.1).
        """
        scheme, _, value = self.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        scheme, value = scheme.lower(), value.strip()
        return (scheme, value) if scheme in ("bearer", "dpop") and value else None

    def bearer(self) -> str | None:
        """The bearer token of the Authorization header (RFC 6750 §2.1), still unchecked."""
        scheme, _, value = self.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        return value.strip() if scheme.lower() == "bearer" and value.strip() else None


def form_decoded(value: str) -> str:
    """Decode one form-encoded value, as client ids and secrets come in Basic (RFC 6749 §2.3.1)."""
    return unquote_plus(value, errors="strict")
