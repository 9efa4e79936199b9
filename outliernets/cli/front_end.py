"""Commands about the front end by itself: mel, export mel."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from outliernets.cli._options import (
    FilePath,
    FolderPath,
    board_option,
    json_option,
    mel_option,
    print_json,
    quiet_option,
    target_option,
    toolchain_option,
)
from outliernets.config import INT8_RANGE_DB, mel_config
from outliernets.errors import ParityError


@click.command(short_help="Float and fixed-point log-Mel of a clip, side by side.")
@click.argument("clip", metavar="FILE", type=FilePath)
@click.option("--out", type=FilePath, help="Picture: .png or .svg. Default: FILE's name, -mel.png.")
@mel_option
@click.option("--board", help="Run the fixed-point front end there, too, and compare every bit.")
@target_option
@toolchain_option
@json_option
@quiet_option
def mel(
    clip: Path,
    out: Path | None,
    settings: tuple[str, ...],
    board: str | None,
    target: str | None,
    toolchain: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Draw a recording's log-Mel spectrogram: librosa's, the firmware's, and their difference.

    \b
    Examples:
      ongen mel clip.wav
      ongen mel clip.wav --out clip.svg --mel power=1 --mel n_fft=512 --mel hop=256
      ongen mel clip.wav --board stm32f746
    """
    from outliernets.cli._progress import narrator
    from outliernets.pipeline import compare
    from outliernets.report.front_end import check_picture, comparison_text, draw

    picture = check_picture(out or Path(f"{clip.stem}-mel.png"))
    with narrator(quiet) as tell:
        compared = compare(clip, mel_config(settings), tell, board, target, toolchain)
        draw(compared.clip, compared.exact, compared.fixed, compared.config, picture)
    if as_json:
        print_json({**compared.report, "picture": str(picture)})
    else:
        click.echo(comparison_text(compared.report))
        click.echo(f"written: {picture}", err=True)
    _require_exact(compared.report)


@click.group(short_help="Parts of ongen for other projects.")
def export() -> None:
    """Write parts of ongen as C libraries of their own.

    \b
    Examples:
      ongen export mel --board stm32f746 --out lib
    """


@export.command("mel", short_help="The log-Mel front end alone, as a C library.")
@board_option
@click.option("--out", type=FolderPath, required=True, help="Folder for the library.")
@click.option("--name", default="front_end", show_default=True, help="Prefix of all C names.")
@click.option(
    "--range",
    "span",
    type=(float, float),
    default=INT8_RANGE_DB,
    show_default=True,
    metavar="LOW HIGH",
    help="What int8 covers, in dB (0: Mel power 1 with full scale = 1).",
)
@mel_option
@target_option
@toolchain_option
@json_option
@quiet_option
def export_mel(
    board: str,
    out: Path,
    name: str,
    span: tuple[float, float],
    settings: tuple[str, ...],
    target: str | None,
    toolchain: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the fixed-point log-Mel front end as plain C, prove it bit-exact, report its cost.

    \b
    Examples:
      ongen export mel --board stm32f746 --out lib
      ongen export mel --board host --out lib --name ears --mel n_fft=512 --mel hop=160
      ongen export mel --board stm32f746 --out lib --range -80 -20 --mel power=1
    """
    from outliernets.cli._progress import narrator
    from outliernets.pipeline import export_front_end
    from outliernets.report.front_end import library_text

    config = mel_config(settings)
    with narrator(quiet) as tell:
        report = export_front_end(out, name, config, span, board, tell, target, toolchain)
    if as_json:
        print_json(report)
    else:
        click.echo(library_text(report))
        click.echo(f"written: {out}", err=True)
    _require_exact(report)


def _require_exact(report: Mapping[str, Any]) -> None:
    if report["verdict"] == "FAIL":
        raise ParityError("verdict FAIL: the board's rows are not those of the integer twin")
