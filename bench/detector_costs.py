"""Exact counts of whole detectors whose networks are sketches: nobody trains, a program runs."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from outliernets import boards, codegen, target, toolchain
from outliernets.boards import linker_context
from outliernets.config import MelConfig
from outliernets.detectors import fixed
from outliernets.detectors.normal import Normal
from outliernets.detectors.spec import DetectorSpec
from outliernets.features.windows import Standardizer
from outliernets.graph import Lowered
from outliernets.lower import lower
from outliernets.nets.sketch import sketch
from outliernets.pipeline import firmware
from outliernets.target import cycles

IDENTITY, WINDOWS, NAME = 1, 2, "net"


@dataclass(frozen=True)
class Measured:
    """What ``ongen build`` reports of a program."""

    flash: int  #: bytes
    ram: int  #: bytes
    state: int  #: bytes of the detector's own variables
    network_flash: int  #: bytes of its code and constants
    network: int  #: instructions
    window: int  #: instructions
    cycles: int | None  #: of a window, estimated; None: no model of this processor
    network_cycles: int | None


def measure(spec: DetectorSpec, board_name: str, compiler: str) -> Measured:
    """Compile a detector with random weights and run it in Unicorn on two windows of noise."""
    board = boards.load(board_name)
    files = program_files(spec, board_name)
    with tempfile.TemporaryDirectory(prefix="ongen-") as scratch:
        source = Path(scratch) / "source"
        source.mkdir()
        firmware.write_sources(files, source)
        built = firmware.link(source, board, "unicorn", compiler, Path(scratch) / "out")
        mel = MelConfig()
        samples = mel.hop * (mel.frames * WINDOWS - 1) + mel.n_fft
        pcm = np.random.default_rng(1).normal(0, 3000, samples).astype(np.int16)
        with target.get("unicorn").open(built.elf, board) as running:
            client = target.Client(running, built.elf)
            hello = client.hello(IDENTITY)
            client.reset()
            heard = client.push(pcm)
            counts, flow = running.counts(), running.flow()
        assert len(heard) == WINDOWS
        frames = mel.frames * WINDOWS
        runs = firmware.per_run(counts, NAME, frames, WINDOWS)
        estimated = cycles.estimate(built.elf, board.cpu, flow)
        spent = estimated and firmware.cycle_facts(
            estimated, built.elf, board, NAME, frames, WINDOWS
        )
    own = sum(n for s, n in built.symbols if s.startswith((f"{NAME}_n", f"{NAME}_infer")))
    return Measured(
        flash=built.flash,
        ram=built.ram,
        state=hello.state_size,
        network_flash=own,
        network=runs["network"] or 0,
        window=runs["window"] or 0,
        cycles=spent and spent["window"],
        network_cycles=spent and spent["network"],
    )


def program_files(spec: DetectorSpec, board_name: str) -> dict[str, str]:
    """Return the generated C of a detector that has learned noise."""
    board, mel = boards.load(board_name), MelConfig()
    rng = np.random.default_rng(3)
    bands = mel.n_mels
    standardizer = Standardizer(
        tuple(rng.uniform(-70, -40, bands)), tuple(rng.uniform(2, 9, bands))
    )
    windows = rng.normal(0, 1, (20, mel.frames, bands)).astype(np.float32)
    lowered = lowered_of(spec, board_name)
    graph = sketch(NAME, spec.network.layers)
    normal = None
    if spec.score.kind == "mahalanobis":
        normal = Normal(np.zeros(spec.score.bands), np.eye(spec.score.bands), 0.0)
    found = fixed.plans(spec, (spec.view.fit(windows, mel.clip_sigma), normal), mel, standardizer,
                        graph)  # fmt: skip
    return (
        codegen.network_files(lowered, front_end=True, score=found.score, view=found.view)
        | codegen.detector_files(NAME, found.front_end, found.score, found.view)
        | codegen.app_files(NAME, IDENTITY, front_end=True)
        | codegen.linker_files(linker_context(board, "unicorn"))
    )


def lowered_of(spec: DetectorSpec, board_name: str) -> Lowered:
    """Return the lowered sketch of a detector's network."""
    graph = sketch(NAME, spec.network.layers)
    return lower(graph, toolchain.create_cpu(boards.load(board_name)).kernels)
