"""The files Renode runs a board from, made from the board's TOML and ``templates/renode``."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from outliernets.boards import Board, Variant
from outliernets.codegen.render import render
from outliernets.errors import ConfigError, near_miss
from outliernets.target.protocol import HELLO, MAGIC, REPLY, Frame, encode

PLATFORM, SCRIPT, SUITE, PROGRAM = "board.repl", "board.resc", "check.robot", "firmware.elf"
START = "0.05"  #: virtual seconds after which firmware must have its UART ready


@dataclass(frozen=True)
class Chip:
    """A chip there is a platform template for."""

    template: str
    uart: str  #: its name in the template: the USART of the board's ST-LINK
    control: int  #: address of that USART's first control register
    enabled: int  #: bits of it that say it sends and receives
    uart_divider: int  #: of the core's clock


CHIPS = {
    "stm32f7": Chip("renode/stm32f7.repl.j2", "usart1", 0x4001_1000, 0b1101, 2),  # RM0385 31.8.1
}  #: by machine


def chip_of(variant: Variant) -> Chip:
    """Return the chip of a board's variant ``renode``; ConfigError when there is none."""
    if variant.machine not in CHIPS:
        hint = near_miss(variant.machine, CHIPS)
        raise ConfigError(f"renode has no machine '{variant.machine}' ({hint})")
    return CHIPS[variant.machine]


def platform_files(board: Board, variant: Variant) -> dict[str, str]:
    """Return the platform description and the script that loads it, by file name."""
    chip, code = chip_of(variant), variant.region("code")
    assert code
    return {
        PLATFORM: render(
            chip.template,
            board=board.name,
            title=board.title,
            cpu=board.cpu,
            clock_hz=board.clock_hz,
            uart_clock_hz=board.clock_hz // chip.uart_divider,
            memory=variant.memory,
        ),
        SCRIPT: render(
            "renode/board.resc.j2", board=board.name, title=board.title, vectors=code.base
        ),
    }


def suite_files(board: Board, variant: Variant, model_id: int) -> Mapping[str, str]:
    """Return all files for ``renode-test``, by name; the program goes beside them."""
    suite = render(
        "renode/check.robot.j2",
        board=board.name,
        uart=chip_of(variant).uart,
        start=START,
        request=list(encode(Frame(HELLO, 1, b""))),
        reply=[*MAGIC, HELLO | REPLY, 1],
        identity=list(struct.pack("<I", model_id)),
    )
    return platform_files(board, variant) | {SUITE: suite}
