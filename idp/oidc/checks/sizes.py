"""Values that travel on: bounded, so that no row, cookie or address grows with them."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft

STATE_LIMIT = 2048
NONCE_LIMIT = 512


def check_sizes(draft: Draft) -> None:
    """State up to 2,048 and nonce up to 512 characters; state goes back byte by byte, nonce into ID tokens."""
    if draft.state is not None and len(draft.state) > STATE_LIMIT:
        draft.state = None
        raise Refusal("invalid_request", f"state is longer than {STATE_LIMIT} characters")
    nonce = draft.unverified.get("nonce")
    if nonce is not None and len(nonce) > NONCE_LIMIT:
        raise Refusal("invalid_request", f"nonce is longer than {NONCE_LIMIT} characters")
    if nonce is not None and "\0" in nonce:  # PostgreSQL cannot keep it
        raise Refusal("invalid_request", "nonce has a character that it cannot have")
    draft.nonce = nonce
    draft.ui_locales = draft.unverified.get("ui_locales", "")[:200] or None
