"""The microphones of the DISCO-F746NG, for firmware in unicorn: what is behind its pins.

Models of the codec (``codec``), of its bus (``i2c``), of the serial audio interface (``sai``) and
of the DMA behind it (``dma``), by the registers of their manuals. They refuse settings with which
the chips would give no sound, and other sound than that of 16 kHz. Written for, and checked with,
the firmware of ``firmware/audio/microphones``; whether the chips agree has not been seen.
"""

import numpy as np
from numpy.typing import NDArray

from outliernets.errors import TargetError
from outliernets.target.listener import Listener
from outliernets.target.microphones.codec import DEVICE, Wm8994
from outliernets.target.microphones.dma import Dma
from outliernets.target.microphones.i2c import I2c
from outliernets.target.microphones.sai import SAMPLE_RATE, Sai
from outliernets.target.unicorn import UnicornTarget

__all__ = ["Microphones", "Room"]

_PATIENCE = 1000  #: questions without an answer that sound was taken, before it is an error


class Microphones:
    """Attached to firmware that has not run yet. ``present`` False: the board has no codec."""

    SAMPLE_RATE = SAMPLE_RATE

    def __init__(self, running: UnicornTarget, present: bool = True) -> None:
        self.codec = Wm8994()
        self.i2c = I2c(self.codec if present else None, DEVICE)
        self.dma = Dma()
        self.sai = Sai(self.dma, self.codec.check)
        self._running = running
        for device in (self.i2c, self.dma, self.sai):
            running.attach(device)

    def play(self, pcm: NDArray[np.int16]) -> None:
        """Let the left microphone hear a sound (int16, any length), in the time that it takes."""
        end = self.sai.play(pcm)
        self._running.pass_time(end - self.sai.bus.now())


class Room:
    """Plays sound to a detector's microphones."""

    def __init__(self, microphones: Microphones, listener: Listener) -> None:
        self._microphones, self._listener = microphones, listener

    def say(self, pcm: NDArray[np.int16]) -> int:
        """Let it hear sound (int16, any length); return the samples lost so far."""
        before = self._listener.status()
        wanted = before.samples + before.lost + len(pcm)
        self._microphones.play(pcm)
        for _ in range(_PATIENCE):
            status = self._listener.status()
            if status.samples + status.lost >= wanted:
                return status.lost
        raise TargetError(
            f"the firmware heard {status.samples} and lost {status.lost} of {wanted} samples"
        )
