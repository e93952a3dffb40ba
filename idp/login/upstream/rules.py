"""What a provider's answer must prove, and what it is worth; pure.

The steps of OpenID Connect Core §3.1.3.7, of RFC 9207 and of RFC 8725 that need neither a key nor a clock of ours.
"""

from __future__ import annotations

import hmac
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode, urlsplit

from idp.jose.encoding import half_hash
from idp.jose.keys import fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from idp.jose.keys import PublicKey

#: How far a provider's clock may differ from ours, in seconds.
LEEWAY = 60
SUBJECT_LIMIT = 255
_TEXT_LIMIT = 254
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
#: Methods of RFC 8176 §2 that a provider may report. What says how many factors there were is worked out here.
_METHODS = frozenset(
    [
        "face",
        "fpt",
        "geo",
        "hwk",
        "iris",
        "kba",
        "mca",
        "mfa",
        "otp",
        "pin",
        "pop",
        "pwd",
        "rba",
        "retina",
        "sc",
        "sms",
        "swk",
        "tel",
        "user",
        "vbm",
        "wia",
    ]
)
_UNTOLD = frozenset({"kba", "mfa", "mca", "rba", "geo"})


class AnswerRefused(Exception):
    """The answer proves nothing. The cause is for the log; whoever sent it learns none."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What we asked for, and of whom."""

    issuer: str
    client_id: str
    nonce: str
    asked_at: int
    is_anew: bool


@dataclass(frozen=True, slots=True)
class Metadata:
    """What we use of a provider's discovery document (OIDC Discovery §3, RFC 9207 §3)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    names_itself: bool


def read_metadata(document: Any, *, issuer: str) -> Metadata:
    """Read a discovery document; its issuer must be the very one we asked (OIDC Discovery §4.3).

    Raises:
        AnswerRefused: when it is another's or lacks what we need.
    """
    found = document if isinstance(document, dict) else {}
    if found.get("issuer") != issuer:
        raise AnswerRefused("the discovery document is another issuer's")
    authorization, token, jwks = (_endpoint(found, name, issuer) for name in _ENDPOINTS)
    userinfo = _endpoint(found, "userinfo_endpoint", issuer) if found.get("userinfo_endpoint") else None
    methods = found.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" not in methods:
        raise AnswerRefused("the provider does not know PKCE with S256")
    names_itself = found.get("authorization_response_iss_parameter_supported") is True
    return Metadata(authorization, token, jwks, userinfo, names_itself)


def _endpoint(document: Mapping[str, Any], name: str, issuer: str) -> str:
    """An address that a browser or we can be sent to: https, like the issuer itself."""
    value = document.get(name)
    is_text = isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value
    try:
        parts = urlsplit(value if is_text else "")
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"https", urlsplit(issuer).scheme} or not parts.hostname or parts.fragment:
        raise AnswerRefused(f"the discovery document has no usable {name}")
    return str(value)


def discovery_url(issuer: str) -> str:
    """Where the discovery document is (OIDC Discovery §4.1)."""
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """An address with more parameters; those it has stay (RFC 6749 §3.1)."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(parameters)}"


def check_sender(unverified_iss: str | None, metadata: Metadata, *, issuer: str) -> None:
    """Whether the answer comes from whom we asked (RFC 9207 §2.4): a mix-up is noticed before the code is sent on.

    Raises:
        AnswerRefused: when it names another issuer, or none although it always does.
    """
    if unverified_iss is None and metadata.names_itself:
        raise AnswerRefused("the answer does not name its issuer")
    if unverified_iss is not None and unverified_iss != issuer:
        raise AnswerRefused("the answer names another issuer")


def choose_key(keys: Iterable[PublicKey], *, kid: str | None, alg: str) -> PublicKey | None:
    """The one key of a set that an algorithm and a kid name (RFC 7515 §4.1.4); without a kid only if it is the only one."""
    fitting = [
        key
        for key in keys
        if fits(key, alg, use="sig")
        and key.dict_value.get("alg", alg) == alg
        and (kid is None or key.kid == kid)
    ]
    return fitting[0] if len(fitting) == 1 else None


def check_header(header: Any, algorithms: Sequence[str]) -> str:
    """The algorithm of a signed token, if we take it; every other hint of the header is left alone (K11).

    Raises:
        AnswerRefused: for any other algorithm, and for a token of another kind.
    """
    alg = header.get("alg") if isinstance(header, dict) else None
    if not isinstance(alg, str) or alg not in algorithms:
        raise AnswerRefused("signed by an algorithm that was not agreed")
    typ = header.get("typ", "JWT")
    if not isinstance(typ, str) or typ.lower() not in {"jwt", "application/jwt"}:
        raise AnswerRefused("a token of another kind")
    if "crit" in header:
        raise AnswerRefused("an extension that we do not know")
    return alg


def check_claims(claims: Any, expected: Expected, *, now: int) -> str:
    """The `sub` of an ID token, once every claim is as it must be (OIDC Core §3.1.3.7).

    Raises:
        AnswerRefused: with the claim that is not.
    """
    if not isinstance(claims, dict):
        raise AnswerRefused("no claims")
    if claims.get("iss") != expected.issuer:
        raise AnswerRefused("iss")
    audience = claims.get("aud")
    if audience not in (expected.client_id, [expected.client_id]):
        raise AnswerRefused("aud")
    if claims.get("azp", expected.client_id) != expected.client_id:
        raise AnswerRefused("azp")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise AnswerRefused("nonce")
    _check_times(claims, expected, now=now)
    return _subject(claims)


def _check_times(claims: Mapping[str, Any], expected: Expected, *, now: int) -> None:
    if _instant(claims, "exp") <= now - LEEWAY:
        raise AnswerRefused("exp")
    if not expected.asked_at - LEEWAY <= _instant(claims, "iat") <= now + LEEWAY:
        raise AnswerRefused("iat")
    if "nbf" in claims and _instant(claims, "nbf") > now + LEEWAY:
        raise AnswerRefused("nbf")
    if expected.is_anew and not expected.asked_at - LEEWAY <= _instant(claims, "auth_time") <= now + LEEWAY:
        raise AnswerRefused("auth_time")


def _instant(claims: Mapping[str, Any], name: str) -> float:
    """A NumericDate (RFC 7519 §2): a number, finite, and no text."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise AnswerRefused(name)
    return value


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_LIMIT or not subject.isascii():
        raise AnswerRefused("sub")
    return subject


def check_token_hash(claims: Mapping[str, Any], access_token: str, alg: str) -> None:
    """`at_hash`, where there is one: the access token came with this ID token (OIDC Core §3.1.3.8).

    Raises:
        AnswerRefused: when it did not.
    """
    if "at_hash" not in claims:
        return
    half = half_hash(access_token, alg)
    found = claims["at_hash"]
    if not isinstance(found, str) or not hmac.compare_digest(found.encode(), half.encode()):
        raise AnswerRefused("at_hash")


def level_for(acr: object, levels: Mapping[str, str], other: Literal["basic", "refuse"]) -> str:
    """What a provider's acr is worth here: what the operator wrote beside it, else the lowest level or nothing.

    Raises:
        AnswerRefused: when it is not listed and such people are to be refused.
    """
    found = levels.get(acr) if isinstance(acr, str) else None
    if found is None and other == "refuse":
        raise AnswerRefused("acr")
    return found or "basic"


def amr_for(unverified_amr: object, *, is_listed: bool) -> str:
    """The methods that a provider reports, in RFC 8176's values; none when its level is not one that we know."""
    said = unverified_amr if is_listed and isinstance(unverified_amr, list) else []
    known = [one for one in said if isinstance(one, str) and one in _METHODS - _UNTOLD]
    return " ".join(dict.fromkeys(known))


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What a provider says about somebody: attributes by our names, and an address."""

    attributes: Mapping[str, str]
    email: str
    email_verified: bool


def read_person(claims: Mapping[str, Any], wanted: Mapping[str, str]) -> Newcomer:
    """What we take of a provider's claims: texts of a decent length, under our names, and nothing else."""
    found = {ours: _text(claims.get(theirs)) for theirs, ours in wanted.items()}
    attributes = {name: text for name, text in found.items() if text and _is_fitting(name, text)}
    email = _text(claims.get("email"))
    return Newcomer(attributes, email, bool(email) and claims.get("email_verified") is True)


def _text(value: object) -> str:
    is_text = isinstance(value, str) and len(value) <= _TEXT_LIMIT and value.isprintable()
    return str(value).strip() if is_text else ""


def _is_fitting(name: str, text: str) -> bool:
    return name != "birthdate" or re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) is not None
