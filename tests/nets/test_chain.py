"""Networks whose layers are listed: what they mean, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from outliernets.errors import ConfigError
from outliernets.graph import execute, verify
from outliernets.lower import lower
from outliernets.nets import zoo
from outliernets.nets.build import build
from outliernets.nets.layers import Layer
from outliernets.nets.sketch import sketch
from outliernets.nets.space import ArchSpec

EVERYTHING = (
    "separable 3x3 6",
    "max-pool 1x2",
    "conv 3x1 5 stride 1x2",
    "pointwise 4",
    "separable 1x3 8 stride 2x2",
    "conv 1x3 7 stride 2x2 linear",
    "latent 9 linear",
    "dense 5",
    "image 4x8x6",
    "upsample 2x2",
    "separable 3x1 3 linear",
    "pointwise 4",
    "upsample 2x4",
    "conv 3x3 1 linear",
    "upsample 1x2",
)


def chain(*listed: str, source: tuple[int, int] = (16, 128)) -> ArchSpec:
    return ArchSpec("a", "chain", input=source, listed=listed)


def shapes(spec: ArchSpec) -> list[tuple[object, ...]]:
    """All of the layers but their names."""
    return [tuple(v for k, v in vars(layer).items() if k != "name") for layer in spec.layers]


def test_toml_round_trip() -> None:
    spec = chain(*EVERYTHING)
    assert ArchSpec.from_toml(spec.to_toml()) == spec


def test_spaces_do_not_matter() -> None:
    text = chain(*EVERYTHING).to_toml()
    spaced = text.replace("conv 3x3 1 linear", "  conv  3x3 1   linear ")
    assert spaced != text
    assert ArchSpec.from_toml(spaced) == ArchSpec.from_toml(text)


def test_lists_what_the_families_are() -> None:
    fan = ["separable 3x3 4", "max-pool 1x2", "separable 3x3 5", "max-pool 1x2", "separable 3x3 8",
           "max-pool 4x4", "upsample 4x4", "separable 3x3 11", "upsample 1x2", "separable 3x3 8",
           "upsample 1x2", "separable 3x3 4", "separable 3x3 1 linear"]  # fmt: skip
    slider = ["conv 3x3 4 stride 1x2", "conv 3x3 4 stride 1x2", "conv 3x3 4 stride 2x2",
              "conv 3x3 8 stride 2x2", "conv 3x3 16 stride 2x2", "latent 8", "image 4x4x64",
              "upsample 2x2", "conv 3x3 12", "upsample 2x2", "conv 3x3 8", "upsample 2x2",
              "conv 3x3 8", "upsample 1x2", "conv 3x3 4", "upsample 1x2",
              "conv 3x3 1 linear"]  # fmt: skip
    for name, listed in (("fan-686", fan), ("slider-21781", slider)):
        assert shapes(chain(*listed, source=(32, 128))) == shapes(zoo.get(name))
    dense = ArchSpec("d", "dense", (64, 16, 4, 12))
    listed = ["dense 16", "dense 4 linear", "dense 12", "image 1x64x1 linear"]
    assert shapes(chain(*listed, source=(1, 64))) == shapes(dense)


def test_layers_are_named_by_kind_so_that_a_pool_more_renames_no_convolution() -> None:
    names = [layer.name for layer in chain(*EVERYTHING).layers]
    assert names[:4] == ["separable1", "max_pool1", "conv1", "pointwise1"]
    assert len(set(names)) == len(names)


def test_sketch_has_its_macs_and_computes_the_same_after_the_passes() -> None:
    spec = chain(*EVERYTHING)
    graph = sketch("net", spec.layers)
    verify(graph)
    assert graph.macs == spec.macs
    x = np.random.default_rng(2).integers(-128, 128, graph.x.shape, np.int8)
    y = execute(graph, x)
    assert len(np.unique(y)) > 10
    np.testing.assert_array_equal(execute(lower(graph).graph, x), y)


def test_keras_builds_it() -> None:
    spec = chain(*EVERYTHING)
    model = build(spec)
    assert model.count_params() == spec.params
    assert model.output_shape == model.input_shape == (None, 16, 128, 1)
    for layer in spec.layers:
        name = f"{layer.name}_image" if layer.kind == "dense" else layer.name
        assert model.get_layer(name).output.shape[1:] == layer.target


def test_a_strided_separable_convolution_steps_once() -> None:
    layer = chain("separable 3x3 8 stride 2x2", "upsample 2x2", "pointwise 1").layers[0]
    assert layer == Layer(
        "separable1", "separable", (16, 128, 1), (8, 64, 8), (3, 3), (2, 2), relu=True
    )
    assert layer.macs == 8 * 64 * (9 + 8)


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (["conf 3x3 1"], r"layer 1 'conf 3x3 1': unknown layer 'conf'; did you mean 'conv'"),
        (["conv 3x3"], r"write it as 'conv 3x3 8', 'stride 2x2' behind it, 'linear' at the end"),
        (["max-pool 2"], r"cannot read this; write it as 'max-pool 1x2'$"),
        (["conv 3x3 1 linear stride 2x2"], r"cannot read this"),
        (["conv 0x3 1"], r"layer 1 'conv 0x3 1': 0 is not within 1\.\.4096"),
        (["pointwise 5000"], r"5000 is not within 1\.\.4096"),
        (["separable 3x3 1 stride 1x2"], r"steps equally both ways"),
        (["max-pool 1x2", "max-pool 32x2"], r"pool is larger than its map, 16 x 64 x 1"),
        (["max-pool 1x3", "upsample 1x3"], r"make 16 x 126 x 1 of an input of 16 x 128 x 1"),
        (["conv 3x3 2"], r"network 'a': the layers make 16 x 128 x 2"),
        ([], r"takes an input and a list of layers"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(listed: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        chain(*listed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('layers = ["pointwise 1"]', r"input must be \[rows, bands\], as \[32, 128\], got None"),
        ('input = [32, true]\nlayers = ["pointwise 1"]', r"input must be \[rows, bands\]"),
        ('input = [0, 128]\nlayers = ["pointwise 1"]', r"network 'a', input: 0 is not within"),
        ("input = [32, 128]\nlayers = [1]", r"layers must be a list of texts"),
        ('input = [32, 128]\nlayers = "pointwise 1"', r"layers must be a list of texts"),
        ("input = [32, 128]\nrows = 8\nlayers = []", r"unknown key 'rows'; .*input, layers"),
    ],
)
def test_bad_toml_says_what_and_where(lines: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'name = "a"\nfamily = "chain"\n{lines}\n')
    with pytest.raises(ConfigError, match=message):
        ArchSpec.load(path)


def test_what_is_of_another_family_is_refused() -> None:
    with pytest.raises(ConfigError, match="takes an input and a list of layers"):
        ArchSpec("a", "chain", (1, 2, 3), input=(1, 64), listed=("pointwise 1",))
    with pytest.raises(ConfigError, match="family linear takes 2 widths"):
        ArchSpec("a", "linear", (64, 4), listed=("pointwise 1",))
