"""Founding the town: settings, keys, an empty database at the newest revision, and Riverton in it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from admin.sandbox.folder import FolderProblem, Town
from admin.sandbox.seed import seed
from idp.app import open_context
from idp.schema import SchemaOutdated, check_schema, upgrade_database
from idp.settings import load
from idp.upkeep import turn_keys
from keys.envelope import KeyFileError, create_key_file

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
    finally:
        context.database.close()
    town = replace(
        town, is_seeded=True, residents=made_up.residents, staff=made_up.staff, clients=made_up.clients
    )
    folder.write(town)
    return town


def reopen_town(folder: Folder) -> None:
    """Bring a town of an earlier version of this program up to date, and see that its keys fit.

    Raises:
        FolderProblem: when the town cannot be opened any more.
    """
    try:
        settings = load(folder.settings)
        upgrade_database(settings.database.url)
        context = open_context(settings)
        try:
            check_schema(context.database)
            turn_keys(context, now=int(time.time()))
        finally:
            context.database.close()
    except (KeyFileError, SchemaOutdated) as error:
        raise FolderProblem(f"{error}\nTo begin anew: denizen demo --fresh") from None
