"""What a click on "This wasn't me" does to an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.accounts import contacts, not_me
from idp.accounts.models import Resident
from idp.closing.service import announced, end
from idp.contacts.service import stop_everything
from idp.recovery.erase import forget_since
from idp.recovery.freeze import freeze
from idp.recovery.helping import end_since

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.web.context import Context


def act_on(session: Session, ctx: Context, unverified_link: str, *, now: int) -> bool:
    """Act on a "This wasn't me" link: the account freezes, and whatever waits to change stops. False when it works no more.

    Addresses, ways in and trusted people that were added lately are forgotten, without a word to them: a thief would get
    back in by them, or the owner would owe what the thief has. How far back that goes depends on who read the link
    (`Spent`); where they did comes back if it was removed. A closure that a thief may have asked for stops as well.
    """
    resident_id = not_me.whose(session, unverified_link, now=now)
    if resident_id is None:
        return False
    # The resident first, as every change does: another link of theirs is outdated below.
    resident = session.get_one(Resident, resident_id, with_for_update=True)
    spent = not_me.spend(session, unverified_link, now=now)
    if spent is None:
        return False
    # What the account began with stays: no thief added that.
    doubtful_since = max(spent.window_since, resident.created_at + 1)
    since = max(doubtful_since, spent.reader_since)
    stop_everything(session, resident_id, now=now)
    if resident.data_key is not None:
        ended = contacts.go_back(session, ctx.vault, resident, since=since, reader=spent.contact_id, now=now)
        if since == doubtful_since:  # all is undone that anybody else who reads could undo
            ended += [one.id for one in contacts.of_resident(session, ctx.vault, resident)]
        not_me.outdate(session, resident_id, ended, now=now)
    forget_since(session, resident_id, since=since)
    end_since(session, resident_id, since=since, now=now)
    closure = announced(session, resident_id)
    if closure is not None and closure.cause == "asked":
        end(session, closure.id, "kept", now=now)
    freeze(session, ctx, resident_id, now=now)
    return True
