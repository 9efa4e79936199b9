"""The machines unicorn can be: STM32s with their memory maps and USARTs, and a Linux process."""

import ctypes
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outliernets.boards import Variant
from outliernets.errors import ConfigError, TargetError, near_miss
from outliernets.target import flash_model
from outliernets.target.base import NOWHERE, Flow
from outliernets.target.flash_model import Flash, FlashController, Sector
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
_PAGE = 0x1000
_SLICE = 200_000_000  # instructions after which Python may look for Ctrl-C
_POWER_ON = 0xA5  # what RAM holds before the firmware sets it: anything but zero
_NOWHERE = 0xFFFF_FFFE  # an address no program reaches: unicorn wants one to stop at


def create(variant: Variant, cpu: str, elf: Path, limit: int) -> "Machine":
    """Return the machine ``variant`` names, with ``elf`` loaded."""
    if variant.machine not in MACHINES:
        hint = near_miss(variant.machine, MACHINES)
        raise ConfigError(f"unicorn has no machine '{variant.machine}' ({hint})")
    if cpu not in CPU_MODELS:
        raise ConfigError(f"unicorn has no processor '{cpu}' ({near_miss(cpu, CPU_MODELS)})")
    import unicorn

    try:
        return MACHINES[variant.machine](variant, cpu, elf, limit)
    except unicorn.UcError as error:
        raise TargetError(
            f"{elf} cannot be loaded into machine {variant.machine}, was it built for it? ({error})"
        ) from error


@dataclass(frozen=True)
class Segment:
    """A part of a program to be loaded."""

    address: int  #: where it runs
    load_address: int  #: where it is stored
    data: bytes
    size: int  #: bytes in memory: the data, then zeros
    executable: bool


def load_segments(elf: Path) -> list[Segment]:
    """Return the parts of a program that are loaded; TargetError if it is none."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with elf.open("rb") as stream:
            return [
                Segment(s["p_vaddr"], s["p_paddr"], s.data(), s["p_memsz"], bool(s["p_flags"] & 1))
                for s in ELFFile(stream).iter_segments("PT_LOAD")
            ]
    except OSError as error:
        raise TargetError(f"cannot read the firmware {elf}: {error.strerror}") from error
    except ELFError as error:
        raise TargetError(f"{elf} is not an ELF program: {error}") from error


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
        left = self._rx[int(state[names.RX_NEXT]) : int(state[names.RX_END])]
        self._rx = np.concatenate([left, np.frombuffer(data, np.uint8)])
        state[names.RX] = self._rx.ctypes.data
        state[names.RX_NEXT] = 0
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
        names, reasons = self._native.State, self._native.Reason
        self._state[names.POLLS] = 0
        end = self.instructions() + self._limit
        reason = int(reasons.LIMITED)
        while reason == reasons.LIMITED and self.instructions() < end:
            self._state[names.LIMIT] = min(end, self.instructions() + _SLICE)
            reason = self._run_slice()
        sent = self._drain()
        if reason == reasons.LIMITED:
            raise TargetError(
                f"the firmware did not answer within {self._limit:,} instructions; it was at "
                f"{self._where()}"
            )
        if reason == reasons.NONE and not sent:
            raise TargetError(self._crash(self._halt_reason()))
        return sent

    def _run_slice(self) -> int:
        """Run until there is a reason to stop; return it."""
        import unicorn

        names = self._native.State
        self._state[names.REASON] = self._native.Reason.NONE
        try:
            self._uc.emu_start(self._pc, _NOWHERE)
        except unicorn.UcError as error:
            raise TargetError(self._crash(str(error))) from error
        self._pc = self._next_pc()
        return int(self._state[names.REASON])

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
        self._native_hook(unicorn.UC_HOOK_BLOCK, self._native.on_block.address)

    def _native_hook(self, kind: int, callback: int) -> None:
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


Registers = dict[int, int]  #: what was written, by address
Behaviour = Mapping[int, Callable[[Registers], int]]  #: what is read instead, by address


@dataclass(frozen=True)
class Usart:
    """Offsets of a kind of USART's registers: status, received data, data to send."""

    status: int
    received: int
    to_send: int


@dataclass(frozen=True)
class Chip:
    """What a program that polls can tell one STM32 from another by."""

    usart: int  #: address of the USART that talks to the host
    usart_kind: Usart
    behaviour: Behaviour
    flash: Flash
    cycles: int = 0xE000_1004  #: address of the counter of cycles; DWT.CYCCNT
    peripherals: tuple[tuple[int, int], ...] = ((0x4000_0000, 0x4008_0000),)  #: first, end


class Stm32(Machine):
    """An STM32: the board's memory, a USART, and registers that say "ready"; no interrupts.

    Its counter of cycles counts instructions. Peripherals without behaviour keep what is written.
    """

    # Not UC_MODE_MCLASS: with it unicorn 2.1 is a Cortex-M33, whatever model is asked for.
    architecture = ("UC_ARCH_ARM", "UC_MODE_THUMB")
    thumb = True
    _CORE = (0xE000_0000, 0xE010_0000)  # the private peripheral bus

    def __init__(self, chip: Chip, variant: Variant, cpu: str, elf: Path, limit: int) -> None:
        self._chip = chip
        super().__init__(variant, cpu, elf, limit)

    def _map(self, variant: Variant) -> None:
        import unicorn

        for region in variant.memory:
            read_only = region.role == "code"
            rights = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
            rights |= 0 if read_only else unicorn.UC_PROT_WRITE
            content = np.full(region.size, _POWER_ON, np.uint8)
            self._keep.append(content)
            for base in (region.base, region.alias):
                if base is not None:
                    self._uc.mem_map_ptr(base, region.size, rights, content.ctypes.data)
        for segment in self._segments:
            self._uc.mem_write(segment.load_address, segment.data)
        self._values: Registers = {}
        self._cycles_at_zero = 0
        self._flash = FlashController(self._chip.flash, self._uc.mem_write, self._allow_flash)
        self._map_usart()
        usart = self._chip.usart & -_PAGE
        for first, end in (*self._chip.peripherals, self._CORE):
            if first <= usart < end:
                self._map_registers(first, usart)
                self._map_registers(usart + _PAGE, end)
            else:
                self._map_registers(first, end)

    def _allow_flash(self, sector: Sector, written: bool) -> None:
        import unicorn

        rights = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
        rights |= unicorn.UC_PROT_WRITE if written else 0
        first, end = sector.base & -_PAGE, sector.base + sector.size
        self._uc.mem_protect(first, (end - first + _PAGE - 1) & -_PAGE, rights)

    def _map_registers(self, first: int, end: int) -> None:
        def read(uc: Any, offset: int, size: int, user: Any) -> int:
            return self._read_register(first + offset)

        def write(uc: Any, offset: int, size: int, value: int, user: Any) -> None:
            self._write_register(first + offset, value)

        if first < end:
            self._uc.mmio_map(first, end - first, read, None, write, None)

    def _map_usart(self) -> None:
        """Map the USART's whole page: its neighbours there read as zero."""
        names, kind, offset = self._native.State, self._chip.usart_kind, self._chip.usart % _PAGE
        self._state[names.STATUS] = offset + kind.status
        self._state[names.RECEIVED] = offset + kind.received
        self._state[names.TO_SEND] = offset + kind.to_send
        status = self._library.uc_mmio_map(
            self._uc._uch,
            ctypes.c_uint64(self._chip.usart & -_PAGE),
            ctypes.c_size_t(_PAGE),
            ctypes.c_void_p(self._native.on_usart_read.address),
            ctypes.c_void_p(self._state.ctypes.data),
            ctypes.c_void_p(self._native.on_usart_write.address),
            ctypes.c_void_p(self._state.ctypes.data),
        )
        if status:
            raise TargetError(f"unicorn refused to map the USART (error {status})")

    def _read_register(self, address: int) -> int:
        if address == self._chip.cycles:
            return (self.instructions() - self._cycles_at_zero) & 0xFFFF_FFFF
        if address in self._chip.flash.registers:
            return self._flash.read(address)
        behaviour = self._chip.behaviour.get(address)
        return behaviour(self._values) if behaviour else self._values.get(address, 0)

    def _write_register(self, address: int, value: int) -> None:
        self._values[address] = value
        if address in self._chip.flash.registers:
            self._flash.store(address, value)
        if address == self._chip.cycles:
            self._cycles_at_zero = self.instructions() - value

    def _reset(self, variant: Variant) -> int:
        from unicorn import arm_const

        code = variant.region("code")
        stack, entry = np.frombuffer(self._uc.mem_read(code.base if code else 0, 8), "<u4").tolist()
        self._uc.reg_write(arm_const.UC_ARM_REG_SP, stack)
        return int(entry) | 1

    def _next_pc(self) -> int:
        from unicorn import arm_const

        return int(self._uc.reg_read(arm_const.UC_ARM_REG_PC)) | 1

    def _registers(self) -> dict[str, int]:
        from unicorn import arm_const

        names = [f"r{i}" for i in range(13)] + ["sp", "lr", "pc", "xpsr"]
        return {n: self._uc.reg_read(getattr(arm_const, f"UC_ARM_REG_{n.upper()}")) for n in names}


def _rcc_cr(values: Registers) -> int:
    value = values.get(0x4002_3800, 0x83)  # RM0385 5.3.1: HSI is on and ready after reset
    return value | (value & 0x1501_0001) << 1  # each oscillator is ready as soon as it is on


def _rcc_cfgr(values: Registers) -> int:
    value = values.get(0x4002_3808, 0)
    return value | (value & 3) << 2  # RM0385 5.3.3: SWS follows SW


def _pwr_csr(values: Registers) -> int:
    control = values.get(0x4000_7000, 0xC000)
    return 1 << 14 | control & 3 << 16  # RM0385 4.4.2: VOSRDY; ODRDY, ODSWRDY follow ODEN, ODSWEN


def _clidr(values: Registers) -> int:
    return 0x0900_0003  # a Cortex-M7 with a cache for instructions and one for data


def _ccsidr(values: Registers) -> int:
    return 0xF003_E019  # 4 KiB, four ways of lines of 32 bytes: the STM32F746's data cache


def _g0_rcc_cr(values: Registers) -> int:
    value = values.get(0x4002_1000, 0x500)  # RM0444 5.4.1: HSI16 is on and ready after reset
    return value | (value & 1 << 8) << 2 | (value & 0x0101_0000) << 1


def _g0_rcc_cfgr(values: Registers) -> int:
    value = values.get(0x4002_1008, 0)
    return value | (value & 7) << 3  # RM0444 5.4.3: SWS follows SW


_DR = Usart(0x00, 0x04, 0x04)  # RM0390 25
_RDR = Usart(0x1C, 0x24, 0x28)  # RM0385 31

_F2: Behaviour = {0x4002_3800: _rcc_cr, 0x4002_3808: _rcc_cfgr}
_F4: Behaviour = {**_F2, 0x4000_7004: _pwr_csr}
_F7: Behaviour = {**_F4, 0xE000_ED78: _clidr, 0xE000_ED80: _ccsidr}
_G0: Behaviour = {0x4002_1000: _g0_rcc_cr, 0x4002_1008: _g0_rcc_cfgr}
_F2_FLASH = flash_model.f2f4f7(11, Sector(0x080E_0000, 0x2_0000))
_F4_FLASH = flash_model.f2f4f7(7, Sector(0x0806_0000, 0x2_0000))
_F7_FLASH = flash_model.f2f4f7(7, Sector(0x080C_0000, 0x4_0000))
_G0_FLASH = flash_model.g0(127, Sector(0x0803_F800, 0x800))
_G0_PERIPHERALS = ((0x4000_0000, 0x4003_0000), (0x5000_0000, 0x5000_2000))

CHIPS = {
    "stm32f2": Chip(0x4000_4800, _DR, _F2, _F2_FLASH),
    "stm32f4": Chip(0x4000_4400, _DR, _F4, _F4_FLASH),
    "stm32f7": Chip(0x4001_1000, _RDR, _F7, _F7_FLASH),
    "stm32g0": Chip(
        0x4000_4400, _RDR, _G0, _G0_FLASH, cycles=0x4000_0024, peripherals=_G0_PERIPHERALS
    ),
}  #: by machine: the USARTs are those of the boards' ST-LINKs, the counter of the G0 is TIM2.CNT


class LinuxUser(Machine):
    """A static AArch64 Linux process: read, write, exit; its timer counts instructions."""

    architecture = ("UC_ARCH_ARM64", "UC_MODE_ARM")
    thumb = False
    _STACK = 0x7F_0000_0000
    _STACK_BYTES = 0x10_0000
    _SUPERVISOR_CALL = 2  # QEMU's EXCP_SWI
    _READ, _WRITE, _EXIT, _EXIT_GROUP = 63, 64, 93, 94
    _CNTVCT_EL0 = (3, 3, 14, 0, 2)  # op0, op1, CRn, CRm, op2
    _ENOSYS = -38

    def _map(self, variant: Variant) -> None:
        import unicorn
        from unicorn import arm64_const

        self._wanted: tuple[int, int] | None = None  # address and size of a read that waits
        self._halted = "the program stopped"
        self._output = bytearray()
        first = min(s.address for s in self._segments) & -_PAGE
        end = max(s.address + s.size for s in self._segments)
        self._uc.mem_map(first, (end - first + _PAGE - 1) & -_PAGE)
        for segment in self._segments:
            self._uc.mem_write(segment.address, segment.data)
        self._uc.mem_map(self._STACK, self._STACK_BYTES)
        self._uc.reg_write(arm64_const.UC_ARM64_REG_CPACR_EL1, 3 << 20)  # floating point and SIMD
        self._uc.hook_add(unicorn.UC_HOOK_INTR, self._exception)
        self._uc.hook_add(
            unicorn.UC_HOOK_INSN, self._system_register, aux1=arm64_const.UC_ARM64_INS_MRS
        )

    def _reset(self, variant: Variant) -> int:
        from elftools.elf.elffile import ELFFile
        from unicorn import arm64_const

        self._uc.reg_write(arm64_const.UC_ARM64_REG_SP, self._STACK + self._STACK_BYTES - 0x100)
        with self._elf.open("rb") as stream:
            return int(ELFFile(stream)["e_entry"])

    def send(self, data: bytes) -> None:
        """Queue bytes to be received, and finish a read that waits for them."""
        super().send(data)
        if self._wanted and data:
            address, size = self._wanted
            self._wanted = None
            self._answer(self._deliver(address, size))

    def _drain(self) -> bytes:
        sent = bytes(self._output)
        self._output.clear()
        return sent

    def _exception(self, uc: Any, number: int, user: Any) -> None:
        if number != self._SUPERVISOR_CALL:
            self._halted = f"exception {number}"
            uc.emu_stop()
            return
        call, address, size = (self._register(name) for name in ("X8", "X1", "X2"))
        if call == self._WRITE:
            self._output += uc.mem_read(address, size)
            self._answer(size)
        elif call == self._READ:
            self._read(address, size)
        elif call in (self._EXIT, self._EXIT_GROUP):
            self._halted = f"the program ended with status {self._register('X0')}"
            uc.emu_stop()
        else:
            self._answer(self._ENOSYS)

    def _read(self, address: int, size: int) -> None:
        names = self._native.State
        if self._state[names.RX_NEXT] < self._state[names.RX_END]:
            self._answer(self._deliver(address, size))
            return
        self._wanted = (address, size)
        self._state[names.REASON] = self._native.Reason.IDLE
        self._uc.emu_stop()

    def _deliver(self, address: int, size: int) -> int:
        """Give the program up to ``size`` queued bytes; return how many."""
        names = self._native.State
        first, end = int(self._state[names.RX_NEXT]), int(self._state[names.RX_END])
        data = self._rx[first : min(end, first + size)].tobytes()
        self._uc.mem_write(address, data)
        self._state[names.RX_NEXT] = first + len(data)
        return len(data)

    def _system_register(self, uc: Any, register: int, which: Any, user: Any) -> int:
        """Read CNTVCT_EL0 as instructions executed; leave other registers to unicorn (return 0)."""
        if (which.op0, which.op1, which.crn, which.crm, which.op2) != self._CNTVCT_EL0:
            return 0
        uc.reg_write(register, self.instructions())
        return 1

    def _answer(self, value: int) -> None:
        from unicorn import arm64_const

        self._uc.reg_write(arm64_const.UC_ARM64_REG_X0, value & 0xFFFF_FFFF_FFFF_FFFF)

    def _halt_reason(self) -> str:
        return self._halted

    def _next_pc(self) -> int:
        return self._register("PC")

    def _register(self, name: str) -> int:
        from unicorn import arm64_const

        return int(self._uc.reg_read(getattr(arm64_const, f"UC_ARM64_REG_{name}")))

    def _registers(self) -> dict[str, int]:
        names = {f"x{i}": f"X{i}" for i in range(9)} | {"sp": "SP", "lr": "X30", "pc": "PC"}
        return {shown: self._register(name) for shown, name in names.items()}


MACHINES: dict[str, Callable[[Variant, str, Path, int], Machine]] = {
    **{name: partial(Stm32, chip) for name, chip in CHIPS.items()},
    "linux-user": LinuxUser,
}
