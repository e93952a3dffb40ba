"""How the answer travels."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft


def check_response_mode(draft: Draft) -> None:
    """Answers go in the query, the default for codes (OAuth 2.0 Multiple Response Types §2.1)."""
    if draft.unverified.get("response_mode", "query") != "query":
        raise Refusal("invalid_request", "response_mode must be query")
