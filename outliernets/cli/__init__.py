"""The command line: parse, call, print. Each file has the commands of one kind of work."""

import sys

import click

from outliernets import __version__
from outliernets.cli.build import build, compile_, eval_, run, train
from outliernets.cli.data import data
from outliernets.cli.detect import detect
from outliernets.cli.flash import flash, monitor
from outliernets.cli.front_end import export, mel
from outliernets.cli.inspect import boards, doctor, ops
from outliernets.cli.search import search
from outliernets.cli.table import table
from outliernets.errors import OngenError

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ongen")
def cli() -> None:
    """From recordings of one machine's normal sound to verified firmware that hears a change.

    \b
    Examples:
      ongen build --task fan/06/6dB --board stm32f746              simulated sound, emulated board
      ongen build --data ./my_pump --board stm32f746               your own recordings
      ongen search --task fan/06/6dB --board stm32f746             the smallest that hears enough
      ongen compile model.tflite --board cortex-a72 --out lib      any full-int8 network
      ongen flash build/fan/06/6dB/stm32f746                       onto the board itself
      ongen doctor                                                 what is installed, what is not
    """


COMMANDS = (
    *(build, search, train, eval_, run, detect, compile_, flash, monitor),
    *(mel, export, table, data, boards, ops, doctor),
)
for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line; user errors become one line and an exit code."""
    try:
        cli(standalone_mode=False)
    except OngenError as error:
        click.secho(f"error: {error}", fg="red", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.secho("stopped; finished stages are kept, run again to resume", fg="red", err=True)
        sys.exit(INTERRUPTED)
