"""A real SMTP server that keeps what it is sent."""

from __future__ import annotations

import email
import email.policy
import threading
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, Self

from aiosmtpd.controller import Controller

from tests.support.loopback import free_port

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """An SMTP server on a free loopback port. `host` and `port` say where."""

    def __init__(self, **options: Any) -> None:
        """`options` go to aiosmtpd's Controller: `authenticator`, `tls_context`, `auth_require_tls` and so on."""
        self._arrived = threading.Condition()
        self._messages: list[EmailMessage] = []
        self.host, self.port = "127.0.0.1", free_port()
        self._controller = Controller(self, hostname=self.host, port=self.port, **options)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a message (called by aiosmtpd, in its own thread)."""
        message = email.message_from_bytes(envelope.content or b"", policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        with self._arrived:
            self._messages.append(message)
            self._arrived.notify_all()
        return "250 OK"

    @property
    def messages(self) -> list[EmailMessage]:
        """What has arrived so far, oldest first."""
        with self._arrived:
            return list(self._messages)

    def wait_for(self, count: int, timeout: float = 10) -> list[EmailMessage]:
        """All messages, as soon as there are `count` of them.

        Raises:
            AssertionError: when fewer have arrived after `timeout` seconds.
        """
        with self._arrived:
            enough = self._arrived.wait_for(lambda: len(self._messages) >= count, timeout)
            assert enough, f"{len(self._messages)} of {count} messages arrived within {timeout} s"
            return list(self._messages)

    def clear(self) -> None:
        """Forget what has arrived."""
        with self._arrived:
            self._messages.clear()


def text_of(mail: EmailMessage) -> str:
    """The plain text of a mail."""
    body = mail.get_body(preferencelist=("plain",))
    assert body is not None, "a mail without plain text"
    return str(body.get_content())


def html_of(mail: EmailMessage) -> str:
    """The HTML of a mail."""
    body = mail.get_body(preferencelist=("html",))
    assert body is not None, "a mail without HTML"
    return str(body.get_content())
