"""A Renode process, driven through its Robot Framework port (XML-RPC, as ``renode-test`` does)."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
import xmlrpc.client
from contextlib import suppress
from pathlib import Path
from typing import IO

from outliernets.errors import MissingToolError, TargetError

PROGRAM = "renode"
VARIABLE = "RENODE"  #: environment variable with the path of the program
HOW = (
    "unpack renode-1.16.1.linux-portable-dotnet.tar.gz from github.com/renode/renode/releases and"
    f" put it on PATH, or its path into ${VARIABLE}"
)
STARTUP = 60.0  #: seconds Renode may take to open its port
_FAREWELL = 5.0  # seconds it may take to end
_OPTIONS = ("--disable-gui", "--hide-log", "--robot-server-port")


def find() -> str:
    """Return the program: $RENODE, or what is on PATH; raise MissingToolError without it."""
    named = os.environ.get(VARIABLE)
    path = shutil.which(named or PROGRAM)
    if path is None:
        where = f"${VARIABLE} = {named} is not a program" if named else "renode is not on PATH"
        raise MissingToolError(f"{where}: {HOW}; or use --target unicorn")
    return path


def free_port() -> int:
    """Return a TCP port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Transport(xmlrpc.client.Transport):
    """HTTP to this machine with a limit of seconds for an answer."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._timeout = timeout

    def make_connection(self, host: tuple[str, dict[str, str]] | str) -> http.client.HTTPConnection:
        connection = super().make_connection(host)
        connection.timeout = self._timeout
        return connection


class Remote:
    """A running Renode. ``timeout``: seconds it may take to answer a command."""

    def __init__(self, folder: Path, timeout: float) -> None:
        self._timeout = timeout
        self._messages: IO[bytes] = (folder / "renode.log").open("w+b")
        port = free_port()
        self._process = subprocess.Popen(
            [find(), *_OPTIONS, str(port)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self._messages,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the program may be a script that starts another
        )
        self.address = f"http://127.0.0.1:{port}/"
        self._server = xmlrpc.client.ServerProxy(
            self.address, transport=_Transport(timeout), allow_none=True
        )
        try:
            self._wait_for_port(port)
        except BaseException:
            self.close()
            raise

    def execute(self, command: str) -> str:
        """Run a command of Renode's monitor and return what it prints; TargetError if it fails."""
        return self.keyword("ExecuteCommand", command)

    def keyword(self, name: str, *arguments: str) -> str:
        """Run a keyword; raise TargetError when it fails or Renode does not answer."""
        what = f"{name} {' '.join(arguments)}"
        try:
            answer = self._server.run_keyword(name, list(arguments))
        except TimeoutError as error:
            raise TargetError(
                f"renode did not answer within {self._timeout:g} s: {what}"
            ) from error
        except xmlrpc.client.Fault as error:
            raise TargetError(f"renode refused: {what}: {error.faultString}") from error
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise TargetError(f"{self.obituary()} (at: {what})") from error
        if not isinstance(answer, dict) or answer.get("status") != "PASS":
            said = str(answer.get("error", "")) if isinstance(answer, dict) else repr(answer)
            lines = said.strip().splitlines() or ["no message"]
            raise TargetError(f"renode: {what}: {lines[0]}")
        return str(answer.get("return", ""))

    def obituary(self) -> str:
        """Say how Renode ended, or that it does not listen any more."""
        try:
            status = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "renode runs, but its port does not answer"
        self._messages.seek(0)
        said = self._messages.read().decode(errors="replace").strip().splitlines()
        return f"renode ended with status {status}: {said[-1] if said else 'no message'}"

    def close(self) -> None:
        """End Renode and wait until it is gone; harmless when it is."""
        if self._process.poll() is None:
            with suppress(
                OSError, http.client.HTTPException, xmlrpc.client.Error, subprocess.TimeoutExpired
            ):
                self._server.stop_remote_server()
                self._process.wait(timeout=_FAREWELL)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # of the session that is ours
        self._process.wait()
        self._messages.close()

    def _wait_for_port(self, port: int) -> None:
        end = time.monotonic() + STARTUP
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise TargetError(self.obituary())
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise TargetError(f"renode did not open its port within {STARTUP:g} s")
