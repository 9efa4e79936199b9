"""Callbacks that unicorn calls millions of times, compiled to machine code with numba.

Import this module inside functions only: it needs numba. All callbacks share one vector of uint64,
the ``State``, through their user data; addresses in it are of memory that Python owns.
"""

from collections.abc import Callable
from enum import IntEnum, auto
from typing import Any

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba import carray, types
from numba.extending import intrinsic


class State(IntEnum):
    """What each element of the shared vector means."""

    ENGINE = 0  #: the uc_engine
    STOP = auto()  #: address of uc_emu_stop
    REASON = auto()  #: why the run stopped: a Reason
    INSTRUCTIONS = auto()  #: executed so far
    LIMIT = auto()  #: stop before the next block when INSTRUCTIONS reaches this; 0: at once
    THUMB = auto()  #: 1: instructions of 2 or 4 bytes; 0: all of 4
    N_RANGES = auto()  #: number of ranges of code
    RANGES = auto()  #: address of [first address, bytes, first slot] x N_RANGES, uint64
    COUNTS = auto()  #: address of instructions executed by the block that starts at a slot, uint64
    LENGTHS = auto()  #: address of [bytes, instructions] of that block, uint32 pairs
    CODE = auto()  #: address of the code's halfwords, by slot
    ELSEWHERE = auto()  #: instructions executed outside all ranges
    PREVIOUS = auto()  #: slot of the block that ran last, plus 1; 0: none, or outside all ranges
    STEPS = auto()  #: address of STEP_ROOM pairs [slots + 1 of two blocks, times], uint64
    STEPS_LOST = auto()  #: steps from block to block that found no room
    RX = auto()  #: address of the bytes to receive
    RX_NEXT = auto()
    RX_HERE = auto()  #: end of those that have arrived
    RX_END = auto()  #: end of those that are on their way
    PACED = auto()  #: 1: bytes arrive when Python says so; 0: when the program asks for them
    OVERRUN = auto()  #: 1: a byte came while another one was still there, and was lost
    TX = auto()  #: address of room for sent bytes
    TX_NEXT = auto()
    TX_END = auto()
    POLLS = auto()  #: status reads since the last data read or write, outside of interrupts
    PATIENCE = auto()  #: polls after which the program is said to wait for bytes
    HANDLER = auto()  #: 1: in the handler of an interrupt
    REGISTERS = auto()  #: address of the USART's page as it was written, uint32 x 1024
    CONTROL = auto()  #: offset of the USART's first control register in its page
    STATUS = auto()  #: offset of its status register
    RECEIVED = auto()  #: offset of the register that received bytes are read from
    TO_SEND = auto()  #: offset of the register that bytes to send are written to
    CLEAR = auto()  #: offset of the register that ends an overrun; 0: reading a byte does
    SIZE = auto()  #: number of elements


class Reason(IntEnum):
    """Why the emulation stopped."""

    NONE = 0  #: by itself: a fault or a halt
    IDLE = 1  #: it waits for bytes
    FULL = 2  #: the room for sent bytes is used up
    LIMITED = 3  #: the limit of instructions is reached, or there is an interrupt to look at


STEP_ROOM = 1 << 16  #: different steps from block to block that can be counted
_STEP_TRIES = 256  # places a step is looked for, from the one its hash says

_SIZE = int(State.SIZE)
_ENGINE, _STOP, _REASON = int(State.ENGINE), int(State.STOP), int(State.REASON)
_INSTRUCTIONS, _LIMIT, _THUMB = int(State.INSTRUCTIONS), int(State.LIMIT), int(State.THUMB)
_N_RANGES, _RANGES, _COUNTS = int(State.N_RANGES), int(State.RANGES), int(State.COUNTS)
_LENGTHS, _CODE, _ELSEWHERE = int(State.LENGTHS), int(State.CODE), int(State.ELSEWHERE)
_PREVIOUS, _STEPS = int(State.PREVIOUS), int(State.STEPS)
_STEPS_LOST = int(State.STEPS_LOST)
_RX, _RX_NEXT, _RX_END = int(State.RX), int(State.RX_NEXT), int(State.RX_END)
_RX_HERE, _PACED, _OVERRUN = int(State.RX_HERE), int(State.PACED), int(State.OVERRUN)
_TX, _TX_NEXT, _TX_END = int(State.TX), int(State.TX_NEXT), int(State.TX_END)
_POLLS, _PATIENCE, _HANDLER = int(State.POLLS), int(State.PATIENCE), int(State.HANDLER)
_REGISTERS, _CONTROL, _CLEAR = int(State.REGISTERS), int(State.CONTROL), int(State.CLEAR)
_STATUS, _RECEIVED, _TO_SEND = int(State.STATUS), int(State.RECEIVED), int(State.TO_SEND)
_NONE, _IDLE = int(Reason.NONE), int(Reason.IDLE)
_FULL, _LIMITED = int(Reason.FULL), int(Reason.LIMITED)

# USART of an STM32: bits of its status, the same in all (RM0385 31, RM0390 25).
_PAGE = 0xFFF
_TXE_AND_TC = 0xC0
RXNE = 0x20
ORE = 0x08
RXNEIE = 0x20  #: in the control register
#: Bytes that arrive at once when the program has an interrupt for them and asks for more: fewer
#: than its buffer holds, more than one because each interrupt costs Python's time.
BURST = 512


def _pointer_as(typing_context, address, kind):  # type: ignore[no-untyped-def]
    pointer = types.CPointer(kind.dtype)

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], context.get_value_type(pointer))

    return pointer(address, kind), codegen


def _call(typing_context, function, argument):  # type: ignore[no-untyped-def]
    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        kind = ir.FunctionType(ir.IntType(32), [ir.IntType(64)])
        pointer = builder.inttoptr(arguments[0], kind.as_pointer())
        return builder.call(pointer, [arguments[1]])

    return types.int32(types.uint64, types.uint64), codegen


_as_pointer = intrinsic(_pointer_as)
_call_function = intrinsic(_call)


def _count(s, slot, size):  # type: ignore[no-untyped-def]
    """Return how many instructions the block of ``size`` bytes at ``slot`` has."""
    if s[_THUMB] == 0:
        return size >> 2
    code = carray(_as_pointer(s[_CODE], numba.uint16), slot + (size >> 1))
    n = 0
    i = slot
    while i < slot + (size >> 1):  # 0b11101, 0b11110, 0b11111: 32 bits (ARMv7-M A5.1)
        i += 2 if (code[i] >> 11) >= 0x1D else 1
        n += 1
    return n


_count_block = numba.njit(_count)


def _step(s, here):  # type: ignore[no-untyped-def]
    """Count the step from the block before to block ``here`` (slot + 1): a hash table."""
    key = s[_PREVIOUS] << numba.uint64(32) | here
    s[_PREVIOUS] = here
    steps = carray(_as_pointer(s[_STEPS], numba.uint64), 2 * STEP_ROOM)
    place = (key * numba.uint64(0x9E37_79B9_7F4A_7C15)) >> numba.uint64(48)
    for _ in range(_STEP_TRIES):
        if steps[2 * place] == key:
            steps[2 * place + 1] += numba.uint64(1)
            return
        if steps[2 * place] == 0:
            steps[2 * place] = key
            steps[2 * place + 1] = 1
            return
        place = (place + numba.uint64(1)) & numba.uint64(STEP_ROOM - 1)
    s[_STEPS_LOST] += numba.uint64(1)


_count_step = numba.njit(_step)


def _block(engine, address, size, user):  # type: ignore[no-untyped-def]
    s = carray(user, _SIZE, numba.uint64)
    if s[_INSTRUCTIONS] >= s[_LIMIT]:  # unicorn stops before this block, and calls again for it
        if s[_REASON] == _NONE:
            s[_REASON] = _LIMITED
        _call_function(s[_STOP], s[_ENGINE])
        return
    ranges = carray(_as_pointer(s[_RANGES], numba.uint64), 3 * s[_N_RANGES])
    for r in range(0, 3 * s[_N_RANGES], 3):
        if address - ranges[r] < ranges[r + 1]:  # unsigned: also false below the range
            slot = ((address - ranges[r]) >> numba.uint64(1)) + ranges[r + 2]
            lengths = carray(_as_pointer(s[_LENGTHS], numba.uint32), 2 * slot + 2)
            if lengths[2 * slot] != size:
                lengths[2 * slot] = size
                lengths[2 * slot + 1] = _count_block(s, numba.int64(slot), numba.int64(size))
            n = numba.uint64(lengths[2 * slot + 1])
            carray(_as_pointer(s[_COUNTS], numba.uint64), slot + 1)[slot] += n
            _count_step(s, slot + numba.uint64(1))
            break
    else:
        n = numba.uint64(size) >> numba.uint64(2)
        s[_ELSEWHERE] += n
        s[_PREVIOUS] = 0
    s[_INSTRUCTIONS] += n


def _stop_because(s, reason):  # type: ignore[no-untyped-def]
    """Stop before the next block: in the middle of one it would run twice, and count twice."""
    s[_REASON] = reason
    s[_LIMIT] = 0


_stop = numba.njit(_stop_because)


def _arrive(s):  # type: ignore[no-untyped-def]
    """Let bytes arrive that wait for the program to ask; look at its interrupt."""
    registers = carray(_as_pointer(s[_REGISTERS], numba.uint32), (_PAGE + 1) // 4)
    s[_RX_HERE] = s[_RX_END]
    if registers[s[_CONTROL] >> numba.uint64(2)] & RXNEIE:
        s[_RX_HERE] = min(s[_RX_END], s[_RX_NEXT] + numba.uint64(BURST))
        s[_LIMIT] = 0


_bytes_arrive = numba.njit(_arrive)


def _status(s):  # type: ignore[no-untyped-def]
    if s[_RX_NEXT] == s[_RX_HERE] and s[_HANDLER] == 0:
        if s[_RX_NEXT] < s[_RX_END] and s[_PACED] == 0:
            _bytes_arrive(s)
        elif s[_RX_NEXT] == s[_RX_END]:
            s[_POLLS] += numba.uint64(1)
            if s[_POLLS] >= s[_PATIENCE]:
                _stop(s, _IDLE)
    status = 0
    if s[_TX_NEXT] < s[_TX_END]:
        status |= _TXE_AND_TC
    else:
        _stop(s, _FULL)
    if s[_RX_NEXT] < s[_RX_HERE]:
        status |= RXNE
    if s[_OVERRUN]:
        status |= ORE
    return numba.uint64(status)


_usart_status = numba.njit(_status)


def _usart_read(engine, offset, size, user):  # type: ignore[no-untyped-def]
    s = carray(user, _SIZE, numba.uint64)
    register = offset & _PAGE
    if register == s[_STATUS]:
        return _usart_status(s)
    if register != s[_RECEIVED]:
        registers = carray(_as_pointer(s[_REGISTERS], numba.uint32), (_PAGE + 1) // 4)
        return numba.uint64(registers[register >> numba.uint64(2)])
    if s[_CLEAR] == 0:
        s[_OVERRUN] = 0
    if s[_RX_NEXT] < s[_RX_HERE]:
        s[_POLLS] = 0
        value = carray(_as_pointer(s[_RX], numba.uint8), s[_RX_END])[s[_RX_NEXT]]
        s[_RX_NEXT] += numba.uint64(1)
        return numba.uint64(value)
    return numba.uint64(0)


def _usart_write(engine, offset, size, value, user):  # type: ignore[no-untyped-def]
    s = carray(user, _SIZE, numba.uint64)
    register = offset & _PAGE
    if register == s[_TO_SEND]:
        s[_POLLS] = 0
        if s[_TX_NEXT] < s[_TX_END]:
            carray(_as_pointer(s[_TX], numba.uint8), s[_TX_END])[s[_TX_NEXT]] = value & 0xFF
            s[_TX_NEXT] += numba.uint64(1)
        return
    registers = carray(_as_pointer(s[_REGISTERS], numba.uint32), (_PAGE + 1) // 4)
    registers[register >> numba.uint64(2)] = value
    if register == s[_CONTROL]:
        s[_LIMIT] = 0  # it may let an interrupt through
    elif register == s[_CLEAR] and value & ORE:
        s[_OVERRUN] = 0


def _callback(signature: Any, function: Callable[..., Any]) -> Any:
    """Compile a callback; keep the machine code for the next time where there is a place for it."""
    try:
        return numba.cfunc(signature, cache=True)(function)
    except RuntimeError:  # numba: no locator available
        return numba.cfunc(signature)(function)


_u32, _u64, _pointer = types.uint32, types.uint64, types.voidptr
#: void (uc_engine *, uint64_t address, uint32_t size, void *user)
on_block = _callback(types.void(_pointer, _u64, _u32, _pointer), _block)
#: uint64_t (uc_engine *, uint64_t offset, unsigned size, void *user)
on_usart_read = _callback(_u64(_pointer, _u64, _u32, _pointer), _usart_read)
#: void (uc_engine *, uint64_t offset, unsigned size, uint64_t value, void *user)
on_usart_write = _callback(types.void(_pointer, _u64, _u32, _u64, _pointer), _usart_write)
