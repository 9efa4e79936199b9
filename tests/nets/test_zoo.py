"""The zoo has the paper's cost in every row, by formula and as Keras counts it."""

import pytest

from outliernets.config import Task
from outliernets.errors import ConfigError
from outliernets.nets import zoo

ROWS = zoo.PAPER_ROWS


def test_table_1_has_its_24_rows_and_mean_auc() -> None:
    assert len({row.task for row in ROWS}) == 24
    for machine, (outliernets, cae_mcs) in zoo.PAPER_MEAN_AUC.items():
        rows = [row for row in ROWS if row.task.machine == machine]
        assert sum(row.auc for row in rows) / 12 == pytest.approx(outliernets, abs=0.06)
        assert sum(row.auc_cae_mcs for row in rows) / 12 == pytest.approx(cae_mcs, abs=0.06)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.task))
def test_parameters_are_exactly_the_papers(row: zoo.PaperRow) -> None:
    spec = zoo.get(row.task)
    assert spec.params == row.params
    assert row.params * 4 / 1024 == pytest.approx(row.size_kb, abs=0.051)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.task))
def test_flops_are_the_papers_within_print_rounding(row: zoo.PaperRow) -> None:
    assert row.prints_flops_of(zoo.get(row.task).flops)


def test_flops_and_macs_by_hand() -> None:
    # fan-686, MACs per separable layer: pixels * (9 * in + in * out)
    macs = 4096 * 13 + 2048 * 56 + 1024 * 85 + 1024 * 160 + 2048 * 187 + 4096 * 104 + 4096 * 40
    biases = 4096 * 4 + 2048 * 5 + 1024 * 8 + 1024 * 11 + 2048 * 8 + 4096 * 4 + 4096
    spec = zoo.get("fan-686")
    assert (spec.macs, spec.flops) == (macs, 2 * macs + biases)


def test_cae_mcs_has_its_published_cost() -> None:
    spec = zoo.get("cae-mcs")
    assert spec.params == 4_133_673
    assert round(spec.macs / 1e6) == 289


def test_every_network_ends_where_it_began() -> None:
    for name in zoo.names():
        layers = zoo.get(name).layers
        assert layers[0].source == layers[-1].target == (32, 128, 1)
        assert len({layer.name for layer in layers}) == len(layers)


def test_lookup_by_name_task_and_text() -> None:
    assert zoo.get("fan-686") is zoo.get("fan/06/6dB") is zoo.get(Task("fan", "06", "6dB"))
    assert zoo.names()[0] == "fan-686"
    assert len(zoo.names()) == 23
    row = zoo.paper_row(Task("slider", "06", "-6dB"))
    assert row is not None
    assert row.auc == 61.9


def test_any_other_machine_gets_the_default() -> None:
    assert zoo.default_for(Task("pump", "00", "0dB")).name == zoo.DEFAULT
    assert zoo.default_for(Task("slider", "02", "6dB")).name == "slider-69877"
    assert zoo.paper_row(Task("pump", "00", "0dB")) is None


@pytest.mark.parametrize(
    ("name", "message"),
    [("fan-68", "did you mean 'fan-686'"), ("fan/06/12dB", "did you mean 'fan/06/6dB'")],
)
def test_unknown_names_say_what_is_close(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        zoo.get(name)
