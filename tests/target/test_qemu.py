"""QEMU as a target: counts as exact as Unicorn's, and what it says when it cannot run or count."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from outliernets import boards, codegen, target, toolchain
from outliernets.errors import ConfigError, TargetError
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.pipeline.library import link_check, measure
from outliernets.target import Client, block_counts
from outliernets.target.qemu import QemuTarget
from tests.target import stub
from tests.target.conftest import Build

#: what runs the same instructions as a board in QEMU
SAME = {
    "stm32f746": ("stm32f746", "unicorn"),
    "stm32f446": ("stm32f446", "unicorn"),
    "stm32f207": ("stm32f207", "unicorn"),
    "stm32g0b1": ("stm32g0b1", "unicorn"),
    "cortex-a72": ("cortex-a72", "unicorn"),
    "virt-a72": ("cortex-a72", "unicorn"),
}
PROGRAMS = {"cortex-a72": "qemu-aarch64", "virt-a72": "qemu-system-aarch64"}
#: what differs between the board and QEMU's machine, by prefix: start, bytes in and out (of which
#: more come at a time), veneers
DIFFERENT = (
    "Reset_Handler",
    "_start",
    "on_start",
    "enable_",
    "fill_memory",
    "bsp_",
    "USART",
    "clock_",
    "on_cycles",
    "stream_",
    "on_frame_",
    "server_",
    "__",
)


@pytest.fixture
def needs_qemu() -> Callable[[str], None]:
    def check(board: str) -> None:
        program = PROGRAMS.get(board, "qemu-system-arm")
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on PATH")

    return check


def exercise(board: str, name: str, stub_firmware: Build) -> tuple[list[int], dict[str, int]]:
    """Run the stub on a target; return its scores and what it executed beside the board's own."""
    firmware = stub_firmware(board, "gcc", name)
    pcm = np.random.default_rng(3).integers(-32768, 32768, 3000).astype(np.int16)
    with target.get(name).open(firmware.elf, boards.load(board)) as running:
        client = Client(running, firmware.elf)
        client.hello(stub.MODEL_ID)
        client.infer(bytes([stub.LOOP]) + bytes(15))
        scores = [r.score for r in client.push(pcm)]
        counts = running.counts()
    return scores, {f: n for f, n in counts.items() if not f.startswith(DIFFERENT)}


@pytest.mark.emulator
@pytest.mark.parametrize("board", list(SAME))
def test_counts_and_scores_equal_unicorns(
    board: str, needs_qemu: Callable[[str], None], stub_firmware: Build
) -> None:
    needs_qemu(board)
    scores, counts = exercise(board, "qemu", stub_firmware)
    assert (scores, counts) == exercise(*SAME[board], stub_firmware)
    assert len(scores) == 3000 // stub.WINDOW
    assert counts["counted_loop"] > 3 * stub.LOOPS
    assert "stub_infer" in counts
    assert "on_crc32" in counts


@pytest.mark.emulator
@pytest.mark.parametrize("board", ["stm32f746", "cortex-a72", "virt-a72"])
def test_a_networks_counts_equal_unicorns(
    board: str, needs_qemu: Callable[[str], None], shared: Path, tmp_path: Path
) -> None:
    needs_qemu(board)
    model = shared / "models" / "ae_fan_small.tflite"
    graph, loaded = read(model, "net"), boards.load(board)
    if "gcc" not in toolchain.available(loaded):
        pytest.skip(f"toolchain gcc is not installed for {board}")
    files = codegen.network_files(
        lower(graph, toolchain.create_cpu(loaded).kernels), front_end=False
    )
    counts = {}
    for where, name in (SAME[board], (board, "qemu")):
        folder, place = tmp_path / name, boards.load(where)
        folder.mkdir()
        built, identity = link_check(graph, dict(files), model, place, name, "gcc", folder)
        found = measure(graph, model, place, name, built.elf, identity, probes=2)
        assert found["exact"]
        counts[name] = {f: n for f, n in found["counts"].items() if f.startswith("net_")}
    assert counts["qemu"] == counts["unicorn"]
    assert sum(counts["qemu"].values()) > 100_000


@pytest.mark.emulator
def test_counts_are_current_while_the_program_runs(
    needs_qemu: Callable[[str], None], stub_firmware: Build
) -> None:
    needs_qemu("stm32f446")
    firmware = stub_firmware("stm32f446", "gcc", "qemu")
    with QemuTarget().open(firmware.elf, boards.load("stm32f446")) as running:
        client = Client(running)
        client.hello()
        seen = []
        for _ in range(3):
            client.infer(bytes([stub.LOOP]) + bytes(15))
            seen.append(running.counts()["counted_loop"])
    assert seen[1] - seen[0] == seen[2] - seen[1] == seen[0]


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("COMPILERS", ("no-such-compiler",), "no C compiler on PATH"),
        ("OPTIONS", ("-nostdinc",), "QEMU's plugin cannot be built: .*fcntl.h"),
    ],
)
def test_without_a_compiler_it_runs_and_says_why_nothing_is_counted(
    name: str,
    value: tuple[str, ...],
    reason: str,
    needs_qemu: Callable[[str], None],
    stub_firmware: Build,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needs_qemu("stm32f446")
    firmware = stub_firmware("stm32f446", "gcc", "qemu")
    monkeypatch.setattr(block_counts, name, value)
    with QemuTarget().open(firmware.elf, boards.load("stm32f446")) as running:
        assert Client(running).infer(bytes(16)) == stub.infer(bytes(16))
        assert running.counts() == {}
        assert running.uncounted is not None
        assert re.search(reason, running.uncounted)
        assert f"instructions not counted: {running.uncounted}" in running.version()


@pytest.mark.emulator
def test_a_program_with_too_many_blocks_is_not_counted_by_half(
    needs_qemu: Callable[[str], None], stub_firmware: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_qemu("stm32f446")
    firmware = stub_firmware("stm32f446", "gcc", "qemu")
    monkeypatch.setattr(block_counts, "PLACES", 16)
    with QemuTarget().open(firmware.elf, boards.load("stm32f446")) as running:
        Client(running).hello()
        with pytest.raises(TargetError, match="more than 16 blocks"):
            running.counts()


@pytest.mark.parametrize(
    ("version", "options", "reason"),
    [
        ("7.2.22", "-plugin [file=]<file>", None),
        ("10.0.2", "-plugin [file=]<file>", None),
        ("99.0", "-plugin [file=]<file>", "written for QEMU 6 to 10, this is 99.0"),
        ("unknown", "-plugin [file=]<file>", "this is unknown"),
        ("7.2.22", "-kernel", "built without plugins"),
    ],
)
def test_which_qemu_can_count(
    version: str, options: str, reason: str | None, tmp_path: Path
) -> None:
    if not any(map(shutil.which, block_counts.COMPILERS)):
        pytest.skip("no C compiler")
    program = tmp_path / "qemu"
    program.write_text(f"#!/bin/sh\necho '{options}'\n")
    program.chmod(0o755)
    found = block_counts.reason_not_to_count(str(program), version)
    assert found is None if reason is None else found is not None and reason in found


@pytest.mark.emulator
def test_firmware_for_another_machine_is_refused_before_it_runs(
    needs_qemu: Callable[[str], None], stub_firmware: Build
) -> None:
    needs_qemu("stm32f446")
    board = boards.load("stm32f446")
    native = stub_firmware("stm32f446", "gcc", "unicorn")
    with pytest.raises(TargetError, match=r"starts at 0x80.*not in the code of machine mps2-an386"):
        QemuTarget().open(native.elf, board)
    other = stub_firmware("cortex-a72", "gcc", "unicorn")
    with pytest.raises(TargetError, match="is a program for EM_AARCH64, cortex-m4 is EM_ARM"):
        QemuTarget().open(other.elf, board)


def test_no_firmware_is_an_error(needs_qemu: Callable[[str], None], tmp_path: Path) -> None:
    needs_qemu("stm32f746")
    (tmp_path / "text.elf").write_text("not a program")
    for name, said in (("missing.elf", "there is no firmware"), ("text.elf", "is not an ELF")):
        with pytest.raises(TargetError, match=said):
            QemuTarget().open(tmp_path / name, boards.load("stm32f746"))


def test_an_unknown_machine_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        (boards.resources.boards() / "cortex-a72.toml")
        .read_text()
        .replace('[targets.qemu]\nmachine = "linux-user"', '[targets.qemu]\nmachine = "mps2-an387"')
    )
    with pytest.raises(ConfigError, match=r"'mps2-an387' .did you mean 'mps2-an38"):
        QemuTarget().open(tmp_path / "any.elf", boards.load(path))


def test_a_qemu_that_dies_leaves_its_last_words(
    stub_firmware: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firmware = stub_firmware("stm32f446", "gcc", "qemu")
    program = tmp_path / "qemu-system-arm"
    program.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo QEMU emulator version 5.0 && exit\n"
        "echo out of luck >&2; exit 3\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with (
        QemuTarget(timeout=5).open(firmware.elf, boards.load("stm32f446")) as running,
        pytest.raises(TargetError, match="ended with status 3: out of luck"),
    ):
        Client(running).hello()
