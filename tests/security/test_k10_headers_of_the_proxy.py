"""K10: what the proxy says is believed under names that only it knows (RFC 9440 §4).

Granian, like every WSGI server, makes one name of `Client_Cert` and `Client-Cert`. What comes over the wire see
`tests/conformance/test_served.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.test import EnvironBuilder

from tests.support.proving import CLIENT_CERT, PROXY, PROXY_SECRET
from tests.support.town import ISSUER

if TYPE_CHECKING:
    from tests.support.proving import Proving

OWN = {"grant_type": "client_credentials", "client_id": "self"}
FORGED = ("Client-Cert", "Client_Cert", f"Client-Cert-{PROXY_SECRET[:-1]}", "Client-Cert-")


@pytest.mark.parametrize("name", FORGED)
def test_a_certificate_that_gets_past_the_proxy_proves_nothing(proving: Proving, name: str) -> None:
    """Neither alone nor beside what the proxy says of another certificate."""
    own, other = proving.certificates["self"].headers, proving.certificates["pki"].headers
    forged = {name: own[CLIENT_CERT]}
    for headers in (forged, {**forged, **other}, {**other, **forged}):
        assert proving.post("/token", OWN, headers).status_code == 401
    assert proving.post("/token", OWN, {name: other[CLIENT_CERT], **own}).status_code == 200


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X_Forwarded_For", "X-Forwarded_For"])
def test_nor_does_an_address(proving: Proving, name: str) -> None:
    """Else a guesser would choose another source each time (K26)."""
    told = f"X-Forwarded-For-{PROXY_SECRET}"
    assert _source(proving, {name: "198.51.100.7"}) == PROXY
    assert _source(proving, {told: "192.0.2.1", name: "198.51.100.7"}) == "192.0.2.1"
    assert _source(proving, {told: "198.51.100.7, 192.0.2.1"}) == "192.0.2.1"
    assert _source(proving, {told: "192.0.2.1"}, via="10.1.2.4") == "10.1.2.4"
    assert _source(proving, {told: "192.0.2.1"}, via=f"::ffff:{PROXY}") == "192.0.2.1"


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("192.0.2.1:5678", "192.0.2.1"),
        ("198.51.100.7:80, 192.0.2.1:5678", "192.0.2.1"),
        ("[2001:db8::1]:5678", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ("::1", "::1"),
        ("unknown", "unknown"),
        (" ", PROXY),
    ],
)
def test_an_address_is_the_same_with_a_port_and_without(proving: Proving, written: str, source: str) -> None:
    """Some proxies write the port as well: else each connection would be a source of its own (K26)."""
    assert _source(proving, {f"X-Forwarded-For-{PROXY_SECRET}": written}) == source


def _source(proving: Proving, headers: dict[str, str], *, via: str = PROXY) -> str:
    environ: dict[str, Any] = EnvironBuilder("/health", ISSUER, headers=headers).get_environ()
    environ["REMOTE_ADDR"] = via
    [*proving.town.app.wsgi_app(environ, lambda *_: None)]
    return str(environ["REMOTE_ADDR"])
