"""Journey 2: a resident chooses what to share; the service receives that and nothing else."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import requests
from playwright.sync_api import expect

from tests.journeys.people import load_again, sign_in
from tests.support.riverton import DENIZEN, until
from tests.support.watching import look

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.support.riverton import Riverton

#: What an ID token says about the sign-in itself; a resident's data is no part of it.
PROTOCOL = {"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"}


@pytest.fixture
def runs_scripts(either_browser: Page, request: pytest.FixtureRequest) -> bool:
    """Whether axe can look at the pages."""
    return "with JavaScript" in request.node.callspec.id.split("-")


def test_the_service_receives_only_what_the_resident_left_ticked(
    riverton: Riverton, either_browser: Page, runs_scripts: bool, browser: Browser, tmp_path: Path
) -> None:
    """Street Reports needs the district and would like the e-mail address: it gets the district.

    The resident keeps the receipt of it, which holds on any machine with nothing but the town's published keys.
    """
    page, person = either_browser, riverton.residents["maria.okafor" if runs_scripts else "ana.duarte"]
    page.goto(riverton.streets.url)
    page.get_by_role("link", name="Sign in").click()
    sign_in(page, person)
    asked = "Riverton Street Reports asks for some of your data"
    expect(page.get_by_role("heading", level=1)).to_have_text(asked)
    expect(page.get_by_role("main")).to_contain_text(person.district)
    if runs_scripts:
        look(page)
    email = page.get_by_label("Your e-mail address")
    expect(email).not_to_be_checked()
    email.check()
    email.uncheck()
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, your report has arrived")

    visit = riverton.streets.visits[-1]
    assert visit.userinfo == {"sub": visit.id_token["sub"], "district": person.district}
    assert set(visit.id_token) == PROTOCOL

    page.goto(f"{riverton.issuer}/privacy/services/{riverton.streets.client.client_id}")
    received = page.get_by_role("main").get_by_role("list").first
    expect(received).to_contain_text("The district you live in")
    expect(received).not_to_contain_text("e-mail")
    if runs_scripts:
        look(page)

    page.locator("a[href^='/privacy/receipts/']").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Receipt")
    expect(page.get_by_role("main")).to_contain_text("The district you live in")
    if runs_scripts:
        look(page)
    receipt, keys = kept(page, riverton, tmp_path)
    assert_holds_elsewhere(receipt, keys, tmp_path)
    if runs_scripts:
        assert_holds_in_a_browser_without_network(browser, receipt, keys, tmp_path)
        page.goto(f"{riverton.issuer}/receipts/verify")
        look(page)
        page.set_input_files("#receipt-file", receipt)
        page.get_by_role("button", name="Check the receipt").click()
        expect(page.get_by_role("status")).to_contain_text("This receipt can be believed.")
        look(page)


def kept(page: Page, riverton: Riverton, folder: Path) -> tuple[Path, Path]:
    """The receipt that the page offers, saved once the log has taken it in, and the keys that the town publishes."""

    def has_its_place() -> bool:
        load_again(page)
        return page.get_by_role("main").get_by_text("Entry ").is_visible()

    until(has_its_place, "the log has taken the event in")
    with page.expect_download() as saving:
        page.get_by_role("link", name="Save as a file").click()
    receipt, keys = folder / "receipt.json", folder / "keys.json"
    saving.value.save_as(receipt)
    keys.write_bytes(requests.get(f"{riverton.issuer}/receipts/jwks", timeout=10).content)
    return receipt, keys


def assert_holds_elsewhere(receipt: Path, keys: Path, folder: Path) -> None:
    """Another machine: no settings, no key file, no database; and one changed word is found there."""
    command = [DENIZEN, "receipt", "verify", receipt, "--jwks", keys]
    done = subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout
    assert "The event is in the log" in done.stdout
    changed = folder / "changed.json"
    changed.write_bytes(receipt.read_bytes().replace(b'"dct:type":"given"', b'"dct:type":"refused"'))
    command[3] = changed
    done = subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "dct:type" in done.stdout


def assert_holds_in_a_browser_without_network(
    browser: Browser, receipt: Path, keys: Path, folder: Path
) -> None:
    """The page that `denizen receipt page` writes, opened as a file."""
    subprocess.run([DENIZEN, "receipt", "page", folder / "page"], check=True, capture_output=True)
    context = browser.new_context(locale="en-GB", offline=True)
    page = context.new_page()
    page.goto((folder / "page" / "receipt-check.html").as_uri())
    page.set_input_files("#keys-file", keys)
    for file, outcome in (
        (receipt, "This receipt can be believed."),
        (folder / "changed.json", "This receipt can not be believed."),
    ):
        page.set_input_files("#receipt-file", file)
        page.get_by_role("button", name="Check the receipt").click()
        expect(page.get_by_role("status")).to_contain_text(outcome)
    expect(page.get_by_role("status")).to_contain_text("dct:type")
    context.close()


def test_the_service_receives_nothing_when_the_resident_refuses(
    riverton: Riverton, either_browser: Page, runs_scripts: bool
) -> None:
    """A no is an answer: the service is told so, and no more."""
    page, person = either_browser, riverton.residents["jiwon.kim" if runs_scripts else "noah.kim"]
    visits, refusals = len(riverton.streets.visits), len(riverton.streets.refusals)
    page.goto(riverton.streets.url)
    page.get_by_role("link", name="Sign in").click()
    sign_in(page, person)
    page.get_by_role("button", name="Do not allow").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in")
    assert riverton.streets.refusals[refusals:] == ["access_denied"]
    assert len(riverton.streets.visits) == visits
    page.goto(f"{riverton.issuer}/privacy")
    expect(page.get_by_role("main")).to_contain_text("You refused")
    expect(page.get_by_role("main")).to_contain_text("Nothing has been passed on yet.")
