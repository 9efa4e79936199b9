"""What a detector learned is kept whole, and the integer twin follows the floats."""

import numpy as np
import pytest

from outliernets.config import MelConfig
from outliernets.detectors import fixed, learned
from outliernets.detectors.library import library
from outliernets.detectors.spec import DetectorSpec, nothing
from outliernets.errors import DataError
from outliernets.features.windows import Standardizer
from outliernets.importer import read
from outliernets.score import ScoreSpec
from outliernets.train.fit import Recipe
from outliernets.train.quantize import quantize
from outliernets.view import BLOCK, ViewSpec
from tests.detectors.sound import hums

TRAIN = hums(300)
TEST = np.concatenate([hums(32, seed=1), hums(32, seed=2, level=1.5)])
CLIPS = np.repeat(np.arange(8), 8)
STANDARD = Standardizer((-60.0,) * 128, (5.0,) * 128)


def learn(spec: DetectorSpec) -> learned.Learned:
    return learned.learn(spec, TRAIN, TRAIN[:20], 6.0, 1, Recipe())


def spec_with(score: ScoreSpec) -> DetectorSpec:
    steady = library()["steady"]
    return DetectorSpec("own", steady.network, steady.view, score)


def without_network(view: ViewSpec, score: ScoreSpec) -> DetectorSpec:
    return DetectorSpec("none", nothing(view), view, score)


SPECS = [
    library()["steady"],
    library()["transient"],
    spec_with(ScoreSpec("mahalanobis", bands=32, memory=2)),
    spec_with(ScoreSpec("mse")),
    without_network(ViewSpec(), ScoreSpec("peak")),
    without_network(ViewSpec(pool=4), ScoreSpec("mahalanobis", bands=16, memory=4)),
    without_network(library()["steady"].view, ScoreSpec("bands", bands=32, memory=2)),
]
IDS = ["steady", "transient", "mahalanobis", "mse", *(f"none-{v}" for v in (1, 4, "steady"))]


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_it_is_read_as_it_was_saved(spec: DetectorSpec, tmp_path) -> None:
    found = learn(spec)
    found.save(tmp_path)
    again = learned.load(tmp_path)
    assert again.spec == spec
    assert again.params == found.params
    np.testing.assert_array_equal(again.scores(TEST, CLIPS), found.scores(TEST, CLIPS))


def test_many_windows_are_scored_in_parts_that_end_with_a_clip() -> None:
    clips = np.repeat(np.arange(5), [BLOCK - 1, 3, 2 * BLOCK, 1, 7])
    parts = list(learned._whole_clips(clips))
    assert [(p.start, p.stop) for p in parts] == [
        (0, BLOCK + 2),
        (BLOCK + 2, 3 * BLOCK + 2),
        (3 * BLOCK + 2, 3 * BLOCK + 10),
    ]
    assert list(learned._whole_clips(clips[:0])) == []


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_integers_follow_the_floats(spec: DetectorSpec, tmp_path) -> None:
    found = learn(spec)
    path = tmp_path / "model.tflite"
    quantize(found.model, found.view.apply(TRAIN), path, found.view.limit)
    numbers = (found.view, found.score.normal)
    integers = fixed.plans(spec, numbers, MelConfig(), STANDARD, read(path))
    sums = fixed.twin(integers, path).sums(fixed.rows_of(TEST, integers.row), CLIPS)
    real, exact = integers.score.real(sums), found.scores(TEST, CLIPS)
    assert (
        np.corrcoef(real, exact)[0, 1] > 0.99
    )  # hums are loud beside the noise; real sound is asked for more
    assert np.median(real / exact) == pytest.approx(1, abs=0.1)


def test_without_a_network_the_score_is_the_view_s() -> None:
    found = learn(SPECS[4])
    np.testing.assert_array_equal(found.residual(TEST), TEST)
    peaks = (TEST.astype(np.float64) ** 2).mean(axis=2).max(axis=1)
    np.testing.assert_array_equal(found.scores(TEST, CLIPS), peaks)
    assert (found.params, found.macs) == (0, 0)
    assert learn(SPECS[5]).params == 16 + 16 * 17 // 2  # what the score learned


def test_without_a_network_unusable_windows_are_refused_too() -> None:
    broken = TRAIN.copy()
    broken[3, 4, 5] = np.nan
    for windows in (broken, TRAIN[:0]):
        with pytest.raises(DataError, match="training windows"):
            learned.learn(SPECS[4], windows, TRAIN[:20], 6.0, 1, Recipe())


def test_damaged_numbers_are_named(tmp_path) -> None:
    learn(SPECS[0]).save(tmp_path)
    (tmp_path / learned.NUMBERS).write_text("{}")
    with pytest.raises(DataError, match=r"detector\.json: cannot read .* train again"):
        learned.load(tmp_path)
