"""A detector's TOML file: read as written, and one line for what is wrong with it."""

from dataclasses import replace

import pytest

from outliernets.config import Task
from outliernets.detectors import specified
from outliernets.detectors.library import library
from outliernets.detectors.spec import AlarmSpec, DetectorSpec
from outliernets.errors import ConfigError
from outliernets.nets import zoo
from outliernets.nets.space import ArchSpec
from outliernets.score import ScoreSpec
from outliernets.view import Part, ViewSpec

STEADY = library()["steady"]
MINE = DetectorSpec(
    "mine",
    ArchSpec("small", "dense", (96, 8, 4, 8)),
    ViewSpec(parts=(Part("mean", 64, 1.5), Part("maximum", 32))),
    ScoreSpec("mahalanobis", bands=32, memory=8),
    AlarmSpec(smoothing=0, windows=3),
)


PART = DetectorSpec(
    "part",
    ArchSpec("small", "chain", input=(8, 64), listed=("pointwise 1 linear",)),
    ViewSpec(2, frames=16, bands=(64, 128)),
)
NONE = DetectorSpec(
    "no-network", ArchSpec("no-network", "none", input=(1, 96)), MINE.view, MINE.score, MINE.alarm
)


def refused_in_one_line(spec: DetectorSpec, change: tuple[str, str], says: str) -> None:
    text = spec.to_toml()
    assert change[0] in text
    with pytest.raises(ConfigError, match=says) as caught:
        DetectorSpec.from_toml(text.replace(*change), "own.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spec",
    [
        MINE,
        NONE,
        specified("no-network+peak", Task.parse("fan/06/6dB")),
        replace(PART, network=ArchSpec("nothing", "none", input=(8, 64))),
        *library().values(),
        DetectorSpec("paper", zoo.get("fan-686")),
        replace(MINE, view=replace(MINE.view, frames=16, bands=(0, 64))),
        PART,
        replace(PART, view=ViewSpec(frames=8, bands=(4, 68))),
    ],
    ids=lambda spec: spec.name,
)
def test_what_is_written_is_read(spec: DetectorSpec) -> None:
    assert DetectorSpec.from_toml(spec.to_toml()) == spec


def test_a_file_may_leave_out_what_is_usual(tmp_path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\n[network]\n' + zoo.get("fan-686").to_toml())
    spec = specified(str(path), Task.parse("fan/06/6dB"))
    assert spec == DetectorSpec("own", zoo.get("fan-686"))
    assert (spec.view, spec.score.kind) == (ViewSpec(), "mse")


@pytest.mark.parametrize(
    ("view", "shape"),
    [("", (32, 128)), ("pool = 8\nbands = [0, 64]", (4, 64)), ("mean = 16\nmaximum = 8", (1, 24))],
)
def test_no_network_needs_no_more_than_to_be_said(view: str, shape: tuple[int, int]) -> None:
    spec = DetectorSpec.from_toml(f'name = "a"\n[view]\n{view}\n[network]\nfamily = "none"\n')
    assert spec.network == ArchSpec("no-network", "none", input=shape)
    assert (spec.network.input_shape, spec.network.params, spec.network.macs) == (shape, 0, 0)
    assert DetectorSpec.from_toml(spec.to_toml()) == spec


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("input = [1, 96]", "input = [1, 64]"), "has 1 x 96 values, network 'no-network' reads 1"),
        (("input = [1, 96]", "input = 96"), r"\[network\]: input must be \[rows, bands\].* got 96"),
        (("input = [1, 96]", "input = [1, true]"), r"input must be \[rows, bands\]"),
        (("input = [1, 96]", "input = [0, 96]"), "input: 0 is not within 1..4096"),
        (("input = [1, 96]", "bands = 96"), r"\[network\]: unknown key 'bands'; .*input"),
        (('family = "none"', 'family = "nome"'), "unknown family 'nome'; did you mean 'none'"),
        (('family = "none"', 'family = "chain"'), "layers must be a list of texts"),
        (("bands = 32", "bands = 36"), "96 columns of the view do not pool to the score's 36"),
    ],
)
def test_mistakes_without_a_network_are_one_line(change: tuple[str, str], says: str) -> None:
    refused_in_one_line(NONE, change, says)


def test_no_network_takes_no_widths() -> None:
    for wrong in ({}, {"widths": (3,)}, {"rows": 8}, {"listed": ("dense 4",)}):
        shape = {"input": (8, 64)} if wrong else {}
        with pytest.raises(ConfigError, match="family none takes an input and nothing else"):
            ArchSpec("a", "none", **shape, **wrong)


def test_the_library_is_small_and_needs_no_chance() -> None:
    assert set(library()) == {"steady", "transient"}
    for spec in library().values():
        assert spec.network.family == "linear"
        assert spec.network.params <= 3000


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("[view]", "[vew]"), "unknown key 'vew'; did you mean 'view'"),
        (("mean = 32", "men = 32"), r"\[view\]: unknown key 'men'; did you mean 'mean'"),
        (("mean = 32", "mean = 30"), "128 bands do not pool to 30 of mean"),
        (("mean = 32", 'mean = "32"'), "mean must be a whole number, got '32'"),
        (("mean = 32", "mean = 16"), "the view has 1 x 48 values, network 'linear-1612' reads"),
        (("{ mean = 1.5 }", "3"), "weight must be a table"),
        (
            ("mean = 32", "mean = 32\nbands = 64"),
            r"bands must be \[first, behind the last\], got 64",
        ),
        (("mean = 32", "mean = 32\nframes = 99"), "view: 99 frames and bands 0 to 128 of windows"),
        (("mean = 32", "mean = 32\nframes = 1.5"), "frames must be a whole number, got 1.5"),
        (("1.5", "0"), "weight = 0 of mean is not possible"),
        (("mean = 32", "mean = 32\npool = 2"), "either pool or statistics"),
        (('"bands"', '"band"'), "unknown kind 'band'; did you mean 'bands'"),
        (('"bands"', '"mse"'), "mse has no memory"),
        (("bands = 64\nmemory", "bands = 48\nmemory"), "do not pool to the score's 48 bands"),
        (("memory = 2", "memory = 0"), "memory = 0 windows is not possible; give 1 ... 1024"),
        (("smoothing = 2", "smoothing = 20"), "smoothing = 20 is not possible"),
        (("factors = 12", ""), r"\[network\]: factors must be an integer"),
        (("[alarm]", "[alarm"), "not TOML"),
    ],
)
def test_mistakes_are_one_line(change: tuple[str, str], says: str) -> None:
    refused_in_one_line(STEADY, change, says)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot read the detector"):
        DetectorSpec.load(tmp_path / "none.toml")


def test_a_network_that_reads_something_else_is_refused() -> None:
    with pytest.raises(ConfigError, match="the view has 32 x 128 values"):
        replace(STEADY, view=ViewSpec())
