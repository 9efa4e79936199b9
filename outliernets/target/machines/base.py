"""A processor with memory and a byte stream, which runs until it waits for bytes."""

import ctypes
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outliernets.boards import Variant
from outliernets.errors import ConfigError, TargetError
from outliernets.target.base import NOWHERE, Flow
from outliernets.target.machines.device import Device
from outliernets.target.machines.program import load_segments
from outliernets.target.symbols import Functions

CPU_MODELS = {
    "cortex-m0": "UC_CPU_ARM_CORTEX_M0",
    "cortex-m0plus": "UC_CPU_ARM_CORTEX_M0",  # the same instructions
    "cortex-m3": "UC_CPU_ARM_CORTEX_M3",
    "cortex-m4": "UC_CPU_ARM_CORTEX_M4",
    "cortex-m7": "UC_CPU_ARM_CORTEX_M7",
    "cortex-m33": "UC_CPU_ARM_CORTEX_M33",
    "cortex-a53": "UC_CPU_ARM64_A53",
    "cortex-a72": "UC_CPU_ARM64_A72",
}
TX_BYTES = 1 << 20  #: sent bytes that are kept before Python takes them
SLICE = 200_000_000  #: instructions after which Python may look for Ctrl-C
UNTIL = 0xFFFF_FFFE  #: an address no program reaches: unicorn wants one to stop at
NEVER = 1 << 62  #: a time that does not come
_PATIENCE = 2  # times in a row that a program asks for bytes in vain before it is said to wait


def _cpu_model(cpu: str) -> int:
    from unicorn import arm64_const, arm_const

    name = CPU_MODELS[cpu]
    return int(getattr(arm64_const if "ARM64" in name else arm_const, name))


class Machine(ABC):
    """A processor with memory and a byte stream; runs until it waits for bytes.

    Instructions are counted per basic block by native callbacks (``native.py``). There are no
    hooks on memory accesses: in unicorn 2.1 they make Thumb code skip instructions in IT blocks.
    """

    #: names of unicorn's constants: architecture, then modes
    architecture: ClassVar[tuple[str, ...]]
    thumb: ClassVar[bool]

    def __init__(self, variant: Variant, cpu: str, elf: Path, limit: int) -> None:
        import unicorn

        from outliernets.target import native

        self._native = native
        self._elf = elf
        self._limit = limit
        self._segments = load_segments(elf)
        self._keep: list[Any] = []  # what unicorn holds addresses of
        self._tx = np.zeros(TX_BYTES, np.uint8)
        self._rx = np.zeros(1, np.uint8)
        self._state = np.zeros(int(native.State.SIZE), np.uint64)
        arch, *modes = (getattr(unicorn, name) for name in self.architecture)
        self._uc = unicorn.Uc(arch, sum(modes))
        self._uc.ctl_set_cpu_model(_cpu_model(cpu))
        self._library = sys.modules["unicorn.unicorn_py3.unicorn"].uclib
        self._prepare_state()
        self._map(variant)
        self._count_blocks()
        self._pc = self._reset(variant)

    @abstractmethod
    def _map(self, variant: Variant) -> None:
        """Map memory and devices, load the program."""

    @abstractmethod
    def _reset(self, variant: Variant) -> int:
        """Set the first stack pointer; return the first program counter, as emu_start wants it."""

    @abstractmethod
    def _registers(self) -> dict[str, int]:
        """Return registers for an error message; has ``pc`` and ``lr``."""

    @abstractmethod
    def _next_pc(self) -> int:
        """Return where to go on, as emu_start wants it."""

    def send(self, data: bytes) -> None:
        """Queue bytes to be received."""
        state, names = self._state, self._native.State
        next_, here = int(state[names.RX_NEXT]), int(state[names.RX_HERE])
        left = self._rx[next_ : int(state[names.RX_END])]
        self._rx = np.concatenate([left, np.frombuffer(data, np.uint8)])
        state[names.RX] = self._rx.ctypes.data
        state[names.RX_NEXT] = 0
        state[names.RX_HERE] = here - next_
        state[names.RX_END] = len(self._rx)

    def write_memory(self, address: int, data: bytes) -> None:
        """Write into the program's memory."""
        self._uc.mem_write(address, data)

    def read_memory(self, address: int, n: int) -> bytes:
        """Return bytes of the program's memory."""
        return bytes(self._uc.mem_read(address, n))

    def run(self) -> bytes:
        """Run until the program waits for bytes (or has sent very many); return what it sent.

        Raises TargetError with the registers when it faults or halts, and when it runs away.
        """
        reason = self._run(self.now() + self._limit, _PATIENCE)
        sent = self._drain()
        if reason == self._native.Reason.LIMITED:
            raise TargetError(
                f"the firmware did not answer within {self._limit:,} instructions; it was at "
                f"{self._where()}"
            )
        if reason == self._native.Reason.NONE and not sent:
            raise TargetError(self._crash(self._halt_reason()))
        return sent

    def pass_time(self, time: int) -> bytes:
        """Run for so many instructions, also while it waits for bytes; return what it sent.

        Raises TargetError as ``run``, but that it takes as long as it takes.
        """
        end = self.now() + time
        sent = b""
        while self.now() < end:
            reason = self._run(end, NEVER)
            sent += self._drain()
            if reason == self._native.Reason.NONE:
                raise TargetError(self._crash(self._halt_reason()))
        return sent

    def attach(self, device: Device) -> None:
        """Let a model of a peripheral answer at its addresses; ConfigError if it has no place."""
        raise ConfigError("this machine has no peripherals: no device can be attached")

    def pace(self) -> None:
        """Let bytes arrive as fast as the line is, not as fast as the program takes them.

        ConfigError where there is no such line.
        """
        raise ConfigError("this machine has no serial line whose speed could be kept")

    @property
    def lost_bytes(self) -> int:
        """Bytes that were lost on the line because the program did not take the one before."""
        return 0

    def now(self) -> int:
        """Return the time since the start, in instructions."""
        return self.instructions()

    def _run(self, end: int, patience: int) -> int:
        """Run until it is ``end`` or something else stops it; return the reason.

        One is that it asked for bytes ``patience`` times in vain.
        """
        names, reasons = self._native.State, self._native.Reason
        self._state[names.POLLS] = 0
        self._state[names.PATIENCE] = patience
        reason = int(reasons.LIMITED)
        while reason == reasons.LIMITED and self.now() < end:
            until = min(end, self._look_up(), self.now() + SLICE)
            self._state[names.LIMIT] = self.instructions() + until - self.now()
            reason = self._run_slice()
        return reason

    def _look_up(self) -> int:
        """Do what is due between two blocks; return the time to look again."""
        return NEVER

    def _run_slice(self) -> int:
        """Run until there is a reason to stop; return it."""
        import unicorn

        names = self._native.State
        self._state[names.REASON] = self._native.Reason.NONE
        try:
            self._uc.emu_start(self._pc, UNTIL)
        except unicorn.UcError as error:
            if not self._mend():
                raise TargetError(self._crash(str(error))) from error
            self._state[names.REASON] = self._native.Reason.LIMITED
        self._pc = self._next_pc()
        return int(self._state[names.REASON])

    def _mend(self) -> bool:
        """Put right what unicorn cannot do; false if it was a mistake of the program."""
        return False

    def counts(self, functions: Functions) -> dict[str, int]:
        """Return executed instructions by function; code without a symbol counts as ``?``."""
        totals: dict[str, int] = {}
        for first, size, slot in self._ranges.tolist():
            counts = self._counts[slot : slot + size // 2]
            for i in np.flatnonzero(counts):
                name = functions.name_at(first + 2 * int(i)) or "?"
                totals[name] = totals.get(name, 0) + int(counts[i])
        if elsewhere := int(self._state[self._native.State.ELSEWHERE]):
            totals["?"] = totals.get("?", 0) + elsewhere
        return totals

    def flow(self) -> Flow:
        """Return how often the program stepped from block to block; TargetError if too many."""
        names = self._native.State
        if lost := int(self._state[names.STEPS_LOST]):
            raise TargetError(
                f"the firmware has too many different branches to count: {lost:,} more than "
                f"{self._native.STEP_ROOM:,} have room"
            )
        found = self._steps[self._steps[:, 0] != 0]
        before, after = found[:, 0] >> np.uint64(32), found[:, 0] & np.uint64(0xFFFF_FFFF)
        first, slots = self._addresses(before), self._addresses(after)
        steps = zip(first.tolist(), slots.tolist(), found[:, 1].tolist(), strict=True)
        sizes = self._lengths[after.astype(np.int64) - 1, 0]
        return Flow(
            {(a, b): n for a, b, n in sorted(steps)},
            dict(sorted(zip(slots.tolist(), sizes.tolist(), strict=True))),
        )

    def _addresses(self, numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the addresses of blocks by slot + 1; NOWHERE for 0."""
        slots = numbers.astype(np.int64) - 1
        addresses = np.full(len(slots), NOWHERE, np.int64)
        for first, size, start in self._ranges.astype(np.int64).tolist():
            here = (slots >= start) & (slots < start + (size + 1) // 2)
            addresses[here] = first + 2 * (slots[here] - start)
        return addresses

    def instructions(self) -> int:
        """Return all instructions executed so far."""
        return int(self._state[self._native.State.INSTRUCTIONS])

    def _prepare_state(self) -> None:
        state, names = self._state, self._native.State
        state[names.ENGINE] = self._uc._uch.value
        stop = ctypes.cast(self._library.uc_emu_stop, ctypes.c_void_p)
        state[names.STOP] = stop.value or 0
        state[names.THUMB] = self.thumb
        state[names.TX] = self._tx.ctypes.data
        state[names.TX_END] = TX_BYTES

    def _count_blocks(self) -> None:
        """Hook the start of every block and make room for the counts of the program's code."""
        import unicorn

        rows, halfwords = [], bytearray()
        for segment in self._segments:
            if segment.executable:
                rows.append((segment.address, len(segment.data), len(halfwords) // 2))
                halfwords += segment.data + bytes(len(segment.data) % 2)
        slots = len(halfwords) // 2
        self._ranges = np.array(rows, np.uint64).reshape(-1, 3)
        self._counts = np.zeros(slots, np.uint64)
        self._lengths = np.zeros((slots, 2), np.uint32)
        self._steps = np.zeros((self._native.STEP_ROOM, 2), np.uint64)
        self._code = np.frombuffer(bytes(halfwords), np.uint16)
        names = self._native.State
        self._state[names.N_RANGES] = len(rows)
        for name, array in (
            (names.RANGES, self._ranges),
            (names.COUNTS, self._counts),
            (names.LENGTHS, self._lengths),
            (names.STEPS, self._steps),
            (names.CODE, self._code),
        ):
            self._state[name] = array.ctypes.data
        self.block_hook = self._native_hook(unicorn.UC_HOOK_BLOCK, self._native.on_block.address)

    def _native_hook(self, kind: int, callback: int) -> int:
        handle = ctypes.c_size_t(0)
        status = self._library.uc_hook_add(
            self._uc._uch,
            ctypes.byref(handle),
            ctypes.c_int(kind),
            ctypes.c_void_p(callback),
            ctypes.c_void_p(self._state.ctypes.data),
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )
        if status:
            raise TargetError(f"unicorn refused a hook (error {status})")
        return int(handle.value or 0)

    def _drain(self) -> bytes:
        names = self._native.State
        sent = self._tx[: int(self._state[names.TX_NEXT])].tobytes()
        self._state[names.TX_NEXT] = 0
        return sent

    def _halt_reason(self) -> str:
        return "the program stopped"

    def _where(self) -> str:
        return Functions(self._elf).describe(self._registers()["pc"])

    def _crash(self, what: str) -> str:
        registers = self._registers()
        functions = Functions(self._elf)
        values = " ".join(f"{name}={value:#x}" for name, value in registers.items())
        return (
            f"the firmware crashed at {functions.describe(registers['pc'])}, called from "
            f"{functions.describe(registers['lr'])}: {what}: {values}"
        )
