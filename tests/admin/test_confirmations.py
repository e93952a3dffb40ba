"""The officer's queue of what partners have not confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from consent import acts
from consent.withdrawals import service as withdrawals
from idp.clients.metadata import Details, NewClient
from idp.clients.models import ClientRow
from idp.jobs.stamps import CLIENTS, bump
from idp.signals import events
from idp.signals.models import Delivery

if TYPE_CHECKING:
    from consent.withdrawals.rules import Matter
    from tests.admin.office import Office

WITHIN = 3600
REASON = "confirmed by letter of 3 May"


def tell(office: Office, client_id: str = "shop", **more: Any) -> str:
    """Something that a partner is told about Maria; its reference."""
    town = office.town
    with town.context.database.transaction() as session:
        return events.tell(
            session,
            event="consent-withdrawn",
            client_id=client_id,
            resident_id=town.maria.resident_id,
            details={"purposes": ["main"], "claims": ["name"], "partial": False},
            confirm_within=WITHIN,
            now=int(town.clock()),
            **more,
        )


def matter(office: Office, txn: str) -> Matter:
    with office.town.context.database.reading() as session:
        found = withdrawals.find(session, txn)
    assert found is not None
    return found


def acts_of(office: Office, kind: str) -> list[acts.Act]:
    with office.town.context.database.reading() as session:
        return acts.of_kind(session, kind)


@pytest.fixture
def shop(office: Office) -> Office:
    """The town with a partner that can be told."""
    new = NewClient(
        "Shop",
        ("https://shop.example/cb",),
        client_id="shop",
        details=Details(events_uri="https://shop.example/events"),
    )
    office.town.add_client(new, "Shops of Riverton")
    return office


def test_what_is_overdue_or_cannot_be_told_stands_in_the_queue(shop: Office) -> None:
    """Nobody is named: the reference says to the partner whom it is about. It is on the overview, too."""
    desk = shop.signed_in("officer")
    assert "Nothing waits" in desk.get("/confirmations").text
    txn = tell(shop)
    assert txn not in desk.get("/confirmations").text
    nowhere = tell(shop, "library")
    page = desk.get("/confirmations").text
    assert nowhere in page
    assert "no address" in page
    shop.town.clock.advance(WITHIN)
    desk = shop.signed_in("officer")
    page = desk.get("/confirmations").text
    for part in (txn, "Overdue", "Shop", "Shops of Riverton", "Consent withdrawn", "2 matters"):
        assert part in page
    for private in (shop.town.maria.resident_id, "Maria", "Okafor", "maria@"):
        assert private not in page
    assert 'href="/confirmations"' in desk.get("/").text


def test_the_partner_is_shown_the_name_by_which_it_knows_the_resident(shop: Office) -> None:
    """That is the `sub` of its tokens, whatever became of its sector since."""
    town = shop.town
    tokens = town.tokens(town.library, town.maria, "openid profile")
    known = town.userinfo(tokens["access_token"]).json["sub"]
    with town.context.database.transaction() as session:
        session.get_one(ClientRow, town.library.client_id).sector = "elsewhere.example"
        bump(session, CLIENTS)
    tell(shop, "library")
    assert known in shop.signed_in("officer").get("/confirmations").text


def test_a_confirmation_takes_it_off_the_queue(shop: Office) -> None:
    desk, txn = shop.signed_in("officer"), tell(shop, "library")
    assert txn in desk.get("/confirmations").text
    town = shop.town
    answer = town.call("/consent/confirmations", town.library, {"txn": txn, "outcome": "restricted"})
    assert answer.status_code == 200
    assert txn not in desk.get("/confirmations").text


def test_a_partner_is_told_again_at_most_once_an_hour(shop: Office) -> None:
    """The same matter in a new event, with an act that says who sent it."""
    txn = tell(shop)
    shop.town.clock.advance(WITHIN)
    desk = shop.signed_in("officer")
    path = f"/confirmations/{txn}/remind"
    page = desk.get("/confirmations").text
    assert path in page
    fields = {"csrf_token": page.split('name="csrf_token" value="')[1].split('"')[0]}
    assert desk.post(path, fields).location == "/confirmations?done=reminded"
    first, second = sorted(shop.town.rows(Delivery), key=lambda row: row.created_at)
    assert (first.matter_id, second.matter_id) == (txn, txn)
    assert first.payload == second.payload
    (act,) = acts_of(shop, "partner_reminded")
    assert act.actor.startswith("staff:")
    again = desk.post(path, fields)
    assert again.status_code == 422
    assert "within the last hour" in again.text
    assert len(shop.town.rows(Delivery)) == 2
    nowhere = tell(shop, "library")
    assert desk.post(f"/confirmations/{nowhere}/remind", fields).status_code == 422


def test_closing_needs_a_reason_that_the_resident_reads(shop: Office) -> None:
    desk, txn = shop.signed_in("officer"), tell(shop, "library")
    page = desk.get("/confirmations").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    for reason in ("", "done", "x" * 301, "ask maria@example.org about it"):
        refused = desk.post(f"/confirmations/{txn}/close", {"csrf_token": token, "reason": reason})
        assert refused.status_code == 422
        assert "There is a problem" in refused.text
    assert matter(shop, txn).closed_at is None
    done = desk.post(f"/confirmations/{txn}/close", {"csrf_token": token, "reason": f" {REASON} "})
    assert done.location == "/confirmations?done=closed"
    found = matter(shop, txn)
    assert (found.closed_reason, found.closed_at) == (REASON, int(shop.town.clock()))
    (act,) = acts_of(shop, "confirmation_closed")
    assert act.details["txn"] == txn
    assert REASON not in str(act.details)
    assert txn not in desk.get("/confirmations").text


def test_the_queue_is_the_officers(shop: Office) -> None:
    """Neither a clerk's nor an operator's; nobody acts on what is not there; a forged cursor is a bad request."""
    txn = tell(shop, "library")
    for role in ("clerk", "operator"):
        desk = shop.signed_in(role)
        assert desk.get("/confirmations").status_code == 403
        assert desk.post(f"/confirmations/{txn}/close", {"reason": REASON}).status_code in {400, 403}
    assert matter(shop, txn).closed_at is None
    desk = shop.signed_in("officer")
    token = desk.get("/confirmations").text.split('name="csrf_token" value="')[1].split('"')[0]
    for what in ("remind", "close"):
        answer = desk.post(f"/confirmations/nosuch/{what}", {"csrf_token": token, "reason": REASON})
        assert answer.status_code == 404
    for cursor in ("x", "1", "-1.a", "1e9.a", "9" * 30 + ".a", "١.a", "1.%00"):
        assert desk.get(f"/confirmations?after={cursor}").status_code == 400
    assert desk.get("/confirmations?after=0.a").status_code == 200


def test_long_queues_page_by_cursor(shop: Office) -> None:
    for number in range(55):
        shop.town.clock.advance(1 if number % 2 else 0)
        tell(shop, "library")
    desk = shop.signed_in("officer")
    first = desk.get("/confirmations").text
    following = first.split('href="/confirmations?after=')[1].split('"')[0]
    second = desk.get(f"/confirmations?after={following}").text
    assert (first.count("/close"), second.count("/close")) == (50, 5)
