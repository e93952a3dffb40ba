"""How much is asked for."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft

SCOPE_LIMIT = 1000


def check_scope(draft: Draft) -> None:
    """The part of the request that this client may have; the token answer names it (RFC 6749 §3.3).

    Unknown scopes are ignored (OIDC Core §3.1.2.1). `openid` must be among them: residents sign in here.
    """
    asked = draft.unverified.get("scope", "")
    if len(asked) > SCOPE_LIMIT:
        raise Refusal("invalid_scope", f"scope is longer than {SCOPE_LIMIT} characters")
    assert draft.client is not None
    allowed = tuple(sorted({name for name in asked.split(" ") if name in draft.client.scopes}))
    if "openid" not in allowed:
        raise Refusal("invalid_scope", "scope must contain openid")
    if "offline_access" in allowed and not draft.client.check_grant_type("refresh_token"):
        allowed = tuple(name for name in allowed if name != "offline_access")
    draft.scope = allowed
