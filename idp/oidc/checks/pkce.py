"""Proof key for code exchange, for every client."""

import re

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft

_S256 = re.compile(r"[A-Za-z0-9_-]{43}")


def check_pkce(draft: Draft) -> None:
    """An S256 challenge is required of all clients; `plain`, also by omission, is refused (RFC 7636 §4.3, RFC 9700 §2.1.1)."""
    challenge = draft.unverified.get("code_challenge")
    if challenge is None:
        raise Refusal("invalid_request", "code_challenge is missing")
    if draft.unverified.get("code_challenge_method") != "S256":
        raise Refusal("invalid_request", "code_challenge_method must be S256")
    if not _S256.fullmatch(challenge):
        raise Refusal("invalid_request", "code_challenge is not a SHA-256 in base64url")
    draft.code_challenge = challenge
