#!PYTHON
"""Stands for pyocd, openocd and st-flash: a chip's flash is a file, and what is asked is recorded.

The folder $FAKE_PROBE holds flash.bin, calls.jsonl, and, if it is to misbehave, the file fail.
"""

import json
import os
import sys
import time
from pathlib import Path

BASE = 0x0800_0000
SECTOR = 0x4000
SAYS = {  # status, text: what the real programs said here or say in their sources
    "pyocd no probe": (
        1,
        "No connected debug probes\n0000891 E No target device available [load_cmd]",
    ),
    "openocd no probe": (
        1,
        "Info : clock speed 2000 kHz\nError: open failed\n** OpenOCD init failed **",
    ),
    "st-flash no probe": (255, "2026-11-22T20:19:07 WARN usb.c: Couldn't find any ST-Link devices"),
    "no pack": (
        1,
        "0000800 C Target type stm32f746nghx not recognized. Use 'pyocd list --targets'",
    ),
    "no permission": (1, "Error: libusb_open() failed with LIBUSB_ERROR_ACCESS"),
    "no power": (1, "Error: init mode failed (unable to connect to the target)"),
    "protected": (1, "Error: stm32x device protected, RDP level 1"),
    "strange": (7, "line one\nerror: the moon is full\nbye"),
    "mute": (3, ""),
}

folder = Path(os.environ["FAKE_PROBE"])
program, arguments = Path(sys.argv[0]).name, sys.argv[1:]
with (folder / "calls.jsonl").open("a") as stream:
    stream.write(json.dumps([program, *arguments]) + "\n")
how = (folder / "fail").read_text() if (folder / "fail").exists() else ""
if how in SAYS:
    status, text = SAYS[how]
    sys.stderr.write(text + "\n")
    sys.exit(status)
if how == "hang":
    time.sleep(60)
flash = bytearray((folder / "flash.bin").read_bytes())


def from_hex(path):
    high, found = 0, []
    for line in Path(path).read_text().splitlines():
        record = bytes.fromhex(line[1:])
        assert line[0] == ":"
        assert sum(record) & 0xFF == 0
        assert len(record) == record[0] + 5
        address, kind, data = int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        if kind == 4:
            high = int.from_bytes(data, "big") << 16
        elif kind == 0:
            found.append((high + address, data))
    return found


def erase(first, last):
    flash[first:last] = b"\xff" * (last - first)


def write(pieces, everything=False):
    if everything:
        erase(0, len(flash))
    for address, data in pieces:
        first = (address - BASE) // SECTOR * SECTOR
        last = (address - BASE + len(data) + SECTOR - 1) // SECTOR * SECTOR
        if (first, last) not in erased:
            erase(first, last)
            erased.add((first, last))
    for address, data in pieces:
        at = address - BASE
        flash[at : at + len(data)] = data
    if how == "wear":
        flash[pieces[0][0] - BASE + 5] ^= 0x40
    (folder / "flash.bin").write_bytes(flash)


def read(path, address, size):
    if how != "no file":
        length = size // 2 if how == "short" else size
        Path(path).write_bytes(flash[address - BASE : address - BASE + length])


erased = set()
if program == "pyocd" and arguments[0] == "load":
    write(from_hex(arguments[-1]), "chip" in arguments)
elif program == "pyocd" and arguments[0] == "commander":
    _, address, size, path = arguments[-1].split()
    read(path, int(address, 0), int(size))
elif program == "openocd":
    for step in arguments[arguments.index("init") :]:
        words = step.split()
        if words[:2] == ["flash", "erase_sector"]:
            erase(0, len(flash))
        elif words[:2] == ["flash", "write_image"]:
            write(from_hex(words[-1]))
        elif words[0] == "dump_image":
            read(words[1], int(words[2], 0), int(words[3]))
elif program == "st-flash":
    if arguments[0] == "erase":
        write([], everything=True)
    elif arguments[0] == "write":
        write([(int(arguments[2], 0), Path(arguments[1]).read_bytes())])
    elif arguments[0] == "read":
        read(arguments[1], int(arguments[2], 0), int(arguments[3], 0))
