"""Plan `oidcc-dynamic-certification-test-plan`: clients that register themselves, for every response type."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conformance.client import Client
from tests.conformance.modules import MODULES
from tests.conformance.openid_plans import DYNAMIC, DYNAMIC_HYBRID, DYNAMIC_IMPLICIT, cases
from tests.conformance.run import by_key

if TYPE_CHECKING:
    from tests.conformance.run import Run
    from tests.conformance.suite import Suite


@pytest.mark.parametrize(("way", "module"), cases(DYNAMIC))
def test_module_with_a_code(dynamic_run: Run, module: str) -> None:
    """Each module by its name; what it demands stands with it in `tests.conformance.modules`."""
    MODULES[module](dynamic_run)


@pytest.mark.parametrize(("way", "module"), cases(DYNAMIC_HYBRID))
def test_module_with_a_code_and_more(dynamic_run: Run, module: str) -> None:
    """Each module by its name; what it demands stands with it in `tests.conformance.modules`."""
    MODULES[module](dynamic_run)


@pytest.mark.parametrize(("way", "module"), cases(DYNAMIC_IMPLICIT))
def test_module_without_a_code(dynamic_run: Run, module: str) -> None:
    """Each module by its name; what it demands stands with it in `tests.conformance.modules`."""
    MODULES[module](dynamic_run)


# --- what the suite does around its modules ---


def test_a_registration_is_read_and_deleted(suite: Suite) -> None:
    """RFC 7592 §2.1, §2.3: with its own token, 204 without a body; then neither the token nor the client is known."""
    client = by_key(suite)
    told = client.told
    assert told["registration_client_uri"].startswith("https://")
    header = {"Authorization": f"Bearer {told['registration_access_token']}"}
    found = suite.send("GET", told["registration_client_uri"], headers=header)
    assert found.json["client_id"] == client.client_id
    gone = suite.send("DELETE", told["registration_client_uri"], headers=header)
    assert (gone.status, gone.text) == (204, "")
    assert suite.send("GET", told["registration_client_uri"], headers=header).status == 401
    arrival = client.visit(suite.browser(), client.request())
    assert arrival.page is not None
    assert arrival.page.status == 400


def test_a_secret_comes_with_its_end(suite: Suite) -> None:
    """RFC 7591 §3.2.1: client_secret_expires_at whenever there is a secret."""
    client = suite.registered()
    assert client.told["client_secret"]
    assert client.told["client_secret_expires_at"] == 0
    client.sign_in(suite.browser())


def test_who_registers_without_a_token_is_told_nothing_about_anybody(suite: Suite) -> None:
    """The purpose for every claim, and the links on our pages, come with the printed token alone."""
    told = {"redirect_uris": [suite.callback], "policy_uri": "https://evil.example/privacy"}
    header = {"Content-Type": "application/json"}
    address = suite.metadata["registration_endpoint"]
    got = suite.send("POST", address, headers=header, body=json.dumps(told))
    assert got.status == 201
    client, browser = Client(suite, got.json, "client_secret_basic"), suite.browser()
    found = client.sign_in(browser, client.request("openid profile email"))
    assert set(suite.userinfo(found.access_token).json) == {"sub"}
    assert not any("evil.example" in page.text for page in browser.pages)
