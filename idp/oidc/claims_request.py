"""The `claims` parameter: claims asked for by name, for userinfo and for the ID token (OIDC Core §5.5); pure.

Of each claim only its name is kept. Whether it is essential changes nothing here: no answer is refused because a claim
cannot be given (§5.5.1), except for `acr` and `sub`, whose values are rules of the request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import orjson

from idp.oidc.rules import CLAIMS

if TYPE_CHECKING:
    from collections.abc import Mapping

CLAIMS_LIMIT: Final = 8192
VALUES_LIMIT: Final = 20
_PLACES: Final = ("userinfo", "id_token")
_KNOWN: Final = frozenset(CLAIMS)
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class NotReadable(ValueError):
    """The parameter is not as OIDC Core §5.5 says; the text says how, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How one claim is asked for (OIDC Core §5.5.1). `values` are in order of preference, empty for any."""

    is_essential: bool = False
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimsRequest:
    """What is asked for in each place, by name, known or not."""

    userinfo: Mapping[str, Wish] = field(default_factory=dict)
    id_token: Mapping[str, Wish] = field(default_factory=dict)

    def kept(self) -> str | None:
        """The names that mean something here, as they are kept with the request; None when there are none."""
        places = {"userinfo": self.userinfo, "id_token": self.id_token}
        names = {place: sorted(_KNOWN.intersection(asked)) for place, asked in places.items()}
        found = {place: known for place, known in names.items() if known}
        return orjson.dumps(found).decode() if found else None


NOTHING_ASKED: Final = ClaimsRequest()


@dataclass(frozen=True, slots=True)
class AskedByName:
    """The names of claims that a request asked for, by place."""

    userinfo: frozenset[str] = frozenset()
    id_token: frozenset[str] = frozenset()

    @property
    def anywhere(self) -> frozenset[str]:
        """In either place."""
        return self.userinfo | self.id_token


_NO_NAMES: Final = AskedByName()


def read_kept(kept: str | None) -> AskedByName:
    """The names behind `ClaimsRequest.kept`."""
    if kept is None:
        return _NO_NAMES
    found = orjson.loads(kept)
    return AskedByName(*(frozenset(found.get(place, ())) for place in _PLACES))


def read(unverified_claims: str) -> ClaimsRequest:
    """Read a `claims` parameter; what is not known in it is passed over (OIDC Core §5.5).

    Raises:
        NotReadable: when it is too long, no JSON, or shaped in another way.
    """
    if len(unverified_claims) > CLAIMS_LIMIT:
        raise NotReadable(f"claims is longer than {CLAIMS_LIMIT} characters")
    try:
        found = orjson.loads(unverified_claims)
    except orjson.JSONDecodeError:
        raise NotReadable("claims is not JSON") from None
    places = _object(found, "claims is not a JSON object")
    return ClaimsRequest(**{place: _wishes(places.get(place)) for place in _PLACES})


def _wishes(asked: Any) -> Mapping[str, Wish]:
    if asked is None:
        return _NONE
    claims = _object(asked, "claims has a member that is not a JSON object")
    return {name: _wish(one) for name, one in claims.items()}


def _wish(asked: Any) -> Wish:
    """Null, or an object of which other members may be defined elsewhere and are ignored (OIDC Core §5.5.1)."""
    if asked is None:
        return Wish()
    members = _object(asked, "claims asks for a claim with something that is neither null nor a JSON object")
    is_essential = members.get("essential", False)
    if not isinstance(is_essential, bool):
        raise NotReadable("claims has an essential that is neither true nor false")
    values = members.get("values", [members["value"]] if "value" in members else [])
    if not isinstance(values, list):
        raise NotReadable("claims has values that are no array")
    return Wish(is_essential, tuple(values[:VALUES_LIMIT]))


def _object(value: Any, otherwise: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotReadable(otherwise)
    return value
