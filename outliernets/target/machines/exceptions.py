"""How a Cortex-M enters the handler of an interrupt and returns: ARMv7-M ARM (DDI0403E) B1.5.6-8.

Unicorn has the registers of it all, but does none of it. The main stack only: a program that uses
the process stack is refused. The floating-point registers are stored at once where the program has
used them (CONTROL.FPCA), which a processor may leave for later (B1.5.7); memory is the same.
"""

import ctypes
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from outliernets.errors import TargetError

FIRST_INTERRUPT = 16  #: exception number of interrupt 0
_THREAD, _HANDLER = 0xFFFF_FFF9, 0xFFFF_FFF1  # EXC_RETURN, both with the main stack
_BASIC = 1 << 4  # in EXC_RETURN: no floating-point registers are stored
_RETURNS = 0xFFFF_FFE0  # the smallest EXC_RETURN there is
_SPSEL, _FPCA = 1 << 1, 1 << 2  # in CONTROL
_PADDED = 1 << 9  # in the stored xPSR: 4 bytes lie between the frame and the stack before
_THUMB = 1 << 24
_WORDS = struct.Struct("<8I")
_FLOAT_WORDS = struct.Struct("<18I")


def is_return(pc: int) -> bool:
    """Whether a program that went there returns from a handler."""
    return pc >= _RETURNS


class Core:
    """The registers that interrupts concern, read and written at once: that is for every byte."""

    _NAMES = ("r0", "r1", "r2", "r3", "r12", "sp", "lr", "xpsr", "control", "pc")  # as written
    _STORED = ("r0", "r1", "r2", "r3", "r12", "lr", "pc", "xpsr")  # in the frame
    _OTHERS = ("ipsr", "primask", "basepri")

    def __init__(self, uc: Any, library: Any) -> None:
        self._uc, self._library = uc, library
        self._all = _Registers(self._NAMES + self._OTHERS)
        self._settable = _Registers(self._NAMES)
        self._floats = _Registers((*(f"s{i}" for i in range(16)), "fpscr"))

    def read(self) -> dict[str, int]:
        """Return all but those of floating point, by name."""
        return self._all.transfer(self._uc, self._library.uc_reg_read_batch)

    def _write(self, values: dict[str, int]) -> None:
        self._settable.transfer(self._uc, self._library.uc_reg_write_batch, values)

    def enter(self, number: int, handler: int) -> None:
        """Store the interrupted program's registers; go to the handler of exception ``number``.

        ITSTATE is a part of xPSR: also an IT block may be interrupted.
        """
        now = self.read()
        if now["control"] & _SPSEL:
            raise TargetError("the firmware uses the process stack: interrupts know the main only")
        back = _HANDLER if now["ipsr"] else _THREAD
        floats = b""
        if now["control"] & _FPCA:
            back &= ~_BASIC
            values = self._floats.transfer(self._uc, self._library.uc_reg_read_batch).values()
            floats = _FLOAT_WORDS.pack(*values, 0)
        padding = now["sp"] & 4
        now["xpsr"] |= _PADDED if padding else 0
        frame = _WORDS.pack(*(now[name] for name in self._STORED)) + floats
        now["sp"] -= padding + len(frame)
        self._uc.mem_write(now["sp"], frame)
        now |= {"lr": back, "xpsr": _THUMB | number, "pc": handler | 1}
        now["control"] &= ~_FPCA
        self._write(now)

    def leave(self) -> int:
        """Go back to the interrupted program; return the number of the exception that ends."""
        now = self.read()
        number = now["ipsr"]
        # The program counter has lost bit 0 of EXC_RETURN; the others tell what is to be restored.
        is_basic = now["pc"] & _BASIC
        stored = _WORDS.unpack(self._uc.mem_read(now["sp"], _WORDS.size))
        now |= zip(self._STORED, stored, strict=True)
        now["sp"] += _WORDS.size
        now["control"] &= ~_FPCA
        if not is_basic:
            floats = _FLOAT_WORDS.unpack(self._uc.mem_read(now["sp"], _FLOAT_WORDS.size))
            self._floats.transfer(self._uc, self._library.uc_reg_write_batch, floats)
            now["sp"] += _FLOAT_WORDS.size
            now["control"] |= _FPCA
        now["sp"] += 4 if now["xpsr"] & _PADDED else 0
        now["xpsr"] &= ~_PADDED
        now["pc"] |= 1
        self._write(now)
        return number


class _Registers:
    """Some registers of 32 bits, which unicorn reads and writes in one call."""

    def __init__(self, names: tuple[str, ...]) -> None:
        from unicorn import arm_const

        self._names = names
        ids = [getattr(arm_const, f"UC_ARM_REG_{name.upper()}") for name in names]
        self._ids = (ctypes.c_int * len(names))(*ids)
        self._values = (ctypes.c_uint32 * len(names))()
        first, size = ctypes.addressof(self._values), ctypes.sizeof(ctypes.c_uint32)
        places = [first + size * i for i in range(len(names))]
        self._places = (ctypes.c_void_p * len(names))(*places)

    def transfer(
        self, uc: Any, call: Any, values: Mapping[str, int] | Sequence[int] = ()
    ) -> dict[str, int]:
        """Write ``values`` (in order, or by name) or read all, as ``call`` does; return all."""
        if isinstance(values, Mapping):
            values = [values[name] for name in self._names]
        for i, value in enumerate(values[: len(self._names)]):
            self._values[i] = value
        if status := call(uc._uch, self._ids, self._places, len(self._names)):
            raise TargetError(f"unicorn refused registers (error {status})")
        return dict(zip(self._names, self._values, strict=True))
