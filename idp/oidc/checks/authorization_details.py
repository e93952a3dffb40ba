"""Which permissions for single matters are asked for."""

from idp.oidc.authorization_details import kept, read, refusal
from idp.oidc.request import Draft


def check_authorization_details(draft: Draft) -> None:
    """`authorization_details` (RFC 9396 §5): of a type that the client may ask for, and as that type says."""
    unverified_text = draft.unverified.get("authorization_details")
    if unverified_text is None:
        return
    assert draft.client is not None
    details = read(unverified_text)
    for one in details:
        known = draft.find_details_type(draft.client, one["type"])
        if known is None:
            raise refusal("authorization_details has a type that this client cannot ask for")
        problem = known.problem(one)
        if problem:
            raise refusal(f"authorization_details of type {known.type}: it {problem}")
    draft.authorization_details = kept(details)
