"""Cards and codes as rows: one card that works, each code once, whatever comes in between."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from idp.login.cards import service
from idp.login.cards.models import Card, PaperCode
from idp.upkeep import KEEP_ENDED_FOR, purge
from tests.idp.login.cards.conftest import Holder, issue


def asked(holder: Holder) -> service.Asked:
    with holder.town.context.database.reading() as session:
        found = service.asked_code(session, holder.resident_id)
    assert found is not None
    return found


def spend(holder: Holder, one: service.Asked) -> bool:
    with holder.town.context.database.transaction() as session:
        return service.spend_code(session, one, now=int(holder.town.clock()))


def test_a_code_is_spent_by_one_conditional_write(holder: Holder) -> None:
    """Two callers that were both asked for it: the row decides, not what they read before."""
    one = asked(holder)
    assert spend(holder, one) is True
    assert spend(holder, one) is False
    assert asked(holder).place == one.place + 1


def test_a_code_of_a_card_that_was_revoked_meanwhile_is_not_spent(holder: Holder) -> None:
    """Between the question and the answer the owner told the town that the card is lost."""
    one = asked(holder)
    with holder.town.context.database.transaction() as session:
        assert service.revoke(session, holder.resident_id, now=1) is not None
        assert service.revoke(session, holder.resident_id, now=2) is None
    assert spend(holder, one) is False
    with holder.town.context.database.transaction() as session:
        assert service.note_use(session, one.card_id, now=3) is False


def test_a_resident_has_one_card_that_works(holder: Holder) -> None:
    """The database itself refuses a second one, so two desks at once do no harm."""
    with pytest.raises(service.HasCard):
        issue(holder.town, holder.resident_id)
    with holder.town.context.database.transaction() as session:
        service.revoke(session, holder.resident_id, now=1)
    issue(holder.town, holder.resident_id)
    assert sum(card.revoked_at is None for card in holder.town.rows(Card)) == 1


def test_revoked_cards_go_with_their_lists_after_a_while(holder: Holder) -> None:
    """Nothing of a card is kept for longer than a replay could matter."""
    town = holder.town
    with town.context.database.transaction() as session:
        service.revoke(session, holder.resident_id, now=int(town.clock()))
    purge(town.context, now=int(town.clock()) + KEEP_ENDED_FOR)
    assert town.rows(Card)
    purge(town.context, now=int(town.clock()) + KEEP_ENDED_FOR + 1)
    with town.context.database.reading() as session:
        assert session.execute(select(func.count()).select_from(PaperCode)).scalar_one() == 0
    assert not town.rows(Card)
