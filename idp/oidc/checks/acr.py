"""How well the resident must have proved who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.clients.rules import SIGN_IN_LEVELS
from idp.oidc.claims_request import VALUES_LIMIT, Wish
from idp.oidc.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.oidc.request import Draft


def check_acr(draft: Draft) -> None:
    """`acr_values` and the `acr` of the `claims` parameter (OIDC Core §3.1.2.1, §5.5.1.1).

    Voluntary values that are not known are ignored. Essential ones fail closed: when none of them is known, no
    sign-in could ever be enough (OpenID Connect Core Error Code unmet_authentication_requirements 1.0).
    """
    voluntary = draft.unverified.get("acr_values", "").split()[:VALUES_LIMIT]
    asked = draft.asked.id_token.get("acr", Wish())
    if not all(isinstance(one, str) for one in asked.values):
        raise Refusal("invalid_request", "claims asks for acr values that are no texts")
    if asked.values and asked.is_essential:
        draft.essential_acr = _known(asked.values)
        if not draft.essential_acr:
            raise Refusal("unmet_authentication_requirements", "No acr value that is essential is known here")
    draft.acr_values = _known(voluntary or asked.values)


def _known(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in values if one in SIGN_IN_LEVELS))
