"""The host's side of the protocol of firmware/lib/on_frame.h and of the applications."""

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from outliernets.errors import TargetError
from outliernets.target.symbols import Functions

PROTOCOL_VERSION = 1
MAGIC = b"\xa5\x5a"
HEADER = 8  #: bytes before the payload
OVERHEAD = HEADER + 4  #: bytes beside the payload
MAX_PAYLOAD = 1 << 24  #: of what the host takes for a frame
MAX_NOISE = 1 << 16  #: bytes that are no frame before the host gives up
MAX_STRAY = 10_000  #: messages that are no answer before the host gives up
REPLY = 0x80
HELLO, RESET, PUSH, INFER, STATS = 1, 2, 3, 4, 5
AUDIO, STATUS, CALIBRATE, THRESHOLD = 6, 7, 8, 9
RESULT, ROW, ERROR = 0xC0, 0xC1, 0xE0
FEATURE_FRONT_END, FEATURE_ROWS, FEATURE_DETECT = 1, 2, 4
ERROR_BAD_FRAME, ERROR_BAD_LENGTH, ERROR_UNKNOWN, ERROR_MODEL, ERROR_FAULT = 1, 2, 3, 4, 5
ERROR_BAD_VALUE, ERROR_AUDIO = 6, 7

_HELLO = struct.Struct("<HHIIIII")
_RESULT = struct.Struct("<IQBII")
_STATS = struct.Struct("<IIIIII")
_ERROR = struct.Struct("<HQQ")
_PUSHED = struct.Struct("<II")


@dataclass(frozen=True)
class Frame:
    """One message: ``type`` is a request, or'ed with REPLY in an answer, or RESULT or ERROR."""

    type: int
    sequence: int
    payload: bytes


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame."""
    body = struct.pack("<BBI", frame.type, frame.sequence, len(frame.payload)) + frame.payload
    return MAGIC + body + struct.pack("<I", zlib.crc32(body))


class FrameReader:
    """Receives bytes and finds frames in them; the twin of ``on_frame_reader_t``.

    ``stray`` is told of bytes that belong to no frame: noise, or text between frames.
    """

    def __init__(
        self, max_payload: int = MAX_PAYLOAD, stray: Callable[[bytes], None] | None = None
    ) -> None:
        self.bad = 0  #: frames dropped because their CRC was wrong
        self.noise = 0  #: bytes dropped since the last frame
        self._max_payload = max_payload
        self._stray = stray
        self._buffer = bytearray()

    def need(self) -> int:
        """How many bytes must be fed before ``take`` can say more: 0 if it can already."""
        if len(self._buffer) < HEADER:
            return HEADER - len(self._buffer)
        return max(0, self._length() + OVERHEAD - len(self._buffer))

    def feed(self, data: bytes) -> None:
        """Add received bytes, at most ``need()``."""
        self._buffer += data

    def take(self) -> Frame | None:
        """Return the next whole frame and forget it; None when more bytes are needed."""
        while True:
            if not self._plausible():
                self._resynchronise()
            elif self.need():
                return None
            elif frame := self._checked():
                return frame
            else:
                self.bad += 1
                self._resynchronise()

    def _length(self) -> int:
        return int.from_bytes(self._buffer[4:8], "little")

    def _plausible(self) -> bool:
        head = bytes(self._buffer[:2])
        if head != MAGIC[: len(head)]:
            return False
        return len(self._buffer) < HEADER or self._length() <= self._max_payload

    def _resynchronise(self) -> None:
        first = self._buffer.find(MAGIC[0], 1)
        end = first if first >= 0 else len(self._buffer)
        if self._stray:
            self._stray(bytes(self._buffer[:end]))
        self.noise += end
        del self._buffer[:end]

    def _checked(self) -> Frame | None:
        end = HEADER + self._length()
        body = bytes(self._buffer[2:end])
        if zlib.crc32(body) != int.from_bytes(self._buffer[end : end + 4], "little"):
            return None
        del self._buffer[: end + 4]
        self.noise = 0
        return Frame(body[0], body[1], body[HEADER - 2 :])


@dataclass(frozen=True)
class Hello:
    """Who answers: the firmware's model and limits."""

    protocol: int
    features: int  #: FEATURE_...
    model_id: int
    in_size: int  #: bytes of the network's input
    out_size: int  #: bytes of its output
    max_payload: int  #: bytes
    state_size: int  #: bytes of the model's state
    model: str  #: name

    @property
    def front_end(self) -> bool:
        """Whether PUSH and RESET exist and give RESULTs."""
        return bool(self.features & FEATURE_FRONT_END)


@dataclass(frozen=True)
class Result:
    """The score of one window.

    Cycles are of the board's counter (instructions in unicorn, 0 where there is no counter), modulo
    2**32: ``front_cycles`` for the pieces of PCM that did not finish the window, ``final_cycles``
    for the one that did, with its frame, the network and the score.
    """

    window: int
    score: int
    alarm: bool
    front_cycles: int
    final_cycles: int


@dataclass(frozen=True)
class Stats:
    """Health of the firmware since its start (windows and samples: since RESET)."""

    stack_size: int  #: bytes reserved
    stack_used: int  #: bytes, high-water mark
    windows: int
    bad_frames: int
    overruns: int  #: bytes lost on the line
    samples: int


class Line(Protocol):
    """Where the bytes go: what a Client needs of a target."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def read(self, n: int) -> bytes:
        """Return exactly ``n`` bytes, or raise TargetError."""


class Client:
    """Speaks the protocol with the firmware on a line.

    Every method raises TargetError when the firmware crashes (with registers and the function, if
    ``elf`` is given), falls silent or answers something else than it was asked.
    """

    def __init__(
        self, line: Line, elf: Path | None = None, stray: Callable[[bytes], None] | None = None
    ) -> None:
        self._line = line
        self._elf = elf
        self._reader = FrameReader(stray=stray)
        self._sequence = 0
        self._max_payload = 64
        self.infer_cycles = 0  #: cycles of the last ``infer``

    def hello(self, model_id: int | None = None) -> Hello:
        """Ask who is there; with ``model_id``, refuse firmware of another model."""
        payload = self.ask(HELLO)
        if len(payload) < _HELLO.size:
            raise TargetError(f"the firmware's HELLO has {len(payload)} bytes, not {_HELLO.size}")
        fields = _HELLO.unpack_from(payload)
        protocol, features, identity, in_size, out_size, largest, state_size = fields
        if protocol != PROTOCOL_VERSION:
            raise TargetError(
                f"the firmware speaks protocol {protocol}, this program {PROTOCOL_VERSION}:"
                " rebuild it"
            )
        name = payload[_HELLO.size :].decode("ascii", "replace")
        if model_id is not None and identity != model_id:
            raise TargetError(
                f"wrong firmware: it runs model '{name}' ({identity:#010x}),"
                f" expected {model_id:#010x}"
            )
        self._max_payload = largest
        return Hello(protocol, features, identity, in_size, out_size, largest, state_size, name)

    def reset(self) -> None:
        """Forget all sound: the next sample starts a new recording."""
        self.ask(RESET)

    def push(self, pcm: NDArray[np.int16]) -> list[Result]:
        """Send sound (int16, any length); return the windows it finished."""
        return [_result(*self.unpack(_RESULT, told)) for told in self._push(pcm, RESULT)]

    def push_for_rows(self, pcm: NDArray[np.int16]) -> list[NDArray[np.int8]]:
        """Send sound to a front end alone; return the rows it finished."""
        return [np.frombuffer(row, np.int8) for row in self._push(pcm, ROW)]

    def _push(self, pcm: NDArray[np.int16], kind: int) -> list[bytes]:
        """Send sound in pieces; return the payloads of the messages of ``kind`` it gave."""
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise TypeError(f"PCM must be a vector of int16, not {pcm.dtype} {pcm.shape}")
        told: list[bytes] = []
        step = self._max_payload // 2
        for start in range(0, len(pcm), step):
            piece = pcm[start : start + step].astype("<i2", copy=False)
            before = len(told)
            reply = self.ask(PUSH, piece.tobytes(), {kind: told.append})
            taken, finished = self.unpack(_PUSHED, reply)
            if taken != len(piece) or finished != len(told) - before:
                raise TargetError(
                    f"the firmware took {taken} of {len(piece)} samples and announced {finished}"
                    f" results but sent {len(told) - before}"
                )
        return told

    def infer(self, values: bytes) -> bytes:
        """Run the network on int8 input; return its int8 output. ``infer_cycles`` has the time."""
        payload = self.ask(INFER, values)
        if len(payload) < 4:
            raise TargetError(f"the firmware's answer to INFER has only {len(payload)} bytes")
        self.infer_cycles = int.from_bytes(payload[:4], "little")
        return payload[4:]

    def stats(self) -> Stats:
        """Ask for stack use and error counts."""
        return Stats(*self.unpack(_STATS, self.ask(STATS)))

    def ask(
        self,
        request: int,
        payload: bytes = b"",
        listeners: Mapping[int, Callable[[bytes], None]] | None = None,
    ) -> bytes:
        """Send a request and return its reply; what comes before it goes to the ``listeners``."""
        self._sequence = (self._sequence + 1) % 256
        self._line.write(encode(Frame(request, self._sequence, payload)))
        for _ in range(MAX_STRAY):
            frame = self._receive()
            if frame.type == ERROR:
                raise TargetError(self._explain(frame.payload))
            if frame.sequence != self._sequence:
                continue
            if listeners and frame.type in listeners:
                listeners[frame.type](frame.payload)
            elif frame.type == request | REPLY:
                return frame.payload
        raise TargetError(
            f"the firmware sent {MAX_STRAY:,} messages and no answer to request {request}"
        )

    def _receive(self) -> Frame:
        bad = self._reader.bad
        while (frame := self._reader.take()) is None:
            if self._reader.bad != bad:
                raise TargetError("a frame from the firmware was damaged on the line (wrong CRC)")
            if self._reader.noise > MAX_NOISE:
                raise TargetError(
                    f"{self._reader.noise:,} bytes came and no answer was among them: another"
                    " program runs there, or the line has another speed"
                )
            self._reader.feed(self._line.read(self._reader.need()))
        return frame

    def unpack(self, layout: struct.Struct, payload: bytes) -> tuple[Any, ...]:
        """Return a message's numbers; raise TargetError when it is not as long as they are."""
        if len(payload) != layout.size:
            raise TargetError(
                f"a message of the firmware has {len(payload)} bytes, not {layout.size}"
            )
        return layout.unpack(payload)

    def _explain(self, payload: bytes) -> str:
        if len(payload) < _ERROR.size:
            return "the firmware sent an ERROR that is too short to read"
        code, pc, lr = _ERROR.unpack_from(payload)
        text = payload[_ERROR.size :].decode("ascii", "replace")
        if code != ERROR_FAULT:
            return f"the firmware refused a request (error {code}): {text}"
        if self._elf is None:
            return f"the firmware crashed at {pc:#x}, called from {lr:#x}: {text}"
        functions = Functions(self._elf)
        return (
            f"the firmware crashed at {functions.describe(pc)}, called from"
            f" {functions.describe(lr)}: {text}"
        )


def _result(window: int, score: int, alarm: int, front: int, final: int) -> Result:
    return Result(window, score, bool(alarm), front, final)
