"""The ring of samples and the decimal text, in C under UBSan."""

import ctypes
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outliernets import resources
from outliernets.toolchain.host import compile_shared

RING = 16  #: samples
WRITER = """
#include "bsp.h"
static uint8_t sent[4096];
static size_t length;
void bsp_write(const uint8_t *data, size_t n) {
    for (size_t i = 0; i < n; i++) { sent[length++ % sizeof sent] = data[i]; }
}
size_t take_sent(uint8_t *to);
size_t take_sent(uint8_t *to) {
    const size_t n = length;
    for (size_t i = 0; i < n; i++) { to[i] = sent[i]; }
    length = 0;
    return n;
}
"""


class Ring(ctypes.Structure):
    _fields_ = (
        ("magic", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("written", ctypes.c_uint32),
        ("taken", ctypes.c_uint32),
        ("lost", ctypes.c_uint32),
        ("zero", ctypes.c_uint32 * 3),
        ("samples", ctypes.c_int16 * RING),
    )


@pytest.fixture(scope="module", params=["gcc", "zig"])
def library(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    has_compiler: Callable[[str], None],
) -> ctypes.CDLL:
    has_compiler(request.param)
    firmware = resources.firmware()
    folder = tmp_path_factory.mktemp("ring")
    (folder / "writer.c").write_text(WRITER)
    sources = [firmware / "audio/ring.c", firmware / "audio/line/line.c"]
    sources += [firmware / "app/text.c", folder / "writer.c"]
    include = [firmware / name for name in ("audio", "app", "bsp")]
    made = compile_shared(
        sources, include, folder / "ring.so", request.param, {"AUDIO_RING": f"{RING}U"}
    )
    library = ctypes.CDLL(str(made))
    for name in ("ring_read", "audio_read", "take_sent"):
        getattr(library, name).restype = ctypes.c_size_t
    library.audio_lost.restype = ctypes.c_uint32
    return library


def shorts(values: list[int]) -> ctypes.Array:
    return (ctypes.c_int16 * max(len(values), 1))(*values)


class Writer:
    """Writes 0, 1, 2 ... so that a sample says where it belongs."""

    def __init__(self) -> None:
        self.next = 0

    def take(self, n: int) -> list[int]:
        start, self.next = self.next, self.next + n
        return list(range(start, self.next))


operations = st.lists(
    st.tuples(st.sampled_from(["write", "read", "skip"]), st.integers(0, 3 * RING)), max_size=40
)


@given(operations, st.sampled_from([0, 2**32 - 20]))
@settings(max_examples=200)
def test_every_sample_is_read_once_or_counted_as_lost(
    library: ctypes.CDLL, steps: list[tuple[str, int]], start: int
) -> None:
    ring, writer = Ring(written=start), Writer()
    library.ring_start(ctypes.byref(ring))
    assert (ring.magic, ring.size, ring.lost) == (0x52414E4F, RING, 0)
    heard: list[int] = []
    skipped = 0
    for what, n in steps:
        if what == "write":
            library.ring_write(ctypes.byref(ring), shorts(writer.take(n)), ctypes.c_size_t(n))
        elif what == "skip":
            library.ring_skip(ctypes.byref(ring), n)
            skipped += n
        else:
            room = shorts([0] * n)
            got = library.ring_read(ctypes.byref(ring), room, ctypes.c_size_t(n))
            assert got <= min(n, RING)
            heard += list(room)[:got]
    waiting = (ring.written - ring.taken) % 2**32
    assert heard == sorted(set(heard))
    overwritten = max(waiting - RING, 0)
    assert len(heard) + (ring.lost - skipped) + waiting == writer.next
    rest = shorts([0] * RING)
    got = library.ring_read(ctypes.byref(ring), rest, ctypes.c_size_t(RING))
    assert list(rest)[:got] == list(range(writer.next - got, writer.next))
    assert got == waiting - overwritten


offers = st.lists(st.tuples(st.integers(-10, 10), st.integers(0, RING)), max_size=20)


@given(offers)
@settings(max_examples=200)
def test_the_line_hears_each_sample_once_and_counts_gaps(
    library: ctypes.CDLL, parts: list[tuple[int, int]]
) -> None:
    """Frames that begin before, at or behind where the last one ended; each is read at once."""
    library.audio_start()
    at, known, lost = 0, 0, 0
    heard: list[int] = []
    expected: list[int] = []
    for shift, size in parts:
        at = max(known + shift, 0)
        frame = list(range(at, at + size))
        assert library.audio_offer(at, shorts(frame), ctypes.c_size_t(size))
        lost += max(at - known, 0)
        expected += [sample for sample in frame if sample >= known]
        known = max(known, at, at + size)
        room = shorts([0] * RING)
        got = library.audio_read(room, ctypes.c_size_t(RING))
        heard += list(room)[:got]
    assert heard == expected
    assert library.audio_lost() == lost


def line_of(library: ctypes.CDLL, *fields: tuple[str, int | str]) -> bytes:
    text = ctypes.create_string_buffer(4096)
    library.text_begin(text)
    for name, value in fields:
        if isinstance(value, int):
            library.text_number(text, name.encode(), ctypes.c_uint64(value))
        else:
            library.text_word(text, name.encode(), value.encode())
    library.text_send(text)
    sent = (ctypes.c_uint8 * 4096)()
    return bytes(sent[: library.take_sent(sent)])


@given(st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 19).map(lambda n: 10**n)))
@settings(max_examples=200)
def test_numbers_are_decimal(library: ctypes.CDLL, value: int) -> None:
    for near in {value, max(value - 1, 0)}:
        assert line_of(library, ("a", near)) == b'{"a":%d}\n' % near


def test_a_line_is_json(library: ctypes.CDLL) -> None:
    fields = {"window": 0, "name": "fan_06", "score": 2**64 - 1, "on": ""}
    assert json.loads(line_of(library, *fields.items())) == fields
    assert line_of(library) == b"{}\n"


def test_a_line_that_is_too_long_is_cut_and_ends(library: ctypes.CDLL) -> None:
    line = line_of(library, *((f"field{i}", 2**64 - 1) for i in range(30)))
    assert len(line) == 320
    assert line.endswith(b"}\n")


def test_the_layout_is_what_outside_writers_are_told() -> None:
    from outliernets.target import listener

    header = (resources.firmware() / "audio" / "ring.h").read_text()
    assert f"{listener._RING_MAGIC:#X}".replace("0X", "0x") + "U" in header
    assert Ring.samples.offset == listener._RING_SAMPLES == 32
