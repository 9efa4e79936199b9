"""Flashing: images as objcopy makes them, fake probes that fail, and QEMU's GDB server."""

import hashlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from outliernets import boards
from outliernets.errors import BuildError, ConfigError, MissingToolError, OngenError, TargetError
from outliernets.pipeline import library
from outliernets.pipeline.build import SETTINGS, stage_names
from outliernets.target import Client
from outliernets.target.qemu import MACHINES
from outliernets.toolchain import flash, images, probes
from tests import elf_builder
from tests.probes import FLASH, OLD, SEGMENTS, VECTORS, FakeProbes, build, fake_probes, program
from tests.target import stub

__all__ = ["fake_probes"]
PROBES = ["pyocd", "openocd", "st-flash"]
BINARY = SEGMENTS[0][1] + b"\xff" * 13 + SEGMENTS[1][1]


def go(folder: Path, probe: str | None = None, **choices: bool) -> flash.Plan:
    plan = flash.make_plan(folder, probe, **choices)
    flash.carry_out(plan, lambda _: None)
    return plan


def test_an_image_is_what_the_program_loads(tmp_path: Path) -> None:
    elf = elf_builder.write(tmp_path / "a.elf", SEGMENTS[::-1], 0x0800_0101)
    image = images.read_image(elf)
    assert [(p.address, p.data) for p in image.parts] == SEGMENTS
    assert image.binary == BINARY
    touching = [(FLASH, b"abc"), (FLASH + 3, b"defgh"), (FLASH + 16, b"ij")]
    elf_builder.write(elf, touching)
    joined = images.read_image(elf)
    assert [(p.address, p.data) for p in joined.parts] == [
        (FLASH, b"abcdefgh"),
        (FLASH + 16, b"ij"),
    ]


def test_intel_hex_by_hand() -> None:
    """The example of Intel's specification of 1988 for data, its own formula for the rest."""
    image = images.Image((images.Part(0x0801_FFFC, bytes(range(8))),), 0x0800_0101, "EM_ARM")
    assert image.intel_hex.splitlines() == [
        ":020000040801F1",
        ":04FFFC0000010203FB",
        ":020000040802F0",
        ":0400000004050607E6",
        ":0400000508000101ED",
        ":00000001FF",
    ]


@pytest.mark.skipif(shutil.which("arm-none-eabi-objcopy") is None, reason="no binutils for Arm")
@pytest.mark.parametrize("board", ["stm32f746", "stm32g0b1"])
def test_objcopy_makes_the_same_images(tmp_path: Path, board: str) -> None:
    elf = stub.build(boards.load(board), "gcc", None, tmp_path / "06_compile").elf
    (tmp_path / "build.json").write_text(f'{{"board": "{board}"}}')
    plan = flash.make_plan(tmp_path, dry_run=True)
    objcopy = ["arm-none-eabi-objcopy", "--gap-fill", "0xff"]
    theirs = tmp_path / "theirs.bin"
    subprocess.run([*objcopy, "-O", "binary", elf, theirs], check=True)
    assert (tmp_path / "firmware.bin").read_bytes() == theirs.read_bytes() == plan.image.binary
    from_hex = ["-I", "ihex", "-O", "binary", tmp_path / "firmware.hex", tmp_path / "from_hex.bin"]
    subprocess.run([*objcopy, *from_hex], check=True)
    assert (tmp_path / "from_hex.bin").read_bytes() == theirs.read_bytes()


def test_intelhex_reads_our_hex(tmp_path: Path) -> None:
    intelhex = pytest.importorskip("intelhex")
    image = images.read_image(elf_builder.write(tmp_path / "a.elf", SEGMENTS, 0x0800_0101))
    path = tmp_path / "a.hex"
    path.write_text(image.intel_hex)
    read = intelhex.IntelHex(str(path))
    assert read.segments() == [(a, a + len(data)) for a, data in SEGMENTS]
    assert read.tobinstr() == BINARY
    assert read.start_addr == {"EIP": 0x0800_0101}


@pytest.mark.parametrize("erase_all", [False, True])
@pytest.mark.parametrize("probe", PROBES)
def test_flash_holds_the_program_and_starts_it(
    tmp_path: Path, fake_probes: FakeProbes, probe: str, erase_all: bool
) -> None:
    fake_probes.install(probe)
    plan = go(build(tmp_path / "a build"), erase_all=erase_all)
    assert fake_probes.flash(FLASH, len(BINARY)) == BINARY
    assert fake_probes.flash(FLASH + 0xF_FFFF, 1) == bytes([0xFF if erase_all else OLD])
    assert fake_probes.calls == plan.commands
    assert [call[0] for call in fake_probes.calls] == [probe] * len(plan.commands)
    assert "reset" in " ".join(fake_probes.calls[-1])
    assert not (plan.folder / flash.READ_BACK).exists()


def test_the_commands_exactly(tmp_path: Path, fake_probes: FakeProbes) -> None:
    fake_probes.install(*PROBES)
    folder, size = build(tmp_path / "b"), len(BINARY)
    save = f"savemem 0x08000000 {size} read_back.bin"
    halted = ["--no-wait", "--target", "stm32f746nghx", "-O", "resume_on_disconnect=0"]
    assert flash.make_plan(folder).commands == [
        ["pyocd", "load", *halted, "--erase", "sector", "--no-reset", "firmware.hex"],
        ["pyocd", "commander", *halted, "--connect", "halt", "--command", save],
        ["pyocd", "reset", "--no-wait", "--target", "stm32f746nghx"],
    ]
    assert flash.make_plan(folder, "st-flash", erase_all=True, verify=False).commands == [
        ["st-flash", "erase"],
        ["st-flash", "write", "firmware.bin", "0x08000000"],
        ["st-flash", "reset"],
    ]
    write = "flash write_image erase firmware.hex"
    common = ["openocd", "-f", "interface/stlink.cfg", "-f", "target/stm32f7x.cfg", "-c", "init"]
    assert flash.make_plan(folder, "openocd", verify=False).commands == [
        [*common, "-c", "reset halt", "-c", write, "-c", "shutdown"],
        [*common, "-c", "reset run", "-c", "shutdown"],
    ]
    assert fake_probes.calls == []  # a plan does nothing


def test_the_first_probe_that_is_installed_is_used(tmp_path: Path, fake_probes: FakeProbes) -> None:
    folder = build(tmp_path / "b")
    with pytest.raises(MissingToolError, match=r"nothing that can write flash.*pyocd: pip install"):
        flash.make_plan(folder)
    assert flash.make_plan(folder, dry_run=True).probe.name == "pyocd"
    for installed in ("st-flash", "openocd", "pyocd"):
        fake_probes.install(installed)
        assert flash.make_plan(folder).probe.name == installed
        assert flash.make_plan(folder, dry_run=True).probe.name == installed


def test_probes_that_are_not_there(tmp_path: Path, fake_probes: FakeProbes) -> None:
    folder = build(tmp_path / "b")
    for probe, how in (("openocd", "apt install openocd"), ("pyocd", r"ongen\[board\]")):
        with pytest.raises(MissingToolError, match=f"{probe} is not installed: .*{how}"):
            flash.make_plan(folder, probe)
        assert flash.make_plan(folder, probe, dry_run=True).probe.name == probe
    for dry_run in (False, True):
        with pytest.raises(ConfigError, match=r"unknown probe 'openod' \(did you mean 'openocd'"):
            flash.make_plan(folder, "openod", dry_run=dry_run)


def test_a_program_beside_this_python_is_found(
    tmp_path: Path, fake_probes: FakeProbes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip put it there; the environment is not activated."""
    fake_probes.install("pyocd")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.executable", str(fake_probes.folder / "bin" / "python"))
    go(build(tmp_path / "b"))
    assert fake_probes.flash(FLASH, len(BINARY)) == BINARY


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("pyocd no probe", "no debug probe found: connect the board's ST-LINK"),
        ("openocd no probe", "no debug probe found"),
        ("st-flash no probe", "no debug probe found"),
        ("no pack", "'pyocd pack install stm32f746nghx'"),
        ("no permission", "may not be used by you: install its udev rules"),
        ("no power", "finds no chip: has the board power"),
        ("protected", "flash is protected"),
        ("strange", r"error: the moon is full \(status 7\)"),
        ("mute", r"no message \(status 3\)"),
    ],
)
def test_a_probe_that_fails_says_why_in_a_line(
    tmp_path: Path, fake_probes: FakeProbes, how: str, said: str
) -> None:
    fake_probes.install("pyocd")
    fake_probes.fail(how)
    folder = build(tmp_path / "b")
    with pytest.raises(TargetError, match=said) as info:
        go(folder)
    assert len(str(info.value).splitlines()) == 1
    assert len(fake_probes.calls) == 1  # nothing after the failure
    log = (folder / flash.LOG).read_text()
    assert log.startswith("$ pyocd load")
    assert ("moon" in log) == (how == "strange")


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("wear", f"flash is not as written, first at {FLASH + 5:#010x}"),
        ("short", f"flash is not as written, first at {FLASH + len(BINARY) // 2:#010x}"),
        ("no file", "read nothing back"),
    ],
)
def test_what_cannot_be_verified_is_not_started(
    tmp_path: Path, fake_probes: FakeProbes, probe: str, how: str, said: str
) -> None:
    fake_probes.install(probe)
    fake_probes.fail(how)
    folder = build(tmp_path / "b")
    (folder / flash.READ_BACK).write_bytes(BINARY)  # of another time
    with pytest.raises(TargetError, match=said):
        go(folder)
    assert "reset run" not in fake_probes.calls[-1]
    assert "reset" not in fake_probes.calls[-1][:2]
    assert not (folder / flash.READ_BACK).exists()
    if how == "wear":
        go(folder, verify=False)
        assert "reset" in " ".join(fake_probes.calls[-1])


def test_a_probe_that_hangs_is_ended(
    tmp_path: Path, fake_probes: FakeProbes, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_probes.install("pyocd")
    fake_probes.fail("hang")
    monkeypatch.setattr(probes, "TIMEOUT", 0.5)
    with pytest.raises(TargetError, match=r"pyocd did not end within 0\.5 s"):
        go(build(tmp_path / "b"))


def test_a_probe_that_cannot_be_started(tmp_path: Path, fake_probes: FakeProbes) -> None:
    fake_probes.install("pyocd")
    (fake_probes.folder / "bin/pyocd").write_text("#!/no/such/python\n")
    with pytest.raises(TargetError, match="pyocd cannot be started"):
        go(build(tmp_path / "b"))


def test_bytes_between_parts_do_not_matter(tmp_path: Path) -> None:
    image = images.read_image(elf_builder.write(tmp_path / "a.elf", SEGMENTS))
    assert flash.first_difference(image, BINARY.replace(b"\xff" * 13, bytes(13))) is None
    assert flash.first_difference(image, BINARY[:-1]) == FLASH + len(BINARY) - 1
    assert flash.first_difference(image, b"") == FLASH


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        ([(0, program())], r"not for stm32f746 itself: it has bytes at 0x00000000.*--target qemu"),
        ([*SEGMENTS, (0x2000_0000, b"ram")], "it has bytes at 0x20000000"),
        ([(FLASH, program()), (FLASH + 0xF_FFF0, bytes(17))], "it has bytes at 0x080ffff0"),
        ([(FLASH + 16, program())], "would not start on stm32f746"),
        ([(FLASH, bytes(8) + program())], "says stack 0x00000000, first instruction 0x00000000"),
        ([(FLASH, program(vectors=VECTORS[:4] + b"\x00\x01\x00\x08"))], "would not start"),
        ([(FLASH, program(vectors=VECTORS[:4] + b"\x01\x01\x00\x20"))], "would not start"),
        ([(FLASH, b"abc")], "would not start"),
    ],
)
def test_programs_that_are_not_for_the_board(
    tmp_path: Path, segments: list[tuple[int, bytes]], said: str
) -> None:
    folder = build(tmp_path / "b", segments=segments)
    with pytest.raises(BuildError, match=said):
        flash.make_plan(folder, dry_run=True)
    assert not (folder / flash.HEX).exists()


def test_programs_for_emulators_are_refused(tmp_path: Path) -> None:
    """The real thing: what the linker makes for the board's variant 'qemu'."""
    stub.build(boards.load("stm32f746"), "gcc", "qemu", tmp_path / "06_compile")
    (tmp_path / "build.json").write_text('{"board": "stm32f746"}')
    with pytest.raises(BuildError, match="Was it built for an emulator"):
        flash.make_plan(tmp_path, dry_run=True)


def test_what_is_no_program(tmp_path: Path) -> None:
    folder = build(tmp_path / "b", machine=elf_builder.EM_X86_64)
    with pytest.raises(BuildError, match=r"for another processor \(EM_X86_64\), not for cortex-m7"):
        flash.make_plan(folder, dry_run=True)
    elf = folder / flash.BUILD[1]
    for content, said in ((b"", "not a whole ELF"), (elf.read_bytes()[:60], "not a whole ELF")):
        elf.write_bytes(content)
        with pytest.raises(BuildError, match=said):
            flash.make_plan(folder, dry_run=True)
    elf_builder.write(elf, [])
    with pytest.raises(BuildError, match="has nothing to load"):
        flash.make_plan(folder, dry_run=True)


@pytest.mark.parametrize("board", ["cortex-a72", "host"])
def test_boards_without_flash(tmp_path: Path, board: str) -> None:
    with pytest.raises(ConfigError, match=f"board {board} has no flash to write"):
        flash.make_plan(build(tmp_path / "b", board), dry_run=True)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", r"board mine: its file has no table \[flash\]"),
        ('[flash]\npyocd = "x"', "key 'openocd' is missing"),
        ("[flash]\npyocd = 1\nopenocd = []", "pyocd must be a string"),
        ('[flash]\npyocd = "x"\nopenocd = [1]', "openocd must be a list of names"),
        ('[flash]\npiocd = "x"', r"unknown key 'piocd' \(did you mean 'pyocd'"),
    ],
)
def test_a_board_file_without_a_good_flash_table(tmp_path: Path, table: str, said: str) -> None:
    text = (boards.resources.boards() / "stm32f746.toml").read_text().split("\n[flash]")[0]
    mine = tmp_path / "mine.toml"
    mine.write_text(f"{text}\n{table}\n")
    with pytest.raises(ConfigError, match=said):
        flash.make_plan(build(tmp_path / "b", str(mine)), dry_run=True)


def test_folders_that_are_no_build(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"not a build \(no build.json\)"):
        flash.find_program(tmp_path)
    settings = tmp_path / "build.json"
    for text in ("{", "[]", "{}"):
        settings.write_text(text)
        with pytest.raises(ConfigError, match=r"build\.json: damaged"):
            flash.find_program(tmp_path)
    settings.write_text('{"board": "stm32f999"}')
    with pytest.raises(ConfigError, match="unknown board 'stm32f999'"):
        flash.find_program(tmp_path)
    settings.write_text('{"board": "stm32f746"}')
    (tmp_path / "06_compile-qemu").mkdir()
    with pytest.raises(ConfigError, match=r"no program for the board itself.*'ongen run"):
        flash.find_program(tmp_path)


def test_libraries_have_no_program_unless_one_is_put_there(tmp_path: Path) -> None:
    (tmp_path / "library.json").write_text('{"board": "stm32f446"}')
    with pytest.raises(ConfigError, match=r"C library, no program.*ongen build --board stm32f446'"):
        flash.find_program(tmp_path)
    elf_builder.write(tmp_path / "firmware.elf", SEGMENTS)
    plan = flash.make_plan(tmp_path, dry_run=True)
    assert (plan.board.name, plan.job.chip.pyocd) == ("stm32f446", "stm32f446retx")


def test_a_build_is_where_the_pipeline_puts_it() -> None:
    assert flash.BUILD[0] == SETTINGS
    number = stage_names().index("compile") + 1
    assert flash.BUILD[1] == f"{number:02d}_compile/firmware.elf"
    assert flash.LIBRARY[0] == library.LIBRARY


def test_every_board_with_flash_can_be_flashed() -> None:
    for board in map(boards.load, boards.names()):
        assert (board.chip is not None) == board.family.startswith("stm32")


def test_what_will_be_written_is_said_exactly(tmp_path: Path, fake_probes: FakeProbes) -> None:
    plan = flash.make_plan(build(tmp_path / "b"), "st-flash", erase_all=True, dry_run=True)
    text = flash.as_text(plan)
    for said in (
        "0x08000000 to 0x08001002: 4,099 bytes",
        "0x08001010 to 0x0801100f: 65,536 bytes",
        hashlib.sha256(BINARY).hexdigest(),
        hashlib.sha256((plan.folder / "firmware.hex").read_bytes()).hexdigest(),
        "the whole chip first",
        "st-flash (not installed: apt install stlink-tools)",
        "st-flash write firmware.bin 0x08000000",
    ):
        assert said in text
    report = flash.as_json(plan, dry_run=True, seconds=None)
    assert (report["written"], report["verified"], report["erase"]) == (False, False, "chip")
    assert [s["sha256"] for s in report["segments"]] == [
        hashlib.sha256(data).hexdigest() for _, data in SEGMENTS
    ]
    assert [f["bytes"] for f in report["files"]] == [
        len(BINARY),
        (plan.folder / "firmware.hex").stat().st_size,
    ]


class Debugger:
    """Speaks GDB's remote serial protocol: as much as loading and starting a program needs."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._stream = line.makefile("rb")

    def ask(self, text: str) -> str:
        body = text.encode()
        self._line.sendall(b"$" + body + b"#%02x" % (sum(body) & 0xFF))
        return self.answer()

    def answer(self) -> str:
        while (start := self._stream.read(1)) != b"$":
            assert start == b"+", start
        body = b""
        while (byte := self._stream.read(1)) != b"#":
            body += byte
        assert int(self._stream.read(2), 16) == sum(body) & 0xFF
        self._line.sendall(b"+")
        return body.decode()

    def write(self, address: int, data: bytes) -> None:
        for at in range(0, len(data), 512):
            piece = data[at : at + 512]
            assert self.ask(f"M{address + at:x},{len(piece):x}:{piece.hex()}") == "OK"

    def read(self, address: int, size: int) -> bytes:
        pieces = (min(512, size - at) for at in range(0, size, 512))
        return b"".join(
            bytes.fromhex(self.ask(f"m{address + 512 * i:x},{n:x}")) for i, n in enumerate(pieces)
        )

    def reset(self) -> None:
        said = self.ask("qRcmd," + b"system_reset".hex())
        while said != "OK":  # output of the command, in hexadecimal
            said = self.answer()

    def run(self) -> None:
        self._line.sendall(b"$c#63")


class Console:
    """A process's standard input and output, as a line for the protocol."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def write(self, data: bytes) -> None:
        assert self._process.stdin
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def read(self, n: int) -> bytes:
        assert self._process.stdout
        return self._process.stdout.read(n)


@contextmanager
def halted_board() -> Iterator[tuple[Debugger, Console]]:
    """An emulated Cortex-M7 with empty memory, which waits for its debugger."""
    emulator = MACHINES["mps2-an500"]
    if shutil.which(emulator.program) is None:
        pytest.skip(f"no {emulator.program}")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/gdb"
        options = [a for a in emulator.arguments if a not in ("-kernel", "{elf}")]
        server = ["-S", "-gdb", f"unix:path={path},server=on,wait=off"]
        with subprocess.Popen(
            [emulator.program, *options, *server], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            try:
                with socket.socket(socket.AF_UNIX) as line:
                    line.settimeout(20)
                    _connect(line, path, process)
                    yield Debugger(line), Console(process)
            finally:
                process.kill()


def _connect(line: socket.socket, path: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        assert process.poll() is None, "qemu ended"
        try:
            return line.connect(path)
        except OSError:
            time.sleep(0.05)
    pytest.fail("no GDB server")


@pytest.mark.emulator
@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_an_image_loads_verifies_and_runs_through_a_gdb_server(
    tmp_path: Path, compiler: str
) -> None:
    """What flashing writes is a whole program: nothing of the ELF but the image gets there."""
    built = stub.build(boards.load("stm32f746"), compiler, "qemu", tmp_path)
    image = images.read_image(built.elf)
    with halted_board() as (debugger, console):
        assert flash.first_difference(image, debugger.read(image.address, 4096)) is not None
        debugger.write(image.address, image.binary)
        size = len(image.binary)
        assert flash.first_difference(image, debugger.read(image.address, size)) is None
        wrong = image.parts[-1].address + 3
        good = debugger.read(wrong, 1)
        debugger.write(wrong, bytes([good[0] ^ 1]))
        assert flash.first_difference(image, debugger.read(image.address, size)) == wrong
        debugger.write(wrong, good)
        debugger.reset()
        debugger.run()
        client = Client(console, built.elf)
        assert client.hello(stub.MODEL_ID).model == "stub"
        values = bytes(range(16))
        assert client.infer(values) == stub.infer(values)


def test_errors_are_one_line(tmp_path: Path, fake_probes: FakeProbes) -> None:
    for folder in (tmp_path, build(tmp_path / "b", "host"), build(tmp_path / "c")):
        with pytest.raises(OngenError) as info:
            flash.make_plan(folder)
        assert len(str(info.value).splitlines()) == 1
