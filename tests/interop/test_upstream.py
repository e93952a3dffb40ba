"""Signing in with providers that others wrote, and with another town: all of them served for real, over HTTPS."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from idp.app import open_context
from idp.clients.service import NewClient
from idp.login.models import BrowserSession
from idp.login.upstream.models import UpstreamIdentity
from idp.schema import upgrade_database
from idp.settings import load
from idp.web.cookies import digest
from keys.envelope import create_key_file
from tests.support import riverton, town
from tests.support.loopback import free_port
from tests.support.smtp import Mailbox
from tests.support.tied import Tied
from tests.support.tls import make_authority, tls_before
from tests.support.town import hidden_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.tls import Authority

HERE = Path(__file__).parent
Residents = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls"))


@contextmanager
def served(
    folder: Path, database_url: str, issuer_port: int, *, issuer: str = "", more: str = ""
) -> Iterator[Residents]:
    """`denizen serve` with the sample town's people; its residents by user name."""
    folder.mkdir()
    ports = replace(riverton._free_ports(), residents=issuer_port)
    file = folder / "denizen.toml"
    with ExitStack() as stack:
        mailbox = stack.enter_context(Mailbox())
        text = riverton._settings(ports, database_url, folder, mailbox)
        file.write_text(text.replace(ports.issuer, issuer or ports.issuer, 1) + more)
        create_key_file(folder / "denizen.key")
        said, _ = riverton._settle(file, ports)
        process = Tied([riverton.DENIZEN, "--config", file, "serve"], log=folder / "log", cwd=riverton.ROOT)
        stack.callback(process.stop)
        riverton.until(lambda: riverton._is_up(process, ports.issuer), "the town answers")
        yield {one["username"]: one for one in said["residents"]}


def provider_settings(authority: Authority, **provider: Any) -> str:
    """The part of denizen.toml that connects with a provider."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in provider.items() if name != "levels"]
    levels = ", ".join(f"{json.dumps(acr)} = {json.dumps(ours)}" for acr, ours in provider["levels"].items())
    # The settings of the sample town end with its part [testing].
    return f"""
extra_ca = "{authority.ca}"

[[upstream.providers]]
id = "neighbour"
names = {{ en = "Neighbouring town" }}
levels = {{ {levels} }}
{chr(10).join(lines)}
"""


class Wanderer:
    """A browser without a screen or JavaScript that goes from site to site and fills in forms."""

    def __init__(self, authority: Authority) -> None:
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = str(authority.ca)
        self.page: Any = None
        self.been: list[str] = []

    def open(self, url: str, **form: str) -> Wanderer:
        """Open a page, or send a form to it, and follow every redirect."""
        method = "POST" if form else "GET"
        for _ in range(20):
            self.been.append(url)
            self.page = self.http.request(method, url, data=form or None, allow_redirects=False, timeout=20)
            if "Location" not in self.page.headers:
                return self
            method, form, url = "GET", {}, urljoin(url, self.page.headers["Location"])
        raise AssertionError(f"redirects without end: {self.been}")

    def follow(self, part: str) -> Wanderer:
        """Follow the first link whose address holds a text."""
        found = [one for one in re.findall(r'href="([^"]*)"', self.page.text) if part in one]
        assert found, self.page.text[:2000]
        return self.open(urljoin(self.page.url, unescape(found[0])))

    def go_to(self, provider: str) -> Wanderer:
        """Press the button of a provider, or follow its link where the page knows already what its form asks."""
        address = f"/login/upstream/{provider}"
        if f'formaction="{address}"' not in self.page.text:
            return self.follow(address)
        return self.open(urljoin(self.page.url, address), **hidden_fields(self.page.text, "/login")).follow(
            address
        )

    def send(self, part: str, **fields: str) -> Wanderer:
        """Send the first form whose address holds a text."""
        found = [one for one in re.findall(r'action="([^"]*)"', self.page.text) if part in one]
        assert found, f"{self.page.status_code} {self.page.url}: {self.page.text[:2000]}"
        form = {**hidden_fields(self.page.text, found[0]), **fields}
        return self.open(urljoin(self.page.url, unescape(found[0])), **form)

    def sign_in(self, resident: dict[str, str]) -> Wanderer:
        """On a sign-in page of a Denizen; and agree to everything, if it asks."""
        self.send("/login", username=resident["username"], password=resident["password"])
        if 'action="/consent"' in self.page.text:
            self.send("/consent", decision="allow", share="")
        return self

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path


def known(database_url: str, model: Any) -> list[Any]:
    from sqlalchemy import create_engine, select
    from sqlalchemy.orm import Session

    engine = create_engine(database_url)
    with Session(engine) as session:
        rows = list(session.execute(select(model)).scalars())
    engine.dispose()
    return rows


def session_of(browser: Wanderer, database_url: str) -> Any:
    """The session that a browser has now."""
    cookie = next(one.value for one in browser.http.cookies if one.name == "denizen-session")
    return next(row for row in known(database_url, BrowserSession) if row.id_hash == digest(str(cookie)))


# --- another Denizen ---


@contextmanager
def neighbouring_town(folder: Path, authority: Authority, redirect_uri: str) -> Iterator[dict[str, Any]]:
    """A second town, behind TLS, in which Riverton is a client; how to reach it, and its residents."""
    plain = free_port()
    with tls_before(plain, authority) as outer:
        issuer = f"https://localhost:{outer}"
        database_url = f"sqlite:///{folder}-database.sqlite"
        upgrade_database(database_url)
        with served(folder, database_url, plain, issuer=issuer) as residents:
            context = open_context(load(folder / "denizen.toml"), checkpoints=False)
            client = NewClient("Riverton", (redirect_uri,), client_id="riverton", scopes=("openid",))
            with context.database.transaction() as session:
                partner = town._client(session, context, client, "Riverton", now=int(context.clock()))
            context.database.close()
            yield {"issuer": issuer, "secret": partner.secret, "residents": residents}


def test_a_resident_of_another_town_signs_in_with_it(
    database_url: str, tmp_path: Path, authority: Authority
) -> None:
    """Denizen against Denizen: connect once by signing in here, then in with the neighbouring town alone."""
    port = free_port()
    callback = f"http://localhost:{port}/login/upstream/neighbour/callback"
    with neighbouring_town(tmp_path / "neighbour", authority, callback) as there:
        more = provider_settings(
            authority,
            issuer=there["issuer"],
            client_id="riverton",
            client_secret=there["secret"],
            levels={"strong": "strong", "phr": "phr"},
        )
        with served(tmp_path / "riverton", database_url, port, more=more) as here:
            issuer = f"http://localhost:{port}"
            browser = Wanderer(authority)
            browser.open(f"{issuer}/login").go_to("neighbour")
            assert browser.page.url.startswith(f"{there['issuer']}/login")
            browser.sign_in(there["residents"]["ana.duarte"])
            assert browser.path == "/login/upstream/neighbour/new"
            browser.send("/new", link="1").sign_in(here["layla.haddad"])
            assert browser.path.startswith("/account/connect/")
            browser.send("/account/connect/")
            assert len(known(database_url, UpstreamIdentity)) == 1
            again = Wanderer(authority)
            again.open(f"{issuer}/login").go_to("neighbour")
            again.sign_in(there["residents"]["ana.duarte"])
            assert (again.path, again.page.status_code) == ("/account", 200)
            session, identity = session_of(again, database_url), known(database_url, UpstreamIdentity)[0]
            assert session.resident_id == identity.resident_id
            assert (session.acr, session.amr) == ("basic", ""), (
                "there it was a password, which is not listed here"
            )


# --- oidc-provider ---


@contextmanager
def node_provider(folder: Path, authority: Authority, clients: list[dict[str, Any]]) -> Iterator[str]:
    """Run it; its issuer."""
    port = free_port()
    settings = folder / "provider.json"
    settings.write_text(
        json.dumps(
            {
                "port": port,
                "certificate": str(authority.certificate),
                "key": str(authority.key),
                "clients": clients,
            }
        )
    )
    process = Tied(["node", HERE / "provider.mjs", settings], log=folder / "provider.log", cwd=HERE)
    try:
        assert process.output.readline() == "ready\n", process.last_words()
        yield f"https://localhost:{port}"
    finally:
        process.stop()


def _client(method: str, folder: Path, redirect_uri: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same client as the provider and as the town know it."""
    theirs = {
        "client_id": "riverton",
        "redirect_uris": [redirect_uri],
        "token_endpoint_auth_method": method,
        "id_token_signed_response_alg": "RS256",
    }
    ours: dict[str, Any] = {"client_id": "riverton", "authentication": method}
    if method != "private_key_jwt":
        return {**theirs, "client_secret": "a secret & more"}, {**ours, "client_secret": "a secret & more"}
    key = ec.generate_private_key(ec.SECP256R1())
    file = folder / "client.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public = ECKey.import_key(key.public_key()).as_dict(private=False)
    theirs |= {"jwks": {"keys": [public]}, "token_endpoint_auth_signing_alg": "ES256"}
    return theirs, {**ours, "private_key_file": str(file)}


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
def test_a_newcomer_from_oidc_provider_creates_an_account_and_comes_back(
    database_url: str, tmp_path: Path, authority: Authority, method: str
) -> None:
    """The `oidc-provider` of npm, as many national providers are built: each way to authenticate, userinfo, acr, amr, iss."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (HERE / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("oidc-provider is not installed: run tests/support/npm.sh tests/interop")
    port = free_port()
    issuer = f"http://localhost:{port}"
    theirs, ours = _client(method, tmp_path, f"{issuer}/login/upstream/neighbour/callback")
    with node_provider(tmp_path, authority, [theirs]) as provider:
        more = provider_settings(
            authority,
            issuer=provider,
            scopes=["openid", "profile", "email"],
            acr_values=["urn:example:two"],
            newcomers="create",
            trust_email=True,
            levels={"urn:example:two": "strong"},
            **ours,
        )
        more += 'claims = { given_name = "given_name", family_name = "family_name" }\n'
        with served(tmp_path / "riverton", database_url, port, more=more):
            browser = Wanderer(authority)
            browser.open(f"{issuer}/login").go_to("neighbour")
            browser.send("/interaction/", cancel="1")
            assert browser.path == "/login"
            assert "You did not sign in with Neighbouring town" in browser.page.text
            browser.go_to("neighbour")
            browser.send("/interaction/", name="zoe").send("/interaction/", yes="1")
            browser.send("/login/upstream/neighbour/new", create="1")
            assert 'value="Zoë"' in browser.page.text
            browser.send(
                "/signup/confirm",
                given_name="Zoë",
                family_name="Brahimi",
                password="seven otters cross the river",
            )
            assert (browser.path, browser.page.status_code) == ("/account", 200)
            again = Wanderer(authority)
            again.open(f"{issuer}/login").go_to("neighbour")
            again.send("/interaction/", name="zoe").send("/interaction/", yes="1")
            assert (again.path, again.page.status_code) == ("/account", 200)
            session, identity = session_of(again, database_url), known(database_url, UpstreamIdentity)[0]
            assert session.resident_id == identity.resident_id
            assert (session.acr, session.amr) == ("strong", "pwd otp")
