"""What is told about a resident, and what a request may say besides."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.conformance.client import OF_SCOPE, USUAL

if TYPE_CHECKING:
    from tests.conformance.client import SignIn
    from tests.conformance.run import Run


def oidcc_scope(run: Run, scope: str) -> None:
    """Every claim of the scopes, with its type, and no other: at userinfo, or in the ID token where no token comes (OIDC Core §5.4)."""
    client = run.client()
    found = client.sign_in(run.suite.browser(), client.request(f"openid {scope}"))
    told = told_about(run, found)
    assert set(told) == {"sub"}.union(*(OF_SCOPE[one] for one in scope.split()))
    check_types(told)


def oidcc_ensure_other_scope_order_succeeds(run: Run) -> None:
    """RFC 6749 §3.3: neither the order of scopes nor that of parameters matters."""
    client = run.client()
    request = client.request("email openid")
    found = client.sign_in(run.suite.browser(), dict(reversed(request.items())))
    assert "email" in told_about(run, found)


def oidcc_claims_essential(run: Run) -> None:
    """OIDC Core §5.5: `name` asked for as essential comes where it was asked for, and nowhere else."""
    client = run.client()
    place = "id_token" if run.way.response_type == "id_token" else "userinfo"
    claims = json.dumps({place: {"name": {"essential": True}}})
    found = client.sign_in(run.suite.browser(), client.request(claims=claims))
    assert ("name" in found.claims) == (place == "id_token")
    assert told_about(run, found)["name"]


def oidcc_ensure_request_with_acr_values_succeeds(run: Run) -> None:
    """The request succeeds, and the level that was reached is one of those asked for; unknown ones are no error."""
    client = run.client()
    wanted = run.suite.metadata["acr_values_supported"]
    found = client.sign_in(run.suite.browser(), client.request(acr_values=" ".join(wanted)))
    assert found.claims["acr"] in wanted
    client.sign_in(run.suite.browser(), client.request(acr_values="1 2"))


def oidcc_preference(run: Run, scope: str = "openid profile", **extra: str) -> None:
    """What cannot be met, or is not known, is no error (OIDC Core §3.1.2.1, §5.2; RFC 6749 §3.1)."""
    client = run.client()
    client.sign_in(run.suite.browser(), client.request(scope, **extra))


def told_about(run: Run, found: SignIn) -> dict[str, Any]:
    """The claims about the resident, from where this response type has them."""
    if run.way.response_type != "id_token":
        return run.suite.userinfo(found.access_token).json
    return {name: value for name, value in found.claims.items() if name not in USUAL - {"sub"}}


def check_types(told: dict[str, Any]) -> None:
    """OIDC Core §5.1: texts that are not empty, a date, truth values, a number, an object."""
    for name, value in told.items():
        if name.endswith("_verified"):
            assert value is True, name
        elif name == "updated_at":
            assert isinstance(value, int)
        elif name == "address":
            assert isinstance(value, dict)
            assert value
        else:
            assert isinstance(value, str), name
            assert value, name


MODULES = {
    **{f"oidcc-scope-{one}": partial(oidcc_scope, scope=one) for one in OF_SCOPE},
    "oidcc-scope-all": partial(oidcc_scope, scope=" ".join(OF_SCOPE)),
    "oidcc-ensure-other-scope-order-succeeds": oidcc_ensure_other_scope_order_succeeds,
    "oidcc-claims-essential": oidcc_claims_essential,
    "oidcc-ensure-request-with-acr-values-succeeds": oidcc_ensure_request_with_acr_values_succeeds,
    "oidcc-display-page": partial(oidcc_preference, display="page"),
    "oidcc-display-popup": partial(oidcc_preference, display="popup"),
    "oidcc-ui-locales": partial(oidcc_preference, ui_locales="se"),
    "oidcc-claims-locales": partial(oidcc_preference, claims_locales="se"),
    # The suite hints at this name and the issuer's host; any resident may sign in.
    "oidcc-login-hint": partial(oidcc_preference, scope="openid", login_hint="buffy@denizen.test"),
    "oidcc-ensure-request-with-unknown-parameter-succeeds": partial(
        oidcc_preference, scope="openid", extra="foobar"
    ),
}
