"""By which way a request must come."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft


def check_way(draft: Draft) -> None:
    """Pushed and signed, where the client or its profile demands it (RFC 9126 §6, RFC 9101 §10.5, FAPI 2.0 §5.3.2.2)."""
    assert draft.client is not None
    profile, details = draft.client.profile, draft.client.details
    must_push = profile.par_required or details.require_pushed_authorization_requests
    if must_push and not draft.is_pushed:
        raise Refusal("invalid_request", "This client must push its requests")
    must_sign = profile.signed_request_required or details.require_signed_request_object
    if must_sign and not draft.is_signed:
        raise Refusal("invalid_request", "This client must sign its requests")
    if "registration" in draft.unverified:
        raise Refusal("registration_not_supported", "The parameter registration is not supported")
