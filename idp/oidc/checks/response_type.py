"""Codes only."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft


def check_response_type(draft: Draft) -> None:
    """`code` and nothing else: no token ever passes the browser (RFC 9700 §2.1.2)."""
    response_type = draft.unverified.get("response_type")
    if response_type is None:
        raise Refusal("invalid_request", "response_type is missing")
    if response_type != "code":
        raise Refusal("unsupported_response_type", "response_type must be code")
    assert draft.client is not None
    if not draft.client.check_response_type(response_type):
        raise Refusal("unauthorized_client", "This client is not registered for codes")
