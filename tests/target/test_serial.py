"""Boards at a serial port: a pseudo-terminal whose other end is real firmware, or a script."""

import contextlib
import errno
import os
import select
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from outliernets import boards, target
from outliernets.errors import ConfigError, MissingToolError, OngenError, TargetError
from outliernets.target import Client, SerialTarget, machines, monitor, serial_port
from outliernets.target.protocol import HELLO, INFER, REPLY, Frame, FrameReader, encode
from outliernets.target.qemu import QemuTarget
from tests.target import stub
from tests.target.conftest import Build

serial = pytest.importorskip("serial")
pytest.importorskip("pty")

BOARD = boards.load("stm32f746")
Answer = Callable[[bytes], bytes]


class Board:
    """The other end of a serial line: a thread that answers what it receives."""

    def __init__(self, answer: Answer, greeting: bytes = b"") -> None:
        self._answer = answer
        self._greeting = greeting
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        self.port = os.ttyname(self._theirs)
        self.received = bytearray()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._send(self._greeting)
        while not self._over.is_set():
            if select.select([self._ours], [], [], 0.02)[0]:
                new = os.read(self._ours, 65536)
                self.received += new
                self._send(self._answer(new))

    def _send(self, data: bytes) -> None:
        while data and not self._over.is_set():
            if select.select([], [self._ours], [], 0.02)[1]:
                data = data[os.write(self._ours, data[:512]) :]

    def unplug(self) -> None:
        if not self._over.is_set():
            self._over.set()
            self._thread.join()
            os.close(self._theirs)
            os.close(self._ours)


@pytest.fixture
def plug() -> Iterator[Callable[..., Board]]:
    plugged: list[Board] = []

    def one(answer: Answer, greeting: bytes = b"") -> Board:
        plugged.append(Board(answer, greeting))
        return plugged[-1]

    yield one
    for board in plugged:
        board.unplug()


@pytest.fixture
def elf(tmp_path: Path) -> Path:
    path = tmp_path / "any.elf"
    path.write_bytes(b"")
    return path


def silence(_: bytes) -> bytes:
    return b""


def small_hello() -> Answer:
    """Answer HELLO, and nothing else."""
    reader = FrameReader(4096)
    payload = (1).to_bytes(2, "little") + bytes(22) + b"small"

    def answer(new: bytes) -> bytes:
        said = b""
        for i in range(len(new)):
            reader.feed(new[i : i + 1])
            while frame := reader.take():
                if frame.type == HELLO:
                    said += encode(Frame(HELLO | REPLY, frame.sequence, payload))
        return said

    return answer


def firmware_in_unicorn(elf: Path) -> Answer:
    """The firmware itself, as the other end of the line."""
    machine = machines.create(BOARD.variant("unicorn"), BOARD.cpu, elf, 1_000_000_000)

    def answer(new: bytes) -> bytes:
        machine.send(new)
        said = b""
        while more := machine.run():
            said += more
        return said

    return answer


@pytest.fixture
def stub_board(stub_firmware: Build, plug: Callable[..., Board]) -> tuple[Board, Path]:
    pytest.importorskip("unicorn")
    built = stub_firmware("stm32f746", "zig", "unicorn")
    return plug(firmware_in_unicorn(built.elf)), built.elf


@pytest.mark.emulator
def test_a_board_scores_and_measures_cycles(stub_board: tuple[Board, Path]) -> None:
    plugged, program = stub_board
    pcm = np.random.default_rng(5).integers(-32768, 32768, 9_000).astype(np.int16)
    with target.get(plugged.port).open(program, BOARD) as running:
        assert isinstance(running, SerialTarget)
        assert (running.name, running.measures_cycles) == ("serial", True)
        client = Client(running, program)
        assert client.hello(stub.MODEL_ID).model == "stub"
        client.reset()
        results = client.push(pcm)
        assert [r.score for r in results] == stub.scores(pcm)
        assert all(r.final_cycles > 0 for r in results)
        assert client.infer(bytes(16)) == stub.infer(bytes(16))
        assert client.infer_cycles > 0
        assert running.counts() == {}
        assert client.stats().bad_frames == 0


@pytest.mark.emulator
def test_who_comes_after_a_torn_frame_is_understood(stub_board: tuple[Board, Path]) -> None:
    """The one before was interrupted while it sent sound: the board waits for the rest of it."""
    plugged, program = stub_board
    torn = encode(Frame(3, 1, bytes(4000)))[:1234]
    with serial.Serial(plugged.port) as line:
        line.write(torn)
        line.flush()
    for _ in range(2):
        with SerialTarget(plugged.port).open(program, BOARD) as running:
            assert Client(running).hello().model == "stub"
            assert Client(running).infer(bytes(16)) == stub.infer(bytes(16))


@pytest.mark.emulator
def test_a_crash_on_the_board_names_the_function(
    stub_firmware: Build, plug: Callable[..., Board]
) -> None:
    """QEMU takes the fault as a chip does: its firmware stands at the other end of the line."""
    program = stub_firmware("stm32f746", "zig", "qemu").elf
    try:
        emulated = QemuTarget(timeout=0.2).open(program, BOARD)
    except MissingToolError as error:
        pytest.skip(str(error))

    def answer(new: bytes) -> bytes:
        emulated.write(new)
        said = b""
        with contextlib.suppress(TargetError):  # until it is silent
            while True:
                said += emulated.read(1)
        return said

    with emulated, SerialTarget(plug(answer).port).open(program, BOARD) as running:
        client = Client(running, program)
        assert client.hello(stub.MODEL_ID).model == "stub"
        with pytest.raises(TargetError, match=r"crashed at .*in misbehave"):
            client.infer(bytes([stub.BAD_ADDRESS]) + bytes(15))


@pytest.mark.emulator
def test_firmware_of_another_model_is_refused(stub_board: tuple[Board, Path]) -> None:
    plugged, program = stub_board
    with (
        SerialTarget(plugged.port).open(program, BOARD) as running,
        pytest.raises(TargetError, match="wrong firmware: it runs model 'stub'"),
    ):
        Client(running).hello(stub.MODEL_ID + 1)


@pytest.mark.parametrize(
    ("answer", "greeting", "said"),
    [
        (silence, b"", r"the board is silent: press its reset button.*ongen flash BUILD_DIR"),
        (silence, b'{"score": 3}\r\n', r"wrong firmware: it sends text \('{\"score\": 3} "),
        (silence, b"\xf0\x00\xff" * 9, r"garbage on the line \(f0 00 ff.*not at 921600 baud"),
        (lambda new: b"\x00" * len(new), b"", r"garbage on the line \(00 00"),
        (lambda new: new, b"", "garbage on the line"),  # an echo: RX and TX are connected
    ],
)
def test_who_does_not_speak_the_protocol_is_described(
    plug: Callable[..., Board], elf: Path, answer: Answer, greeting: bytes, said: str
) -> None:
    started = time.monotonic()
    plugged = plug(answer)
    running = SerialTarget(plugged.port, hello_timeout=1.2)
    if greeting:  # in pieces, for as long as the board is asked
        plugged.unplug()
        plugged = plug(lambda _: greeting)
        running = SerialTarget(plugged.port, hello_timeout=1.2)
    with pytest.raises(TargetError, match=said) as info:
        running.open(elf, BOARD)
    assert plugged.port in str(info.value)
    assert len(str(info.value).splitlines()) == 1
    assert time.monotonic() - started < 5


def test_text_without_end_is_no_hang(plug: Callable[..., Board], elf: Path) -> None:
    started = time.monotonic()
    plugged = plug(silence, b"hello world\n" * 200_000)
    with pytest.raises(TargetError, match="wrong firmware: it sends text"):
        SerialTarget(plugged.port, hello_timeout=1).open(elf, BOARD)
    assert time.monotonic() - started < 4


def test_a_board_that_falls_silent(plug: Callable[..., Board], elf: Path) -> None:
    plugged = plug(small_hello())
    with SerialTarget(plugged.port, timeout=0.3).open(elf, BOARD) as running:
        client = Client(running)
        client.hello()
        with pytest.raises(TargetError, match=r"did not answer within 0\.3 s \(0 of 8 bytes came"):
            client.stats()


def test_a_board_that_babbles_instead_of_an_answer(plug: Callable[..., Board], elf: Path) -> None:
    hello = small_hello()

    def answer(new: bytes) -> bytes:
        return b"tick\n" * 300_000 if encode(Frame(INFER, 1, b""))[:3] in new else hello(new)

    with SerialTarget(plug(answer).port, timeout=0.5).open(elf, BOARD) as running:
        started = time.monotonic()
        with pytest.raises(TargetError, match=r"did not answer within|no answer was among them"):
            Client(running).infer(b"")
        assert time.monotonic() - started < 3


def test_an_unplugged_board(plug: Callable[..., Board], elf: Path) -> None:
    plugged = plug(small_hello())
    running = SerialTarget(plugged.port).open(elf, BOARD)
    client = Client(running)
    client.hello()
    plugged.unplug()
    with pytest.raises(TargetError, match="the board is gone; was it unplugged"):
        client.hello()
    running.close()
    with pytest.raises(TargetError, match="not open"):
        running.read(1)


def test_a_port_in_use(plug: Callable[..., Board], elf: Path) -> None:
    plugged = plug(small_hello())
    with (
        SerialTarget(plugged.port).open(elf, BOARD),
        pytest.raises(TargetError, match="is in use by another program"),
    ):
        SerialTarget(plugged.port).open(elf, BOARD)
    with SerialTarget(plugged.port).open(elf, BOARD) as free_again:
        assert Client(free_again).hello().model == "small"


def test_ports_that_cannot_be_opened(elf: Path, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"is not there: plug the board in; ports now: "):
        SerialTarget("/dev/ttyACM-none").open(elf, BOARD)
    file = tmp_path / "file"
    file.write_text("no port")
    with pytest.raises(TargetError, match=r"cannot be opened, is it a serial port\?"):
        SerialTarget(str(file)).open(elf, BOARD)
    with pytest.raises(TargetError, match="there is no firmware"):
        SerialTarget("/dev/ttyACM0").open(tmp_path / "missing.elf", BOARD)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (serial.SerialException(errno.EACCES, "no"), "usermod -aG dialout"),
        (serial.SerialException(errno.EBUSY, "no"), "in use by another program"),
        (serial.SerialException("could not open: PermissionError(13)"), "in use by another"),
        (serial.SerialException("could not open: FileNotFoundError(2)"), "is not there"),
        (ValueError("Failed to set custom baud rate"), "cannot run at 921600 baud"),
    ],
)
def test_what_only_other_systems_say(
    elf: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    """Permission is never denied to root, and the messages of Windows do not come here."""

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(OngenError, match=said):
        SerialTarget("COM3").open(elf, BOARD)


def test_without_pyserial(elf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    for call in (lambda: SerialTarget("COM3").open(elf, BOARD), SerialTarget("COM3").version):
        with pytest.raises(MissingToolError, match=r"pip install 'ongen\[board\]'"):
            call()


@pytest.mark.parametrize("name", ["/dev/ttyACM0", "COM3", "com12", "\\\\.\\COM12"])
def test_a_path_names_a_port(name: str) -> None:
    chosen = target.get(name)
    assert isinstance(chosen, SerialTarget)
    assert chosen.port == name


@pytest.mark.parametrize("name", [*target.TARGETS, "COMMON", "ttyACM0"])
def test_other_names_are_no_ports(name: str) -> None:
    assert not target.is_port(name)
    if name not in target.TARGETS:
        with pytest.raises(ConfigError, match="or a port such as /dev/ttyACM0"):
            target.get(name)


def test_the_baud_rate_is_the_firmwares() -> None:
    rates = {"stm32f746": 921_600, "stm32f446": 921_600, "stm32f207": 460_800, "stm32g0b1": 921_600}
    assert {name: serial_port.baud_of(boards.load(name)) for name in rates} == rates
    for name in ("host", "cortex-a72"):
        with pytest.raises(ConfigError, match=f"board {name} has no UART"):
            serial_port.baud_of(boards.load(name))


def test_the_port_runs_at_the_boards_rate(plug: Callable[..., Board], elf: Path) -> None:
    plugged = plug(small_hello())
    with SerialTarget(plugged.port).open(elf, boards.load("stm32f207")) as running:
        assert isinstance(running, SerialTarget)
        assert running._running().baudrate == 460_800


def test_lines_come_as_they_are(plug: Callable[..., Board]) -> None:
    sent = b'{"window": 1, "score": 7}\r\n\n\xc3\xa9\t\xff\x1b[2J\nlast'
    plugged = plug(silence)
    heard = monitor.lines(plugged.port, 115_200, pytest.fail)
    speaker = threading.Timer(0.2, plugged._send, [sent])
    speaker.start()
    expected = ['{"window": 1, "score": 7}', "", "é\t\\xff\\x1b[2J"]
    assert [next(heard) for _ in expected] == expected
    heard.close()  # type: ignore[attr-defined]


def test_a_line_that_never_ends_is_cut(plug: Callable[..., Board]) -> None:
    plugged = plug(silence)
    heard = monitor.lines(plugged.port, 115_200, pytest.fail)
    threading.Timer(0.2, plugged._send, [b"x" * 10_000]).start()
    assert [len(next(heard)) for _ in range(2)] == [monitor.LONGEST_LINE] * 2
    heard.close()  # type: ignore[attr-defined]


def test_a_board_that_comes_back_is_heard_again(
    plug: Callable[..., Board], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link stands for the port, as udev's by-id links do: it can go and come back."""
    monkeypatch.setattr(monitor, "_PATIENCE", 0.05)
    port, told = tmp_path / "port", []
    first, second = plug(silence), plug(silence)
    port.symlink_to(first.port)
    heard = monitor.lines(str(port), 115_200, told.append)
    threading.Timer(0.2, first._send, [b"one\ntwo"]).start()
    assert next(heard) == "one"

    def swap() -> None:
        time.sleep(0.2)
        first.unplug()
        port.unlink()
        time.sleep(0.3)
        port.write_text("not yet a port")
        time.sleep(0.3)
        port.unlink()
        port.symlink_to(second.port)
        time.sleep(0.3)
        second._send(b"three\n")

    swapping = threading.Thread(target=swap)
    swapping.start()
    assert [next(heard), next(heard)] == ["two", "three"]
    swapping.join()
    assert [t.removeprefix(str(port)).split(";")[0].split(",")[0] for t in told] == [
        " is gone",
        " cannot be opened",
        " is back",
    ]
    heard.close()  # type: ignore[attr-defined]


def test_a_port_must_be_there_at_first() -> None:
    with pytest.raises(TargetError, match="is not there"):
        next(monitor.lines("/dev/ttyACM-none", 115_200, pytest.fail))
