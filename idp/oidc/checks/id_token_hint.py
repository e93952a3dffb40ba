"""Whom the client believes to be in front of us."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft


def check_id_token_hint(draft: Draft) -> None:
    """An ID token that we gave to this client; its resident must be the one who answers (OIDC Core §3.1.2.1)."""
    unverified_hint = draft.unverified.get("id_token_hint")
    if unverified_hint is None:
        return
    hint = draft.read_hint(unverified_hint)
    assert draft.client is not None
    if hint is None or hint.client_id != draft.client.client_id:
        raise Refusal("invalid_request", "id_token_hint is not an ID token of this client")
    draft.subject = hint.subject
