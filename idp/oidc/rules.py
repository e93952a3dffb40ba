"""Which claims a scope stands for, how claims are made of attributes; pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: OIDC Core §5.4, and our own scopes for what a town can say about a resident.
SCOPE_CLAIMS: dict[str, tuple[str, ...]] = {
    "profile": (
        "name",
        "family_name",
        "given_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "updated_at",
    ),
    "email": ("email", "email_verified"),
    "phone": ("phone_number", "phone_number_verified"),
    "address": ("address",),
    "residence": ("resident", "district"),
    "age": ("age_over_16", "age_over_18"),
}
SCOPES = ("openid", "offline_access", *SCOPE_CLAIMS)

#: Claims that say something about another claim and are released together with it.
COMPANIONS = {"email_verified": "email", "phone_number_verified": "phone_number", "updated_at": "name"}
CLAIMS = tuple(claim for claims in SCOPE_CLAIMS.values() for claim in claims)


def claims_of(scopes: Iterable[str]) -> frozenset[str]:
    """Every claim that the scopes stand for, companions left out."""
    return frozenset(
        claim for scope in scopes for claim in SCOPE_CLAIMS.get(scope, ()) if claim not in COMPANIONS
    )


def sources_of(claim: str) -> tuple[str, ...]:
    """The attributes that a claim is made of."""
    if claim == "name":
        return ("given_name", "family_name")
    if claim.startswith("age_over_"):
        return ("birthdate",)
    return (claim,)


def claim_values(
    claims: Iterable[str],
    attributes: Mapping[str, Any],
    verified: frozenset[str],
    *,
    changed_at: int,
    now: int,
) -> dict[str, Any]:
    """The claims that can be made of a resident's attributes; what is not known is left out, never null."""
    found: dict[str, Any] = {}
    for claim in sorted(claims):
        value = _value(claim, attributes, now)
        if value is None or value == "":
            continue
        found[claim] = value
        for companion, of in COMPANIONS.items():
            if of == claim:
                found[companion] = changed_at if companion == "updated_at" else claim in verified
    return found


def _value(claim: str, attributes: Mapping[str, Any], now: int) -> Any:
    if claim == "name":
        parts = [attributes.get("given_name"), attributes.get("family_name")]
        return " ".join(part for part in parts if part)
    if claim.startswith("age_over_"):
        birthdate = attributes.get("birthdate")
        return None if birthdate is None else is_over(int(claim.rpartition("_")[2]), birthdate, now=now)
    return attributes.get(claim)


def is_over(years: int, birthdate: str, *, now: int) -> bool | None:
    """Whether a person born on an ISO date has completed so many years; None when the date is not one."""
    try:
        born = datetime.strptime(birthdate, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    today = datetime.fromtimestamp(now, UTC)
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return age >= years
