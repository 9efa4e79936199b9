"""Programs that write a chip's flash through a debug probe: what to call them with, what they say.

Each does a job in steps: write, read back, start. The comparison is ours, so that it is the same
with all of them and does not rest on what a program says of itself.
"""

import re
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from outliernets.boards import Chip
from outliernets.errors import ConfigError, MissingToolError, TargetError, near_miss

TIMEOUT = 180.0  #: seconds one command may take; a megabyte takes less than one minute
Command = list[str]


@dataclass(frozen=True)
class Job:
    """What is to be written. Commands run in the folder of the files, which are named in it."""

    chip: Chip
    hex: str  #: name of the Intel HEX file
    binary: str  #: name of the same without addresses
    read_back: str  #: name of the file that what was written is read into
    address: int  #: of the first byte
    size: int  #: bytes from the first to the last
    erase_all: bool  #: the whole chip, not only the sectors written


class Probe(ABC):
    """One of the programs."""

    name: ClassVar[str]
    hint: ClassVar[str]  #: how to install it

    @abstractmethod
    def write(self, job: Job) -> list[Command]:
        """Return the commands that erase and write; the program is not started."""

    @abstractmethod
    def read_back(self, job: Job) -> Command:
        """Return the command that reads what is in flash there."""

    @abstractmethod
    def start(self, job: Job) -> Command:
        """Return the command that resets the chip and lets it run."""


class PyOcd(Probe):
    """pyOCD: Python, most probes, chips by CMSIS packs."""

    name = "pyocd"
    hint = "pip install 'ongen[board]'"

    def write(self, job: Job) -> list[Command]:
        """See Probe."""
        erase = "chip" if job.erase_all else "sector"
        return [self._command("load", job, "--erase", erase, "--no-reset", job.hex)]

    def read_back(self, job: Job) -> Command:
        """See Probe."""
        save = f"savemem {job.address:#010x} {job.size} {job.read_back}"
        return self._command("commander", job, "--connect", "halt", "--command", save)

    def start(self, job: Job) -> Command:
        """See Probe."""
        return [self.name, "reset", "--no-wait", "--target", job.chip.pyocd]

    def _command(self, name: str, job: Job, *options: str) -> Command:
        # Left halted: a chip between two programs must not run.
        common = ["--no-wait", "--target", job.chip.pyocd, "-O", "resume_on_disconnect=0"]
        return [self.name, name, *common, *options]


class OpenOcd(Probe):
    """OpenOCD."""

    name = "openocd"
    hint = "apt install openocd"

    def write(self, job: Job) -> list[Command]:
        """See Probe."""
        erase_all = ["flash erase_sector 0 0 last"] if job.erase_all else []
        return [
            self._command(
                job, "reset halt", *erase_all, f"flash write_image erase {job.hex}", "shutdown"
            )
        ]

    def read_back(self, job: Job) -> Command:
        """See Probe."""
        dump = f"dump_image {job.read_back} {job.address:#010x} {job.size}"
        return self._command(job, "halt", dump, "shutdown")

    def start(self, job: Job) -> Command:
        """See Probe."""
        return self._command(job, "reset run", "shutdown")

    def _command(self, job: Job, *steps: str) -> Command:
        files = [word for file in job.chip.openocd for word in ("-f", file)]
        return [self.name, *files, *(word for step in ("init", *steps) for word in ("-c", step))]


class StFlash(Probe):
    """st-flash of stlink-tools: STM32 through an ST-LINK only."""

    name = "st-flash"
    hint = "apt install stlink-tools"

    def write(self, job: Job) -> list[Command]:
        """See Probe."""
        erase_all = [[self.name, "erase"]] if job.erase_all else []
        return [*erase_all, [self.name, "write", job.binary, f"{job.address:#010x}"]]

    def read_back(self, job: Job) -> Command:
        """See Probe."""
        return [self.name, "read", job.read_back, f"{job.address:#010x}", f"{job.size:#x}"]

    def start(self, job: Job) -> Command:
        """See Probe."""
        return [self.name, "reset"]


PROBES: Mapping[str, Probe] = {probe.name: probe for probe in (PyOcd(), OpenOcd(), StFlash())}

#: What the programs say (pyOCD 0.46, OpenOCD 0.12, st-flash 1.7), and what it means.
_EXPLAINED = (
    (
        r"LIBUSB_ERROR_ACCESS|[Ii]nsufficient permissions|Access denied|Permission denied",
        "the debug probe may not be used by you: install its udev rules (docs/flashing.md), plug it"
        " in again",
    ),
    (
        r"No connected debug probes|No target device available|Couldn't find any ST-Link"
        r"|Error: open failed|No ST-Link",
        "no debug probe found: connect the board's ST-LINK to USB, with a cable that carries data",
    ),
    (
        r"Target type \S+ not recognized",
        "pyocd does not know the chip yet: 'pyocd pack install {chip}' downloads what it needs",
    ),
    (
        r"init mode failed|No ACK|Transfer(Fault)?Error|SWD/JTAG communication failure"
        r"|[Uu]nable to connect to|Failed to connect to target|unknown chip id|chip id 0x0+\b",
        "the debug probe finds no chip: has the board power? Hold its reset button and try again",
    ),
    (
        r"[Ww]rite.?protect|[Rr]ead.?out protect|RDP",
        "the chip's flash is protected: remove the protection in its option bytes first",
    ),
)


def chosen(name: str | None) -> Probe:
    """Return a probe's program by name, or the first that is installed.

    Raises MissingToolError when it, or every one, is not installed, ConfigError for other names.
    """
    if name is not None:
        probe = by_name(name)
        if not installed(probe):
            raise MissingToolError(f"{probe.name} is not installed: {probe.hint}")
        return probe
    found = next((probe for probe in PROBES.values() if installed(probe)), None)
    if found is None:
        ways = "; ".join(f"{probe.name}: {probe.hint}" for probe in PROBES.values())
        raise MissingToolError(f"nothing that can write flash is installed ({ways})")
    return found


def by_name(name: str) -> Probe:
    """Return a probe's program, installed or not; ConfigError for other names."""
    if name not in PROBES:
        raise ConfigError(f"unknown probe '{name}' ({near_miss(name, PROBES)})")
    return PROBES[name]


def installed(probe: Probe) -> bool:
    """Whether the program can be found."""
    return _find(probe.name) is not None


def run(command: Command, folder: Path) -> tuple[int, str]:
    """Run a command in ``folder``; return its status and what it said.

    Raises MissingToolError when its program is not installed, TargetError when it does not end.
    """
    program, *arguments = command
    path = _find(program)
    if path is None:
        raise MissingToolError(f"{program} is not installed: {PROBES[program].hint}")
    try:
        done = subprocess.run(
            [path, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TargetError(
            f"{program} did not end within {TIMEOUT:g} s: unplug the board, plug it in, try again"
        ) from None
    except OSError as error:
        raise TargetError(f"{program} cannot be started: {error.strerror}") from error
    return done.returncode, done.stdout + done.stderr


def explain(said: str, chip: Chip, status: int) -> str:
    """Say in one line why a command ended with ``status``, and what to try."""
    for pattern, meaning in _EXPLAINED:
        if re.search(pattern, said):
            return meaning.format(chip=chip.pyocd)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    wrong = [line for line in lines if re.search(r"\berror\b|\bfail", line, re.IGNORECASE)]
    return (wrong or lines or ["no message"])[-1] + f" (status {status})"


def _find(program: str) -> str | None:
    """Return where a program is: on PATH, else beside this Python, as in a virtual environment."""
    return shutil.which(program) or shutil.which(program, path=str(Path(sys.executable).parent))
