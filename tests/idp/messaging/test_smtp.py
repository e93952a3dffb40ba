"""SMTP with TLS and authentication, against a real server with a certificate of its own authority."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from pydantic import ValidationError

from idp.messaging import smtp
from idp.messaging.texts import MailText
from idp.settings import MailSettings
from tests.idp.messaging.outbox import deliver, row, town_with, write_mail
from tests.support.smtp import Mailbox, text_of
from tests.support.tls import make_authority

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tls import Authority

ACCOUNTS = {
    ("riverton", "a long secret"),
    ("riverton", "ein längeres Geheimnis"),
    ("rivière", "ein längeres Geheimnis"),
}
SENDER = "Riverton <no-reply@riverton.example>"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "authority"
    folder.mkdir()
    return make_authority(folder, ("localhost",))


class Guarded(Mailbox):
    """A server that takes mail only from who signed in, over TLS."""

    def __init__(self, authority: Authority, *, implicit: bool = False) -> None:
        self.logins: list[tuple[str, str]] = []
        options: dict[str, Any] = {"authenticator": self._check, "auth_required": not implicit}
        if implicit:
            # aiosmtpd counts only STARTTLS as TLS.
            options |= {"ssl_context": authority.server_side, "auth_require_tls": False}
        else:
            options |= {
                "tls_context": authority.server_side,
                "require_starttls": True,
                "auth_require_tls": True,
            }
        super().__init__(**options)
        self.host = "localhost"

    def _check(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        pair = data.login.decode(), data.password.decode()
        self.logins.append(pair)
        return AuthResult(success=pair in ACCOUNTS, handled=False)


def mail(server: Mailbox, authority: Authority | None, **changes: Any) -> dict[str, Any]:
    """The `[mail]` section for a server."""
    return {
        "host": server.host,
        "port": server.port,
        "security": "starttls",
        "username": "riverton",
        "password": "a long secret",
        "sender": SENDER,
        **({"ca_file": authority.ca} if authority else {}),
        **changes,
    }


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_leaves_encrypted_and_signed_in(
    security: str, authority: Authority, database_url: str, tmp_path: Path
) -> None:
    """RFC 3207, RFC 8314 §3.3, RFC 4954: the certificate is checked against the town's own authority, then we sign in."""
    with (
        Guarded(authority, implicit=security == "tls") as server,
        town_with(database_url, tmp_path, mail=mail(server, authority, security=security)) as town,
    ):
        write_mail(town)
        assert deliver(town, "mail") == 1
        assert len(server.wait_for(1)) == 1
        assert server.logins == [("riverton", "a long secret")]


@pytest.mark.parametrize("username", ["riverton", "rivière"])
def test_name_and_password_may_have_letters_beyond_ascii(
    username: str, authority: Authority, database_url: str, tmp_path: Path
) -> None:
    """RFC 4616 §2: they are sent as UTF-8."""
    password = "ein längeres Geheimnis"
    with Guarded(authority) as server:
        section = mail(server, authority, username=username, password=password)
        with town_with(database_url, tmp_path, mail=section) as town:
            write_mail(town)
            assert deliver(town, "mail") == 1
        assert server.logins == [(username, password)]


@pytest.mark.parametrize("to", ["noor@example.org", "zoë@example.org"])
def test_a_mail_arrives_as_it_was_written(to: str) -> None:
    """A line that begins with "From " is no boundary in SMTP, and gets no ">"; addresses in other letters, too."""
    with Mailbox(enable_SMTPUTF8=True) as server:
        postman = smtp.connect(
            MailSettings(host=server.host, port=server.port, security="none", sender=SENDER)
        )
        text = MailText("A subject", "Hello\n\nFrom now on you can sign in.\nFrom us.\n", None)
        smtp._hand_over(postman, smtp.compose(SENDER, to, text, message_id="m", language="en", now=0))
        postman.quit()
        (arrived,) = server.wait_for(1)
    assert text_of(arrived).splitlines() == text.text.splitlines()
    assert arrived["To"] == to


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("unknown authority", "SSLCertVerificationError"),
        ("another name", "SSLCertVerificationError"),
        ("wrong password", "smtp 535"),
        ("wrong password of other letters", "smtp 535"),
        ("no host", "UnicodeError"),
        ("no TLS offered", "SMTPNotSupportedError"),
    ],
)
def test_nothing_is_told_to_a_server_that_is_not_ours(
    broken: str, why: str, authority: Authority, database_url: str, tmp_path: Path
) -> None:
    """No mail and no password goes to somebody else; the message waits, and the operator sees why."""
    server = Mailbox() if broken == "no TLS offered" else Guarded(authority)
    changes: dict[str, Any] = {
        "another name": {"host": "127.0.0.1"},
        "wrong password": {"password": "another"},
        "wrong password of other letters": {"password": "ein anderes für dich"},
        "no host": {"host": "smtp..example.org"},
    }.get(broken, {})
    trusted = None if broken == "unknown authority" else authority
    with server, town_with(database_url, tmp_path, mail=mail(server, trusted, **changes)) as town:
        message_id = write_mail(town)
        assert deliver(town, "mail") == 0
        assert server.messages == []
        assert (row(town, message_id).state, row(town, message_id).trouble) == ("waiting", why)
    if isinstance(server, Guarded) and not broken.startswith("wrong password"):
        assert server.logins == []


def test_old_tls_is_refused(authority: Authority) -> None:
    """RFC 8996: nothing below TLS 1.2."""
    from idp.messaging.smtp import trusted

    context = trusted(MailSettings(ca_file=authority.ca))
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_a_password_is_never_sent_in_the_clear() -> None:
    """Settings that would do so are refused."""
    with pytest.raises(ValidationError, match="in the clear"):
        MailSettings(security="none", username="riverton", password="x")
