"""Requests to providers: rows of ours, bound to one browser and one provider, spent before the code is sent on."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import bindparam, insert, select, update

from idp.login.attempts import CLOCK_LEEWAY
from idp.login.upstream.models import UpstreamState
from idp.web.cookies import VALUE_LENGTH, digest, new_secret

if TYPE_CHECKING:
    from keys.envelope import Vault

#: As long as somebody may take at the provider, in seconds.
WAIT_FOR = 1800
_KEY = "upstream"
_CONTEXT = "login_upstream_state.kept"

_SPEND = (
    update(UpstreamState)
    .where(
        UpstreamState.state_hash == bindparam("found_hash"),
        UpstreamState.provider == bindparam("who"),
        UpstreamState.browser_hash == bindparam("this_browser"),
        UpstreamState.spent_at.is_(None),
        UpstreamState.expires_at > bindparam("at"),
        UpstreamState.created_at <= bindparam("latest"),
    )
    .values(spent_at=bindparam("at"))
    .returning(UpstreamState.kept, UpstreamState.created_at)
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What we remember of a request. `attempt` is the sign-in that waits, `resident_id` who connects instead."""

    nonce: str
    verifier: str
    attempt: str
    resident_id: str


@dataclass(frozen=True, slots=True)
class Place:
    """In which browser, at which provider."""

    browser: str
    provider: str


def begin(
    session: Any, vault: Vault, place: Place, *, attempt: str = "", resident_id: str = "", now: int
) -> tuple[str, Asked]:
    """Remember a request; its `state`, and what goes with it."""
    state = new_secret()
    asked = Asked(new_secret(), secrets.token_urlsafe(48), attempt, resident_id)
    session.execute(
        insert(UpstreamState).values(
            state_hash=digest(state),
            provider=place.provider,
            browser_hash=digest(place.browser),
            kept=vault.service_data_key(_KEY).seal(orjson.dumps(asdict(asked)).decode(), _CONTEXT),
            created_at=now,
            expires_at=now + WAIT_FOR,
            spent_at=None,
        )
    )
    return state, asked


def spend(
    session: Any, vault: Vault, place: Place, unverified_state: str, *, now: int
) -> tuple[Asked, int] | None:
    """Spend a request, and when it was made; None when it is not this browser's and this provider's, used or too old."""
    if len(unverified_state) != VALUE_LENGTH:
        return None
    row = session.execute(
        _SPEND,
        {
            "found_hash": digest(unverified_state),
            "who": place.provider,
            "this_browser": digest(place.browser),
            "at": now,
            "latest": now + CLOCK_LEEWAY,
        },
    ).first()
    if row is None:
        return None
    return _opened(vault, row.kept), row.created_at


def find_spent(session: Any, vault: Vault, place: Place, unverified_state: str) -> Asked | None:
    """A request of this browser that was spent, as when a page is loaded twice. It proves nothing."""
    kept = session.execute(
        select(UpstreamState.kept).where(
            UpstreamState.state_hash == digest(unverified_state),
            UpstreamState.provider == place.provider,
            UpstreamState.browser_hash == digest(place.browser),
            UpstreamState.spent_at.is_not(None),
        )
    ).scalar()
    return _opened(vault, kept) if kept else None


def _opened(vault: Vault, kept: bytes) -> Asked:
    return Asked(**orjson.loads(vault.service_data_key(_KEY).open(kept, _CONTEXT)))
