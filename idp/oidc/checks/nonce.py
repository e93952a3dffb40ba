"""What ties an ID token to the browser that asked for it."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft

NONCE_LIMIT = 512


def check_nonce(draft: Draft) -> None:
    """Up to 512 characters, echoed in ID tokens; needed where one comes through the browser (OIDC Core §3.2.2.1, §3.3.2.11)."""
    nonce = draft.unverified.get("nonce")
    if nonce is None and "id_token" in draft.response_type.split(" "):
        raise Refusal("invalid_request", "nonce is missing")
    if nonce is not None and len(nonce) > NONCE_LIMIT:
        raise Refusal("invalid_request", f"nonce is longer than {NONCE_LIMIT} characters")
    if nonce is not None and "\0" in nonce:  # PostgreSQL cannot keep it
        raise Refusal("invalid_request", "nonce has a character that it cannot have")
    draft.nonce = nonce
