"""Firmware with the stub model, built once per session."""

from collections.abc import Callable
from pathlib import Path

import pytest

from outliernets import boards
from outliernets.toolchain import Firmware
from tests.target import stub

Build = Callable[[str, str, str], Firmware]


@pytest.fixture(scope="session")
def stub_firmware(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build for (board, compiler, target), or return what was built before."""
    built: dict[tuple[str, str, str], Firmware] = {}
    root: Path = tmp_path_factory.mktemp("stub")

    def build(board: str, compiler: str, target: str) -> Firmware:
        key = (board, compiler, target)
        if key not in built:
            built[key] = stub.build(boards.load(board), compiler, target, root / "_".join(key))
        return built[key]

    return build
