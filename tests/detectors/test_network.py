"""Autoencoders as detectors: the training of the build, other views and other scores."""

import numpy as np
import pytest

from outliernets import evaluate
from outliernets.config import Task
from outliernets.detectors import get
from outliernets.detectors.dense import SPEC
from outliernets.detectors.network import Network
from outliernets.detectors.views import MEANS, vectors
from outliernets.errors import DataError
from tests.detectors.sound import hums

TASK = Task.parse("fan/06/6dB")
TRAIN, HELD_OUT = hums(512), hums(32, seed=1)


def test_the_dense_autoencoder_is_the_one_of_the_docs() -> None:
    assert (SPEC.params, SPEC.macs) == (2276, 2176)
    shapes = [layer.target for layer in SPEC.layers]
    assert shapes == [(1, width, 1) for width in (16, 4, 16, 64)]
    assert [layer.relu for layer in SPEC.layers] == [True, False, True, False]


@pytest.mark.slow  # trains, with TensorFlow
def test_the_dense_autoencoder_learns_and_hears_a_fault() -> None:
    detector = get("dense-ae", TASK, steps=600)
    told: list[tuple[int, int, str]] = []
    fitted = detector.fit(TRAIN, HELD_OUT, seed=1, progress=lambda *args: told.append(args))
    assert told[-1][:2] == (600, 600)
    assert (fitted.params, fitted.macs) == (2276, 2176)
    clips = np.arange(120)
    test = np.concatenate([hums(60, seed=2), hums(60, seed=3, level=1.2)])
    scores = fitted.scores(test, clips)
    without = np.mean(vectors(MEANS, test) ** 2, axis=1)
    assert scores[:60].mean() < 0.5 * without[:60].mean()
    labels = np.repeat([0, 1], 60)
    heard, ignored = evaluate.auc(labels, scores), evaluate.auc(labels, without)
    assert heard is not None
    assert ignored is not None
    assert heard > ignored + 0.2


@pytest.mark.slow  # trains, with TensorFlow
@pytest.mark.parametrize("name", ["fan-686+mahalanobis", "dense-ae+running"])
def test_networks_train_repeatably_and_count_their_score(name: str) -> None:
    detector = get(name, TASK, steps=2)
    assert isinstance(detector, Network)
    one, same = (detector.fit(TRAIN[:24], HELD_OUT[:8], seed=5) for _ in range(2))
    clips = np.repeat([0, 1], 6)
    scores = one.scores(HELD_OUT[:12], clips)
    assert scores.shape == (12,)
    assert (scores >= 0).all()
    np.testing.assert_array_equal(same.scores(HELD_OUT[:12], clips), scores)
    extra = 560 if "mahalanobis" in name else 0
    assert one.params == detector.spec.network.params + extra


def test_windows_that_cannot_be_learned_are_refused_before_training() -> None:
    broken = np.full_like(TRAIN, np.nan)
    with pytest.raises(DataError, match="training windows contain NaN"):
        get("dense-ae", TASK).fit(broken, HELD_OUT, seed=1)
