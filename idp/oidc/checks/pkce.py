"""Proof key for code exchange."""

import re

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft

_S256 = re.compile(r"[A-Za-z0-9_-]{43}")
_PARAMETERS = frozenset({"code_challenge", "code_challenge_method"})


def check_pkce(draft: Draft) -> None:
    """An S256 challenge for every code; `plain`, also by omission, is refused (RFC 7636 §4.3, RFC 9700 §2.1.1).

    A client that can keep a secret may do without where its profile says so; its code then has no challenge, and a
    verifier that comes with it is as wrong as any other (RFC 9700 §4.8.2).
    """
    assert draft.client is not None
    if "code" not in draft.response_type.split(" "):
        return
    is_required = draft.client.profile.pkce_required or draft.client.is_public
    if not is_required and _PARAMETERS.isdisjoint(draft.unverified):
        return
    challenge = draft.unverified.get("code_challenge")
    if challenge is None:
        raise Refusal("invalid_request", "code_challenge is missing")
    if draft.unverified.get("code_challenge_method") != "S256":
        raise Refusal("invalid_request", "code_challenge_method must be S256")
    if not _S256.fullmatch(challenge):
        raise Refusal("invalid_request", "code_challenge is not a SHA-256 in base64url")
    draft.code_challenge = challenge
