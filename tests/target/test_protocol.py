"""Framing in Python and in C: garbage, split reads, damage; what the client makes of answers."""

import ctypes
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outliernets import resources
from outliernets.errors import TargetError
from outliernets.target import protocol
from outliernets.target.protocol import Client, Frame, FrameReader, encode
from outliernets.toolchain.host import compile_shared

MAX_PAYLOAD = 64

frames = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=MAX_PAYLOAD))
# Noise rich in bytes that look like the beginning of a frame.
noise = st.lists(st.sampled_from([b"\xa5", b"\x5a", b"\xa5\x5a", b"\0", b"\x05"]), max_size=12).map(
    b"".join
)


class CReader:
    """firmware/lib/on_frame.c behind the interface of FrameReader."""

    class _Reader(ctypes.Structure):
        _fields_ = (
            ("buffer", ctypes.POINTER(ctypes.c_uint8)),
            ("capacity", ctypes.c_uint32),
            ("filled", ctypes.c_uint32),
            ("bad", ctypes.c_uint32),
        )

    class _Frame(ctypes.Structure):
        _fields_ = (
            ("type", ctypes.c_uint8),
            ("sequence", ctypes.c_uint8),
            ("length", ctypes.c_uint32),
            ("payload", ctypes.POINTER(ctypes.c_uint8)),
        )

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.on_frame_need.restype = ctypes.c_uint32
        library.on_frame_take.restype = ctypes.c_bool
        self._memory = (ctypes.c_uint8 * (MAX_PAYLOAD + protocol.OVERHEAD))()
        self._reader = self._Reader()
        library.on_frame_open(ctypes.byref(self._reader), self._memory, len(self._memory))

    @property
    def bad(self) -> int:
        return int(self._reader.bad)

    def need(self) -> int:
        return int(self._library.on_frame_need(ctypes.byref(self._reader)))

    def feed(self, data: bytes) -> None:
        ctypes.memmove(ctypes.addressof(self._memory) + self._reader.filled, data, len(data))
        self._library.on_frame_fill(ctypes.byref(self._reader), len(data))

    def take(self) -> Frame | None:
        found = self._Frame()
        if not self._library.on_frame_take(ctypes.byref(self._reader), ctypes.byref(found)):
            return None
        payload = bytes(found.payload[: found.length])
        self._library.on_frame_drop(ctypes.byref(self._reader), ctypes.byref(found))
        return Frame(found.type, found.sequence, payload)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    lib = resources.firmware() / "lib"
    out = tmp_path_factory.mktemp("frame") / "frame.so"
    library = ctypes.CDLL(str(compile_shared([lib / "on_frame.c"], [lib], out)))
    library.on_crc32.restype = ctypes.c_uint32
    return library


def receive(reader: CReader | FrameReader, data: bytes, sizes: list[int]) -> list[Frame]:
    """Feed ``data`` in pieces of at most ``sizes`` (repeated) and collect the frames."""
    got, at, turn = [], 0, 0
    while True:
        while frame := reader.take():
            got.append(frame)
        if at == len(data):
            return got
        n = min(reader.need(), sizes[turn % len(sizes)], len(data) - at)
        assert n > 0
        reader.feed(data[at : at + n])
        at, turn = at + n, turn + 1


@given(st.lists(st.tuples(noise, frames), max_size=4), st.lists(st.integers(1, 20), min_size=1))
@settings(max_examples=150)
def test_frames_survive_noise_between_them_in_both_languages(
    library: ctypes.CDLL, parts: list[tuple[bytes, Frame]], sizes: list[int]
) -> None:
    padding = bytes(MAX_PAYLOAD + protocol.OVERHEAD)  # ends whatever the last noise began
    data = b"".join(garbage + encode(frame) for garbage, frame in parts) + padding
    python = FrameReader(MAX_PAYLOAD)
    c = CReader(library)
    got = receive(python, data, sizes)
    assert got == [frame for _, frame in parts]
    assert receive(c, data, sizes) == got
    assert c.bad == python.bad


@given(frames, st.data())
@settings(max_examples=150)
def test_a_flipped_bit_never_gives_a_wrong_frame(
    library: ctypes.CDLL, frame: Frame, data: st.DataObject
) -> None:
    whole = bytearray(encode(frame))
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[bit // 8] ^= 1 << bit % 8
    after = Frame(1, 2, b"intact")
    stream = bytes(whole) + encode(after) + bytes(MAX_PAYLOAD + protocol.OVERHEAD)
    for reader in (FrameReader(MAX_PAYLOAD), CReader(library)):
        assert receive(reader, stream, [1000]) == [after]


@given(st.binary(max_size=100))
def test_crc_is_zlibs(library: ctypes.CDLL, data: bytes) -> None:
    import zlib

    assert library.on_crc32(0, data, ctypes.c_size_t(len(data))) == zlib.crc32(data)


def test_constants_equal_the_headers() -> None:
    header = (resources.firmware() / "lib" / "on_frame.h").read_text()
    values = {n: int(v, 0) for n, v in re.findall(r"#define ON_(\w+) (0x\w+|\d+)U", header)}
    for name, value in values.items():
        twin = name.removeprefix("MSG_").replace("FRAME_HEADER", "HEADER")
        assert getattr(protocol, twin) == value, name
    assert len(values) > 12


class Script:
    """A line that answers each request with prepared bytes."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.pending = b""

    def write(self, data: bytes) -> None:
        self.pending += self.answers.pop(0)

    def read(self, n: int) -> bytes:
        if len(self.pending) < n:
            raise TargetError("silence")
        data, self.pending = self.pending[:n], self.pending[n:]
        return data


def hello(protocol_version: int = 1, model_id: int = 7) -> bytes:
    payload = struct.pack("<HHIIIII", protocol_version, 1, model_id, 4, 4, 64, 10) + b"net"
    return encode(Frame(0x81, 1, payload))


def test_hello_is_understood() -> None:
    answer = Client(Script(hello())).hello(model_id=7)
    assert (answer.model, answer.front_end, answer.max_payload) == ("net", True, 64)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (hello(protocol_version=9), "speaks protocol 9.*rebuild"),
        (hello(model_id=8), "wrong firmware.*net.*0x00000008.*expected 0x00000007"),
        (encode(Frame(0x81, 1, b"short")), "5 bytes"),
        (b"", "silence"),
        (b"garbage, and then nothing", "silence"),
        (hello()[:-1] + b"?", "damaged"),
        (encode(Frame(0xE0, 1, struct.pack("<HQQ", 3, 0, 0) + b"no")), r"refused.*3\): no"),
        (encode(Frame(0xE0, 1, b"?")), "too short"),
    ],
)
def test_a_bad_answer_is_an_error(answer: bytes, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        Client(Script(answer)).hello(model_id=7)


def test_garbage_before_an_answer_is_skipped() -> None:
    assert Client(Script(b"boot...\r\n\xa5" + hello())).hello().model == "net"


class Endless:
    """A line that gives the same bytes for ever."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 0

    def write(self, data: bytes) -> None:
        return

    def read(self, n: int) -> bytes:
        start = self._at % len(self._text)
        self._at += n
        return (self._text * (n // len(self._text) + 2))[start : start + n]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (bytes(range(160)), "bytes came and no answer was among them"),
        (protocol.MAGIC[:1], "bytes came and no answer was among them"),
        (encode(Frame(protocol.RESULT, 77, bytes(21))), "10,000 messages and no answer to"),
        (protocol.MAGIC + bytes(range(6)), "wrong CRC|no answer was among them"),
    ],
)
def test_a_line_that_never_answers_is_left(text: bytes, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        Client(Endless(text)).hello()


def test_samples_the_firmware_did_not_take_are_an_error() -> None:
    line = Script(encode(Frame(0x83, 1, struct.pack("<II", 3, 0))))
    with pytest.raises(TargetError, match="took 3 of 4 samples"):
        Client(line).push(np.zeros(4, np.int16))


def test_a_fault_names_its_registers(tmp_path: Path) -> None:
    fault = struct.pack("<HQQ", 5, 0x08000124, 0x08000101) + b"HardFault r0=0x1"
    with pytest.raises(TargetError, match=r"crashed at 0x8000124.*0x8000101: HardFault r0=0x1"):
        Client(Script(encode(Frame(0xE0, 0, fault)))).stats()
