"""What the resident must be shown."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft

KNOWN = frozenset({"none", "login", "consent", "select_account"})


def check_prompt(draft: Draft) -> None:
    """Known values; `none` stands alone (OIDC Core §3.1.2.1)."""
    values = tuple(sorted(set(draft.unverified.get("prompt", "").split())))
    if not KNOWN.issuperset(values):
        raise Refusal("invalid_request", "prompt has an unknown value")
    if "none" in values and len(values) > 1:
        raise Refusal("invalid_request", "prompt none must stand alone")
    draft.prompt = values
