"""Which claims are asked for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.oidc.claims_request import NotReadable, read
from idp.oidc.errors import Refusal

if TYPE_CHECKING:
    from idp.oidc.claims_request import ClaimsRequest
    from idp.oidc.request import Draft

SUBJECT_LIMIT = 255  # OIDC Core §2


def check_claims(draft: Draft) -> None:
    """`claims` (OIDC Core §5.5): known names are kept. A `sub` with a value names who may answer (§3.1.2.2, §5.5.1)."""
    unverified_claims = draft.unverified.get("claims")
    if unverified_claims is None:
        return
    try:
        draft.asked = read(unverified_claims)
    except NotReadable as error:
        raise Refusal("invalid_request", str(error)) from None
    draft.claims = draft.asked.kept()
    draft.sub_values = _subjects(draft.asked)


def _subjects(asked: ClaimsRequest) -> tuple[str, ...]:
    """The subjects of which one must answer; asked for in both places, those that both name."""
    named = [one for one in (_texts(asked, place) for place in ("id_token", "userinfo")) if one]
    if len(named) > 1 and not set(named[0]) & set(named[1]):
        raise Refusal("invalid_request", "claims asks for two different subjects")
    return tuple(one for one in named[0] if one in named[-1]) if named else ()


def _texts(asked: ClaimsRequest, place: str) -> tuple[str, ...]:
    wish = getattr(asked, place).get("sub")
    values: tuple[str, ...] = () if wish is None else wish.values
    if not all(isinstance(one, str) and 0 < len(one) <= SUBJECT_LIMIT and one.isascii() for one in values):
        raise Refusal("invalid_request", "claims asks for a sub that cannot be one")
    return values
