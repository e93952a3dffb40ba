"""One purpose for every standard claim: what clients of a conformance run are allowed, and nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consent.purposes import NoticeText, declare_purpose, publish_notice
from idp.jobs.stamps import PURPOSES, bump
from idp.oidc.rules import claims_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: The purpose's key.
PURPOSE: Final = "conformance"
#: OIDC Core §5.4.
_SCOPES: Final = ("profile", "email", "phone", "address")
_NOTICE: Final = NoticeText(
    "Try whether the town keeps to the standard", "A test of the town's software.", "None.", "Nobody."
)


def declare_every_claim(session: Session, log_key: bytes, client_id: str, *, now: int) -> None:
    """Let a client ask for every standard claim, by consent."""
    purpose_id = declare_purpose(
        session,
        log_key=log_key,
        client_id=client_id,
        key=PURPOSE,
        basis="consent",
        required_claims=sorted(claims_of(_SCOPES)),
        now=now,
    )
    publish_notice(
        session, log_key=log_key, purpose_id=purpose_id, texts={"en": _NOTICE}, material=True, now=now
    )
    bump(session, PURPOSES)
