"""Values that travel on: bounded, so that no row, cookie or address grows with them."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft

STATE_LIMIT = 2048
#: What a form would change on its way (HTML §4.10.22.4, §13.2.3.5), so that state would not come back as it was.
_NOT_IN_A_FORM = frozenset("\0\r\n")


def check_sizes(draft: Draft) -> None:
    """State up to 2,048 characters goes back byte by byte."""
    state = draft.state
    if state is not None and len(state) > STATE_LIMIT:
        draft.state = None
        raise Refusal("invalid_request", f"state is longer than {STATE_LIMIT} characters")
    if state is not None and draft.response_mode == "form_post" and not _NOT_IN_A_FORM.isdisjoint(state):
        draft.state = None
        raise Refusal("invalid_request", "state has a character that no form can carry")
    draft.ui_locales = draft.unverified.get("ui_locales", "")[:200] or None
