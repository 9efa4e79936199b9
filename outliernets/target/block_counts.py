"""Exact instruction counts from QEMU: a plugin of our own, built when it is needed.

The plugin (``firmware/qemu_plugin``) counts how often each block of code ran, in a file that can be
read while the program runs.
"""

import shutil
import subprocess
import time
from pathlib import Path

import numpy as np

from outliernets import resources
from outliernets.errors import TargetError
from outliernets.target.symbols import Functions

PLACES = 1 << 16  #: blocks there is room for; a power of two
PLACE = np.dtype([("address", "<u8"), ("size", "<u4"), ("instructions", "<u4"), ("runs", "<u8")])
COMPILERS = ("cc", "gcc", "clang")
OPTIONS = ("-std=c11", "-D_DEFAULT_SOURCE", "-O2", "-shared", "-fPIC", "-fvisibility=hidden")
#: The interface's version by QEMU's: what the plugin uses is the same in all of these.
APIS = {6: 1, 7: 1, 8: 1, 9: 2, 10: 2}
_STILL = 0.005  # seconds without an instruction after which the program waits for bytes
_PATIENCE = 1.0  # seconds to wait for that


def reason_not_to_count(qemu: str, version: str) -> str | None:
    """Return why this QEMU's instructions cannot be counted here, or None if they can."""
    major = version.split(".")[0]
    if not major.isdigit() or int(major) not in APIS:
        return f"the plugin was written for QEMU {min(APIS)} to {max(APIS)}, this is {version}"
    helped = subprocess.run([qemu, "--help"], capture_output=True, text=True, check=False)
    if "-plugin" not in helped.stdout:
        return f"{qemu} was built without plugins"
    if _compiler() is None:
        return f"no C compiler on PATH to build the plugin with ({', '.join(COMPILERS)})"
    return None


class BlockCounter:
    """Counts the blocks of one run of QEMU of the given version, with files in ``folder``."""

    def __init__(self, version: str, folder: Path) -> None:
        self._plugin = folder / "count_blocks.so"
        self._file = folder / "counts"
        _build(self._plugin, APIS[int(version.split(".")[0])])
        with self._file.open("wb") as stream:
            stream.truncate((PLACES + 1) * PLACE.itemsize)
        self._places = np.memmap(self._file, PLACE, "r")

    def arguments(self) -> list[str]:
        """Return the options of QEMU that load the plugin."""
        plugin, counts = (str(path).replace(",", ",,") for path in (self._plugin, self._file))
        return ["-plugin", f"{plugin},counts={counts}"]

    def counts(self, functions: Functions) -> dict[str, int]:
        """Return executed instructions by function; code without a symbol counts as ``?``."""
        self._wait_until_still()
        places = np.array(self._places)
        if places[-1]["runs"]:
            raise TargetError(f"the program has more than {PLACES} blocks: too many to be counted")
        totals: dict[str, int] = {}
        for block in places[places["runs"] > 0]:
            name = functions.name_at(int(block["address"])) or "?"
            n = int(block["instructions"]) * int(block["runs"])
            totals[name] = totals.get(name, 0) + n
        return totals

    def _wait_until_still(self) -> None:
        """Wait for what the program does after its last answer, until it waits for bytes."""
        end = time.monotonic() + _PATIENCE
        seen = -1
        while seen != (seen := int(self._places["runs"].sum())) and time.monotonic() < end:
            time.sleep(_STILL)


def _compiler() -> str | None:
    return next(filter(None, map(shutil.which, COMPILERS)), None)


def _build(plugin: Path, api: int) -> None:
    source = resources.firmware() / "qemu_plugin" / "count_blocks.c"
    command = [str(_compiler()), *OPTIONS, f"-DCOUNT_API={api}", str(source), "-o", str(plugin)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise TargetError(f"QEMU's plugin cannot be built: {said[0] if said else 'no message'}")
