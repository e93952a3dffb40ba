"""What is pasted into the suite: a configuration for each plan, with the steps of its scripted browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from admin.sandbox.conformance.plan import API_SCOPE, PERMISSION
from idp.testing_hooks import RESOURCE

if TYPE_CHECKING:
    from admin.sandbox.conformance.town import Places

#: Modules that want a picture of a second sign-in.
_SECOND_SIGN_IN: Final = ("oidcc-prompt-login", "oidcc-max-age-1")
#: Modules that want a picture of a page of ours that is no redirect, and what stands on it.
_ERROR_PAGES: Final = {
    "oidcc-response-type-missing": "(unsupported_response_type|invalid_request)",
    "oidcc-ensure-registered-redirect-uri": "redirect_uri",
    "oidcc-ensure-request-object-with-redirect-uri": "redirect_uri",
    "oidcc-ensure-redirect-uri-in-authorization-request": "redirect_uri",
    "oidcc-redirect-uri-query-mismatch": "redirect_uri",
    "oidcc-redirect-uri-query-added": "redirect_uri",
}
#: FAPI 2.0: how a client proves itself and how its tokens are bound, and the first client of each such plan.
_FAPI: Final = {
    ("private_key_jwt", "dpop"): "fapi2-dpop",
    ("private_key_jwt", "mtls"): "fapi2-key-mtls",
    ("mtls", "dpop"): "fapi2-mtls-dpop",
    ("mtls", "mtls"): "fapi2-mtls",
}
_REJECTS: Final = (
    "fapi2-security-profile-final-user-rejects-authentication",
    "fapi2-message-signing-final-user-rejects-authentication",
)


def configurations(told: dict[str, Any], places: Places, alias: str) -> dict[str, Any]:
    """By the name of the file that each goes into."""
    clients = told["clients"]

    def plan(first: str, second: str, **more: Any) -> dict[str, Any]:
        return {
            "alias": alias,
            "description": f"Denizen at {places.issuer}",
            "server": {"discoveryUrl": f"{places.issuer}/.well-known/openid-configuration"},
            "client": _client(clients[first]),
            "client2": _client(clients[second]),
            **_browser(told["resident"], places.issuer),
            **more,
        }

    posts = {name: {"client_secret_post": _client(clients[name])} for name in ("post", "legacy-post")}
    token = told["initial_access_token"]
    named = {"client_name": "Conformance suite", "initial_access_token": token}
    found = {
        "oidcc-static": plan("basic", "basic-2", **posts["post"]),
        "oidcc-dynamic": plan("basic", "basic-2") | {"client": named, "client2": named},
        "oidcc-legacy-static": plan("legacy", "legacy-2", **posts["legacy-post"]),
        "oidcc-frontchannel": plan("front-channel", "basic-2"),
        "oidcc-backchannel": plan("back-channel", "basic-2"),
    }
    for (auth, bound), name in _FAPI.items():
        if places.mtls_port is None and "mtls" in (auth, bound):
            continue
        base = _fapi(plan(name, f"{name}-2"), told, name, places, bound=bound)
        found[f"fapi2-{auth}-{bound}"] = base
        found[f"fapi2-{auth}-{bound}-plain_oauth"] = _without_openid(base, "profile offline_access")
        found[f"fapi2-{auth}-{bound}-client_credentials"] = _without_openid(base, API_SCOPE)
        signs = f"{name}-signed" if auth == "mtls" else "fapi2-signed"
        signed = _fapi(plan(signs, f"{signs}-2"), told, signs, places, bound=bound)
        found[f"fapi2-message-signing-{auth}-{bound}"] = signed
    return found


def _fapi(
    plan: dict[str, Any], told: dict[str, Any], name: str, places: Places, *, bound: str
) -> dict[str, Any]:
    """With certificates where the plan is to show them, and the resource of our own that takes the tokens."""
    base = places.mtls_url if bound == "mtls" else places.issuer
    shown = {"mtls": told["clients"][name], "mtls2": told["clients"][f"{name}-2"]}
    if bound != "mtls" and not name.startswith("fapi2-mtls"):
        shown = {}
    return {
        **plan,
        **{key: _certificate(one, told["authority"]) for key, one in shown.items()},
        "resource": {"resourceUrl": f"{base}/userinfo", "richAuthorizationRequest": [PERMISSION]},
    }


def _without_openid(plan: dict[str, Any], scope: str) -> dict[str, Any]:
    """The same without OpenID Connect: another scope, and a resource that does not ask for `openid`."""
    url = plan["resource"]["resourceUrl"].removesuffix("/userinfo") + RESOURCE
    clients = {name: {**plan[name], "scope": scope} for name in ("client", "client2")}
    return {**plan, **clients, "resource": {**plan["resource"], "resourceUrl": url}}


def _client(told: dict[str, Any]) -> dict[str, Any]:
    names = ("client_id", "client_secret", "scope", "jwks")
    found = {name: told[name] for name in names if name in told}
    return {**found, "scope": " ".join(one for one in found["scope"].split() if one != API_SCOPE)}


def _certificate(told: dict[str, Any], authority: str) -> dict[str, str]:
    found = {"cert": told["certificate"], "ca": authority}
    return {**found, "key": told["certificate_key"]} if "certificate_key" in told else found


def _browser(resident: dict[str, Any], issuer: str) -> dict[str, Any]:
    sign_in = _sign_in(resident, issuer)
    agree = _task("Agree", f"{issuer}/consent*", ["click", "id", "consent-allow"], optional=True)
    done = _task("Arrive", "*/test/*/callback*", ["wait", "id", "submission_complete", 10])
    usual = _steps(f"{issuer}/authorize*", sign_in, agree, done)
    second = _picture("Sign in again", f"{issuer}/login*", "login-submit", optional=True)
    override = {
        # The picture is of the second sign-in; the first visit of the page fills no placeholder.
        **{
            name: {"browser": [_steps(f"{issuer}/authorize*", second, sign_in, agree, done)]}
            for name in _SECOND_SIGN_IN
        },
        **{
            name: {
                "browser": [
                    _steps(
                        f"{issuer}/authorize*", _picture("Refused", f"{issuer}/authorize*", text), done | _OPT
                    )
                ]
            }
            for name, text in _ERROR_PAGES.items()
        },
        **{
            name: {
                "browser": [
                    _steps(
                        f"{issuer}/authorize*",
                        _task("Cancel", f"{issuer}/login*", ["click", "id", "login-cancel"]),
                        done,
                    )
                ]
            }
            for name in _REJECTS
        },
    }
    logout = _steps(
        f"{issuer}/logout*",
        _task("Sign out", f"{issuer}/logout*", ["click", "id", "logout-confirm"], optional=True),
    )
    return {"browser": [usual, logout], "override": override}


_OPT: Final = {"optional": True}


def _sign_in(resident: dict[str, Any], issuer: str) -> dict[str, Any]:
    return _task(
        "Sign in",
        f"{issuer}/login*",
        ["text", "id", "username", resident["username"]],
        ["text", "id", "password", resident["password"]],
        ["click", "id", "login-submit"],
        optional=True,
    )


def _steps(match: str, *tasks: dict[str, Any]) -> dict[str, Any]:
    return {"match": match, "tasks": list(tasks)}


def _task(name: str, match: str, *commands: list[Any], optional: bool = False) -> dict[str, Any]:
    return {"task": name, "match": match, "commands": list(commands), **(_OPT if optional else {})}


def _picture(name: str, match: str, text: str, *, optional: bool = False) -> dict[str, Any]:
    """Wait until a text stands on the page, and give its picture to whoever reviews the run."""
    action = "update-image-placeholder-optional" if optional else "update-image-placeholder"
    return _task(name, match, ["wait", "xpath", "//*", 10, text, action], optional=optional)


def printed(told: dict[str, Any], places: Places, alias: str) -> str:
    """All of it as JSON."""
    found = {
        "issuer": places.issuer,
        "discovery_url": f"{places.issuer}/.well-known/openid-configuration",
        "mtls_url": places.mtls_url or None,
        **told,
        "suite": configurations(told, places, alias),
    }
    return json.dumps({name: value for name, value in found.items() if value is not None}, indent=2)
