"""Builds the front end's C, with one plan's rendered tables, into a library for ctypes."""

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from outliernets import resources
from outliernets.codegen import mel_files
from outliernets.config import MelConfig
from outliernets.features.plan import MelPlan, make_plan
from outliernets.features.windows import Standardizer
from outliernets.toolchain.host import compile_shared


def build_library(folder: Path, plan: MelPlan, tool: str, name: str = "m") -> ctypes.CDLL:
    """Compile firmware/lib's front end and the tables of ``plan``; strict, under UBSan."""
    for file, text in mel_files(name, plan).items():
        (folder / file).write_text(text)
    lib = resources.firmware() / "lib"
    sources = [lib / "on_mel.c", lib / "on_fft.c", folder / f"{name}_mel.c"]
    output = folder / f"{name}_{tool}.so"
    return ctypes.CDLL(str(compile_shared(sources, [lib, folder], output, tool)))


@dataclass(frozen=True)
class Stream:
    """The C front end with its plan, fed from Python."""

    library: ctypes.CDLL
    plan: MelPlan
    name: str = "m"

    def rows(self, pcm: np.ndarray, chunks: Iterator[int] | None = None) -> np.ndarray:
        """Push ``pcm`` in chunks of the given sizes (then the rest); return all rows."""
        state = ctypes.create_string_buffer(16 + 6 * self.plan.config.n_fft)
        table = ctypes.byref(ctypes.c_char.in_dll(self.library, f"{self.name}_mel_plan"))
        row = np.zeros(self.plan.config.n_mels, np.int8)
        ready = ctypes.c_bool()
        self.library.on_mel_push.restype = ctypes.c_size_t
        self.library.on_mel_reset(state)
        result, position = [], 0
        while position < len(pcm):
            size = min(next(chunks) if chunks else len(pcm), len(pcm) - position)
            chunk = np.ascontiguousarray(pcm[position : position + size])
            taken = self.library.on_mel_push(
                state,
                table,
                chunk.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_size_t(size),
                row.ctypes.data_as(ctypes.c_void_p),
                ctypes.byref(ready),
            )
            assert taken <= size
            assert taken == size or ready.value
            position += taken
            if ready.value:
                result.append(row.copy())
        return np.array(result, np.int8).reshape(-1, self.plan.config.n_mels)


def plan_around(level_db: float, step_db: float, config: MelConfig | None = None) -> MelPlan:
    """A plan whose int8 values resolve ``step_db`` around ``level_db`` in every band."""
    config = config or MelConfig(clip_sigma=1000.0)
    deviation = 8.0
    standardizer = Standardizer((level_db,) * config.n_mels, (deviation,) * config.n_mels)
    return make_plan(config, standardizer, step_db / deviation, 3)


@pytest.fixture(scope="session", params=["gcc", "zig"])
def make_stream(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    has_compiler: Callable[[str], None],
) -> Callable[[MelPlan], Stream]:
    """Compile a plan with one of the compilers; equal plans are compiled once."""
    has_compiler(request.param)
    built: dict[int, Stream] = {}

    def make(plan: MelPlan) -> Stream:
        if id(plan) not in built:
            folder = tmp_path_factory.mktemp(f"mel_{request.param}")
            built[id(plan)] = Stream(build_library(folder, plan, request.param), plan)
        return built[id(plan)]

    return make
