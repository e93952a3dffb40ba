"""Addresses to which answers go: exactly those that are registered (OIDC Core §3.1.2.1)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from tests.conformance.run import by_key

if TYPE_CHECKING:
    from tests.conformance.client import Client
    from tests.conformance.run import Run


def oidcc_ensure_registered_redirect_uri(run: Run) -> None:
    """An address that is not registered."""
    client = run.client()
    _refused(run, client, redirect_uri=f"{client.redirect_uri}/{secrets.token_urlsafe(8)}")


def oidcc_ensure_redirect_uri_in_authorization_request(run: Run) -> None:
    """Two registered, and none sent."""
    uri = run.suite.callback
    _refused(run, by_key(run.suite, way=run.way, redirect_uris=[uri, f"{uri}/2"]), redirect_uri=None)


def oidcc_redirect_uri_query_ok(run: Run) -> None:
    """A query of a registered address is kept exactly, wherever the answer stands."""
    client = by_key(run.suite, way=run.way, redirect_uris=[f"{run.suite.callback}?foo=bar"])
    request = client.request()
    arrival = client.visit(run.suite.browser(), request)
    assert arrival.url.startswith(f"{run.suite.callback}?foo=bar")
    client.finish(arrival, request)


def oidcc_redirect_uri_query_mismatch(run: Run) -> None:
    """Another value in the query is another address."""
    uri = run.suite.callback
    client = by_key(run.suite, way=run.way, redirect_uris=[f"{uri}?foo=bar"])
    _refused(run, client, redirect_uri=f"{uri}?bar=foo")


def oidcc_redirect_uri_query_added(run: Run) -> None:
    """A query that was not registered makes another address."""
    client = by_key(run.suite, way=run.way)
    _refused(run, client, redirect_uri=f"{client.redirect_uri}?foo=bar")


def oidcc_redirect_uri_regfrag(run: Run) -> None:
    """A fragment is refused when it is registered."""
    got = run.suite.register({"redirect_uris": [f"{run.suite.callback}#foo"]}, run.way)
    assert got.status == 400
    assert got.json["error"] in {"invalid_redirect_uri", "invalid_client_metadata"}


def _refused(run: Run, client: Client, **change: str | None) -> None:
    """A page at the endpoint itself that says what is wrong, and never a redirect."""
    arrival = client.visit(run.suite.browser(), client.request(**change))
    assert arrival.page is not None
    assert arrival.page.status == 400
    assert arrival.url.startswith(run.suite.metadata["authorization_endpoint"])
    assert "redirect_uri" in arrival.page.text


MODULES = {
    "oidcc-ensure-registered-redirect-uri": oidcc_ensure_registered_redirect_uri,
    "oidcc-ensure-redirect-uri-in-authorization-request": oidcc_ensure_redirect_uri_in_authorization_request,
    "oidcc-redirect-uri-query-ok": oidcc_redirect_uri_query_ok,
    "oidcc-redirect-uri-query-mismatch": oidcc_redirect_uri_query_mismatch,
    "oidcc-redirect-uri-query-added": oidcc_redirect_uri_query_added,
    "oidcc-redirect-uri-regfrag": oidcc_redirect_uri_regfrag,
}
