"""AUC and pAUC equal scikit-learn's; intervals cover and respect clips."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outliernets.errors import DataError
from outliernets.evaluate import auc, bootstrap_auc, clip_scores, evaluate, mse_scores, pauc

LABELS = [0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0]
SCORES = [0.1, 0.4, 0.35, 0.8, 0.8, 0.9, 0.2, 0.7, 0.7, 0.95, 0.3, 0.6]


def test_auc_and_pauc_are_scikit_learns() -> None:
    # roc_auc_score(LABELS, SCORES), and with max_fpr = 0.1, 0.3 and 1
    assert auc(LABELS, SCORES) == pytest.approx(0.8285714285714286, abs=1e-12)
    assert pauc(LABELS, SCORES) == pytest.approx(0.7210526315789474, abs=1e-12)
    assert pauc(LABELS, SCORES, 0.3) == pytest.approx(0.7703081232492999, abs=1e-12)
    assert pauc(LABELS, SCORES, 1.0) == pytest.approx(0.8285714285714286, abs=1e-12)


@pytest.mark.slow  # importing scikit-learn takes seconds
@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=60))
def test_auc_and_pauc_follow_scikit_learn_with_ties(samples: list[tuple[bool, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    labels, scores = zip(*samples, strict=True)
    if len(set(labels)) < 2:
        assert auc(labels, scores) is None
        assert pauc(labels, scores) is None
        return
    assert auc(labels, scores) == pytest.approx(metrics.roc_auc_score(labels, scores))
    expected = metrics.roc_auc_score(labels, scores, max_fpr=0.1)
    assert pauc(labels, scores) == pytest.approx(expected)


def test_perfect_reversed_and_constant_scores() -> None:
    assert auc([0, 0, 1], [1, 2, 3]) == 1.0
    assert auc([1, 0, 0], [1, 2, 3]) == 0.0
    assert auc([1, 0, 0, 1], [5, 5, 5, 5]) == 0.5


def _windows(spread: float, clips: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nine windows per clip that are all alike, so that only clips carry information."""
    random = np.random.default_rng(1)
    labels = np.arange(clips) % 2
    scores = np.repeat(random.normal(labels * spread), 9)
    return labels, scores, np.repeat(np.arange(clips), 9)


def test_interval_brackets_the_value_and_is_reproducible() -> None:
    labels, scores, index = _windows(1.0)
    first, again = (bootstrap_auc(labels[index], scores, index, seed=3) for _ in range(2))
    assert first == again
    assert first is not None
    assert first.low < first.value < first.high
    assert first.value == auc(labels[index], scores)


def test_drawing_clips_gives_the_interval_of_clips() -> None:
    labels, scores, index = _windows(1.0)
    by_clip = bootstrap_auc(labels[index], scores, index)
    of_clips = bootstrap_auc(labels, scores[::9])
    by_window = bootstrap_auc(labels[index], scores)
    assert by_clip == of_clips
    assert by_window is not None
    assert by_clip is not None
    assert by_window.high - by_window.low < 0.5 * (by_clip.high - by_clip.low)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random, covered = np.random.default_rng(0), 0
    truth = 0.7602  # Phi(1 / sqrt(2)): two unit normals one deviation apart
    labels = np.arange(120) % 2
    for _ in range(100):
        interval = bootstrap_auc(labels, random.normal(labels * 1.0), rounds=200)
        assert interval is not None
        covered += interval.low <= truth <= interval.high
    assert 88 <= covered <= 99


def test_evaluate_reports_windows_and_clips_in_the_shape_of_the_report() -> None:
    labels, scores, index = _windows(2.0)
    report = evaluate(labels, scores, index).as_json()
    assert set(report) == {"window", "clip"}
    assert set(report["clip"]) == {"value", "low", "high"}
    assert report["clip"]["value"] == auc(labels, scores[::9])


def test_without_abnormal_clips_there_is_no_auc() -> None:
    result = evaluate([0, 0], [0.1, 0.2, 0.3], [0, 0, 1])
    assert result.as_json() == {"window": None, "clip": None}
    assert result.clip_pauc is None
    assert bootstrap_auc([1, 1], [0.1, 0.2]) is None


def test_clip_score_is_the_mean_of_its_windows() -> None:
    np.testing.assert_allclose(clip_scores([1, 2, 3, 7], [1, 0, 1, 1]), [2, 11 / 3])
    with pytest.raises(DataError, match="clip 1 has no window"):
        clip_scores([1, 2], [0, 2])


def test_mse_is_per_window() -> None:
    x = np.zeros((2, 32, 128), np.float32)
    y = np.stack([np.full((32, 128), 2.0), np.eye(32, 128)])
    np.testing.assert_allclose(mse_scores(x, y), [4.0, 1 / 128])


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [([0, 1], [0.1], "one label per score"), ([], [], "one label"), ([0, 1], [0, np.nan], "NaN")],
)
def test_bad_scores_are_refused(labels: list[int], scores: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        auc(labels, scores)
