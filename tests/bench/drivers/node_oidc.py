"""node-oidc-provider, the fastest peer and therefore the yardstick."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher
from joserfc.jwk import ECKey, RSAKey

from tests.bench.children import Child
from tests.bench.drivers import node_install
from tests.bench.drivers.base import Driver
from tests.bench.target import PARTNERS, REDIRECT_URI, Partner, claims_of, email_of, residents

if TYPE_CHECKING:
    from tests.bench.drivers.base import DatabaseKind


class NodeOidc(Driver):
    """The library with our sample of an app around it (providers/node_oidc)."""

    name = "node-oidc-provider"

    def __init__(self, database: DatabaseKind) -> None:
        super().__init__(database)
        self._installed = node_install.install()
        self._store = database
        if database == "sqlite" and not node_install.has_sqlite():
            self._store = "memory"
        self.target.notes["store"] = {
            "memory": "in its own memory, because better-sqlite3 could not be built here",
            "sqlite": "SQLite WAL, synchronous=NORMAL (not durable), 1 process",
            "postgresql": "PostgreSQL, default durability, 2 processes",
        }[self._store]

    def prepare(self, database_url: str) -> None:
        self.target.secrets = {partner.client_id: _secret(partner) for partner in PARTNERS}
        settings = {
            "port": self.port,
            "workers": self.workers,
            "store": self._store,
            "database": database_url or str(self.folder / "oidc.sqlite"),
            "cookieKeys": [secrets.token_hex(32)],
            "jwks": {"keys": _signing_keys()},
            "clients": [_client(partner, self.target.secrets[partner.client_id]) for partner in PARTNERS],
            "accounts": _accounts(),
        }
        (self.folder / "settings.json").write_text(json.dumps(settings))

    def launch(self) -> Child:
        return Child(
            ["node", str(self._installed / "app.mjs"), str(self.folder / "settings.json")],
            log=self.folder / "server.log",
            folder=self._installed,
            environment={"NODE_ENV": "production"},
        )


def _signing_keys() -> list[dict[str, Any]]:
    ec, rsa = ECKey.generate_key("P-256"), RSAKey.generate_key(2048)
    keys = ((ec, "bench-ec", "ES256"), (rsa, "bench-rsa", "RS256"))
    return [{**key.as_dict(private=True), "kid": kid, "use": "sig", "alg": alg} for key, kid, alg in keys]


def _secret(partner: Partner) -> str:
    if not partner.is_fapi:
        return secrets.token_urlsafe(32)
    return json.dumps(ECKey.generate_key("P-256", {"kid": partner.client_id}).as_dict(private=True))


def _client(partner: Partner, secret: str) -> dict[str, Any]:
    redirects = "authorization_code" in partner.grants
    client: dict[str, Any] = {
        "client_id": partner.client_id,
        "grant_types": partner.grants,
        "redirect_uris": [REDIRECT_URI] if redirects else [],
        "response_types": ["code"] if redirects else [],
        **(_proofs(secret) if partner.is_fapi else _basic(secret)),
    }
    return client if redirects else {**client, "scope": partner.scope}


def _basic(secret: str) -> dict[str, Any]:
    return {"client_secret": secret, "token_endpoint_auth_method": "client_secret_basic"}


def _proofs(jwk: str) -> dict[str, Any]:
    """What our profile `fapi2` demands of a client, one by one."""
    return {
        "jwks": {"keys": [ECKey.import_key(json.loads(jwk)).as_dict(private=False)]},
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "require_pushed_authorization_requests": True,
        "dpop_bound_access_tokens": True,
    }


def _accounts() -> list[dict[str, Any]]:
    # The same Argon2id cost as ours: 19 MiB, 2 iterations, 1 lane.
    hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
    return [
        {
            "username": resident.username,
            "hash": hasher.hash(resident.password),
            "claims": {**claims_of(resident), "email": email_of(resident), "email_verified": True},
        }
        for resident in residents()
    ]
