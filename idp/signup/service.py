"""Sign-up: a link by mail, spent once; the same work whether or not the address is known (K23)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sqlalchemy import insert, select, update

from idp.accounts.rules import normal_email
from idp.accounts.service import NewResident, create_resident, email_index, find_resident
from idp.login.passwords import set_password
from idp.messaging.service import enqueue
from idp.signup.models import SignUpLink
from idp.web.cookies import VALUE_LENGTH, digest, new_secret

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.accounts.models import Resident
    from idp.login.passwords import Passwords
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
    session: Session, settings: Settings, vault: Vault, *, email: str, language: str, flow: str, now: int
) -> None:
    """Send a link to an address; an address that has an account is told so instead. Both cost the same."""
    link = new_secret()
    address = normal_email(email)
    assert address is not None
    known = find_resident(session, vault, address) is not None
    session.execute(
        insert(SignUpLink).values(
            link_hash=digest(link),
            email=vault.service_data_key("sign-up").seal(address, _CONTEXT),
            email_index=email_index(vault, address),
            language=language,
            created_at=now,
            expires_at=now if known else now + LINK_FOR,
            spent_at=None,
        )
    )
    issuer = settings.server.issuer
    # The flow is bound to the browser that began it, so it is no secret in a mail.
    query = {"token": link, **({"flow": flow} if flow else {})}
    enqueue(
        session,
        vault,
        "already_signed_up" if known else "confirm_sign_up",
        to=address,
        language=language,
        values={
            "town": settings.town.name,
            "contact": settings.town.contact_email,
            "link": f"{issuer}/login" if known else f"{issuer}/signup/confirm?{urlencode(query)}",
        },
        expires_at=now + LINK_FOR,
        now=now,
    )


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
    passwords: Passwords,
    *,
    pending: PendingSignUp,
    chosen: Chosen,
    now: int,
) -> Resident:
    """Make the resident, with a password, and say welcome.

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
    set_password(session, passwords, resident.id, chosen.password, now=now)
    enqueue(
        session,
        vault,
        "welcome",
        to=pending.email,
        language=pending.language,
        values={
            "town": settings.town.name,
            "contact": settings.town.contact_email,
            "link": f"{settings.server.issuer}/privacy",
        },
        expires_at=now + 24 * LINK_FOR,
        now=now,
    )
    return resident


def _pending(vault: Vault, row: SignUpLink) -> PendingSignUp:
    email = vault.service_data_key("sign-up").open(row.email, _CONTEXT)
    return PendingSignUp(email, row.language)
