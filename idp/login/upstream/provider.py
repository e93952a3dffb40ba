"""The conversation with one provider: discovery, its keys, the token request, userinfo. All through the one fetcher."""

from __future__ import annotations

import threading
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from idp.jose import texts
from idp.jose.keys import usable_keys
from idp.jose.texts import NotReadable
from idp.login.upstream import rules
from idp.login.upstream.rules import AnswerRefused
from idp.web.cookies import new_secret
from idp.web.fetcher import FetchFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from joserfc.jwk import Key

    from idp.jose.keys import PublicKey
    from idp.login.upstream.rules import Expected, Metadata
    from idp.settings.upstream import UpstreamProvider
    from idp.web.fetcher import Fetched, Fetcher


#: How long discovery documents and keys are believed, in seconds.
_CACHE_FOR = 3600
#: Keys are asked for anew because of an unknown kid at most this often, and a silent provider is left alone as long.
_PAUSE_FOR = 60
_SILENCE_FOR = 10
_FORM = "application/x-www-form-urlencoded"
_JSON = {"Accept": "application/json"}
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_FOR = 60
_OK = 200


class ProviderSilent(Exception):
    """The provider cannot be reached, or does not speak as it should. The cause is for the log."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verified ID token says, and the access token that came with it."""

    subject: str
    claims: Mapping[str, Any]
    access_token: str


@dataclass(slots=True)
class _Kept:
    """Something fetched. `at` is None before the first time."""

    value: Any = None
    at: float | None = None


class Upstream:
    """One provider as this process knows it; safe to share between threads."""

    def __init__(self, settings: UpstreamProvider, fetcher: Fetcher, *, redirect_uri: str) -> None:
        self.settings = settings
        self.redirect_uri = redirect_uri
        self._fetcher = fetcher
        self._lock = threading.Lock()
        self._metadata = _Kept()
        self._keys = _Kept()
        self._silent_since: float | None = None

    # --- what it says about itself ---

    def metadata(self) -> Metadata:
        """Its discovery document, at most an hour old.

        Raises:
            ProviderSilent: when it cannot be had.
        """
        issuer = self.settings.issuer

        def load() -> Metadata:
            document = self._json(self._get(rules.discovery_url(issuer)))
            try:
                return rules.read_metadata(document, issuer=issuer)
            except AnswerRefused as error:
                raise ProviderSilent(str(error)) from error

        found: Metadata = self._cached(self._metadata, load, _CACHE_FOR)
        return found

    def _jwks(self, *, at_most: float) -> tuple[PublicKey, ...]:
        def load() -> tuple[PublicKey, ...]:
            document = self._json(self._get(self.metadata().jwks_uri))
            if not isinstance(document.get("keys"), list):
                raise ProviderSilent("no key set")
            return usable_keys(document)

        found: tuple[PublicKey, ...] = self._cached(self._keys, load, at_most)
        return found

    def _cached(self, kept: _Kept, load: Callable[[], Any], at_most: float) -> Any:
        """What was fetched at most so many seconds ago, or is fetched now. Not by the town's clock: it may be set."""
        with self._lock:
            if kept.at is not None and self._fetcher.monotonic() - kept.at < at_most:
                return kept.value
        value = load()
        with self._lock:
            kept.value, kept.at = value, self._fetcher.monotonic()
        return value

    # --- the token request ---

    def redeem(self, code: str, verifier: str, *, now: int) -> Mapping[str, Any]:
        """The answer of the token endpoint (OIDC Core §3.1.3).

        Raises:
            ProviderSilent: when there is none.
            AnswerRefused: when it says no, or holds no ID token.
        """
        endpoint = self.metadata().token_endpoint
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
        }
        headers, more = self._authentication(now=now)
        body = urlencode({**form, **more}).encode()
        fetched = self._asked(
            lambda: self._fetcher.post(endpoint, body, content_type=_FORM, headers={**_JSON, **headers})
        )
        answer = self._json(fetched, expected=None)
        if fetched.status != _OK:
            raise AnswerRefused(f"the token endpoint answers {fetched.status} {answer.get('error')!s:.40}")
        if not isinstance(answer.get("id_token"), str) or not isinstance(answer.get("access_token"), str):
            raise AnswerRefused("no ID token")
        return answer

    def _authentication(self, *, now: int) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and form fields that prove who we are (OIDC Core §9)."""
        ours = self.settings
        if ours.authentication == "private_key_jwt":
            assertion = {"client_assertion_type": _ASSERTION, "client_assertion": self._assertion(now)}
            return {}, {"client_id": ours.client_id, **assertion}
        if ours.authentication == "client_secret_post":
            return {}, {"client_id": ours.client_id, "client_secret": ours.client_secret}
        pair = f"{quote_plus(ours.client_id)}:{quote_plus(ours.client_secret)}"
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}, {}

    def _assertion(self, now: int) -> str:
        """A signed word of who we are, for this provider alone (RFC 7523 §3): its issuer is the audience."""
        ours = self.settings
        assert ours.private_key_file is not None
        key, alg = _private_key(ours.private_key_file)
        header = {"alg": alg, "typ": "JWT", **({"kid": ours.private_key_id} if ours.private_key_id else {})}
        claims = {
            "iss": ours.client_id,
            "sub": ours.client_id,
            "aud": ours.issuer,
            "jti": new_secret(),
            "iat": now,
            "exp": now + _ASSERTION_FOR,
        }
        return jwt.encode(header, claims, key, algorithms=[alg])

    # --- what it says about people ---

    def verify(self, answer: Mapping[str, Any], expected: Expected, *, now: int) -> Verified:
        """Check the ID token of a token answer, step by step (OIDC Core §3.1.3.7).

        Raises:
            AnswerRefused: when a step fails.
            ProviderSilent: when the keys cannot be had.
        """
        claims, alg = self._signed(answer["id_token"])
        subject = rules.check_claims(claims, expected, now=now)
        rules.check_token_hash(claims, answer["access_token"], alg)
        return Verified(subject, claims, answer["access_token"])

    def userinfo(self, verified: Verified) -> Mapping[str, Any]:
        """What it knows of the person (OIDC Core §5.3), as JSON or signed; it must be about the same one (§5.3.2).

        Raises:
            AnswerRefused: when it is about another.
            ProviderSilent: when it cannot be had.
        """
        endpoint = self.metadata().userinfo_endpoint
        if endpoint is None:
            return verified.claims
        fetched = self._get(endpoint, {"Authorization": f"Bearer {verified.access_token}"})
        if fetched.content_type == "application/jwt":
            claims, _ = self._signed(fetched.body.decode("ascii", "replace"))
            if claims.get("iss", self.settings.issuer) != self.settings.issuer:
                raise AnswerRefused("userinfo of another issuer")
            if claims.get("aud", self.settings.client_id) not in (
                self.settings.client_id,
                [self.settings.client_id],
            ):
                raise AnswerRefused("userinfo for another client")
        else:
            claims = self._json(fetched)
        if claims.get("sub") != verified.subject:
            raise AnswerRefused("userinfo about another person")
        return claims

    def _signed(self, token: str) -> tuple[dict[str, Any], str]:
        """The claims of a token that the provider signed, and by which algorithm."""
        try:
            unverified = texts.read(token)
            alg = rules.check_header(unverified.header, self.settings.algorithms)
            key = rules.choose_key(self._jwks(at_most=_CACHE_FOR), kid=unverified.kid, alg=alg)
            if key is None:  # a new key, perhaps: ask once more, but not for every stranger's kid
                key = rules.choose_key(self._jwks(at_most=_PAUSE_FOR), kid=unverified.kid, alg=alg)
            if key is None:
                raise AnswerRefused("signed by a key that is not published")
            return texts.verify(unverified, [key], algorithms=[alg]), alg
        except NotReadable as error:
            raise AnswerRefused(f"its token: {error}") from error

    # --- fetching ---

    def _get(self, url: str, headers: Mapping[str, str] | None = None) -> Fetched:
        return self._asked(lambda: self._fetcher.get(url, headers={**_JSON, **(headers or {})}))

    def _asked(self, fetch: Callable[[], Fetched]) -> Fetched:
        """Fetch; after a failure the provider is left alone for a while, so that it holds up few of our threads."""
        monotonic = self._fetcher.monotonic
        if self._silent_since is not None and monotonic() - self._silent_since < _SILENCE_FOR:
            raise ProviderSilent("left alone for a while after it was silent")
        try:
            fetched = fetch()
        except FetchFailed as error:
            self._silent_since = monotonic()
            raise ProviderSilent(error.private) from error
        self._silent_since = None
        return fetched

    @staticmethod
    def _json(fetched: Fetched, *, expected: int | None = _OK) -> dict[str, Any]:
        if expected is not None and fetched.status != expected:
            raise ProviderSilent(f"status {fetched.status}")
        try:
            found = orjson.loads(fetched.body)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise ProviderSilent(f"status {fetched.status}, no JSON object")
        return found


def _private_key(file: Path) -> tuple[Key, str]:
    """Our key, and the algorithm it signs with: P-256 or RSA."""
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ProviderSilent(f"private_key_file cannot be read ({type(error).__name__})") from error
    if isinstance(key, RSAPrivateKey):
        return RSAKey.import_key(key), "RS256"
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return ECKey.import_key(key), "ES256"
    raise ProviderSilent("private_key_file holds a key of another kind than RSA or P-256")
