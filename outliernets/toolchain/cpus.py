"""What each processor means to the compilers and the kernels: a new one is one entry here."""

import platform
from dataclasses import dataclass

from outliernets.errors import ConfigError, near_miss


@dataclass(frozen=True)
class Cpu:
    """Compiler options of one processor, and the kernels it is given."""

    zig: tuple[str, ...]
    gcc_prefix: str  #: of the cross compiler's programs, such as ``arm-none-eabi-``
    gcc_package: str  #: Debian's package of it
    gcc: tuple[str, ...]
    kernels: str = "pairs"  #: a key of ``lower.KERNELS``
    zig_level: str = "-O2"  #: of optimisation
    needs_runtime: bool = False  #: calls the compiler's own library, to divide for example


#: Else clang unrolls loops that the kernels have unrolled already, and is larger and slower for it.
SMALL = "-Os"
HOST = "host"  #: the processor of this machine, whatever it is
_ARM = ("arm-none-eabi-", "gcc-arm-none-eabi")
_AARCH64 = ("aarch64-linux-gnu-", "gcc-aarch64-linux-gnu")

CPUS: dict[str, Cpu] = {
    "cortex-m0plus": Cpu(  # neither FPU, nor division, nor unaligned access
        ("-target", "thumb-freestanding-eabi", "-mcpu=cortex_m0plus"),
        *_ARM,
        ("-mcpu=cortex-m0plus", "-mthumb", "-mfloat-abi=soft"),
        zig_level=SMALL,
        needs_runtime=True,
    ),
    "cortex-m3": Cpu(
        ("-target", "thumb-freestanding-eabi", "-mcpu=cortex_m3"),
        *_ARM,
        ("-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft"),
        zig_level=SMALL,
    ),
    "cortex-m4": Cpu(  # single-precision FPU; zig's plain cortex_m4 has none
        ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp"),
        *_ARM,
        ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
        zig_level=SMALL,
    ),
    "cortex-m7": Cpu(  # single-precision FPU, as in the STM32F74x
        ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m7+fp_armv8d16sp"),
        *_ARM,
        ("-mcpu=cortex-m7", "-mthumb", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"),
        zig_level=SMALL,
    ),
    "cortex-a72": Cpu(
        ("-target", "aarch64-freestanding-none", "-mcpu=cortex_a72"),
        *_AARCH64,
        ("-mcpu=cortex-a72", "-fno-pie", "-mno-outline-atomics"),
        kernels="lanes",
    ),
    HOST: Cpu(
        ("-target", f"{platform.machine()}-freestanding-none", "-mcpu=native"),
        *("", "gcc"),
        ("-march=native", "-fno-pie", "-fno-stack-protector"),
        kernels="lanes" if platform.machine() == "aarch64" else "floats",
    ),
}


def lookup(name: str, board: str) -> Cpu:
    """Return a processor's options; raise ConfigError naming the board when there are none."""
    if name not in CPUS:
        raise ConfigError(
            f"board {board}: no compiler options for cpu '{name}' ({near_miss(name, CPUS)})"
        )
    return CPUS[name]
