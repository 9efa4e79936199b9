"""Tables over all networks: what each of them needs on a board."""

import click

from outliernets.cli._options import json_option, print_json, quiet_option
from outliernets.errors import ParityError


@click.command(short_help="What every network of the zoo needs on a board.")
@click.option("--footprint", is_flag=True, help="Instructions, flash, RAM and stack.")
@click.option("--board", default="stm32f746", show_default=True, help="See 'ongen boards'.")
@click.option("--target", help="Where it runs: unicorn, qemu, host. Default: the board's first.")
@click.option("--toolchain", help="Compiler: zig, gcc. Default: all installed, the better counts.")
@click.option("--network", "networks", multiple=True, help="Only this network; may be repeated.")
@json_option
@quiet_option
def table(
    footprint: bool,
    board: str,
    target: str | None,
    toolchain: str | None,
    networks: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    """Compile the paper's 24 networks and CAE-MCS, prove them bit-exact, print what they need.

    The table is Markdown; it takes some minutes. Exit code 5 if a network is not exact.

    \b
    Examples:
      ongen table --footprint > footprint.md
      ongen table --footprint --board stm32f446 --toolchain gcc
      ongen table --footprint --network fan-686 --network slider-21781 --json
    """
    if not footprint:
        raise click.UsageError("say which table: --footprint")
    from outliernets.cli._progress import narrator
    from outliernets.pipeline import footprint_table
    from outliernets.report import footprint_page

    compilers = [toolchain] if toolchain else []
    with narrator(quiet) as tell:
        found = footprint_table(board, tell, compilers, target, networks)
    if as_json:
        print_json(found)
    else:
        options = [f"--board {board}", *(f"--toolchain {name}" for name in compilers)]
        options += [*([f"--target {target}"] if target else [])]
        options += [f"--network {name}" for name in networks]
        click.echo(footprint_page(found, " ".join(["ongen table --footprint", *options])))
    if found["verdict"] == "FAIL":
        raise ParityError("verdict FAIL: not all networks are exact")
