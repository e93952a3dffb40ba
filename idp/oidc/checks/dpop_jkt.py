"""The key to which the code shall be bound."""

import re

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft

_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


def check_dpop_jkt(draft: Draft) -> None:
    """`dpop_jkt` (RFC 9449 §10): the SHA-256 thumbprint of the key that the token request will prove."""
    unverified_jkt = draft.unverified.get("dpop_jkt")
    if unverified_jkt is None:
        return
    if not _THUMBPRINT.fullmatch(unverified_jkt):
        raise Refusal("invalid_request", "dpop_jkt is not a SHA-256 in base64url")
    draft.dpop_jkt = unverified_jkt
