"""Plan `oidcc-rp-initiated-logout-certification-test-plan`, static client, response type code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from joserfc import jws

from tests.conformance.leaving import parameters_of, signed_in, without_signature
from tests.conformance.run import new_key
from tests.support.proving import sign

if TYPE_CHECKING:
    from tests.conformance.suite import Suite


def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(suite: Suite) -> None:
    """The endpoint is listed, by https."""
    assert suite.metadata["end_session_endpoint"].startswith("https://")


def test_oidcc_rp_initiated_logout(suite: Suite) -> None:
    """Back at the registered address with the state intact and nothing else; nobody is signed in any more."""
    leaving = signed_in(suite)
    wish = leaving.wish
    assert len(wish["state"]) == 128
    arrival = leaving.confirm(leaving.ask(wish))
    assert arrival.url.startswith(leaving.back)
    assert arrival.parameters == {"state": wish["state"]}
    leaving.assert_signed_out()


def test_oidcc_rp_initiated_logout_no_state(suite: Suite) -> None:
    """No state was sent, so that none comes back."""
    leaving = signed_in(suite)
    wish = leaving.wish
    del wish["state"]
    assert leaving.confirm(leaving.ask(wish)).url == leaving.back
    leaving.assert_signed_out()


def test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri(suite: Suite) -> None:
    """An address that is not registered: an error page."""
    leaving = signed_in(suite)
    leaving.back += "/bad"
    page = leaving.stays(leaving.ask(leaving.wish))
    assert page.status == 400
    assert "post_logout_redirect_uri" in page.text


def test_oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri(suite: Suite) -> None:
    """A query that is not registered makes another address: an error page."""
    leaving = signed_in(suite)
    leaving.back += "?foo=bar"
    page = leaving.stays(leaving.ask(leaving.wish))
    assert page.status == 400
    assert "post_logout_redirect_uri" in page.text


def test_oidcc_rp_initiated_logout_modified_id_token_hint(suite: Suite) -> None:
    """Alg none proves nothing: the resident is asked, and goes nowhere."""
    leaving = signed_in(suite)
    wish = {**leaving.wish, "id_token_hint": without_signature(leaving.found.id_token)}
    leaving.stays(leaving.ask(wish))


def test_oidcc_rp_initiated_logout_bad_id_token_hint(suite: Suite) -> None:
    """Signed by somebody else, under the kid of a key of ours: the same."""
    leaving = signed_in(suite)
    whole = jws.extract_compact(leaving.found.id_token.encode())
    header = {"alg": "RS256", "kid": whole.headers()["kid"]}
    forged = sign(suite.read_id_token(leaving.found.id_token, "RS256"), new_key(), header)
    leaving.stays(leaving.ask({**leaving.wish, "id_token_hint": forged}))


def test_oidcc_rp_initiated_logout_no_id_token_hint(suite: Suite) -> None:
    """Nobody says whose address it is: the resident is asked, and goes nowhere."""
    leaving = signed_in(suite)
    wish = leaving.wish
    del wish["id_token_hint"]
    leaving.stays(leaving.ask(wish))


def _signs_out_here(suite: Suite, *kept: str) -> None:
    """The resident is signed out and told so."""
    leaving = signed_in(suite)
    wish = {name: value for name, value in leaving.wish.items() if name in kept}
    page = leaving.confirm(leaving.ask(wish)).page
    assert page is not None
    assert page.status == 200
    assert "signed out" in page.text
    assert not parameters_of(page.url)
    leaving.assert_signed_out()


def test_oidcc_rp_initiated_logout_no_params(suite: Suite) -> None:
    """Somebody just wants to leave."""
    _signs_out_here(suite)


def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(suite: Suite) -> None:
    """There is nowhere to go back to."""
    _signs_out_here(suite, "id_token_hint", "state")


def test_oidcc_rp_initiated_logout_only_state(suite: Suite) -> None:
    """A state alone means nothing."""
    _signs_out_here(suite, "state")
