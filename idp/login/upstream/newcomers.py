"""Newcomers who create an account: what sign-up fills in for them, and the connection they get with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import request

from idp.accounts.service import set_attribute
from idp.login import attempts
from idp.login.upstream import arrivals, service
from idp.login.upstream.views import upstreams
from idp.web.context import context
from idp.web.csrf import browser_id

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.accounts.models import Resident
    from idp.login.upstream.arrivals import Arrival

#: What people write on the sign-up page themselves, and so may change.
_ON_THE_PAGE = frozenset({"given_name", "family_name"})


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody whom a provider sent to sign up. `email` needs no mail of ours when `has_confirmed`."""

    arrival: Arrival
    email: str
    has_confirmed: bool
    #: They said, before they went to the provider, that others use this computer.
    is_shared: bool

    @property
    def handle(self) -> str:
        """By which the pages of sign-up find them again; of use in this browser only."""
        return self.arrival.handle

    def attribute(self, name: str) -> str:
        """What the provider says, "" when nothing."""
        return self.arrival.person.attributes.get(name, "")


def waiting() -> Newcomer | None:
    """Who came to sign up from a provider that lets newcomers create accounts."""
    ctx = context()
    handle = request.values.get("arrival", "")
    with ctx.database.reading() as session:
        arrival = arrivals.find(session, ctx.vault, handle, browser=browser_id(), now=ctx.now())
        attempt = (
            attempts.find(session, arrival.attempt, browser=browser_id(), now=ctx.now()) if arrival else None
        )
    upstream = upstreams().get(arrival.provider) if arrival else None
    if arrival is None or upstream is None or upstream.settings.newcomers != "create":
        return None
    person = arrival.person
    has_confirmed = upstream.settings.trust_email and person.email_verified
    is_shared = attempt is not None and attempt.is_shared
    return Newcomer(arrival, person.email, has_confirmed, is_shared)


def settle(session: Session, newcomer: Newcomer, resident: Resident, *, now: int) -> None:
    """Connect the new account, and keep what else the provider said, in the transaction that makes the account."""
    ctx = context()
    linked = service.link(session, ctx, newcomer.arrival, resident.id, browser=browser_id(), now=now)
    if not linked or resident.data_key is None:
        return
    data_key = ctx.vault.open_data_key(resident.data_key)
    for name, value in newcomer.arrival.person.attributes.items():
        if name not in _ON_THE_PAGE:
            set_attribute(
                session, data_key, resident, name, value, source="upstream", verified_at=None, now=now
            )
