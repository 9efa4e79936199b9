"""``--explain``: every instruction and table has an owner, every decision its reason."""

from pathlib import Path

import pytest

from outliernets.importer import read
from outliernets.kernels.rows import Rows
from outliernets.kernels.rows_pairs import RowsPairs
from outliernets.lower import lower
from outliernets.pipeline import compile_model
from outliernets.pipeline import explain as module
from outliernets.pipeline.stage import Silence
from outliernets.report import as_text
from tests.tflite_builder import SAME, VALID, TfliteBuilder

SMALL = {"padding": SAME, "strideH": 1, "strideW": 1}


def conv(b: TfliteBuilder, x: int, kernel: int, to: tuple[int, ...], zero: int = -128) -> int:
    """CONV_2D to a map of the shape ``to`` (rows, columns, channels)."""
    channels = b.tensors[x].shape[3]
    w = b.weights([to[2], kernel, kernel, channels], to[2])
    y = b.activation([1, *to], 0.05, zero)
    return b.op("CONV_2D", [x, w, b.bias(x, w, to[2])], y, "Conv2DOptions", **SMALL)


def upsampled(b: TfliteBuilder, x: int) -> int:
    _, rows, columns, channels = b.tensors[x].shape
    y = b.activation(
        [1, 2 * rows, 2 * columns, channels], 0.05, b.tensors[x].quantization.zeroPoint[0]
    )
    size = b.constant([2 * rows, 2 * columns])
    return b.op("RESIZE_NEAREST_NEIGHBOR", [x, size], y, "ResizeNearestNeighborOptions")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two convolutions, a pool, upsampling before 1x1 and 3x3, and a sum of two maps."""
    b = TfliteBuilder(seed=3)
    x = b.activation([1, 8, 12, 1])
    first = conv(b, conv(b, x, 3, (8, 12, 2)), 1, (8, 12, 3), 5)
    pooled = b.op(
        "MAX_POOL_2D", [first], b.activation([1, 4, 6, 3], 0.05, 5), "Pool2DOptions",
        padding=VALID, strideH=2, strideW=2, filterHeight=2, filterWidth=2,
    )  # fmt: skip
    wide = conv(b, conv(b, upsampled(b, pooled), 1, (8, 12, 2)), 3, (8, 12, 3))
    total = b.op("ADD", [first, wide], b.activation([1, 8, 12, 3]), "AddOptions")
    path = tmp_path / "both.tflite"
    path.write_bytes(b.build(x, total))
    return path


def test_decisions_say_why(model: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_constants", lambda elf: {})
    graph = read(model)
    groups = module.explain(graph, lower(graph), Path(), {}, {}, 1)
    rows, pooled, wide, add = groups
    assert [len(g["stages"]) for g in groups] == [2, 1, 2, 0]
    (whole,) = rows["why"]
    assert whole.startswith("in one piece: ")
    branched, cut = pooled["why"]
    assert branched == "the map of n01_conv2d is read more than once"
    assert cut.startswith("cut after n02_max_pool2d: ")
    assert wide["why"] == [cut]
    assert add["why"] == ["works on whole maps: it joins two maps"]
    linear = next(s for s in rows["stages"] if s["name"].startswith("n01"))
    assert "narrows by LINEAR: values below the zero point are kept" in linear["why"]
    assert pooled["stages"][0]["macs"] == 0
    pointwise, folded = wide["stages"]
    assert "moved before the upsampling: computed once per source pixel" in pointwise["why"]
    assert any("upsampling by 2x2 folded in" in why for why in folded["why"])
    assert rows["unstored_bytes"] == 8 * 12 * 2
    assert rows["instructions"] is rows["instructions_per_mac"] is None


def test_a_flavour_of_rows_may_say_less(model: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_constants", lambda elf: {})
    monkeypatch.setattr(RowsPairs, "notes", Rows.notes)
    graph = read(model)
    groups = module.explain(graph, lower(graph), Path(), {}, {}, 1)
    stages = [s for g in groups for s in g["stages"]]
    assert {s["kernel"] for s in stages} == {""}
    assert any("upsampling by 2x2 folded in" in why for s in stages for why in s["why"])


def test_clones_of_functions_belong_to_their_stage(model: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_constants", lambda elf: {"both_n00_rows_n00_table": 12})
    graph = read(model)
    counts = {
        "both_n00_rows": 10,
        "both_n00_rows_load.isra.0": 6,
        "both_n00_rows_n00": 100,
        "both_n00_rows_n00_channel.constprop.0": 800,
        "both_n00_rows_n01_tile": 40,
        "both_infer": 4,
        "not_both_n00_rows": 7,
        "main": 9,
    }
    first = module.explain(graph, lower(graph), Path(), counts, {"both_n00_rows": 4.0}, 2)[0]
    assert (first["instructions"], first["own_instructions"]) == (478, 8)
    assert (first["cycles"], first["own_cycles"]) == (2, 2)
    assert [s["instructions"] for s in first["stages"]] == [450, 20]
    assert [s["table_bytes"] for s in first["stages"]] == [12, 0]
    assert first["stages"][0]["instructions_per_mac"] == round(450 / (8 * 12 * 2 * 9), 3)


@pytest.mark.emulator
@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_the_groups_are_the_network(model: Path, tmp_path: Path, compiler, has_compiler) -> None:
    has_compiler(compiler)
    pytest.importorskip("unicorn")
    report = compile_model(
        model, "stm32f746", tmp_path / "lib", Silence(), toolchain_name=compiler, explained=True
    )
    assert report["verdict"] == "PASS"
    groups = report["groups"]
    rest = report["instructions"]["network"] - sum(g["instructions"] for g in groups)
    assert 0 <= rest < 100
    for group in groups:
        parts = [s["instructions"] for s in group["stages"]]
        assert group["instructions"] == sum(parts) + group["own_instructions"]
        assert all(count > 0 for count in parts)
        spent = [s["cycles"] for s in group["stages"]]
        assert group["cycles"] == sum(spent) + group["own_cycles"]
        assert all(0.4 * n < c < 4 * n for c, n in zip(spent, parts, strict=True))
    convolutions = [s for g in groups for s in g["stages"] if s["macs"]]
    assert all(s["table_bytes"] > 0 and s["kernel"] for s in convolutions)
    assert sum(s["macs"] for s in convolutions) <= report["macs"]
    left = report["cycles"]["estimated"] - sum(g["cycles"] for g in groups)
    assert 0 <= left < 200
    text = as_text(report)
    assert "moved before the upsampling" in text
    assert "works on whole maps: it joins two maps" in text


def test_without_being_asked_nothing_is_explained(model: Path, tmp_path: Path) -> None:
    report = compile_model(model, "host", tmp_path / "lib", Silence())
    assert "groups" not in report
    assert report["footprint"]["network_ram"] >= 8 * 12 + 8 * 12 * 3
