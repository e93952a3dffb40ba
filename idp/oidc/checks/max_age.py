"""How old a sign-in may be."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft

_DIGITS = 9


def check_max_age(draft: Draft) -> None:
    """Whole seconds, zero included (OIDC Core §3.1.2.1)."""
    text = draft.unverified.get("max_age")
    if text is None:
        return
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS:
        raise Refusal("invalid_request", "max_age must be a number of seconds")
    draft.max_age = int(text)
