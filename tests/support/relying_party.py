"""A street-report app on Authlib's requests client: the partner whose tokens a test can look at.

It does what a careful partner does: code flow with PKCE, `state` bound to the browser, `nonce`, the issuer in the
answer (RFC 9207), the ID token checked against the published keys, userinfo about the same person.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask, make_response, redirect, request
from joserfc import jwt
from joserfc.jwk import KeySet

from admin.sandbox.sites import SiteServer

if TYPE_CHECKING:
    from flask import Response

    from tests.support.town import Partner

_COOKIE = "streets-state"


@dataclass(frozen=True)
class Visit:
    """What one sign-in told the app."""

    tokens: dict[str, Any]
    id_token: dict[str, Any]
    userinfo: dict[str, Any]
    session_state: str = ""
    came_by: str = ""


class RelyingParty:
    """The app at `url`.

    `visits` are the sign-ins so far, `refusals` the errors it was told, `ended` what its page for front-channel logout
    was asked with.
    """

    def __init__(self, issuer: str, client: Partner, scope: str, port: int) -> None:
        self.issuer, self.client, self.scope, self.port = issuer, client, scope, port
        self.url = f"http://localhost:{port}"
        self.visits: list[Visit] = []
        self.refusals: list[str] = []
        self.ended: list[dict[str, str]] = []
        self._waiting: dict[str, tuple[str, str]] = {}

    def server(self) -> SiteServer:
        """The app on its port, not yet started."""
        app = Flask("streets")
        app.add_url_rule("/", view_func=self._home)
        app.add_url_rule("/sign-in", view_func=self._sign_in)
        app.add_url_rule("/callback", view_func=self._callback, methods=["GET", "POST"])
        app.add_url_rule("/bye", view_func=lambda: _page("You have left", ""))
        app.add_url_rule("/front-channel-logout", view_func=self._front_channel_logout)
        app.add_url_rule("/watch", view_func=self._watch)
        return SiteServer(app, self.port)

    # --- what its visitors see ---

    def _home(self) -> str:
        return _page("Report a broken street lamp", '<a id="sign-in" href="/sign-in">Sign in</a>')

    def _sign_in(self) -> Response:
        """To the town; whatever is in the address of this page goes there as well, such as a response_mode."""
        verifier, nonce = generate_token(48), secrets.token_urlsafe(16)
        with self.session(code_challenge_method="S256") as session:
            url, state = session.create_authorization_url(
                self.metadata()["authorization_endpoint"], code_verifier=verifier, nonce=nonce, **request.args
            )
        self._waiting[state] = (verifier, nonce)
        answer = make_response(redirect(url, 303))
        answer.set_cookie(_COOKIE, state, httponly=True, samesite="Lax")
        return answer

    def _callback(self) -> str:
        told = request.form if request.method == "POST" else request.args
        state = told["state"]
        assert state == request.cookies.get(_COOKIE), "another browser began this"
        assert told["iss"] == self.issuer
        verifier, nonce = self._waiting.pop(state)
        if "error" in told:
            self.refusals.append(told["error"])
            return _page("You are not signed in", '<a id="sign-in" href="/sign-in">Sign in</a>')
        visit = self._redeem(told["code"], verifier, nonce)
        self.visits.append(replace(visit, session_state=told["session_state"], came_by=request.method))
        return _page("Thank you, your report has arrived", "")

    def _front_channel_logout(self) -> Response:
        """What the town loads in a frame when somebody signs out there (Front-Channel Logout 1.0 §2)."""
        self.ended.append({**request.args, "cookie": request.cookies.get(_COOKIE, "")})
        answer = make_response(_page("You are signed out here", ""))
        answer.delete_cookie(_COOKIE)
        return answer

    def _watch(self) -> str:
        """A page that asks the town's frame about the last visit, again and again (Session Management 1.0 §3.1)."""
        frame = self.metadata()["check_session_iframe"]
        asked = request.args.get("asked") or f"{self.client.client_id} {self.visits[-1].session_state}"
        return _page("Do you live here still?", _WATCH % (frame, json.dumps(self.issuer), json.dumps(asked)))

    # --- what it does behind ---

    def metadata(self) -> dict[str, Any]:
        """The town's discovery document."""
        found: dict[str, Any] = requests.get(
            f"{self.issuer}/.well-known/openid-configuration", timeout=10
        ).json()
        return found

    def session(self, **more: Any) -> OAuth2Session:
        """Authlib's client with this app's registration."""
        return OAuth2Session(
            self.client.client_id,
            self.client.secret,
            scope=self.scope,
            redirect_uri=self.client.redirect_uri,
            token_endpoint_auth_method=self.client.method,
            **more,
        )

    def _redeem(self, code: str, verifier: str, nonce: str) -> Visit:
        metadata = self.metadata()
        with self.session() as session:
            tokens = session.fetch_token(metadata["token_endpoint"], code=code, code_verifier=verifier)
            userinfo = session.get(metadata["userinfo_endpoint"]).json()
        claims = read_id_token(
            metadata, tokens["id_token"], "ES256", audience=self.client.client_id, nonce=nonce
        )
        assert userinfo["sub"] == claims["sub"]
        return Visit(dict(tokens), claims, userinfo)

    def is_alive(self, visit: Visit) -> dict[str, bool]:
        """Which tokens of a visit are good still, each asked where it is used, none of them spent."""
        tokens, metadata = visit.tokens, self.metadata()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        status = requests.get(metadata["userinfo_endpoint"], headers=headers, timeout=10).status_code
        assert status in (200, 401)
        with self.session() as session:
            found = {
                name: session.introspect_token(metadata["introspection_endpoint"], token=tokens[name]).json()
                for name in ("access_token", "refresh_token")
            }
        return {"userinfo": status == 200, **{name: one["active"] for name, one in found.items()}}

    def refresh(self, visit: Visit) -> dict[str, Any]:
        """What the town answers to the refresh token of a visit."""
        form = {"grant_type": "refresh_token", "refresh_token": visit.tokens["refresh_token"]}
        assert self.client.secret is not None
        found: dict[str, Any] = requests.post(
            self.metadata()["token_endpoint"],
            data=form,
            auth=(self.client.client_id, self.client.secret),
            timeout=10,
        ).json()
        return found


def read_id_token(
    metadata: dict[str, Any], id_token: str, algorithm: str, *, audience: str, nonce: str
) -> dict[str, Any]:
    """The claims of an ID token, checked as OIDC Core §3.1.3.7 says."""
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
    claims = jwt.decode(id_token, keys, algorithms=[algorithm]).claims
    expected = {"iss": metadata["issuer"], "aud": audience, "nonce": nonce}
    registry = jwt.JWTClaimsRegistry(
        exp={"essential": True}, **{name: {"essential": True, "value": one} for name, one in expected.items()}
    )
    registry.validate(claims)
    return claims


_WATCH = """<iframe id="town" title="Session" src="%s"></iframe><output id="told"></output><script>
const town = %s, asked = %s, frame = document.getElementById("town");
addEventListener("message", (event) => {
  if (event.origin === town) document.getElementById("told").textContent = event.data;
});
frame.addEventListener("load", () => {
  const ask = () => frame.contentWindow.postMessage(asked, town);
  ask();
  setInterval(ask, 100);
});
</script>"""


def _page(title: str, content: str) -> str:
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<link rel="icon" href="data:,"><main><h1>{title}</h1>{content}</main>"""
