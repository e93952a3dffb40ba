"""How a process of the server begins."""

from __future__ import annotations

import gc

import pytest

from idp.serve import _nothing_is_garbage


@pytest.mark.parametrize("fails", [False, True])
def test_the_collector_works_again_once_a_start_is_over(fails: bool) -> None:
    """A start that fails is tried again in the same process; one that works must not grow for ever."""
    before = gc.get_freeze_count()
    try:
        with _nothing_is_garbage():
            assert not gc.isenabled()
            if fails:
                raise RuntimeError
    except RuntimeError:
        pass
    assert gc.isenabled()
    assert (gc.get_freeze_count() > before) is not fails
    gc.unfreeze()
