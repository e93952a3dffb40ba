"""The two clients for Node.js where the town is strictest, and where it is as old software wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.scripts import converse, need

if TYPE_CHECKING:
    from pathlib import Path

    from tests.interop.strict import StrictTown, Visitor

PACKAGES = ("openid-client", "oauth4webapi", "jose")


@pytest.fixture(autouse=True)
def _node_and_its_packages() -> None:
    need(*PACKAGES)


def run(script: str, strict: StrictTown, visitor: Visitor, complaints: Path) -> dict[str, Any]:
    """What the client was granted and refused."""

    def let_in(address: str) -> dict[str, Any]:
        visitor.let_in(address)
        return {}

    told = {
        "issuer": strict.issuer,
        "clients": strict.printed["clients"],
        "initial_access_token": strict.printed["initial_access_token"],
    }
    return converse(script, told, {"open": visitor.open, "let_in": let_in}, complaints, authority=strict.ca)


def test_openid_client_under_fapi_2(strict: StrictTown, visitor: Visitor, tmp_path: Path) -> None:
    """PAR, private_key_jwt, DPoP with nonces, mutual TLS both ways; JAR and JARM (FAPI 2.0, RFC 9126, 9449, 8705, 9101)."""
    said = run("fapi_openid_client.mjs", strict, visitor, tmp_path / "stderr")
    for found in said["granted"].values():
        assert found["userinfo"]["email"] == strict.claims["email"]
        assert found["userinfo"]["sub"] == found["claims"]["sub"]
    assert set(said["granted"]) == {"dpop", "signed", "fapi2-mtls", "fapi2-mtls-2"}
    assert said["refused"] == [
        "a bound token without a proof",
        "a bound token with another key",
        "a code with another key",
        "a request that was not pushed",
        "an assertion by another key",
        "a request that is not signed",
        "the certificate of another, fapi2-mtls",
        "a token bound to a certificate with another, fapi2-mtls",
        "the certificate of another, fapi2-mtls-2",
        "a token bound to a certificate with another, fapi2-mtls-2",
    ]
    assert visitor.sign_ins == 1


def test_oauth4webapi_under_fapi_2(strict: StrictTown, visitor: Visitor, tmp_path: Path) -> None:
    """The same step by step, nonces fetched by hand; a device polls (RFC 8628 §3.5)."""
    said = run("fapi_oauth4webapi.mjs", strict, visitor, tmp_path / "stderr")
    for found in said["granted"].values():
        assert found["userinfo"]["email"] == strict.claims["email"]
    assert set(said["granted"]) == {"signed", "certificate"}
    assert said["refused"] == [
        "a request signed by another key",
        "a request that is not signed",
        "another state",
        "an answer to another client",
        "a bound token without a proof",
        "a code used before",
        "a token whose code came twice",
        "a request that was pushed, used before",
        "a bound token without its certificate",
        "a device that nobody has let in",
        "a device that asks at once again",
    ]


def test_openid_client_as_older_sites_use_it(strict: StrictTown, visitor: Visitor, tmp_path: Path) -> None:
    """form_post, hybrid, implicit, JARM, signed requests by value, encrypted answers, devices, back-channel logout."""
    said = run("old_openid_client.mjs", strict, visitor, tmp_path / "stderr")
    assert list(said["granted"]) == ["form", "hybrid", "hybrid_form", "implicit", "sealed", "device"]
    for name, found in said["granted"].items():
        assert found["userinfo"]["email"] == strict.claims["email"], name
        assert found["userinfo"]["sub"] == found["claims"]["sub"], name
    assert said["refused"] == ["a code that is not the ID token's", "another nonce", "data after signing out"]
    assert visitor.sign_ins == 1
