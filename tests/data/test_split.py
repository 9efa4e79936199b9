"""The split rule of MIMII's baseline, by file, and what happens where clips are few."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outliernets.data.clips import MIN_TRAIN, Clip, Split, named_clips, split_by_rule
from outliernets.errors import DataError

HERE = Path("data/id_06")


def clips(label: str, count: int) -> tuple[Clip, ...]:
    return named_clips([Path(f"{index:08d}.wav") for index in range(count)], label)


def split(normal: int, abnormal: int) -> Split:
    return split_by_rule(HERE, clips("normal", normal), clips("abnormal", abnormal))


def test_first_normals_and_all_abnormals_are_the_test() -> None:
    result = split(1015, 361)
    assert result.test == clips("normal", 1015)[:361] + clips("abnormal", 361)
    assert result.train == clips("normal", 1015)[361:]
    assert result.notices == ()


def test_a_fifth_is_tested_without_abnormals() -> None:
    result = split(50, 0)
    assert (len(result.train), len(result.test)) == (40, 10)
    assert "first 10 of 50" in result.notices[0]


def test_many_abnormals_take_at_most_half() -> None:
    result = split(20, 20)
    assert (len(result.train), len(result.test)) == (10, 30)
    assert "20 abnormal clips would leave 0 of 20" in result.notices[0]


def test_empty_normal_names_the_folder() -> None:
    with pytest.raises(DataError, match=r"no normal recordings in data/id_06: .* at least 11"):
        split(0, 5)


@pytest.mark.parametrize(("normal", "abnormal"), [(10, 0), (12, 3), (18, 18), (1, 1)])
def test_too_few_says_how_many_there_are_and_are_needed(normal: int, abnormal: int) -> None:
    expected = rf"in data/id_06: {normal} normal and {abnormal} abnormal .* at least 10 and 1"
    with pytest.raises(DataError, match=expected):
        split(normal, abnormal)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_no_clip_is_lost_or_used_twice(normal: int, abnormal: int) -> None:
    try:
        result = split(normal, abnormal)
    except DataError:
        assert normal < 2 * MIN_TRAIN
        return
    used = [clip.name for clip in result.train + result.test]
    assert sorted(used) == sorted(
        c.name for c in clips("normal", normal) + clips("abnormal", abnormal)
    )
    assert len(set(used)) == len(used)
    assert all(clip.label == "normal" for clip in result.train)
    assert len(result.train) >= MIN_TRAIN
    assert any(clip.label == "normal" for clip in result.test)
