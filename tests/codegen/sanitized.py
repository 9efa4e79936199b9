"""Many generated networks in one program under AddressSanitizer and UBSan, and what they answer."""

import os
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from outliernets import resources
from outliernets.codegen import network_files
from outliernets.graph import Lowered
from tests.legs import write_files

RUNNER = Path(__file__).with_name("run_networks.c")
#: not optimised: that compiles four times as fast, and no undefined behaviour is optimised away
#: before the sanitizer sees it (other tests compile the same templates optimised)
FLAGS = (
    "-std=c11", "-O0", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
)  # fmt: skip
STRICT = ("-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-Wdouble-promotion")


class CompileError(Exception):
    """gcc refused; ``faults`` has its first word on each network, by name."""

    def __init__(self, log: str) -> None:
        super().__init__(log[-2000:])
        self.faults: dict[str, str] = {}
        for line in log.splitlines():
            if found := re.search(r"/(\w+)\.[ch]:\d+:\d+: error: .*", line):
                self.faults.setdefault(found[1], found[0].removeprefix("/"))


def compile_networks(networks: Sequence[Lowered], folder: Path) -> Path:
    """Generate and compile all networks; return the program. Raises CompileError.

    Each core compiles one file that includes its share of the networks: starting gcc for every
    network would take as long as compiling it.
    """
    for network in networks:
        write_files(network_files(network), folder)
    names = [network.graph.name for network in networks]
    rows = " ".join(f"X({name}, {name.upper()})" for name in names)
    headers = [f'#include "{name}.h"' for name in names]
    files = {"networks.h": "\n".join([*headers, f"#define NETWORKS(X) {rows}", ""])}
    cores = min(os.cpu_count() or 1, len(names))
    for core in range(cores):
        files[f"part{core}.c"] = "".join(f'#include "{name}.c"\n' for name in names[core::cores])
    write_files(files, folder)
    with ThreadPoolExecutor(cores) as pool:
        parts = [folder / f"part{core}.c" for core in range(cores)]
        objects = list(pool.map(lambda part: _compile(part, folder, *STRICT), parts))
    program = folder / "run_networks"
    _gcc([*FLAGS, *map(str, [*objects, _compile(RUNNER, folder)]), "-o", str(program)])
    return program


def run_networks(
    program: Path, networks: Sequence[Lowered], inputs: Sequence[np.ndarray]
) -> list[np.ndarray | str]:
    """Return each network's outputs [run, value], or the sanitizer's summary where it stopped."""
    results: list[np.ndarray | str] = []
    while len(results) < len(networks):
        results += _run_from(len(results), program, networks, inputs)
    return results


def _run_from(
    first: int, program: Path, networks: Sequence[Lowered], inputs: Sequence[np.ndarray]
) -> list[np.ndarray | str]:
    """Run until the first failure; the last result is that failure, if there is one."""
    runs = len(inputs[first])
    done = subprocess.run(
        [program, str(first), str(runs)],
        input=b"".join(x.tobytes() for x in inputs[first:]),
        capture_output=True,
        env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"},
        check=False,
    )
    outputs, results = np.frombuffer(done.stdout, np.int8), []
    for network in networks[first:]:
        values = runs * network.graph.y.size
        if outputs.size < values:
            break
        results.append(outputs[:values].reshape(runs, -1))
        outputs = outputs[values:]
    if done.returncode:
        failed = networks[first + len(results)].graph.name
        results.append(_summary(failed, done.stderr.decode("utf-8", "replace")))
    return results


def _summary(name: str, log: str) -> str:
    """The line a sanitizer sums up with, and where in the network's file it happened."""
    lines = log.rpartition(f"{name}\n")[2].splitlines() or log.splitlines()
    telling = [line.strip() for line in lines if "runtime error" in line or "ERROR:" in line]
    place = next((line.strip() for line in lines if f"{name}.c:" in line and "#" in line), "")
    return " ".join([*telling[:1], place]).strip() or f"stopped: {' '.join(lines[-3:])}"


def _compile(source: Path, folder: Path, *flags: str) -> Path:
    target = folder / f"{source.stem}.o"
    include = [f"-I{folder}", f"-I{resources.firmware() / 'lib'}"]
    _gcc([*FLAGS, *flags, *include, "-c", str(source), "-o", str(target)])
    return target


def _gcc(arguments: Sequence[str]) -> None:
    done = subprocess.run(["gcc", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(done.stderr)
