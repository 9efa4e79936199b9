"""An STM32 microcontroller: memory, a USART, interrupts, and registers that say "ready"."""

import ctypes
import heapq
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from outliernets.boards import Variant
from outliernets.errors import ConfigError, TargetError
from outliernets.target.flash_model import FlashController, Sector
from outliernets.target.machines import exceptions
from outliernets.target.machines.base import NEVER, Machine
from outliernets.target.machines.chips import Chip, Registers
from outliernets.target.machines.device import Device
from outliernets.target.machines.nvic import THREAD, Nvic

_PAGE = 0x1000
_POWER_ON = 0xA5  # what RAM holds before the firmware sets it: anything but zero
_VTOR = 0xE000_ED08
_WAIT_FOR_INTERRUPT, _WAIT_FOR_EVENT = b"\x30\xbf", b"\x20\xbf"
_BITS_PER_BYTE = 10  # start, eight, stop
Time = int  #: instructions since the start


class Stm32(Machine):
    """An STM32 with the memory of the board.

    Its clock counts instructions, one a cycle. Interrupts are those of peripherals and are taken
    between blocks of code; what is a fault on the chip ends the run. Peripherals without behaviour
    keep what is written.
    """

    # Not UC_MODE_MCLASS: with it unicorn 2.1 is a Cortex-M33, whatever model is asked for.
    architecture = ("UC_ARCH_ARM", "UC_MODE_THUMB")
    thumb = True
    _CORE = (0xE000_0000, 0xE010_0000)  # the private peripheral bus

    def __init__(self, chip: Chip, variant: Variant, cpu: str, elf: Path, limit: int) -> None:
        self._chip = chip
        self._nvic = Nvic(chip.priority_bits)
        self._devices: list[Device] = []
        self._agenda: list[tuple[Time, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._slept: Time = 0
        self._waits = self._event = False  # for an event; whether there was one since (B1.5.18)
        self._before_handlers: list[int] = []  # the blocks that handlers interrupted
        self._lost = 0
        self._byte_due: Time = 0
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
        code = variant.region("code")
        self._core = exceptions.Core(self._uc, self._library)
        self._values: Registers = {_VTOR: code.base if code else 0}
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
            address = first + offset
            if Nvic.FIRST <= address < Nvic.END:
                return self._nvic.read(address, size)
            return self._read_register(address)

        def write(uc: Any, offset: int, size: int, value: int, user: Any) -> None:
            address = first + offset
            if Nvic.FIRST <= address < Nvic.END:
                self._nvic.write(address, size, value)
                self._look_soon()
            else:
                self._write_register(address, value)

        if first < end:
            self._uc.mmio_map(first, end - first, read, None, write, None)

    def _map_usart(self) -> None:
        """Map the USART's whole page: its neighbours there keep what is written."""
        names, kind, offset = self._native.State, self._chip.usart_kind, self._chip.usart % _PAGE
        self._usart = np.zeros(_PAGE // 4, np.uint32)
        self._state[names.REGISTERS] = self._usart.ctypes.data
        self._state[names.CONTROL] = offset + kind.control
        self._state[names.CLEAR] = offset + kind.clear if kind.clear else 0
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

    def attach(self, device: Device) -> None:
        """Let a model of a peripheral answer at its addresses; ConfigError where there is no room.

        They have to be a peripheral's, and not in the page of 4 KiB that the USART is in.
        """
        device.bus = self
        first, end = device.first, device.first + device.size
        page = self._chip.usart & -_PAGE
        inside = any(a <= first and end <= b for a, b in self._chip.peripherals)
        taken = any(first < d.first + d.size and d.first < end for d in self._devices)
        if not inside or taken or (first < page + _PAGE and page < end):
            raise ConfigError(f"no device can be attached at {first:#010x} to {end:#010x}")
        self._devices.append(device)

    def now(self) -> Time:
        """Return the time: instructions, and those that would have fitted into sleep."""
        return self.instructions() + self._slept

    def at(self, time: Time, action: Callable[[], None]) -> None:
        """Call ``action`` between two instructions, as soon as it is ``time``."""
        heapq.heappush(self._agenda, (time, next(self._order), action))
        self._look_soon()

    def set_interrupt(self, number: int, on: bool) -> None:
        """Set the level of a line to the interrupt controller."""
        self._nvic.set_line(number, on)
        self._look_soon()

    def pace(self) -> None:
        """Let bytes arrive one by one from now on, at the baud rate the firmware has set.

        A byte that arrives while another one is still in the USART is lost. TargetError while there
        is no baud rate.
        """
        if not self._byte_time():
            raise TargetError("the firmware has not set a baud rate yet: ask it something first")
        self._state[self._native.State.PACED] = 1
        self._byte_due = self.now()
        self._expect_byte()

    def send(self, data: bytes) -> None:
        """Queue bytes to be received."""
        was_empty = not self._coming()
        super().send(data)
        if self._state[self._native.State.PACED] and was_empty:
            self._expect_byte()

    @property
    def lost_bytes(self) -> int:
        """Bytes that were lost on the line because the program did not take the one before."""
        return self._lost

    def _byte_time(self) -> Time:
        clocks = int(self._usart[self._chip.usart % _PAGE + self._chip.usart_kind.rate >> 2])
        return _BITS_PER_BYTE * clocks * self._chip.divider

    def _coming(self) -> int:
        """Return how many bytes are on the line."""
        names = self._native.State
        return int(self._state[names.RX_END] - self._state[names.RX_HERE])

    def _expect_byte(self) -> None:
        if self._coming():
            self._byte_due = max(self._byte_due, self.now()) + self._byte_time()
            self.at(self._byte_due, self._byte_arrives)

    def _byte_arrives(self) -> None:
        state, names = self._state, self._native.State
        first, here = int(state[names.RX_NEXT]), int(state[names.RX_HERE])
        if first < here:  # RM0385 31.5.3: the old byte stays, the new one is lost
            self._rx[here] = self._rx[first]
            state[names.RX_NEXT] = first + 1
            state[names.OVERRUN] = 1
            self._lost += 1
        state[names.RX_HERE] = here + 1
        self._expect_byte()

    def _update_usart_line(self) -> None:
        state, names = self._state, self._native.State
        control = int(self._usart[int(state[names.CONTROL]) >> 2])
        asks = state[names.RX_NEXT] < state[names.RX_HERE] or state[names.OVERRUN]
        on = bool(control & self._native.RXNEIE and asks)
        self._nvic.set_line(self._chip.interrupt, on)

    def _look_soon(self) -> None:
        """Stop before the next block."""
        self._state[self._native.State.LIMIT] = 0

    def _look_up(self) -> Time:
        """Do what is due, take an interrupt; return the time to look again."""
        while self._agenda and self._agenda[0][0] <= self.now():
            heapq.heappop(self._agenda)[2]()
        self._update_usart_line()
        again = self._agenda[0][0] if self._agenda else NEVER
        if not self._nvic.waiting:
            return again
        registers = self._core.read()
        masked, base = registers["primask"], registers["basepri"]
        number = self._nvic.most_urgent(base or THREAD)
        if number is not None and not masked:
            self._take(number)
        elif masked or base:
            again = self.now() + 1  # look whether it still is, before each block
        return again

    def _take(self, number: int) -> None:
        names = self._native.State
        exception = exceptions.FIRST_INTERRUPT + number
        vector = self._values[_VTOR] + 4 * exception
        handler = int.from_bytes(self.read_memory(vector, 4), "little")
        self._core.enter(exception, handler)
        self._nvic.enter(number)
        self._before_handlers.append(int(self._state[names.PREVIOUS]))
        self._state[names.PREVIOUS] = 0
        self._state[names.HANDLER] = 1
        self._pc = handler | 1

    def _mend(self) -> bool:
        """Wait for an event, or return from a handler: to unicorn a jump to where nothing is."""
        names = self._native.State
        if self._last_instruction() == _WAIT_FOR_EVENT:
            self._waits = True
            return True
        if not self._before_handlers or not exceptions.is_return(self._next_pc()):
            return False
        number = self._core.leave() - exceptions.FIRST_INTERRUPT
        self._update_usart_line()
        self._nvic.leave(number)
        self._state[names.PREVIOUS] = self._before_handlers.pop()
        self._state[names.HANDLER] = bool(self._before_handlers)
        self._event = True
        return True

    def _run_slice(self) -> int:
        reason = super()._run_slice()
        if self._waits:
            self._waits, happened, self._event = False, self._event, False
            return int(self._native.Reason.LIMITED) if happened else self._sleep()
        stopped_itself = reason == self._native.Reason.NONE
        if stopped_itself and self._last_instruction() == _WAIT_FOR_INTERRUPT:
            return self._sleep()
        return reason

    def _last_instruction(self) -> bytes:
        """Return the two bytes before the program counter."""
        before = (self._next_pc() & ~1) - 2
        return b"" if exceptions.is_return(before) else self.read_memory(before, 2)

    def _sleep(self) -> int:
        """Wait for an interrupt; return why the run stops. It has ended where none can come."""
        state, names, reasons = self._state, self._native.State, self._native.Reason
        if self._nvic.waiting:
            return int(reasons.LIMITED)
        if not self._nvic.listens or self._before_handlers or self._core.read()["primask"]:
            return int(reasons.NONE)
        if self._coming() and not state[names.PACED]:
            state[names.RX_HERE] += min(self._coming(), self._native.BURST)
        elif self._agenda:
            self._slept += max(0, self._agenda[0][0] - self.now())
        else:
            return int(reasons.IDLE)
        return int(reasons.LIMITED)

    def _read_register(self, address: int) -> int:
        if device := self._device_at(address):
            return device.read(address - device.first)
        if address == self._chip.cycles:
            return (self.now() - self._cycles_at_zero) & 0xFFFF_FFFF
        if address in self._chip.flash.registers:
            return self._flash.read(address)
        behaviour = self._chip.behaviour.get(address)
        return behaviour(self._values) if behaviour else self._values.get(address, 0)

    def _write_register(self, address: int, value: int) -> None:
        if device := self._device_at(address):
            device.write(address - device.first, value)
            return
        self._values[address] = value
        if address in self._chip.flash.registers:
            self._flash.store(address, value)
        if address == self._chip.cycles:
            self._cycles_at_zero = self.now() - value

    def _device_at(self, address: int) -> Device | None:
        return next((d for d in self._devices if 0 <= address - d.first < d.size), None)

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
