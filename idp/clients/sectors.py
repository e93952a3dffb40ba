"""Sector identifiers: a file that says which redirect URIs belong together (OIDC Core §8.1, Registration §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from idp.clients.metadata import ClientRefused
from idp.web.fetcher import FetchFailed
from idp.web.turns import Turns

if TYPE_CHECKING:
    from idp.clients.metadata import NewClient
    from idp.web.fetcher import Fetcher

_turns = Turns()


def check_sector(fetcher: Fetcher, new: NewClient, *, owner: str = "") -> None:
    """See that every redirect URI stands in the file at `sector_identifier_uri`, if one is named.

    `owner` answers for the client (`idp.web.turns`): those whom the town knows nothing of share one, "".

    Never call it inside a transaction: it waits for somebody else's server.

    Raises:
        ClientRefused: when one does not, or the file cannot be read.
    """
    uri = new.details.sector_identifier_uri
    if not uri:
        return
    try:
        with _turns.of(new.client_id, owner) as is_its_turn:
            if not is_its_turn:
                raise ClientRefused("sector_identifier_uri cannot be read now; try again")
            answer = fetcher.get(uri, headers={"Accept": "application/json"})
        listed = orjson.loads(answer.body) if answer.status == 200 else None  # noqa: PLR2004
    except (FetchFailed, orjson.JSONDecodeError):
        listed = None
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ClientRefused("sector_identifier_uri gives no JSON array of addresses")
    if not set(new.redirect_uris).issubset(listed):
        raise ClientRefused("sector_identifier_uri does not list every redirect URI")
