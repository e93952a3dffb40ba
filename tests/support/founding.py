"""A newly founded town that each test gets a copy of: keys, people and partners are made once, and their passwords hashed."""

from __future__ import annotations

import pickle
import shutil
from typing import TYPE_CHECKING, NamedTuple

from tests.support.town import Partner, Person, make_town

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.quick import RsaKeys


class Founding(NamedTuple):
    """Whom the database knows already, and the file with its keys."""

    key_file: Path
    partners: list[Partner]
    people: list[Person]

    def hand_over(self, folder: Path) -> None:
        """Put the key file where a town in this folder looks for it."""
        shutil.copy(self.key_file, folder / self.key_file.name)


def found(database_url: str, folder: Path, keys: RsaKeys) -> None:
    """Found a town in a migrated database, and write down in a new folder what :func:`founded` reads."""
    folder.mkdir()
    with keys.apart():
        town = make_town(database_url, folder)
    town.context.database.close()
    known = [town.library, town.tax, town.public, town.service], [town.maria, town.jun]
    (folder / "known.pickle").write_bytes(pickle.dumps(known))


def founded(folder: Path) -> Founding:
    """What was founded in the folder."""
    partners, people = pickle.loads((folder / "known.pickle").read_bytes())
    return Founding(folder / "denizen.key", partners, people)
