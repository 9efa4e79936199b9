"""Every combination of decisions is a detector that can be written, built and compiled."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bench.detector_costs import random_points
from outliernets.detectors.dense import SPEC as DENSE
from outliernets.detectors.library import library
from outliernets.detectors.spec import DetectorSpec
from outliernets.detectors.views import MEANS
from outliernets.errors import ConfigError
from outliernets.graph import execute, verify
from outliernets.lower import lower
from outliernets.nets.build import build
from outliernets.nets.sketch import sketch_of
from outliernets.nets.space import ArchSpec
from outliernets.score import ScoreSpec
from outliernets.search import space
from outliernets.train.quantize import to_int8
from tests.keras_models import random_model
from tests.legs import assert_three_legs

SMALL = 200_000  #: parameters of what tests go through with
points = st.fixed_dictionaries({name: st.sampled_from(o) for name, o in space.DECISIONS.items()})
frames = st.builds(
    lambda point, view: point | {"view": view, "frames_network": "convolutions"},
    points,
    st.sampled_from(["pool 8", "pool 4", "pool 2", "window"]),
)


# ---- every point --------------------------------------------------------------------------


@settings(max_examples=150)
@given(points)
def test_is_a_detector_that_can_be_written_and_read(point: dict[str, Any]) -> None:
    spec = space.detector(point)
    assert DetectorSpec.from_toml(spec.to_toml()) == spec
    layers = spec.network.layers
    rows, columns = spec.view.shape(32, 128)
    assert (rows, columns) == spec.network.input_shape
    if spec.network.family == "none":
        assert not layers
        return
    assert layers[0].source == layers[-1].target == (rows, columns, 1)
    assert not layers[-1].relu


@settings(max_examples=40)
@given(frames)
def test_lowers_to_what_computes_the_same(point: dict[str, Any]) -> None:
    spec = space.detector(point)
    if spec.network.params > SMALL or spec.network.macs > 3_000_000:
        return
    graph = sketch_of(spec.network)
    verify(graph)
    assert graph.macs == spec.network.macs
    lowered = lower(graph)
    x = np.random.default_rng(1).integers(-128, 128, graph.x.shape, np.int8)
    np.testing.assert_array_equal(execute(lowered.graph, x), execute(graph, x))


@pytest.mark.slow
@settings(max_examples=8)
@given(points)
def test_keras_builds_it(point: dict[str, Any]) -> None:
    network = space.detector(point).network
    assume(network.layers)
    model = build(network)
    assert model.input_shape == model.output_shape == (None, *network.input_shape, 1)
    assert model.count_params() == network.params


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5, 9])
def test_generated_c_and_numpy_are_tensorflow_lite_micro_to_the_bit(
    seed: int, tmp_path: Path
) -> None:
    spec = random_points(10)[seed].network
    windows = np.random.default_rng(seed).normal(size=(20, *spec.input_shape))
    model = to_int8(random_model(spec), windows.astype(np.float32), 6.0)
    graph = assert_three_legs(model, tmp_path, count=4)
    assert graph.macs == spec.macs


# ---- names, decisions ---------------------------------------------------------------------


@settings(max_examples=50)
@given(points, points)
def test_equal_detectors_have_equal_names_and_others_have_others(
    point: dict[str, Any], other: dict[str, Any]
) -> None:
    same = space.detector(point | {"latent": 0, "seed": 2, "view": "window", "code": 4})
    seed_ignored = space.detector(point | {"latent": 0, "seed": 8, "view": "window", "code": 4})
    if point["frames_network"] == "convolutions":
        assert same == seed_ignored
    one, two = space.detector(point), space.detector(other)
    assert (one.name == two.name) == (
        replace(one, name="", network=replace(one.network, name=""))
        == replace(two, name="", network=replace(two.network, name=""))
    )
    assert one.name == one.network.name


def test_what_does_not_matter_is_not_looked_at() -> None:
    point = space.hand_made()[0] | {"score": "mse"}
    matters = {
        name
        for name, options in space.DECISIONS.items()
        if any(space.detector(point | {name: o}) != space.detector(point) for o in options)
    }
    views = {"view", "detail", "frames", "bands_seen"}
    assert matters == {*views, "statistics_network", "factors", "score"}
    bands = point | {"score": "bands"}
    assert space.detector(bands) != space.detector(bands | {"memory": 16})
    assert space.detector(point) == space.detector(point | {"score": "peak"})  # of one row


def test_both_families_of_the_paper_are_in_the_space() -> None:
    whole = space.hand_made()[0] | {"view": "window", "score": "mse"}
    fan = whole | {"frames_network": "convolutions", "levels": 3}
    widths = {"encoder": (4, 6, 8), "decoder": (4, 8, 12)}
    for part, chosen in widths.items():
        for i, width in enumerate(chosen, 1):
            fan |= {f"{part}_{i}": "separable 3x3", f"{part}_{i}_width": width}
    fan |= {"down_1": "max-pool 1x2", "down_2": "max-pool 1x2", "out": "separable 3x3"}
    member = ArchSpec("f", "fan", (4, 6, 8, 12, 8, 4))
    assert _shapes(space.detector(fan).network) == _shapes(member)

    slider = fan | {"levels": 5, "latent": 8, "seed": 32, "out": "conv 3x3", "decoder_1": "none"}
    for i, down in enumerate(("1x2", "1x2", "2x2", "2x2", "2x2"), 1):
        slider |= {
            f"encoder_{i}": "conv 3x3",
            f"encoder_{i}_width": 4,
            f"down_{i}": f"stride {down}",
        }
    for i in range(2, 6):
        slider |= {f"decoder_{i}": "conv 3x3", f"decoder_{i}_width": 12}
    member = ArchSpec("s", "slider", (4, 4, 4, 4, 4, 8, 32, 12, 12, 12, 12))
    assert _shapes(space.detector(slider).network) == _shapes(member)


def test_what_people_made_is_in_the_space() -> None:
    steady, transient, dense = map(space.detector, space.hand_made())
    for found, made in zip((steady, transient), library().values(), strict=True):
        network = replace(made.network, name=found.name)
        assert found == replace(made, name=found.name, network=network, alarm=found.alarm)
    assert (dense.view, dense.score) == (MEANS, ScoreSpec("mse"))
    assert _shapes(dense.network) == _shapes(DENSE)


def _shapes(network: ArchSpec) -> list[tuple[object, ...]]:
    return [tuple(v for k, v in vars(layer).items() if k != "name") for layer in network.layers]


def test_optuna_makes_the_decisions_in_order() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    trial = study.ask()
    point = space.decide(trial)
    assert list(point) == list(trial.params) == list(space.DECISIONS)
    assert space.decide(optuna.trial.FixedTrial(point)) == point
    space.detector(point)


@pytest.mark.parametrize("change", [{"levels": 9}, {"view": "windows"}, {"score": None}])
def test_decisions_of_another_space_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"search space 3: \w+ = .* is not one of"):
        space.detector(space.smallest() | change)
