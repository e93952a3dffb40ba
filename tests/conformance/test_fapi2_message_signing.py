"""Plan `fapi2-message-signing-final`, with signed_non_repudiation and jarm: what it has beyond the security profile.

The modules of both plans run for signed requests and answers where they stand, in the files beside this one.
"""

from __future__ import annotations

import json
import secrets
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance import (
    test_fapi2_dpop,
    test_fapi2_pushed,
    test_fapi2_security_profile,
    test_fapi2_tokens,
)
from tests.conformance.fapi import Party
from tests.conformance.plans import CREDENTIALS, PROFILE, SIGNED, module, modules_of
from tests.conformance.refusals import assert_not_pushed
from tests.support.proving import b64

if TYPE_CHECKING:
    from collections.abc import Callable

    from joserfc.jwk import RSAKey

    from tests.conformance.browser import Browser
    from tests.conformance.plans import Variant
    from tests.conformance.suite import Suite
    from tests.conformance.transport import Got

_MINUTE = 60


def _succeeds(suite: Suite, browser: Browser, variant: Variant, **change: Any) -> None:
    party = Party(suite, variant)
    request = party.request()
    uri = party.pushed(request, form=party.form_of(request, **change))
    party.checked(
        party.token(party.redeemed(party.answered(party.visit(browser, request, uri), request))), request
    )


def _push(suite: Suite, variant: Variant, **change: Any) -> Got:
    party = Party(suite, variant)
    request = party.request()
    return party.push(request, form=party.form_of(request, **change))


@module(of=SIGNED)
def test_ensure_request_object_with_multiple_aud_succeeds(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """RFC 7519 §4.1.3: we are among those it is for."""
    _succeeds(suite, browser, variant, aud=[suite.issuer, "https://other1.example.com/invalid"])


@module(of=SIGNED)
def test_ensure_request_object_with_nbf_8_seconds_in_the_future_is_accepted(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """FAPI 2.0 §5.3.2.1 no. 14: clocks differ."""
    _succeeds(suite, browser, variant, nbf=int(suite.now()) + 8)


@module(of=SIGNED)
def test_ensure_request_object_without_exp_fails(suite: Suite, variant: Variant) -> None:
    """Message Signing §5.3.1."""
    assert_not_pushed(_push(suite, variant, exp=None), "invalid_request_object")


@module(of=SIGNED)
def test_ensure_request_object_without_nbf_fails(suite: Suite, variant: Variant) -> None:
    """Message Signing §5.3.1."""
    assert_not_pushed(_push(suite, variant, nbf=None), "invalid_request_object")


@module(of=SIGNED)
def test_ensure_expired_request_object_fails(suite: Suite, variant: Variant) -> None:
    """RFC 7519 §4.1.4: expired five minutes ago."""
    now = int(suite.now())
    got = _push(suite, variant, nbf=now - 10 * _MINUTE, exp=now - 5 * _MINUTE)
    assert_not_pushed(got, "invalid_request_object")


@module(of=SIGNED)
def test_ensure_request_object_with_bad_aud_fails(suite: Suite, variant: Variant) -> None:
    """RFC 9101 §4: it is for somebody else."""
    got = _push(suite, variant, aud="https://other1.example.com/invalid")
    assert_not_pushed(got, "invalid_request_object")


@module(of=SIGNED)
def test_ensure_request_object_with_exp_over_60_fails(suite: Suite, variant: Variant) -> None:
    """Message Signing §5.3.1: good for an hour from nbf at most."""
    got = _push(suite, variant, exp=int(suite.now()) + 70 * _MINUTE)
    assert_not_pushed(got, "invalid_request_object")


@module(of=SIGNED)
def test_ensure_request_object_with_nbf_over_60_fails(suite: Suite, variant: Variant) -> None:
    """Message Signing §5.3.1: begun an hour ago at most."""
    got = _push(suite, variant, nbf=int(suite.now()) - 70 * _MINUTE)
    assert_not_pushed(got, "invalid_request_object")


@module(of=SIGNED)
def test_ensure_signed_request_object_with_RS256_fails(  # noqa: N802 - the suite's name
    suite: Suite, variant: Variant, rsa_key_of: Callable[[str], RSAKey]
) -> None:
    """FAPI 2.0 §5.4.1: with a key that is registered, and good for PS256."""
    key = rsa_key_of(Party(suite, variant).client_id)
    assert _push(suite, variant, key=key, header={"alg": "PS256"}).status == 201
    got = _push(suite, variant, key=key, header={"alg": "RS256"})
    assert_not_pushed(got, "invalid_request_object")


@module(of=SIGNED)
def test_ensure_request_object_signature_algorithm_is_not_none(suite: Suite, variant: Variant) -> None:
    """RFC 9101 §10.1."""
    party = Party(suite, variant)
    body = party.object(party.request()).split(".")[1]
    head = b64(json.dumps({"alg": "none"}).encode())
    got = party.push({}, form={"client_id": party.client_id, "request": f"{head}.{body}."})
    assert_not_pushed(got, "invalid_request_object")


@module(of=SIGNED)
def test_ensure_request_object_with_invalid_signature_fails(suite: Suite, variant: Variant) -> None:
    """RFC 9101 §6.2."""
    party = Party(suite, variant)
    signed = party.object(party.request()).rpartition(".")[0]
    text = f"{signed}.{b64(secrets.token_bytes(64))}"
    got = party.push({}, form={"client_id": party.client_id, "request": text})
    assert_not_pushed(got, "invalid_request_object")


@module(of=SIGNED)
def test_ensure_matching_key_in_authorization_request(suite: Suite, variant: Variant) -> None:
    """The first client's request, with the second one's signature."""
    got = _push(suite, variant, key=Party(suite, variant, "2").key)
    assert_not_pushed(got, "invalid_request", "invalid_request_object")


@module(of=SIGNED)
def test_ensure_unsigned_request_at_par_endpoint_fails(suite: Suite, variant: Variant) -> None:
    """Message Signing §5.3.1: parameters alone are no request: invalid_request."""
    party = Party(suite, variant)
    assert_not_pushed(party.push({}, form=party.request()), "invalid_request")


@module(of=SIGNED)
def test_par_authorization_request_containing_request_uri(suite: Suite, variant: Variant) -> None:
    """RFC 9101 §4, RFC 9126 §2.1: no request_uri inside the object."""
    got = _push(suite, variant, request_uri="urn:ietf:params:oauth:request_uri:any")
    assert_not_pushed(got, "invalid_request_object")


#: How many the suite runs for plain_fapi with openid_connect, plain_oauth, signed requests, and client credentials.
COUNTED = {
    ("private_key_jwt", "dpop"): (56, 50, 70, 14),
    ("private_key_jwt", "mtls"): (47, 41, 61, 10),
    ("mtls", "dpop"): (46, 40, 60, 9),
    ("mtls", "mtls"): (37, 31, 51, 5),
}


@pytest.mark.parametrize("variant", [*PROFILE, *SIGNED, *CREDENTIALS], ids=str)
def test_every_module_of_a_plan_has_a_test(variant: Variant) -> None:
    """§1.2: as many as the suite runs, and each once."""
    files = (
        test_fapi2_security_profile,
        test_fapi2_pushed,
        test_fapi2_tokens,
        test_fapi2_dpop,
        sys.modules[__name__],
    )
    found = modules_of(variant, *files)
    kind = 3 if variant.credentials else 2 if variant.signed else 0 if variant.openid else 1
    assert len(set(found)) == len(found)
    assert len(found) == COUNTED[variant.auth, variant.bound][kind], sorted(found)
