"""Forgetting every grant and token of a resident whose account has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, select

from idp.oidc.device.models import DeviceRequest
from idp.oidc.models import AccessToken, Authorization, Grant, Hold, RefreshToken

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def forget(session: Session, resident_id: str) -> None:
    """Remove grants, codes, tokens, devices and holds of a resident, with what stands in them about the person."""
    grants = select(Grant.id).where(Grant.resident_id == resident_id)
    families = select(Authorization.id).where(Authorization.grant_id.in_(grants))
    # A refresh token ends with its family, to the second. There is an index on that, and none on the family, which every
    # sign-in would pay for; of access tokens there are those of minutes.
    ends = select(Authorization.expires_at).where(Authorization.grant_id.in_(grants))
    for model, condition in (
        (AccessToken, AccessToken.authorization_id.in_(families)),
        (
            RefreshToken,
            and_(RefreshToken.expires_at.in_(ends), RefreshToken.authorization_id.in_(families)),
        ),
        (Authorization, Authorization.grant_id.in_(grants)),
        (Grant, Grant.resident_id == resident_id),
        (DeviceRequest, DeviceRequest.resident_id == resident_id),
        (Hold, Hold.resident_id == resident_id),
    ):
        session.execute(delete(model).where(condition), execution_options={"synchronize_session": False})
