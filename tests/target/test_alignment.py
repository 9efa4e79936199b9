"""No unaligned access, which the model of the Cortex-M7 has no price for: QEMU traps each of them.

Unicorn's Cortex-M7 knows no trap; QEMU's obeys CCR.UNALIGN_TRP (ARMv7-M ARM B3.2.8), which is set
around the call. The instructions are the same as on the board.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from outliernets import boards, codegen, resources, target, toolchain
from outliernets.boards import linker_context
from outliernets.errors import TargetError
from outliernets.graph import Graph
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.pipeline import firmware
from outliernets.target import Client
from outliernets.toolchain import Firmware
from tests.features.conftest import plan_around
from tests.target import stub

pytestmark = pytest.mark.emulator
BOARD = boards.load("stm32f746")
#: The line protocol is outside of the trap: gcc makes one store of several bytes' stores there.
TRAP = """\
#include <stdbool.h>
#include <stddef.h>
#include "app_model.h"
#include "cortex_m.h"

static size_t answer __attribute__((unused));

static void trap(bool on) {{
    SCB_CCR = on ? SCB_CCR | 1U << 3 : SCB_CCR & ~(1U << 3); /* UNALIGN_TRP */
    DSB();
    ISB();
}}

#define {call}(...) (trap(true), {keep}{call}(__VA_ARGS__), trap(false){value})
#include "{app}.c"
"""
INFER = {"app": "check", "keep": "", "value": ""}
PUSH = {"app": "front_end", "call": "on_mel_push", "keep": "answer = ", "value": ", answer"}


def link(
    files: Mapping[str, str],
    compiler: str,
    folder: Path,
    trap: Mapping[str, str],
    extra: tuple[Path, ...] = (),
) -> Firmware:
    """Build an application for QEMU; unaligned accesses in ``trap['call']`` are faults."""
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("no qemu-system-arm on this machine")
    if compiler not in toolchain.available(BOARD):
        pytest.skip(f"no {compiler} for {BOARD.name} on this machine")
    source = folder / "source"
    source.mkdir()
    firmware.write_sources(files | codegen.linker_files(linker_context(BOARD, "qemu")), source)
    (source / "trap.c").write_text(TRAP.format(**trap))
    sources = toolchain.program_sources(BOARD, "qemu", trap["app"])
    support = [path for path in sources if path.stem != trap["app"]]
    return toolchain.get(compiler, BOARD).link(
        [*sorted(source.glob("*.c")), *support, *extra],
        [
            source,
            *toolchain.program_includes(BOARD, "qemu"),
            resources.firmware() / "app",
            *(path.parent for path in extra),
        ],
        BOARD,
        "qemu",
        source / "link.ld",
        folder / "out",
    )


def infer(built: Firmware, graph: Graph) -> None:
    noise = np.random.default_rng(1).integers(-128, 128, (2, graph.x.size), np.int8)
    with target.get("qemu").open(built.elf, BOARD) as running:
        client = Client(running, built.elf)
        client.hello(1)
        for x in noise:
            assert len(client.infer(x.tobytes())) == graph.y.size


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_an_unaligned_access_is_a_fault_here(compiler: str, tmp_path: Path) -> None:
    """Else the tests below could not fail."""
    trap, model = INFER | {"call": "stub_infer"}, stub.HERE / "stub_model.c"
    built = link({}, compiler, tmp_path, trap, (model,))
    with target.get("qemu").open(built.elf, BOARD) as running:
        client = Client(running, built.elf)
        client.hello(stub.MODEL_ID)
        assert client.infer(bytes(16)) == stub.infer(bytes(16))
        with pytest.raises(TargetError, match="qemu ended with status"):  # or the handler's words
            client.infer(bytes([stub.UNALIGNED]) + bytes(15))


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
@pytest.mark.parametrize("name", ["ae_fan_small", "ae_slider_dense"])
def test_networks(name: str, compiler: str, shared: Path, tmp_path: Path) -> None:
    graph = read(shared / "models" / f"{name}.tflite", name)
    files = codegen.network_files(lower(graph)) | codegen.app_files(name, 1, front_end=False)
    infer(link(files, compiler, tmp_path, INFER | {"call": f"{name}_infer"}), graph)


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_front_end(compiler: str, tmp_path: Path) -> None:
    plan = plan_around(-60.0, 0.5)
    files = codegen.mel_files("m", plan) | codegen.front_end_app_files("m", 1)
    built = link(files, compiler, tmp_path, PUSH)
    pcm = np.random.default_rng(2).integers(-20000, 20000, 16000, np.int16)
    with target.get("qemu").open(built.elf, BOARD) as running:
        client = Client(running, built.elf)
        client.hello(1)
        client.reset()
        assert len(client.push_for_rows(pcm)) == (16000 - plan.config.n_fft) // plan.config.hop + 1
