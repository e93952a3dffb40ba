"""How much is asked for."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft

SCOPE_LIMIT = 1000


def check_scope(draft: Draft) -> None:
    """The part of the request that this client may have; the token answer names it (RFC 6749 §3.3).

    Unknown scopes are ignored (OIDC Core §3.1.2.1). Without `openid` this is OAuth and no sign-in: there is no ID
    token then, and userinfo says nothing. `offline_access` needs a code (OIDC Core §11). Whoever asks for permissions for
    single matters need not ask for more (RFC 9396 §3).
    """
    asked = draft.unverified.get("scope", "")
    if len(asked) > SCOPE_LIMIT:
        raise Refusal("invalid_scope", f"scope is longer than {SCOPE_LIMIT} characters")
    assert draft.client is not None
    allowed = {name for name in asked.split(" ") if name in draft.client.scopes}
    values = draft.response_type.split(" ")
    if "code" not in values or not draft.client.check_grant_type("refresh_token"):
        allowed.discard("offline_access")
    if not allowed and (asked or "authorization_details" not in draft.unverified):
        raise Refusal("invalid_scope", "scope has nothing that this client may have")
    if "id_token" in values and "openid" not in allowed:
        raise Refusal("invalid_scope", "scope must contain openid")
    draft.scope = tuple(sorted(allowed))
