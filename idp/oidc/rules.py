"""Which claims a scope stands for, how claims are made of attributes; pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

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

#: Claims that are released with another one, and by its leave: who may have that one may have these.
COMPANIONS = {"email_verified": "email", "phone_number_verified": "phone_number", "updated_at": "name"}
#: What is in no scope and can only be asked for by its name (OIDC Core §5.5).
_BY_NAME = ("age_over_14", "age_over_65")
CLAIMS = (*(claim for claims in SCOPE_CLAIMS.values() for claim in claims), *_BY_NAME)
_TRUE_OR_FALSE = frozenset({"resident"})
#: OIDC Core §5.1.1.
_ADDRESS = ("formatted", "street_address", "locality", "region", "postal_code", "country")


def claims_of(scopes: Iterable[str]) -> frozenset[str]:
    """Every claim that the scopes stand for, companions left out."""
    return frozenset(
        claim for scope in scopes for claim in SCOPE_CLAIMS.get(scope, ()) if claim not in COMPANIONS
    )


def needed_for(claims: Iterable[str]) -> frozenset[str]:
    """The claims that must be granted so that these may be released: companions count as what they go with."""
    return frozenset(COMPANIONS.get(claim, claim) for claim in claims)


def with_companions(claims: Collection[str]) -> frozenset[str]:
    """Claims, and those that are released with them."""
    return frozenset(claims).union(one for one, of in COMPANIONS.items() if of in claims)


def released(scopes: Iterable[str], by_name: Iterable[str], granted: Collection[str]) -> frozenset[str]:
    """What goes out: of scopes and of claims asked for by name no more than what is granted (OIDC Core §5.4, §5.5)."""
    by_scope = with_companions(claims_of(scopes).intersection(granted))
    return by_scope.union(claim for claim in by_name if COMPANIONS.get(claim, claim) in granted)


def sources_of(claim: str) -> tuple[str, ...]:
    """The attributes that a claim is made of."""
    if claim == "name":
        return ("given_name", "family_name")
    if claim.startswith("age_over_"):
        return ("birthdate",)
    return (COMPANIONS.get(claim, claim),)


def claim_values(
    claims: Iterable[str],
    attributes: Mapping[str, Any],
    verified: frozenset[str],
    *,
    changed_at: int,
    now: int,
) -> dict[str, Any]:
    """The claims that can be made of a resident's attributes; what is not known is left out, never null.

    Each has its type of OIDC Core §5.1: what is kept as something else is left out, too.
    """
    found: dict[str, Any] = {}
    for claim in sorted(claims):
        value = changed_at if claim == "updated_at" else _value(claim, attributes, verified, now)
        if value is not None:
            found[claim] = value
    return found


def _value(claim: str, attributes: Mapping[str, Any], verified: frozenset[str], now: int) -> Any:
    if claim in COMPANIONS:
        of = COMPANIONS[claim]
        return None if _typed(of, attributes.get(of)) is None else of in verified
    if claim == "name":
        parts = [_typed(part, attributes.get(part)) for part in sources_of(claim)]
        return " ".join(part for part in parts if part) or None
    if claim.startswith("age_over_"):
        birthdate = _typed("birthdate", attributes.get("birthdate"))
        return None if birthdate is None else is_over(int(claim.rpartition("_")[2]), birthdate, now=now)
    return _typed(claim, attributes.get(claim))


def _typed(claim: str, value: Any) -> Any:
    """A value as OIDC Core §5.1 wants it; None for one that is empty or of another type."""
    if claim == "address":
        return _address(value)
    if claim in _TRUE_OR_FALSE:
        return value if isinstance(value, bool) else None
    return value if isinstance(value, str) and value else None


def _address(value: Any) -> dict[str, str] | None:
    """An object of texts (OIDC Core §5.1.1); one text alone is the whole address as it is written."""
    if isinstance(value, str):
        value = {"formatted": value}
    if not isinstance(value, dict):
        return None
    return {
        name: value[name] for name in _ADDRESS if isinstance(value.get(name), str) and value[name]
    } or None


def is_over(years: int, birthdate: str, *, now: int) -> bool | None:
    """Whether a person born on an ISO date has completed so many years; None when the date is not one."""
    try:
        born = datetime.strptime(birthdate, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    today = datetime.fromtimestamp(now, UTC)
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return age >= years
