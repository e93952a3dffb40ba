"""K21 at the page that carries an answer: what a client or an attacker put into a request stays text.

Chromium looks at it in `tests/journeys/test_form_post.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from idp.clients.metadata import NewClient
from tests.support.front import TYPES, read, settle
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.support.front import Front
    from tests.support.town import Town

SCRIPTS = {
    "svg": '"><svg onload=alert(1)>',
    "script": "'><script>alert(1)</script>",
    "end of the form": '</form><form action="https://evil.test">',
    "template": "{{7*7}}{% raw %}${7*7}#{7*7}",
    "address": "javascript:alert(1)",
    "entities": "&quot;&#34;&lt;&amp;amp;",
    "field": '" name="code" value="stolen',
    "other direction": "\u202eabc\u2066",
}


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("response_type", TYPES)
def test_a_state_stays_text(front: Front, response_type: str, text: str) -> None:
    """CVE-2023-6134, CVE-2018-14655, Hydra GO-2026-4861: in success and in error it comes back, and nothing more."""
    for change in ({}, {"prompt": "none login"}, {"scope": f"{text} fish"}):
        answer = front.ask(
            "old", response_type=response_type, response_mode="form_post", state=text, **change
        )
        told = read(answer)
        assert told.values["state"] == text
        assert told.address == "https://old.example/cb"
        assert answer.text.count("<form") == 1
        assert answer.text.count("<script") == 1
        assert "<svg onload" not in answer.text
        assert 'evil.test">' not in answer.text


def test_names_and_addresses_of_a_client_stay_text(town: Town) -> None:
    """A registered address keeps its query, quotes and all; a name is no markup."""
    uri = "https://odd.example/cb?a=%22%3E&b='&c=&quot;"
    name = '<script>alert("town")</script>'
    new = NewClient(name, (uri,), client_id="odd")
    partner = town.add_client(new, basis="public_task")
    town.fresh()
    browser = town.browser()
    settle(town, browser, partner, "openid")
    answer = browser.authorize(partner, "openid", Proof(), response_mode="form_post")
    assert read(answer).address == uri
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text
