"""The town's mailbox: a real SMTP server that delivers to nobody, and keeps every message as a file."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import logging
import re
import secrets
import socket
import threading
import time
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aiosmtpd.smtp import SMTP

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aiosmtpd.smtp import Envelope, Session

logging.getLogger("mail.log").setLevel(logging.WARNING)  # otherwise it tells every address

_LINK: Final = re.compile(r"https?://[^\s<>\"']+")
_CODE: Final = re.compile(
    r"(?<![\w./?=&#-])(?:[0-9]{6,8}|(?=[A-Z0-9-]*[0-9])[A-Z0-9]{3,6}(?:-[A-Z0-9]{3,6})+)(?![\w-])"
)
_ID: Final = re.compile(r"[0-9]{13}-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Item:
    """One message as it arrived, of a `kind`: mail, sms or letter; `received_at` in Unix seconds.

    `id` stays the same for good. `html` is a mail's other form; `pdf` the file of a letter, which begins at `page`.
    """

    id: str
    kind: str
    sender: str
    to: str
    subject: str
    text: str
    received_at: int
    html: str = ""
    pdf: str = ""
    page: int = 1

    @property
    def links(self) -> list[str]:
        """The addresses in its text."""
        return [found.rstrip(".,;:!?)") for found in _LINK.findall(self.text)]

    @property
    def codes(self) -> list[str]:
        """What looks like a code in its text: six digits or more, or groups of letters and digits."""
        return _CODE.findall(_LINK.sub(" ", self.text))


class MailStore:
    """Every message of a folder, one file each. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        kept = [
            _read(path.stem, path.read_bytes()) for path in folder.glob("*.eml") if _ID.fullmatch(path.stem)
        ]
        kept += [
            Item(**json.loads(path.read_text(encoding="utf-8")))
            for path in folder.glob("*.json")
            if _ID.fullmatch(path.stem)
        ]
        self._items = {one.id: one for one in kept}

    def add(self, content: bytes, *, now: float) -> Item:
        """Keep a mail, in memory and as a file."""
        mail = _read(_new_id(now), content)
        with self._lock:
            (self.folder / f"{mail.id}.eml").write_bytes(content)
            self._items[mail.id] = mail
        return mail

    def add_other(self, kind: str, *, now: float, **values: Any) -> Item:
        """Keep a text message or a letter."""
        item = Item(id=_new_id(now), kind=kind, received_at=int(now), **values)
        with self._lock:
            (self.folder / f"{item.id}.json").write_text(
                json.dumps(asdict(item), ensure_ascii=False), encoding="utf-8"
            )
            self._items[item.id] = item
        return item

    def newest_first(self) -> list[Item]:
        """All messages."""
        with self._lock:
            return [self._items[key] for key in sorted(self._items, reverse=True)]

    def find(self, item_id: str) -> Item | None:
        """The message of that id."""
        with self._lock:
            return self._items.get(item_id)


def _new_id(now: float) -> str:
    return f"{int(now * 1000):013d}-{secrets.token_hex(4)}"


class SmtpServer:
    """Receives mail on a free loopback port, in a thread of its own. `port` says where."""

    def __init__(self, store: MailStore) -> None:
        self._store = store
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._halt: Callable[[], object] = self._socket.close
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to answer."""
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(ready)), name="smtp", daemon=True
        )
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Stop listening."""
        self._halt()
        if self._thread is not None:
            self._thread.join(timeout=5)

    async def _serve(self, ready: threading.Event) -> None:
        loop, halted = asyncio.get_running_loop(), asyncio.Event()
        self._halt = partial(loop.call_soon_threadsafe, halted.set)
        server = await loop.create_server(lambda: SMTP(self, hostname="localhost"), sock=self._socket)
        ready.set()
        await halted.wait()
        server.close()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail (aiosmtpd calls this)."""
        content = envelope.content or b""
        self._store.add(content if isinstance(content, bytes) else content.encode(), now=time.time())
        return "250 Kept for the mailbox page"


def _read(mail_id: str, content: bytes) -> Item:
    message: Any = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    body = message.get_body(preferencelist=("plain", "html"))
    html = message.get_body(preferencelist=("html",))
    return Item(
        id=mail_id,
        kind="mail",
        sender=str(message["From"] or ""),
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        text=str(body.get_content()) if body is not None else "",
        html=str(html.get_content()) if html is not None else "",
        received_at=int(mail_id.partition("-")[0]) // 1000,
    )
