"""How well the resident must have proved who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from idp.clients.rules import SIGN_IN_LEVELS
from idp.oidc.errors import Refusal

if TYPE_CHECKING:
    from idp.oidc.request import Draft

CLAIMS_LIMIT = 8192
VALUES_LIMIT = 20


def check_acr(draft: Draft) -> None:
    """`acr_values` and the `acr` of the `claims` parameter (OIDC Core §3.1.2.1, §5.5.1.1).

    Voluntary values that are not known are ignored. Essential ones fail closed: when none of them is known, no
    sign-in could ever be enough (OpenID Connect Core Error Code unmet_authentication_requirements 1.0).
    """
    voluntary = draft.unverified.get("acr_values", "").split()[:VALUES_LIMIT]
    asked = _acr_request(draft.unverified.get("claims"))
    values = _values(asked)
    if values and asked.get("essential") is True:
        draft.essential_acr = _known(values)
        if not draft.essential_acr:
            raise Refusal("unmet_authentication_requirements", "No acr value that is essential is known here")
    draft.acr_values = _known(voluntary or values)


def _known(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in values if one in SIGN_IN_LEVELS))


def _acr_request(unverified_claims: str | None) -> dict[str, Any]:
    """The member `acr` of the member `id_token`; whatever else is asked for there is not ours to judge here."""
    if unverified_claims is None:
        return {}
    if len(unverified_claims) > CLAIMS_LIMIT:
        raise Refusal("invalid_request", f"claims is longer than {CLAIMS_LIMIT} characters")
    try:
        found = orjson.loads(unverified_claims)
    except orjson.JSONDecodeError:
        raise Refusal("invalid_request", "claims is not JSON") from None
    for name in ("id_token", "acr"):
        if not isinstance(found, dict):
            raise Refusal("invalid_request", "claims is not an object of objects")
        found = found.get(name)
        if found is None:
            return {}
    if not isinstance(found, dict):
        raise Refusal("invalid_request", "claims asks for acr in a way that is not known")
    return found


def _values(asked: dict[str, Any]) -> list[str]:
    values = asked.get("values", [asked["value"]] if "value" in asked else [])
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        raise Refusal("invalid_request", "claims asks for acr values that are no texts")
    return values[:VALUES_LIMIT]
