"""Client certificates behind a proxy (RFC 9440): who a client is, and what its tokens are bound to (RFC 8705)."""

from __future__ import annotations

import base64
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from idp.app import create_app, open_context
from idp.clients.metadata import Details, NewClient
from idp.settings import ServerSettings, Settings
from tests.support.proving import BOTH, CLIENT_CERT, PROXY, PROXY_SECRET, Prover, certificate, dpop, key_for
from tests.support.town import ISSUER, STAFF, START, Proof, make_town

if TYPE_CHECKING:
    from pathlib import Path

    from werkzeug.test import TestResponse

    from tests.support.proving import Certified, Proving
    from tests.support.town import Town

OWN = {"grant_type": "client_credentials"}


def _ask(proving: Proving, client_id: str, headers: dict[str, str], **more: str) -> TestResponse:
    return proving.post("/token", {**OWN, "client_id": client_id}, headers, **more)


def _error(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]


@pytest.mark.parametrize("name", ["self", "pki", "pkidns"])
def test_a_certificate_proves_its_client_and_no_other(proving: Proving, name: str) -> None:
    """RFC 8705 §2: self-signed by its key, others by subject or alternative name."""
    for other in ("self", "pki", "pkidns"):
        answer = _ask(proving, name, proving.certificates[other].headers)
        if other == name:
            assert answer.status_code == 200, answer.json
        else:
            assert _error(answer) == (401, "invalid_client"), other


def test_a_certificate_counts_only_from_a_trusted_proxy(proving: Proving) -> None:
    """RFC 9440 §2.4: anybody can write a header; whoever is not the proxy is not believed."""
    for name in ("self", "pki"):
        headers = proving.certificates[name].headers
        for address in ("127.0.0.1", "192.0.2.7", ""):
            assert _error(_ask(proving, name, headers, via=address)) == (401, "invalid_client")


def _strangers(proving: Proving) -> dict[str, Certified]:
    evil = certificate("Riverton CA", is_ca=True)
    ours, client = proving.authority, ExtendedKeyUsageOID.CLIENT_AUTH
    return {
        "of another authority of the same name": certificate("pki", issuer=evil, usage=client),
        "self-signed": certificate("pki"),
        "for servers": certificate("pki", issuer=ours, usage=ExtendedKeyUsageOID.SERVER_AUTH),
        "expired": certificate("pki", issuer=ours, at=START - 90 * 86_400),
        "not yet good": certificate("pki", issuer=ours, at=START + 90 * 86_400),
        "of another name": certificate("PKI", issuer=ours),
        "of an end entity": certificate("pki", issuer=proving.certificates["pkidns"]),
    }


def test_a_certificate_that_we_have_no_reason_to_trust_proves_nothing(proving: Proving) -> None:
    """RFC 5280 §6; the chain is judged here, because a proxy for self-signed ones lets all through."""
    for name, stranger in _strangers(proving).items():
        assert _error(_ask(proving, "pki", stranger.headers)) == (401, "invalid_client"), name


def test_a_chain_that_is_sent_along_is_followed(proving: Proving) -> None:
    """RFC 9440 §2.3 Client-Cert-Chain."""
    between = certificate("Between", issuer=proving.authority, is_ca=True)
    leaf = certificate("pki", issuer=between)
    assert _error(_ask(proving, "pki", leaf.headers)) == (401, "invalid_client")
    chain = {f"Client-Cert-Chain-{PROXY_SECRET}": between.headers[CLIENT_CERT]}
    assert _ask(proving, "pki", {**leaf.headers, **chain}).status_code == 200


def test_alternative_names_of_every_kind_are_compared(proving: Proving) -> None:
    """RFC 8705 §2.1.2: one registered name, found among those of the certificate."""
    many = (x509.DNSName("other.example"), x509.DNSName("API.pki.example"))
    good = certificate("y", issuer=proving.authority, sans=many)
    assert _ask(proving, "pkidns", good.headers).status_code == 200
    wrong = (x509.DNSName("xapi.pki.example"), x509.RFC822Name("api.pki.example@x.example"))
    bad = certificate("y", issuer=proving.authority, sans=wrong)
    assert _error(_ask(proving, "pkidns", bad.headers)) == (401, "invalid_client")


def test_addresses_are_compared_as_addresses(proving: Proving) -> None:
    """RFC 8705 §2.1.2, RFC 5952 §8: however they were written at registration."""
    town = proving.town
    for name, written, same, other in (
        ("sixth", "2001:0DB8:0:0::1", "2001:db8::1", "2001:db8::10"),
        ("fourth", "192.0.2.7", "192.0.2.7", "192.0.2.70"),
    ):
        new = NewClient(
            name,
            client_id=name,
            token_endpoint_auth_method="tls_client_auth",
            grant_types=("client_credentials",),
            details=Details(tls_client_auth_san_ip=written),
        )
        town.add_client(new, basis=None)
        town.fresh()
        for address, status in ((same, 200), (other, 401)):
            sans = (x509.IPAddress(ip_address(address)),)
            found = certificate("z", issuer=proving.authority, sans=sans)
            assert _ask(proving, name, found.headers).status_code == status, address
        named = certificate("z", issuer=proving.authority, sans=(x509.DNSName(same.replace(":", "-")),))
        assert _ask(proving, name, named.headers).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "",
        "x",
        "::",
        ":x:",
        ":" + base64.b64encode(b"no certificate").decode() + ":",
        ":" + "A" * 20_000 + ":",
    ],
)
def test_what_is_no_certificate_proves_nothing(proving: Proving, header: str) -> None:
    """RFC 8941 §3.3.5; never a failure of ours."""
    assert _error(_ask(proving, "self", {CLIENT_CERT: header})) == (401, "invalid_client")


def test_a_certificate_is_no_second_way_for_others(proving: Proving) -> None:
    """K10: a client has exactly one method, and a certificate beside another is not it."""
    headers = proving.certificates["pki"].headers
    for client_id in ("library", "tax", "pkjwt", "secretjwt"):
        assert _error(_ask(proving, client_id, headers)) == (401, "invalid_client")
    form, basic = {**OWN, "client_id": "pki"}, {"Authorization": "Basic cGtpOng="}
    assert _error(proving.post("/token", form, {**headers, **basic})) == (401, "invalid_client")
    assert _error(proving.post("/token", {**form, "client_secret": "x"}, headers)) == (401, "invalid_client")


def test_tokens_are_bound_to_the_certificate(proving: Proving) -> None:
    """RFC 8705 §3: `cnf` in introspection; at userinfo no other certificate will do, and no header of a stranger."""
    prover, proof = proving.provers["self"], Proof()
    own = proving.certificates["self"]
    answer = proving.redeem(prover, proving.code(prover, proof), proof, own.headers)
    assert (answer.status_code, answer.json["token_type"]) == (200, "Bearer"), answer.json
    token = answer.json["access_token"]
    found = proving.post("/introspect", {"token": token, "client_id": "self"}, own.headers).json
    assert found["cnf"] == {"x5t#S256": own.thumbprint}
    bearer = {"Authorization": f"Bearer {token}"}
    assert proving.userinfo({**bearer, **own.headers}).json["email"] == "maria@example.org"
    for headers in ({}, proving.certificates["pki"].headers, {CLIENT_CERT: ":AA:"}):
        refused = proving.userinfo({**bearer, **headers})
        assert (refused.status_code, refused.json["error"]) == (401, "invalid_token")
    direct = proving.town.app.test_client(use_cookies=False).get(
        "/userinfo", headers={**bearer, **own.headers}, base_url="https://id.riverton.example"
    )
    assert direct.status_code == 401


def test_a_proof_beside_a_certificate_must_hold_too(proving: Proving) -> None:
    """RFC 9449 §5: one that does not is refused, not passed over; the token of this client is bound to its certificate."""
    own = proving.certificates["self"].headers
    for wrong in ("garbage", "", dpop(key_for("ES256"), now=proving.now, htm="GET")):
        answer = _ask(proving, "self", {**own, "DPoP": wrong})
        assert _error(answer) == (400, "invalid_dpop_proof")
    good = _ask(proving, "self", {**own, "DPoP": dpop(key_for("ES256"), now=proving.now)})
    assert (good.status_code, good.json["token_type"]) == (200, "Bearer")


def test_a_code_for_one_client_is_nothing_with_the_certificate_of_another(proving: Proving) -> None:
    """FAPI conformance: the code of client 1 with client 2's certificate."""
    prover, proof = proving.provers["self"], Proof()
    code = proving.code(prover, proof)
    thief = Prover(proving.provers["pki"].partner)
    answer = proving.redeem(
        thief, code, proof, proving.certificates["pki"].headers, redirect_uri=prover.partner.redirect_uri
    )
    assert answer.json["error"] == "invalid_grant"
    assert proving.redeem(prover, code, proof, proving.certificates["self"].headers).status_code == 200


def test_a_code_that_is_bound_to_a_key_needs_it_though_the_tokens_are_bound_to_a_certificate(
    proving: Proving,
) -> None:
    """RFC 9449 §10, §10.1: named in the request or proven when it was pushed; the key that is proven then, and no other."""
    prover, key, other = proving.provers["self"], key_for("ES256", "own"), key_for("ES256", "others")
    by_certificate = proving.certificates["self"].headers

    def proof_of(one: Any, path: str = "/token") -> dict[str, str]:
        return {**by_certificate, "DPoP": dpop(one, now=proving.now, path=path)}

    for is_pushed in (False, True):
        proof = Proof()
        code = (
            proving.pushed_code(prover, proof, proof_of(key, "/par"))
            if is_pushed
            else proving.code(prover, proof, dpop_jkt=key.thumbprint())
        )
        for headers in (by_certificate, proof_of(other)):
            assert proving.redeem(prover, code, proof, headers).json["error"] == "invalid_grant"
        tokens = proving.redeem(prover, code, proof, proof_of(key)).json
        assert tokens["token_type"] == "Bearer"
        asked = {"token": tokens["access_token"], "client_id": "self"}
        found = proving.post("/introspect", asked, by_certificate).json
        assert found["cnf"].keys() == {"x5t#S256"}


def test_the_refresh_token_of_a_public_client_is_bound_to_its_certificate(proving: Proving) -> None:
    """RFC 8705 §4; another's attempt neither spends it nor kills the family."""
    town, proof, own = proving.town, Proof(), proving.certificates["self"].headers
    details = Details(tls_client_certificate_bound_access_tokens=True)
    new = NewClient(
        "Wallet",
        ("https://wallet.example/cb",),
        client_id="wallet",
        token_endpoint_auth_method="none",
        grant_types=BOTH,
        scopes=("openid", "offline_access"),
        details=details,
    )
    wallet = Prover(town.add_client(new, basis=None))
    town.fresh()
    code = proving.code(wallet, proof, "openid offline_access")
    first = proving.redeem(wallet, code, proof, own).json
    form = {"grant_type": "refresh_token", "client_id": "wallet", "refresh_token": first["refresh_token"]}
    assert _error(proving.post("/token", form, proving.certificates["pki"].headers)) == (400, "invalid_grant")
    assert _error(proving.post("/token", form)) == (400, "invalid_request")
    answer = proving.post("/token", form, own)
    assert answer.status_code == 200, answer.json
    following = {**form, "refresh_token": answer.json["refresh_token"]}
    assert proving.post("/token", following, proving.certificates["pki"].headers).status_code == 400
    assert proving.userinfo({**own, "Authorization": f"Bearer {first['access_token']}"}).status_code == 200


def _told(town: Town, own: Certified) -> tuple[int, dict[str, Any]]:
    """What a self-signed client is answered through the proxy, and what discovery says."""
    client = town.app.test_client(use_cookies=False)
    client.environ_base["REMOTE_ADDR"] = PROXY
    answer = client.post("/token", data={**OWN, "client_id": "self"}, headers=own.headers, base_url=ISSUER)
    return answer.status_code, client.get("/.well-known/openid-configuration", base_url=ISSUER).json


def test_a_town_that_asks_nobody_for_certificates_believes_none(database_url: str, tmp_path: Path) -> None:
    """RFC 9440 §2.4: a proxy that knows nothing of certificates lets everybody's header through."""
    own = certificate("self")
    server = {"issuer": ISSUER, "staff_url": STAFF, "trusted_proxies": [PROXY]}
    town = make_town(database_url, tmp_path, server=server)
    new = NewClient(
        "Self",
        client_id="self",
        token_endpoint_auth_method="self_signed_tls_client_auth",
        grant_types=("client_credentials",),
        details=Details(jwks={"keys": [own.jwk]}),
    )
    town.add_client(new, basis=None)
    status, metadata = _told(town, own)
    assert status == 401
    assert not any("tls" in method for method in metadata["token_endpoint_auth_methods_supported"])
    assert metadata["tls_client_certificate_bound_access_tokens"] is False
    assert "mtls_endpoint_aliases" not in metadata
    with_certificates = town.settings.model_dump() | {
        "server": {**server, "mtls_url": "https://mtls.riverton.example", "proxy_secret": PROXY_SECRET}
    }
    context = open_context(Settings(**with_certificates), clock=town.clock)
    status, metadata = _told(replace(town, context=context, app=create_app(context)), own)
    assert status == 200
    assert "self_signed_tls_client_auth" in metadata["token_endpoint_auth_methods_supported"]
    assert "tls_client_auth" not in metadata["token_endpoint_auth_methods_supported"]
    assert metadata["tls_client_certificate_bound_access_tokens"] is True
    aliases = metadata["mtls_endpoint_aliases"]
    assert aliases["token_endpoint"] == "https://mtls.riverton.example/token"
    assert "authorization_endpoint" not in aliases
    context.database.close()
    town.context.database.close()


def test_only_a_proxy_of_ours_can_bring_certificates() -> None:
    """The settings say so before anything is served."""
    server = {"issuer": ISSUER, "staff_url": STAFF, "mtls_url": ISSUER}
    with pytest.raises(ValueError, match="trusted_proxies"):
        ServerSettings(**server)
    with pytest.raises(ValueError, match="mtls_url needs proxy_secret"):
        ServerSettings(**server, trusted_proxies=(PROXY,))
