"""Compile generated C for this machine into a shared library, with every check switched on.

This is how generated code is compared with its numpy twin, in process and without an emulator.
"""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outliernets.errors import BuildError, MissingToolError

STRICT = (
    "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow",
    "-Wdouble-promotion", "-fPIC", "-shared",
)  # fmt: skip
SANITIZE = {
    "zig": ("-fsanitize=undefined", "-fsanitize-trap=undefined"),
    "gcc": ("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"),
}


def default_compiler() -> str:
    """Return ``gcc`` if this machine has one (quicker to start), else ``zig``."""
    return "gcc" if shutil.which("gcc") else "zig"


def compile_shared(
    sources: Sequence[Path],
    include: Sequence[Path],
    out: Path,
    compiler: str | None = None,
    defines: Mapping[str, str] | None = None,
) -> Path:
    """Compile C files into the shared library ``out``; undefined behaviour traps.

    Raises BuildError with the compiler's first error, MissingToolError without a compiler.
    """
    compiler = compiler or default_compiler()
    command = [
        *_command(compiler),
        *STRICT,
        *SANITIZE[compiler],
        *(f"-I{path}" for path in include),
        *(f"-D{name}={value}" for name, value in (defines or {}).items()),
        *map(str, sources),
        "-o",
        str(out),
    ]
    environment = os.environ | {"ZIG_LOCAL_CACHE_DIR": str(out.parent / "zig-cache")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        first = next((line for line in lines if "error" in line), lines[0] if lines else "?")
        raise BuildError(f"{compiler} failed on {sources[0].name}: {first}")
    return out


def _command(compiler: str) -> list[str]:
    if compiler == "zig":
        try:
            import ziglang  # noqa: F401
        except ImportError:
            raise MissingToolError(
                "no C compiler: install one with \"pip install 'ongen[zig]'\""
            ) from None
        return [sys.executable, "-m", "ziglang", "cc"]
    return [compiler]


class HostNetwork:
    """A compiled network in this process: ``infer`` maps int8 input to int8 output."""

    STATE_SLACK = 64

    def __init__(self, library: Path, name: str, state: int, inputs: int, outputs: int) -> None:
        self._infer = getattr(ctypes.CDLL(str(library)), f"{name}_infer")
        self._infer.restype = None
        self._state = np.zeros(state + self.STATE_SLACK, np.int8)
        self.inputs, self.outputs = inputs, outputs

    def infer(self, x: NDArray[np.int8]) -> NDArray[np.int8]:
        """Run the network once."""
        source = np.ascontiguousarray(x, np.int8).ravel()
        if source.size != self.inputs:
            raise ValueError(f"needs {self.inputs} values, got {source.size}")
        out = np.empty(self.outputs, np.int8)
        self._infer(
            self._state.ctypes.data_as(ctypes.c_void_p),
            source.ctypes.data_as(ctypes.c_void_p),
            out.ctypes.data_as(ctypes.c_void_p),
        )
        return out
