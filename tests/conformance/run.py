"""One module's run: the suite before the town, in one variant of a plan."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from joserfc.jwk import RSAKey

from tests.support.proving import jwks, sign

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.client import Client, Way
    from tests.conformance.hosted import Hosted
    from tests.conformance.suite import Suite


@dataclass(frozen=True)
class Run:
    """`is_dynamic`: clients register themselves, for private_key_jwt; otherwise they are known from the start."""

    suite: Suite
    way: Way
    hosted: Hosted
    is_dynamic: bool = False

    def client(self) -> Client:
        """The client of the configuration."""
        return by_key(self.suite, way=self.way) if self.is_dynamic else self._static("")

    def second(self) -> Client:
        """The other client."""
        return by_key(self.suite, way=self.way) if self.is_dynamic else self._static("-2")

    def _static(self, ending: str) -> Client:
        name = "basic" if self.way.response_type == "code" else "legacy"
        return self.suite.client(name + ending, self.way)


def new_key() -> RSAKey:
    """A key of the suite's client."""
    return RSAKey.generate_key(2048, {"kid": secrets.token_urlsafe(8), "alg": "RS256", "use": "sig"})


def by_key(suite: Suite, key: RSAKey | None = None, **metadata: Any) -> Client:
    """A client that registered itself for private_key_jwt; RS256, `aud` the token endpoint."""
    key = key or new_key()
    if "jwks_uri" not in metadata:
        metadata = {"jwks": jwks(key), **metadata}
    client = suite.registered(token_endpoint_auth_method="private_key_jwt", **metadata)
    client.assertion = assertion(suite, client, key)
    return client


def assertion(
    suite: Suite, client: Client, key: RSAKey, audience: str = "token_endpoint"
) -> Callable[[], str]:
    """Makes assertions (RFC 7523 §3)."""

    def make() -> str:
        now = int(suite.now())
        claims = {
            "iss": client.client_id,
            "sub": client.client_id,
            "aud": suite.metadata[audience],
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
        }
        return sign(claims, key, {"alg": "RS256", "kid": key.kid})

    return make
