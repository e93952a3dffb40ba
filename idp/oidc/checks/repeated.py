"""No parameter twice."""

from idp.oidc.errors import refuse_repeated
from idp.oidc.request import Draft


def check_repeated(draft: Draft) -> None:
    """Request parameters must not be included more than once (RFC 6749 §3.1); of `resource` we take one."""
    refuse_repeated(draft.unverified.repeated)
