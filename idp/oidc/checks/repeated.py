"""No parameter twice."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft


def check_repeated(draft: Draft) -> None:
    """Request parameters must not be included more than once (RFC 6749 §3.1)."""
    if draft.unverified.repeated:
        raise Refusal("invalid_request", "A parameter is given more than once")
