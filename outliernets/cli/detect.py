"""The command that runs the product: detect."""

from pathlib import Path

import click

from outliernets.cli._options import (
    FilePath,
    FolderPath,
    json_option,
    print_json,
    quiet_option,
    target_option,
)
from outliernets.errors import ParityError


@click.command(short_help="A build's detector, listening to a stream with a fault.")
@click.argument("folder", metavar="BUILD_DIR", type=FolderPath)
@click.option(
    "--stream", type=FilePath, help="Audio file to hear. Default: the build's test clips."
)
@click.option(
    "--fault-at", type=float, metavar="SECONDS", help="When the fault in --stream begins."
)
@click.option(
    "--seconds", type=float, default=60.0, show_default=True, help="Of test clips to hear."
)
@click.option(
    "--false-alarms-per-hour",
    "rate",
    type=float,
    default=1.0,
    show_default=True,
    help="What the threshold is set for, from the held-out normal clips.",
)
@click.option(
    "--method", default="gamma", show_default=True, help="How to set it: gamma, quantile."
)
@click.option(
    "--audio",
    default="line",
    show_default=True,
    help="How sound gets in: line, mailbox (quicker), or a source of the board: microphones.",
)
@target_option
@json_option
@quiet_option
def detect(
    folder: Path,
    stream: Path | None,
    fault_at: float | None,
    seconds: float,
    rate: float,
    method: str,
    audio: str,
    target: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Link a build's detector, let it hear a minute in which a fault starts, check every line.

    Says when the alarm came, what was lost, and whether each line of JSON is the integer twin's.
    The program and its lines are left in BUILD_DIR/detect; 'ongen flash' writes that to the board.

    \b
    Examples:
      ongen detect build/fan/06/6dB/stm32f746
      ongen detect build/fan/06/6dB/stm32f746 --target qemu
      ongen detect build/fan/06/6dB/stm32f746 --audio mailbox --false-alarms-per-hour 0.1
      ongen detect build/fan/06/6dB/stm32f746 --audio microphones
      ongen detect build/fan/06/6dB/stm32f746 --target /dev/ttyACM0
      ongen detect build/fan/06/6dB/stm32f746 --stream night.wav --fault-at 30
    """
    from outliernets.cli._progress import narrator
    from outliernets.pipeline import DetectConfig
    from outliernets.pipeline import detect as run
    from outliernets.report.detect import detection_text

    if fault_at is not None and stream is None:
        raise click.UsageError("--fault-at is about a --stream: give that, too")
    settings = DetectConfig(rate, method, audio=audio, seconds=seconds, fault_at=fault_at)
    with narrator(quiet) as tell:
        report = run(folder, settings, tell, stream, target)
    if as_json:
        print_json(report)
    else:
        click.echo(detection_text(report))
        click.echo(f"written: {report['folder']}", err=True)
    if report["verdict"] == "FAIL":
        raise ParityError(f"verdict FAIL: {report['failures'][0]}")
