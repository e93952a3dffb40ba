"""`denizen demo` as a whole: what it says, what it keeps, how it ends, and a walk through the town."""

from __future__ import annotations

import signal
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import requests
from playwright.sync_api import expect

from admin.sandbox.processes import ChildEnded, start_children, stop_children, wait_until_ready
from tests.admin.sandbox.running import SECONDS, Demo, arguments, free_ports, start_demo, wait_until_free
from tests.journeys.people import load_again
from tests.support.chromium import axe_violations
from tests.support.loopback import free_port
from tests.support.riverton import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for the tests that leave it as it is, or change what no other looks at."""
    with start_demo(tmp_path_factory.mktemp("demo") / "riverton", free_ports()) as running:
        yield running


def test_it_says_in_one_object_all_that_a_script_needs(demo: Demo) -> None:
    """Issue 2, item 1: `--json` names issuer, addresses, residents, staff and clients."""
    said, ports = demo.said, demo.ports
    assert said["issuer"] == ports.issuer
    assert (said["staff_url"], said["mailbox_url"]) == (ports.staff_url, ports.mailbox_url)
    assert {"name": "Riverton Public Library", "url": ports.library_url}.items() <= said["partners"][
        0
    ].items()
    assert {"name": "Riverton Tax Portal", "url": ports.tax_url}.items() <= said["partners"][1].items()
    assert len(said["residents"]) >= 10
    assert all({"username", "password", "name"} <= one.keys() for one in said["residents"])
    assert {one["role"] for one in said["staff"]} == {"officer", "clerk", "operator"}
    assert all({"username", "password", "totp_secret"} <= one.keys() for one in said["staff"])


def test_its_clients_are_of_every_kind(demo: Demo) -> None:
    """Issue 2, item 1: two confidential clients of different partners, a public one, and a service."""
    clients = demo.said["clients"]
    wanted = {"openid", "profile", "email", "offline_access"}
    confidential = [one for one in clients if one["client_secret"] and wanted <= set(one["scopes"])]
    assert len({one["partner"] for one in confidential}) >= 2
    for one in confidential:
        assert one["token_endpoint_auth_method"] == "client_secret_basic"
        assert set(one["grant_types"]) == {"authorization_code", "refresh_token"}
        assert one["redirect_uris"]
        assert one["post_logout_redirect_uris"]
    public = [one for one in clients if one["client_secret"] is None]
    assert {one["token_endpoint_auth_method"] for one in public} == {"none"}
    app, device = sorted(public, key=lambda one: not one["redirect_uris"])
    assert app["redirect_uris"][0].startswith("http://127.0.0.1")
    assert "urn:ietf:params:oauth:grant-type:device_code" in device["grant_types"]
    assert any(one["grant_types"] == ["client_credentials"] and one["protects_scopes"] for one in clients)


def test_every_address_answers(demo: Demo) -> None:
    """It speaks only once everything does."""
    said = demo.said
    discovery = requests.get(f"{said['issuer']}/.well-known/openid-configuration", timeout=10).json()
    assert discovery["issuer"] == said["issuer"]
    for url in (said["staff_url"], said["mailbox_url"], *(one["url"] for one in said["partners"])):
        assert requests.get(url, timeout=10).status_code == 200, url


def test_the_service_client_gets_a_token_and_may_look_at_it(demo: Demo) -> None:
    """The client that acts for itself is the resource server of its scope, too."""
    client = next(one for one in demo.said["clients"] if one["grant_types"] == ["client_credentials"])
    who = (client["client_id"], client["client_secret"])
    issuer = demo.said["issuer"]
    form = {"grant_type": "client_credentials", "scope": client["protects_scopes"][0]}
    token = requests.post(f"{issuer}/token", data=form, auth=who, timeout=10).json()["access_token"]
    answer = requests.post(f"{issuer}/introspect", data={"token": token}, auth=who, timeout=10).json()
    assert answer["active"] is True


def test_a_taken_port_is_named_with_the_way_out_before_anything_starts(demo: Demo, tmp_path: Path) -> None:
    """design/experience.md: a taken port is reported with the option that moves it."""
    ended = subprocess.run(
        arguments(tmp_path / "second", demo.ports),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 1
    assert not ended.stdout
    for option, port in demo.ports.named():
        assert f"Port {port} is taken" in ended.stderr
        assert option in ended.stderr
    assert not (tmp_path / "second").exists()


def test_a_resident_signs_in_once_and_withdraws(demo: Demo, page: Page) -> None:
    """Journeys 1 and 3: library, then tax portal without a password; after withdrawing the library sees nothing."""
    library, tax = demo.ports.library_url, demo.ports.tax_url
    maria = demo.resident("maria.okafor")
    page.goto(library)
    page.click("#sign-in")
    page.fill("[name=username]", maria["username"])
    page.fill("[name=password]", maria["password"])
    page.click("#login-submit")
    page.click("#consent-deny")
    assert "chose not to share" in page.inner_text("#problem")
    page.click("#sign-in")
    page.check("[name=share]")
    page.click("#consent-allow")
    known = page.inner_text("#account")
    assert "Maria Okafor" in known
    assert "maria.okafor@riverton.example" in known

    page.goto(tax)
    page.click("#sign-in")
    page.click("#consent-allow")
    known = page.inner_text("#account")
    assert "Maria Okafor" in known
    assert "+1202555" not in known, "nothing optional was ticked"

    page.goto(f"{demo.said['issuer']}/privacy")
    listed = page.inner_text("main")
    assert "Riverton Public Library" in listed
    assert "Riverton Tax Portal" in listed
    page.goto(f"{demo.said['issuer']}/privacy/services/riverton-library")
    with page.expect_navigation():
        page.click("button#withdraw")
    page.goto(library)

    def is_told() -> bool:
        load_again(page)
        return page.locator("#access-ended").is_visible()

    until(is_told, "the library is told")
    expect(page.locator("#access-ended")).to_contain_text("no longer lets us see your data")
    page.goto(tax)
    with page.expect_navigation():
        page.click("#refresh")
    assert "Maria Okafor" in page.inner_text("#account")
    page.click("#sign-out")
    assert "signed out" in page.inner_text("#signed-out")
    page.goto(f"{demo.said['issuer']}/account")
    expect(page.locator("#login-submit")).to_be_visible()  # the town has signed her out, too


def test_a_new_resident_finds_the_mail_in_the_mailbox(demo: Demo, page: Page) -> None:
    """Journey 1: the mail comes by a real SMTP conversation, and its link works."""
    page.goto(f"{demo.said['issuer']}/signup")
    page.fill("[name=email]", "newcomer@riverton.example")
    page.press("[name=email]", "Enter")
    until(lambda: bool(_messages(demo, to="newcomer@riverton.example")), "the mail comes")
    found = _messages(demo, to="newcomer@riverton.example")
    page.goto(demo.said["mailbox_url"])
    page.click(f"#m-{found[0]['id']} .subject")
    page.click(".text a")
    (link,) = found[0]["links"]
    assert link.startswith(f"{demo.said['issuer']}/signup/confirm")
    expect(page).to_have_url(link)


def _messages(demo: Demo, to: str) -> list[dict[str, Any]]:
    """What the mailbox holds for somebody."""
    kept = requests.get(f"{demo.said['mailbox_url']}/messages.json", timeout=10).json()
    return [one for one in kept if one["to"] == to]


def test_the_codes_page_shows_what_the_officers_phone_shows(demo: Demo, page: Page) -> None:
    """Without a phone, too, the staff pages can be tried."""
    officer = next(one for one in demo.said["staff"] if one["role"] == "officer")
    page.goto(f"{demo.said['mailbox_url']}/codes")
    code = page.inner_text("#code-officer")
    page.goto(demo.said["staff_url"])
    page.fill("[name=username]", officer["username"])
    page.fill("[name=password]", officer["password"])
    page.fill("[name=code]", code)
    page.click("#login-submit")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_sample_pages_are_accessible_and_fit(demo: Demo, page: Page, width: int) -> None:
    """WCAG 2.2 AA by axe, and nothing wider than a phone."""
    page.set_viewport_size({"width": width, "height": 800})
    mailbox = demo.said["mailbox_url"]
    for url in (
        demo.ports.library_url,
        f"{demo.ports.library_url}/callback?error=access_denied&state=x",
        demo.ports.tax_url,
        f"{demo.ports.tax_url}/signed-out",
        mailbox,
        f"{mailbox}/codes",
    ):
        page.goto(url)
        assert not axe_violations(page), url
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), url


def test_a_second_start_keeps_what_was_made_and_fresh_begins_anew(tmp_path: Path) -> None:
    """Issue 2, item 1: accounts, passwords and secrets stay, Ctrl-C ends everything, `--fresh` forgets."""
    folder, ports = tmp_path / "riverton", free_ports()
    with start_demo(folder, ports) as first:
        assert first.end(signal.SIGINT) == 0
        assert not first.rest(), "one object, and nothing else"
    wait_until_free(ports)
    assert stat.S_IMODE((folder / "riverton.json").stat().st_mode) == 0o600
    with start_demo(folder, ports) as second:
        assert second.said == first.said
        assert second.end(signal.SIGTERM) == 0
    wait_until_free(ports)
    (folder / "notes.txt").write_text("mine")
    with start_demo(folder, ports, "--fresh") as third:
        assert third.said["residents"] != first.said["residents"]
        assert third.said["clients"] != first.said["clients"]
        assert third.end() == 0
    assert (folder / "notes.txt").read_text() == "mine"


def test_nothing_survives_a_demo_that_is_killed(tmp_path: Path) -> None:
    """Its processes notice that it is gone, so no port stays taken."""
    with start_demo(tmp_path / "riverton", free_ports()) as running:
        assert running.end(signal.SIGKILL) == -signal.SIGKILL
        wait_until_free(running.ports)


def test_settings_meant_for_another_town_do_not_reach_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A DENIZEN_ variable of the caller must not make the demo work on a real database."""
    monkeypatch.setenv("DENIZEN_DATABASE__URL", "postgresql://nobody@192.0.2.1/real")
    with start_demo(tmp_path / "riverton", free_ports()) as running:
        assert running.said["issuer"] == running.ports.issuer


def test_an_app_that_ends_by_itself_is_told(tmp_path: Path) -> None:
    """Instead of a demo that half works, its name and the exit code."""
    children = start_children(tmp_path / "absent.toml", residents=free_port(), staff=free_port())
    try:
        for child in children:
            child.begin()
        with pytest.raises(ChildEnded, match=r"The app for \w+ has ended \(exit code 2\)"):
            wait_until_ready(children)
    finally:
        stop_children(children)
    assert all(child.process.poll() is not None for child in children)
