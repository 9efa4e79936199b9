"""AUC and pAUC equal scikit-learn's; intervals cover, respect clips and seeds, and pair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outliernets import evaluate as evaluate_module
from outliernets.errors import DataError
from outliernets.evaluate import (
    Bootstrap,
    Difference,
    Judged,
    Sample,
    _draws,
    auc,
    clip_scores,
    difference,
    evaluate,
    interval,
    mse_scores,
    pauc,
)

LABELS = [0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0]
SCORES = [0.1, 0.4, 0.35, 0.8, 0.8, 0.9, 0.2, 0.7, 0.7, 0.95, 0.3, 0.6]


def test_auc_and_pauc_are_scikit_learns() -> None:
    # roc_auc_score(LABELS, SCORES), and with max_fpr = 0.1, 0.3 and 1
    assert auc(LABELS, SCORES) == pytest.approx(0.8285714285714286, abs=1e-12)
    assert pauc(LABELS, SCORES) == pytest.approx(0.7210526315789474, abs=1e-12)
    assert pauc(LABELS, SCORES, 0.3) == pytest.approx(0.7703081232492999, abs=1e-12)
    assert pauc(LABELS, SCORES, 1.0) == pytest.approx(0.8285714285714286, abs=1e-12)


@pytest.mark.slow  # importing scikit-learn takes seconds
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


def judged(labels, scores, index=None, rounds: int = 1000, seed: int = 3) -> Judged:
    index = np.arange(len(labels)) if index is None else index
    return Bootstrap(labels, index, rounds, seed).judge(scores)


def test_interval_brackets_the_value_and_is_reproducible() -> None:
    labels, scores, index = _windows(1.0)
    first, again = (interval(judged(labels, scores, index).window) for _ in range(2))
    assert first == again
    assert first.low < first.value < first.high
    assert first.value == auc(labels[index], scores)


def test_drawing_clips_gives_the_interval_of_clips() -> None:
    labels, scores, index = _windows(1.0)
    by_clip = interval(judged(labels, scores, index).window)
    of_clips = interval(judged(labels, scores[::9]).clip)
    by_window = interval(judged(labels[index], scores).window)  # as if windows were independent
    assert (by_clip.low, by_clip.high) == pytest.approx((of_clips.low, of_clips.high))
    assert by_window.high - by_window.low < 0.5 * (by_clip.high - by_clip.low)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random, covered = np.random.default_rng(0), 0
    truth = 0.7602  # Phi(1 / sqrt(2)): two unit normals one deviation apart
    labels = np.arange(120) % 2
    for _ in range(100):
        found = interval(judged(labels, random.normal(labels * 1.0), rounds=200).clip)
        covered += found.low <= truth <= found.high
    assert 88 <= covered <= 99


clips_of_both_kinds = st.lists(
    st.tuples(st.booleans(), st.lists(st.integers(0, 6), min_size=1, max_size=4)),
    min_size=2,
    max_size=12,
).filter(lambda clips: len({label for label, _ in clips}) == 2)


@settings(max_examples=50)
@given(clips_of_both_kinds)
def test_a_draw_is_what_repeating_its_clips_gives(clips: list[tuple[bool, list[int]]]) -> None:
    labels = np.array([label for label, _ in clips])
    index = np.repeat(np.arange(len(clips)), [len(values) for _, values in clips])
    scores = np.concatenate([values for _, values in clips]).astype(float)
    found = judged(labels, scores, index, rounds=5)
    means = clip_scores(scores, index)
    counts = _draws(labels, 5, np.random.default_rng(3)).astype(int)
    for i, times in enumerate(counts):
        drawn = np.repeat(np.arange(len(clips)), times)
        assert found.clip.drawn[0, i] == pytest.approx(auc(labels[drawn], means[drawn]))
        assert found.clip_pauc.drawn[0, i] == pytest.approx(pauc(labels[drawn], means[drawn]))
        windows = np.repeat(np.arange(len(index)), times[index])
        truth, values = labels[index][windows], scores[windows]
        assert found.window.drawn[0, i] == pytest.approx(auc(truth, values))
        assert found.window_pauc.drawn[0, i] == pytest.approx(pauc(truth, values))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=40))
def test_auc_is_the_share_of_pairs_won(samples: list[tuple[bool, int]]) -> None:
    abnormal = np.array([s for label, s in samples if label])
    normal = np.array([s for label, s in samples if not label])
    found = auc(*zip(*samples, strict=True))
    if not len(abnormal) or not len(normal):
        assert found is None
        return
    apart = abnormal[:, None] - normal
    assert found == pytest.approx(np.mean((apart > 0) + (apart == 0) / 2))


def test_long_tests_are_judged_in_pieces_with_the_same_result(monkeypatch) -> None:
    labels, scores, index = _windows(1.0)
    whole = judged(labels, scores, index)
    monkeypatch.setattr(evaluate_module, "CHUNK", 7 * len(scores))
    np.testing.assert_array_equal(judged(labels, scores, index).window.drawn, whole.window.drawn)


def test_a_detector_is_not_ahead_of_itself_nor_of_its_scores_rescaled() -> None:
    labels, scores, index = _windows(1.0)
    one, same = (judged(labels, s, index).clip for s in (scores, 3 * scores + 1))
    assert difference(one, same) == Difference(0.0, 0.0, 0.0, 0.5)
    assert not difference(one, same).decided


def test_two_perfect_detectors_are_even() -> None:
    labels = np.arange(90) % 2
    scores = np.random.default_rng(0).uniform(size=(2, 90)) + 2 * labels
    a, b = (judged(labels, row).clip for row in (scores[0], np.round(scores[1], 1)))
    assert difference(a, b) == Difference(0.0, 0.0, 0.0, 0.5)


def test_differences_change_sign_with_the_order() -> None:
    labels, scores, index = _windows(1.0)
    noisy = scores + np.random.default_rng(5).normal(size=scores.shape)
    one, other = judged(labels, scores, index).clip, judged(labels, noisy, index).clip
    there, back = difference(one, other), difference(other, one)
    assert there.value == pytest.approx(-back.value)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.share == pytest.approx(1 - back.share)


def test_pairing_sees_what_separate_intervals_hide() -> None:
    """Two detectors that share the clips' luck: their intervals overlap, their difference not."""
    random = np.random.default_rng(2)
    labels = np.arange(200) % 2
    luck = random.normal(size=200)
    better, worse = luck + 1.4 * labels, luck + 1.1 * labels + 0.1 * random.normal(size=200)
    a, b = judged(labels, better).clip, judged(labels, worse).clip
    assert interval(a).low < interval(b).high
    found = difference(a, b)
    assert found.decided
    assert found.low > 0
    assert found.share > 0.99


def test_paired_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random, covered = np.random.default_rng(1), 0
    labels = np.arange(120) % 2
    truth = 0.9214 - 0.7602  # Phi(2 / sqrt(2)) - Phi(1 / sqrt(2))
    for _ in range(100):
        luck = random.normal(size=120)
        a, b = (judged(labels, luck + far * labels, rounds=100) for far in (2, 1))
        found = difference(a.clip, b.clip)
        covered += found.low <= truth <= found.high
    assert 88 <= covered <= 99


def test_samples_of_different_draws_are_not_paired() -> None:
    labels, scores, index = _windows(1.0)
    a, b = (judged(labels, scores, index, rounds) for rounds in (10, 20))
    with pytest.raises(ValueError, match="cannot be paired"):
        difference(a.clip, b.clip)


def test_seeds_are_averaged_and_widen_the_interval() -> None:
    labels, scores, index = _windows(1.5, clips=100)
    random = np.random.default_rng(4)
    steady = np.repeat(scores[None], 5, axis=0)
    unsteady = steady + random.normal(size=(5, 1)) ** 2 * random.normal(size=steady.shape)
    one = judged(labels, scores, index, 300)
    five = judged(labels, steady, index, 300)
    assert interval(five.clip).value == pytest.approx(interval(one.clip).value)
    assert interval(five.clip).high == pytest.approx(interval(one.clip).high)
    loose = judged(labels, unsteady, index, 300).clip
    means = [auc(labels, clip_scores(s, index)) for s in unsteady]
    assert interval(loose).value == pytest.approx(np.mean(means))
    only_clips = np.percentile(loose.drawn.mean(axis=0), [2.5, 97.5])
    assert interval(loose).high - interval(loose).low > only_clips[1] - only_clips[0]


def test_spread_of_seeds_is_in_the_interval_as_large_as_it_is() -> None:
    values = np.array([0.7, 0.8, 0.9, 0.75, 0.85])
    sample = Sample(values, np.repeat(values[:, None], 4000, axis=1))  # no luck of clips
    found = interval(sample)
    expected = 1.96 * values.std() / np.sqrt(5)
    assert found.value == pytest.approx(0.8)
    assert found.high - 0.8 == pytest.approx(expected, rel=0.1)


def test_a_test_without_abnormal_clips_cannot_be_judged() -> None:
    with pytest.raises(DataError, match="only one kind"):
        Bootstrap([0, 0], [0, 1])


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
    assert auc([1, 1], [0.1, 0.2]) is None


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
