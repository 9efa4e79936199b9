"""What the compiler promises for two real networks: exact, and within ``budgets.toml``."""

from pathlib import Path

import numpy as np
import pytest

from outliernets import boards, codegen, target, toolchain
from outliernets.errors import ParityError
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.pipeline import firmware, library
from outliernets.reference import Reference
from outliernets.report.budget import Checks, read_budgets
from tests.cli.conftest import run

RANDOM_INPUTS = 200
BUDGETS = read_budgets([str(Path(__file__).parents[2] / "budgets.toml")])
KEYS = ("name", "board", "toolchain")
CASES = [tuple(b.meant_for[key] for key in KEYS) for b in BUDGETS if "name" in b.meant_for]


@pytest.mark.emulator
@pytest.mark.parametrize(("name", "board_name", "compiler"), CASES)
def test_exact_small_and_quick(name, board_name, compiler, tmp_path, shared):
    board = boards.load(board_name)
    if compiler not in toolchain.available(board):
        pytest.skip(f"no {compiler} for {board_name} on this machine")
    path = shared / "models" / f"{name}.tflite"
    graph = read(path, name)
    lowered = lower(graph, toolchain.create_cpu(board).kernels)
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
    report = {
        **dict(zip(KEYS, (name, board_name, compiler), strict=True)),
        "instructions": firmware.per_run(counts, name, 1, runs) | {"window": None},
        "footprint": {
            "network_flash": sum(n for s, n in built.symbols if s.startswith(f"{name}_")),
            "network_ram": lowered.memory.size + graph.x.size + graph.y.size,
        },
    }
    held = Checks(BUDGETS).applied(report)
    assert len(held["budget"]) == 3
    assert "failures" not in held


@pytest.mark.emulator
def test_the_command_holds_a_network_against_the_file(tmp_path, shared, monkeypatch, capsys):
    model = shared / "models" / "ae_fan_small.tflite"
    budgets = Path(__file__).parents[2] / "budgets.toml"
    tight = tmp_path / "tight.toml"
    tight.write_text(budgets.read_text().replace("instructions = 1_", "instructions = "))
    for file, code in ((budgets, 0), (tight, ParityError.exit_code)):
        arguments = ("--board", "stm32f746", "--out", str(tmp_path / "lib"), "--budget", str(file))
        found, _, messages = run(monkeypatch, capsys, "compile", str(model), *arguments)
        assert found == code, messages
