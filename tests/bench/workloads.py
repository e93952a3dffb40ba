"""The workloads: what one flow of each kind sends, and what a right answer looks like.

A flow that gets a wrong answer raises FlowError: speed without correctness does not count.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from tests.bench.agent import REDIRECTS
from tests.bench.forms import Form, forms_of
from tests.bench.target import BANK, LIBRARY, REDIRECT_URI, SERVICE, TAX_PORTAL

if TYPE_CHECKING:
    from tests.bench.agent import Response
    from tests.bench.target import Partner, Target, Visitor

#: Buttons that move a sign-in on; ours, and the peer's pages carry the same ids.
ONWARD = ("login-submit", "consent-allow")
MOST_PAGES = 20


class FlowError(Exception):
    """A provider answered something else than the flow needs."""


def _refuse(step: str, response: Response) -> FlowError:
    return FlowError(f"{step}: HTTP {response.status} {response.location} {response.body[:300]!r}")


class Workload:
    """One kind of flow. `setup` runs once for each visitor, `flow` again and again."""

    key: ClassVar[str]
    #: The peer has no such thing.
    is_ours_alone: ClassVar[bool] = False
    #: Visitors of the closed loop at most: more sign-ins at once than can be checked are shed, and shed ones are no flows.
    visitors: ClassVar[int] = 256

    async def setup(self, target: Target, visitor: Visitor) -> None:
        pass

    async def flow(self, target: Target, visitor: Visitor) -> None:
        raise NotImplementedError


class Sso(Workload):
    """Session and consent are there: authorize, token, userinfo."""

    key = "sso"

    async def setup(self, target: Target, visitor: Visitor) -> None:
        tokens = await sign_in(target, visitor, LIBRARY)
        header = tokens["id_token"].split(".")[0]
        padded = header + "=" * (-len(header) % 4)
        target.notes["ID token"] = json.loads(base64.urlsafe_b64decode(padded))["alg"]

    async def flow(self, target: Target, visitor: Visitor) -> None:
        url, verifier, state = authorize_request(target, LIBRARY)
        location = await straight_back(visitor, url)
        tokens = await redeem(target, visitor, LIBRARY, code_from(location, state), verifier)
        await userinfo(target, visitor, tokens["access_token"])


class Fapi(Workload):
    """The same by FAPI 2.0: PAR and tokens with private_key_jwt and DPoP, userinfo with DPoP."""

    key = "fapi"

    async def setup(self, target: Target, visitor: Visitor) -> None:
        from tests.bench import fapi

        await fapi.sign_in(target, visitor, BANK)

    async def flow(self, target: Target, visitor: Visitor) -> None:
        from tests.bench import fapi

        await fapi.flow(target, visitor, BANK)


class ClientCredentials(Workload):
    """A partner's server asks for a token of its own."""

    key = "cc"

    async def flow(self, target: Target, visitor: Visitor) -> None:
        form = {"grant_type": "client_credentials", "scope": SERVICE.scope}
        await token(target, visitor, SERVICE, form)


class Userinfo(Workload):
    key = "userinfo"

    async def setup(self, target: Target, visitor: Visitor) -> None:
        visitor.access_token = (await sign_in(target, visitor, LIBRARY))["access_token"]
        visitor.agent.cookies.clear()

    async def flow(self, target: Target, visitor: Visitor) -> None:
        await userinfo(target, visitor, visitor.access_token)


class Introspect(Userinfo):
    """The client that holds the token asks about it (RFC 7662)."""

    key = "introspect"

    async def flow(self, target: Target, visitor: Visitor) -> None:
        form = {"token": visitor.access_token, "token_type_hint": "access_token"}
        url = target.endpoints["introspection_endpoint"]
        response = await visitor.agent.post(url, form, target.credentials(LIBRARY))
        if response.status != 200 or json.loads(response.body).get("active") is not True:
            raise _refuse("introspection", response)


class Refresh(Workload):
    """Refresh with rotation; each answer's token is the next request's."""

    key = "refresh"

    async def setup(self, target: Target, visitor: Visitor) -> None:
        # OpenID Connect Core, section 11: offline_access needs prompt=consent.
        tokens = await sign_in(target, visitor, TAX_PORTAL, prompt="consent")
        if "refresh_token" not in tokens:
            raise FlowError("no refresh token was issued")
        visitor.refresh_token = tokens["refresh_token"]
        visitor.agent.cookies.clear()

    async def flow(self, target: Target, visitor: Visitor) -> None:
        form = {"grant_type": "refresh_token", "refresh_token": visitor.refresh_token}
        tokens = await token(target, visitor, TAX_PORTAL, form)
        if tokens.get("refresh_token", visitor.refresh_token) == visitor.refresh_token:
            raise FlowError("the refresh token was not rotated")
        visitor.refresh_token = tokens["refresh_token"]


class Discovery(Workload):
    """One flow reads both documents that partners poll."""

    key = "discovery"

    async def flow(self, target: Target, visitor: Visitor) -> None:
        for url in (target.discovery_url, target.endpoints["jwks_uri"]):
            response = await visitor.agent.get(url)
            if response.status != 200:
                raise _refuse("discovery", response)


#: A resident comes back to a device on which they signed in before; to the peer that makes no difference.
DEVICE = "device"


class Password(Workload):
    """No session any more: the sign-in page, and what was typed there."""

    key = "password"
    is_ours_alone = True
    visitors = 8

    async def flow(self, target: Target, visitor: Visitor) -> None:
        visitor.agent.cookies.clear(but=DEVICE)
        url = urljoin(target.issuer, "/login")
        _, answer = await _press_onward(visitor, url, await visitor.agent.get(url))
        if answer.status != HTTPStatus.SEE_OTHER:
            raise _refuse("password", answer)


class Login(Workload):
    """The same at a partner, with all that comes before and after: authorize, release page, token, userinfo."""

    key = "login"
    visitors = 8

    async def flow(self, target: Target, visitor: Visitor) -> None:
        visitor.agent.cookies.clear(but=DEVICE)
        tokens = await sign_in(target, visitor, LIBRARY, prompt="login consent")
        await userinfo(target, visitor, tokens["access_token"])


class PasskeyLogin(Workload):
    """No session any more: the sign-in page, the options, the answer of the device."""

    key = "passkey"
    is_ours_alone = True

    async def setup(self, target: Target, visitor: Visitor) -> None:
        from tests.bench.passkeys import enrol

        await enrol(target, visitor)

    async def flow(self, target: Target, visitor: Visitor) -> None:
        from tests.bench.passkeys import sign_in_by_passkey

        visitor.agent.cookies.clear(but=DEVICE)
        await sign_in_by_passkey(target, visitor)


WORKLOADS: dict[str, type[Workload]] = {
    workload.key: workload
    for workload in (
        Sso,
        Fapi,
        ClientCredentials,
        Userinfo,
        Introspect,
        Refresh,
        Discovery,
        Password,
        Login,
        PasskeyLogin,
    )
}


def authorize_request(target: Target, partner: Partner, prompt: str = "") -> tuple[str, str, str]:
    """An authorization request: its URL, the verifier, the state."""
    query, verifier = request_parameters(partner)
    if prompt:
        query["prompt"] = prompt
    return f"{target.endpoints['authorization_endpoint']}?{urlencode(query)}", verifier, query["state"]


def request_parameters(partner: Partner) -> tuple[dict[str, str], str]:
    """The parameters of an authorization request with PKCE S256 (RFC 7636), and the verifier."""
    verifier = secrets.token_urlsafe(32)
    digest = hashlib.sha256(verifier.encode()).digest()
    return {
        "response_type": "code",
        "client_id": partner.client_id,
        "redirect_uri": REDIRECT_URI,
        "scope": partner.scope,
        "state": secrets.token_urlsafe(8),
        "nonce": secrets.token_urlsafe(8),
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }, verifier


def code_from(location: str, expected_state: str) -> str:
    """The code out of a redirect to the partner.

    Raises:
        FlowError: when there is none, or the state is another.

    """
    query = parse_qs(urlsplit(location).query)
    if "code" not in query or query.get("state") != [expected_state]:
        raise FlowError(f"no code in the redirect: {location}")
    return query["code"][0]


async def straight_back(visitor: Visitor, url: str) -> str:
    """Where a request leads that a session answers without a page: an address of the partner's."""
    response = await visitor.agent.get(url)
    while response.status in REDIRECTS and not response.location.startswith(REDIRECT_URI):
        response = await visitor.agent.get(response.location)
    if response.status not in REDIRECTS:
        raise _refuse("authorize did not go back to the partner", response)
    return response.location


async def sign_in(target: Target, visitor: Visitor, partner: Partner, prompt: str = "") -> dict[str, Any]:
    """Walk the provider's pages from authorize to the tokens."""
    url, verifier, state = authorize_request(target, partner, prompt)
    location = await walk(visitor, url)
    return await redeem(target, visitor, partner, code_from(location, state), verifier)


async def walk(visitor: Visitor, url: str) -> str:
    """Where a request leads at last, when a person without JavaScript presses on through the pages."""
    response = await visitor.agent.get(url)
    for _ in range(MOST_PAGES):
        if response.status in REDIRECTS:
            if response.location.startswith(REDIRECT_URI):
                return response.location
            url = response.location
            response = await visitor.agent.get(url)
        elif response.status == 200:
            url, response = await _press_onward(visitor, url, response)
        else:
            raise _refuse("sign-in page", response)
    raise FlowError(f"sign-in did not end after {MOST_PAGES} pages")


async def _press_onward(visitor: Visitor, url: str, page: Response) -> tuple[str, Response]:
    form, button = _onward(page)
    typed = {"username": visitor.resident.username, "password": visitor.resident.password}
    goal = urljoin(url, button.get("formaction") or form.action or url)
    parts = urlsplit(goal)
    headers = {
        "Origin": f"{parts.scheme}://{parts.netloc}",
        "Referer": url,
        "Sec-Fetch-Site": "same-origin",
    }
    return goal, await visitor.agent.post(goal, form.submitted_with(button, typed), headers)


def _onward(page: Response) -> tuple[Form, dict[str, str]]:
    for form in forms_of(page.body):
        for button_id in ONWARD:
            if (button := form.button(button_id)) is not None:
                return form, button
    raise _refuse(f"a page without any of the buttons {', '.join(ONWARD)}", page)


async def token(target: Target, visitor: Visitor, partner: Partner, form: dict[str, str]) -> dict[str, Any]:
    """One token request with client_secret_basic; the answer must hold an access token."""
    url = target.endpoints["token_endpoint"]
    response = await visitor.agent.post(url, form, target.credentials(partner))
    if response.status != 200 or b'"access_token"' not in response.body:
        raise _refuse(f"token ({form['grant_type']})", response)
    tokens: dict[str, Any] = json.loads(response.body)
    return tokens


async def redeem(
    target: Target, visitor: Visitor, partner: Partner, code: str, verifier: str
) -> dict[str, Any]:
    """Exchange a code for tokens; an ID token must be among them."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": verifier,
    }
    tokens = await token(target, visitor, partner, form)
    if "id_token" not in tokens:
        raise FlowError("no ID token was issued")
    return tokens


async def userinfo(target: Target, visitor: Visitor, access_token: str) -> None:
    """Read userinfo; the answer must name the subject."""
    url = target.endpoints["userinfo_endpoint"]
    response = await visitor.agent.get(url, {"Authorization": f"Bearer {access_token}"})
    if response.status != 200 or b'"sub"' not in response.body:
        raise _refuse("userinfo", response)
