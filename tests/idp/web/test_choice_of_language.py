"""Whoever chooses another language stays where they are: no page is lost that is shown once, and nothing that waits."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin

from idp.rights.rules import Action
from tests.idp.closing.test_not_me import link_to
from tests.idp.recovery.steps import ask, trust
from tests.idp.rights.asking import officer, only_request, send, signed_in
from tests.support.devices import allow, begin, screen
from tests.support.factors import RECOVERY_CODES, new_recovery_codes
from tests.support.town import hidden_fields

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.town import Town


def in_french(page: TestResponse) -> str:
    """Where the page's link to French leads; "" where there is none."""
    found = re.search(r'<a href="([^"]*)" lang="fr" hreflang="fr">', page.text)
    return urljoin(page.request.full_path, html.unescape(found[1])) if found else ""


def test_new_recovery_codes_are_not_left_by_a_click_on_a_language(town: Town) -> None:
    """They are shown this once."""
    browser = signed_in(town, town.maria)
    assert in_french(browser.get(RECOVERY_CODES))
    assert in_french(browser.submit(RECOVERY_CODES)) == ""
    assert in_french(browser.get(RECOVERY_CODES))


def test_what_can_be_read_once_offers_no_language(town: Town) -> None:
    """A frozen account, a mail under way: the same address says something else afterwards."""
    browser = town.browser()
    browser.get("/signup")
    sent = browser.submit("/signup", email="new@example.org")
    assert "Check your mail" in sent.text
    assert in_french(sent) == ""
    new_recovery_codes(signed_in(town, town.maria))
    link = link_to(town, town.maria.email)
    assert in_french(browser.get(link))
    frozen = browser.submit(link)
    assert "Your account is frozen" in frozen.text
    assert in_french(frozen) == ""


def test_an_error_that_answers_a_form_offers_no_language(town: Town) -> None:
    """Its address alone leads elsewhere, or nowhere."""
    browser = town.browser()
    refused = browser.post("/login", {"username": "maria"})
    assert refused.status_code == 403
    assert in_french(refused) == ""
    assert in_french(browser.get("/nothing-here"))


def test_pages_of_people_one_trusts_have_no_names_in_their_addresses(town: Town) -> None:
    """Nobody's name or id goes into an address, where histories and logs keep it."""
    trust(town, town.maria, town.jun)
    ask(town, "maria", "helper")
    jun = signed_in(town, town.jun)
    pages = [jun.get("/account/helpers")]
    (path,) = re.findall(r'href="(/account/helpers/help/[^"]+)"', pages[0].text)
    pages.append(jun.get(path))
    for page in pages:
        assert "Maria" in page.text
        assert unquote(in_french(page)).endswith("?lang=fr")


def test_an_answer_that_is_refused_leads_back_to_its_request(town: Town) -> None:
    """What the town asked can be read in another language."""
    browser = signed_in(town, town.maria)
    send(browser, "/correct", name="family_name", value="Lee")
    officer(town, Action.ASK, "Which document says so?")
    path = f"/privacy/rights/{only_request(town).id}"
    browser.get(path)
    refused = browser.submit(f"{path}/answer", said="")
    assert refused.status_code == 422
    assert "Which document says so?" in browser.follow(browser.get(in_french(refused))).text


def test_the_code_of_a_device_and_what_became_of_it_stay(town: Town) -> None:
    """RFC 8628 §3.3.1: the code comes in the address; so does the name of the end."""
    partner = screen(town)
    town.fresh()
    device, browser = begin(town, partner), signed_in(town, town.maria)
    page = browser.get(in_french(browser.get(device.address)))
    assert f'value="{device.user_code}"' in page.text
    browser.get("/?lang=en")
    allow(browser, device)
    assert browser.last is not None
    assert "You can go back to the device" in browser.last.text
    again = browser.get(in_french(browser.last))
    assert again.status_code == 200
    assert "Riverton Screens" in again.text


def test_a_sign_in_under_way_stays(town: Town) -> None:
    """On the page of other ways, where it was begun."""
    browser = town.browser()
    page = browser.follow(browser.get("/login/other?next=/privacy"))
    handle = hidden_fields(page.text, "/login/other")["attempt"]
    assert hidden_fields(browser.get(in_french(page)).text, "/login/other")["attempt"] == handle
