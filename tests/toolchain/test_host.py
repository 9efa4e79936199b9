"""Shared libraries of this machine: checked ones trap, released ones do not look."""

import ctypes
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from outliernets.errors import BuildError
from outliernets.toolchain.host import ALIGNMENT, HostNetwork, compile_shared

NETWORK = """\
#include <stdint.h>
void net_infer(void *s, const int8_t in[4], int8_t out[2]);
void net_infer(void *s, const int8_t in[4], int8_t out[2]) {
    int8_t *state = s;
    out[0] = (int8_t)(in[0] + in[3] + state[99]++);
    out[1] = (int8_t)((uintptr_t)s % 64U);
}
int add(int a, int b);
int add(int a, int b) { return a + b; }
"""
COMPILERS = ["zig", "gcc"]


@pytest.fixture(params=COMPILERS)
def compiler(request: pytest.FixtureRequest, has_compiler) -> str:
    has_compiler(request.param)
    return request.param


def shared(folder: Path, compiler: str, release: bool) -> Path:
    source = folder / "net.c"
    source.write_text(NETWORK)
    return compile_shared([source], [], folder / "net.so", compiler, release=release)


def overflow(library: Path) -> int:
    """Return the status of a process that adds 1 to the largest int."""
    code = f"import ctypes; ctypes.CDLL({str(library)!r}).add({2**31 - 1}, 1)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode


def test_undefined_behaviour_traps_only_where_it_is_checked(tmp_path: Path, compiler: str) -> None:
    assert overflow(shared(tmp_path, compiler, release=False)) < 0
    assert overflow(shared(tmp_path, compiler, release=True)) == 0
    assert ctypes.CDLL(str(tmp_path / "net.so")).add(2, 3) == 5


def test_a_network_runs_in_this_process_on_aligned_state(tmp_path: Path, compiler: str) -> None:
    network = HostNetwork(shared(tmp_path, compiler, release=True), "net", 100, 4, 2)
    assert network.infer(np.array([1, 0, 0, 5])).tolist() == [6, 0]
    assert ALIGNMENT % 64 == 0
    x, out = np.array([1, 0, 0, 7], np.int8), np.zeros(2, np.int8)
    run = network.bind(x, out)
    run()
    assert out[0] == 9
    x[0] = 2
    run()
    assert out[0] == 11
    with pytest.raises(ValueError, match="needs 4 values, got 3"):
        network.infer(np.zeros(3, np.int8))


@pytest.mark.parametrize("release", [False, True])
def test_warnings_are_errors_either_way(tmp_path: Path, compiler: str, release: bool) -> None:
    source = tmp_path / "wrong.c"
    source.write_text("int narrow(long x);\nint narrow(long x) { return x; }\n")
    with pytest.raises(BuildError, match=r"wrong\.c:2.*error"):
        compile_shared([source], [], tmp_path / "wrong.so", compiler, release=release)
