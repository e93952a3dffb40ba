"""K22: the messages of a recovery. Their links lead to the issuer and nowhere else, work once, and die in time."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from idp.accounts.models import NotMeLink
from idp.db import Base
from idp.messaging.models import Message
from idp.recovery.answering import answer_asked
from idp.recovery.codes import TRIES
from idp.recovery.models import Case, Token
from tests.idp.contacts.test_contacts import act, add, signed_in
from tests.idp.messaging.outbox import deliver, town_with
from tests.idp.recovery.steps import (
    FRESH,
    ask,
    case_page,
    choose_password,
    give_app,
    path_of,
    signs_in,
    type_code,
)
from tests.support.nodes import NODES, THREADS, Request, two_nodes
from tests.support.statements import noted
from tests.support.told import told
from tests.support.town import ISSUER, hidden_fields

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from werkzeug.test import TestResponse

    from tests.support.founding import Founding
    from tests.support.smtp import Mailbox
    from tests.support.town import Browser, Town

FORGED = {
    "Host": {"Host": "evil.example"},
    "X-Forwarded-Host": {"X-Forwarded-Host": "evil.example"},
    "Forwarded": {"Forwarded": "for=1.2.3.4;host=evil.example;proto=http"},
    "X-Original-URL": {"X-Original-URL": "https://evil.example/recover", "X-Forwarded-Proto": "http"},
}


def cookies_of(browser: Browser) -> str:
    return "; ".join(f"{one.key}={one.value}" for one in browser.http._cookies.values())


@pytest.mark.parametrize("header", FORGED)
def test_links_lead_to_the_issuer_whatever_the_request_says(town: Town, header: str) -> None:
    """Host, its relatives and an absolute-form request make it into no message, in the job as in the request."""
    base = "https://evil.example" if header == "Host" else ISSUER
    client = town.app.test_client()
    page = client.get("/recover", headers=FORGED[header], base_url=base)
    form = {**hidden_fields(page.text, "/recover"), "name": "maria", "wish": "message"}
    assert client.post("/recover", data=form, headers=FORGED[header], base_url=base).status_code == 303
    answer_asked(town.context, now=int(town.clock()))
    (sent,) = told(town, "recover")
    assert "evil" not in str(sent.values)
    assert sent.link.startswith("/recover/link/")


def test_a_doubled_host_makes_it_into_no_link(town: Town) -> None:
    """Two Host headers arrive as one with a comma: whatever is answered, no message carries it."""
    client = town.app.test_client()
    page = client.get("/recover", base_url=ISSUER)
    form = {**hidden_fields(page.text, "/recover"), "name": "maria", "wish": "message"}
    client.post("/recover", data=form, base_url=ISSUER, headers={"Host": "id.riverton.example,evil.example"})
    answer_asked(town.context, now=int(town.clock()))
    assert all("evil" not in str(one.values) for one in told(town))


def test_a_link_works_once(town: Town) -> None:
    """By click; then neither it nor the digits beside it work again."""
    browser = ask(town, "maria")
    sent = told(town, "recover")[0]
    other = town.browser()
    other.get(sent.link)
    other.submit(sent.link)
    page = path_of(other)
    for again in (other, town.browser()):
        assert again.get(sent.link).status_code == 410
    assert type_code(town, browser, sent.values["code"]) == f"{case_page(browser)}/code"
    other.get(page)
    assert choose_password(other) == "/recover/done"
    assert other.get(page).status_code == 410


def test_of_ten_parallel_clicks_on_two_nodes_one_goes_on(town: Town) -> None:
    """One conditional write, on both engines, in two processes."""
    ask(town, "maria")
    link = told(town, "recover")[0].link
    browser = town.browser()
    browser.get(link)
    form = hidden_fields(browser.last.text, link)
    with two_nodes(town) as nodes:
        replies = nodes.all_at_once(Request(link, form, {"Cookie": cookies_of(browser)}), int(town.clock()))
    assert sorted(reply.status for reply in replies) == [303] + [410] * (NODES * THREADS - 1)


def test_of_ten_parallel_new_passwords_on_two_nodes_one_is_kept(town: Town) -> None:
    """The last step as well: one case ends once, and the owner is told once."""
    browser = ask(town, "maria")
    page = type_code(town, browser)
    form = {**hidden_fields(browser.last.text, page), "password": FRESH}
    with two_nodes(town) as nodes:
        replies = nodes.all_at_once(Request(page, form, {"Cookie": cookies_of(browser)}), int(town.clock()))
    statuses = [reply.status for reply in replies]
    assert statuses.count(303) == 1
    assert set(statuses) <= {
        303,
        410,
        503,
    }  # 503: so many passwords are hashed one after the other, on a slow machine
    assert len(told(town, "account_recovered")) == 1
    assert signs_in(town, town.maria, FRESH)


def test_parallel_guesses_of_the_digits_share_five_tries(town: Town) -> None:
    """K26 on this path: ten wrong guesses at once, and then the right one comes too late."""
    browser = ask(town, "maria")
    page = f"{case_page(browser)}/code"
    right = told(town, "recover")[0].values["code"]
    form = hidden_fields(browser.last.text, page)
    wrong = "00000000" if right != "00000000" else "11111111"
    headers = {"Cookie": cookies_of(browser)}
    with two_nodes(town) as nodes:
        replies = nodes.all_at_once(Request(page, {**form, "code": wrong}, headers), int(town.clock()))
    assert {reply.status for reply in replies} == {422}
    assert [row.tries for row in town.rows(Token)] == [TRIES]
    assert type_code(town, browser).endswith("/code")
    assert [row.mail_at for row in town.rows(Case)] == [None]


def test_a_newer_message_makes_the_older_one_worthless(town: Town) -> None:
    """Link and digits alike, in whatever browser they were asked for."""
    first = ask(town, "maria")
    old = told(town, "recover")[0]
    town.clock.advance(1)
    ask(town, "maria")
    assert town.browser().get(old.link).status_code == 410
    assert not type_code(town, first, old.values["code"]).endswith("/password")
    assert town.browser().get(told(town, "recover")[-1].link).status_code == 200


@pytest.mark.parametrize("is_away", [False, True])
def test_a_message_that_is_withheld_makes_no_older_one_worthless(
    database_url: str, founding: Founding, tmp_path: Path, smtp: Mailbox, is_away: bool
) -> None:
    """A stranger asks until Maria's address has had enough: the last link that reached her works on.

    The same when the mail server was away meanwhile, and all of them leave at once.
    """
    mail = {"host": smtp.host, "port": smtp.port, "security": "none"}
    with town_with(database_url, tmp_path, founding=founding, mail=mail) as town:
        third = ""
        for asked, name in enumerate(("maria", "maria", "maria", town.maria.email, town.maria.email)):
            ask(town, name)
            if asked == 2:
                third = told(town, "recover")[-1].link
            if not is_away:
                deliver(town, "mail")
            town.clock.advance(1)
        deliver(town, "mail")
        assert town.browser().get(third).status_code == 200
        assert [row.state for row in town.rows(Message)] == ["sent"] * 3


def test_a_link_ends_after_an_hour(town: Town) -> None:
    """Not a second more."""
    ask(town, "maria")
    link = told(town, "recover")[0].link
    town.clock.advance(3599)
    assert town.browser().get(link).status_code == 200
    town.clock.advance(1)
    assert town.browser().get(link).status_code == 410


def test_a_clock_that_is_set_back_revives_no_link(town: Town) -> None:
    """K40: what was used or replaced stays so."""
    ask(town, "maria")
    link = told(town, "recover")[0].link
    browser = town.browser()
    browser.get(link)
    browser.submit(link)
    town.clock.advance(-3600)
    assert town.browser().get(link).status_code == 410


def test_a_link_dies_with_the_address_it_was_sent_to(town: Town) -> None:
    """The mailbox was given up: whoever reads it now gets nothing."""
    browser = signed_in(town)
    other = add(town, browser)
    ask(town, "maria@home.example")
    link = told(town, "recover")[0].link
    act(browser, other, "remove")
    assert town.browser().get(link).status_code == 410
    assert town.browser().get(link).text == town.browser().get(f"/recover/link/{'A' * 43}").text


@pytest.mark.parametrize("change", ["add", "main"])
def test_a_link_dies_with_any_change_that_could_have_caused_it(town: Town, change: str) -> None:
    """Dead after the addresses changed, whichever of them did."""
    browser = signed_in(town)
    other = add(town, browser)
    ask(town, "maria")
    link = told(town, "recover")[0].link
    if change == "add":
        add(town, browser, "third@home.example")
    else:
        act(browser, other, "main")
    assert town.browser().get(link).status_code == 410


def test_a_link_of_one_resident_opens_no_other(town: Town) -> None:
    """R2's digits in R1's recovery, and R2's link in R1's browser: each leads to its own account alone."""
    maria, jun = ask(town, "maria"), ask(town, "jun")
    jun_sent = next(one for one in told(town, "recover") if one.to == town.jun.email)
    assert not type_code(town, maria, jun_sent.values["code"]).endswith("/password")
    maria.get(jun_sent.link)
    maria.submit(jun_sent.link)
    assert path_of(maria).endswith("/password")
    assert choose_password(maria) == "/recover/done"
    assert signs_in(town, town.jun, FRESH)
    assert signs_in(town, town.maria, town.maria.password)
    assert type_code(town, jun, jun_sent.values["code"]) == f"{case_page(jun)}/code"


def test_a_recovery_belongs_to_one_browser(town: Town) -> None:
    """K09's kind: the handle of one browser is worth nothing in another, before and after the proof."""
    browser = ask(town, "maria")
    page = case_page(browser)
    thief = town.browser()
    assert thief.get(page).status_code == 410
    type_code(town, browser)
    for path in ("", "/password", "/second"):
        assert thief.get(f"{page}{path}").status_code == 410


def test_going_straight_to_the_new_password_leads_back(town: Town) -> None:
    """K27: with nothing proved, neither the page nor its form does anything (CVE-2026-18963)."""
    browser = ask(town, "maria")
    page = case_page(browser)
    form = hidden_fields(browser.last.text, f"{page}/code")
    assert browser.get(f"{page}/password").headers["Location"] == page
    assert browser.post(f"{page}/password", {**form, "password": FRESH}).headers["Location"] == page
    assert browser.post(f"{page}/second", form).headers["Location"] == page
    assert signs_in(town, town.maria, town.maria.password)


def test_nothing_that_was_sent_stands_in_the_database(town: Town) -> None:
    """Links and codes are hashed at rest; the short ones under a key that is not there either."""
    browser = ask(town, "maria")
    sent = told(town, "recover")[0]
    secret, digits = sent.link.rpartition("/")[2], sent.values["code"]
    handle = case_page(browser).rpartition("/")[2]
    dump = []
    with town.context.database.reading() as session:
        for table in Base.metadata.sorted_tables:
            dump += [value for row in session.execute(select(table)) for value in row]
    text = [value for value in dump if isinstance(value, str)]
    raw = [value for value in dump if isinstance(value, bytes)]
    for one in (secret, digits, handle):
        assert all(one not in value for value in text)
        assert all(one.encode() not in value for value in raw)
    assert hashlib.sha256(digits.encode()).digest() not in raw
    assert hashlib.sha256(secret.encode()).digest() in raw


def test_pages_of_a_recovery_load_nothing_foreign_and_say_no_referrer(town: Town) -> None:
    """A link stands in the address: no third party may learn it."""
    browser = ask(town, "maria")
    answers = [browser.last, browser.get(told(town, "recover")[0].link)]
    for answer in answers:
        assert answer.headers["Referrer-Policy"] in ("no-referrer", "same-origin")
        assert answer.headers["Cache-Control"] == "no-store"
        foreign = re.findall(r'(?:src|href)="(https?://[^"]+)"', answer.text)
        assert all(url.startswith(ISSUER) for url in foreign)


def test_no_log_line_holds_a_link_or_a_handle(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    """They stand in addresses, and a refused form is logged with its address."""
    caplog.set_level("DEBUG")
    browser = ask(town, "maria")
    link, page = told(town, "recover")[0].link, case_page(browser)
    for path in (link, f"{page}/code", f"{page}/password", f"/not-me/{'A' * 43}"):
        assert browser.post(path, {"csrf_token": "forged"}).status_code == 403
    assert "path=/recover/link/…" in caplog.text
    for secret in (link.rpartition("/")[2], page.rpartition("/")[2]):
        assert secret not in caplog.text


def test_the_owner_is_told_on_every_channel(town: Town) -> None:
    """Notice sent, with the link that says "this wasn't me", of which only a hash is kept."""
    add(town, signed_in(town))
    browser = ask(town, "maria")
    type_code(town, browser)
    choose_password(browser)
    notices = told(town, "account_recovered")
    assert {one.to for one in notices} == {town.maria.email, "maria@home.example"}
    link = notices[0].path("not_me_url").rpartition("/")[2]
    assert hashlib.sha256(link.encode()).digest() in {row.link_hash for row in town.rows(NotMeLink)}


# --- K23 on this path: whoever is named, the answer is the same ---

NAMES = [
    "maria@example.org",
    "jun",
    "absent@example.org",
    "absentee",
    "+33612345678",
    "@@",
    "ÿ" * 40,
    "x" * 5000,
]


def seen(answer: TestResponse, name: str) -> tuple[Any, ...]:
    text = re.sub(r'(name="csrf_token" value=")[0-9a-f]{64}', r"\1…", answer.text.replace(name, "…"))
    text = re.sub(r"/recover/case/[\w-]{43}", "/recover/case/…", text)
    text = re.sub(r'<strong dir="ltr">[0-9A-Z-]+</strong>', "<strong>…</strong>", text)
    headers = [(k, v) for k, v in answer.headers if k not in ("Set-Cookie", "Location", "Content-Length")]
    return (
        answer.status_code,
        headers,
        [c.partition("=")[0] for c in answer.headers.getlist("Set-Cookie")],
        text,
    )


@pytest.mark.parametrize("wish", ["message", "letter", "helper"])
def test_asking_looks_alike_and_does_the_same_work_whoever_is_named(town: Town, wish: str) -> None:
    """K23: statements counted instead of time; whose account it is, a job finds out."""
    answers, works = [], []
    for name in NAMES:
        browser = town.browser()
        browser.http.environ_base["REMOTE_ADDR"] = "192.0.2.9"
        browser.get("/recover")
        with noted(town.context.database) as statements:
            asked = browser.submit("/recover", name=name, wish=wish)
            shown = browser.follow(asked)
        answers.append((seen(asked, name)[:3], seen(shown, name)))
        works.append(statements)
    assert answers[0][0][0] == 303
    assert all(one == answers[0] for one in answers)
    assert all(one == works[0] for one in works)


def test_after_the_job_the_page_is_still_the_same_whoever_was_named(town: Town) -> None:
    """The wrong digits, too: nothing on the page ever says whether a message went out."""
    pages = []
    for name in ("maria", "nobody", "absent@example.org"):
        browser = ask(town, name)
        shown = seen(browser.last, name)
        type_code(town, browser, "12345678")
        pages.append((shown, seen(browser.last, name)[:3]))
    assert pages[0] == pages[1] == pages[2]


def test_only_the_mailbox_learns_that_there_is_no_account(town: Town) -> None:
    """Nothing is sent to phones or by post for a name that is nobody's."""
    for wish in ("message", "letter", "helper"):
        for name in ("absent@example.org", "nobody", "+33612345678"):
            ask(town, name, wish)
    assert [(one.name, one.to) for one in told(town)] == [("recover_unknown", "absent@example.org")]


def test_further_proofs_are_counted_for_the_resident(town: Town) -> None:
    """Whoever reads the mailbox begins again and again, and floods the resident with letters no more than once."""
    give_app(town, town.maria)
    more = town.settings.messages.model_copy(update={"codes_per_ten_minutes": 100})
    object.__setattr__(town.context, "settings", town.settings.model_copy(update={"messages": more}))
    codes = []
    for name in ("maria", "maria@example.org", "maria", "maria@example.org"):
        browser = ask(town, name)
        assert type_code(town, browser).endswith("/second")
        page = f"{case_page(browser)}/other"
        browser.get(page)
        codes.append(browser.submit(page, wish="letter").status_code)
    assert codes == [303, 303, 303, 429]
