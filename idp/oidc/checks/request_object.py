"""Request objects and pushed requests are not supported yet, and are said so instead of being ignored."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft

_NOT_SUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}


def check_request_object(draft: Draft) -> None:
    """Parameters that could override others are refused by name (OIDC Core §6.1, §6.2, §7.2.1).

    A client whose profile demands pushed or signed requests has no way in until there are any: fail closed.
    """
    for name, error in _NOT_SUPPORTED.items():
        if name in draft.unverified:
            raise Refusal(error, f"The parameter {name} is not supported")
    assert draft.client is not None
    profile = draft.client.profile
    if profile.par_required or profile.signed_request_required:
        raise Refusal("invalid_request", "This client must push its requests, which is not supported")
