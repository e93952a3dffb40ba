"""Mail by SMTP (RFC 5321): encrypted with a certificate that is checked, signed in where settings say so."""

from __future__ import annotations

import io
import smtplib
import ssl
from base64 import b64encode
from email.generator import BytesGenerator
from email.message import EmailMessage
from email.policy import default
from email.utils import formatdate, parseaddr
from typing import TYPE_CHECKING

from idp.messaging.outcomes import GatewayAway, Sent, TurnedDown
from idp.messaging.texts import write_mail

if TYPE_CHECKING:
    from idp.messaging.models import Message
    from idp.messaging.service import Content
    from idp.messaging.texts import MailText
    from idp.settings import MailSettings, Settings

#: Seconds for each step of a conversation.
TIMEOUT = 15
_PERMANENT = 500
_SIGNED_IN = 235


class Postman:
    """Sends mails over one connection, opened with the first of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server: smtplib.SMTP | None = None

    def send(self, message: Message, content: Content, *, now: int) -> Sent:
        """Send one mail.

        Raises:
            TurnedDown, GatewayAway: when it was not taken.
        """
        text = write_mail(self._settings, message.name, message.language, content.values)
        mail = compose(
            self._settings.mail.sender,
            content.to,
            text,
            message_id=message.id,
            language=message.language,
            now=now,
        )
        server = self._connected()
        try:
            _hand_over(server, mail)
        except smtplib.SMTPNotSupportedError:
            raise TurnedDown("address needs SMTPUTF8", is_final=True) from None
        except smtplib.SMTPRecipientsRefused as error:
            code = max(code for code, _ in error.recipients.values())
            raise TurnedDown(f"smtp {code}", is_final=code >= _PERMANENT) from None
        except smtplib.SMTPDataError as error:
            raise TurnedDown(f"smtp {error.smtp_code}", is_final=error.smtp_code >= _PERMANENT) from None
        except (OSError, smtplib.SMTPException) as error:
            raise GatewayAway(_cause(error)) from None
        return Sent()

    def close(self) -> None:
        """Say goodbye."""
        if self._server is not None:
            try:
                self._server.quit()
            except (OSError, smtplib.SMTPException):
                self._server.close()
            self._server = None

    def _connected(self) -> smtplib.SMTP:
        if self._server is None:
            try:
                self._server = connect(self._settings.mail)
            except (
                OSError,
                ValueError,
                smtplib.SMTPException,
            ) as error:  # ValueError: a host that can be none
                raise GatewayAway(_cause(error)) from None
        return self._server


def connect(settings: MailSettings) -> smtplib.SMTP:
    """A conversation that may send; the server's certificate and name are checked wherever there is TLS."""
    if settings.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            settings.host, settings.port, timeout=TIMEOUT, context=trusted(settings)
        )
    else:
        server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT)
    try:
        if settings.security == "starttls":
            server.starttls(context=trusted(settings))
        if settings.username:
            _sign_in(server, settings.username, settings.password)
    except BaseException:
        server.close()
        raise
    return server


def _sign_in(server: smtplib.SMTP, username: str, password: str) -> None:
    """Sign in (RFC 4954). smtplib knows ASCII alone; other letters go as UTF-8 by PLAIN (RFC 4616 §2).

    Raises:
        smtplib.SMTPException: when the server does not let us in, or has no PLAIN for such letters.
    """
    if f"{username}{password}".isascii():
        server.login(username, password)
        return
    server.ehlo_or_helo_if_needed()
    if "PLAIN" not in server.esmtp_features.get("auth", "").upper().split():
        raise smtplib.SMTPNotSupportedError("no PLAIN for letters beyond ASCII")
    said = b64encode(f"\0{username}\0{password}".encode()).decode()
    code, answer = server.docmd("AUTH", f"PLAIN {said}")
    if code != _SIGNED_IN:
        raise smtplib.SMTPAuthenticationError(code, answer)


def trusted(settings: MailSettings) -> ssl.SSLContext:
    """The authorities of the system, and the town's own if there is one."""
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        context.load_verify_locations(settings.ca_file)
    return context


def compose(
    sender: str, to: str, text: MailText, *, message_id: str, language: str, now: int
) -> EmailMessage:
    """A mail (RFC 5322) that says that a machine wrote it (RFC 3834 §5).

    The Message-ID comes from the outbox: a mail that is sent twice after a crash is recognised as the same one.
    """
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = text.subject
    mail["Date"] = formatdate(now, usegmt=True)
    mail["Message-ID"] = f"<{message_id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(text.text)
    if text.html is not None:
        mail.add_alternative(text.html, subtype="html")
    mail["Content-Language"] = language  # last: setting a content clears what the mail says about its content
    return mail


def _hand_over(server: smtplib.SMTP, mail: EmailMessage) -> None:
    """Send a mail as it was written.

    `SMTP.send_message` writes ">From " where a line begins with "From ", as files of many mails need it; SMTP does
    not, and it spoils signatures and what people read.
    """
    server.ehlo_or_helo_if_needed()
    sender, to = (parseaddr(str(mail[name]))[1] for name in ("From", "To"))
    needs_utf8 = not f"{sender}{to}".isascii()
    if needs_utf8 and not server.has_extn("smtputf8"):
        raise smtplib.SMTPNotSupportedError("an address needs SMTPUTF8")
    written = io.BytesIO()
    policy = default.clone(utf8=needs_utf8, linesep="\r\n")
    BytesGenerator(written, mangle_from_=False, policy=policy).flatten(mail)
    options = ("SMTPUTF8", "BODY=8BITMIME") if needs_utf8 else ()
    server.sendmail(sender, [to], written.getvalue(), options)


def _cause(error: Exception) -> str:
    """An answer's code or the kind of failure; never its words, which may repeat an address."""
    code = getattr(error, "smtp_code", None)
    return f"smtp {code}" if code else type(error).__name__
