"""What is asked for."""

from idp.clients.profiles import RESPONSE_TYPES
from idp.clients.registry import Client
from idp.oidc.errors import Refusal
from idp.oidc.request import Draft


def check_response_type(draft: Draft) -> None:
    """Known here and registered by this client; the order of its values is of no matter (RFC 6749 §3.1.1).

    Whatever brings tokens through the browser is for clients of old software alone (RFC 9700 §2.1.2).
    """
    unverified_type = draft.unverified.get("response_type")
    if unverified_type is None:
        raise Refusal("invalid_request", "response_type is missing")
    response_type = in_order(unverified_type)
    if response_type not in RESPONSE_TYPES:
        raise Refusal("unsupported_response_type", "response_type is not supported")
    assert draft.client is not None
    see_that_it_may(draft.client, response_type)
    draft.response_type = response_type


def in_order(unverified_type: str) -> str:
    """A response type with its values in alphabetical order, as profiles have it."""
    return " ".join(sorted(unverified_type.split(" ")))


def see_that_it_may(client: Client, response_type: str) -> None:
    """Refuse what a client may not have; again when it is answered, for a request may wait longer than a registration."""
    if not client.check_response_type(response_type):
        raise Refusal("unauthorized_client", "This client is not registered for this response_type")
    if "token" in response_type.split(" ") and client.is_constrained:  # no key is proven here
        raise Refusal("unauthorized_client", "Tokens of this client must be bound to a key")
