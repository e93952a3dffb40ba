"""What the suite shows at addresses of its own."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from tests.support.tls import HttpsServer

if TYPE_CHECKING:
    from tests.support.tls import Authority


class Hosted:
    """Files by their addresses, each one's own; `asked` counts who came for it."""

    def __init__(self, authority: Authority) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: dict[str, int] = {}
        self.server = HttpsServer(authority, self._respond)

    def _respond(self, _method: str, path: str, *_: Any) -> tuple[int, dict[str, str], bytes]:
        address = f"{self.server.url}{path}"
        self.asked[address] = self.asked.get(address, 0) + 1
        if address not in self.files:
            return 404, {}, b""
        kind = "application/json" if self.files[address].startswith((b"{", b"[")) else "application/jose"
        return 200, {"Content-Type": kind}, self.files[address]

    def address(self) -> str:
        """A new one, at which nothing is yet."""
        return f"{self.server.url}/{secrets.token_urlsafe(8)}"

    def named(self, address: str) -> str:
        """The same at a host that has a name: this machine is no sector of anybody."""
        return address.replace("//localhost:", "//provider.example:")

    def put(self, content: Any, address: str = "") -> str:
        """Show a text, or anything else as JSON; the address."""
        address = address or self.address()
        self.files[address] = (content if isinstance(content, str) else json.dumps(content)).encode()
        return address
