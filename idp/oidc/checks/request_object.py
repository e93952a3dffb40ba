"""A request that comes in another way than as parameters: pushed before, or signed."""

from contextlib import suppress

from idp.oidc.checks.redirect_uri import check_redirect_uri
from idp.oidc.checks.response_mode import check_response_mode
from idp.oidc.checks.response_type import in_order
from idp.oidc.errors import Refusal, refuse_repeated
from idp.oidc.pushed import is_reference
from idp.oidc.request import Draft
from idp.web.incoming import Parameters

_WAYS = frozenset({"request", "request_uri"})


def check_request_object(draft: Draft) -> None:
    """Take the request from where it is; all parameters outside count no more (RFC 9101 §6.3, RFC 9126 §4).

    What was pushed by another client, was answered, or waited too long is nowhere to be answered: its page says so.
    Of a signed request that is refused, the client learns if the redirect_uri outside is its own.
    """
    given = _WAYS & (draft.unverified.keys() | draft.unverified.repeated)
    if not given:
        return
    if is_reference(draft.unverified.get("request_uri", "")) and not draft.is_pushed:
        _take_pushed(draft)
        return
    try:
        found = _signed(draft)
    except Refusal:
        _see_where_to_answer(draft)
        raise
    outside = draft.unverified
    draft.unverified, draft.is_signed = found, True
    # OIDC Core §6.1: what is outside as well must be the same; client_id was judged with the signature.
    own_type = found.get("response_type", "")
    if in_order(outside.get("response_type", own_type)) != in_order(own_type):
        _see_where_to_answer(draft)
        raise Refusal("invalid_request", "response_type differs from the one in the request object")


def _take_pushed(draft: Draft) -> None:
    """Everything was checked when it was pushed, but for what may have changed since."""
    assert draft.client is not None
    if draft.unverified.repeated or "request" in draft.unverified:
        raise Refusal("invalid_request", "request_uri must be given once, and no request with it")
    found = draft.find_pushed(draft.unverified["request_uri"], draft.client.client_id)
    if found is None or not draft.client.check_redirect_uri(found.request.redirect_uri):
        raise Refusal("invalid_request_uri", "request_uri was used before, has expired, or is not known here")
    draft.take(found.request)
    draft.unverified = Parameters({"client_id": draft.client.client_id})
    if found.login_hint:
        draft.unverified["login_hint"] = found.login_hint


def _signed(draft: Draft) -> Parameters:
    client, outside = draft.client, draft.unverified
    assert client is not None
    refuse_repeated(outside.repeated)
    if "request_uri" in outside and (draft.is_pushed or "request" in outside):
        raise Refusal("invalid_request", "request_uri cannot be given with request, nor be pushed")
    unverified_text = outside.get("request") or draft.fetch_object(client, outside["request_uri"])
    return draft.read_object(client, unverified_text)


def _see_where_to_answer(draft: Draft) -> None:
    """At the address and in the mode that the request has now, as far as both can be."""
    try:
        check_redirect_uri(draft)
    except Refusal:
        draft.redirect_uri = None
    with suppress(Refusal):
        check_response_mode(draft)
