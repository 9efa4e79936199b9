"""Board files: all that ship can be read, and every mistake in one is named."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from outliernets import boards, resources
from outliernets.errors import ConfigError

SMALL = """\
title = "Small"
family = "small"
cpu = "cortex-m7"
clock_hz = 1_000_000
bsp = ["cortex-m"]
stack = 0x100

[[memory]]
name = "flash"
base = 0x0
size = 0x1000
role = "code"

[[memory]]
name = "ram"
base = 0x2000_0000
size = 0x1000
role = "data"

[targets.unicorn]
machine = "stm32f7"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "small.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", sorted(p.stem for p in resources.boards().glob("*.toml")))
def test_every_board_that_ships_is_whole(name: str) -> None:
    board = boards.load(name)
    assert board.name == name
    for variant in (board.native, *board.targets.values()):
        for folder in variant.bsp:
            assert list((resources.firmware() / "bsp" / folder).glob("*.[ch]")), folder
        if variant.memory:
            assert {"code", "data"} <= {m.role for m in variant.memory}
    assert name in boards.names()


def test_the_stm32f746_has_its_true_sizes() -> None:
    """RM0385 table 1 and section 2.2.2."""
    sizes = {m.name: (m.base, m.size) for m in boards.load("stm32f746").memory}
    assert sizes["flash"] == (0x0800_0000, 1024 * 1024)
    assert sizes["itcm"] == (0x0000_0000, 16 * 1024)
    assert sizes["dtcm"] == (0x2000_0000, 64 * 1024)
    assert sizes["sram1"] == (0x2001_0000, 240 * 1024)
    assert sizes["sram2"] == (0x2004_C000, 16 * 1024)


@pytest.mark.parametrize(
    ("name", "flash", "ram"),
    [
        ("stm32f446", 512 * 1024, 128 * 1024),  # DS10693
        ("stm32f207", 1024 * 1024, 128 * 1024),  # DS6329
        ("stm32g0b1", 512 * 1024, 128 * 1024),  # DS13560, with parity
    ],
)
def test_smaller_boards_are_one_piece_of_flash_and_one_of_ram(
    name: str, flash: int, ram: int
) -> None:
    board = boards.load(name)
    for variant in (board.native, *board.targets.values()):
        code, data = variant.regions
        assert (code.role, code.size) == ("code", flash)
        assert (data.role, data.base, data.size) == ("data", 0x2000_0000, ram)


def test_virt_a72_is_qemus_ram() -> None:
    """QEMU's hw/arm/virt.c: RAM from 1 GiB on, 128 MiB unless told otherwise."""
    code, data = boards.load("virt-a72").memory
    assert (code.base, code.end, data.end) == (1 << 30, data.base, (1 << 30) + (128 << 20))
    context = boards.linker_context(boards.load("virt-a72"), "qemu")
    assert context is not None
    assert context["stack_high"] == data.end
    assert boards.load("virt-a72").default_target == "qemu"


def test_a_target_inherits_what_it_does_not_say() -> None:
    board = boards.load("stm32f746")
    assert board.variant("unicorn").memory == board.memory == board.variant(None).memory
    assert board.variant("qemu").machine == "mps2-an500"
    assert board.variant("qemu").bsp != board.native.bsp


def test_a_users_own_file(tmp_path: Path) -> None:
    board = boards.load(write(tmp_path, SMALL))
    assert (board.name, board.native.stack) == ("small", 0x100)
    with pytest.raises(dataclasses.FrozenInstanceError):
        board.name = "other"  # type: ignore[misc]


def test_the_stack_is_at_the_top_of_data_where_no_region_is_its_own(tmp_path: Path) -> None:
    context = boards.linker_context(boards.load(write(tmp_path, SMALL)), "unicorn")
    assert context is not None
    assert (context["stack_low"], context["stack_high"]) == (0x2000_0F00, 0x2000_1000)
    assert {r["name"]: r["size"] for r in context["regions"]} == {"flash": 0x1000, "ram": 0xF00}


@pytest.mark.parametrize("name", ["stm32f446", "stm32f207", "stm32g0b1", "stm32f746"])
def test_data_and_stack_never_overlap(name: str) -> None:
    board = boards.load(name)
    for target in board.targets:
        context = boards.linker_context(board, target)
        assert context is not None
        low, high = context["stack_low"], context["stack_high"]
        assert high - low == context["stack_size"] == board.variant(target).stack
        for region in context["regions"]:
            assert region["base"] >= high or region["base"] + region["size"] <= low
        sizes = sum(r["size"] for r in context["regions"])
        assert sizes + high - low == sum(m.size for m in board.variant(target).memory)


FAST = """\
[[memory]]
name = "fast"
base = 0x1FFF_0000
size = 0x1_0000
role = "hot_data"

"""
QUICK = """\
[[memory]]
name = "quick"
base = 0x1000_0000
size = 0x1000
role = "hot_code"

"""


def small_with(*memories: str) -> str:
    """SMALL with memories between its flash and its RAM."""
    ram = '[[memory]]\nname = "ram"\n'
    return SMALL.replace(ram, "".join(memories) + ram)


def test_variables_begin_in_hot_data_and_go_on_behind(tmp_path: Path) -> None:
    board = boards.load(write(tmp_path, small_with(QUICK, FAST)))
    context = boards.linker_context(board, "unicorn")
    assert context is not None
    assert (context["code"], context["hot_code"], context["data"]) == ("flash", "quick", "fast_ram")
    assert (context["stack_low"], context["stack_high"]) == (0x1FFF_0000, 0x1FFF_0100)
    places = {r["name"]: (r["base"], r["size"]) for r in context["regions"]}
    assert places["fast_ram"] == (0x1FFF_0100, 0x1_1000 - 0x100)
    assert context["spare"] == []


STACK = QUICK.replace("hot_code", "stack")


@pytest.mark.parametrize(
    ("memories", "message"),
    [
        ((FAST, QUICK), "fast has the role 'hot_data' and ends at 0x20000000, where the next"),
        ((STACK, FAST), "no role 'stack' beside 'hot_data'"),
        ((QUICK, QUICK), "at most one .* role 'hot_code'"),
        ((FAST, FAST), "at most one .* role 'hot_data'"),
    ],
)
def test_a_mistake_in_hot_memory_is_named(
    tmp_path: Path, memories: tuple[str, ...], message: str
) -> None:
    text = small_with(*memories)
    if memories[0] == memories[1]:  # the same role, elsewhere
        text = text.replace('"quick"\nbase = 0x1', '"quick2"\nbase = 0x3', 1)
        text = text.replace('"fast"\nbase = 0x1', '"fast2"\nbase = 0x3', 1)
    with pytest.raises(ConfigError, match=message):
        boards.load(write(tmp_path, text))


def test_sources_of_sound(tmp_path: Path) -> None:
    assert boards.load("stm32f746").audio == ("microphones",)
    assert boards.load(write(tmp_path, SMALL)).audio == ()
    for audio, message in (
        ('["radio"]', r"small\.toml: audio names 'radio', .* \(line, mailbox, microphones\)"),
        ("[1]", "audio names 1"),
        ('"line"', "audio must be a list, not a string"),
    ):
        with pytest.raises(ConfigError, match=message):
            boards.load(write(tmp_path, f"audio = {audio}\n" + SMALL))


def test_linux_needs_no_linker_script() -> None:
    assert boards.linker_context(boards.load("cortex-a72"), "unicorn") is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "clock_hz =",
            "clok_hz =",
            r"small\.toml: unknown key 'clok_hz' \(did you mean 'clock_hz'",
        ),
        ("clock_hz = 1_000_000\n", "", "key 'clock_hz' is missing"),
        (
            "clock_hz = 1_000_000",
            "clock_hz = '1 MHz'",
            "clock_hz must be a whole number, not a string",
        ),
        ("clock_hz = 1_000_000", "clock_hz = 0", "not a positive"),
        ("stack = 0x100", "stack = 0x2000", "stack = 8192 .* at most 4096"),
        ('role = "data"', 'role = "date"', "unknown role 'date' .*did you mean 'data'"),
        ('role = "data"', 'role = "spare"', "no .* has the role 'data'"),
        ("size = 0x1000", "size = 0x1001", "multiples of 8"),
        ("base = 0x2000_0000", "base = 0x800", "flash and ram overlap"),
        (
            "base = 0x2000_0000",
            "base = 0xFFFF_F008",
            "ram ends at 0x100000008, .* below 0x100000000",
        ),
        ('name = "ram"', 'name = "flash"', "same name"),
        ("base = 0x0\n", "", "memory 1: key 'base' is missing"),
        ('machine = "stm32f7"', 'engine = "stm32f7"', "unknown key 'engine'"),
        ("title = ", "title == ", "not TOML"),
        ('bsp = ["cortex-m"]', "bsp = [7]", "bsp must be a list of folder names"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SMALL
    with pytest.raises(ConfigError, match=message):
        boards.load(write(tmp_path, SMALL.replace(old, new)))


POWER = """
[power]
mw_per_mhz = 1.5
error = 0.2
source = "an ammeter"
"""


def test_what_a_board_draws(tmp_path: Path) -> None:
    assert boards.load(write(tmp_path, SMALL)).power is None
    power = boards.load(write(tmp_path, SMALL + POWER)).power
    assert power == boards.Power(1.5, 0.2, "an ammeter")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1.5", "-1.5", r"\[power\]: mw_per_mhz = -1.5 is not a positive number"),
        ("1.5", "nan", "not a positive number"),
        ("1.5", "2", "mw_per_mhz must be a decimal number, not a whole number"),
        ("0.2", "1.0", "error = 1.0 must be 0.0 or more and less than 1.0"),
        ('"an ammeter"', '" "', "source must say where the number comes from"),
        ('source = "an ammeter"\n', "", "key 'source' is missing"),
        ("mw_per_mhz", "mw_per_hz", "unknown key 'mw_per_hz' .*did you mean 'mw_per_mhz'"),
    ],
)
def test_a_mistake_in_the_power_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        boards.load(write(tmp_path, SMALL + POWER.replace(old, new)))


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown board 'stm32f764'.*did you mean 'stm32f746'"):
        boards.load("stm32f764")
    with pytest.raises(ConfigError, match=r"cannot read board file .*absent\.toml"):
        boards.load(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match=r"does not run on target 'qemo'.*did you mean 'qemu'"):
        boards.load("stm32f746").variant("qemo")


def test_reading_boards_imports_nothing_heavy() -> None:
    code = (
        "import sys; from outliernets import boards; boards.load('stm32f746');"
        "print({'numpy', 'tensorflow', 'unicorn', 'numba', 'jinja2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
