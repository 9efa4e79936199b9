"""Stands in for Renode in tests: its Robot port and UART socket, with Unicorn as the processor.

Run as a program with Renode's options. It knows the commands that ``renode_files`` lists and fails
on all others; like Renode it drops bytes that come before the UART is on, and writes a profile only
when profiling stops. FAKE_RENODE makes it misbehave: die, deaf, fail, crash, noise, no-port, off.
"""

import os
import re
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

from outliernets import boards
from outliernets.target.machines import Machine, create
from outliernets.target.renode.files import CHIPS
from outliernets.target.symbols import Functions
from tests.target.renode_files import WrongError, parse_command, parse_platform, script_lines

MISTAKE = os.environ.get("FAKE_RENODE", "")
NAMED = re.compile(r"[a-z]\w*=")  # Robot Framework hands on ``name=value`` as it is
VERSION = "Renode v1.16.1.12345\n  build: 0123abcd-202602030405\n  runtime: .NET 8.0.23"


class Fake:
    def __init__(self) -> None:
        self.machine: Machine | None = None
        self.board: boards.Board | None = None
        self.elf = Path()
        self.profile: Path | None = None
        self.profiled: dict[str, int] = {}
        self.running = False
        self.lock = threading.Lock()
        self.sent = bytearray()  # by the firmware, for a terminal tester
        self.client: socket.socket | None = None

    # Robot Framework's interface for remote libraries

    def get_keyword_names(self) -> list[str]:
        return [
            "ExecuteCommand",
            "ExecuteScript",
            "CreateTerminalTester",
            "WaitForBytesOnUart",
            "ResetEmulation",
        ]

    def run_keyword(self, name: str, arguments: list[str]) -> dict[str, Any]:
        if MISTAKE == "die" and "ELF" in str(arguments):
            os._exit(7)
        if MISTAKE == "deaf":
            time.sleep(60)
        try:
            method = getattr(self, name)
            plain = [a for a in arguments if not NAMED.match(a)]
            named = dict(a.split("=", 1) for a in arguments if NAMED.match(a))
            return {"status": "PASS", "return": method(*plain, **named) or ""}
        except Exception as error:
            return {"status": "FAIL", "error": f"KeywordException: {error}\n", "traceback": ""}

    def ExecuteScript(self, path: str) -> str:  # noqa: N802
        origin = str(Path(path).parent)
        for line in script_lines(Path(path).read_text()):
            self.ExecuteCommand(line.replace("$ORIGIN", origin))
        return ""

    def ExecuteCommand(self, line: str) -> str:  # noqa: N802
        command, arguments = parse_command(line)
        if MISTAKE == "fail" and command.startswith("connector"):
            raise WrongError("Could not connect")
        method = getattr(self, "_" + command.replace(" ", "_").replace(".", "_"), None)
        return str(method(**arguments) or "") if method else ""

    def CreateTerminalTester(self, uart: str, timeout: str, **options: str) -> int:  # noqa: N802
        assert uart == "sysbus.usart1"
        assert options == {"defaultPauseEmulation": "true", "binaryMode": "true"}
        return 0

    def WaitForBytesOnUart(self, content: str) -> str:  # noqa: N802
        wanted = bytes.fromhex(content)
        self._run()
        at = self.sent.find(wanted)
        if at < 0:
            raise WrongError(f"Terminal tester failed! {self.sent.hex(' ')}")
        del self.sent[: at + len(wanted)]
        return content

    def ResetEmulation(self) -> None:  # noqa: N802
        return

    # the monitor's commands

    def _mach_create(self, machine: str) -> None:
        self.board = boards.load(machine)

    def _machine_LoadPlatformDescription(self, platform: str) -> None:  # noqa: N802
        parse_platform(Path(platform).read_text())

    def _sysbus_LoadELF(self, elf: str) -> None:  # noqa: N802
        assert self.board
        self.elf = Path(elf)
        variant = self.board.variant("renode")
        self.machine = create(variant, self.board.cpu, self.elf, 2_000_000_000)

    def _emulation_CreateServerSocketTerminal(self, port: str, line: str) -> None:  # noqa: N802
        server = socket.create_server(("127.0.0.1", int(port)))
        threading.Thread(target=self._serve, args=(server,), daemon=True).start()

    def _cpu_EnableProfilerCollapsedStack(self, profile: str) -> None:  # noqa: N802
        self.profile = Path(profile)
        self.profile.write_text("")
        self.profiled = self._counts()

    def _cpu_DisableProfiler(self) -> None:  # noqa: N802
        assert self.profile
        spent = {
            name: n - self.profiled.get(name, 0)
            for name, n in self._counts().items()
            if n > self.profiled.get(name, 0)
        }
        # As in Renode, the first line begins at the first instruction of all.
        lines = [f"Reset_Handler;main;{name} {n}\n" for name, n in spent.items()]
        before = sum(self.profiled.values())
        if lines and before:
            first, n = next(iter(spent.items()))
            lines[0] = f"{first} {n + before}\n"
        self.profile.write_text("".join(lines))
        self.profile = None

    def _cpu_ExecutedInstructions(self) -> str:  # noqa: N802
        assert self.machine
        return f"0x{self.machine.instructions():016X}\n"

    def _cpu_PC(self) -> str:  # noqa: N802
        return "0x8000201\n"

    def _sysbus_ReadDoubleWord(self, address: str) -> str:  # noqa: N802
        assert int(address, 16) == CHIPS["stm32f7"].control
        return "0x00000000\n" if MISTAKE == "off" else "0x0000000D\n"

    def _sysbus_usart1_WriteChar(self, byte: str) -> None:  # noqa: N802
        assert self.machine
        self.machine.send(bytes([int(byte, 16)]))

    def _emulation_RunFor(self, seconds: str) -> None:  # noqa: N802
        self._run()

    def _start(self) -> None:
        self.running = True

    def _pause(self) -> None:
        self.running = False

    def _counts(self) -> dict[str, int]:
        with self.lock:
            return self.machine.counts(Functions(self.elf)) if self.machine else {}

    def _run(self) -> None:
        assert self.machine
        with self.lock:
            while new := self.machine.run():
                self.sent += new

    def _serve(self, server: socket.socket) -> None:
        line, _ = server.accept()
        if MISTAKE == "noise":
            while True:
                line.sendall(bytes(range(0, 160)) * 100)
        while data := line.recv(1 << 16):
            while not self.running:
                time.sleep(0.001)
            assert self.machine
            if MISTAKE == "crash":
                os._exit(9)
            with self.lock:
                self.machine.send(data)
            self._run()
            line.sendall(bytes(self.sent))
            self.sent.clear()


class Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/", "/RPC2")


def main() -> None:
    if "--version" in sys.argv:
        print(VERSION)
        return
    if MISTAKE == "no-port":
        print("cannot start: no runtime")
        sys.exit(3)
    assert sys.argv[1:-1] == ["--disable-gui", "--hide-log", "--robot-server-port"]
    with SimpleXMLRPCServer(
        ("127.0.0.1", int(sys.argv[-1])), Handler, logRequests=False, allow_none=True
    ) as server:
        server.register_instance(Fake())
        server.register_function(
            lambda: threading.Thread(target=server.shutdown).start(), "stop_remote_server"
        )
        server.serve_forever()


if __name__ == "__main__":
    main()
