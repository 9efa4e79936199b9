"""Weights of a parent: all of them where shapes are equal, what fits where they are not."""

import numpy as np
import pytest

from outliernets.nets.build import build, randomise
from outliernets.nets.space import ArchSpec
from outliernets.search.inherit import ALIKE, inherit, likeness, nearest, pairs


def chain(*layers: str, size: tuple[int, int] = (8, 16)) -> ArchSpec:
    return ArchSpec("test", "chain", input=size, listed=layers)


def between(width: int, kind: str = "conv 3x3") -> ArchSpec:
    """Return a network whose middle layer is so wide."""
    return chain("conv 3x3 4", "max-pool 2x2", f"{kind} {width}", "upsample 2x2", "conv 1x3 1")


def grown(spec: ArchSpec, seed: int = 0):
    """Return a model of ``spec`` with weights and biases, as training might leave them."""
    import keras

    keras.utils.set_random_seed(seed)
    model = build(spec)
    randomise(model, np.random.default_rng(seed))
    return model


def weights(model) -> dict[str, np.ndarray]:
    return {variable.path: variable.numpy() for variable in model.variables}


def answers(model) -> np.ndarray:
    shape = (3, *model.input_shape[1:])
    return np.asarray(model(np.random.default_rng(5).normal(size=shape).astype(np.float32)))


VECTOR = ("conv 3x3 4 stride 2x2", "latent 6", "image 4x8x4", "upsample 2x2", "separable 3x1 1")
DENSE = ("dense 12", "dense 4 linear", "dense 12", "image 1x16x1 linear")


@pytest.mark.parametrize(
    "spec",
    [between(8), between(8, "separable 3x1"), chain(*VECTOR), chain(*DENSE, size=(1, 16))],
    ids=["conv", "separable", "vector", "dense"],
)
def test_equal_shapes_take_everything(spec) -> None:
    parent, child = grown(spec, 1), grown(spec, 2)
    assert likeness(spec, spec) == 1
    inherit(child, spec, spec, weights(parent))
    np.testing.assert_array_equal(answers(child), answers(parent))


def silenced(model, name: str, channels: list[int]) -> None:
    """Have channels of a layer say nothing: they are those of least norm."""
    *first, kernel, bias = model.get_layer(name).get_weights()
    kernel[..., channels], bias[channels] = 0, 0
    model.get_layer(name).set_weights([*first, kernel, bias])


@pytest.mark.parametrize(
    ("wide", "narrow", "name", "silent"),
    [
        (between(8), between(5), "conv2", [0, 3, 4]),
        (between(6, "separable 3x3"), between(4, "separable 3x3"), "separable1", [1, 5]),
        (
            chain(*VECTOR),
            chain("conv 3x3 4 stride 2x2", "latent 4", *VECTOR[2:]),
            "latent1",
            [0, 4],
        ),
        (
            chain(*DENSE, size=(1, 16)),
            chain("dense 9", *DENSE[1:], size=(1, 16)),
            "dense1",
            [2, 3, 7],
        ),
    ],
    ids=["conv", "separable", "latent", "dense"],
)
def test_a_narrower_child_keeps_what_is_strong_and_answers_alike(wide, narrow, name, silent):
    parent, child = grown(wide, 1), grown(narrow, 2)
    silenced(parent, name, silent)
    inherit(child, narrow, wide, weights(parent))
    np.testing.assert_allclose(answers(child), answers(parent), rtol=1e-5, atol=1e-6)


def test_an_image_of_fewer_channels_is_read_as_what_it_was() -> None:
    wide = chain("latent 4", "image 8x16x6", "separable 3x3 4", "pointwise 1")
    narrow = chain("latent 4", "image 8x16x3", "separable 3x3 4", "pointwise 1")
    parent, child = grown(wide, 1), grown(narrow, 2)
    dense = parent.get_layer("image1")
    kernel, bias = (values.reshape(-1, 8 * 16, 6) for values in dense.get_weights())
    kernel[..., [0, 2, 5]], bias[..., [0, 2, 5]] = 0, 0
    dense.set_weights([kernel.reshape(4, -1), bias.reshape(-1)])
    inherit(child, narrow, wide, weights(parent))
    np.testing.assert_allclose(answers(child), answers(parent), rtol=1e-5, atol=1e-6)


def test_a_wider_child_takes_what_fits_and_begins_the_rest_anew() -> None:
    parent, child = grown(between(4), 1), grown(between(7), 2)
    before = weights(child)
    inherit(child, between(7), between(4), weights(parent))
    after, given = weights(child), weights(parent)
    np.testing.assert_array_equal(after["conv2/kernel"][..., :4], given["conv2/kernel"])
    np.testing.assert_array_equal(after["conv2/bias"][:4], given["conv2/bias"])
    np.testing.assert_array_equal(after["conv2/kernel"][..., 4:], before["conv2/kernel"][..., 4:])
    np.testing.assert_array_equal(after["conv3/kernel"][:, :, :4], given["conv3/kernel"])


def test_layers_are_paired_in_order_past_one_that_only_one_has() -> None:
    child = chain("conv 3x3 4", "pointwise 6", "conv 3x3 4", "conv 1x3 1")
    parent = chain("conv 3x3 4", "conv 3x3 8", "separable 3x3 8", "conv 1x3 1")
    assert [(a.name, b.name) for a, b in pairs(child, parent)] == [
        ("conv1", "conv1"),
        ("conv2", "conv2"),
        ("conv3", "conv3"),
    ]
    assert likeness(child, parent) == pytest.approx((36 + 9 * 4 * 4 + 12) / (36 + 24 + 216 + 12))


def test_the_nearest_is_the_first_that_gives_most_and_none_gives_too_little() -> None:
    others = [("a", between(2)), ("b", between(6)), ("c", between(6)), ("d", between(30))]
    found = nearest(between(8), others[:3])
    assert found is not None
    assert (found.whose, found.share) == ("b", likeness(between(8), between(6)))
    assert likeness(between(8), chain("separable 3x3 4", "pointwise 1")) < ALIKE
    assert nearest(between(8), [("x", chain("separable 3x3 4", "pointwise 1"))]) is None
    assert nearest(between(8), []) is None


def test_other_kinds_and_maps_give_nothing() -> None:
    assert likeness(chain(*VECTOR), chain(*DENSE, size=(1, 16))) == 0
    half = chain("latent 6", "image 4x16x4", "upsample 2x1", "pointwise 1")
    whole = chain("latent 6", "image 8x16x4", "pointwise 1")
    assert [a.name for a, _ in pairs(half, whole)] == ["latent1", "pointwise1"]
