"""Authlib's own client for requests, as a Python site would use it, against the town as it is served."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc6749.errors import MismatchingStateException
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from joserfc.errors import InvalidClaimError
from joserfc.jwk import ECKey

from tests.support.relying_party import read_id_token
from tests.support.walker import Walker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.interop.strict import StrictTown, Visitor
    from tests.support.riverton import Riverton
    from tests.support.town import Partner

NONCE = "a nonce"


@pytest.fixture(params=["ES256", "RS256"])
def algorithm(request: pytest.FixtureRequest) -> str:
    """How the client wants its ID tokens signed."""
    found: str = request.param
    return found


@pytest.fixture
def client(riverton: Riverton, algorithm: str) -> Partner:
    """The client that is registered for this algorithm."""
    return riverton.clients[f"interop-{algorithm.lower()}"]


@pytest.fixture
def town(riverton: Riverton) -> dict[str, Any]:
    """The discovery document."""
    found: dict[str, Any] = requests.get(
        f"{riverton.issuer}/.well-known/openid-configuration", timeout=10
    ).json()
    return found


@pytest.fixture
def session(client: Partner) -> Iterator[OAuth2Session]:
    """Authlib's client."""
    with OAuth2Session(
        client.client_id,
        client.secret,
        scope="openid profile email offline_access",
        redirect_uri=client.redirect_uri,
        token_endpoint_auth_method=client.method,
        revocation_endpoint_auth_method=client.method,
        code_challenge_method="S256",
    ) as running:
        yield running


@pytest.fixture
def walker(riverton: Riverton) -> Iterator[Walker]:
    """A resident's browser."""
    with Walker(riverton.issuer, riverton.residents["layla.haddad"]) as running:
        yield running


def begin(session: OAuth2Session, town: dict[str, Any], walker: Walker) -> tuple[str, str, str]:
    """The address that the resident comes back to, the state it must have, the PKCE verifier."""
    verifier = generate_token(48)
    url, state = session.create_authorization_url(
        town["authorization_endpoint"], code_verifier=verifier, nonce=NONCE
    )
    return walker.answer(url), state, verifier


def sign_in(session: OAuth2Session, town: dict[str, Any], walker: Walker) -> dict[str, Any]:
    """The tokens of a whole sign-in; the session uses them from now on."""
    answer, state, verifier = begin(session, town, walker)
    tokens: dict[str, Any] = session.fetch_token(
        town["token_endpoint"], authorization_response=answer, state=state, code_verifier=verifier
    )
    return tokens


def is_active(session: OAuth2Session, town: dict[str, Any], token: str) -> bool:
    """What introspection says."""
    found: bool = session.introspect_token(town["introspection_endpoint"], token=token).json()["active"]
    return found


def test_a_sign_in_gives_an_id_token_and_userinfo_about_the_same_person(
    session: OAuth2Session, town: dict[str, Any], walker: Walker, client: Partner, algorithm: str
) -> None:
    """OIDC Core §3.1: code with PKCE, the ID token signed as registered, userinfo with the token."""
    tokens = sign_in(session, town, walker)
    claims = read_id_token(town, tokens["id_token"], algorithm, audience=client.client_id, nonce=NONCE)
    userinfo = session.get(town["userinfo_endpoint"]).json()
    assert userinfo["sub"] == claims["sub"]
    assert userinfo["email"] == "layla.haddad@riverton.example"


def test_a_refresh_token_is_replaced_and_a_revoked_one_is_dead(
    session: OAuth2Session, town: dict[str, Any], walker: Walker
) -> None:
    """RFC 6749 §6 with rotation (RFC 9700 §4.14.2), RFC 7009, RFC 7662."""
    tokens = sign_in(session, town, walker)
    renewed = session.refresh_token(town["token_endpoint"], refresh_token=tokens["refresh_token"])
    assert renewed["refresh_token"] != tokens["refresh_token"]
    assert is_active(session, town, renewed["access_token"])
    assert session.revoke_token(town["revocation_endpoint"], token=renewed["refresh_token"]).ok
    assert not is_active(session, town, renewed["access_token"])
    with pytest.raises(OAuthError, match="invalid_grant"):
        session.refresh_token(town["token_endpoint"], refresh_token=renewed["refresh_token"])


def test_a_client_acts_for_itself(session: OAuth2Session, town: dict[str, Any]) -> None:
    """RFC 6749 §4.4."""
    tokens = session.fetch_token(
        town["token_endpoint"], grant_type="client_credentials", scope="reports:write"
    )
    assert tokens["scope"] == "reports:write"
    assert is_active(session, town, tokens["access_token"])


def test_the_client_refuses_an_answer_that_is_not_its_own(
    session: OAuth2Session, town: dict[str, Any], walker: Walker, client: Partner, algorithm: str
) -> None:
    """A foreign state sends no code anywhere; a foreign nonce makes the ID token worthless (OIDC Core §3.1.3.7)."""
    answer, _, verifier = begin(session, town, walker)
    with pytest.raises(MismatchingStateException):
        session.fetch_token(
            town["token_endpoint"], authorization_response=answer, state="other", code_verifier=verifier
        )
    tokens = sign_in(session, town, walker)
    with pytest.raises(InvalidClaimError, match="nonce"):
        read_id_token(town, tokens["id_token"], algorithm, audience=client.client_id, nonce="another nonce")


@pytest.mark.parametrize("method", ["private_key_jwt", "client_secret_jwt"])
def test_the_client_proves_itself_with_an_assertion(
    strict: StrictTown, visitor: Visitor, method: str
) -> None:
    """RFC 7523 §2.2, OIDC Core §9: signed by its key, or with its secret; the secret itself is never sent."""
    key = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256", "use": "sig"})
    by_key = method == "private_key_jwt"
    registered = strict.register(
        redirect_uris=["https://authlib.example/cb"],
        token_endpoint_auth_method=method,
        scope="openid email",
        **({"jwks": {"keys": [key.as_dict(private=False)]}} if by_key else {}),
    )
    town = strict.metadata()
    with OAuth2Session(
        registered["client_id"],
        key if by_key else registered["client_secret"],
        scope="openid email",
        redirect_uri="https://authlib.example/cb",
        token_endpoint_auth_method=method,
        code_challenge_method="S256",
    ) as session:
        session.verify, session.trust_env = str(strict.ca), False
        adapter = PrivateKeyJWT if by_key else ClientSecretJWT
        # Authlib's own are good for an hour, which is too long for us.
        good_for = {"exp": int(time.time()) + 60}
        alg = "ES256" if by_key else "HS256"
        session.register_client_auth_method(adapter(town["token_endpoint"], claims=good_for, alg=alg))
        verifier = generate_token(48)
        url, state = session.create_authorization_url(town["authorization_endpoint"], code_verifier=verifier)
        answer = visitor.open(url)["url"]
        session.fetch_token(
            town["token_endpoint"], authorization_response=answer, state=state, code_verifier=verifier
        )
        assert session.get(town["userinfo_endpoint"]).json()["email"] == strict.claims["email"]
