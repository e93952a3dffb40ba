"""Lakeside, the neighbouring town: an OpenID provider upstream, with which residents of Riverton may sign in.

A made-up provider for the demo: whoever presses a name is that person, without a password. Otherwise it does what a
provider does: discovery, code flow with PKCE (S256), one use of each code, signed ID tokens, userinfo.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus, urlencode

from flask import abort, jsonify, redirect, render_template, request
from joserfc import jwt
from joserfc.jwk import ECKey

from admin.sandbox.sites import new_site
from admin.sandbox.visits import Memory

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.wrappers import Response

    from admin.sandbox.ports import Ports

CLIENT_ID: Final = "riverton"
_TOKEN_FOR: Final = 300
PEOPLE: Final = {
    "lakeside-1": {"given_name": "Ines", "family_name": "Ribeiro", "email": "ines.ribeiro@lakeside.example"},
    "lakeside-2": {"given_name": "Olga", "family_name": "Lind", "email": "olga.lind@lakeside.example"},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A code's request and its person."""

    query: dict[str, str]
    person: str


class Neighbour:
    """The routes of Lakeside's provider."""

    def __init__(self, ports: Ports, secret: str) -> None:
        self.issuer = ports.neighbour_url
        self._redirect_uri = f"{ports.issuer}/login/upstream/lakeside/callback"
        self.secret = secret
        self._key = ECKey.generate_key("P-256", auto_kid=True)
        self._codes: Memory[Asked] = Memory()
        self._tokens: Memory[str] = Memory()
        self.flask = self._new_flask(ports)

    def _new_flask(self, ports: Ports) -> Flask:
        app = new_site("lakeside", form_targets=[ports.issuer])
        app.add_url_rule("/.well-known/openid-configuration", view_func=self.configuration)
        app.add_url_rule("/jwks", view_func=self.jwks)
        app.add_url_rule("/authorize", view_func=self.authorize)
        app.add_url_rule("/authorize", "answer", self.answer, methods=["POST"])
        app.add_url_rule("/token", view_func=self.token, methods=["POST"])
        app.add_url_rule("/userinfo", view_func=self.userinfo)
        return app

    def configuration(self) -> Response:
        """OIDC Discovery §3."""
        return jsonify(
            issuer=self.issuer,
            authorization_endpoint=f"{self.issuer}/authorize",
            token_endpoint=f"{self.issuer}/token",
            jwks_uri=f"{self.issuer}/jwks",
            userinfo_endpoint=f"{self.issuer}/userinfo",
            response_types_supported=["code"],
            subject_types_supported=["public"],
            id_token_signing_alg_values_supported=["ES256"],
            code_challenge_methods_supported=["S256"],
            authorization_response_iss_parameter_supported=True,
        )

    def jwks(self) -> Response:
        """The public key."""
        return jsonify(keys=[self._key.as_dict(private=False)])

    def authorize(self) -> str:
        """Ask who somebody is."""
        self._check(request.args)
        return render_template("sandbox/neighbour/people.html", people=PEOPLE, query=request.args)

    def answer(self) -> Response:
        """Back to Riverton, with a code for whoever was pressed."""
        self._check(request.form)
        said = {"state": request.form.get("state", ""), "iss": self.issuer}
        person = request.form.get("person", "")
        if person in PEOPLE:
            said["code"] = self._codes.add(Asked(request.form.to_dict(), person))
        else:
            said["error"] = "access_denied"
        return redirect(f"{self._redirect_uri}?{urlencode(said)}", 303)

    def _check(self, query: Any) -> None:
        wanted = {
            "client_id": CLIENT_ID,
            "redirect_uri": self._redirect_uri,
            "response_type": "code",
            "code_challenge_method": "S256",
        }
        if any(query.get(name) != value for name, value in wanted.items()):
            abort(400)

    def token(self) -> Response | tuple[Response, int]:
        """A code becomes an ID token, once (OIDC Core §3.1.3)."""
        code = request.form.get("code", "")
        asked = self._codes.get(code)
        self._codes.delete(code)
        sent = request.authorization
        pair = (unquote_plus(sent.username or ""), unquote_plus(sent.password or "")) if sent else ("", "")
        if pair[0] != CLIENT_ID or not hmac.compare_digest(pair[1].encode(), self.secret.encode()):
            return jsonify(error="invalid_client"), 401
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(request.form.get("code_verifier", "").encode()).digest()
        )
        if asked is None or asked.query["code_challenge"] != challenge.rstrip(b"=").decode():
            return jsonify(error="invalid_grant"), 400
        id_token = self._id_token(asked)
        return jsonify(access_token=self._tokens.add(asked.person), token_type="Bearer", id_token=id_token)  # noqa: S106 - a kind of token

    def _id_token(self, asked: Asked) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": asked.person,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + _TOKEN_FOR,
            "auth_time": now,
            "nonce": asked.query.get("nonce", ""),
            "acr": "made-up",
        }
        return jwt.encode({"alg": "ES256", "kid": self._key.kid}, claims, self._key, algorithms=["ES256"])

    def userinfo(self) -> Response | tuple[Response, int]:
        """What Lakeside knows of the person (OIDC Core §5.3)."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        person = self._tokens.get(token)
        if person is None:
            return jsonify(error="invalid_token"), 401
        return jsonify(sub=person, email_verified=True, **PEOPLE[person])
