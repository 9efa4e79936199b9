"""``ongen table --footprint``: all networks, exact, and measured even where they do not fit."""

from itertools import pairwise
from pathlib import Path

import pytest

from outliernets import boards
from outliernets.errors import ConfigError, MissingToolError
from outliernets.nets import zoo
from outliernets.pipeline import footprint as module
from outliernets.pipeline import footprint_table
from outliernets.pipeline.stage import Silence
from outliernets.pipeline.untrained import paper_networks
from outliernets.report import footprint_page


def test_table_1_has_every_network_once():
    specs = paper_networks()
    assert len({spec.widths for spec in specs}) == len(specs)
    assert {zoo.get(row.task) for row in zoo.PAPER_ROWS} == set(specs[:-1])
    assert specs[-1].name == "cae-mcs"


@pytest.mark.parametrize("name", boards.names())
def test_a_roomy_board_keeps_its_regions_apart(name):
    board = boards.load(name)
    target = board.default_target
    if not board.memory:
        with pytest.raises(ConfigError, match="says nothing about its memory"):
            module.roomy(board, target)
        return
    before, after = board.variant(target), module.roomy(board, target).variant(target)
    pairs = list(zip(after.memory, before.memory, strict=True))
    roomy = [a for a, b in pairs if a.size > b.size or b.size >= module.ROOM]
    assert {m.role for m in roomy} == {"code", "data"}
    assert all(a.size >= b.size for a, b in pairs)
    places = [(base, base + m.size) for m in after.memory for base in (m.base, m.alias)
              if base is not None]  # fmt: skip
    places.sort()
    assert all(a[1] <= b[0] for a, b in pairwise(places))


def test_no_compiler_is_found_before_any_work(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingToolError, match="arm-none-eabi-gcc"):
        footprint_table("stm32f746", Silence(), ["gcc"])


def test_unknown_networks_are_refused():
    with pytest.raises(ConfigError, match="did you mean 'fan-686'"):
        footprint_table("stm32f746", Silence(), networks=["fan-687"])


SMALL_FLASH = 0x4000


@pytest.fixture
def small_board(tmp_path: Path, pytestconfig) -> Path:
    """The STM32F746 with 16 KiB of flash."""
    text = (pytestconfig.rootpath / "boards" / "stm32f746.toml").read_text()
    first = text.index("size = 0x10_0000")
    path = tmp_path / "small.toml"
    path.write_text(text[:first] + text[first:].replace("0x10_0000", hex(SMALL_FLASH), 1))
    return path


@pytest.mark.slow
@pytest.mark.emulator
def test_a_network_is_measured_whether_it_fits_or_not(small_board: Path, has_compiler):
    has_compiler("gcc")
    pytest.importorskip("unicorn")
    tables = [
        footprint_table(str(board), Silence(), ["gcc"], networks=["fan-686"])
        for board in ("stm32f746", small_board)
    ]
    (fits,), (misfits,) = (table["networks"] for table in tables)
    assert (fits["tasks"], fits["params"], fits["macs"]) == (["fan/06/6dB"], 686, 1_391_616)
    here, there = fits["compilers"]["gcc"], misfits["compilers"]["gcc"]
    assert here["exact"]
    assert there["exact"]
    assert (here["fits"], here["why"]) == (True, None)
    assert not there["fits"]
    assert there["why"].startswith("does not fit small: flash overflows by")
    assert there["program_flash"] > SMALL_FLASH
    # More memory changes neither the code nor what it does.
    for key in ("instructions", "flash", "ram"):
        assert here[key] == there[key] > 0
    assert "fan-686 does not fit small" in footprint_page(tables[1], "ongen table")
    assert "does not fit" not in footprint_page(tables[0], "ongen table")
