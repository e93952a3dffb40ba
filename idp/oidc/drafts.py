"""Drafts with their sources: how a check finds clients, pushed requests and signed ones."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from idp.oidc import authorization_details, pushed, request_objects
from idp.oidc.hints import read_hint
from idp.oidc.request import Draft, Pushed
from idp.oidc.resources import is_own
from idp.web.incoming import Parameters

if TYPE_CHECKING:
    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming

_KEPT = "denizen.draft"


def draft_of(provider: Provider, found: Incoming) -> Draft:
    """The draft of a request at the authorization endpoint; the same one for the page behind it.

    So nothing is fetched or verified twice where a person must act.
    """
    draft: Draft | None = found.environ.get(_KEPT)
    if draft is None:
        draft = found.environ[_KEPT] = new_draft(provider, _parameters(found))
    return draft


def new_draft(provider: Provider, unverified: Parameters) -> Draft:
    """A draft of these parameters."""

    def find_pushed(unverified_uri: str, client_id: str) -> Pushed | None:
        ctx = provider.context
        fast = ctx.database.fast
        return pushed.find(fast, ctx.vault, unverified_uri, client_id=client_id, now=ctx.now())

    return Draft(
        unverified,
        provider.clients.find,
        partial(read_hint, provider),
        provider.clients.find_resource,
        find_pushed,
        partial(request_objects.read_object, provider),
        partial(request_objects.fetch_object, provider),
        find_details_type=partial(authorization_details.type_for, provider),
        is_own_resource=partial(is_own, provider),
    )


def _parameters(found: Incoming) -> Parameters:
    """Query and body together (OIDC Core §3.1.2.1); a name in both counts as sent twice."""
    if found.method != "POST":
        return found.query
    # A new value: whoever reads the request again must not find our merging in it.
    merged = Parameters(found.query | found.form)
    in_both = found.form.keys() & found.query.keys()
    merged.repeated = found.form.repeated | found.query.repeated | in_both
    return merged
