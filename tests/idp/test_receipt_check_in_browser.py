"""The page that checks receipts, as a file in Chromium without a network: the same answers as the command gives."""

from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from consent.receipts.signed import NotReadable
from consent.receipts.verifying import read_keys, verify
from idp.receipt_page import write_page
from tests.support.chromium import axe_violations
from tests.support.receipts import keep_of_a_town
from tests.support.watching import DESK, PHONE, Watch, overflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def kept(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a receipt, the keys and the page."""
    kept = tmp_path_factory.mktemp("kept")
    write_page(kept, "en")
    return keep_of_a_town(sqlite_template, tmp_path_factory.mktemp("town"), kept)


@pytest.fixture(scope="module")
def checker(browser: Browser, kept: Path) -> Iterator[Page]:
    """The page, opened as a file in a browser that is offline, with the keys filled in."""
    context = browser.new_context(locale="en-GB", offline=True)
    context.set_default_timeout(15_000)
    page = context.new_page()
    watch = Watch(page)
    page.goto((kept / "receipt-check.html").as_uri())
    page.set_input_files("#keys-file", kept / "keys.json")
    yield page
    context.close()
    assert watch.complaints() == []


@pytest.fixture
def said(checker: Page, kept: Path) -> Callable[..., str]:
    """What the page says of a text; `keys` are the published ones unless told otherwise."""

    def check(content: str, keys: str = "") -> str:
        checker.fill("#keys", keys or (kept / "keys.json").read_text())
        checker.fill("#receipt", content)
        checker.evaluate("document.getElementById('receipt-result').replaceChildren()")
        checker.get_by_role("button", name="Check the receipt").click()
        expect(checker.get_by_role("status").locator("p").first).to_be_visible()
        return checker.get_by_role("status").inner_text()

    return check


def encoded(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(segment: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


GOOD = "This receipt can be believed."
BAD = "This receipt can not be believed."


@pytest.mark.parametrize("kind", ["json", "jwt"])
def test_a_receipt_holds_without_a_network(said: Callable[..., str], kept: Path, kind: str) -> None:
    """Signature, words and the places of all three entries in the log."""
    text = said((kept / f"receipt.{kind}").read_text())
    assert GOOD in text
    for part in ("Riverton Public Library", "The person agreed.", "The event is in the public log."):
        assert part in text
    assert "Wrong:" not in text
    assert "Not checked:" not in text


def test_the_page_is_readable_for_everybody(browser: Browser, kept: Path) -> None:
    """WCAG 2.2: as axe sees it, with a result shown, on a phone and on a desk."""
    context = browser.new_context(
        locale="en-GB", bypass_csp=True
    )  # axe reads the style sheet, which the page may not
    page = context.new_page()
    page.goto((kept / "receipt-check.html").as_uri())
    page.set_input_files("#keys-file", kept / "keys.json")
    page.set_input_files("#receipt-file", kept / "receipt.json")
    page.get_by_role("button", name="Check the receipt").click()
    expect(page.get_by_role("status")).to_contain_text(GOOD)
    for width in (PHONE, DESK):
        page.set_viewport_size({"width": width, "height": 800})
        assert [*axe_violations(page), *overflow(page)] == []
    context.close()


def test_a_changed_file_is_told_with_the_place(said: Callable[..., str], kept: Path) -> None:
    """Every member of the document but the evidence, one after the other."""
    found = json.loads((kept / "receipt.json").read_bytes())
    record = found["receipt"]["dpv:hasRecordOfActivity"]
    for name in record:
        changed = copy.deepcopy(found)
        changed["receipt"]["dpv:hasRecordOfActivity"][name] = "changed"
        text = said(json.dumps(changed))
        assert BAD in text, name
        assert name in text


def test_a_changed_signature_or_text_is_found(said: Callable[..., str], kept: Path) -> None:
    """The same verdict as the command's, for what was signed by nobody."""
    header, payload, signature = (kept / "receipt.jwt").read_text().strip().split(".")
    claims = decoded(payload)
    keys = read_keys((kept / "keys.json").read_bytes())
    event, notice, purpose = claims["evidence"]
    for changed in (
        {**claims, "jti": "00"},
        {**claims, "iss": "https://mallory.example"},
        {**claims, "iat": claims["iat"] + 1},
        {**claims, "evidence": [{**event, "opening": "00" * 32}, notice, purpose]},
        {**claims, "evidence": [{**event, "proof": notice["proof"]}, notice, purpose]},
        {**claims, "evidence": [event, {**notice, "record": {**notice["record"], "why": "x"}}, purpose]},
        {**claims, "evidence": [event, notice, {**purpose, "uid": "zz" * 16}]},
        {**claims, "evidence": []},
        {**claims, "evidence": None},
        {**claims, "schema": 2},
    ):
        content = f"{header}.{encoded(changed)}.{signature}"
        assert not verify(content.encode(), keys).is_good
        text = said(content)
        assert BAD in text
        assert "Right: The town signed it." not in text
    assert BAD in said(f"{header}.{payload}.{encoded(b'x' * 64)}")
    assert "The signature does not fit" in said(f"{header}.{payload}.{encoded(b'x' * 64)}")


def test_wrong_places_in_the_log_are_told_by_themselves(said: Callable[..., str], kept: Path) -> None:
    """Apart from the signature, which fails here as well: each entry has its own line."""
    header, payload, signature = (kept / "receipt.jwt").read_text().strip().split(".")
    claims = decoded(payload)
    event, notice, purpose = claims["evidence"]
    claims["evidence"] = [{**event, "proof": purpose["proof"]}, notice, purpose]
    text = said(f"{header}.{encoded(claims)}.{signature}")
    assert "Wrong: The event is not proven to be in the public log." in text
    assert "Right: The notice is in the public log." in text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"alg": "none"}, "It is not signed as receipts are."),
        ({"alg": "HS256"}, "It is not signed as receipts are."),
        ({"jwk": {}}, "It is not signed as receipts are."),
        ({"crit": ["b64"]}, "It is not signed as receipts are."),
        ({"typ": "JWT"}, "It is signed, but it is no receipt."),
        ({"kid": "another"}, "None of these keys signed it"),
    ],
)
def test_bad_headers_are_refused(
    said: Callable[..., str], kept: Path, change: dict[str, Any], problem: str
) -> None:
    """RFC 8725: the same refusals as the command's."""
    header, payload, signature = (kept / "receipt.jwt").read_text().strip().split(".")
    text = said(f"{encoded({**decoded(header), **change})}.{payload}.{signature}")
    assert problem in text
    assert GOOD not in text


@pytest.mark.parametrize(
    "content",
    ["", "hello", "a.b.c", "{}", "[1]", '{"jws": "x", "jws": "y", "receipt": {}}', "x" * 5000, "\u202ea.b.c"],
)
def test_what_is_no_receipt_is_told_in_a_sentence(said: Callable[..., str], content: str) -> None:
    """As the command says it."""
    with pytest.raises(NotReadable):
        verify(content.encode(), read_keys(b'{"keys": []}'))
    assert said(content).endswith(".")


def test_members_of_one_name_are_refused(said: Callable[..., str], kept: Path) -> None:
    """JSON.parse takes the last one; the page takes neither."""
    header, _, signature = (kept / "receipt.jwt").read_text().strip().split(".")
    twice = encoded(b'{"iss":"a","iss":"b"}')
    assert "names one thing twice" in said(f"{header}.{twice}.{signature}")


def test_keys_of_another_town_and_no_keys_are_no_yes(said: Callable[..., str], kept: Path) -> None:
    """Nobody's word is taken for it."""
    receipt = (kept / "receipt.jwt").read_text()
    keys = json.loads((kept / "keys.json").read_bytes())
    assert "The keys are those of another town." in said(
        receipt, json.dumps({**keys, "issuer": "https://x.example"})
    )
    assert "nobody knows who signed it" in said(receipt, " ")
    assert BAD in said(receipt, " ")
    other = {**keys, "log_vkeys": ["other.example/log+00000000+AAAA"]}
    assert "not proven to be in the public log" in said(receipt, json.dumps(other))
    assert "not what a town publishes" in said(receipt, "[]")


def test_without_javascript_the_page_says_what_to_do(browser: Browser, kept: Path) -> None:
    """A form that would do nothing is not shown."""
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto((kept / "receipt-check.html").as_uri())
    expect(page.get_by_role("main")).to_contain_text("denizen receipt verify", use_inner_text=True)
    expect(page.locator("form")).not_to_be_visible()
    context.close()
