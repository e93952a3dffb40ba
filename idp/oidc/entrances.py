"""The services to which a resident goes from here, and the link to each (OIDC Core §4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from sqlalchemy import select

from idp.oidc.models import Grant

if TYPE_CHECKING:
    from idp.clients.registry import Client
    from idp.oidc.provider import Provider

#: Clients that sign residents in where a link of ours leads.
_IN_BROWSER = frozenset({"authorization_code", "implicit"})


@dataclass(frozen=True, slots=True)
class Entrance:
    """A service as the resident reads it, and where it is. `is_used`: they agreed with it, and it stands."""

    name: str
    partner_name: str
    url: str
    is_used: bool


def entrances(provider: Provider, connection: Any, resident_id: str, language: str) -> list[Entrance]:
    """Every service with an address, in the order of their names."""
    used = set(
        connection.execute(
            select(Grant.client_id).where(Grant.resident_id == resident_id, Grant.revoked_at.is_(None))
        ).scalars()
    )
    found = [
        Entrance(
            client.details.text("client_name", language) or client.name,
            client.partner_name,
            url,
            client.client_id in used,
        )
        for client in provider.clients.live()
        if _IN_BROWSER & client.grant_types and (url := entrance_of(client, provider.issuer, language))
    ]
    return sorted(found, key=lambda one: (one.name.casefold(), one.url))


def entrance_of(client: Client, issuer: str, language: str) -> str:
    """Where a resident enters a service: straight into its sign-in if it lets us begin one, else its home page; or "".

    `iss` says who begins, `target_link_uri` is the home page, where the client leads once they are signed in
    (OIDC Core §4). Nothing says who the resident is.
    """
    home = client.details.text("client_uri", language) or client.home_url
    begin = client.details.initiate_login_uri
    if not begin:
        return home
    values = {"iss": issuer, **({"target_link_uri": home} if home else {})}
    return f"{begin}{'&' if '?' in begin else '?'}{urlencode(values, quote_via=quote)}"
