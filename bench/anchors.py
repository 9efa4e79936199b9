"""Our estimate of the Cortex-M7's cycles beside what others measured on silicon.

    python bench/anchors.py [--toolchain gcc] [--coremark DIR] [--json]

Runs work of our own (``bench/anchors``) and two networks through our compiler in Unicorn, on the
STM32F746, and estimates their cycles as every report does. With ``--coremark DIR``, an unpacked
https://github.com/eembc/coremark, CoreMark itself: the only row that silicon has run as it is.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from outliernets import boards, codegen, target, toolchain
from outliernets.boards import linker_context
from outliernets.graph import Graph
from outliernets.lower import lower
from outliernets.nets.layers import Stack
from outliernets.nets.sketch import sketch
from outliernets.pipeline import firmware
from outliernets.target import Flow, Target, cycles
from outliernets.toolchain import Firmware
from outliernets.toolchain.cpus import CPUS
from outliernets.toolchain.gcc import GccToolchain
from outliernets.toolchain.zig import ZigToolchain

BOARD = boards.load("stm32f746")
OWN = Path(__file__).parent / "anchors"
WORKS = ("list", "matrix", "states", "crc", "convolutions")  #: as main.c numbers them
CONVOLUTION_MACS = 25 * (32 * 32 * 3 * 32 + 16 * 16 * 32 * 32 + 8 * 8 * 32 * 64)
COREMARK = ("core_list_join.c", "core_main.c", "core_matrix.c", "core_state.c", "core_util.c")
ITERATIONS = 10
BEFORE, AFTER, DONE = b"\1", b"\2", b"\3"  #: the timed part; port.c has the same
MEASURED = {
    "coremark": "3.856 CoreMark/MHz: Teensy 4.0 (PJRC; 2,314 at 600 MHz, gcc, Arduino)",
    "convolutions": "99.1 ms at 216 MHz for the whole network, CMSIS-NN (arXiv:1801.06601)",
    "ad_dense": "1.425 ms (Bosch HALE), 1.709 ms (Plumerai) on this board, MLPerf Tiny",
    "cifar": "99.1 ms at 216 MHz, CMSIS-NN (arXiv:1801.06601)",
}  #: what silicon took for the same or comparable work, and who says so


@dataclass(frozen=True)
class Row:
    """One piece of work. What it answered is the same whatever compiled it."""

    name: str
    answer: int | None
    instructions: int
    cycles: int  #: estimated
    error: float  #: relative, stated
    macs: int | None = None

    @property
    def ms(self) -> float:
        """Estimated time on the board."""
        return 1000.0 * self.cycles / BOARD.clock_hz


def compiler(name: str) -> toolchain.Toolchain:
    """Return gcc or zig, both with -O2, as the anchors on silicon were built."""
    cpu = replace(CPUS[BOARD.cpu], zig_level="-O2")
    return GccToolchain(cpu) if name == "gcc" else ZigToolchain(cpu)


def link(name: str, sources: Sequence[Path], includes: Sequence[Path], scratch: Path) -> Firmware:
    """Build a program whose ``main`` is among ``sources``, on the board's support."""
    scratch.mkdir(parents=True, exist_ok=True)
    for file, text in codegen.linker_files(linker_context(BOARD, "unicorn")).items():
        (scratch / file).write_text(text)
    ours = toolchain.program_sources(BOARD, "unicorn")
    support = [path for path in ours if path.parent.name != "app"]
    return compiler(name).link(
        [*sources, *support],
        [*includes, *toolchain.program_includes(BOARD, "unicorn")],
        BOARD,
        "unicorn",
        scratch / "link.ld",
        scratch,
        {"ITERATIONS": str(ITERATIONS)},
    )


@contextmanager
def running(elf: Path) -> Iterator[Target]:
    """Yield the program in Unicorn."""
    with target.get("unicorn").open(elf, BOARD) as machine:
        yield machine


def between(before: Flow, after: Flow) -> Flow:
    """Return what ran in between."""
    steps = {step: n - before.steps.get(step, 0) for step, n in after.steps.items()}
    return Flow({step: n for step, n in steps.items() if n}, after.sizes)


def row(name: str, elf: Path, flow: Flow, counted: int, answer: int | None, runs: int = 1) -> Row:
    """Estimate the cycles of one of ``runs``."""
    estimate = cycles.estimate(elf, BOARD.cpu, flow)
    assert estimate is not None
    spent = sum(estimate.functions.values()) / runs
    return Row(name, answer, round(counted / runs), round(spent), estimate.error)


def own_work(name: str, scratch: Path) -> Iterator[Row]:
    """Run every piece of our own work."""
    built = link(name, sorted(OWN.glob("*.c")), [OWN], scratch / "own")
    with running(built.elf) as machine:
        for number, work in enumerate(WORKS):
            flow, count = machine.flow(), sum(machine.counts().values())
            machine.write(bytes([number]))
            answer = int.from_bytes(machine.read(4), "little")
            counted = sum(machine.counts().values()) - count
            found = row(work, built.elf, between(flow, machine.flow()), counted, answer)
            yield replace(found, macs=CONVOLUTION_MACS) if work == "convolutions" else found


def coremark(name: str, folder: Path, scratch: Path) -> Row:
    """Run CoreMark's sources in ``folder``; the row is one iteration of its timed part."""
    scratch = scratch / "coremark"
    scratch.mkdir()
    sources = [OWN / "coremark" / "port.c"]
    for file in COREMARK:
        if not (folder / file).is_file():
            raise SystemExit(f"{folder} has no {file}: give the folder of CoreMark's sources")
        header = scratch / f"{file}.h"  # a system header: its warnings are not ours
        renamed = "#define main coremark_main\n" if file == "core_main.c" else ""
        header.write_text(f'#pragma GCC system_header\n{renamed}#include "{folder / file}"\n')
        sources.append(scratch / f"quiet_{file}")
        sources[-1].write_text(f'#include "{header.name}"\n')
    built = link(name, sources, [scratch, OWN / "coremark", folder], scratch)
    with running(built.elf) as machine:
        said = _until(machine, BEFORE)
        flow, count = machine.flow(), sum(machine.counts().values())
        machine.write(b"!")
        said += _until(machine, AFTER)
        timed = between(flow, machine.flow())
        counted = sum(machine.counts().values()) - count
        machine.write(b"!")
        said += _until(machine, DONE)
    if b"Correct operation validated" not in said or b"ERROR" in said:
        raise SystemExit(f"CoreMark does not say that it worked: {said.decode(errors='replace')}")
    return row("coremark", built.elf, timed, counted, None, ITERATIONS)


def _until(machine: Target, mark: bytes) -> bytes:
    """Read until the program waits for the host, which it says by a mark."""
    said = b""
    while not said.endswith(mark):
        said += machine.read(1)
    return said


def networks() -> Iterator[Graph]:
    """Yield networks whose like was timed on silicon, with random weights."""
    dense = Stack((1, 1, 640))  # MLPerf Tiny's anomaly detection
    for i, width in enumerate((128, 128, 128, 128, 8, 128, 128, 128, 128, 640)):
        dense.dense(f"d{i}", (1, 1, width), relu=i < 9)
    yield sketch("ad_dense", dense.layers)
    image = Stack((32, 32, 3))  # Lai, Suda and Chandra's; their pools are 3x3, with steps of 2
    for i, width in enumerate((32, 32, 64)):
        image.conv(f"c{i}", width, 5)
        image.max_pool(f"p{i}", (2, 2))
    image.dense("out", (1, 1, 10), relu=False)
    yield sketch("cifar", image.layers)


def network(name: str, graph: Graph, scratch: Path) -> Row:
    """Run a network through our compiler, once, on noise; the flash's waits are in its cycles."""
    source = scratch / graph.name
    source.mkdir()
    files = codegen.network_files(lower(graph)) | codegen.app_files(graph.name, 1, front_end=False)
    files |= codegen.linker_files(linker_context(BOARD, "unicorn"))
    firmware.write_sources(files, source)
    built = firmware.link(source, BOARD, "unicorn", name, scratch / f"{graph.name}_out")
    noise = np.random.default_rng(1).integers(-128, 128, graph.x.size, np.int8)
    with running(built.elf) as machine:
        client = target.Client(machine, built.elf)
        client.hello(1)
        client.infer(noise.tobytes())
        counted, flow = machine.counts(), machine.flow()
    estimate = cycles.estimate(built.elf, BOARD.cpu, flow)
    assert estimate is not None
    facts = firmware.cycle_facts(estimate, built.elf, BOARD, graph.name, 0, 1)
    instructions = firmware.per_run(counted, graph.name, 1, 1)["network"] or 0
    return Row(graph.name, None, instructions, facts["network"], facts["error"], macs=graph.macs)


def rows(name: str, folder: Path | None) -> Iterator[Row]:
    """Yield all anchors with one compiler."""
    with tempfile.TemporaryDirectory(prefix="ongen-") as path:
        scratch = Path(path)
        if folder is not None:
            yield coremark(name, folder.resolve(), scratch)
        yield from own_work(name, scratch)
        for graph in networks():
            yield network(name, graph, scratch)


def _line(found: Row) -> str:
    ours = f"{found.ms:.2f} ms ± {found.error:.0%}"
    if found.name == "coremark":
        ours = f"{1e6 / found.cycles:.2f} CoreMark/MHz ± {found.error:.0%}"
    per_mac = f"{found.cycles / found.macs:.2f}" if found.macs else ""
    rate = f"{found.instructions / found.cycles:.2f}"
    cells = [found.name, f"{found.instructions:,}", f"{found.cycles:,}", rate, per_mac, ours]
    return "| " + " | ".join([*cells, MEASURED.get(found.name, "")]) + " |"


def main() -> None:
    """Print the table, or the rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toolchain", choices=("gcc", "zig"), default="gcc")
    parser.add_argument("--coremark", type=Path, help="folder of CoreMark's sources")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = rows(chosen.toolchain, chosen.coremark)
    if chosen.json:
        print(json.dumps([asdict(r) for r in found], indent=1))
        return
    print("| work | instructions | cycles | per cycle | cycles per MAC | estimate | on silicon |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for one in found:
        print(_line(one), flush=True)


if __name__ == "__main__":
    main()
