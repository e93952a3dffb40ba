"""The mailbox: a real SMTP server, and its page."""

from __future__ import annotations

import smtplib
from contextlib import contextmanager
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pyotp

from admin.sandbox.mailbox import MailStore, SmtpServer
from admin.sandbox.mailbox_site import create_mailbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from werkzeug.test import Client

LINK = "http://localhost:8400/signup/confirm?token=a-b_c&flow=1"


@contextmanager
def smtp_server(store: MailStore) -> Iterator[SmtpServer]:
    """A server that runs."""
    server = SmtpServer(store)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def send(server: SmtpServer, subject: str, text: str) -> None:
    """Send one mail the way the town does."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        "denizen@riverton.example",
        "x@riverton.example",
        subject,
    )
    message.set_content(text)
    with smtplib.SMTP("127.0.0.1", server.port, timeout=10) as connection:
        connection.send_message(message)


def site(store: MailStore) -> Client:
    """A browser at the mailbox."""
    staff = [{"role": "officer", "username": "officer", "totp_secret": pyotp.random_base32()}]
    return create_mailbox(store, staff, staff_url="http://localhost:8401").test_client()


def test_what_is_sent_can_be_read_and_clicked(tmp_path: Path) -> None:
    """Newest first, each readable, its links links."""
    store = MailStore(tmp_path)
    with smtp_server(store) as server:
        send(server, "First", "Hello")
        send(server, "Prénom confirmé", f"Open this page:\n\n{LINK}\n\nليلى")
    browser = site(store)
    listed = browser.get("/").text
    assert listed.index("Prénom confirmé") < listed.index("First")
    newest = store.newest_first()[0]
    shown = browser.get(f"/messages/{newest.id}").text
    assert f'href="{LINK.replace("&", "&amp;")}"' in shown
    assert "ليلى" in shown
    said = browser.get("/messages.json").json
    assert said is not None
    assert [one["subject"] for one in said] == ["Prénom confirmé", "First"]
    assert said[0]["links"] == [LINK]
    assert said[0]["to"] == "x@riverton.example"


def test_a_second_start_keeps_the_mail(tmp_path: Path) -> None:
    """Each mail is a file in the demo's folder."""
    with smtp_server(MailStore(tmp_path)) as server:
        send(server, "Kept", "Hello")
    (tmp_path / "stray.eml").write_text("not ours")
    assert [one.subject for one in MailStore(tmp_path).newest_first()] == ["Kept"]


def test_a_mail_cannot_bring_html_into_the_page(tmp_path: Path) -> None:
    """What a mail says is shown, never run."""
    store = MailStore(tmp_path)
    store.add(b"Subject: <b>bold</b>\nTo: <i>x</i>\n\n<script>alert(1)</script>", now=1.0)
    browser = site(store)
    for page in ("/", f"/messages/{store.newest_first()[0].id}"):
        text = browser.get(page).text
        assert "<script" not in text
        assert "<b>" not in text


def test_unreadable_mail_is_kept_all_the_same(tmp_path: Path) -> None:
    """A mail without headers, or with bytes that are no text, breaks no page."""
    store = MailStore(tmp_path)
    store.add(b"\xff\xfe\x00", now=1.0)
    store.add(b"", now=2.0)
    browser = site(store)
    assert browser.get("/").status_code == 200
    assert all(browser.get(f"/messages/{one.id}").status_code == 200 for one in store.newest_first())


def test_an_unknown_mail_and_a_foreign_name_are_refused(tmp_path: Path) -> None:
    """Another site that points its name at this machine reads no mail (DNS rebinding)."""
    browser = site(MailStore(tmp_path))
    assert browser.get("/messages/..%2F..%2Friverton.json").status_code == 404
    assert browser.get("/", headers={"Host": "evil.example"}).status_code == 400
    assert "default-src 'none'" in browser.get("/").headers["Content-Security-Policy"]


def test_the_server_takes_no_fixed_port(tmp_path: Path) -> None:
    """Two demos side by side do not meet; one that never ran is stopped as well."""
    with smtp_server(MailStore(tmp_path)) as one, smtp_server(MailStore(tmp_path)) as other:
        assert one.port != other.port
    SmtpServer(MailStore(tmp_path)).stop()
