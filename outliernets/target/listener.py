"""The host's side of ``firmware/app/detect.c``: sound in, lines of JSON out."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from outliernets.errors import TargetError
from outliernets.target import protocol
from outliernets.target.protocol import Client, Hello, Line
from outliernets.target.symbols import address_of

_AUDIO = struct.Struct("<III")
_STATUS = struct.Struct("<QQQIIIIIBBB")
_RING = struct.Struct("<IIIII")  # firmware/audio/ring.h: magic, size, written, taken, lost
_RING_MAGIC = 0x52414E4F
_RING_SAMPLES = 32
_PATIENCE = 1000  #: questions without an answer that sound was taken, before it is an error


class Origin(IntEnum):
    """Where a detector's thresholds come from."""

    BUILD = 0
    LEARNED = 1  #: on the device, since it started
    KEPT = 2  #: learned before it started, and read back from flash
    HOST = 3


@dataclass(frozen=True)
class Status:
    """What a detector knows; counters since its start or the last ``reset``."""

    smoothed: int
    threshold: int
    release: int
    windows: int
    alarms: int
    samples: int  #: heard
    lost: int  #: samples
    learning: int  #: windows left to learn
    alarm: bool
    origin: Origin
    keeps: bool  #: whether what it learns outlasts a restart


class Listener:
    """Speaks with a detector on a line. Raises TargetError like ``Client``.

    ``lines`` collects what the detector said by itself, as objects; ``on_line`` is told each, too.
    """

    def __init__(
        self,
        line: Line,
        elf: Path | None = None,
        on_line: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.lines: list[dict[str, Any]] = []
        self._on_line = on_line
        self._text = bytearray()
        self._client = Client(line, elf, self._hear)
        self._position = 0  # of the next sample
        self._payload = 0

    def hello(self, model_id: int | None = None) -> Hello:
        """Ask who is there; refuse firmware that is no detector, or one of another model."""
        answer = self._client.hello(model_id)
        if not answer.features & protocol.FEATURE_DETECT:
            raise TargetError(f"the firmware of '{answer.model}' is not a detector")
        self._payload = answer.max_payload
        return answer

    def reset(self) -> None:
        """Forget all sound and the alarm; counters begin again."""
        self._client.ask(protocol.RESET)
        self._position = 0

    def say(self, pcm: NDArray[np.int16]) -> int:
        """Send sound (int16, any length); return the samples lost so far, on any way.

        It waits for each piece to be judged: so nothing is lost that the line does not lose.
        """
        lost = 0
        step = (self._payload - 4) // 2
        for start in range(0, len(pcm), step):
            piece = pcm[start : start + step].astype("<i2", copy=False)
            reply = self._client.ask(
                protocol.AUDIO, struct.pack("<I", self._position % 2**32) + piece.tobytes()
            )
            _, lost, _ = self._client.unpack(_AUDIO, reply)
            self._position += len(piece)
        return int(lost)

    def skip(self, samples: int) -> None:
        """Leave samples out, as a line that loses them does."""
        self._position += samples

    def status(self) -> Status:
        """Ask what the detector knows."""
        told = self._client.unpack(_STATUS, self._client.ask(protocol.STATUS))
        names = [field.name for field in fields(Status)]
        known = dict(zip(names, told, strict=True))
        flags = {"alarm": bool(known["alarm"]), "keeps": bool(known["keeps"])}
        return Status(**{**known, **flags, "origin": Origin(known["origin"])})

    def calibrate(self, windows: int, factor: int) -> None:
        """Let it learn from so many windows: threshold = mean + factor * deviation."""
        self._client.ask(protocol.CALIBRATE, struct.pack("<II", windows, factor))

    def set_threshold(self, threshold: int, release: int) -> None:
        """Set the thresholds until the next start."""
        self._client.ask(protocol.THRESHOLD, struct.pack("<QQ", threshold, release))

    def forget(self) -> None:
        """Return to the build's thresholds, and forget what was learned."""
        self._client.ask(protocol.THRESHOLD)

    def stats(self) -> protocol.Stats:
        """Ask for stack use and error counts."""
        return self._client.stats()

    def _hear(self, stray: bytes) -> None:
        """Take text between frames; what is no line of JSON is noise."""
        self._text += stray
        while (end := self._text.find(b"\n")) >= 0:
            text = bytes(self._text[:end])
            del self._text[: end + 1]
            try:
                said = json.loads(text[text.find(b"{") :])
            except ValueError:
                continue
            if isinstance(said, dict):
                self.lines.append(said)
                if self._on_line:
                    self._on_line(said)


class Memory(Protocol):
    """A target whose memory can be written and read."""

    def write_memory(self, address: int, data: bytes) -> None:
        """Write bytes."""

    def read_memory(self, address: int, n: int) -> bytes:
        """Return bytes."""


class Mailbox:
    """Writes sound into the ring of ``firmware/audio/mailbox``; much quicker than a line."""

    def __init__(self, memory: Memory, listener: Listener, elf: Path) -> None:
        self._memory, self._listener = memory, listener
        self._at = address_of(elf, "audio_mailbox")
        magic, self._size, self._written, _, _ = self._header()
        if magic != _RING_MAGIC:
            raise TargetError("the firmware's mailbox is not ready: ask for HELLO first")

    def say(self, pcm: NDArray[np.int16]) -> int:
        """Hand over sound (int16, any length); return the samples lost so far."""
        step = self._size // 2
        status = self._listener.status()
        for start in range(0, len(pcm), step):
            piece = pcm[start : start + step]
            self.put(piece)
            wanted = status.samples + len(piece)
            for _ in range(_PATIENCE):
                status = self._listener.status()
                if status.samples >= wanted:
                    break
            else:
                raise TargetError(f"the firmware took {status.samples} of {wanted} samples")
        return status.lost

    def put(self, pcm: NDArray[np.int16]) -> None:
        """Write samples without waiting for any to be taken: more than the ring holds are lost."""
        at = (self._written + np.arange(len(pcm))) % self._size
        ring = np.frombuffer(
            self._memory.read_memory(self._at + _RING_SAMPLES, 2 * self._size), "<i2"
        ).copy()
        ring[at] = pcm
        self._memory.write_memory(self._at + _RING_SAMPLES, ring.tobytes())
        self._written = (self._written + len(pcm)) % 2**32
        self._memory.write_memory(self._at + 8, struct.pack("<I", self._written))

    def _header(self) -> tuple[int, ...]:
        return _RING.unpack(self._memory.read_memory(self._at, _RING.size))
