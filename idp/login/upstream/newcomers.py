"""Newcomers who create an account: what sign-up fills in for them, and the connection they get with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import request

from idp.accounts.service import set_attribute
from idp.login import attempts
from idp.login.upstream import arrivals, service
from idp.login.upstream.service import Problem
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


class Taken(Exception):
    """Who somebody is at this provider was connected with an account meanwhile, so no other one is made of it."""

    def __init__(self, provider: str) -> None:
        super().__init__(provider)
        self.provider = provider

    def page(self, flow_handle: str) -> str:
        """The sign-in page, which says so and has the provider's button."""
        query = {"flow": flow_handle, "provider": self.provider, "problem": Problem.TAKEN.value}
        return f"/login?{urlencode({name: value for name, value in query.items() if value})}#main"


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


def creating() -> Newcomer | None:
    """As `waiting`, for whoever creates the account now.

    Raises:
        Taken: when they connected in another tab of this browser, or created an account there.
    """
    found = waiting()
    if found is None and (handle := request.values.get("arrival", "")):
        with context().database.reading() as session:
            provider = arrivals.spent_with(session, handle, browser=browser_id())
        if provider is not None:
            raise Taken(provider)
    return found


def settle(session: Session, newcomer: Newcomer, resident: Resident, *, now: int) -> None:
    """Connect the new account, and keep what else the provider said, in the transaction that makes the account.

    Raises:
        Taken: when who they are there is somebody's by now. The account must not stay then.
    """
    ctx = context()
    if not service.link(session, ctx, newcomer.arrival, resident.id, browser=browser_id(), now=now):
        raise Taken(newcomer.arrival.provider)
    assert resident.data_key is not None
    data_key = ctx.vault.open_data_key(resident.data_key)
    for name, value in newcomer.arrival.person.attributes.items():
        if name not in _ON_THE_PAGE:
            set_attribute(
                session, data_key, resident, name, value, source="upstream", verified_at=None, now=now
            )
