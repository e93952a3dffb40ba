"""`denizen log`: a town keeps checkpoints and has its log recomputed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from consent.log import inspect
from idp.cli_log import _log_keys
from idp.upkeep import integrate_log, note_signers

if TYPE_CHECKING:
    from consent.log import Verification
    from tests.support.town import Town


def verified(town: Town, kept: str | None = None) -> Verification:
    integrate_log(town.context, now=int(town.clock()))
    with town.context.database.reading() as session:
        signer, earlier = note_signers(session, town.context)
        return inspect(
            session,
            key_for=_log_keys(town.context, session),
            service_key=town.context.vault.subkey("log"),
            kept_checkpoint=kept,
            vkey=signer.vkey,
            earlier_vkeys=earlier,
        )


def test_everything_that_happened_is_in_the_log_and_it_verifies(town: Town) -> None:
    """Purposes, notices, keys, consent and releases: all are leaves, and all rows match them."""
    town.tokens(town.library, town.maria)
    found = verified(town)
    assert not found.findings
    assert found.pending == 0
    assert found.leaves > 10


def test_a_release_changed_behind_our_back_is_named(town: Town) -> None:
    """K38: whoever edits the database past the triggers is found."""
    access = town.tokens(town.library, town.maria)["access_token"]
    town.userinfo(access)
    verified(town)
    with town.context.database.transaction() as session:
        if town.context.database.is_sqlite:
            session.execute(text("DROP TRIGGER consent_release_no_update"))
        else:
            session.execute(text("ALTER TABLE consent_release DISABLE TRIGGER ALL"))
        session.execute(text("UPDATE consent_release SET claims = '[]' WHERE kind = 'userinfo'"))
    findings = verified(town).findings
    assert [(one.what, one.table) for one in findings] == [("edited", "consent_release")]
