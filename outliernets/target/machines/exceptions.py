"""How a Cortex-M enters the handler of an interrupt and returns: ARMv7-M ARM (DDI0403E) B1.5.6-8.

Unicorn has the registers of it all, but does none of it. The main stack only: a program that uses
the process stack is refused. The floating-point registers are stored at once where the program has
used them (CONTROL.FPCA), which a processor may leave for later (B1.5.7); memory is the same.
"""

import struct
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


def is_masked(uc: Any) -> bool:
    """Whether PRIMASK keeps all interrupts out."""
    from unicorn import arm_const

    return bool(uc.reg_read(arm_const.UC_ARM_REG_PRIMASK))


def base_priority(uc: Any) -> int | None:
    """Return the priority that an interrupt has to be above, if BASEPRI names one."""
    from unicorn import arm_const

    return int(uc.reg_read(arm_const.UC_ARM_REG_BASEPRI)) or None


def active(uc: Any) -> int:
    """Return the number of the exception that is handled; 0 if none is."""
    from unicorn import arm_const

    return int(uc.reg_read(arm_const.UC_ARM_REG_IPSR))


def enter(uc: Any, number: int, handler: int) -> None:
    """Store the registers of the interrupted program and go to the handler of exception ``number``.

    ITSTATE is a part of xPSR: also an IT block may be interrupted.
    """
    from unicorn import arm_const as arm

    control = uc.reg_read(arm.UC_ARM_REG_CONTROL)
    if control & _SPSEL:
        raise TargetError("the firmware uses the process stack: interrupts know the main one only")
    sp, lr, pc, xpsr = uc.reg_read_batch(
        [arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR, arm.UC_ARM_REG_PC, arm.UC_ARM_REG_XPSR]
    )
    back = _HANDLER if active(uc) else _THREAD
    frame = b""
    if control & _FPCA:
        back &= ~_BASIC
        frame = _FLOAT_WORDS.pack(*uc.reg_read_batch(_float_registers()), 0)
        uc.reg_write(arm.UC_ARM_REG_CONTROL, control & ~_FPCA)
    if sp & 4:
        sp -= 4
        xpsr |= _PADDED
    values = uc.reg_read_batch(_core_registers())
    frame = _WORDS.pack(*values, lr, pc, xpsr) + frame
    uc.mem_write(sp - len(frame), frame)
    uc.reg_write(arm.UC_ARM_REG_SP, sp - len(frame))
    uc.reg_write(arm.UC_ARM_REG_LR, back)
    uc.reg_write(arm.UC_ARM_REG_XPSR, _THUMB | number)
    uc.reg_write(arm.UC_ARM_REG_PC, handler | 1)


def leave(uc: Any) -> int:
    """Go back to the interrupted program; return the number of the exception that was handled."""
    from unicorn import arm_const as arm

    number = active(uc)
    # The program counter has lost bit 0 of EXC_RETURN; the others tell what is to be restored.
    is_basic = uc.reg_read(arm.UC_ARM_REG_PC) & _BASIC
    sp = uc.reg_read(arm.UC_ARM_REG_SP)
    *values, lr, pc, xpsr = _WORDS.unpack(uc.mem_read(sp, _WORDS.size))
    size = _WORDS.size
    _write(uc, _core_registers(), values)
    if not is_basic:
        floats = _FLOAT_WORDS.unpack(uc.mem_read(sp + size, _FLOAT_WORDS.size))
        _write(uc, _float_registers(), floats)
        size += _FLOAT_WORDS.size
    control = uc.reg_read(arm.UC_ARM_REG_CONTROL) & ~_FPCA
    uc.reg_write(arm.UC_ARM_REG_CONTROL, control if is_basic else control | _FPCA)
    uc.reg_write(arm.UC_ARM_REG_SP, sp + size + (4 if xpsr & _PADDED else 0))
    uc.reg_write(arm.UC_ARM_REG_LR, lr)
    uc.reg_write(arm.UC_ARM_REG_XPSR, xpsr & ~_PADDED)
    uc.reg_write(arm.UC_ARM_REG_PC, pc | 1)
    return number


def _core_registers() -> list[int]:
    from unicorn import arm_const

    return [getattr(arm_const, f"UC_ARM_REG_R{i}") for i in (0, 1, 2, 3, 12)]


def _float_registers() -> list[int]:
    from unicorn import arm_const

    return [getattr(arm_const, f"UC_ARM_REG_S{i}") for i in range(16)] + [
        arm_const.UC_ARM_REG_FPSCR
    ]


def _write(uc: Any, registers: list[int], values: Any) -> None:
    for register, value in zip(registers, values, strict=False):
        uc.reg_write(register, value)
