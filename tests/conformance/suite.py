"""The suite's side: it knows what `denizen conformance` prints, and how to reach the town."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from joserfc import jws
from joserfc.jwk import KeySet

from tests.conformance.browser import Browser
from tests.conformance.client import CODE, Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.client import Way
    from tests.conformance.transport import Got, Send


@dataclass
class Suite:
    """One town, as the suite sees it. `wait` lets seconds pass."""

    printed: dict[str, Any]
    new_send: Callable[[], Send]
    now: Callable[[], float]
    wait: Callable[[float], None]
    metadata: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.send = self.new_send()
        self.metadata = self.send("GET", self.printed["discovery_url"]).json

    @property
    def issuer(self) -> str:
        return str(self.printed["issuer"])

    @property
    def callback(self) -> str:
        """The redirect URI of the suite's clients."""
        return str(self.printed["clients"]["basic"]["redirect_uris"][0])

    def browser(self) -> Browser:
        """A fresh one."""
        who = self.printed["resident"]
        return Browser(self.new_send(), self.issuer, who["username"], who["password"])

    def client(self, name: str = "basic", way: Way = CODE) -> Client:
        """A client that is registered from the start."""
        told = self.printed["clients"][name]
        return Client(self, told, told["token_endpoint_auth_method"], way=way)

    def registered(self, way: Way = CODE, **metadata: Any) -> Client:
        """A client that registers itself for this way, with the token that was printed."""
        got = self.register(metadata, way)
        assert got.status == 201, got.text
        told = got.json
        return Client(self, told, told["token_endpoint_auth_method"], way=way)

    def register(self, metadata: dict[str, Any], way: Way = CODE) -> Got:
        """Registration as the suite does it: with contacts, and whatever a module adds."""
        body = {
            "client_name": "Conformance suite",
            "redirect_uris": [self.callback],
            "contacts": ["certification@oidf.org"],
            "response_types": [way.response_type],
            "grant_types": way.grant_types,
            **metadata,
        }
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self.printed['initial_access_token']}",
        }
        address = self.metadata["registration_endpoint"]
        return self.send("POST", address, headers=headers, body=json.dumps(body))

    def keys(self) -> dict[str, Any]:
        """The key set as it is published now."""
        return self.send("GET", self.metadata["jwks_uri"]).json

    def read_id_token(self, id_token: str, alg: str) -> dict[str, Any]:
        """Its claims, after its signature was checked with the key that its header names."""
        header = jws.extract_compact(id_token.encode()).headers()
        assert header["alg"] == alg
        published = self.keys()
        assert header["kid"] in {key["kid"] for key in published["keys"]}
        keys = KeySet.import_key_set(published)  # type: ignore[arg-type]
        found = jws.deserialize_compact(id_token, keys, algorithms=[alg])
        claims = json.loads(found.payload)
        assert isinstance(claims, dict)
        return claims

    def userinfo(self, access_token: str, *, way: str = "GET") -> Got:
        """Userinfo by header (GET or POST) or by the body of a POST."""
        header = {"Authorization": f"Bearer {access_token}"}
        address = self.metadata["userinfo_endpoint"]
        if way == "body":
            return self.send("POST", address, form=[("access_token", access_token)])
        return self.send(way, address, headers=header)


def read_printed(output: IO[str]) -> dict[str, Any]:
    """What `denizen conformance` prints, up to the brace that ends it; empty when the command ends before."""
    lines = []
    for line in output:
        lines.append(line)
        if line == "}\n":
            return dict(json.loads("".join(lines)))
    return {}
