"""What residents do on the pages of their rights, and how a test reads what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from consent import log as consent_log
from consent.models import Act
from idp.accounts.models import Resident
from idp.accounts.service import log_key
from idp.rights import queue
from idp.rights.models import Request
from idp.upkeep import integrate_log, note_signers

if TYPE_CHECKING:
    from idp.rights.rules import Action
    from tests.support.town import Browser, Person, Town


def signed_in(town: Town, person: Person) -> Browser:
    """A browser in which they have just signed in."""
    browser = town.browser()
    browser.sign_in(person)
    return browser


def send(browser: Browser, page: str, path: str = "", **fields: str) -> Any:
    """Load a page of one's rights and send its form."""
    assert browser.get(f"/privacy/rights{page}").status_code == 200, browser.last.text  # type: ignore[union-attr]
    return browser.submit(f"/privacy/rights{path or page}", **fields)


def only_request(town: Town) -> Request:
    """The one request there is."""
    (found,) = town.rows(Request)
    row: Request = found
    return row


def officer(town: Town, action: Action, words: str = "", request_id: str = "") -> Any:
    """What the officer decides, below the pages."""
    request_id = request_id or only_request(town).id
    with town.context.database.transaction() as session:
        return queue.act(
            session,
            town.context,
            request_id,
            action,
            actor="staff:officer-1",
            words=words,
            now=int(town.clock()),
        )


def acts_of(town: Town) -> list[str]:
    """The kinds of all acts, the oldest first."""
    with town.context.database.reading() as session:
        return list(session.execute(select(Act.kind).order_by(Act.id)).scalars())


def findings(town: Town) -> tuple[list[Any], int]:
    """What the verifier finds wrong with the log, and how many rows nobody can open any more."""
    integrate_log(town.context, now=int(town.clock()))
    with town.context.database.reading() as session:

        def key_for(resident_id: str) -> bytes | None:
            return log_key(town.context.vault, session.get_one(Resident, resident_id))

        signer, earlier = note_signers(session, town.context)
        found = consent_log.inspect(
            session,
            key_for=key_for,
            service_key=town.context.vault.subkey("log"),
            kept_checkpoint=None,
            vkey=signer.vkey,
            earlier_vkeys=earlier,
        )
    return list(found.findings), found.sealed
