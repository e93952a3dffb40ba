"""The public keys of clients: registered, or fetched from where they publish them and kept for a while.

Never call this inside a transaction: it may wait for somebody else's server.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from idp.jose.keys import usable_keys
from idp.web.fetcher import FetchFailed
from idp.web.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.clients.registry import Client
    from idp.jose.keys import PublicKey
    from idp.web.fetcher import Fetched, Fetcher

log = logging.getLogger("denizen.oidc")

#: A key set is used so long without a look at it, within what its Cache-Control says, in seconds.
KEPT_FOR = range(60, 3601)
_USUAL = 600
#: A key set that its owner's server does not give any more is used so long, in seconds.
STALE_FOR = 86_400
#: Between two fetches of one address, whatever anybody sends, in seconds.
PAUSE = 10
_MAX_AGE = re.compile(r"max-age=(\d{1,9})")


@dataclass(slots=True)
class _Fetched:
    """What is known of one address. `fetched_at` is 0 as long as nothing came back."""

    keys: tuple[PublicKey, ...] = ()
    fetched_at: int = 0
    good_until: int = 0
    tried_at: int = -PAUSE


class ClientKeys:
    """Key sets by client; safe to share between threads."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._known: dict[str, _Fetched] = {}
        self._parsed: dict[str, tuple[object, tuple[PublicKey, ...]]] = {}
        self._turns = Turns()

    def of(self, client: Client, *, kid: str | None = None, now: int) -> Sequence[PublicKey]:
        """The keys of a client, those of this kid alone if one is named; none when there are none.

        A kid that is not known makes us look again, at most once a pause (OIDC Core §10.1.1).
        """
        is_registered = client.details.jwks is not None
        keys = self._registered(client) if is_registered else self._published(client, kid, now)
        return keys if kid is None else [key for key in keys if key.kid == kid]

    def _registered(self, client: Client) -> tuple[PublicKey, ...]:
        jwks = client.details.jwks
        known = self._parsed.get(client.client_id)
        if known is None or known[0] is not jwks:
            known = self._parsed[client.client_id] = (jwks, usable_keys(jwks))
        return known[1]

    def _published(self, client: Client, kid: str | None, now: int) -> tuple[PublicKey, ...]:
        uri = client.details.jwks_uri
        if not uri:
            return ()
        known = self._known.setdefault(uri, _Fetched())
        if not self._is_enough(known, kid, now):
            # Whoever comes meanwhile waits for the answer; who finds no place is refused now and may come back.
            with self._turns.of(uri, client.owner) as is_its_turn:
                if is_its_turn and not self._is_enough(known, kid, now):
                    self._fetch(uri, known, now)
        return known.keys if now < known.fetched_at + STALE_FOR else ()

    @staticmethod
    def _is_enough(known: _Fetched, kid: str | None, now: int) -> bool:
        if 0 <= now - known.tried_at < PAUSE:
            return True
        return now < known.good_until and (kid is None or any(key.kid == kid for key in known.keys))

    def _fetch(self, uri: str, known: _Fetched, now: int) -> None:
        try:
            answer = self._fetcher.get(uri, headers={"Accept": "application/jwk-set+json, application/json"})
            keys = _keys_in(answer)
        except FetchFailed as error:
            log.warning("key set not read %s", error.private)
            return
        finally:
            known.tried_at = now
        known.keys, known.fetched_at = keys, now
        known.good_until = now + _kept_for(answer)


def _keys_in(answer: Fetched) -> tuple[PublicKey, ...]:
    """The usable keys of an answer.

    Raises:
        FetchFailed: when it holds none.
    """
    try:
        keys = usable_keys(orjson.loads(answer.body)) if answer.status == 200 else ()  # noqa: PLR2004
    except orjson.JSONDecodeError:
        keys = ()
    if not keys:
        raise FetchFailed(f"no key set, status {answer.status}")
    return keys


def _kept_for(answer: Fetched) -> int:
    said = _MAX_AGE.search(answer.headers.get("cache-control", ""))
    return min(max(int(said[1]) if said else _USUAL, KEPT_FOR.start), KEPT_FOR.stop - 1)
