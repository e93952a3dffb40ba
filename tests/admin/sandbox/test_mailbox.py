"""The mailbox: a real SMTP server, and its page."""

from __future__ import annotations

import smtplib
from contextlib import contextmanager
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pyotp
import pytest

from admin.sandbox.mailbox import MailStore, SmtpServer
from admin.sandbox.mailbox_site import create_mailbox
from admin.sandbox.printer import print_waiting
from idp.messaging.models import Message
from tests.idp.messaging.outbox import write_letter
from tests.support.town import START

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from werkzeug.test import Client

    from tests.support.town import Town

SECRET = "only the town knows it"
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


def send(server: SmtpServer, subject: str, text: str, html: str = "") -> None:
    """Send one mail the way the town does."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        "denizen@riverton.example",
        "x@riverton.example",
        subject,
    )
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    with smtplib.SMTP("127.0.0.1", server.port, timeout=10) as connection:
        connection.send_message(message)


def site(store: MailStore) -> Client:
    """A browser at the mailbox."""
    staff = [{"role": "officer", "username": "officer", "totp_secret": pyotp.random_base32()}]
    return create_mailbox(
        store, staff, staff_url="http://localhost:8401", gateway_secret=SECRET
    ).test_client()


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


# --- mail in HTML ---

HTML = '<!doctype html><html><head><title>x</title></head><body><h1 style="color:red">Hi</h1><a href="https://x">y</a></body></html>'


def test_html_is_shown_in_a_frame_that_can_do_nothing(tmp_path: Path) -> None:
    """No script, form, picture or foreign address; links open beside it. The text is there as well."""
    store = MailStore(tmp_path)
    with smtp_server(store) as server:
        send(server, "Both", "Plain words", HTML)
    browser, found = site(store), store.newest_first()[0]
    page = browser.get(f"/messages/{found.id}")
    assert f'src="/messages/{found.id}/html"' in page.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
    assert "Plain words" in page.text
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    shown = browser.get(f"/messages/{found.id}/html")
    assert '<h1 style="color:red">Hi</h1>' in shown.text
    assert '<base target="_blank">' in shown.text
    policy = shown.headers["Content-Security-Policy"]
    assert all(
        part in policy for part in ("default-src 'none'", "sandbox allow-popups", "form-action 'none'")
    )
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy


def test_a_mail_without_html_has_no_frame(tmp_path: Path) -> None:
    """Nor an address for one."""
    store = MailStore(tmp_path)
    found = store.add(b"Subject: plain\n\nwords", now=1.0)
    browser = site(store)
    assert "<iframe" not in browser.get(f"/messages/{found.id}").text
    assert browser.get(f"/messages/{found.id}/html").status_code == 404


# --- text messages ---


def text_to(browser: Client, **said: object) -> object:
    """A text message as the generic gateway adapter posts it."""
    wanted = {"to": "+33612345678", "from": "Riverton", "text": "482915 is your code.", "id": "abc", **said}
    return browser.post("/sms", json=wanted, headers={"Authorization": f"Bearer {SECRET}"})


def test_a_text_message_can_be_read_and_its_code_found(tmp_path: Path) -> None:
    """By people on the page, by scripts under an address that stays."""
    store = MailStore(tmp_path)
    browser = site(store)
    taken = text_to(browser)
    assert (taken.status_code, taken.json["status"]) == (201, "ok")  # type: ignore[attr-defined]
    (said,) = browser.get("/messages.json").json  # type: ignore[misc]
    assert (said["kind"], said["to"], said["codes"]) == ("sms", "+33612345678", ["482915"])
    assert browser.get(f"/messages/{said['id']}.json").json == said
    assert "482915 is your code." in browser.get("/").text
    assert "Text message" in browser.get(f"/messages/{said['id']}").text
    assert [one.text for one in MailStore(tmp_path).newest_first()] == ["482915 is your code."]


def test_only_the_town_sends_text_messages(tmp_path: Path) -> None:
    """Another page in the same browser cannot put words into the town's mouth."""
    store = MailStore(tmp_path)
    browser = site(store)
    assert browser.post("/sms", json={"to": "x", "from": "y", "text": "z"}).status_code == 401
    assert text_to(browser, text=None).status_code == 400  # type: ignore[attr-defined]
    assert store.newest_first() == []


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("482915 is your code for Riverton.", ["482915"]),
        ("Your code:\n\nKD7P-X2MQ-4RTW\n\nType it.", ["KD7P-X2MQ-4RTW"]),
        ("On 15 January 2027, 40100 Riverton: https://x.example/123456?c=654321", []),
        ("WELL-KNOWN words, 12:30", []),
    ],
)
def test_codes_are_told_from_other_numbers(text: str, codes: list[str], tmp_path: Path) -> None:
    """For scripts; addresses, dates and postcodes are none."""
    kept = MailStore(tmp_path).add_other("sms", now=1.0, sender="", to="", subject="", text=text)
    assert kept.codes == codes


# --- letters ---


def test_letters_are_printed_and_can_be_opened(town: Town, tmp_path: Path) -> None:
    """The virtual print shop makes the batch; each letter is read as text, and opened as the PDF that was printed."""
    folder = tmp_path / "mail"
    folder.mkdir()
    store = MailStore(folder)
    assert print_waiting(town.context, store, now=town.clock()) == 0
    write_letter(town, name="recovery_letter", values={"link": LINK, "code": "KD7P-X2MQ", "until": START})
    town.clock.advance(1)
    write_letter(town)
    assert print_waiting(town.context, store, now=town.clock()) == 2
    assert print_waiting(town.context, store, now=town.clock()) == 0
    browser = site(store)
    first, second = sorted(browser.get("/messages.json").json, key=lambda one: one["page"])  # type: ignore[arg-type, no-any-return]
    assert (first["kind"], first["to"], first["codes"]) == (
        "letter",
        "Maria Okafor, 12 Mill Street, 40100 Riverton",
        ["KD7P-X2MQ"],
    )
    assert second["page"] == 2
    assert (
        f'href="/messages/{second["id"]}/letter.pdf#page=2"' in browser.get(f"/messages/{second['id']}").text
    )
    pdf = browser.get(f"/messages/{first['id']}/letter.pdf")
    assert (pdf.mimetype, pdf.data[:5]) == ("application/pdf", b"%PDF-")
    assert {row.state for row in town.rows(Message)} == {"sent"}
    assert len(MailStore(folder).newest_first()) == 2
    assert browser.get(f"/messages/{store.add(b'x', now=1.0).id}/letter.pdf").status_code == 404
