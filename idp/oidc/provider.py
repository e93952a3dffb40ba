"""What the protocol works with: clients, keys, purposes and settings, wired once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from consent.purposes import Purpose, purposes_for_client
from idp.jobs.stamps import KEYS, PURPOSES, Cached
from idp.oidc.client_keys import ClientKeys
from idp.web.fetcher import Fetcher
from keys.signing import KeyRing, load_ring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.clients.registry import ClientRegistry
    from idp.web.context import Context


@dataclass(frozen=True, slots=True)
class ClientPurposes:
    """Why a client may ask. `notices_hash` changes when its residents must be asked again."""

    purposes: tuple[Purpose, ...]
    ids: frozenset[str]
    claims: frozenset[str]
    notices_hash: bytes


@dataclass(frozen=True, slots=True, eq=False)
class TokenKeys:
    """The keys that sign and verify tokens, and the bytes of the published set."""

    ring: KeyRing
    jwks: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Provider:
    """The OpenID Provider of a town."""

    context: Context
    clients: ClientRegistry
    client_keys: ClientKeys = field(init=False)
    fetcher: Fetcher = field(init=False)
    _keys: Cached[TokenKeys] = field(init=False)
    _purposes: Cached[dict[str, ClientPurposes]] = field(init=False)

    def __post_init__(self) -> None:
        ctx = self.context
        object.__setattr__(self, "_keys", Cached(ctx.database, KEYS, self._load_keys))
        object.__setattr__(self, "fetcher", Fetcher(ctx.settings.testing))
        object.__setattr__(self, "client_keys", ClientKeys(self.fetcher))
        # Begins empty at every change and fills as clients come by.
        object.__setattr__(self, "_purposes", Cached(ctx.database, PURPOSES, lambda _: {}))

    @property
    def issuer(self) -> str:
        """The issuer, exactly as in discovery and tokens."""
        return self.context.settings.server.issuer

    def addresses(self, path: str) -> tuple[str, ...]:
        """Every address of an endpoint of ours: at the issuer and, if there is one, at the host for certificates."""
        server = self.context.settings.server
        found = f"{server.issuer}{path}"
        return (found, f"{server.mtls_url}{path}") if server.mtls_url else (found,)

    @property
    def keys(self) -> TokenKeys:
        """The token keys as they stand."""
        return self._keys.get()

    def _load_keys(self, session: Any) -> TokenKeys:
        ring = load_ring(session, self.context.vault)
        return TokenKeys(ring, orjson.dumps(ring.jwks()))

    def purposes_of(self, client_id: str) -> ClientPurposes:
        """The purposes of a client as they stand; none while it waits for its approval, so that nothing is released."""
        client = self.clients.find(client_id)
        if client is not None and client.is_pending:
            return _NO_PURPOSES
        known = self._purposes.get()
        found = known.get(client_id)
        if found is None:
            with self.context.database.reading() as session:
                found = known[client_id] = summed_up(purposes_for_client(session, client_id))
        return found

    def forget(self) -> None:
        """Read keys, clients and purposes again at their next use."""
        self._keys.forget()
        self._purposes.forget()
        self.clients.forget()


def summed_up(purposes: Sequence[Purpose]) -> ClientPurposes:
    """The purposes of one client with the claims they cover and the notices they stand under."""
    notices = "".join(
        f"{one.id} {one.material_version}\n"
        for one in sorted(purposes, key=lambda one: one.id)
        if not one.is_question
    )
    return ClientPurposes(
        purposes=tuple(purposes),
        ids=frozenset(one.id for one in purposes),
        claims=frozenset(claim for one in purposes for claim in one.terms.claims),
        notices_hash=hashlib.sha256(notices.encode()).digest(),
    )


_NO_PURPOSES = summed_up(())
