"""The API for which the tokens shall be."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft

RESOURCE_LIMIT = 2000


def check_resource(draft: Draft) -> None:
    """One `resource` that is registered here (RFC 8707 §2.1); a token for two audiences would be good for either to abuse.

    Whoever names ourselves gets what all get who name nothing.
    """
    unverified_resource = draft.unverified.get("resource")
    if unverified_resource is None or draft.is_own_resource(unverified_resource):
        return
    if len(unverified_resource) > RESOURCE_LIMIT or draft.find_resource(unverified_resource) is None:
        raise Refusal("invalid_target", "resource is not known here")
    draft.resource = unverified_resource
