"""The anchors do the work they claim, whatever compiled them, and their cycles are plausible."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench import anchors
from outliernets import toolchain
from outliernets.target import Flow

ROUNDS, NODES, SIDE, KERNEL = 20, 100, 9, 5
#: (side, inputs, outputs) of the convolutions
SHAPES = ((32, 3, 32), (16, 32, 32), (8, 32, 64))


def need(compiler: str) -> None:
    """Skip, with the reason, without the compiler for the board."""
    if compiler not in toolchain.available(anchors.BOARD):
        pytest.skip(f"no {compiler} for {anchors.BOARD.name} on this machine")


def noise(seed: int) -> Iterator[int]:
    """The sequence of ``anchor_random``."""
    state = seed
    while True:
        state = (state * 1664525 + 1013904223) % 2**32
        yield state >> 16


def crc16(data: bytes, crc: int = 0) -> int:
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def list_answer() -> int:
    random, result = noise(1), 0
    for _ in range(ROUNDS):
        values = [next(random) % 1000 for _ in range(NODES)]
        nodes = list(enumerate(values))
        for _ in range(20):
            wanted = next(random) % 1000
            result += next((number for number, value in nodes if value == wanted), 1)
            nodes.reverse()
        result += sum(place * value for place, value in enumerate(sorted(values), 1))
    return result % 2**32


def matrix_answer() -> int:
    random, result = noise(2), 0
    for _ in range(2 * ROUNDS):
        pairs = [(next(random) % 256, next(random) % 256 - 128) for _ in range(SIDE * SIDE)]
        a, b = np.array(pairs).T.reshape(2, SIDE, SIDE)
        for value in (a @ b).ravel().tolist():
            result = (result * 31 + value) % 2**32
    return result


def crc_answer() -> int:
    random = noise(4)
    return crc16(bytes(next(random) & 0xFF for _ in range(500)) * ROUNDS)


def states_answer() -> int:
    """Where a number of the text ended: its state, in the order of mix.c."""
    alphabet = "0123456789" * 4 + "++--...eee,,,,,,,,,,xyz"
    random = noise(3)
    text = [alphabet[next(random) % len(alphabet)] for _ in range(600)]
    states = ["", "[+-]", r"[+-]?\d+", r"[+-]?\.", r"[+-]?(\d+\.\d*|\.\d+)"]
    states += [f"{states[2]}e|{states[4]}e", f"({states[2]}|{states[4]})e[+-]"]
    states += [rf"({states[2]}|{states[4]})e[+-]?\d+", ".*"]
    counts = [0] * len(states)
    for i in range(ROUNDS):
        for token in "".join(text).split(",")[:-1]:
            counts[next(n for n, s in enumerate(states) if re.fullmatch(s, token))] += 1
        text[i] = ","
    result = 0
    for count in counts:
        result = (result * 31 + count) % 2**32
    return result


def convolutions_answer() -> int:
    """Of each convolution only the first 64 results count."""
    random, crc = noise(5), 0

    def values(n: int) -> np.ndarray:
        return np.array([(next(random) & 0xFF) - 128 for _ in range(n)])

    for side, inputs, outputs in SHAPES:
        image = np.pad(values(side * side * inputs).reshape(side, side, inputs), [(2,), (2,), (0,)])
        taps = KERNEL * KERNEL * inputs
        filters = values(-(-taps // 4) * 4 * outputs).reshape(outputs, -1)[:, :taps]
        results = []
        for column in range(64 // outputs):
            patch = image[:KERNEL, column : column + KERNEL].reshape(-1)
            results += np.clip((filters @ patch + 2048) >> 12, 0, 127).tolist()
        crc = crc16(bytes(results), crc)
    return crc


def test_the_check_value_of_the_crc() -> None:
    assert crc16(b"123456789") == 0xBB3D


@pytest.mark.emulator
@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_own_work(compiler: str, tmp_path: Path) -> None:
    need(compiler)
    found = {row.name: row for row in anchors.own_work(compiler, tmp_path)}
    assert list(found) == list(anchors.WORKS)
    assert found["list"].answer == list_answer()
    assert found["matrix"].answer == matrix_answer()
    assert found["crc"].answer == crc_answer()
    assert found["convolutions"].answer == convolutions_answer()
    assert found["states"].answer == states_answer()
    for row in found.values():
        assert 0.5 < row.instructions / row.cycles <= 2.0  # it issues two at most
    assert 1.0 < found["convolutions"].cycles / anchors.CONVOLUTION_MACS < 3.0


@pytest.mark.emulator
def test_mlperfs_dense_network_is_within_the_error_bar_of_both_submissions(
    tmp_path: Path,
) -> None:
    need("gcc")
    dense = next(anchors.networks())
    assert dense.macs == 264_192
    row = anchors.network("gcc", dense, tmp_path)
    for measured in (1.425, 1.709):
        assert row.ms * (1 - row.error) < measured < row.ms * (1 + row.error)


def test_a_flow_between_two_others() -> None:
    before = Flow({(1, 2): 3, (2, 1): 5}, {1: 4, 2: 4})
    after = Flow({(1, 2): 3, (2, 1): 9, (1, 3): 1}, {1: 4, 2: 4, 3: 2})
    assert anchors.between(before, after) == Flow({(2, 1): 4, (1, 3): 1}, {1: 4, 2: 4, 3: 2})


def test_another_folder_than_coremarks_is_named(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    with pytest.raises(SystemExit, match=r"has no core_list_join\.c"):
        anchors.coremark("gcc", tmp_path, tmp_path / "scratch")
