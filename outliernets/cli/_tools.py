"""What ``ongen doctor`` looks at."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata


@dataclass(frozen=True)
class Tool:
    """A package or program; ``version`` is None if it is missing."""

    name: str
    version: str | None
    purpose: str
    how: str


PACKAGES = (
    ("tensorflow", "training", "pip install tensorflow"),
    ("librosa", "log-Mel features", "pip install librosa"),
    ("tflite-micro", "the int8 reference", "pip install tflite-micro"),
    ("ziglang", "the default C compiler", "pip install 'ongen[zig]'"),
    ("unicorn", "the default emulator", "pip install 'ongen[unicorn]'"),
    ("numba", "speed of the default emulator", "pip install 'ongen[unicorn]'"),
    ("pyserial", "boards: --target PORT, ongen monitor", "pip install 'ongen[board]'"),
    ("pyocd", "boards: ongen flash", "pip install 'ongen[board]'"),
)
RENODE = "release 1.16.1 from https://github.com/renode/renode/releases"
PROGRAMS = (
    ("arm-none-eabi-gcc", "--toolchain gcc for Cortex-M", "apt install gcc-arm-none-eabi"),
    ("aarch64-linux-gnu-gcc", "--toolchain gcc for Cortex-A", "apt install gcc-aarch64-linux-gnu"),
    ("qemu-system-arm", "--target qemu for Cortex-M", "apt install qemu-system-arm"),
    ("qemu-aarch64", "--target qemu for cortex-a72", "apt install qemu-user"),
    ("qemu-system-aarch64", "--target qemu for virt-a72", "apt install qemu-system-arm"),
    ("gcc", "quicker checks of generated C on this machine", "apt install gcc"),
    ("openocd", "ongen flash --probe openocd", "apt install openocd"),
    ("st-flash", "ongen flash --probe st-flash", "apt install stlink-tools"),
    ("renode", "--target renode for the STM32F746", f"{RENODE}; or set $RENODE to its path"),
)


def examine() -> list[Tool]:
    """Return every tool with its version."""
    packages = [Tool(name, _package(name), why, how) for name, why, how in PACKAGES]
    return packages + [Tool(name, _program(name), why, how) for name, why, how in PROGRAMS]


def _package(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _program(name: str) -> str | None:
    path = shutil.which(os.environ.get("RENODE", name) if name == "renode" else name)
    if path is None:
        return None
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else "installed"
