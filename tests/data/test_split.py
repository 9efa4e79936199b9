"""The split rules, by file, and what happens where clips are few."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outliernets.config import Task
from outliernets.data import find
from outliernets.data.clips import (
    BLOCK,
    MIN_TRAIN,
    Clip,
    Split,
    SplitRule,
    named_clips,
    split_by_blocks,
    split_by_rule,
)
from outliernets.errors import ConfigError, DataError

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


@settings(max_examples=50)
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


def blocks(normal: int, abnormal: int, size: int) -> Split:
    return split_by_blocks(HERE, clips("normal", normal), clips("abnormal", abnormal), size)


def test_every_other_block_is_tested() -> None:
    result, every = blocks(50, 3, 20), clips("normal", 50)
    assert result.train == every[:20] + every[40:]
    assert result.test == every[20:40] + clips("abnormal", 3)
    assert result.notices == ("split by blocks of 20 clips: 30 normal ones train, 20 test",)


def test_blocks_go_by_number_not_by_letter() -> None:
    paths = [Path(f"rec {number}.wav") for number in range(1, 31)]
    by_letter = named_clips(sorted(paths), "normal")
    result = split_by_blocks(HERE, by_letter, (), 10)
    assert [c.path for c in result.train] == paths[:10] + paths[20:]
    assert [c.path for c in result.test] == paths[10:20]
    assert "AUC is not available" in result.notices[1]


@pytest.mark.parametrize(("normal", "size", "train", "test"), [(20, 20, 20, 0), (19, 5, 10, 9)])
def test_too_few_for_blocks(normal: int, size: int, train: int, test: int) -> None:
    if train < MIN_TRAIN or test < 1:
        with pytest.raises(DataError, match=rf"{normal} leave {train} to train and {test} to test"):
            blocks(normal, 5, size)
    else:
        result = blocks(normal, 5, size)
        assert (len(result.train), len(result.test)) == (train, test + 5)


def test_nothing_to_split_into_blocks() -> None:
    with pytest.raises(DataError, match="no normal recordings in data/id_06"):
        blocks(0, 5, 20)


@settings(max_examples=50)
@given(st.integers(20, 90), st.integers(1, 9))
def test_blocks_lose_no_clip_and_use_none_twice(normal: int, size: int) -> None:
    result = blocks(normal, 2, size)
    used = sorted(clip.name for clip in result.train + result.test)
    assert used == sorted(c.name for c in clips("normal", normal) + clips("abnormal", 2))
    assert abs(len(result.train) - (len(result.test) - 2)) <= size


@pytest.mark.parametrize(
    ("text", "block"), [("mimii", None), ("blocks", BLOCK), ("blocks=1", 1), ("blocks=350", 350)]
)
def test_rules_by_name(text: str, block: int | None) -> None:
    rule = SplitRule.parse(text)
    assert rule.block == block
    assert SplitRule.parse(str(rule)) == rule


@pytest.mark.parametrize(
    "text", ["", "block", "blocks=0", "blocks=-3", "blocks=1.5", "MIMII", "blocks="]
)
def test_unknown_rules(text: str) -> None:
    with pytest.raises(ConfigError, match="give mimii, blocks or blocks=N"):
        SplitRule.parse(text)


def test_the_rule_reaches_the_recordings(tmp_path: Path, put: Callable[..., Path]) -> None:
    put("saw/normal", 40)
    put("saw/abnormal", 5)
    task = Task.parse("saw/00/recorded")
    usual, asked = find(task, tmp_path), find(task, tmp_path, SplitRule(10))
    assert (usual.split, len(usual.train)) == ("mimii", 35)
    assert (asked.split, len(asked.train)) == ("blocks=10", 20)
    assert "split by blocks of 10 clips" in asked.notices[-1]


def test_a_data_set_s_own_split_stays(tmp_path: Path, put: Callable[..., Path]) -> None:
    put("fan/train", 12, "normal_id_00_{:08d}.wav")
    put("fan/test", 3, "normal_id_00_{:08d}.wav")
    task = Task.parse("fan/00/recorded")
    assert find(task, tmp_path).split == "dcase"
    with pytest.raises(DataError, match=r"fan comes with a split, .* leave out --split blocks=20"):
        find(task, tmp_path, SplitRule(20))
