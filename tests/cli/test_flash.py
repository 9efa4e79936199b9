"""The commands for real boards: what they print, and how they fail."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tty

import pytest

from tests.probes import FLASH, build, fake_probes

__all__ = ["fake_probes"]


def test_flash_says_what_it_will_do_and_does_it(ongen, tmp_path, fake_probes):
    fake_probes.install("openocd")
    folder = build(tmp_path / "b")
    code, out, err = ongen("flash", folder)
    assert code == 0
    assert re.search(r"^write +0x08000000 to 0x08001002: 4,099 bytes$", out, re.MULTILINE)
    assert re.search(r"^written and verified in .* s; the board runs it$", out, re.MULTILINE)
    assert err.split() == ["writing", "reading", "back", "starting"]
    assert fake_probes.flash(FLASH, 0x1003) == (folder / "firmware.bin").read_bytes()[:0x1003]


def test_flash_as_json(ongen, tmp_path, fake_probes):
    fake_probes.install("pyocd")
    folder = build(tmp_path / "b")
    code, out, err = ongen("flash", folder, "--json", "--no-verify", "--erase")
    assert code == 0
    report = json.loads(out)
    assert (report["written"], report["verified"], report["erase"]) == (True, False, "chip")
    assert report["commands"] == fake_probes.calls
    assert report["seconds"] > 0
    assert "0x08000000 to 0x08001002" in err  # said before it is done
    assert ongen("flash", folder, "--json", "--quiet")[2] == ""


def test_a_dry_run_touches_nothing(ongen, tmp_path, fake_probes):
    fake_probes.install("pyocd")
    folder = build(tmp_path / "b")
    code, out, err = ongen("flash", folder, "--dry-run", "--probe", "st-flash")
    assert code == 0
    assert "st-flash (not installed: apt install stlink-tools)" in out
    assert "nothing was written to the board" in err
    assert fake_probes.calls == []
    report = json.loads(ongen("flash", folder, "--dry-run", "--json")[1])
    assert (report["dry_run"], report["written"], report["seconds"]) == (True, False, None)


@pytest.mark.parametrize(
    ("board", "installed", "how", "code", "said"),
    [
        ("stm32f746", [], "", 6, "nothing that can write flash is installed"),
        ("cortex-a72", ["pyocd"], "", 2, "board cortex-a72 has no flash to write"),
        ("stm32f746", ["pyocd"], "pyocd no probe", 5, "no debug probe found"),
        ("stm32f746", ["pyocd"], "wear", 5, "flash is not as written, first at 0x08000005"),
    ],
)
def test_flash_fails_in_one_line(ongen, tmp_path, fake_probes, board, installed, how, code, said):
    fake_probes.install(*installed)
    fake_probes.fail(how)
    status, _, err = ongen("flash", build(tmp_path / "b", board), "--quiet")
    assert status == code
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_flash_of_no_build_or_another_program(ongen, tmp_path, fake_probes):
    fake_probes.install("pyocd")
    status, _, err = ongen("flash", tmp_path)
    assert (status, "not a build" in err) == (2, True)
    folder = build(tmp_path / "b", segments=[(0, bytes(100))])
    status, _, err = ongen("flash", folder)
    assert (status, "Was it built for an emulator" in err) == (4, True)
    assert fake_probes.calls == []


@pytest.fixture
def line():
    """A pseudo-terminal: (our end, the name of the other)."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    yield ours, os.ttyname(theirs)
    for end in (ours, theirs):
        with contextlib.suppress(OSError):
            os.close(end)


@pytest.mark.parametrize("options", [[], ["--time"], ["--board", "stm32f207"]])
def test_monitor_prints_lines_until_ctrl_c(line, options):
    pytest.importorskip("serial")
    ours, port = line
    command = [sys.executable, "-c", "from outliernets.cli import main; main()", "monitor", port]
    with subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What is started in the background of a script ignores Ctrl-C, and its children do.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stderr
        assert process.stdout
        rate = 460_800 if "--board" in options else 921_600
        assert process.stderr.readline() == f"{port} at {rate} baud; Ctrl-C ends\n"
        # What comes before the port is open is dropped: send until a line is printed.
        over = threading.Event()

        def speak():
            while not over.wait(0.1):
                os.write(ours, b'{"window": 0}\r\n')

        speaker = threading.Thread(target=speak)
        speaker.start()
        said = process.stdout.readline()
        over.set()
        speaker.join()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        pattern = r"\d\d:\d\d:\d\d\.\d{3}  " if "--time" in options else ""
        assert re.fullmatch(pattern + r'\{"window": 0\}\n', said)
        assert process.stderr.read().strip() == ""


def test_monitor_fails_in_one_line(ongen):
    pytest.importorskip("serial")
    for arguments, code, said in (
        (["/dev/ttyACM-none"], 5, "is not there: plug the board in"),
        (["/dev/ttyACM-none", "--board", "host"], 2, "board host has no UART"),
        (["/dev/ttyACM-none", "--board", "stm"], 2, "unknown board 'stm'"),
        (["/dev/ttyACM-none", "--board", "stm32f746", "--baud", "9600"], 2, "not both"),
        (["/dev/ttyACM-none", "--baud", "0"], 2, "--baud"),
    ):
        status, _, err = ongen("monitor", *arguments)
        assert (status, said in err) == (code, True), err


def test_monitor_without_pyserial(ongen, monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    status, _, err = ongen("monitor", "COM3")
    assert (status, "pip install 'ongen[board]'" in err) == (6, True)


@pytest.mark.parametrize("command", ["flash", "monitor"])
def test_help_has_examples(ongen, command):
    code, out, _ = ongen(command, "--help")
    assert code == 0
    assert f"Examples:\n    ongen {command} " in out


def test_doctor_names_the_tools_for_boards(ongen):
    out = ongen("doctor")[1]
    for tool in ("pyserial", "pyocd", "openocd", "st-flash"):
        assert tool in out
