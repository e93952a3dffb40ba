"""A partner's website, built on Authlib's Flask client as any partner would build it.

It knows the town by its address and its own client registration, and nothing of our code. Sign-in is the code
flow with PKCE (S256), `state` and `nonce`; data comes from userinfo; sign-out is RP-initiated; the town may begin a sign-in, and
tells when somebody has signed out elsewhere, or shares less.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import requests
from authlib.integrations.flask_client import OAuth, OAuthError
from flask import Flask, redirect, render_template, request, session
from joserfc.errors import JoseError

from admin.sandbox.event_token import NotAnEvent, SecurityEvent, confirm, security_event
from admin.sandbox.logout_token import NotALogout, ended_session
from admin.sandbox.sites import new_site
from admin.sandbox.visits import Memory, Visit

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from admin.sandbox.partner_sites import PartnerSite

_VISIT = "visit"
#: The level of a sign-in with two proofs, by the town's own name; `phr` is higher still.
_SAFER = "strong"


class AccessEnded(Exception):
    """The town gives no more data: the person has withdrawn, signed out there, or closed the account."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What the town told the partner when it registered."""

    issuer: str
    client_id: str
    client_secret: str
    session_secret: str


class PartnerApp:
    """The routes of one partner's website."""

    def __init__(self, site: PartnerSite, registration: Registration) -> None:
        self.site = site
        self.registration = registration
        self.visits: Memory[Visit] = Memory()
        self.flask = self._new_flask()
        self.town = OAuth(self.flask, cache=Memory[str]()).register(
            "riverton",
            client_id=registration.client_id,
            client_secret=registration.client_secret,
            server_metadata_url=f"{registration.issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": site.scope,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "client_secret_basic",
                "default_timeout": 10,
                "trust_env": False,  # no proxy stands between programs of one machine
            },
        )

    def _new_flask(self) -> Flask:
        app = new_site(f"riverton-{self.site.key}", form_targets=[self.registration.issuer])
        app.secret_key = self.registration.session_secret
        # Ports share cookies, so each app on this machine needs a cookie name of its own.
        app.config.update(SESSION_COOKIE_NAME=f"{self.site.key}-session", SESSION_COOKIE_SAMESITE="Lax")
        app.context_processor(lambda: {"site": self.site, "issuer": self.registration.issuer})
        app.add_url_rule("/", view_func=self.home)
        app.add_url_rule("/sign-in", view_func=self.sign_in)
        app.add_url_rule("/sign-in/safer", view_func=self.sign_in_safer)
        app.add_url_rule("/start", view_func=self.start)
        app.add_url_rule("/callback", view_func=self.callback)
        app.add_url_rule("/refresh", view_func=self.refresh, methods=["POST"])
        app.add_url_rule("/sign-out", view_func=self.sign_out, methods=["POST"])
        app.add_url_rule("/signed-out", view_func=self.signed_out)
        app.add_url_rule("/back-channel-logout", view_func=self.ended_elsewhere, methods=["POST"])
        app.add_url_rule("/events", view_func=self.told, methods=["POST"])
        app.register_error_handler(requests.RequestException, self.unreachable)
        app.register_error_handler(404, self.unknown)
        return app

    def home(self) -> str:
        """What the site offers, and what it knows about the person who is signed in."""
        visit = self._visit()
        facts = self.site.facts_about(visit.person) if visit and visit.person is not None else []
        level = visit.token.get("userinfo", {}).get("acr") if visit else None
        return render_template(
            "sandbox/partner/home.html", visit=visit, facts=facts, is_safer=level in (_SAFER, "phr")
        )

    def sign_in(self) -> Response:
        """Send the browser to the town."""
        answer: Response = self.town.authorize_redirect(f"{self.site.url}/callback")
        return answer

    def sign_in_safer(self) -> Response:
        """Send the browser to the town for a second proof (OIDC Core §3.1.2.1 acr_values)."""
        answer: Response = self.town.authorize_redirect(f"{self.site.url}/callback", acr_values=_SAFER)
        return answer

    def start(self) -> Response | tuple[str, int]:
        """The town sends somebody to be signed in here (OIDC Core §4); where they go afterwards is ours to say."""
        if request.args.get("iss") != self.registration.issuer:
            return self._problem("unusable_answer")
        return self.sign_in()

    def callback(self) -> Response | tuple[str, int]:
        """The browser comes back: with a code, or with a reason why not."""
        try:
            if request.args.get("iss", self.registration.issuer) != self.registration.issuer:
                raise OAuthError("mismatching_issuer")  # RFC 9207
            token = self.town.authorize_access_token()
            subject, sid = token["userinfo"]["sub"], token["userinfo"]["sid"]
            person = self._ask(token, subject)
        except OAuthError as error:
            return self._problem(error.error)
        except (AccessEnded, JoseError, KeyError):
            return self._problem("unusable_answer")
        self.visits.delete(session.get(_VISIT, ""))
        # Nothing else of the browser's session is cleared: other tabs sign in still.
        session[_VISIT] = self.visits.add(Visit(dict(token), subject, person, sid))
        return redirect(self.site.url, 303)

    def refresh(self) -> Response:
        """Ask the town anew, so that the person sees what it lets us know at this moment."""
        visit = self._visit()
        if visit is not None:
            self.visits.set(session[_VISIT], self._renewed(visit))
        return redirect(self.site.url, 303)

    def sign_out(self) -> Response:
        """Forget the person here, then ask the town to sign them out (RP-Initiated Logout 1.0)."""
        visit = self._visit()
        self.visits.delete(session.get(_VISIT, ""))
        session.clear()
        if visit is None or visit.is_over:
            return redirect(self.site.url, 303)
        answer: Response = self.town.logout_redirect(
            post_logout_redirect_uri=f"{self.site.url}/signed-out",
            id_token_hint=visit.token.get("id_token"),
            client_id=self.registration.client_id,
        )
        return answer

    def signed_out(self) -> str:
        """The town has signed the person out and sent the browser back."""
        session.clear()
        return render_template("sandbox/partner/signed_out.html")

    def ended_elsewhere(self) -> tuple[str, int]:
        """The town says that a session has ended: forget who is signed in by it (Back-Channel Logout 1.0)."""
        try:
            sid, subject = ended_session(
                request.form.get("logout_token", ""),
                lambda: self.town.fetch_jwk_set(force=True),  # a busy partner keeps them until a kid is new
                issuer=self.registration.issuer,
                client_id=self.registration.client_id,
            )
        except NotALogout:
            return "", 400
        for key in self.visits.find(lambda one: (one.sid, one.subject) == (sid, subject)):
            self.visits.set(key, Visit({}, "", None, is_over=True))
        return "", 200

    def told(self) -> tuple[str, int]:
        """The town says what a person has decided: forget what rests on it, and say so (RFC 8935)."""
        registration = self.registration
        try:
            event = security_event(
                request.get_data(as_text=True),
                lambda: self.town.fetch_jwk_set(force=True),
                issuer=registration.issuer,
                client_id=registration.client_id,
            )
        except NotAnEvent:
            return "", 400
        if event is not None:
            self._forget(event)
            if self.site.confirms:
                threading.Thread(target=self._confirm, args=(event,), daemon=True).start()
        return "", 202

    def _forget(self, event: SecurityEvent) -> None:
        for key in self.visits.find(lambda one: one.subject == event.subject and one.person is not None):
            visit = self.visits.get(key)
            if visit is None or visit.person is None:
                continue
            if event.claims is None:
                self.visits.set(key, replace(visit, token={}, person=None, sid=""))
            else:
                left = {name: value for name, value in visit.person.items() if name not in event.claims}
                self.visits.set(key, replace(visit, person=left))

    def _confirm(self, event: SecurityEvent) -> None:
        known = self.registration
        confirm(event, issuer=known.issuer, client_id=known.client_id, client_secret=known.client_secret)

    def unreachable(self, _: Exception) -> tuple[str, int]:
        """The town does not answer."""
        return self._problem("unreachable", status=503)

    def unknown(self, _: Exception) -> tuple[str, int]:
        """No such page."""
        return self._problem("unknown_page", status=404)

    def _visit(self) -> Visit | None:
        return self.visits.get(session.get(_VISIT, ""))

    def _renewed(self, visit: Visit) -> Visit:
        """The visit with fresh data; with a fresh token, too, when the old one works no more."""
        if visit.person is None:
            return visit
        try:
            return replace(visit, person=self._ask(visit.token, visit.subject))
        except AccessEnded:
            pass
        try:
            token = {**visit.token, **self._new_token(visit.token)}
            return replace(visit, token=token, person=self._ask(token, visit.subject))
        except (AccessEnded, OAuthError):
            return replace(visit, person=None)

    def _new_token(self, token: dict[str, Any]) -> dict[str, Any]:
        if "refresh_token" not in token:
            raise AccessEnded
        found: dict[str, Any] = self.town.fetch_access_token(
            grant_type="refresh_token", refresh_token=token["refresh_token"]
        )
        return found

    def _ask(self, token: dict[str, Any], expected_subject: str) -> dict[str, Any]:
        """The person's data from userinfo (OIDC Core §5.3); they must be about the same person (§5.3.2)."""
        bearer = {"access_token": token["access_token"], "token_type": "Bearer"}
        endpoint = self.town.load_server_metadata()["userinfo_endpoint"]
        answer = self.town.get(endpoint, token=bearer)
        if answer.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
            raise AccessEnded
        answer.raise_for_status()
        claims: dict[str, Any] = answer.json()
        if claims.pop("sub", None) != expected_subject:
            raise AccessEnded
        return claims

    def _problem(self, reason: str, *, status: int = 400) -> tuple[str, int]:
        """A page in plain words; to refuse is no mistake."""
        if reason == "access_denied":
            status = 200
        return render_template("sandbox/partner/problem.html", reason=reason), status
