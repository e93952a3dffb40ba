"""What one person agreed to, the page they saw, and the proof that none of it changed."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from consent import log, lookups, records
from consent.audit import standing
from consent.log import proofs
from idp.upkeep import integrate_log, note_signers
from tests.admin.office import REASON
from tests.support.town import Proof, hidden_fields

if TYPE_CHECKING:
    from tests.admin.office import Office

TAG = re.compile(r"<[^>]+>")


def words(page: str) -> list[str]:
    """The texts of a page, without its tags."""
    return [html.unescape(part).strip() for part in TAG.split(page) if part.strip()]


def integrate(office: Office) -> None:
    integrate_log(office.town.context, now=int(office.town.clock()))


def newest_entry(page: str) -> str:
    """The address of the page that the newest choice was made on."""
    return html.unescape(re.findall(r'href="(/officer/people/[^"]*/page\?entry=\d+)"', page)[0])


def test_the_timeline_holds_everything_in_one_order(office: Office) -> None:
    """Choices, releases, look-ups and acts of one person, newest first; for one service if wanted."""
    town = office.town
    town.tokens(town.library, town.maria)
    town.clock.advance(3600)
    town.tokens(town.tax, town.maria)
    desk = office.signed_in("officer")
    place = desk.open("maria") + "/timeline"
    page = desk.get(place).text
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)[1:]
    assert "Looked up by: The privacy officer" in rows[0]
    assert REASON in rows[0]
    assert [service in page for service in ("Riverton Public Library", "Tax portal")] == [True, True]
    assert "Passed on: At sign-in" in page
    assert "Agreed" in page
    only = desk.get(f"{place}?client=tax").text
    assert "Was informed" in only
    body = only[only.index("<table") :]
    assert "Riverton Public Library" not in body
    assert "Looked up by" in body, "a look-up concerns the whole person"
    assert "Okafor" not in page


def test_every_line_of_a_timeline_is_on_exactly_one_page(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four lists go on together, each from where it stopped."""
    from admin.audit import evidence_views

    town = office.town
    for _ in range(3):
        town.tokens(town.library, town.maria)
        town.clock.advance(60)
    monkeypatch.setattr(evidence_views, "PAGE", 2)
    desk = office.signed_in("officer")
    place, seen = desk.open("maria") + "/timeline", []
    with town.context.database.reading() as session:
        tables = ("consent_record", "consent_release", "consent_lookup", "consent_act")
        counts = [
            session.execute(
                text(f"SELECT count(*) FROM {table} WHERE resident_id = :who"),
                {"who": town.maria.resident_id},
            ).scalar_one()
            for table in tables
        ]
    while place:
        page = desk.get(place).text
        seen += re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)[1:]
        onward = re.findall(r'href="([^"]*)"[^>]*>Show older entries', page)
        place = html.unescape(onward[0]) if onward else ""
    assert len(seen) == sum(counts)


def test_as_of_a_day_shows_what_stood_then(office: Office) -> None:
    """What was agreed to later, or taken back later, does not show."""
    town = office.town
    town.tokens(town.library, town.maria)
    resident = town.browser()
    town.clock.advance(2 * 86_400)
    resident.sign_in(town.maria)
    resident.get("/privacy/services/library")
    resident.submit("/privacy/services/library/withdraw")
    desk = office.signed_in("officer")
    place = desk.open("maria") + "/as-of"
    before, first, second, last = (
        desk.get(f"{place}?on=2027-01-{day}").text for day in ("14", "15", "16", "17")
    )
    assert "Nothing was on record by then." in before
    assert "In force" in first
    assert "In force" in second
    assert "Withdrew" in last
    assert "In force" not in last
    assert desk.get(f"{place}?on=soon").status_code == 422


def test_the_page_somebody_saw_is_rebuilt_from_the_stored_notice(office: Office) -> None:
    """Every word of the notice as it was shown, its hash computed anew and equal, and what was ticked."""
    town = office.town
    browser = town.browser()
    page = browser.follow(browser.authorize(town.library, "openid profile email", Proof()))
    shown = browser.follow(browser.sign_in(town.maria)).text
    assert page.status_code == 200
    browser.allow(share=["email"])
    desk = office.signed_in("officer")
    place = desk.open("maria")
    rebuilt = desk.get(newest_entry(desk.get(place + "/timeline").text)).text
    seen = rebuilt[rebuilt.index("<article") : rebuilt.index("</article>")]
    with town.context.database.reading() as session:
        (entry, *_) = records.history(session, town.maria.resident_id)
    assert rebuilt.count(entry.notice_hash.hex()) == 2
    assert "The hash matches" in rebuilt
    section = shown[shown.index("<section") : shown.rindex("</section>")]
    personal = {"Maria Okafor", "maria@example.org"}
    on_both = [word for word in words(section) if word not in personal]
    assert len(on_both) > 8
    for word in on_both:
        assert word in words(seen), word
    assert re.search(r'type="checkbox"[^>]* disabled checked', seen)
    for value in personal:
        assert value not in rebuilt


def test_services_that_relied_on_a_choice_are_listed(office: Office) -> None:
    """How often something was passed on under it, until another choice took its place."""
    town = office.town
    town.tokens(town.library, town.maria)
    desk = office.signed_in("officer")
    place = desk.open("maria")
    page = desk.get(newest_entry(desk.get(place + "/timeline").text)).text
    relied = page[page.index("Services that relied on it") :]
    assert "Riverton Public Library" in relied
    assert "Tax portal" not in relied


def test_a_notice_that_was_changed_is_not_shown_as_what_was_seen(office: Office) -> None:
    """The words in the database no longer make the hash in the record: it says so, and rebuilds nothing."""
    town = office.town
    town.tokens(town.library, town.maria)
    desk = office.signed_in("officer")
    place = newest_entry(desk.get(desk.open("maria") + "/timeline").text)
    if town.context.database.is_sqlite:
        office.run("DROP TRIGGER consent_notice_no_update")
    else:
        office.run("ALTER TABLE consent_notice DISABLE TRIGGER USER")
    office.run("UPDATE consent_notice SET why = 'Because we like to know.'")
    page = desk.get(place).text
    assert "The hash does not match" in page
    assert "<article" not in page
    assert "Because we like to know" not in page


def test_a_page_is_rebuilt_in_the_language_it_was_read_in(office: Office) -> None:
    """The officer reads English, the resident read French."""
    town = office.town
    browser = town.browser()
    browser.follow(browser.authorize(town.library, "openid profile email", Proof(), ui_locales="fr"))
    browser.follow(browser.sign_in(town.maria))
    browser.allow(share=[])
    desk = office.signed_in("officer")
    page = desk.get(newest_entry(desk.get(desk.open("maria") + "/timeline").text)).text
    assert '<article class="dz-flow" lang="fr" dir="ltr">' in page
    assert "C’est vous qui décidez" in page
    assert '<html lang="en"' in page
    assert "The hash matches" in page


def test_another_persons_record_is_not_in_this_file(office: Office) -> None:
    """K34: a number of somebody else's record looks like one that never was."""
    town = office.town
    town.tokens(town.library, town.maria)
    town.tokens(town.library, town.jun)
    desk = office.signed_in("officer")
    mine, theirs = (newest_entry(desk.get(desk.open(who) + "/timeline").text) for who in ("maria", "jun"))
    foreign = mine.partition("?")[0] + "?" + theirs.partition("?")[2]
    assert [desk.get(place).status_code for place in (mine, theirs, foreign)] == [200, 200, 404]


@pytest.mark.parametrize("page", ["timeline", "as-of", "page?entry=1"])
def test_the_pages_of_a_person_close_with_the_file(office: Office, page: str) -> None:
    """After half an hour a new reason is needed; in another session there is nothing."""
    office.town.tokens(office.town.library, office.town.maria)
    desk = office.signed_in("officer")
    place = f"{desk.open('maria')}/{page}"
    assert desk.get(place).status_code == 200
    assert office.signed_in("officer").get(place).status_code == 404
    office.town.clock.advance(1700)
    assert desk.get(place).status_code == 200
    office.town.clock.advance(100)
    assert desk.get(place).status_code == 410


def test_the_proof_of_a_record_convinces_a_stranger(office: Office) -> None:
    """With the proof, the leaf and the town's public key alone; one bit changed and it does not."""
    town = office.town
    town.tokens(town.library, town.maria)
    integrate(office)
    desk = office.signed_in("officer")
    page = desk.get(newest_entry(desk.get(desk.open("maria") + "/timeline").text)).text
    leaf = html.unescape(re.findall(r"(\{&#34;at_hour.*?\})", page)[0]).encode()
    answer = desk.get(html.unescape(re.findall(r'href="(/officer/proof[^"]*)"', page)[0]))
    assert answer.headers["Content-Disposition"].endswith('.tlog-proof"')
    with town.context.database.reading() as session:
        signer, _ = note_signers(session, town.context)
    checkpoint = proofs.parse(answer.text).verify(leaf, signer.vkey)
    assert checkpoint.size > 0
    with pytest.raises(ValueError, match="does not lead"):
        proofs.parse(answer.text).verify(leaf.replace(b"given", b"taken"), signer.vkey)


def test_no_proof_is_given_for_what_is_not_there(office: Office) -> None:
    """404 for a name that is none, for one nobody has, and for what waits for its place."""
    desk = office.signed_in("officer")
    for name in ("", "zz", "00" * 16, "0" * 31):
        assert desk.get(f"/officer/proof?entry={name}").status_code == 404


# --- integrity ---


def test_the_state_of_the_log_is_shown(office: Office) -> None:
    """Checkpoint, size, what waits, and that nobody verified yet; then what a verification found."""
    town = office.town
    town.tokens(town.library, town.maria)
    desk = office.signed_in("officer")
    page = desk.get("/officer/integrity").text
    assert "none yet" in page
    assert "never verified on record" in page
    integrate(office)
    with town.context.database.transaction() as session:
        found = log.Verification((), 7, 0, 5, 0)
        standing.record_verification(
            session, log_key=town.context.vault.subkey("log"), found=found, now=int(town.clock())
        )
    page = desk.get("/officer/integrity").text
    assert "nothing was found wrong in 7 entries and 5 records" in page
    with town.context.database.reading() as session:
        note = log.latest_checkpoint(session)
    assert note is not None
    assert html.escape(note.splitlines()[2], quote=False) in html.unescape(page)


def kept(office: Office) -> str:
    with office.town.context.database.reading() as session:
        note = log.latest_checkpoint(session)
    assert note is not None
    return note


def compared(office: Office, note: str) -> str:
    desk = office.signed_in("officer")
    return desk.submit("/officer/integrity", checkpoint=note.replace("\n", "\r\n")).text


def test_a_kept_checkpoint_agrees_with_the_log_that_grew_from_it(office: Office) -> None:
    """Consistency between two signed roots, as a browser sends the text."""
    town = office.town
    town.tokens(town.library, town.maria)
    integrate(office)
    note = kept(office)
    assert "still begins with" in compared(office, note)
    town.tokens(town.tax, town.maria)
    integrate(office)
    assert kept(office) != note
    assert "still begins with" in compared(office, note)


def test_a_checkpoint_of_ours_that_is_not_this_history_is_told(office: Office) -> None:
    """Cut off, rewritten, or no checkpoint of this log at all."""
    town = office.town
    town.tokens(town.library, town.maria)
    integrate(office)
    with town.context.database.reading() as session:
        signer, _ = note_signers(session, town.context)
    for size, root, expected in [
        (10_000, bytes(32), "its end was cut off"),
        (2, bytes(32), "history was rewritten"),
    ]:
        other = log.notes.sign_checkpoint(signer, origin=signer.name, size=size, root=root)  # type: ignore[attr-defined]
        assert expected in compared(office, other.note)
    desk = office.signed_in("officer")
    for text_of in ("", "nothing of the kind", kept(office).replace("— ", "— other.example/")):
        answer = desk.submit("/officer/integrity", checkpoint=text_of)
        assert answer.status_code == 422
        assert "no checkpoint that this log has signed" in answer.text


# --- own look-ups ---


def test_an_officer_sees_what_stands_on_record_about_themselves(office: Office) -> None:
    """Own look-ups with their reasons, and own searches; nothing of another officer's."""
    desk = office.signed_in("officer")
    desk.open("maria", "complaint number 77 of May")
    desk.get("/officer/records?client=library")
    page = desk.get("/officer/mine").text
    assert "complaint number 77 of May" in page
    assert "Records searched" in page
    assert "client=library" in page
    office.add("second", "officer")
    other = office.signed_in("second").get("/officer/mine").text
    assert "complaint number 77" not in other
    with office.town.context.database.reading() as session:
        assert len(lookups.list_for(session, office.town.maria.resident_id)) == 1


def test_hidden_fields_are_found_on_every_form(office: Office) -> None:
    """Each form of the audit carries its token (K8)."""
    desk = office.signed_in("officer")
    for place in ("/officer/integrity", "/officer/export", "/officer/incidents"):
        assert "csrf_token" in hidden_fields(desk.get(place).text, place)
