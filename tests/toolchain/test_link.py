"""Linking: sizes that add up, the same bytes twice, and errors that say what does not fit."""

import dataclasses
from pathlib import Path

import pytest

from outliernets import boards, toolchain
from outliernets.boards import Board, Variant
from outliernets.errors import BuildError, ConfigError, MissingToolError
from tests.target import stub

COMPILERS = ["zig", "gcc"]
STACKS = {
    "stm32f746": 0x4000,
    "stm32f446": 0x2000,
    "stm32f207": 0x2000,
    "stm32g0b1": 0x2000,
    "cortex-a72": 0x10000,
    "virt-a72": 0x10000,
}


def tiny(flash: int, ram: int) -> Board:
    """The STM32F746 with less memory than it has."""
    board = boards.load("stm32f746")
    sizes = {"flash": flash, "dtcm": ram + board.native.stack}
    memory = tuple(dataclasses.replace(m, size=sizes.get(m.name, m.size)) for m in board.memory)
    native = Variant(board.native.machine, board.native.bsp, memory, board.native.stack)
    return dataclasses.replace(board, native=native)


@pytest.mark.slow
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", list(STACKS))
def test_equal_input_gives_equal_programs_and_sizes_that_add_up(
    tmp_path: Path, name: str, compiler: str
) -> None:
    board = boards.load(name)
    one = stub.build(board, compiler, None, tmp_path / "one")
    two = stub.build(board, compiler, None, tmp_path / "somewhere" / "else")
    assert one.elf.read_bytes() == two.elf.read_bytes()
    assert str(tmp_path).encode() not in one.elf.read_bytes()
    assert one.stack == STACKS[name]
    constant, zeroed = {".vectors", ".text", ".rodata", ".itcm"}, {".bss", ".stack"}
    in_ram = sum(n for s, n in one.sections.items() if s not in constant)
    assert one.ram == in_ram - one.stack
    assert one.code_ram == one.sections.get(".itcm", 0)
    assert one.flash == sum(n for s, n in one.sections.items() if s not in zeroed)
    assert "receive" in [symbol for symbol, _ in one.symbols[:5]]
    assert one.stack_usage["use_stack"] >= 4000
    assert (one.map is not None and one.map.exists()) == (compiler == "gcc")


@pytest.mark.slow
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(
    ("name", "architecture", "has"),
    [
        ("stm32f746", 7, {"DSP", "FP"}),
        ("stm32f446", 7, {"DSP", "FP"}),
        ("stm32f207", 7, set()),
        ("stm32g0b1", 6, set()),
    ],
)
def test_compilers_know_what_the_processor_has(
    tmp_path: Path, name: str, architecture: int, has: set[str], compiler: str
) -> None:
    """Both leave out the FPU, or put one in, unless they are told exactly."""
    macros = {"DSP": "__ARM_FEATURE_DSP", "FP": "__ARM_FP"}
    checks = [f"__ARM_ARCH != {architecture}", f"defined(__ARM_PCS_VFP) != {int('FP' in has)}"]
    checks += [f"defined({macro}) != {int(key in has)}" for key, macro in macros.items()]
    probe = tmp_path / "probe.c"
    lines = [f'#if {check}\n#error "{check}"\n#endif' for check in checks]
    probe.write_text("\n".join([*lines, "extern int probe;", "int probe = 1;", ""]))
    stub.build(boards.load(name), compiler, None, tmp_path / "out", extra=(probe,))


@pytest.mark.parametrize("compiler", COMPILERS)
def test_overflow_says_how_much_and_what_is_large(tmp_path: Path, compiler: str) -> None:
    big = tmp_path / "big.c"
    big.write_text(
        "extern const unsigned char huge_table[5000];\n"
        "const unsigned char huge_table[5000] __attribute__((used)) = {1};\n"
        "extern unsigned char huge_buffer[6000];\n"
        "__attribute__((used)) unsigned char huge_buffer[6000];\n"
        "int use(int);\nint use(int i) { huge_buffer[i] = huge_table[i]; return huge_buffer[0]; }\n"
        '__attribute__((section(".vectors"), used)) int (*const keep)(int) = use;\n'
    )
    with pytest.raises(BuildError) as info:
        stub.build(tiny(0x1000, 0x1000), compiler, None, tmp_path / "out", extra=(big,))
    message = str(info.value)
    assert "\n" not in message
    flash, ram = message.split("; dtcm")
    assert flash.startswith("does not fit stm32f746: flash overflows by ")
    assert "of 4,096); largest: huge_table 5,000" in flash
    assert "largest: huge_buffer 6,000, receive 4,1" in ram


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_compiler_error_is_one_line_with_the_place(tmp_path: Path, compiler: str) -> None:
    wrong = tmp_path / "wrong.c"
    wrong.write_text("int f(void);\nint f(void) { return missing; }\n")
    with pytest.raises(BuildError, match=r"compiler failed: .*wrong\.c:2.*missing.*build\.log"):
        stub.build(boards.load("stm32f746"), compiler, None, tmp_path / "out", extra=(wrong,))
    assert "missing" in (tmp_path / "out" / "build.log").read_text()


def test_a_missing_function_is_a_linker_error(tmp_path: Path) -> None:
    caller = tmp_path / "caller.c"
    caller.write_text(
        "int absent(void);\nint use(void);\nint use(void) { return absent(); }\n"
        '__attribute__((section(".vectors"), used)) int (*const keep)(void) = use;\n'
    )
    with pytest.raises(BuildError, match=r"linker failed: .*absent"):
        stub.build(boards.load("stm32f746"), "gcc", None, tmp_path / "out", extra=(caller,))


def test_missing_compilers_say_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    board = boards.load("stm32f746")
    with pytest.raises(MissingToolError, match="apt install gcc-arm-none-eabi"):
        toolchain.get("gcc", board)
    assert "gcc" not in toolchain.available(board)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match="pip install"):
        toolchain.get("zig", board)


def test_unknown_toolchain_and_processor() -> None:
    board = boards.load("stm32f746")
    with pytest.raises(ConfigError, match=r"unknown toolchain 'zag'.*did you mean 'zig'"):
        toolchain.get("zag", board)
    with pytest.raises(ConfigError, match="no compiler options for cpu 'cortex-m77'"):
        toolchain.get("zig", dataclasses.replace(board, cpu="cortex-m77"))
