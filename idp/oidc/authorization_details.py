"""Permissions for single matters: `authorization_details` (RFC 9396), from the request to the tokens.

A permission is shown to its resident and agreed to as it stands. For consent it is one more thing that a purpose
needs, under a name of its own (`consent_name`), so that it is recorded, refused and withdrawn like a claim.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from consent.labels import PERMISSION
from idp.jose.encoding import base64url
from idp.oidc.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from idp.clients.details_types import DetailsType
    from idp.clients.registry import Client
    from idp.oidc.provider import ClientPurposes, Provider

LENGTH_LIMIT: Final = 8192
COUNT_LIMIT: Final = 10

#: One permission, as JSON has it.
Detail = dict[str, Any]


def refusal(public: str) -> Refusal:
    """RFC 9396 §5."""
    return Refusal("invalid_authorization_details", public)


def read(unverified_text: str) -> list[Detail]:
    """Objects with a type each; nothing else is seen to, but that none comes twice.

    Raises:
        Refusal: invalid_authorization_details.
    """
    if len(unverified_text) > LENGTH_LIMIT:
        raise refusal(f"authorization_details is longer than {LENGTH_LIMIT} characters")
    try:
        found = orjson.loads(unverified_text)
    except orjson.JSONDecodeError:
        raise refusal("authorization_details is not JSON") from None
    if not isinstance(found, list) or not 0 < len(found) <= COUNT_LIMIT:
        raise refusal(f"authorization_details must be an array of 1 to {COUNT_LIMIT} objects")
    if not all(isinstance(one, dict) and isinstance(one.get("type"), str) for one in found):
        raise refusal("authorization_details has something that is no object with a type")
    try:
        once = {_canonical(one): one for one in found}
    except orjson.JSONEncodeError:
        raise refusal("authorization_details is nested too deeply") from None
    return list(once.values())


def kept(details: Sequence[Detail]) -> str | None:
    """Permissions as they are kept; None for none."""
    return orjson.dumps(details, option=orjson.OPT_SORT_KEYS).decode() if details else None


def read_kept(text: str | None) -> list[Detail]:
    """The permissions behind `kept`."""
    found: list[Detail] = [] if text is None else orjson.loads(text)
    return found


def type_for(provider: Provider, client: Client, name: str) -> DetailsType | None:
    """A type that a client may ask for: it lists it, a resource server has it, and a purpose of the client covers it."""
    if name not in client.details.authorization_details_types:
        return None
    found = provider.clients.find_details_type(name)
    if found is None:
        return None
    keys = {one.key for one in provider.purposes_of(client.client_id).purposes}
    return found.type if found.type.purpose in keys else None


def consent_name(detail: Detail) -> str:
    """The name under which a resident agrees to exactly this permission."""
    digest = base64url(hashlib.sha256(_canonical(detail)).digest()[:16])
    return f"{PERMISSION}{digest}:{detail['type']}"


def names_of(text: str | None) -> frozenset[str]:
    """The names of all permissions that a request asks for."""
    return frozenset(consent_name(one) for one in read_kept(text))


def covered_by(provider: Provider, purposes: ClientPurposes, text: str | None) -> ClientPurposes:
    """The purposes of a client, each with the permissions of a request that it covers among what it needs."""
    needed: dict[str, tuple[str, ...]] = {}
    for one in read_kept(text):
        found = provider.clients.find_details_type(one["type"])
        if found is not None:
            key = found.type.purpose
            needed[key] = (*needed.get(key, ()), consent_name(one))
    return replace(
        purposes,
        purposes=tuple(
            replace(one, required_claims=one.required_claims + needed.get(one.key, ()))
            for one in purposes.purposes
        ),
    )


def narrowed(asked: str | None, given: str | None) -> list[Detail]:
    """What a token shall carry: all that was given, or the part that the client asks for now (RFC 9396 §6).

    A permission is part of one that was given when it is the same, but for lists, of which it may have fewer values.

    Raises:
        Refusal: invalid_authorization_details for anything more.
    """
    granted = read_kept(given)
    if asked is None:
        return granted
    wanted = read(asked)
    if not all(any(_is_part(one, whole) for whole in granted) for one in wanted):
        raise refusal("authorization_details asks for more than was granted")
    return wanted


def _is_part(one: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    return one.keys() == whole.keys() and all(_is_less(value, whole[name]) for name, value in one.items())


def _is_less(value: Any, whole: Any) -> bool:
    if isinstance(value, list) and isinstance(whole, list):
        return bool(value) and all(one in whole for one in value)
    return type(value) is type(whole) and bool(value == whole)  # True is no 1


def for_resource(details: Sequence[Detail], server: Client) -> list[Detail]:
    """Those whose types a resource server registered: it is told of no others (RFC 9396 §9.2)."""
    own = {one.type for one in server.details.authorization_details_type}
    return [one for one in details if one["type"] in own]


def _canonical(detail: Detail) -> bytes:
    return orjson.dumps(detail, option=orjson.OPT_SORT_KEYS)
