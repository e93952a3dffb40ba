"""A small town to test in: real app, real database, a clock that a test moves, and browsers without a screen."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from consent.purposes import NoticeText, declare_purpose, publish_notice
from idp.accounts.service import NewResident, create_resident
from idp.app import create_app, open_context
from idp.clients.service import NewClient, add_partner, register_client
from idp.jobs.stamps import PURPOSES, bump
from idp.login.passwords import Passwords, set_password
from idp.settings import Settings
from idp.upkeep import turn_keys
from keys.envelope import create_key_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from werkzeug.test import TestResponse

    from idp.web.context import Context
    from idp.web.pages import WebApp
    from tests.support.founding import Founding

START = 1_800_000_000
ISSUER = "https://id.riverton.example"
STAFF = "https://staff.riverton.example"
CALLBACK = "https://rp.example/cb"
LOOPBACK = "http://127.0.0.1/callback"


class Clock:
    """Time as the app sees it, in Unix seconds; it moves only when a test says so."""

    def __init__(self, at: float = START) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


#: Where a page goes on at once by itself.
_ONWARD = re.compile(r'<meta http-equiv="refresh" content="0;url=([^"]+)">')


@dataclass(frozen=True)
class Partner:
    """A registered client and its secret."""

    client_id: str
    secret: str | None
    method: str
    redirect_uri: str

    def request(self, scope: str, proof: Proof) -> dict[str, str]:
        """The parameters of a usual authorization request."""
        return {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": scope,
            "state": "st",
            "nonce": "no",
            "code_challenge": proof.challenge,
            "code_challenge_method": "S256",
        }

    def authentication(self, form: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """The form and headers of a back-channel request in this client's one way."""
        if self.method == "client_secret_basic":
            pair = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
            return form, {"Authorization": f"Basic {pair}"}
        extra = {"client_id": self.client_id, **({"client_secret": self.secret} if self.secret else {})}
        return {**form, **extra}, {}


@dataclass(frozen=True)
class Person:
    """A resident who can sign in."""

    resident_id: str
    username: str
    email: str
    password: str


@dataclass
class Proof:
    """A PKCE verifier with its challenge."""

    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass
class Town:
    """The app with its people and partners.

    `library` is confidential (Basic; name required, e-mail optional by consent), `tax` confidential (secret in
    the form; name and e-mail by public task), `app` public and native, `service` acts for itself and is the
    resource server of the scope `tax:read`.
    """

    settings: Settings
    context: Context
    clock: Clock
    app: WebApp
    library: Partner
    tax: Partner
    public: Partner
    service: Partner
    maria: Person
    jun: Person

    def browser(self) -> Browser:
        """A fresh browser."""
        return Browser(self)

    def add_client(self, new: NewClient, partner: str = "Riverton", **purpose: Any) -> Partner:
        """Register another client; with `basis` and claims, give it a purpose."""
        with self.context.database.transaction() as session:
            return _client(session, self.context, new, partner, now=int(self.clock()), **purpose)

    def fresh(self) -> None:
        """Make the app read again what it caches for up to a second."""
        self.app.extensions["denizen.oidc"].forget()

    def call(self, path: str, partner: Partner, form: dict[str, str], **more: Any) -> TestResponse:
        """A back-channel POST by a client."""
        data, headers = partner.authentication(form)
        return self.app.test_client(use_cookies=False).post(
            path, data=data, headers={**headers, **more.pop("headers", {})}, base_url=ISSUER, **more
        )

    def redeem(self, partner: Partner, code: str, proof: Proof, **change: str) -> TestResponse:
        """Redeem a code at the token endpoint."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": partner.redirect_uri,
            "code_verifier": proof.verifier,
            **change,
        }
        return self.call("/token", partner, form)

    def refresh(self, partner: Partner, token: str, **change: str) -> TestResponse:
        """Use a refresh token."""
        return self.call("/token", partner, {"grant_type": "refresh_token", "refresh_token": token, **change})

    def userinfo(self, access_token: str) -> TestResponse:
        """Read userinfo."""
        return self.app.test_client(use_cookies=False).get(
            "/userinfo", headers={"Authorization": f"Bearer {access_token}"}, base_url=ISSUER
        )

    def introspect(self, partner: Partner, token: str) -> TestResponse:
        """Ask about a token."""
        return self.call("/introspect", partner, {"token": token})

    def tokens(
        self, partner: Partner, person: Person, scope: str = "openid profile email", **extra: str
    ) -> dict[str, Any]:
        """Everything a client gets from a person who signs in and agrees."""
        proof = Proof()
        code = self.browser().code(partner, person, scope, proof, **extra)
        answer = self.redeem(partner, code, proof)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json
        return found

    def rows(self, model: Any) -> list[Any]:
        """Every row of a table."""
        from sqlalchemy import select

        with self.context.database.reading() as session:
            return list(session.execute(select(model)).scalars())


class Browser:
    """A browser without a screen: cookies, forms, and no following of redirects that leave the town.

    As browsers do, it holds a form to the policy of its page (CSP3 `form-action`) through every redirect after it.
    """

    def __init__(self, town: Town) -> None:
        self.town = town
        self.http = town.app.test_client()
        self.http.environ_base["REMOTE_ADDR"] = "192.0.2.1"
        self.last: TestResponse | None = None
        self._form_action: list[str] | None = None

    def get(self, path: str, **more: Any) -> TestResponse:
        self._form_action = None
        return self._get(path, **more)

    def _get(self, path: str, **more: Any) -> TestResponse:
        self.last = self._held(self.http.get(path, base_url=ISSUER, **more))
        return self.last

    def _held(self, answer: TestResponse) -> TestResponse:
        location = answer.headers.get("Location", "")
        if self._form_action is not None and not may_lead(self._form_action, location):
            raise AssertionError(f"the form's page allows {self._form_action}, not {location}")
        return answer

    def post(self, path: str, data: dict[str, Any], **more: Any) -> TestResponse:
        """A POST as it stands, without adding what a form would carry."""
        self.last = self._held(self.http.post(path, data=data, base_url=ISSUER, **more))
        return self.last

    def submit(self, path: str, *, formaction: str = "", **fields: Any) -> TestResponse:
        """Send the form of the last page that posts to `path`, with its hidden fields, by a button that may lead elsewhere."""
        assert self.last is not None
        policy = self.last.headers.get("Content-Security-Policy", "").split("; ")
        self._form_action = next((one.split()[1:] for one in policy if one.startswith("form-action ")), None)
        return self.post(formaction or path, {**hidden_fields(self.last.text, path), **fields})

    def follow(self, answer: TestResponse | None = None) -> TestResponse:
        """Follow redirects within the town, and pages that go on at once by themselves."""
        answer = answer or self.last
        assert answer is not None
        for _ in range(10):
            location = answer.headers.get("Location", "")
            if answer.status_code == 200 and (onward := _ONWARD.search(answer.text)):
                location, self._form_action = html.unescape(onward[1]), None
            elif answer.status_code not in (301, 302, 303, 307) or not location.startswith(("/", ISSUER)):
                return answer
            answer = self._get(location.removeprefix(ISSUER))
        raise AssertionError("redirects without end")

    def authorize(self, partner: Partner, scope: str, proof: Proof, **extra: str) -> TestResponse:
        """Begin an authorization request; `extra` changes or adds parameters."""
        query = {**partner.request(scope, proof), **extra}
        return self.get(f"/authorize?{urlencode(query)}")

    def sign_in(self, person: Person) -> TestResponse:
        """Sign in on the sign-in page shown last, or on a fresh one."""
        if self.last is None or 'action="/login"' not in self.last.text:
            self.get("/login")
        return self.submit("/login", username=person.username, password=person.password)

    def code(self, partner: Partner, person: Person, scope: str, proof: Proof, **extra: str) -> str:
        """Sign in and agree to everything that is asked; the code."""
        return self.go_through(person, self.authorize(partner, scope, proof, **extra))

    def go_through(self, person: Person, answer: TestResponse) -> str:
        """From the answer of the authorization endpoint to the code, signing in and agreeing where that is asked."""
        answer = self.follow(answer)
        if answer.status_code == 200 and 'action="/login"' in answer.text:
            answer = self.follow(self.sign_in(person))
        if answer.status_code == 200 and 'action="/consent"' in answer.text:
            answer = self.follow(self.allow(share=choices(answer.text)))
        return code_of(answer)

    def allow(self, share: Iterable[str] = ()) -> TestResponse:
        return self.submit("/consent", decision="allow", share=list(share))

    def deny(self) -> TestResponse:
        return self.submit("/consent", decision="deny")


def may_lead(form_action: Iterable[str], location: str) -> bool:
    """Whether a page with this policy lets its forms end at an address, given as in a `Location`."""
    if not location or location.startswith(("/", ISSUER)):
        return True
    to = urlsplit(location)
    fitting = {f"{to.scheme}:", f"{to.scheme}://{to.netloc}", f"{to.scheme}://{to.hostname}:*"}
    return not fitting.isdisjoint(form_action)


def hidden_fields(page: str, path: str) -> dict[str, str]:
    """The hidden fields of the form of a page that posts to `path`."""
    for form in re.findall(r"<form\b.*?</form>", page, re.DOTALL):
        if f'action="{path}"' in form:
            found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
            return {name: html.unescape(value) for name, value in found}
    raise AssertionError(f"no form posts to {path}: {page[:2000]}")


def choices(page: str) -> list[str]:
    """The optional claims that a release page offers."""
    boxes = [box for box in re.findall(r"<input\b[^>]*>", page) if 'name="share"' in box]
    return [re.findall(r'value="([^"]*)"', box)[0] for box in boxes]


def answer_parameters(answer: TestResponse) -> dict[str, str]:
    """The parameters with which a client is answered, in the query or in the fragment."""
    location = urlsplit(answer.headers["Location"])
    return {name: values[0] for name, values in parse_qs(location.fragment or location.query).items()}


def code_of(answer: TestResponse) -> str:
    """The code in an answer to a client."""
    assert answer.status_code == 303, answer.text[:3000]
    return answer_parameters(answer)["code"]


def make_town(
    database_url: str, folder: Path, *, hot: bool = True, founding: Founding | None = None, **sections: Any
) -> Town:
    """Open a migrated database as a town; `sections` change the settings, such as `tokens={...}`.

    With a `founding`, the database is a copy of that town's.
    """
    key_file = folder / "denizen.key"
    if founding:
        founding.hand_over(folder)
    elif not key_file.exists():
        create_key_file(key_file)
    settings = Settings(
        **{
            "server": {"issuer": ISSUER, "staff_url": STAFF},
            "town": {"name": "Riverton", "contact_email": "help@riverton.example"},
            "database": {"url": database_url},
            "keys": {"file": key_file},
            **sections,
        }
    )
    clock = Clock()
    context = open_context(settings, clock=clock)
    partners, people = (founding.partners, founding.people) if founding else _found(context, int(clock()))
    return Town(settings, context, clock, create_app(context, hot=hot), *partners, *people)


def _found(context: Context, now: int) -> tuple[list[Partner], list[Person]]:
    turn_keys(context, now=now)
    with context.database.transaction() as session:
        people = [
            _person(session, context, "maria", "Maria", "Okafor"),
            _person(session, context, "jun", "Jun", None),
        ]
        return _partners(session, context), people


def _person(session: Any, context: Context, username: str, given: str, family: str | None) -> Person:
    password = f"{username} rows a small red boat"
    attributes = {"given_name": given, "birthdate": "1984-02-29", "district": "4", "resident": True}
    if family:
        attributes["family_name"] = family
    new = NewResident("en", attributes, f"{username}@example.org", username)
    resident = create_resident(session, context.vault, new, now=START)
    passwords = Passwords(context.settings.passwords, context.vault.subkey("password-pepper"))
    set_password(session, passwords, resident.id, password, now=START)
    return Person(resident.id, username, f"{username}@example.org", password)


def _partners(session: Any, context: Context) -> list[Partner]:
    both = ("authorization_code", "refresh_token")
    scopes = ("openid", "profile", "email", "residence", "offline_access", "tax:read")
    library = NewClient(
        "Riverton Public Library",
        (CALLBACK,),
        client_id="library",
        grant_types=both,
        scopes=scopes,
        post_logout_redirect_uris=("https://rp.example/bye",),
    )
    tax = NewClient(
        "Tax portal",
        ("https://tax.example/cb",),
        client_id="tax",
        grant_types=both,
        scopes=scopes,
        token_endpoint_auth_method="client_secret_post",
        id_token_signed_response_alg="RS256",
    )
    public = NewClient(
        "Street reports",
        (LOOPBACK,),
        client_id="streets",
        grant_types=both,
        scopes=scopes,
        application_type="native",
        token_endpoint_auth_method="none",
    )
    service = NewClient(
        "Tax service",
        client_id="tax-service",
        grant_types=("client_credentials",),
        scopes=("reports:write",),
        protects_scopes=("tax:read",),
    )
    now = START
    return [
        _client(session, context, library, "City Library", now=now, required=("name",), optional=("email",)),
        _client(
            session, context, tax, "Tax Office", now=now, basis="public_task", required=("name", "email")
        ),
        _client(session, context, public, "Street Works", now=now, optional=("email", "district")),
        _client(session, context, service, "Tax Office", now=now, basis=None),
    ]


def _client(
    session: Any,
    context: Context,
    new: NewClient,
    partner: str,
    *,
    now: int,
    basis: str | None = "consent",
    required: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
) -> Partner:
    partner_id = add_partner(session, partner, now=now)
    local = context.settings.testing.allow_loopback
    secret = register_client(session, partner_id, new, now=now, vault=context.vault, allow_loopback=local)
    if basis is not None:
        log_key = context.vault.subkey("log")
        purpose_id = declare_purpose(
            session,
            log_key=log_key,
            client_id=new.client_id,
            key="main",
            basis=basis,
            required_claims=required,
            optional_claims=optional,
            now=now,
        )
        text = NoticeText(f"What {new.name} needs", "So that the service works.", "One year.", "Nobody else.")
        publish_notice(
            session, log_key=log_key, purpose_id=purpose_id, texts={"en": text}, material=True, now=now
        )
        bump(session, PURPOSES)
    uri = new.redirect_uris[0] if new.redirect_uris else ""
    return Partner(new.client_id, secret, new.token_endpoint_auth_method, uri)
