"""Numbers, PINs and codes as people read, type and guess them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.login.cards import service
from idp.login.cards.printing import scanned
from idp.login.cards.rules import (
    ALPHABET,
    NUMBER_LENGTH,
    PIN_LENGTH,
    are_digits,
    check_letter,
    grouped,
    is_trivial,
    normal_digits,
    normal_number,
)

bodies = st.text(alphabet=ALPHABET, min_size=NUMBER_LENGTH - 1, max_size=NUMBER_LENGTH - 1)


@given(bodies)
def test_a_number_is_read_in_every_spelling(body: str) -> None:
    """Typed in groups, in small letters, scanned with the whole address."""
    number = body + check_letter(body)
    for text in (number, grouped(number), grouped(number).lower(), f"  {grouped(number)} "):
        assert normal_number(text) == number
    assert normal_number(scanned("https://id.riverton.example", number)) == number


@given(bodies, st.integers(0, NUMBER_LENGTH - 1), st.sampled_from(ALPHABET))
def test_one_wrong_letter_is_always_found(body: str, place: int, letter: str) -> None:
    """So a slip costs no guess, and nobody is told that a card of theirs does not exist."""
    number = body + check_letter(body)
    wrong = number[:place] + letter + number[place + 1 :]
    assert (normal_number(wrong) is None) is (wrong != number)


@pytest.mark.parametrize(
    "text", ["", "K7QM", "K7QM-2XRT-9WDA-X", "K7QM2XRTÄWDA", "'; DROP TABLE", "x" * 10_000]
)
def test_what_is_no_number_is_none(text: str) -> None:
    """Nothing but the alphabet passes, at its one length."""
    assert normal_number(text) is None


@pytest.mark.parametrize(
    "pin",
    ["000000", "111222", "123456", "654321", "890123", "121212", "123123", "112211", "135791", "999998"],
)
def test_pins_that_people_try_first_are_never_made(pin: str) -> None:
    """Rows, repetitions and few different digits."""
    assert is_trivial(pin)


def test_pins_are_random_among_the_others() -> None:
    """Every digit at every place, and none of the trivial ones."""
    pins = [service._new_pin() for _ in range(2000)]
    assert not any(is_trivial(pin) for pin in pins)
    assert all(are_digits(pin, PIN_LENGTH) for pin in pins)
    assert len(set(pins)) > 1900
    for place in range(PIN_LENGTH):
        assert len(Counter(pin[place] for pin in pins)) == 10


def test_blanks_and_dashes_do_not_matter_and_other_digits_do() -> None:
    """Paper has groups; digits of another script are told apart by nobody who types them here."""
    assert normal_digits(" 1234-5678 ") == "12345678"
    assert not are_digits("１２３４５６", PIN_LENGTH)
    assert not are_digits("12345a", PIN_LENGTH)


def test_what_is_printed_shows_in_no_log() -> None:
    """The secrets travel in objects whose repr says nothing of them."""
    printed = service.Printed("K7QM2XRT9WDA", "482913", ("12345678",))
    assert "482913" not in repr(printed)
    assert "482913" not in repr(service.Made(printed, "x", ("y",)))
