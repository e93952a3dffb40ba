"""Where the answer may go."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft


def check_redirect_uri(draft: Draft) -> None:
    """Registered by this client, byte by byte (OIDC Core §3.1.2.1, RFC 9700 §2.1); never guessed when missing.

    From here on errors go back to the client, with the state it sent.
    """
    unverified_uri = draft.unverified.get("redirect_uri")
    if unverified_uri is None:
        raise Refusal("invalid_request", "redirect_uri is missing")
    if "redirect_uri" in draft.unverified.repeated:
        raise Refusal("invalid_request", "redirect_uri is given more than once")
    assert draft.client is not None
    if not draft.client.check_redirect_uri(unverified_uri):
        raise Refusal("invalid_request", "redirect_uri is not registered for this client")
    draft.redirect_uri = unverified_uri
    if "state" not in draft.unverified.repeated:
        draft.state = draft.unverified.get("state")
