"""The demo's folder: its settings, keys, database and mail, and `riverton.json` with what was made up at random.

`riverton.json` (mode 0600) is written first and removed last, so that whatever else stands in the folder is
known to be the demo's own. A folder without it, but with a town in it, is somebody's own town: it is refused.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from admin.sandbox.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RECORD: Final = "riverton.json"
_FILES: Final = (
    "denizen.toml",
    "denizen.sqlite",
    "denizen.sqlite-wal",
    "denizen.sqlite-shm",
    "denizen.sqlite-journal",
    "denizen.key",
)
#: The neighbour's witness begins anew with the town: a new town has a new log under the old name.
_WITNESS_FILES: Final = ("witness.key", "witness.sqlite", "witness.sqlite-journal", "logs.txt")


class FolderProblem(Exception):
    """The folder cannot be used; the text says why, and the way out."""


@dataclass(frozen=True, slots=True)
class Town:
    """What a second start must know. `is_seeded` is false until the database holds all of it."""

    ports: Ports
    is_seeded: bool = False
    session_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    residents: tuple[dict[str, Any], ...] = ()
    card_only: tuple[dict[str, Any], ...] = ()
    staff: tuple[dict[str, str], ...] = ()
    clients: tuple[dict[str, Any], ...] = ()


class Folder:
    """The folder at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.settings = self.path / "denizen.toml"
        self.key = self.path / "denizen.key"
        self.mail = self.path / "mail"
        self.witness = self.path / "witness"
        self._database = self.path / "denizen.sqlite"
        self._record = self.path / RECORD

    @property
    def database_url(self) -> str:
        """Address of the database."""
        return f"sqlite:///{self._database.as_posix()}"

    def revision(self) -> str | None:
        """The revision of the database, or None when it cannot be told."""
        try:
            with closing(sqlite3.connect(f"{self._database.as_uri()}?mode=ro", uri=True)) as connection:
                return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
        except (sqlite3.Error, TypeError):
            return None

    def read(self) -> Town | None:
        """The town that was made here, or None when there is none yet.

        Raises:
            FolderProblem: when something else stands here, or the record cannot be read.
        """
        try:
            kept = json.loads(self._record.read_text(encoding="utf-8"))
            return Town(
                ports=Ports(**kept["ports"]),
                is_seeded=kept["is_seeded"],
                session_secret=kept["session_secret"],
                residents=tuple(kept["residents"]),
                card_only=tuple(kept.get("card_only", ())),
                staff=tuple(kept["staff"]),
                clients=tuple(kept["clients"]),
            )
        except FileNotFoundError:
            self._refuse_foreign()
            return None
        except (OSError, ValueError, TypeError, KeyError):
            raise FolderProblem(
                f"{self._record} cannot be read. Restore it, or choose another folder with --folder."
            ) from None

    def write(self, town: Town) -> None:
        """Keep the record, readable by its owner alone, all or nothing."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.mail.mkdir(mode=0o700, exist_ok=True)
        draft = self._record.with_suffix(".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(town), file, indent=2, ensure_ascii=False)
        draft.replace(self._record)

    def clear(self) -> None:
        """Remove what the demo made here, and nothing else."""
        for name in _FILES:
            (self.path / name).unlink(missing_ok=True)
        for pattern in ("*.eml", "*.json", "letters-*.pdf"):
            for message in self.mail.glob(pattern):
                message.unlink(missing_ok=True)
        for name in _WITNESS_FILES:
            (self.witness / name).unlink(missing_ok=True)
        self._record.with_suffix(".new").unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def write_settings(
        self,
        ports: Ports,
        *,
        smtp_port: int,
        gateway_secret: str = "",
        neighbour_secret: str = "",
        witness: Mapping[str, str] | None = None,
    ) -> None:
        """The settings file; written at each start, because the mailbox takes any free port for SMTP."""
        self.settings.write_text(
            _SETTINGS.format(
                issuer=ports.issuer,
                staff_url=ports.staff_url,
                residents=ports.residents,
                staff=ports.staff,
                database=_quoted(self.database_url),
                key=_quoted(self.key.as_posix()),
                smtp_port=smtp_port,
                gateway_url=_quoted(f"http://127.0.0.1:{ports.mailbox}/sms"),
                gateway_authorization=_quoted(f"Bearer {gateway_secret}"),
                neighbour_url=ports.neighbour_url,
                neighbour_secret=_quoted(neighbour_secret or "none yet"),
            )
            + (_WITNESS.format(**witness) if witness else ""),
            encoding="utf-8",
        )

    def _refuse_foreign(self) -> None:
        found = [name for name in _FILES if (self.path / name).exists()]
        if found:
            raise FolderProblem(
                f"{self.path} holds {found[0]}, which the demo did not make. Choose another folder with --folder."
            )


def _quoted(text: str) -> str:
    """A TOML string; JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)


_SETTINGS: Final = """\
# The sample town Riverton. Written anew by each `denizen demo`; changes here do not last.

[server]
issuer = "{issuer}"
staff_url = "{staff_url}"
bind = "127.0.0.1:{residents}"
staff_bind = "127.0.0.1:{staff}"

[town]
name = "Riverton"
contact_email = "help@riverton.example"

# Half an hour without a word from a service, and residents read that it is silent; after an hour it is overdue.
[consent]
confirm_within = 3600

[database]
url = {database}

[keys]
file = {key}

[mail]
host = "127.0.0.1"
port = {smtp_port}
security = "none"
sender = "denizen@riverton.example"

[messages]
quiet_from = 0
quiet_until = 0
codes_per_ten_minutes = 50
codes_per_day = 500

[sms]
provider = "http"
sender = "Riverton"
url = {gateway_url}
headers = {{ Authorization = {gateway_authorization} }}
fields = {{ to = "{{to}}", from = "{{sender}}", text = "{{text}}", id = "{{id}}" }}
success_field = "status"
success_values = ["ok"]
id_field = "id"

[letters]
sender = "Riverton, Town Hall, 1 Market Square, 40100 Riverton"

[testing]
enabled = false
allow_loopback = true

[[upstream.providers]]
id = "lakeside"
names = {{ en = "Lakeside", fr = "Lakeside" }}
issuer = "{neighbour_url}"
client_id = "riverton"
client_secret = {neighbour_secret}
algorithms = ["ES256"]
newcomers = "create"
claims = {{ given_name = "given_name", family_name = "family_name" }}
"""

_WITNESS: Final = """
[[log.witnesses]]
name = "{name}"
url = "{url}"
vkey = "{vkey}"
"""
