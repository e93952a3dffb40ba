"""Which redirect URIs may be registered, and which one a request may use."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from idp.clients.rules import is_registered_redirect, redirect_problem

WEB = ("https://rp.example/cb", "https://rp.example/other?x=1")
NATIVE = ("http://127.0.0.1/callback", "http://[::1]/callback", "com.example.app:/cb")

addresses = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["https", "http", "com.example.app", "javascript"]),
    st.sampled_from(
        [
            "rp.example",
            "rp.example;x",
            "rp%2eexample",
            "127.0.0.1",
            "[::1]",
            "localhost",
            "rp.example.",
            "a@rp.example",
        ]
    ),
    st.sampled_from(["", ":443", ":80", ":5000", ":99999", ":x"]),
    st.sampled_from(["", "/", "/cb", "/callback", "/CB", "/cb/", "/cb?x=1", "/cb#f", "/cb\n"]),
)


@given(st.one_of(st.text(), addresses))
def test_a_web_clients_request_must_be_the_registered_bytes(uri: str) -> None:
    """RFC 9700 §2.1: nothing but equality."""
    assert is_registered_redirect(uri, WEB, native=False) == (uri in WEB)


@given(st.one_of(st.text(), addresses))
def test_a_native_clients_request_differs_at_most_by_a_loopback_port(uri: str) -> None:
    """RFC 8252 §7.3: take the digits of the port away, and the registered address is left."""
    if not is_registered_redirect(uri, NATIVE, native=True) or uri in NATIVE:
        return
    for known in NATIVE[:2]:
        origin, _, path = known.rpartition("/")
        port = uri.removeprefix(f"{origin}:").removesuffix(f"/{path}")
        if f"{origin}:{port}/{path}" == uri and port.isascii() and port.isdigit():
            return
    raise AssertionError(uri)


@given(st.integers(0, 65535))
def test_any_loopback_port_is_accepted_of_a_native_client(port: int) -> None:
    """RFC 8252 §7.3: the server MUST allow any port."""
    assert is_registered_redirect(f"http://127.0.0.1:{port}/callback", NATIVE, native=True)
    assert is_registered_redirect(f"http://[::1]:{port}/callback", NATIVE, native=True)
    assert not is_registered_redirect(f"http://127.0.0.1:{port}/callback", NATIVE, native=False)


anything = st.one_of(st.text(st.characters(codec="ascii")), addresses)
seldom_lawful = settings(suppress_health_check=[HealthCheck.filter_too_much])


@seldom_lawful
@given(anything, st.booleans())
def test_whatever_is_registered_is_harmless_in_a_header_and_a_page_policy(uri: str, native: bool) -> None:
    """It goes into Location as it is, and its origin into form-action: nothing there may end either."""
    assume(redirect_problem(uri, native=native) is None)
    assert uri.isascii()
    assert uri.isprintable()
    assert not set(' "<>`\\*#') & set(uri)
    authority = uri.partition("://")[2].partition("/")[0].partition("?")[0]
    assert not set("@;,'%") & set(authority)
    scheme = uri.partition(":")[0].lower()
    assert scheme in ("https", "http") or (native and "." in scheme)


@seldom_lawful
@given(anything, st.booleans())
def test_whatever_is_registered_works_afterwards(uri: str, native: bool) -> None:
    """Rule of registration and rule of use agree."""
    assume(redirect_problem(uri, native=native) is None)
    assert is_registered_redirect(uri, (uri,), native=native)


REFUSED = [
    "",
    "cb",
    "/cb",
    "//rp.example/cb",
    "https:",
    "https://",
    "https:///cb",
    "https:cb",
    "http://rp.example/cb",
    "ftp://rp.example/cb",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "blob:https://rp.example/1",
    "https://*.rp.example/cb",
    "https://rp.example/*",
    "https://user@rp.example/cb",
    "https://user:password@rp.example/cb",
    "https://@rp.example/cb",
    "https://rp.example/cb#",
    "https://rp.example/cb#f",
    "https://rp.example/c b",
    "https://rp.example/cb\n",
    "https://rp.example\\cb",
    "https://rp.example/<script>",
    "https://rp.éxample/cb",
    "https://rp.example:port/cb",
    "https://rp.example:99999/cb",
    "https://[::1/cb",
    "https://rp.example;sandbox/cb",
    "https://rp.example,https://evil.test/cb",
    "https://rp.example'/cb",
    "https://rp%2eexample/cb",
    "http://localhost.evil.test/cb",
    "http://127.0.0.2/cb",
]


@pytest.mark.parametrize("uri", REFUSED)
def test_addresses_that_nobody_should_register_are_refused_with_a_reason(uri: str) -> None:
    """RFC 9700 §2.1, §4.1.3; OIDC Registration §2: the partner is told what to change."""
    assert redirect_problem(uri, native=False)


@pytest.mark.parametrize(
    "uri",
    [
        "https://rp.example/cb",
        "https://rp.example",
        "https://rp.example:8443/cb?x=1&y=%20",
        "https://[2001:db8::1]/cb",
        "https://xn--80ak6aa92e.example/cb",
        "http://localhost:8410/cb",
        "http://127.0.0.1/callback",
        "http://[::1]:5000/cb",
    ],
)
def test_ordinary_addresses_are_accepted(uri: str) -> None:
    """Against refusing everything; plain http for a developer's own machine alone."""
    assert redirect_problem(uri, native=False) is None


def test_a_scheme_of_its_own_is_for_native_clients_and_names_a_domain() -> None:
    """RFC 8252 §7.1: reverse domain names, so that two apps do not share one by chance."""
    assert redirect_problem("com.example.app:/cb", native=True) is None
    assert redirect_problem("com.example.app:/cb", native=False)
    for uri in ("myapp:/cb", "javascript:alert(1)", "data:text/html,x", "intent://x"):
        assert redirect_problem(uri, native=True)
