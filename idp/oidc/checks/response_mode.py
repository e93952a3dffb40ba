"""How the answer travels."""

from idp.oidc.errors import Refusal
from idp.oidc.request import Draft

_CARRIERS = ("query", "fragment", "form_post")
RESPONSE_MODES = (*_CARRIERS, "jwt", *(f"{carrier}.jwt" for carrier in _CARRIERS))
_TOKENS = frozenset({"token", "id_token"})


def check_response_mode(draft: Draft) -> None:
    """The mode asked for, else the one that the response type stands for: tokens never travel in the query.

    OAuth 2.0 Multiple Response Types §2.1 and §5, Form Post Response Mode §2, JARM §2.3. From here on errors go back
    in this mode; one that cannot be is told in the default one.
    """
    default = (
        "fragment" if _TOKENS.intersection(draft.unverified.get("response_type", "").split()) else "query"
    )
    draft.response_mode = default
    if "response_mode" in draft.unverified.repeated:
        raise Refusal("invalid_request", "A parameter is given more than once")
    asked = draft.unverified.get("response_mode", default)
    if asked not in RESPONSE_MODES:
        raise Refusal("invalid_request", "response_mode is not supported")
    mode = f"{default}.jwt" if asked == "jwt" else asked
    if default == "fragment" and mode.startswith("query"):
        raise Refusal("invalid_request", "response_mode must keep tokens out of the query")
    draft.response_mode = mode
