"""Software statements (RFC 7591 §2.3): metadata of a client that somebody whom the town trusts has signed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import orjson

from idp.clients.metadata import ClientRefused
from idp.clients.profiles import SIGNING_ALGORITHMS
from idp.jose import texts as jose
from idp.jose.keys import fits, usable_keys
from idp.jose.texts import NotReadable
from idp.oidc.service import CLOCK_LEEWAY

if TYPE_CHECKING:
    from idp.jose.keys import PublicKey
    from idp.jose.texts import Unverified
    from idp.settings.registration import RegistrationSettings, StatementIssuer

log = logging.getLogger("denizen.oidc")

STATEMENT = "software_statement"
#: Claims of the JWT itself, and what no statement can say; all others are metadata.
_NOT_METADATA = frozenset(
    {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "client_secret", STATEMENT}
)


def with_statement(
    values: dict[str, Any], settings: RegistrationSettings, *, issuer: str, now: int
) -> dict[str, Any]:
    """The metadata of a registration, in which whatever its statement says counts more than what the client says.

    Raises:
        ClientRefused: invalid_software_statement, or unapproved_software_statement for one of somebody else.
    """
    unverified_text = values.get(STATEMENT)
    if unverified_text is None:
        return values
    if not isinstance(unverified_text, str):
        raise ClientRefused("software_statement must be a text", "invalid_software_statement")
    try:
        claims = _verified(unverified_text, settings, issuer=issuer, now=now)
    except NotReadable as error:
        raise ClientRefused(
            f"The software statement is refused. {error}", "invalid_software_statement"
        ) from None
    vouched = {name: one for name, one in claims.items() if name not in _NOT_METADATA and one is not None}
    return {**values, **vouched}


def _verified(text: str, settings: RegistrationSettings, *, issuer: str, now: int) -> dict[str, Any]:
    unverified = jose.read(text)
    unverified_issuer = unverified.claims.get("iss")
    trusted = next((one for one in settings.statement_issuers if one.issuer == unverified_issuer), None)
    if trusted is None:
        raise ClientRefused(
            "The town does not trust whoever signed the software statement", "unapproved_software_statement"
        )
    claims = jose.verify(unverified, [_key(trusted, unverified)], algorithms=SIGNING_ALGORITHMS)
    audience = claims.get("aud", issuer)
    if issuer not in (audience if isinstance(audience, list) else [audience]):
        raise NotReadable("aud is not this server")
    expires_at = jose.instant(claims, "exp")
    if expires_at is not None and expires_at <= now:
        raise NotReadable("It has expired")
    if any((jose.instant(claims, name) or 0) > now + CLOCK_LEEWAY for name in ("iat", "nbf")):
        raise NotReadable("It is not good yet")
    return claims


def _key(trusted: StatementIssuer, unverified: Unverified) -> PublicKey:
    """The one key that a statement can be signed with, of several the one that it names (RFC 7515 §4.1.4, RFC 7517 §4.5).

    Raises:
        NotReadable: when there is no such key, or more than one.
    """
    fit = [
        key
        for key in _keys(trusted)
        if unverified.kid in (None, key.kid) and fits(key, unverified.alg, use="sig")
    ]
    if len(fit) != 1:
        raise NotReadable("Its kid and alg name no key of its issuer, or more than one")
    return fit[0]


def _keys(trusted: StatementIssuer) -> tuple[PublicKey, ...]:
    """None where the file cannot be read: then nothing is believed."""
    try:
        return usable_keys(orjson.loads(trusted.jwks_file.read_bytes()))
    except (OSError, orjson.JSONDecodeError) as error:
        log.error("keys of software statements not read cause=%s", type(error).__name__)  # noqa: TRY400
        return ()
