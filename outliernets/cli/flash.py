"""Commands for real boards: flash, monitor."""

import time
from datetime import datetime
from pathlib import Path

import click

from outliernets.cli._options import FolderPath, json_option, print_json, quiet_option


@click.command(short_help="Write a build's program to the board.")
@click.argument("folder", metavar="BUILD_DIR", type=FolderPath)
@click.option("--probe", help="Program: pyocd, openocd, st-flash. Default: the first installed.")
@click.option("--erase", is_flag=True, help="Erase the whole chip, not only what is written.")
@click.option("--verify/--no-verify", default=True, show_default=True, help="Read back, compare.")
@click.option("--dry-run", is_flag=True, help="Make the files, say what would be done, stop.")
@json_option
@quiet_option
def flash(
    folder: Path,
    probe: str | None,
    erase: bool,
    verify: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the program of a finished build to its board's flash, and start it.

    Makes firmware.bin and firmware.hex in BUILD_DIR, says exactly what it will write and how, then
    writes, reads back, compares and starts. It refuses programs for emulators and other boards.

    \b
    Examples:
      ongen flash build/fan/06/6dB/stm32f746 --dry-run
      ongen flash build/fan/06/6dB/stm32f746
      ongen flash build/fan/06/6dB/stm32f746 --probe openocd --erase
    """
    from outliernets.toolchain import flash as flashing

    plan = flashing.make_plan(folder, probe, erase, verify, dry_run)
    if not (as_json and quiet):
        click.echo(flashing.as_text(plan), err=as_json)
    seconds = None
    if not dry_run:
        started = time.perf_counter()
        flashing.carry_out(plan, lambda step: None if quiet else click.echo(f"  {step}", err=True))
        seconds = time.perf_counter() - started
    if as_json:
        print_json(flashing.as_json(plan, dry_run, seconds))
    elif dry_run:
        click.echo("nothing was written to the board: this was a dry run", err=True)
    else:
        how = "written and verified" if verify else "written, not verified"
        click.echo(f"{how} in {seconds:.1f} s; the board runs it")


@click.command(short_help="Print what a board sends.")
@click.argument("port")
@click.option("--baud", type=click.IntRange(min=1), help="Bits per second. Default: 921600.")
@click.option("--board", help="Take the rate of this board's firmware instead.")
@click.option("--time", "with_time", is_flag=True, help="Begin each line with the time of day.")
def monitor(port: str, baud: int | None, board: str | None, with_time: bool) -> None:
    """Print the lines of text a board sends, as they come, until Ctrl-C.

    A board that is unplugged is waited for.

    \b
    Examples:
      ongen monitor /dev/ttyACM0
      ongen monitor COM3 --baud 115200 --time
      ongen monitor /dev/ttyACM0 --board stm32f207 | tee log.jsonl
    """
    from outliernets.target import monitor as listening

    rate = _rate(baud, board)
    click.echo(f"{port} at {rate} baud; Ctrl-C ends", err=True)
    try:
        for line in listening.lines(port, rate, lambda text: click.echo(text, err=True)):
            click.echo(f"{_now()}  {line}" if with_time else line)
    except KeyboardInterrupt:
        click.echo(err=True)


def _rate(baud: int | None, board: str | None) -> int:
    """Return the baud rate the options ask for."""
    from outliernets import boards
    from outliernets.target import monitor as listening
    from outliernets.target.serial_port import baud_of

    if baud is not None and board is not None:
        raise click.UsageError("give --baud or --board, not both")
    if board is not None:
        return baud_of(boards.load(board))
    return listening.BAUD if baud is None else baud


def _now() -> str:
    return datetime.now().strftime("%H:%M:%S.%f")[:-3]
