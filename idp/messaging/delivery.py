"""Delivery of the outbox by SMTP: tried again with growing pauses, given up in sight of the operator."""

from __future__ import annotations

import logging
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from idp.messaging.models import Message
from idp.messaging.service import Mail, open_mail
from keys.envelope import SealBroken

if TYPE_CHECKING:
    from idp.settings import MailSettings
    from idp.web.context import Context

log = logging.getLogger("denizen.messaging")

BATCH = 50
#: Pauses between tries, in seconds; after the last one a message is dead.
PAUSES = (10, 60, 300, 900, 3600, 3600, 3600, 7200)
_TIMEOUT = 15
_PERMANENT = 500


class Courier:
    """Sends what is due. A lease keeps other processes away, and each message is claimed before it is sent."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def deliver_due(self, now: int) -> int:
        """Send every message that is due; how many were sent."""
        with self._context.database.reading() as session:
            due = list(
                session.execute(
                    select(Message)
                    .where(Message.state == "waiting", Message.due_at <= now)
                    .order_by(Message.due_at)
                    .limit(BATCH)
                ).scalars()
            )
        for message in due:
            if message.expires_at <= now:
                self._finish(message, "expired", now=now)
        ready = [message for message in due if message.expires_at > now and self._claim(message, now=now)]
        return self._deliver(ready, now=now) if ready else 0

    def _claim(self, message: Message, *, now: int) -> bool:
        """Count a try and set the next one, so that nobody else sends the message meanwhile, nor we after a crash."""
        pause = PAUSES[min(message.attempts, len(PAUSES) - 1)]
        with self._context.database.transaction() as session:
            claimed = session.execute(
                update(Message)
                .where(
                    Message.id == message.id, Message.state == "waiting", Message.attempts == message.attempts
                )
                .values(attempts=message.attempts + 1, due_at=now + pause)
                .returning(Message.id)
            ).first()
        return claimed is not None

    def _deliver(self, messages: list[Message], *, now: int) -> int:
        waiting, sent = list(messages), 0
        try:
            with _connect(self._context.settings.mail) as server:
                while waiting:
                    sent += self._try(server, waiting[0], now=now)
                    waiting.pop(0)
        except (OSError, smtplib.SMTPException) as error:
            log.warning("mail server unavailable cause=%s", type(error).__name__)
        for message in waiting:
            self._give_up_in_time(message, now=now)
        return sent

    def _try(self, server: smtplib.SMTP, message: Message, *, now: int) -> bool:
        """Send one message. What the server says against it alone holds up no other."""
        try:
            mail = open_mail(self._context.vault, message)
        except SealBroken:
            self._finish(message, "dead", now=now)
            log.warning("mail unreadable id=%s name=%s", message.id, message.name)
            return False
        try:
            server.send_message(_compose(self._context.settings.mail.sender, mail))
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as error:
            if _is_final(error):
                self._finish(message, "dead", now=now)
                log.warning("mail refused id=%s name=%s", message.id, message.name)
            else:
                self._give_up_in_time(message, now=now)
            return False
        self._finish(message, "sent", now=now)
        return True

    def _finish(self, message: Message, state: str, *, now: int) -> None:
        """Empty the message: nothing of it is kept but that it existed."""
        with self._context.database.transaction() as session:
            session.execute(
                update(Message)
                .where(Message.id == message.id, Message.state == "waiting")
                .values(state=state, content=None, finished_at=now)
            )

    def _give_up_in_time(self, message: Message, *, now: int) -> None:
        """After the last pause a message that could not be sent is dead."""
        if message.attempts >= len(PAUSES):
            self._finish(message, "dead", now=now)
            log.error("mail given up id=%s name=%s", message.id, message.name)


def _is_final(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError) -> bool:
    """Whether trying again is pointless (RFC 5321 §4.2.1: 5yz); 4yz is what greylisting answers."""
    if isinstance(error, smtplib.SMTPDataError):
        return error.smtp_code >= _PERMANENT
    return all(code >= _PERMANENT for code, _ in error.recipients.values())


def _connect(settings: MailSettings) -> smtplib.SMTP:
    tls = ssl.create_default_context()
    if settings.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(settings.host, settings.port, timeout=_TIMEOUT, context=tls)
    else:
        server = smtplib.SMTP(settings.host, settings.port, timeout=_TIMEOUT)
        if settings.security == "starttls":
            server.starttls(context=tls)
    if settings.username:
        server.login(settings.username, settings.password)
    return server


def _compose(sender: str, mail: Mail) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message
