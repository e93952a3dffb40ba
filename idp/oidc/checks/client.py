"""Who asks."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft


def check_client(draft: Draft) -> None:
    """A known, live client, named once (RFC 6749 §4.1.2.1: no redirect when it is not)."""
    unverified_id = draft.unverified.get("client_id")
    if unverified_id is None:
        raise Refusal("invalid_request", "client_id is missing")
    if "client_id" in draft.unverified.repeated:
        raise Refusal("invalid_request", "client_id is given more than once")
    client = draft.find_client(unverified_id)
    if client is None:
        raise Refusal("invalid_request", "client_id is not known here")
    draft.client = client
