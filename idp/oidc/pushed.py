"""Requests that a client pushed before its resident comes (RFC 9126): checked once, kept here, answered once.

The resident may load the page again and sign in slowly; what a request cannot do is to be answered twice. So its
reference is not spent by whoever brings it but by its answer, in one conditional write before anything is minted. Whoever
brings it first, besides, keeps it to their browser, so that nobody can hand a request that has begun to somebody else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, or_, select, update

from idp.oidc import login_hints
from idp.oidc.models import PushedRequest
from idp.oidc.request import AuthorizationRequest, Pushed
from idp.oidc.service import CLOCK_LEEWAY
from idp.statements import insert_of, prepared
from idp.web.cookies import VALUE_LENGTH, digest, new_secret

if TYPE_CHECKING:
    from keys.envelope import Vault

#: What every reference of ours begins with (RFC 9126 §2.2).
PREFIX = "urn:ietf:params:oauth:request_uri:"
_SEALED_AS = "pushed_request"

_KEEP = insert_of(PushedRequest, "id_hash", "client_id", "request", "login_hint", "created_at", "expires_at")
_FIND = prepared(
    select(PushedRequest.request, PushedRequest.login_hint).where(
        PushedRequest.id_hash == bindparam("id_hash_"),
        PushedRequest.client_id == bindparam("client_id_"),
        PushedRequest.spent_at.is_(None),
        PushedRequest.expires_at > bindparam("at"),
        PushedRequest.created_at
        <= bindparam("at") + CLOCK_LEEWAY,  # a clock that was set back revives none (K40)
    )
)
_UNSPENT = (PushedRequest.id_hash == bindparam("id_hash_"), PushedRequest.spent_at.is_(None))
_NOT_ELSEWHERE = or_(
    PushedRequest.browser_hash.is_(None), PushedRequest.browser_hash == bindparam("browser_hash_")
)
_CLAIM = prepared(
    update(PushedRequest).where(*_UNSPENT, _NOT_ELSEWHERE).values(browser_hash=bindparam("browser_hash_"))
)
_SPEND = prepared(update(PushedRequest).where(*_UNSPENT).values(spent_at=bindparam("at")))
_SPEND_AT_ONCE = prepared(
    update(PushedRequest).where(*_UNSPENT, _NOT_ELSEWHERE).values(spent_at=bindparam("at"))
)


def is_reference(unverified_uri: str) -> bool:
    """Whether a request_uri is of our making, or claims to be."""
    return unverified_uri.startswith(PREFIX)


def keep(
    connection: Any, vault: Vault, request: AuthorizationRequest, *, login_hint: str, lasts_for: int, now: int
) -> str:
    """Keep a checked request for some seconds; its reference, of which only a hash is kept."""
    reference = new_secret()
    connection.execute(
        _KEEP,
        {
            "new_id_hash": digest(reference),
            "new_client_id": request.client_id,
            "new_request": request.to_json(),
            "new_login_hint": login_hints.sealed(vault, login_hint, _SEALED_AS),
            "new_created_at": now,
            "new_expires_at": now + lasts_for,
        },
    )
    return PREFIX + reference


def find(connection: Any, vault: Vault, unverified_uri: str, *, client_id: str, now: int) -> Pushed | None:
    """The request behind a reference, if this client pushed it and it can still be answered (RFC 9126 §4)."""
    reference = unverified_uri.removeprefix(PREFIX)
    if len(reference) != VALUE_LENGTH:
        return None
    id_hash = digest(reference)
    row = connection.execute(_FIND, {"id_hash_": id_hash, "client_id_": client_id, "at": now}).first()
    if row is None:
        return None
    hint = login_hints.opened(vault, row.login_hint, _SEALED_AS)
    return Pushed(replace(AuthorizationRequest.from_json(row.request), pushed=id_hash.hex()), hint)


def claim(connection: Any, pushed: str, *, browser: str) -> bool:
    """Keep a request to the browser that brings it, before a person is asked; false when another one has it."""
    changed = connection.execute(
        _CLAIM, {"id_hash_": bytes.fromhex(pushed), "browser_hash_": digest(browser)}
    )
    return bool(changed.rowcount == 1)


def spend(connection: Any, pushed: str, *, now: int) -> bool:
    """Spend a request for which its resident has acted; true for exactly one of parallel answers.

    Its own end is of no matter here: it was brought in time.
    """
    changed = connection.execute(_SPEND, {"id_hash_": bytes.fromhex(pushed), "at": now})
    return bool(changed.rowcount == 1)


def spend_at_once(connection: Any, pushed: str, *, browser: str, now: int) -> bool:
    """As `spend`, for an answer that needs nobody to act; false also when another browser has the request."""
    changed = connection.execute(
        _SPEND_AT_ONCE,
        {"id_hash_": bytes.fromhex(pushed), "browser_hash_": digest(browser), "at": now},
    )
    return bool(changed.rowcount == 1)
