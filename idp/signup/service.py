"""Sign-up: a link by mail, spent once; the same work whether or not the address is known (K23)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sqlalchemy import insert, select, update

from idp.accounts.rules import normal_email
from idp.accounts.service import NewResident, create_resident, email_index, find_resident
from idp.login.passwords import keep_hash
from idp.messaging.service import enqueue
from idp.signup.models import SignUpLink
from idp.web.cookies import VALUE_LENGTH, digest, new_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from idp.accounts.models import Resident
    from idp.settings import Settings
    from keys.envelope import Vault

LINK_FOR = 3600
_CONTEXT = "signup_link.email"


@dataclass(frozen=True, slots=True)
class PendingSignUp:
    """A confirmed address that waits for its account."""

    email: str
    language: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a new resident chose."""

    given_name: str
    family_name: str | None
    username: str | None
    password: str


def send_link(
    session: Session,
    settings: Settings,
    vault: Vault,
    *,
    email: str,
    language: str,
    query: Mapping[str, str],
    now: int,
) -> None:
    """Send a link to an address; an address that has an account is told so instead. Both cost the same.

    `query` are handles that the link carries on: of use in the browser that began with them, so no secret in a mail.
    """
    address = normal_email(email)
    assert address is not None
    known = find_resident(session, vault, address) is not None
    expires_at = now if known else now + LINK_FOR
    link = _keep(session, vault, PendingSignUp(address, language), expires_at=expires_at, now=now)
    issuer = settings.server.issuer
    query = {"token": link, **query}
    enqueue(
        session,
        vault,
        "already_signed_up" if known else "confirm_sign_up",
        to=address,
        language=language,
        values={"link": f"{issuer}/login" if known else f"{issuer}/signup/confirm?{urlencode(query)}"},
        expires_at=now + LINK_FOR,
        now=now,
        kind="code",
    )


def confirmed_link(session: Session, vault: Vault, *, email: str, language: str, now: int) -> str | None:
    """A link for an address that was confirmed elsewhere, and so needs no mail; None when it has an account."""
    address = normal_email(email)
    if address is None or find_resident(session, vault, address) is not None:
        return None
    return _keep(session, vault, PendingSignUp(address, language), expires_at=now + LINK_FOR, now=now)


def _keep(session: Session, vault: Vault, pending: PendingSignUp, *, expires_at: int, now: int) -> str:
    link = new_secret()
    session.execute(
        insert(SignUpLink).values(
            link_hash=digest(link),
            email=vault.service_data_key("sign-up").seal(pending.email, _CONTEXT),
            email_index=email_index(vault, pending.email),
            language=pending.language,
            created_at=now,
            expires_at=expires_at,
            spent_at=None,
        )
    )
    return link


def find_link(session: Any, vault: Vault, unverified_link: str, *, now: int) -> PendingSignUp | None:
    """The sign-up behind a link that works still."""
    if len(unverified_link) != VALUE_LENGTH:
        return None
    row = session.execute(
        select(SignUpLink).where(
            SignUpLink.link_hash == digest(unverified_link),
            SignUpLink.spent_at.is_(None),
            SignUpLink.expires_at > now,
        )
    ).scalar_one_or_none()
    return None if row is None else _pending(vault, row)


def spend_link(session: Any, vault: Vault, unverified_link: str, *, now: int) -> PendingSignUp | None:
    """Spend a link and every older one for the same address; None when another tab was first."""
    row = session.execute(
        update(SignUpLink)
        .where(
            SignUpLink.link_hash == digest(unverified_link),
            SignUpLink.spent_at.is_(None),
            SignUpLink.expires_at > now,
        )
        .values(spent_at=now)
        .returning(SignUpLink)
    ).scalar_one_or_none()
    if row is None:
        return None
    session.execute(
        update(SignUpLink)
        .where(SignUpLink.email_index == row.email_index, SignUpLink.spent_at.is_(None))
        .values(spent_at=now)
    )
    return _pending(vault, row)


def open_account(
    session: Session,
    settings: Settings,
    vault: Vault,
    *,
    pending: PendingSignUp,
    chosen: Chosen,
    password_hash: str,
    now: int,
) -> Resident:
    """Make the resident, with a password that was hashed before, and say welcome.

    Raises:
        sqlalchemy.exc.IntegrityError: when the address or user name was taken meanwhile.
    """
    attributes = {"given_name": chosen.given_name, "locale": pending.language}
    if chosen.family_name:
        attributes["family_name"] = chosen.family_name
    if chosen.username:
        attributes["preferred_username"] = chosen.username
    new = NewResident(pending.language, attributes, pending.email, chosen.username)
    resident = create_resident(session, vault, new, now=now)
    keep_hash(session, resident.id, password_hash, is_short=False, now=now)
    enqueue(
        session,
        vault,
        "welcome",
        to=pending.email,
        language=pending.language,
        values={"link": f"{settings.server.issuer}/privacy"},
        expires_at=now + 24 * LINK_FOR,
        now=now,
        resident_id=resident.id,
    )
    return resident


def _pending(vault: Vault, row: SignUpLink) -> PendingSignUp:
    email = vault.service_data_key("sign-up").open(row.email, _CONTEXT)
    return PendingSignUp(email, row.language)


def expire_links(session: Any, *, since: int, now: int) -> None:
    """Mark the links that the clock ended since then, so that none revives when it is set back (K40)."""
    session.execute(
        update(SignUpLink)
        .where(SignUpLink.expires_at > since, SignUpLink.expires_at <= now, SignUpLink.spent_at.is_(None))
        .values(spent_at=now),
        execution_options={"synchronize_session": False},
    )
