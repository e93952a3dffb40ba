"""Journey 11: a resident asks for everything held, gets it; then asks for erasure, and nothing can be read any more."""

from __future__ import annotations

import io
import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pyotp
from playwright.sync_api import expect
from pypdf import PdfReader
from sqlalchemy import select

from admin.staff.service import add_staff
from idp.accounts.models import Attribute, Resident
from idp.accounts.service import find_resident
from idp.app import open_context
from idp.login.passwords import Passwords
from idp.settings import load
from tests.journeys.people import sign_in
from tests.support.riverton import DENIZEN
from tests.support.watching import look

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.support.riverton import Resident as Person
    from tests.support.riverton import Riverton


def test_a_resident_gets_everything_and_then_has_it_erased(
    riverton: Riverton, resident: Page, browser: Browser
) -> None:
    """JSON and PDF at once; the officer erases; the key is gone, the account is gone, the log verifies."""
    page, person = resident, riverton.residents["jiwon.kim"]
    page.goto(f"{riverton.issuer}/privacy/rights")
    sign_in(page, person)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your rights")
    look(page)
    page.get_by_role("link", name="Get a copy of everything").click()
    look(page)
    held = orjson.loads(_download(page, "Download the file for machines"))
    known = {row["name"]: row["value"] for row in held["held"]["accounts_attribute"]["rows"]}
    assert known["given_name"] == person.name.split()[0]
    document = PdfReader(io.BytesIO(_download(page, "Download the document")))
    assert person.name.split()[0] in document.pages[0].extract_text()
    resident_id = _id_of(riverton, person)

    page.get_by_role("link", name="Back to your rights").click()
    page.get_by_role("link", name="Have everything erased").click()
    look(page)
    expect(page.get_by_role("main")).to_contain_text("It stays for good.")
    page.get_by_label("Yes, I want everything to be erased").check()
    page.get_by_role("button", name="Ask for everything to be erased").click()
    expect(page.get_by_role("main")).to_contain_text("We must answer by")
    look(page)

    context = browser.new_context(locale="en-GB")
    context.set_default_timeout(15_000)
    _officer_erases(riverton, context.new_page())
    context.close()

    page.goto(f"{riverton.issuer}/account")
    sign_in(page, person)
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Your account")
    town = open_context(load(riverton.settings))
    with town.database.reading() as session:
        assert session.get_one(Resident, resident_id).data_key is None
        assert session.execute(select(Attribute).where(Attribute.resident_id == resident_id)).first() is None
    town.database.close()
    verified = subprocess.run(
        [DENIZEN, "--config", riverton.settings, "log", "verify"], capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


def _officer_erases(riverton: Riverton, page: Page) -> None:
    """A second browser, at the staff address, with an officer of our own."""
    username, password, secret = _new_officer(riverton)
    page.goto(f"{riverton.staff_url}/login")
    page.locator("#username").fill(username)
    page.locator("#password").fill(password)
    page.locator("#code").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Requests").first.click()
    look(page)
    row = page.get_by_role("row").filter(has_text="Everything to be erased")
    row.get_by_role("link").first.click()
    page.get_by_role("button", name="Open the request").click()
    look(page)
    page.get_by_label("It is done").check()
    page.get_by_label("I have checked that nothing must be kept").check()
    page.get_by_role("button", name="Do it").click()
    expect(page.get_by_role("main")).to_contain_text("The account is erased")
    look(page)


def _new_officer(riverton: Riverton) -> tuple[str, str, str]:
    town = open_context(load(riverton.settings))
    passwords = Passwords(town.settings.passwords, town.vault.subkey("password-pepper"))
    username, password = f"officer-{secrets.token_hex(4)}", "nine grey stamps on a letter"
    with town.database.transaction() as session:
        secret = add_staff(
            session,
            town.vault,
            passwords,
            username=username,
            role="officer",
            password=password,
            now=town.now(),
        )
    town.database.close()
    return username, password, secret


def _id_of(riverton: Riverton, person: Person) -> str:
    town = open_context(load(riverton.settings))
    with town.database.reading() as session:
        found = find_resident(session, town.vault, person.username)
        assert found is not None
        resident_id = found.id
    town.database.close()
    return resident_id


def _download(page: Page, button: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return Path(download.value.path()).read_bytes()
