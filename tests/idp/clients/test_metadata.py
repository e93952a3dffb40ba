"""What a client may be: one judge for manifests and for registration over HTTP, and profiles that say what is allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, RSAKey

from idp.clients.metadata import DEVICE_GRANT, ClientRefused, Details, NewClient, check
from idp.clients.pairwise import check_list, sector
from idp.clients.profiles import ALL_METHODS, OWN_ALGORITHMS, PROFILES, SIGNING_ALGORITHMS, TLS_METHODS
from idp.clients.rules import fetchable_problem, link_problem
from idp.jose.keys import jwks_problem, usable_keys
from tests.support.proving import certificate, jwks, key_for

KEYS = jwks(key_for("ES256"))
BOTH = ("authorization_code", "refresh_token")


def _new(**change: Any) -> NewClient:
    of_details = {name: change.pop(name) for name in list(change) if name in Details.model_fields}
    return replace(
        NewClient("Pool", ("https://pool.example/cb",), grant_types=BOTH),
        **change,
        details=Details(**of_details),
    )


ACCEPTED: dict[str, dict[str, Any]] = {
    "plain": {},
    "signs with a key": {"token_endpoint_auth_method": "private_key_jwt", "jwks": KEYS},
    "publishes its key": {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": "https://pool.example/jwks",
    },
    "signs with its secret": {
        "token_endpoint_auth_method": "client_secret_jwt",
        "token_endpoint_auth_signing_alg": "HS256",
    },
    "has a certificate": {
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": "CN=pool,O=Riverton\\, Pool,C=FR",
    },
    "has its own certificate": {"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": KEYS},
    "FAPI": {"profile": "fapi2", "token_endpoint_auth_method": "private_key_jwt", "jwks": KEYS},
    "old software": {
        "profile": "legacy",
        "grant_types": (*BOTH, "implicit"),
        "response_types": ("code", "token id_token", "code id_token token"),
    },
    "a frame at the end": {
        "redirect_uris": ("https://pool.example/cb", "https://POOL.example:443/cb"),
        "frontchannel_logout_uri": "https://pool.example/out?x",
    },
    "an API of its own": {"resource": "urn:riverton:api", "access_token_format": "jwt"},
}
REFUSED: dict[str, dict[str, Any]] = {
    "no such profile": {"profile": "fapi3"},
    "tokens bound in two ways": {
        "dpop_bound_access_tokens": True,
        "tls_client_certificate_bound_access_tokens": True,
    },
    "FAPI with a secret": {"profile": "fapi2"},
    "FAPI without a secret": {"profile": "fapi2", "token_endpoint_auth_method": "none"},
    "FAPI with RS256": {
        "profile": "fapi2",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": KEYS,
        "id_token_signed_response_alg": "RS256",
    },
    "FAPI assertions with RS256": {
        "profile": "fapi2",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": KEYS,
        "token_endpoint_auth_signing_alg": "RS256",
    },
    "FAPI signed without keys": {
        "profile": "fapi2-signed",
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_dns": "pool.example",
    },
    "hybrid for the standard profile": {
        "grant_types": (*BOTH, "implicit"),
        "response_types": ("code id_token",),
    },
    "a secret that signs with RS256": {
        "token_endpoint_auth_method": "client_secret_jwt",
        "token_endpoint_auth_signing_alg": "RS256",
    },
    "a key that signs with HS256": {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": KEYS,
        "token_endpoint_auth_signing_alg": "HS256",
    },
    "a certificate without a name": {"token_endpoint_auth_method": "tls_client_auth"},
    "a certificate with two names": {
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_dns": "pool.example",
        "tls_client_auth_san_uri": "https://pool.example",
    },
    "a certificate's name for another method": {"tls_client_auth_san_dns": "pool.example"},
    "an address that is none": {
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_ip": "10.0.0.256",
    },
    "a network": {
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_ip": "10.0.0.0/8",
    },
    "an address of one machine's own": {
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_ip": "fe80::1%eth0",
    },
    "a name that is none": {
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": "pool",
    },
    "sealed answers without a key": {"id_token_encrypted_response_alg": "RSA-OAEP"},
    "answers sealed with RSA1_5": {"jwks": KEYS, "id_token_encrypted_response_alg": "RSA1_5"},
    "answers sealed with a shared key": {"jwks": KEYS, "id_token_encrypted_response_alg": "dir"},
    "a method without an algorithm": {"jwks": KEYS, "id_token_encrypted_response_enc": "A256GCM"},
    "sealed userinfo that nobody signed": {"jwks": KEYS, "userinfo_encrypted_response_alg": "ECDH-ES"},
    "sealed introspection that nobody signed": {
        "jwks": KEYS,
        "introspection_encrypted_response_alg": "ECDH-ES",
    },
    "a frame of somebody else's": {"frontchannel_logout_uri": "https://evil.example/out"},
    "a frame at another port": {"frontchannel_logout_uri": "https://pool.example:8443/out"},
    "a frame at a host below": {"frontchannel_logout_uri": "https://www.pool.example/out"},
    "a resource that is no address": {"resource": "api"},
    "a resource with a fragment": {"resource": "https://api.example/#x"},
    "a language that is none": {"localized": {"client_name#x!": "Pool"}},
    "a text that has no languages": {"localized": {"jwks_uri#fr": "https://pool.example"}},
    "a name in another language that is none": {"localized": {"client_name#fr": "\u202ex"}},
    "a page in another language that is script": {"localized": {"tos_uri#fr": "javascript:alert(1)"}},
    "a name that cannot be seen": {"name": "Po\u200bol"},
    "a name of two lines": {"name": "Pool\nTax office"},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_a_client_may_be(name: str) -> None:
    """Against refusing everything; what is kept of it comes back as it was."""
    new = _new(**ACCEPTED[name])
    check(new)
    assert Details(**new.details.kept()) == new.details


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_client_may_not_be(name: str) -> None:
    """RFC 7591 §3.2.2; FAPI 2.0 §5.3; RFC 8705 §2.1.2; OIDC Registration §2."""
    with pytest.raises(ClientRefused) as refused:
        check(_new(**REFUSED[name]))
    assert refused.value.code == "invalid_client_metadata"


_LIST = {"sector_identifier_uri": "https://club.example/sector"}
LEARNS_ELSEWHERE: dict[str, dict[str, Any]] = {
    "no address": {"grant_types": (DEVICE_GRANT,), "redirect_uris": ()},
    "a device besides": {"grant_types": (*BOTH, DEVICE_GRANT)},
    "never an answer": {"response_types": ()},
    "an app": {
        "application_type": "native",
        "redirect_uris": ("https://pool.example/cb", "com.example.pool:/cb"),
    },
    "one's own machine": {"redirect_uris": ("http://localhost/cb",)},
    "sign-outs told elsewhere": {"backchannel_logout_uri": "https://evil.example/out"},
    "events told elsewhere": {"events_uri": "https://evil.example/events"},
}


@pytest.mark.parametrize("name", LEARNS_ELSEWHERE)
def test_a_list_is_for_those_who_learn_of_residents_at_what_is_listed(name: str) -> None:
    """OIDC Core §8.1: to be in another's list costs nothing, and must not give the subjects of those in it."""
    with pytest.raises(ClientRefused):
        check_list(_new(**_LIST, **LEARNS_ELSEWHERE[name]))
    hosts = {
        "redirect_uris": ("https://pool.example/cb", "https://gym.example/cb"),
        "backchannel_logout_uri": "https://gym.example:8443/out",
        "events_uri": "https://club.example/events",
    }
    check_list(good := _new(**_LIST, **hosts))
    assert sector(good) == "club.example"


_FAPI = {"profile": "fapi2", "token_endpoint_auth_method": "private_key_jwt", "jwks": KEYS}
_IMPLICIT = {"profile": "legacy", "grant_types": ("implicit",), "response_types": ("id_token",)}
#: Redirect URIs by what the client is: those it may have, and those that it may not.
REDIRECTS: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "FAPI": (
        _FAPI,
        ("https://pool.example/cb",),
        ("http://localhost/cb", "http://localhost:8410/cb", "http://127.0.0.1/cb", "http://[::1]/cb"),
    ),
    "FAPI signed": ({**_FAPI, "profile": "fapi2-signed"}, ("https://pool.example/cb",), ("http://[::1]/cb",)),
    "FAPI native": (
        {**_FAPI, "application_type": "native"},
        ("https://pool.example/cb", "http://127.0.0.1/cb", "http://[::1]/cb", "example.pool:/cb"),
        ("http://localhost/cb",),
    ),
    "implicit": (
        _IMPLICIT,
        ("https://pool.example/cb",),
        ("http://localhost/cb", "https://localhost/cb", "http://127.0.0.1/cb", "https://[::1]:8443/cb"),
    ),
    "implicit native": (
        {**_IMPLICIT, "application_type": "native"},
        ("http://localhost/cb", "http://127.0.0.1/cb"),
        (),
    ),
    "in development": ({}, ("http://localhost:8410/cb", "http://127.0.0.1/cb"), ()),
}


@pytest.mark.parametrize("name", REDIRECTS)
def test_answers_go_only_where_the_client_may_have_them_sent(name: str) -> None:
    """FAPI 2.0 §5.3.2.2 no. 8, RFC 8252 §7.3; OIDC Registration §2 application_type."""
    change, good, bad = REDIRECTS[name]
    for uri in good:
        check(_new(**change, redirect_uris=(uri,)))
    for uri in bad:
        with pytest.raises(ClientRefused) as refused:
            check(_new(**change, redirect_uris=("https://pool.example/cb", uri)))
        assert refused.value.code == "invalid_redirect_uri", uri
    check(_new(**change, post_logout_redirect_uris=("http://localhost/bye",)))


def test_a_conformance_run_may_be_on_this_machine() -> None:
    """`[testing] allow_loopback`: the suite may listen there; what FAPI demands stays."""
    check(_new(**_IMPLICIT, redirect_uris=("https://localhost:8443/cb",)), allow_loopback=True)
    with pytest.raises(ClientRefused):
        check(_new(**_FAPI, redirect_uris=("http://localhost/cb",)), allow_loopback=True)


def test_a_page_is_found_in_the_residents_language() -> None:
    """RFC 7591 §2.2: the language, its mother, then the text without one."""
    details = Details(
        tos_uri="https://p.example/", localized={"tos_uri#fr": "https://p.example/fr", "client_name#fr": "P"}
    )
    assert details.text("tos_uri", "fr") == details.text("tos_uri", "fr-CH") == "https://p.example/fr"
    assert details.text("tos_uri", "de") == "https://p.example/"
    assert (details.text("client_name", "fr"), details.text("client_name", "de")) == ("P", "")


def test_a_key_set_is_public_strong_and_clear() -> None:
    """RFC 7517, RFC 7518 §3.3: RSA from 2048 bits; no secret half; no kid twice."""
    es = key_for("ES256")
    with pytest.warns(SecurityWarning):
        weak = RSAKey.generate_key(1024)
    good = es.as_dict(private=False)
    assert jwks_problem({"keys": [good]}) is None
    assert jwks_problem({"keys": [good, {"kty": "made-up"}]}) is None
    bad: list[Any] = [
        None,
        [],
        {},
        {"keys": []},
        {"keys": good},
        {"keys": ["x"]},
        {"keys": [good, good]},
        {"keys": [good] * 21},
        {"keys": [es.as_dict(private=True)]},
        {"keys": [OctKey.generate_key(256).as_dict()]},
        {"keys": [weak.as_dict(private=False)]},
        {"keys": [{**good, "x": "AAAA"}]},
        {"keys": [{**good, "kid": 7}]},
        {"keys": [{**good, "filler": "x" * 40_000}]},
    ]
    for one in bad:
        assert jwks_problem(one) is not None, one
    assert usable_keys({"keys": [weak.as_dict(private=False), good]})[0].kid == es.kid
    assert len(usable_keys({"keys": [good] * 50})) == 20


def test_profiles_are_what_the_specifications_say() -> None:
    """FAPI 2.0 §5.3.2, §5.4; RFC 9700 §2.1; never none, nothing symmetric, no password."""
    for profile in PROFILES.values():
        assert profile.auth_methods <= ALL_METHODS
        assert set(profile.signing_algs) <= set(SIGNING_ALGORITHMS)
        assert set(profile.own_algs) <= set(OWN_ALGORITHMS)
        assert "code" in profile.response_types
        assert not {"none", "HS256"} & {*profile.signing_algs, *profile.own_algs}
    for name in ("fapi2", "fapi2-signed"):
        fapi = PROFILES[name]
        assert fapi.auth_methods == {"private_key_jwt"} | TLS_METHODS
        assert fapi.par_required
        assert fapi.sender_constrained
        assert not fapi.rotates_refresh
        assert (fapi.assertion_audience, fapi.response_types) == ("issuer", {"code"})
        assert "RS256" not in (*fapi.signing_algs, *fapi.own_algs)
        assert fapi.signed_request_required == (name == "fapi2-signed")
        assert 5 <= fapi.request_for < 600
    assert PROFILES["standard"].rotates_refresh
    assert PROFILES["standard"].response_types == {"code"}


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        ("https://pool.example/x", True),
        ("https://8.8.8.8/x", True),
        ("https://pool.example:8443/x?y", True),
        ("https://pool.example/#x", False),
        ("https://10.0.0.1/x", False),
        ("https://127.1/x", False),
        ("https://a.localhost/x", False),
        ("http://localhost/x", False),
        ("https://", False),
        ("", False),
    ],
)
def test_only_public_addresses_are_worth_a_fetch(uri: str, good: bool) -> None:
    """K17; `[testing]` lets this machine itself through, and nothing else."""
    assert (fetchable_problem(uri) is None) == good
    assert fetchable_problem("http://localhost:8411/x", allow_loopback=True) is None
    assert fetchable_problem("http://10.0.0.1/x", allow_loopback=True) is not None


def test_links_are_for_browsers() -> None:
    """No script, no data; empty is no link at all."""
    assert link_problem("") is None
    assert link_problem("https://pool.example/") is None
    for uri in ("http://pool.example/", "javascript:alert(1)", "data:text/html,x", "http://localhost/"):
        assert link_problem(uri) is not None
    assert link_problem("http://localhost:8411/", allow_loopback=True) is None


def test_a_key_with_a_certificate_inside_is_a_key() -> None:
    """RFC 8705 §2.2: self-signed clients often register x5c."""
    import base64

    made = certificate("x5c")
    jwk = {**made.jwk, "x5c": [base64.b64encode(made.der).decode()]}
    assert jwks_problem({"keys": [jwk]}) is None
    assert isinstance(usable_keys({"keys": [jwk]})[0], ECKey)
