"""When a recovery has proved enough: every combination."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from idp.recovery.rules import Proof, Proved, Second, grouped, is_enough, owes_second, tidy_code, would_do

MAIL, PHONE, LETTER, HELPER, SECOND = Proof.MAIL, Proof.PHONE, Proof.LETTER, Proof.HELPER, Proof.SECOND
ALL = [
    frozenset(one)
    for one in chain.from_iterable(combinations(Proof, count) for count in range(len(Proof) + 1))
]


@pytest.mark.parametrize("second", Second)
def test_nothing_and_a_second_factor_alone_are_never_enough(second: Second) -> None:
    """K27: a code of the app says nothing about who asks."""
    assert not is_enough(frozenset(), second)
    assert not is_enough({SECOND}, second)


@pytest.mark.parametrize("second", Second)
def test_more_proof_is_never_less(second: Second) -> None:
    """Whatever is enough stays enough."""
    for less in ALL:
        for more in ALL:
            if less <= more and is_enough(less, second):
                assert is_enough(more, second), (less, more)


def test_the_whole_table() -> None:
    """One channel without a second factor; with one, that factor or a slow second channel."""
    for proved in ALL:
        channels = proved - {SECOND}
        assert is_enough(proved, Second.NONE) == bool(channels)
        two = len(channels) > 1
        slow = bool(channels & {LETTER, HELPER})
        assert is_enough(proved, Second.MESSAGE) == (bool(channels) and (SECOND in proved or two))
        assert is_enough(proved, Second.OTHER) == (bool(channels) and (SECOND in proved or (two and slow)))


def test_what_would_do_is_offered_and_nothing_else() -> None:
    """Two mailboxes do not replace an app; a letter or somebody trusted does."""
    assert would_do({MAIL}, Second.OTHER) == ("letter", "helper")
    assert would_do({MAIL}, Second.MESSAGE) == ("message", "letter", "helper")
    assert would_do({LETTER}, Second.OTHER) == ("message", "helper")
    assert owes_second({MAIL}, Second.OTHER)
    assert not owes_second(frozenset(), Second.OTHER)


def test_somebodys_word_counts_from_its_time_on() -> None:
    """Not a second earlier; nor does anything that a clock set back puts into the future."""
    proved = Proved(ripe_at=100, mail_at=50)
    assert proved.now(99) == {MAIL}
    assert proved.now(100) == {MAIL, HELPER}
    assert proved.now(49) == frozenset()


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("ABCD-EFGH-JKMN-PQRS", "ABCDEFGHJKMNPQRS"),
        (" abcd efgh jkmn pqrs ", "ABCDEFGHJKMNPQRS"),
        ("oil0-0000-0000-0000", "0110000000000000"),
        ("ABCD-EFGH-JKMN-PQR", ""),
        ("ABCD-EFGH-JKMN-PQRU", ""),
        ("ＡBCD-EFGH-JKMN-PQRS", ""),
        ("", ""),
    ],
)
def test_a_code_is_read_as_people_type_it(typed: str, code: str) -> None:
    """Case, blanks and dashes do not matter; O is 0, I and L are 1; U and whatever is too short are no code."""
    assert tidy_code(typed) == code


def test_a_code_is_printed_in_groups() -> None:
    """Four and four."""
    assert grouped("ABCDEFGHJKMNPQRS") == "ABCD-EFGH-JKMN-PQRS"
