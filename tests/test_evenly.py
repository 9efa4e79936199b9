"""A few of many: no more than there are, each once, in order, both ends among them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from outliernets.evenly import evenly


@given(st.integers(0, 500), st.integers(0, 500))
def test_they_are_as_many_as_asked_for_and_spread(count: int, most: int) -> None:
    chosen = evenly(count, most)
    assert len(chosen) == len(set(chosen)) == min(count, most)
    assert chosen == sorted(chosen)
    if len(chosen) > 1:
        assert (chosen[0], chosen[-1]) == (0, count - 1)
        gaps = {b - a for a, b in pairwise(chosen)}
        assert max(gaps) - min(gaps) <= 1
