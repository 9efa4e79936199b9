"""Training learns, repeats itself, restarts when stuck and refuses what cannot be learned."""

from pathlib import Path

import numpy as np
import pytest

from outliernets.errors import DataError
from outliernets.files import written_whole
from outliernets.nets.build import build
from outliernets.nets.space import ArchSpec
from outliernets.train import fit
from outliernets.train.files import load_model, save_weights
from outliernets.train.fit import Recipe, Trained, hold_out, reconstruct, train

TINY = ArchSpec("tiny", "fan", (2, 3, 4, 4, 3, 2))
QUICK = Recipe(steps=60, batch=8, check_every=10, stall_after=1000)


def stripes(count: int, seed: int = 0) -> np.ndarray:
    """Windows that a small network can learn: one of four patterns of bands, and some noise."""
    random = np.random.default_rng(seed)
    patterns = np.sign(np.sin(np.arange(128) / np.array([[8], [11], [16], [24]])))
    lines = patterns[random.integers(0, 4, count)][:, None, :]
    noise = 0.1 * random.normal(size=(count, 32, 128))
    return (lines + noise).astype(np.float32)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(TINY, stripes(64), stripes(16, seed=1), seed=3, recipe=QUICK)


def test_training_learns(trained: Trained) -> None:
    assert trained.best.held_out < 0.8 * float(np.var(stripes(16, seed=1)))
    assert trained.history[-1].loss < trained.history[0].loss
    assert trained.restarts == 0


def test_best_weights_are_the_ones_kept(trained: Trained) -> None:
    held_out = stripes(16, seed=1)
    error = float(np.mean((reconstruct(trained.model, held_out) - held_out) ** 2))
    assert error == pytest.approx(trained.best.held_out, rel=1e-4)
    assert trained.best.held_out == min(check.held_out for check in trained.history)


def test_same_seed_same_weights(trained: Trained) -> None:
    steps: list[tuple[int, int]] = []
    again = train(
        TINY,
        stripes(64),
        stripes(16, seed=1),
        seed=3,
        recipe=QUICK,
        progress=lambda step, total, _loss, _held_out: steps.append((step, total)),
    )
    for one, other in zip(trained.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert steps == [(step, 60) for step in range(10, 61, 10)]


@pytest.mark.slow
def test_no_progress_on_held_out_windows_stops_early() -> None:
    recipe = Recipe(steps=200, batch=8, rate=1e-12, check_every=2, patience=3, stall_after=1000)
    result = train(TINY, stripes(16), stripes(4), recipe=recipe)
    assert result.history[-1].step < 200


@pytest.mark.slow
def test_a_start_that_learns_nothing_is_repeated_with_another_seed() -> None:
    recipe = Recipe(steps=4, batch=4, rate=0.0, check_every=2, stall_after=2, restarts=2)
    steps: list[int] = []
    noise = np.random.default_rng(0).normal(size=(8, 32, 128)).astype(np.float32)
    result = train(TINY, noise, noise, recipe=recipe, progress=lambda step, *_: steps.append(step))
    assert result.restarts == 2
    assert steps == [2, 2, 2, 4]
    assert len({fit._derived(1, attempt) for attempt in range(4)}) == 4


@pytest.mark.slow
def test_divergence_is_an_error_with_a_remedy() -> None:
    recipe = Recipe(steps=50, batch=8, rate=1e30, check_every=50)
    with pytest.raises(DataError, match=r"diverged at step .* lower the learning rate"):
        train(TINY, stripes(16), stripes(4), recipe=recipe)


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        (np.zeros((0, 32, 128), np.float32), "n >= 1"),
        (np.zeros((4, 128, 32), np.float32), r"must be \[n, 32, 128\]"),
        (np.full((4, 32, 128), np.nan, np.float32), "NaN or infinite"),
    ],
)
def test_unusable_windows_are_refused(windows: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        train(TINY, windows, stripes(4), recipe=QUICK)
    with pytest.raises(DataError, match=f"held-out.*{message}"):
        train(TINY, stripes(4), windows, recipe=QUICK)


def test_hold_out_splits_clips_and_keeps_their_order() -> None:
    clips = [f"clip{i:02d}" for i in range(30)]
    training, held = hold_out(clips, 0.1, seed=1)
    assert (len(training), len(held)) == (27, 3)
    assert sorted(training + held) == clips
    assert training == sorted(training)
    assert hold_out(clips, 0.1, seed=1) == (training, held)
    assert hold_out(clips, 0.1, seed=2) != (training, held)
    assert [len(part) for part in hold_out(["a", "b"])] == [1, 1]
    with pytest.raises(DataError, match="at least 2 normal clips, got 1"):
        hold_out(["a"])


def test_weights_come_back_as_written(trained: Trained, tmp_path: Path) -> None:
    path, again = tmp_path / "weights.npz", tmp_path / "again.npz"
    save_weights(trained.model, path)
    save_weights(trained.model, again)
    assert path.read_bytes() == again.read_bytes()
    for one, other in zip(
        load_model(TINY, path).get_weights(), trained.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_other_or_damaged_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    save_weights(build(ArchSpec("other", "fan", (2, 3, 4, 4, 3, 3))), path)
    with pytest.raises(DataError, match="not the weights of network 'tiny'"):
        load_model(TINY, path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match="cannot read the weights"):
        load_model(TINY, path)
    with pytest.raises(DataError, match="cannot read the weights"):
        load_model(TINY, tmp_path / "missing.npz")


def test_an_interrupted_write_leaves_nothing_and_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("whole")

    def interrupted() -> None:
        with written_whole(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "whole"
