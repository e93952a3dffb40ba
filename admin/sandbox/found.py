"""Founding the town: settings, keys, an empty database at the newest revision, and Riverton in it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from alembic.util import CommandError
from sqlalchemy.exc import DatabaseError

from admin.sandbox.card_prints import print_cards
from admin.sandbox.folder import FolderProblem, Town
from admin.sandbox.seed import seed
from idp.app import open_context
from idp.schema import upgrade_database
from idp.settings import load
from idp.upkeep import turn_keys
from keys.envelope import create_key_file

if TYPE_CHECKING:
    from admin.sandbox.folder import Folder
    from admin.sandbox.ports import Ports


def found_town(folder: Folder, ports: Ports) -> Town:
    """Make the town; until it is complete the record says so, and the next start begins anew."""
    town = Town(ports)
    folder.write(town)
    folder.write_settings(ports, smtp_port=25)
    create_key_file(folder.key)
    upgrade_database(folder.database_url)
    context = open_context(load(folder.settings))
    try:
        now = int(time.time())
        turn_keys(context, now=now)
        with context.database.transaction() as session:
            made_up = seed(session, context, ports, now=now)
        print_cards(context.settings, folder.mail, [*made_up.residents, *made_up.card_only], now=now)
    finally:
        context.database.close()
    town = replace(
        town,
        is_seeded=True,
        residents=made_up.residents,
        card_only=made_up.card_only,
        staff=made_up.staff,
        clients=made_up.clients,
    )
    folder.write(town)
    return town


def renew_town(folder: Folder) -> None:
    """Bring the town of an earlier version of this program up to date.

    Raises:
        FolderProblem: when that cannot be done.
    """
    try:
        upgrade_database(folder.database_url)
    except (CommandError, DatabaseError) as error:
        raise FolderProblem(
            f"The town in {folder.path} cannot be brought up to date ({type(error).__name__}). "
            "Begin anew: denizen demo --fresh"
        ) from None
