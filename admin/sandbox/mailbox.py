"""The town's mailbox: a real SMTP server that delivers to nobody, and keeps every mail as a file."""

from __future__ import annotations

import asyncio
import email
import email.policy
import logging
import re
import secrets
import socket
import threading
import time
from dataclasses import dataclass
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
_ID: Final = re.compile(r"[0-9]{13}-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it arrived; `received_at` in Unix seconds."""

    id: str
    sender: str
    to: str
    subject: str
    text: str
    received_at: int

    @property
    def links(self) -> list[str]:
        """The addresses in its text."""
        return [found.rstrip(".,;:!?)") for found in _LINK.findall(self.text)]


class MailStore:
    """Every mail of a folder, one file each. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._mails = {
            path.stem: _read(path.stem, path.read_bytes())
            for path in folder.glob("*.eml")
            if _ID.fullmatch(path.stem)
        }

    def add(self, content: bytes, *, now: float) -> Mail:
        """Keep a mail, in memory and as a file."""
        mail = _read(f"{int(now * 1000):013d}-{secrets.token_hex(4)}", content)
        with self._lock:
            (self._folder / f"{mail.id}.eml").write_bytes(content)
            self._mails[mail.id] = mail
        return mail

    def newest_first(self) -> list[Mail]:
        """All mails."""
        with self._lock:
            return [self._mails[key] for key in sorted(self._mails, reverse=True)]

    def find(self, mail_id: str) -> Mail | None:
        """The mail of that id."""
        with self._lock:
            return self._mails.get(mail_id)


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


def _read(mail_id: str, content: bytes) -> Mail:
    message: Any = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    body = message.get_body(preferencelist=("plain", "html"))
    return Mail(
        id=mail_id,
        sender=str(message["From"] or ""),
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        text=str(body.get_content()) if body is not None else "",
        received_at=int(mail_id.partition("-")[0]) // 1000,
    )
