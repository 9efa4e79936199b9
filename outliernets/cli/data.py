"""Commands about recordings: list, check, download, simulate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from outliernets.cli._options import (
    FolderPath,
    data_option,
    json_option,
    print_json,
    quiet_option,
    task_option,
)
from outliernets.config import MelConfig, Task
from outliernets.errors import DataError


@click.group(short_help="Recordings: list, check, download, simulate.")
def data() -> None:
    """Look at recordings, check them, get MIMII's, or simulate machines.

    \b
    Examples:
      ongen data list --data /data/mimii
      ongen data check --data ./my_pump
      ongen data download mimii --machine fan --snr 6dB --out /data/mimii
      ongen data simulate --task fan/06/6dB --out sounds
    """


@data.command("list", short_help="The tasks in a folder.")
@data_option
@json_option
def list_(data_dir: Path | None, as_json: bool) -> None:
    """List the tasks found in a folder, with the number of clips.

    \b
    Examples:
      ongen data list --data /data/mimii
      ONGEN_DATA=/data/dcase ongen data list --json
    """
    from outliernets.data import list_tasks

    if data_dir is None:
        raise click.UsageError("say where the recordings are: --data FOLDER or $ONGEN_DATA")
    found = list_tasks(data_dir)
    rows: list[Mapping[str, Any]] = [
        {"task": str(i.task), "kind": i.kind, "normal": i.normal, "abnormal": i.abnormal}
        for i in found
    ]
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        raise DataError(
            f"{data_dir}: no recordings found; expected MIMII (6dB/fan/id_06/normal), DCASE "
            "(fan/train) or a folder with normal/"
        )
    for row in rows:
        click.echo(f"{row['task']:<24} {row['kind']:<10} {row['normal']:>6} normal "
                   f"{row['abnormal']:>6} abnormal")  # fmt: skip


@data.command(short_help="Find unusable recordings.")
@task_option
@data_option
@json_option
@quiet_option
def check(task: str | None, data_dir: Path | None, as_json: bool, quiet: bool) -> None:
    """Read every clip of a task and report what is wrong with it. Exit code 2 on errors.

    \b
    Examples:
      ongen data check --data ./my_pump
      ongen data check --data /data/mimii --task fan/06/6dB --json
    """
    from outliernets import data as recordings
    from outliernets.cli._options import chosen_task
    from outliernets.cli._progress import narrator

    if data_dir is None:
        raise click.UsageError("say where the recordings are: --data FOLDER or $ONGEN_DATA")
    with narrator(quiet) as tell:
        chosen = chosen_task(task, data_dir)
        findings = recordings.check(chosen, data_dir, MelConfig().sample_rate, tell.progress)
    if as_json:
        print_json([{**vars(f), "path": str(f.path)} for f in findings])
    else:
        for finding in findings:
            click.echo(f"{finding.severity}: {finding.path}: {finding.text}")
    errors = sum(f.severity == "error" for f in findings)
    click.echo(f"{errors} errors, {len(findings) - errors} warnings", err=True)
    if errors:
        raise DataError(f"{errors} clips of {chosen} cannot be used; repair or remove them")


@data.command(short_help="Get MIMII's recordings from Zenodo.")
@click.argument("dataset", type=click.Choice(["mimii"]))
@click.option(
    "--machine",
    "machines",
    multiple=True,
    required=True,
    help="fan, pump, slider, valve; may be repeated.",
)
@click.option(
    "--snr", "snrs", multiple=True, required=True, help="6dB, 0dB, -6dB; may be repeated."
)
@click.option(
    "--unit", "units", multiple=True, help="00, 02, 04, 06; may be repeated. Default: all."
)
@click.option("--out", type=FolderPath, required=True, help="Folder, for --data afterwards.")
@click.option(
    "--all-channels",
    is_flag=True,
    help="Keep all eight channels. Default: the first, which is what is learned from.",
)
@click.option("--keep-zip", is_flag=True, help="Do not remove the archive once it is unpacked.")
@click.option("--record", help="Address of the record's JSON, for mirrors. Default: Zenodo's.")
@json_option
@quiet_option
def download(
    dataset: str,
    machines: tuple[str, ...],
    snrs: tuple[str, ...],
    units: tuple[str, ...],
    out: Path,
    all_channels: bool,
    keep_zip: bool,
    record: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Load archives of machines at SNRs, about 10 GB each, one after the other, and unpack them.

    Interrupted, it goes on where it was. Sums are checked; what is there already stays. MIMII is by
    Hitachi, Ltd., under CC BY-SA 4.0: name them where you publish, share alike.

    \b
    Examples:
      ongen data download mimii --machine fan --snr 6dB --out /data/mimii
      ongen data download mimii --machine fan --machine slider --snr 6dB --snr -6dB --out mimii
      ongen data download mimii --machine valve --snr 0dB --unit 00 --out mimii --all-channels
    """
    from outliernets.cli._progress import narrator
    from outliernets.data import download as mimii

    chosen = mimii.archives(machines, snrs, record or mimii.RECORD)
    written = []
    with narrator(quiet) as tell:
        tell.notice(mimii.LICENCE)
        for number, archive in enumerate(chosen, start=1):
            tell.begin(archive.name, number, len(chosen))
            wanted = units or mimii.UNITS
            folders = mimii.download(archive, wanted, out, tell.progress, all_channels, keep_zip)
            written += [
                {"task": str(Task(archive.machine, unit, archive.snr)), "folder": str(folder)}
                for unit, folder in zip(wanted, folders, strict=True)
            ]
    _print_folders(written, as_json)


@data.command(short_help="Make recordings of simulated machines.")
@click.option("--task", "tasks", multiple=True, required=True, help="May be given several times.")
@click.option("--out", type=FolderPath, required=True, help="Folder, in MIMII's layout.")
@click.option("--normal", type=click.IntRange(min=1), help="Normal clips of each task.")
@click.option("--abnormal", type=click.IntRange(min=0), help="Abnormal clips of each task.")
@json_option
@quiet_option
def simulate(
    tasks: tuple[str, ...],
    out: Path,
    normal: int | None,
    abnormal: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write WAV files of simulated fans, sliders, pumps and valves with graded faults.

    \b
    Examples:
      ongen data simulate --task fan/06/6dB --out sounds
      ongen data simulate --task fan/00/0dB --task pump/02/-6dB --normal 50 --out sounds
    """
    from outliernets import data as recordings
    from outliernets.cli._progress import narrator

    counts = {"normal": normal, "abnormal": abnormal}
    given = {name: n for name, n in counts.items() if n is not None}
    written = []
    with narrator(quiet) as tell:
        for number, text in enumerate(tasks, start=1):
            tell.begin(text, number, len(tasks))
            folder = recordings.simulate(Task.parse(text), out, progress=tell.progress, **given)
            written.append({"task": str(Task.parse(text)), "folder": str(folder)})
    _print_folders(written, as_json)


def _print_folders(written: list[dict[str, str]], as_json: bool) -> None:
    if as_json:
        print_json(written)
    else:
        for row in written:
            click.echo(f"{row['task']}: {row['folder']}")
