"""Which clients know a resident by the same pairwise `sub`: those of one sector (OIDC Core §8.1); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from idp.clients.metadata import ClientRefused
from idp.clients.rules import sector_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from idp.clients.metadata import NewClient

#: With no other grants than these a client learns who a resident is from what reaches its redirect URIs alone.
_BY_REDIRECT = frozenset({"authorization_code", "implicit", "refresh_token", "client_credentials"})


def sector(new: NewClient) -> str:
    """The sector that somebody named, or the host of the list of addresses, which was checked, or of all addresses.

    A host counts only for a client that learns nothing of residents anywhere else: it need not be its own otherwise.
    """
    uri = new.details.sector_identifier_uri
    found = None
    if uri:
        found = sector_of([uri])
    elif _is_answered_by_redirect(new):
        found = sector_of((*new.redirect_uris, *_told_at(new)))
    return new.sector or found or new.client_id


def check_list(new: NewClient) -> None:
    """See that a client may name a list: to be in another's costs nothing, so what is listed must be how it learns of residents.

    Raises:
        ClientRefused: when it would learn of them elsewhere, too.
    """
    for problem in _problems(new):
        raise ClientRefused(problem)


def _problems(new: NewClient) -> Iterator[str]:
    uri = new.details.sector_identifier_uri
    if not uri:
        return
    if not _is_answered_by_redirect(new):
        yield "sector_identifier_uri is for clients that are answered at redirect URIs alone"
    if any(urlsplit(one).scheme != "https" for one in new.redirect_uris):
        yield "sector_identifier_uri needs redirect URIs that begin with https://"
    hosts = {urlsplit(one).hostname for one in (uri, *new.redirect_uris)}
    if any(urlsplit(one).hostname not in hosts for one in _told_at(new)):
        yield "sector_identifier_uri needs backchannel_logout_uri and events_uri at its host or that of a redirect URI"


def _is_answered_by_redirect(new: NewClient) -> bool:
    """Whether its redirect URIs are the one way to it, so that it must have what is there to learn a `sub`."""
    grants = set(new.grant_types)
    is_answered = {"authorization_code", "implicit"} & grants and new.details.response_types
    return bool(new.redirect_uris and is_answered and _BY_REDIRECT.issuperset(grants))


def _told_at(new: NewClient) -> Iterator[str]:
    """The addresses besides its redirect URIs to which we send a `sub`."""
    return filter(None, (new.details.backchannel_logout_uri, new.details.events_uri))
