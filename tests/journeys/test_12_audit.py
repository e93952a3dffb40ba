"""Journey 12: an officer proves what a person agreed to on a day, and the person sees that they looked."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyotp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from playwright.sync_api import expect

from consent.log import proofs
from consent.log.notes import parse_vkey
from tests.journeys.people import load_again, sign_in
from tests.support.riverton import until
from tests.support.watching import look

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.support.riverton import Riverton

REASON = "question of the court in case 12 of 2026"


def test_an_officer_proves_what_somebody_agreed_to(
    riverton_demo: Riverton, resident: Page, browser: Browser
) -> None:
    """Found by a reason, seen as it was, proved against a checkpoint, exported, and visible to the person."""
    riverton = riverton_demo
    person = riverton.residents["kartika"]
    resident.goto(riverton.library_url)
    resident.get_by_role("link", name="Sign in with your Riverton account").click()
    sign_in(resident, person)
    main = resident.get_by_role("main")
    allow = resident.get_by_role("button", name="Allow", exact=True)
    expect(allow.or_(main.get_by_text(person.name)).first).to_be_visible()
    if allow.count():
        allow.click()
    expect(main).to_contain_text(person.name)

    context = browser.new_context(locale="en-GB", accept_downloads=True)
    context.set_default_timeout(15_000)
    desk = context.new_page()
    officer_signs_in(riverton, desk)
    look(desk)
    desk.get_by_role("link", name="Find a person").first.click()
    desk.get_by_label("E-mail address or user name").fill(person.username)
    desk.get_by_label("Reason").fill(REASON)
    desk.get_by_role("button", name="Search").click()
    expect(desk.get_by_role("heading", level=1)).to_contain_text("Resident ")

    desk.get_by_role("link", name="As of a day").click()
    desk.get_by_label("At the end of this day").fill(datetime.now(UTC).strftime("%Y-%m-%d"))
    desk.get_by_role("button", name="Show").click()
    row = desk.get_by_role("row").filter(has_text="Riverton Public Library").filter(has_text="In force").first
    expect(row).to_be_visible()
    look(desk)
    row.get_by_role("link").click()
    expect(desk.get_by_text("The hash matches").first).to_be_visible()
    expect(desk.get_by_role("article")).to_contain_text("Riverton Public Library asks for some of your data")
    expect(desk.get_by_role("main")).not_to_contain_text(person.email)
    look(desk)
    prove(desk)
    export(desk)
    desk.get_by_role("link", name="My look-ups").click()
    expect(desk.get_by_role("main")).to_contain_text(REASON)
    look(desk)
    desk.get_by_role("link", name="Integrity of the log").click()
    expect(desk.get_by_role("main")).to_contain_text("Entries in the tree")
    look(desk)
    context.close()

    resident.goto(f"{riverton.issuer}/privacy")
    expect(resident.get_by_role("main")).to_contain_text(REASON)
    expect(resident.get_by_role("main")).to_contain_text("The privacy officer")


def officer_signs_in(riverton: Riverton, desk: Page) -> None:
    """Sign in at the staff pages; a code works once, so the one of the next half minute is tried, too."""
    officer = riverton.staff["officer"]
    desk.goto(f"{riverton.staff_url}/login")
    for step in (0, 30):
        desk.get_by_label("User name").fill(officer["username"])
        desk.get_by_label("Password").fill(officer["password"])
        desk.get_by_label("Code").fill(pyotp.TOTP(officer["totp_secret"]).at(int(time.time()) + step))
        desk.get_by_role("button", name="Sign in").click()
        greeting = desk.get_by_role("heading", name="Hello, officer")
        expect(greeting.or_(desk.get_by_role("alert")).first).to_be_visible()
        if greeting.count():
            return
    expect(greeting).to_be_visible()


def prove(desk: Page) -> None:
    """Download the proof and check it as a stranger would: with the leaf on the page and the log's public key."""
    button = desk.get_by_role("link", name="Download the proof that it is in the log")

    def is_integrated() -> bool:
        load_again(desk)
        return button.count() > 0

    until(is_integrated, "the choice has its place in the log")
    leaf = html.unescape(desk.locator("dd", has_text='"commitment"').first.inner_text()).encode()
    with desk.expect_download() as waiting:
        button.click()
    proof = proofs.parse(waiting.value.path().read_text(encoding="utf-8"))
    here = desk.url
    desk.get_by_role("link", name="Integrity of the log").click()
    vkey = (
        desk.locator("div", has=desk.get_by_text("Key of the log", exact=True))
        .locator("dd")
        .last.inner_text()
    )
    assert proof.verify(leaf, vkey).size > proof.index
    desk.get_by_label("The checkpoint").fill(proof.unverified_note)
    desk.get_by_role("button", name="Compare").click()
    expect(desk.get_by_text("The log still begins with")).to_be_visible()
    desk.goto(here)


def export(desk: Page) -> None:
    """The timeline as JSON, and its signature, checked by hand (RFC 7515, Appendix F)."""
    desk.get_by_role("link", name="Timeline").click()
    look(desk)
    desk.get_by_label("JSON", exact=True).check()
    with desk.expect_download() as waiting:
        desk.get_by_role("button", name="Export").click()
    data = waiting.value.path().read_bytes()
    assert json.loads(data)["about"]["reason"] == REASON
    desk.goto(desk.url.partition("/officer")[0] + "/officer/exports")
    look(desk)
    with desk.expect_download() as waiting:
        desk.get_by_role("link", name="Signature").first.click()
    header, _, signature = waiting.value.path().read_text().strip().split(".")
    desk.get_by_role("link", name="Integrity of the log").click()
    vkey = (
        desk.locator("div", has=desk.get_by_text("Key of the log", exact=True))
        .locator("dd")
        .last.inner_text()
    )
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).hexdigest().encode()).rstrip(b"=")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    Ed25519PublicKey.from_public_bytes(parse_vkey(vkey)[1]).verify(raw, header.encode() + b"." + digest)
