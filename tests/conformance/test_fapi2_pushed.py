"""Plans `fapi2-security-profile-final` and `fapi2-message-signing-final`: what may be pushed, and the life of a reference."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from tests.conformance.browser import Browser
from tests.conformance.fapi import Party
from tests.conformance.plans import Variant, module
from tests.conformance.refusals import assert_not_pushed
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.conformance.suite import Suite
    from tests.conformance.transport import Got


class Looking(Browser):
    """One in which nobody does anything."""

    def _act(self, got: Got) -> Got | None:
        return None


# --- requests that are refused when they are pushed ---


@module()
def test_ensure_redirect_uri_in_authorization_request(suite: Suite, variant: Variant) -> None:
    """invalid_request or invalid_request_object."""
    party = Party(suite, variant)
    got = party.push(party.request(redirect_uri=None))
    assert_not_pushed(got, "invalid_request", "invalid_request_object")


@module()
def test_ensure_request_object_without_redirect_uri_fails(suite: Suite, variant: Variant) -> None:
    """The same where it stands outside of what was signed, if anything was."""
    party = Party(suite, variant)
    request = party.request()
    form = party.form_of({name: value for name, value in request.items() if name != "redirect_uri"})
    outside = {"redirect_uri": request["redirect_uri"]} if variant.signed else {}
    got = party.push(request, form={**form, **outside})
    assert_not_pushed(got, "invalid_request", "invalid_request_object")


@module()
def test_plain_fapi_tolerate_unregistered_redirect_uri(suite: Suite, variant: Variant) -> None:
    """RFC 9126 §2.4 allows what we do not do: addresses are registered, or the request is refused."""
    party = Party(suite, variant)
    got = party.push(party.request(redirect_uri=f"{party.redirect_uri}/{secrets.token_urlsafe(8)}"))
    assert_not_pushed(got, "invalid_request", "invalid_request_object")


def _refused_type(suite: Suite, variant: Variant, response_type: str) -> None:
    party = Party(suite, variant)
    got = party.push(party.request(response_type=response_type))
    assert_not_pushed(got, "unsupported_response_type", "invalid_request", "unauthorized_client")


@module()
def test_ensure_response_type_code_idtoken_fails(suite: Suite, variant: Variant) -> None:
    """Nothing but a code passes through the browser."""
    _refused_type(suite, variant, "code id_token")


@module()
def test_ensure_response_type_token_fails(suite: Suite, variant: Variant) -> None:
    """Nothing but a code passes through the browser."""
    _refused_type(suite, variant, "token")


@module()
def test_par_ensure_pkce_required(suite: Suite, variant: Variant) -> None:
    """FAPI 2.0 §5.3.2.2 no. 5: invalid_request without a challenge."""
    party = Party(suite, variant)
    got = party.push(party.request(code_challenge=None, code_challenge_method=None))
    assert_not_pushed(got, "invalid_request")


@module()
def test_par_plain_pkce_rejected(suite: Suite, variant: Variant) -> None:
    """FAPI 2.0 §5.3.2.2 no. 5: S256 alone."""
    party = Party(suite, variant)
    plain = Proof().verifier
    assert_not_pushed(
        party.push(party.request(code_challenge=plain, code_challenge_method="plain")), "invalid_request"
    )
    assert_not_pushed(
        party.push(party.request(code_challenge=plain, code_challenge_method=None)), "invalid_request"
    )


@module()
def test_par_authorization_request_containing_request_uri_form_param(suite: Suite, variant: Variant) -> None:
    """RFC 9126 §2.1 no. 2."""
    party = Party(suite, variant)
    form = {**party.form_of(party.request()), "request_uri": "urn:ietf:params:oauth:request_uri:any"}
    got = party.push({}, form=form)
    assert_not_pushed(got, "invalid_request", "invalid_request_object", "request_uri_not_supported")


@module()
def test_par_attempt_invalid_http_method(suite: Suite, variant: Variant) -> None:
    """RFC 9126 §2.3: 405 for PUT."""
    party = Party(suite, variant)
    assert party.push(party.request(), method="PUT").status == 405


# --- the life of a reference ---


@module()
def test_par_ensure_reused_request_uri_prior_to_auth_completion_succeeds(
    suite: Suite, variant: Variant
) -> None:
    """FAPI 2.0 §5.3.2.2 note 3: whoever looks at the sign-in page and loads it again can still sign in."""
    party, browser = Party(suite, variant), suite.browser()
    request = party.request()
    uri = party.pushed(request)
    looked = party.visit(Looking(**vars(browser)), request, uri)
    assert looked.page is not None
    assert looked.url.startswith(f"{suite.issuer}/login")
    party.checked(
        party.token(party.redeemed(party.answered(party.visit(browser, request, uri), request))), request
    )


def _assert_of_no_use(party: Party, browser: Browser, request: dict[str, str], uri: str) -> None:
    """A page with invalid_request_uri, or that error at the client."""
    arrival = party.visit(browser, request, uri)
    if arrival.page is None:
        assert party.refused(arrival, request) == "invalid_request_uri"
    else:
        assert arrival.page.status == 400
        assert "invalid_request_uri" in arrival.page.text


@module()
def test_par_attempt_reuse_request_uri(suite: Suite, browser: Browser, variant: Variant) -> None:
    """RFC 9126 §7.3: once answered, it is spent."""
    party = Party(suite, variant)
    request = party.request()
    uri = party.pushed(request)
    party.checked(
        party.token(party.redeemed(party.answered(party.visit(browser, request, uri), request))), request
    )
    _assert_of_no_use(party, browser, request, uri)


@module()
def test_par_attempt_to_use_expired_request_uri(suite: Suite, browser: Browser, variant: Variant) -> None:
    """RFC 9126 §2.2: not after the seconds that its answer named, which are few."""
    party = Party(suite, variant)
    request = party.request()
    told: dict[str, Any] = party.push(request).json
    assert told["expires_in"] <= 90
    suite.wait(told["expires_in"] + 1)
    _assert_of_no_use(party, browser, request, told["request_uri"])


@module()
def test_par_attempt_to_use_request_uri_for_different_client(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """RFC 9126 §2.2: bound to the client that pushed it."""
    party, other = Party(suite, variant), Party(suite, variant, "2")
    request = party.request()
    uri = party.pushed(request)
    arrival = party.visit(browser, {**request, "client_id": other.client_id}, uri)
    assert arrival.page is not None
    assert arrival.page.status == 400
