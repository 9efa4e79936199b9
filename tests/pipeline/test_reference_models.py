"""What the compiler promises for two real networks: exact, and no larger or slower than this."""

import numpy as np
import pytest

from outliernets import boards, codegen, target, toolchain
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.pipeline import firmware, library
from outliernets.reference import Reference

RANDOM_INPUTS = 200
#: instructions, bytes of code and constants of the network, at most; measured a few per cent below
LIMITS = {
    ("ae_fan_small", "stm32f746", "gcc"): (1_530_000, 11_000),
    ("ae_fan_small", "stm32f746", "zig"): (1_600_000, 11_000),
    ("ae_slider_dense", "stm32f746", "gcc"): (1_800_000, 50_500),
    ("ae_slider_dense", "stm32f746", "zig"): (1_900_000, 50_500),
    ("ae_fan_small", "stm32f446", "gcc"): (1_530_000, 11_000),
    ("ae_slider_dense", "stm32f446", "gcc"): (1_800_000, 50_500),
}
RAM = 20 * 1024  #: of all state, with input and output


@pytest.mark.emulator
@pytest.mark.parametrize(("name", "board_name", "compiler"), LIMITS)
def test_exact_small_and_quick(name, board_name, compiler, tmp_path, shared):
    board = boards.load(board_name)
    if compiler not in toolchain.available(board):
        pytest.skip(f"no {compiler} for {board_name} on this machine")
    path = shared / "models" / f"{name}.tflite"
    graph = read(path, name)
    lowered = lower(graph)
    files = codegen.network_files(lowered)
    built, identity = library.link_check(graph, files, path, board, "unicorn", compiler, tmp_path)

    vectors = np.load(path.with_name(f"{name}_vec.npz"))
    inputs = vectors["x"].reshape(-1, graph.x.size)
    noise = np.random.default_rng(5).integers(-128, 128, (RANDOM_INPUTS, graph.x.size), np.int8)
    reference = Reference(path)
    expected = [y.tobytes() for y in vectors["y_tflm"].reshape(len(inputs), -1)]
    expected += [reference.infer(x).tobytes() for x in noise]
    with target.get("unicorn").open(built.elf, board) as running:
        client = target.Client(running, built.elf)
        client.hello(identity)
        for x, y in zip([*inputs, *noise], expected, strict=True):
            assert client.infer(x.tobytes()) == y
        counts = running.counts()
    runs = len(expected)
    instructions, flash = LIMITS[name, board_name, compiler]
    assert firmware.per_run(counts, name, 1, runs)["network"] <= instructions
    own = sum(size for symbol, size in built.symbols if symbol.startswith(f"{name}_"))
    assert own <= flash
    assert lowered.memory.size + graph.x.size + graph.y.size <= RAM
