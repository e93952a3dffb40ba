"""What an account opens by after a recovery: what was kept, and never what was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from idp.db import Base
from idp.login.cards.models import Card, PaperCode
from idp.login.levels import Method
from idp.recovery import erase, finishing, words
from tests.idp.login.cards.conftest import issue
from tests.idp.recovery.steps import FRESH, ask, choose_password, signs_in, type_code

if TYPE_CHECKING:
    from tests.support.town import Town


def test_every_way_in_that_can_be_lost_has_its_tables_and_its_words(town: Town) -> None:
    """A new factor is named here: a recovery ends it, or says in these words that it may be kept."""
    ended_otherwise = {Method.PASSWORD, Method.EMAIL_CODE, Method.SMS_CODE, Method.PAPER_CODE}
    assert set(Method) - ended_otherwise == set(finishing.KEEPABLE)
    for method in finishing.KEEPABLE:
        assert all("resident_id" in table.c for table in erase.tables_of(method))
        assert erase.tables_of(method)
    with town.app.test_request_context("/recover"):
        assert all(text for _, text in words.keepable_names(finishing.KEEPABLE))
    (hangs_on,) = Base.metadata.tables["login_paper_code"].c.card_id.foreign_keys
    assert (hangs_on.column.table.name, hangs_on.ondelete) == ("login_card", "CASCADE")


@pytest.mark.parametrize("kept", [True, False])
def test_a_card_goes_through_a_recovery_with_its_paper_list_or_dies_with_it(town: Town, kept: bool) -> None:
    """One tick for both, because they are one sheet of paper."""
    holder = issue(town, town.maria.resident_id)
    browser = ask(town, "maria")
    assert type_code(town, browser).endswith("/password")
    assert browser.last is not None
    assert 'value="card"' in browser.last.text
    assert 'value="paper-code"' not in browser.last.text
    assert choose_password(browser, keep=("card",) if kept else ()) == "/recover/done"
    assert signs_in(town, town.maria, FRESH)
    assert len(town.rows(Card)) == int(kept)
    assert len(town.rows(PaperCode)) == (len(holder.printed.codes) if kept else 0)
    assert (holder.sign_in(town.browser()).status_code == 303) is kept
