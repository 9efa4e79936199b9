"""A solved linear autoencoder leaves what the likelihood says is unusual."""

import numpy as np
import pytest

from outliernets.detectors.ppca import Ppca
from outliernets.detectors.views import MEANS
from outliernets.errors import DataError
from outliernets.nets.space import ArchSpec
from outliernets.train import principal
from outliernets.train.fit import reconstruct
from tests.detectors.sound import hums

SPEC = ArchSpec("linear-580", "linear", (64, 4))
TRAIN, TEST = hums(200), hums(30, seed=1)


def means(windows: np.ndarray) -> np.ndarray:
    return MEANS.raw(windows).astype(np.float32)


def test_squares_of_what_is_left_are_the_distance_of_ppca() -> None:
    left = principal.solution(SPEC, means(TRAIN)).residual(means(TEST))
    squares = np.sum(left.astype(float) ** 2, axis=(1, 2))
    expected = Ppca("ppca-4").fit(TRAIN, TRAIN[:0], seed=0).scores(TEST, np.arange(30))
    np.testing.assert_allclose(squares / squares[0], expected / expected[0], rtol=1e-4)


def test_the_network_computes_the_solution() -> None:
    x = means(TRAIN)
    model = principal.solve(SPEC, x)
    assert model.count_params() == SPEC.params == 580
    y = means(TEST)
    left = principal.solution(SPEC, x).residual(y)
    np.testing.assert_allclose(y - reconstruct(model, y), left, atol=1e-5)


def test_the_sign_of_a_direction_is_no_matter_of_chance() -> None:
    half = principal.solution(SPEC, means(TRAIN)).half
    largest = half[np.abs(half).argmax(axis=0), np.arange(4)]
    assert (largest > 0).all()


def test_sound_without_variation_is_solved_too() -> None:
    found = principal.solution(SPEC, np.ones((20, 1, 64), np.float32))
    assert np.isfinite(found.half).all()
    assert not found.residual(np.ones((1, 1, 64), np.float32)).any()


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.zeros((4, 1, 64), np.float32), "more than 4 windows to learn from, got 4"),
        (np.full((9, 1, 64), np.nan, np.float32), "NaN or infinite"),
    ],
)
def test_what_cannot_be_solved_is_refused(x: np.ndarray, says: str) -> None:
    with pytest.raises(DataError, match=says):
        principal.solution(SPEC, x)
